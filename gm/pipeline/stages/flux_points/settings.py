"""The entries of ``flux_points:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from gm.errors import DataError, JsonPath
from gm.models import Models
from gm.models.sky_flux import no_flux
from gm.pipeline.analysis.energies import read_edges
from gm.pipeline.analysis.sections import Known, Section, patterns


@dataclass(frozen=True)
class FluxPointsSettings:
    """One entry of ``flux_points:``; edges in TeV."""

    source: str
    name: str
    datasets: tuple[str, ...]
    energy_edges: tuple[float, ...]
    strict: bool
    reoptimize: bool
    nuisance_prior: float | None
    deabsorbed: bool
    sed_type: str
    sigma: float
    sigma_ul: float
    ul: str


def read_flux_points(section: Section) -> tuple[FluxPointsSettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    return tuple(
        FluxPointsSettings(
            source=entry["source"],
            name=entry["name"] or f"{entry['source']}-sed",
            datasets=patterns(entry["datasets"]),
            energy_edges=read_edges(entry["energy_edges"], (index, "energy_edges"), section.add),
            strict=entry["strict"],
            reoptimize=entry["reoptimize"] or entry["nuisance_prior"] is not None,
            nuisance_prior=entry["nuisance_prior"],
            deabsorbed=entry["deabsorbed"],
            sed_type=entry["sed_type"],
            sigma=float(entry["confidence"]["sigma"]),
            sigma_ul=_sigma_ul(entry),
            ul=entry["ul"]["method"],
        )
        for index, entry in section.entries()
    )


def _sigma_ul(entry: Mapping[str, Any]) -> float:
    """The level of limits in standard deviations; ``ul: {level: 0.95}`` is its one-sided probability."""
    level = entry["ul"]["level"]
    return float(entry["confidence"]["sigma_ul"]) if level is None else NormalDist().inv_cdf(level)


def check_flux_points(section: Section, known: Known) -> None:
    """Every source is a sky component with a flux, every pattern a dataset's, and no two entries have one name."""
    names = {index: entry["name"] or f"{entry['source']}-sed" for index, entry in section.entries()}
    section.check_names(names, ("source",))
    for index, entry in section.entries():
        known.check_datasets(section, (index, "datasets"), entry["datasets"])
        known.check_source(section, (index, "source"), entry["source"])
        if entry["ul"]["method"] == "cls" and (entry["reoptimize"] or entry["nuisance_prior"] is not None):
            section.add((index, "ul", "method"), "CLs limits are those of a norm alone", "bounded goes with reoptimize")
        if known.models is not None:
            check_reference(section, (index, "source"), entry["source"], known.models)
            if entry["deabsorbed"] and not _is_absorbed(entry["source"], known.models):
                message = f"'{entry['source']}' has no absorption that points could be told without"
                section.add(
                    (index, "deabsorbed"), message, "an EBLAbsorptionNormSpectralModel as a factor of its spectrum"
                )


def _is_absorbed(source: str, models: Models) -> bool:
    """Whether a source has a spectrum with absorption; what is no source is told elsewhere."""
    spectrum = next((component.spectral_model for component in models.sources() if component.name == source), None)
    if spectrum is None:
        return True
    left = spectrum.unabsorbed()
    return left is not None and len(left[1]) < len(spectrum.parameters)


def check_reference(section: Section, path: JsonPath, source: str, models: Models) -> None:
    """The source has a flux that norms can refer to."""
    if source not in models:
        return
    component = next((component for component in models.sources() if component.name == source), None)
    problem: str | None = "a template of counts is no source"
    if component is not None:
        try:
            problem = no_flux(component)
        except DataError:  # a template that cannot be read, which is said when it is used
            return
    if problem:
        hint = "fluxes need a differential flux; the parameters of a factor can be free in a fit"
        section.add(path, f"'{source}': {problem}", hint)
