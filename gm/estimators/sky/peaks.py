"""Peaks of a significance map, as candidate sources."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import final

import numpy as np

from gm.arrays import Array
from gm.estimators.sky.sources import placed
from gm.maps.geometry import WcsGeometry
from gm.models import Models, SkyModel


@final
@dataclass(frozen=True)
class Peak:
    """lon, lat [deg] in the frame of the map, at the vertex of a parabola through the highest pixel and its neighbours.

    sqrt_ts : at that pixel, whose ``row`` and ``column`` count from 0; norm : of the kernel there, where it is known.
    """

    lon: float
    lat: float
    sqrt_ts: float
    row: int
    column: int
    norm: float | None = None


def find_peaks(
    geometry: WcsGeometry,
    significance: Array,
    threshold: float = 5.0,
    min_distance: float = 0.0,
    norm: Array | None = None,
) -> list[Peak]:
    """The pixels above a threshold that are the highest of all within ``min_distance`` [deg], the highest first.

    significance, norm : (n_y, n_x), NaN where there is nothing. At least the eight neighbours are lower.
    """
    from scipy.ndimage import maximum_filter

    values = np.where(np.isfinite(significance), significance, -np.inf)
    size = max(min_distance / max(geometry.pixel_scales()), 1.0)
    half = ceil(size)
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    around = (x**2 + y**2 <= size**2) | (np.maximum(abs(x), abs(y)) <= 1)
    is_peak = (values >= maximum_filter(values, footprint=around, mode="constant", cval=-np.inf)) & (values > threshold)
    found = sorted(zip(*np.nonzero(is_peak), strict=True), key=lambda at: -values[at])
    return [_peak(geometry, values, int(row), int(column), norm) for row, column in found]


def _peak(geometry: WcsGeometry, values: Array, row: int, column: int, norm: Array | None) -> Peak:
    shift_y, shift_x = _vertex(values[:, column], row), _vertex(values[row], column)
    lon, lat = geometry.sky(column + shift_x, row + shift_y)
    height = None if norm is None or not np.isfinite(norm[row, column]) else float(norm[row, column])
    return Peak(float(lon), float(lat), float(values[row, column]), row, column, height)


def _vertex(values: Array, at: int) -> float:
    """Of the parabola of the squares of three values, in pixels from the middle one; 0 at the border."""
    if not 0 < at < values.size - 1:
        return 0.0
    before, here, after = (np.sign(v) * v**2 for v in values[at - 1 : at + 2])
    bend = before + after - 2.0 * here
    if not (np.isfinite(bend) and bend < 0):
        return 0.0
    return float(np.clip(0.5 * (before - after) / bend, -0.5, 0.5))


def candidates(
    peaks: Sequence[Peak], kernel: SkyModel, frame: str, taken: Sequence[str] = (), stem: str = "peak"
) -> Models:
    """A source like the kernel at every peak, with the amplitude that its norm says; names ``peak-1`` and so on.

    frame : of the peaks; taken : names that are given already
    """
    names = (name for k in range(1, len(peaks) + len(taken) + 1) if (name := f"{stem}-{k}") not in taken)
    return Models([_candidate(name, peak, kernel, frame) for name, peak in zip(names, peaks, strict=False)])


def _candidate(name: str, peak: Peak, kernel: SkyModel, frame: str) -> SkyModel:
    source = placed(replace(kernel, name=name), peak.lon, peak.lat, frame)
    amplitude = source.spectral_model.amplitude_position()
    if amplitude is None or peak.norm is None or not peak.norm > 0:
        return source
    parameters = [
        replace(p, value=p.value * peak.norm) if k == amplitude else p for k, p in enumerate(source.parameters)
    ]
    return source.with_parameters(parameters)
