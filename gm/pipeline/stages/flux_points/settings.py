"""The entries of ``flux_points:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from gm.errors import DataError, JsonPath
from gm.io.file_names import distinct, file_stem, same_file
from gm.models import Models
from gm.models.sky_flux import no_flux
from gm.pipeline.analysis.energies import read_edges
from gm.pipeline.analysis.sections import Known, Section, patterns, sound_items


@dataclass(frozen=True)
class FluxPointsSettings:
    """One entry of ``flux_points:``; edges in TeV."""

    sources: tuple[str, ...]
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
    method: str = "bands"
    smoothness: float = 0.0


def read_flux_points(section: Section) -> tuple[FluxPointsSettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    return tuple(
        FluxPointsSettings(
            sources=_sources(entry),
            name=_name(entry),
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
            method=entry["method"],
            smoothness=float(entry["smoothness"]),
        )
        for index, entry in section.entries()
    )


def _sources(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of ``sources``, or the one of ``source``; none where neither is given."""
    return tuple(sound_items(entry["sources"] or [entry["source"]]))


def _name(entry: Mapping[str, Any]) -> str:
    """By default that of all sources."""
    return entry["name"] or "-".join([*_sources(entry), "sed"])


def table_stems(name: str, sources: Sequence[str]) -> list[str]:
    """What the tables of each source are called, without their endings."""
    return [name] if len(sources) < 2 else distinct([file_stem(f"{name}-{source}") for source in sources])


def _sigma_ul(entry: Mapping[str, Any]) -> float:
    """The level of limits in standard deviations; ``ul: {level: 0.95}`` is its one-sided probability."""
    level = entry["ul"]["level"]
    return float(entry["confidence"]["sigma_ul"]) if level is None else NormalDist().inv_cdf(level)


def check_flux_points(section: Section, known: Known) -> None:
    """Every source is a sky component with a flux, every pattern a dataset's, and no two entries have one name."""
    names = {index: _name(entry) for index, entry in section.entries()}
    section.check_names(names, ("source", "sources"))
    _check_tables(section, names)
    for index, entry in section.entries():
        known.check_datasets(section, (index, "datasets"), entry["datasets"])
        _check_sources(section, index, entry, known)
        _check_method(section, index, entry)
        if entry["ul"]["method"] == "cls" and (entry["reoptimize"] or entry["nuisance_prior"] is not None):
            section.add((index, "ul", "method"), "CLs limits are those of a norm alone", "bounded goes with reoptimize")


def _check_tables(section: Section, names: Mapping[int, str]) -> None:
    """No table of an entry with several sources is called as one of another entry."""
    owners = {same_file(name): index for index, name in names.items()}
    for index, entry in section.entries():
        sources = _sources(entry)
        for stem in table_stems(names[index], sources) if len(sources) > 1 else ():
            owner = owners.setdefault(same_file(stem), index)
            if owner != index:
                section.add((index, "sources"), f"entry {owner} has a table '{stem}' already", "give it a name: ...")


def _check_sources(section: Section, index: int, entry: Mapping[str, Any], known: Known) -> None:
    """Either key, and sky components with a flux; without absorption only where there is some."""
    if section.is_whole and (entry["source"] is None) == (entry["sources"] is None):
        found = "neither source nor sources" if entry["source"] is None else "both source and sources"
        section.add((index,), f"flux points with {found}", "source: crab, or sources: [crab, other] in one fit")
    places: list[tuple[JsonPath, str]] = [((index, "source"), entry["source"])] if entry["source"] else []
    places += [((index, "sources", place), name) for place, name in enumerate(entry["sources"] or ())]
    for path, source in places:
        known.check_source(section, path, source)
        if known.models is not None:
            check_reference(section, path, source, known.models)
            if entry["deabsorbed"] and not _is_absorbed(source, known.models):
                message = f"'{source}' has no absorption that points could be told without"
                hint = "an EBLAbsorptionNormSpectralModel as a factor of its spectrum"
                section.add((index, "deabsorbed"), message, hint)


def _check_method(section: Section, index: int, entry: Mapping[str, Any]) -> None:
    """Keys that mean nothing with another, or with several sources."""
    method = entry["method"]
    if entry["smoothness"] and method != "unfold":
        section.add((index, "smoothness"), f"a penalty on points with method: {method}", "it is of method: unfold")
    if entry["strict"] and method == "unfold":
        section.add((index, "strict"), "true energies have no bins", "bands of method: unfold are as asked for")
    if entry["nuisance_prior"] is not None and method != "bands":
        message = "one fit of all bands holds what priors from it would tell"
        section.add((index, "nuisance_prior"), message, f"method: {method} with reoptimize: true needs none")
    if entry["ul"]["method"] == "cls" and (method != "bands" or len(_sources(entry)) > 1):
        section.add((index, "ul", "method"), "CLs limits are those of a norm alone", "bounded goes with several norms")


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
