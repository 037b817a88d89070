"""The entries of ``light_curves:`` as frozen settings, and what no schema can see in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gm.errors import UsageError
from gm.estimators.time_bins import TimeBinning, time_binning
from gm.models import AddressError, Models
from gm.pipeline.analysis.energies import read_edges
from gm.pipeline.analysis.sections import Known, Section, patterns, texts
from gm.pipeline.stages.flux_points.settings import check_reference
from gm.units import UnitError

RETRY = "retry-failed"


@dataclass(frozen=True)
class LightCurveSettings:
    """One entry of ``light_curves:``; edges in TeV."""

    source: str
    name: str
    datasets: tuple[str, ...]
    energy_edges: tuple[float, ...]
    time_bins: TimeBinning
    free: tuple[str, ...]
    reoptimize: bool
    joint: bool
    systematic: float
    sigma: float
    sigma_ul: float


def read_light_curves(section: Section) -> tuple[LightCurveSettings, ...]:
    """The settings of all entries; what the schema cannot see goes to the section."""
    return tuple(
        LightCurveSettings(
            source=entry["source"],
            name=entry["name"] or f"{entry['source']}-lc",
            datasets=patterns(entry["datasets"]),
            energy_edges=_edges(section, index, entry),
            time_bins=_time_bins(section, index, entry["time_bins"]),
            free=patterns(entry["free"]),
            reoptimize=entry["reoptimize"],
            joint=entry["joint"],
            systematic=float(entry["systematic"]),
            sigma=float(entry["confidence"]["sigma"]),
            sigma_ul=float(entry["confidence"]["sigma_ul"]),
        )
        for index, entry in section.entries()
    )


def _edges(section: Section, index: int, entry: Mapping[str, Any]) -> tuple[float, ...]:
    given = [key for key in ("energy_range", "energy_edges") if entry[key] is not None]
    if len(given) > 1 or (not given and section.is_whole):
        found = "both energy_range and energy_edges" if given else "neither energy_range nor energy_edges"
        section.add(
            (index,), f"a light curve with {found}", "energy_range: [1 TeV, 20 TeV], or energy_edges for several bands"
        )
    return read_edges(entry[given[0]], (index, given[0]), section.add) if given else ()


def _time_bins(section: Section, index: int, given: Any) -> TimeBinning:
    if isinstance(given, dict) and any(None in value for value in given.values() if isinstance(value, list)):
        return time_binning("per-observation")  # told by the schema
    try:
        return time_binning(given)
    except (UsageError, UnitError) as error:
        message, _, hint = str(error).partition("; ")
        section.add((index, "time_bins"), message, hint)
        return time_binning("per-observation")


def check_light_curves(section: Section, known: Known) -> None:
    """Every source is a sky component with a flux, every pattern a dataset's, and no two entries have one name."""
    section.check_names({k: entry["name"] or f"{entry['source']}-lc" for k, entry in section.entries()}, ("source",))
    for index, entry in section.entries():
        known.check_datasets(section, (index, "datasets"), entry["datasets"])
        known.check_source(section, (index, "source"), entry["source"])
        if known.models is not None:
            check_reference(section, (index, "source"), entry["source"], known.models)
            _check_free(section, index, entry, known.models)


def _check_free(section: Section, index: int, entry: Mapping[str, Any], models: Models) -> None:
    """Parameters that are free in each bin are those of the source; a joint fit has one band, and none of them."""
    if entry["source"] not in models:
        return
    own = range(len(models.parameters))[models.slots()[entry["source"], None]]
    for place, address in texts(entry["free"], (index, "free")):
        try:
            if models.resolve(address) not in own:
                section.add(
                    place,
                    f"'{address}' is no parameter of '{entry['source']}'",
                    "free names further ones of the source",
                )
        except AddressError as error:
            section.add(place, error.message, error.hint)
    if entry["joint"] and entry["free"]:
        section.add(
            (index, "free"),
            "a joint fit of all bins",
            "what is free in the global model is free, and shared by the bins",
        )
    if entry["joint"] and entry["energy_edges"] is not None:
        section.add(
            (index, "energy_edges"), "a joint fit of several bands", "a light curve of its own for each energy_range"
        )
