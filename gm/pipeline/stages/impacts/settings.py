"""The entries of ``impacts:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gm.models.asked import contour_problems, minos_problems
from gm.pipeline.analysis.sections import Known, Section, patterns, texts


@dataclass(frozen=True)
class ImpactSettings:
    """One entry of ``impacts:``; datasets None: those of the fit."""

    parameter: str
    name: str
    nuisances: tuple[str, ...]
    datasets: tuple[str, ...] | None


def read_impacts(section: Section) -> tuple[ImpactSettings, ...]:
    """The settings of all entries."""
    return tuple(
        ImpactSettings(
            parameter=entry["parameter"],
            name=_name(entry),
            nuisances=patterns(entry["nuisances"]),
            datasets=None if entry["datasets"] is None else patterns(entry["datasets"]),
        )
        for _, entry in section.entries()
    )


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"] or entry["parameter"])


def check_impacts(section: Section, known: Known) -> None:
    """Every parameter is free, every pattern a parameter's or a dataset's, and no two entries have one name."""
    section.check_names({index: _name(entry) for index, entry in section.entries()}, ("parameter",))
    for index, entry in section.entries():
        if entry["datasets"] is not None:
            known.check_datasets(section, (index, "datasets"), entry["datasets"])
        if known.models is None or not entry["parameter"]:
            continue
        for message, hint in contour_problems(known.models, entry["parameter"]):
            said = hint.replace("a contour needs two free parameters", "impacts are on a free one")
            section.add((index, "parameter"), message, said)
        for place, pattern in texts(entry["nuisances"], (index, "nuisances")):
            for message, hint in minos_problems(known.models, pattern):
                section.add(place, message, hint)
