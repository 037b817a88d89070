"""Share of a shape's flux inside a region of the sky, as Gammapy 2.1's ``integrate_geom`` has it for regions."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.maps.sky_region import SkyRegion
from gm.models.spatial.base import ExtendedModel, SpatialModel


def integrate_in_region(
    shape: SpatialModel,
    region: SkyRegion,
    values: Array,
    energy: Array | None = None,
    geometry: WcsGeometry | None = None,
) -> Array:
    """Sum over the pixels with their centre inside the region, (), or (n_energy,) at energies [TeV] where these matter.

    ``geometry``: pixels around the region, by default of 0.1 deg. Where a shape is evaluated on sub-pixels, those
    beyond the region do not count. A point is inside or not.
    """
    geometry = region.grid() if geometry is None else geometry
    if not isinstance(shape, ExtendedModel):
        place = shape.position(values)
        assert place is not None
        there = WcsGeometry.create(*place, 1e-6, shape=(1, 1), frame=shape.frame, projection="TAN")
        return np.asarray(region.contains(there)[0, 0], dtype=np.float64)
    grid = PixelGrid(geometry)
    window = shape.window(grid, values)
    density = shape.evaluate(grid.vectors(shape.frame, window), values, energy)
    if window.k > 1:
        k, (n_y, n_x) = window.k, geometry.shape
        inside = region.contains(geometry.upsample(k)).reshape(n_y, k, n_x, k).transpose(1, 3, 0, 2)
        density = density * inside.reshape(k * k, n_y, n_x)[(slice(None), *window.slices)]
    return np.asarray(grid.integrate(density, window)[..., region.contains(geometry)].sum(axis=-1))
