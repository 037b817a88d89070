"""What responses ask of the observation that they are of."""

from __future__ import annotations

from typing import Protocol

from gm.arrays import Array
from gm.errors import DataError
from gm.irf.positions import ResponseGeometry
from gm.maps.rotation import rotate


class Observed(Protocol):
    """An observation: where it looked, and for how long."""

    def offsets(self, lon: Array, lat: Array) -> Array:
        """Distances [deg] of ICRS positions [deg] from the pointing, broadcast."""

    def ontime(self) -> float:
        """Good time [s]."""

    def livetime(self) -> float:
        """The part of the good time in which the telescopes were ready [s]."""


def pixel_positions(geometry: ResponseGeometry) -> tuple[Array, Array]:
    """ICRS positions (n_y, n_x) [deg] of the pixels of a response map. Raises `DataError` without pixels."""
    if geometry.pixel_grid is None:
        raise DataError("the responses of a map are made on pixels")
    return rotate(*geometry.pixel_grid.grid(), geometry.pixel_grid.frame, "icrs")
