"""The point source."""

from __future__ import annotations

from gm.arrays import Array
from gm.maps.pixel_grid import PixelGrid
from gm.models.spatial.base import LAT, LON, SpatialModel
from gm.models.spatial.point_pixels import PointPixels, place_on


class PointSpatialModel(SpatialModel):
    """Point source at lon_0, lat_0."""

    tags = ("PointSpatialModel", "point")
    lon_0 = LON
    lat_0 = LAT

    def evaluation_radius(self, values: Array) -> float:
        return 0.0

    def pixels(self, grid: PixelGrid, values: Array, place: tuple[Array, Array] | None = None) -> PointPixels:
        """The four pixels around the position. values : (n_par,); ``place``: what `place` says of it, where that is
        known."""
        return PointPixels.at(grid, self.place(grid, values) if place is None else place)

    def place(self, grid: PixelGrid, values: Array) -> tuple[Array, Array]:
        """Pixel coordinates (x, y), and their derivatives by lon_0 and lat_0, (2, 2) [1/deg]."""
        return place_on(grid, float(values[0]), float(values[1]), self.frame)

    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        return self.integrate_gradient(grid, values, energy)[0]

    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        images = self.pixels(grid, values).images(grid)
        return images[0], images[1:]
