"""The entries of ``publish:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from dataclasses import dataclass

from gm.pipeline.analysis.sections import Known, Section, patterns


@dataclass(frozen=True)
class PublishSettings:
    """One entry of ``publish:``; datasets None: those of the fit."""

    source: str
    name: str
    per_decade: int
    datasets: tuple[str, ...] | None


def read_publish(section: Section) -> tuple[PublishSettings, ...]:
    """The settings of all entries."""
    return tuple(
        PublishSettings(
            source=entry["source"],
            name=default_name(entry["name"], entry["source"]),
            per_decade=entry["per_decade"],
            datasets=None if entry["datasets"] is None else patterns(entry["datasets"]),
        )
        for _, entry in section.entries()
    )


def default_name(name: str | None, source: str) -> str:
    """The name of a result: that of the entry, or of its source."""
    return name or f"{source}-likelihood"


def check_publish(section: Section, known: Known) -> None:
    """Every source is a sky component, every pattern a dataset's, and no two entries have one name."""
    names = {index: default_name(entry["name"], entry["source"]) for index, entry in section.entries()}
    section.check_names(names, ("source",))
    for index, entry in section.entries():
        if entry["datasets"] is not None:
            known.check_datasets(section, (index, "datasets"), entry["datasets"])
        if entry["source"]:
            known.check_source(section, (index, "source"), entry["source"])
