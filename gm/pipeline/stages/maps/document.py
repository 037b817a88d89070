"""What ``maps/NAME.yaml`` holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gm.estimators.sky.peaks import Peak
from gm.estimators.sky.profile import SkyProfile
from gm.estimators.sky.result import UNITS, SkyMaps
from gm.models import Models
from gm.pipeline.results import finite
from gm.pipeline.stages.maps.settings import MapSettings

SCHEMA = "gm/maps/1"
Bands = Sequence[tuple[float, float, Sequence[Peak]]]


def map_document(
    maps: SkyMaps,
    settings: MapSettings,
    file: str,
    left_out: Sequence[str],
    more: Mapping[str, Any],
    inputs: Mapping[str, Any],
) -> dict[str, Any]:
    """The ``gm/maps/1`` document of a map; numbers that do not exist are None."""
    bands = [_band(maps, k) for k in range(maps.energy.n_bins)]
    best = max((band for band in bands if band["maximum"]), key=lambda band: band["maximum"]["sqrt_ts"], default=None)
    n_pixels = sum(band["pixels"] for band in bands)
    top = "" if best is None else f", highest significance {best['maximum']['sqrt_ts']:.2f}"
    warnings = [f"{name} has no pixels and was left out" for name in left_out]
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "type": settings.type,
        "status": "ok" if n_pixels else "failed",
        "message": f"{n_pixels} pixels{top}" if n_pixels else "nothing is expected in any pixel that enters",
        "warnings": [*warnings, *maps.remarks],
        "file": file,
        "datasets": list(maps.datasets),
        "geometry": _geometry(maps),
        "confidence": {"sigma": maps.sigma, "sigma_ul": maps.sigma_ul},
        "quantities": {name: _quantity(name, values) for name, values in maps.data.items()},
        "bands": bands,
        **more,
        "inputs": dict(inputs),
    }


def _geometry(maps: SkyMaps) -> dict[str, Any]:
    geometry = maps.geometry
    return {
        "frame": geometry.frame,
        "projection": geometry.projection.code,
        "center": list(geometry.center()),
        "pixels": list(reversed(geometry.shape)),
        "pixel_size": list(geometry.pixel_scales()),
    }


def _quantity(name: str, values: Any) -> dict[str, Any]:
    known = np.isfinite(values)
    ends = (float(values[known].min()), float(values[known].max())) if known.any() else (None, None)
    return {"unit": UNITS.get(name, ""), "pixels": int(known.sum()), "min": ends[0], "max": ends[1]}


def _band(maps: SkyMaps, k: int) -> dict[str, Any]:
    significance = maps["sqrt_ts"][k]
    known = np.isfinite(significance)
    row: dict[str, Any] = {
        "e_min": float(maps.energy.lo[k]),
        "e_max": float(maps.energy.hi[k]),
        "energy_unit": "TeV",
        "reference_flux": finite(maps.reference_flux[k]) if len(maps.reference_flux) else None,
        "pixels": int(known.sum()),
        "maximum": None,
    }
    if known.any():
        y, x = np.unravel_index(int(np.argmax(np.where(known, significance, -np.inf))), significance.shape)
        lon, lat = maps.geometry.sky(float(x), float(y))
        row["maximum"] = {
            "lon": float(lon),
            "lat": float(lat),
            "pixel": [int(x), int(y)],
            **{name: finite(values[k, y, x]) for name, values in maps.data.items()},
        }
    return row


def profile_document(
    profile: SkyProfile, settings: MapSettings, file: str, left_out: Sequence[str], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/maps/1`` document of a profile on the sky; numbers that do not exist are None."""
    n_bins = profile.edges.size - 1
    what = f"excess of {profile.source}" if profile.source else "excess above the model"
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "type": settings.type,
        "status": "ok",
        "message": f"{n_bins} bins to {profile.edges[-1]:.3g} deg, {what}",
        "warnings": [f"{name} has no pixels and was left out" for name in left_out],
        "file": file,
        "datasets": list(profile.datasets),
        "confidence": {"sigma": profile.sigma, "sigma_ul": profile.sigma_ul},
        "bands": [
            {
                "e_min": float(profile.energy.lo[k]),
                "e_max": float(profile.energy.hi[k]),
                "energy_unit": "TeV",
                "reference_flux": finite(profile.reference_flux[k]),
                "profile": [
                    {
                        "distance_min": float(profile.edges[j]),
                        "distance_max": float(profile.edges[j + 1]),
                        **{name: finite(values[k, j]) for name, values in profile.data.items()},
                    }
                    for j in range(n_bins)
                ],
            }
            for k in range(profile.energy.n_bins)
        ],
        "inputs": dict(inputs),
    }


def peaks_document(
    settings: MapSettings, bands: Bands, models: Models, file: str, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/maps/1`` document of the peaks of a map; the candidates are those of the band with the highest."""
    n_peaks = sum(len(peaks) for _, _, peaks in bands)
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "type": settings.type,
        "status": "ok",
        "message": f"{n_peaks} peaks of {settings.of} above {settings.threshold:g} sigma",
        "warnings": [],
        "file": file,
        "of": settings.of,
        "threshold": settings.threshold,
        "min_distance": settings.min_distance,
        "candidates": models.names,
        "bands": [
            {"e_min": e_min, "e_max": e_max, "energy_unit": "TeV", "peaks": [_peak(peak) for peak in peaks]}
            for e_min, e_max, peaks in bands
        ],
        "inputs": dict(inputs),
    }


def _peak(peak: Peak) -> dict[str, Any]:
    return {
        "lon": peak.lon,
        "lat": peak.lat,
        "pixel": [peak.column, peak.row],
        "sqrt_ts": peak.sqrt_ts,
        "norm": finite(peak.norm),
    }
