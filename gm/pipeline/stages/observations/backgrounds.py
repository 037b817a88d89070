"""The makers that ``background:`` means."""

from __future__ import annotations

from collections.abc import Callable
from math import degrees, radians
from typing import Any, TypeAlias

from gm.makers.exclusion import Exclusion
from gm.makers.fov import FoVBackgroundMaker
from gm.makers.maker import Maker
from gm.makers.phases import PhaseBackgroundMaker
from gm.makers.reflected import ReflectedRegionsBackgroundMaker
from gm.makers.region_finders import ReflectedRegionsFinder, WobbleRegionsFinder
from gm.makers.rings import AdaptiveRingBackgroundMaker, RingBackgroundMaker
from gm.models import BackgroundIRFModel, Models
from gm.models.registry import find_model
from gm.pipeline.stages.reading import Reader

_Build: TypeAlias = Callable[[Reader, dict[str, Any], Exclusion], Maker]
_AT = ("background",)


def _reflected(reader: Reader, data: dict[str, Any], exclusion: Exclusion) -> Maker:
    default = ReflectedRegionsFinder()
    away = reader.angle(data, "min_distance_input", _AT, degrees(default.min_distance_input))
    most = data.get("max_region_number", default.max_region_number)
    finder = ReflectedRegionsFinder(min_distance_input=radians(away), max_region_number=most)
    return ReflectedRegionsBackgroundMaker(finder, exclusion)


def _wobble(reader: Reader, data: dict[str, Any], exclusion: Exclusion) -> Maker:
    return ReflectedRegionsBackgroundMaker(WobbleRegionsFinder(data.get("n_off", 1)), exclusion)


def _phase(reader: Reader, data: dict[str, Any], exclusion: Exclusion) -> Maker:
    on, off = (tuple((low, high) for low, high in data[key]) for key in ("on", "off"))
    return PhaseBackgroundMaker(on, off)


def _ring(reader: Reader, data: dict[str, Any], exclusion: Exclusion) -> Maker:
    r_in, width = (reader.angle(data, key, _AT) for key in ("r_in", "width"))
    return RingBackgroundMaker(r_in, width, exclusion)


def _adaptive_ring(reader: Reader, data: dict[str, Any], exclusion: Exclusion) -> Maker:
    r_in, r_in_max, width = (reader.angle(data, key, _AT) for key in ("r_in", "r_in_max", "width"))
    if not r_in < r_in_max:
        raise reader.fail((*_AT, "r_in_max"), f"{data['r_in_max']} is not above r_in, {data['r_in']}", "rings move out")
    return AdaptiveRingBackgroundMaker(
        r_in=r_in,
        r_out_max=r_in_max + width,
        width=width,
        stepsize=reader.angle(data, "step", _AT, 0.02),
        threshold_alpha=data.get("threshold", 0.1),
        theta=reader.angle(data, "theta", _AT, 0.22),
        exclusion=exclusion,
    )


def _fov(reader: Reader, data: dict[str, Any], exclusion: Exclusion) -> Maker:
    model: Any = find_model("spectral", data.get("spectral", "pl-norm"))
    start = Models([BackgroundIRFModel(dataset_name="x", spectral_model=model())])
    with reader.at(*_AT, "parameters"):
        edited = start.with_parameters({f"x-bkg.{name}": edit for name, edit in data.get("parameters", {}).items()})
    return FoVBackgroundMaker(
        method=data.get("method", "scale"),
        exclusion=exclusion,
        spectral_model=edited[0].spectral_model,
        min_counts=data.get("min_counts", 0.0),
        min_npred_background=data.get("min_npred_background", 0.0),
    )


_KINDS: dict[str, dict[str, _Build]] = {
    "spectrum": {"reflected": _reflected, "wobble": _wobble, "phase": _phase},
    "map": {"ring": _ring, "adaptive_ring": _adaptive_ring, "fov": _fov, "phase": _phase},
}


def background_maker(reader: Reader, exclusion: Exclusion) -> Maker | None:
    """The maker; None for the background of the response as it is. Notes problems."""
    data = reader.data.get("background") or {"type": "irf"}
    kind, dataset = data["type"], reader.data["dataset"]
    if kind == "irf":
        return None
    if kind not in _KINDS[dataset]:
        allowed = ", ".join([*_KINDS[dataset], "irf"])
        raise reader.fail((*_AT, "type"), f"no background '{kind}' for a {dataset}", f"allowed: {allowed}")
    with reader.at(*_AT):
        return _KINDS[dataset][kind](reader, dict(data), exclusion)
