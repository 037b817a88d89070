"""The entries of ``sensitivity:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gm.pipeline.analysis.energies import read_edges
from gm.pipeline.analysis.sections import Known, Section, patterns


@dataclass(frozen=True)
class SensitivitySettings:
    """One entry of ``sensitivity:``; edges in TeV, or None for the bins of the datasets."""

    source: str
    name: str
    datasets: tuple[str, ...]
    energy_edges: tuple[float, ...] | None
    sigma: float
    min_counts: float
    background_systematic: float
    probability: float


def read_sensitivity(section: Section) -> tuple[SensitivitySettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    return tuple(
        SensitivitySettings(
            source=entry["source"],
            name=_name(entry),
            datasets=patterns(entry["datasets"]),
            energy_edges=None
            if entry["energy_edges"] is None
            else read_edges(entry["energy_edges"], (index, "energy_edges"), section.add),
            sigma=float(entry["sigma"]),
            min_counts=float(entry["min_counts"]),
            background_systematic=float(entry["background_systematic"]),
            probability=float(entry["probability"]),
        )
        for index, entry in section.entries()
    )


def _name(entry: Mapping[str, Any]) -> str:
    return str(entry["name"] or f"{entry['source']}-sensitivity")


def check_sensitivity(section: Section, known: Known) -> None:
    """Every source is a sky component with a flux, every pattern a dataset's, and no two entries have one name."""
    from gm.models.sky_flux import no_flux

    section.check_names({index: _name(entry) for index, entry in section.entries()}, ("source",))
    for index, entry in section.entries():
        known.check_datasets(section, (index, "datasets"), entry["datasets"])
        known.check_source(section, (index, "source"), entry["source"])
        sources = known.models.sources() if known.models is not None else []
        for problem in (no_flux(source) for source in sources if source.name == entry["source"]):
            if problem:
                section.add((index, "source"), f"'{entry['source']}': {problem}")
