"""Peaks of a map that was written: what they are looked for in, and their document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.estimators.sky.peaks import Peak
from gm.io.fits import read_fits
from gm.maps.geometry import WcsGeometry
from gm.maps.reading import read_map
from gm.models import Models
from gm.pipeline.results import finite
from gm.pipeline.stages.maps.settings import MapSettings

Bands = Sequence[tuple[float, float, Sequence[Peak]]]


@dataclass(frozen=True, eq=False)
class HeldMap:
    """What peaks are looked for in. significance, norm : (n_bands, n_y, n_x); bands : e_min, e_max [TeV]."""

    geometry: WcsGeometry
    bands: list[tuple[float, float]]
    significance: Array
    norm: Array | None


def read_significance(path: Path) -> HeldMap:
    """The significance of a map that was written, and its norms where it has some. Raises `DataError`."""
    file = read_fits(path)
    found = read_map(file, "SQRT_TS")
    norm = None if file.find("NORM") is None else np.asarray(read_map(file, "NORM").data, dtype=np.float64)
    bands = list(pairwise(found.axes[0].edges.tolist()))
    return HeldMap(found.grid(), bands, np.asarray(found.data, dtype=np.float64), norm)


def peaks_document(
    settings: MapSettings, bands: Bands, models: Models, file: str, inputs: Mapping[str, Any], *, is_blank: bool
) -> dict[str, Any]:
    """The ``gm/maps/1`` document of the peaks of a map; the candidates are those of the band with the highest.

    is_blank : whether the map has no significance anywhere
    """
    n_peaks = sum(len(peaks) for _, _, peaks in bands)
    found = f"{n_peaks} peaks of {settings.of} above {settings.threshold:g} sigma"
    return {
        "schema": "gm/maps/1",
        "name": settings.name,
        "type": settings.type,
        "status": "failed" if is_blank else "ok",
        "message": f"{settings.of} has no significance in any pixel" if is_blank else found,
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
