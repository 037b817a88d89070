"""Entries about sources that have a position."""

from __future__ import annotations

from gm.errors import UsageError
from gm.estimators.sky.sources import position_of
from gm.pipeline.analysis.sections import Known, Section


def check_places(section: Section, known: Known, suffix: str = "") -> None:
    """Every source has a position of its own, every pattern is a dataset's, and no two entries have one name."""
    names = {index: entry["name"] or f"{entry['source']}{suffix}" for index, entry in section.entries()}
    section.check_names(names, ("source",))
    for index, entry in section.entries():
        known.check_datasets(section, (index, "datasets"), entry["datasets"])
        known.check_source(section, (index, "source"), entry["source"])
        if known.given is not None and entry["source"] in (c.name for c in known.given.sources()):
            try:
                position_of(known.given, entry["source"])
            except UsageError as error:
                section.add((index, "source"), str(error))
