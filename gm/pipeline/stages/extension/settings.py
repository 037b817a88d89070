"""The entries of ``extension:`` as frozen settings."""

from __future__ import annotations

from dataclasses import dataclass

from gm.pipeline.analysis.energies import read_edges
from gm.pipeline.analysis.positions import check_places
from gm.pipeline.analysis.sections import Known, Section, patterns


@dataclass(frozen=True)
class ExtensionSettings:
    """One entry of ``extension:``; edges in TeV."""

    source: str
    name: str
    datasets: tuple[str, ...]
    shape: str
    energy_edges: tuple[float, ...] | None
    n: int
    ul: str


def read_extension(section: Section) -> tuple[ExtensionSettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    return tuple(
        ExtensionSettings(
            source=entry["source"],
            name=entry["name"] or f"{entry['source']}-ext",
            datasets=patterns(entry["datasets"]),
            shape=entry["shape"],
            energy_edges=None
            if entry["energy_edges"] is None
            else read_edges(entry["energy_edges"], (index, "energy_edges"), section.add),
            n=entry["n"],
            ul=entry["ul"]["method"],
        )
        for index, entry in section.entries()
    )


def check_extension(section: Section, known: Known) -> None:
    """As of positions, which sizes are measured at."""
    check_places(section, known, "-ext")
