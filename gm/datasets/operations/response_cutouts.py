"""Responses of a part of the sky."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gm.maps.geometry import WcsGeometry

_MIN_PIXELS = 3  # so that there is something to interpolate between


def cut_response(response: Any, center: tuple[float, float, str], width: float | tuple[float, float]) -> Any:
    """The PSF or energy dispersion map in a window [deg] around a position, at least three pixels wide.

    As it is when it is the same everywhere or the window does not touch its grid.
    """
    if response is None or not isinstance(response.geometry, WcsGeometry) or response.geometry.shape == (1, 1):
        return response
    part = response.geometry.cutout(center[0], center[1], width, center[2], min_pixels=_MIN_PIXELS)
    if part is None:
        return response
    exposure = None if response.exposure is None else response.exposure[..., part.y, part.x]
    return replace(response, geometry=part.geometry, data=response.data[..., part.y, part.x], exposure=exposure)
