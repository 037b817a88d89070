"""Spatial models: shapes on the sky, their pixel integrals, and the derivatives of both by every parameter.

A shape is a density [sr-1] on the sphere, evaluated at unit vectors in the frame of the model. ``values`` are the
parameters in internal units (angles in deg), in the order of ``parameters``. Defaults, limits and conventions as in
Gammapy 2.1, ``gammapy.modeling.models.spatial``.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import reduce
from math import ceil, isfinite
from typing import ClassVar

import numpy as np

from gm.arrays import Array
from gm.errors import suggest
from gm.maps.map import Map
from gm.maps.pixel_grid import PixelGrid, Window
from gm.maps.rotation import FRAMES
from gm.maps.sphere import unit_vectors
from gm.models.errors import ModelError
from gm.models.parametric import Default, ParametricModel
from gm.models.spatial.exact_integration import integrate_exactly, integrate_exactly_with_gradient
from gm.models.spatial.offsets import Offsets
from gm.models.spatial.point_pixels import PointPixels, place_on
from gm.models.spatial.rings import Rings

LON = Default(0.0, "deg")
LAT = Default(0.0, "deg", min=-90.0, max=90.0)
ECCENTRICITY = Default(0.0, min=0.0, max=1.0, frozen=True)
PHI = Default(0.0, "deg", min=-180.0, max=180.0, frozen=True)
NATURAL = {  # limits of a fit where a parameter has none: sizes in deg, and shares
    **dict.fromkeys(("sigma", "r_0", "radius", "width"), (0.0, 90.0)),
    **dict.fromkeys(("e", "edge_width"), (0.0, 1.0)),
    "eta": (0.01, 1.0),
    "lat_0": (-90.0, 90.0),
}

LONGEST = 0.999  # eccentricity that a fit tells from a line: 22 times as long as wide

MAX_OVERSAMPLING = 200
POINTLIKE = 0.01  # pixels: smaller shapes are taken for as large, which moves no prediction by a millionth
LEAST = 1e-10  # [deg] of anything that has a size


class SpatialModel(ParametricModel):
    """Shape of a component on the sky; ``frame`` (``icrs``, ``galactic``, ``fk5``) is that of lon_0, lat_0 and phi.

    has_density : True for shapes that are no points
    may_be_flux : True for shapes whose values may be a flux by themselves, as `is_flux` tells
    """

    section = "spatial"
    setting_names: ClassVar[tuple[str, ...]] = ("frame",)
    has_frame: ClassVar[bool] = True
    has_density: ClassVar[bool] = False
    may_be_flux: ClassVar[bool] = False
    natural = NATURAL

    def __init__(self, *, frame: str = "icrs", **settings: object) -> None:
        if frame not in FRAMES:
            raise ModelError(f"{frame!r} is not a frame", suggest(frame, FRAMES, "frames"))
        extra = {name: settings[name] for name in self.setting_names if name in settings}
        self.settings = ({"frame": frame} if self.has_frame else {}) | extra
        super().__init__(**{name: value for name, value in settings.items() if name not in self.setting_names})

    @property
    def frame(self) -> str:
        """Frame of the position; ``icrs`` for shapes that have none."""
        return str(self.settings.get("frame", "icrs"))

    @property
    def is_energy_dependent(self) -> bool:
        """Whether the shape changes with true energy: integrals then have an energy axis in front."""
        return False

    def values(self) -> Array:
        """The parameters' values in internal units, (n_par,)."""
        return np.array([p.value * f for p, f in zip(self.parameters, self.factors, strict=True)])

    def position(self, values: Array) -> tuple[float, float] | None:
        """Longitude and latitude [deg] in the model's frame; None for shapes that are everywhere. values : (n_par,)"""
        return float(values[0]), float(values[1])

    @property
    def is_flux(self) -> bool:
        """Whether its values are a flux by themselves. Raises `DataError` for a file that is no map."""
        return False

    def total(self, values: Array, energy: Array) -> Array:
        """The integral over the sky at energies [TeV], (n_energy,)."""
        return np.ones_like(energy)

    def unwritten_maps(self) -> dict[str, Map]:
        """Maps that are in no file yet, by the name of the file that they will be in."""
        return {}

    @abstractmethod
    def evaluation_radius(self, values: Array) -> float | None:
        """Radius [deg] beyond which nothing is evaluated, None for no bound. values : (n_par,)"""

    def at_pixels(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """Density at pixel centres, (ny, nx) or (n_energy, ny, nx). Raises `ModelError` for a point."""
        raise ModelError(f"{type(self).__name__} has no density, which a factor of the position needs")

    def at_pixels_with_gradient(
        self, grid: PixelGrid, values: Array, energy: Array | None = None
    ) -> tuple[Array, Array]:
        """`at_pixels`, and its derivatives (n_par, ...)."""
        return self.at_pixels(grid, values, energy), np.zeros(0)

    @abstractmethod
    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """Share of the flux in each pixel, (ny, nx); (n_energy, ny, nx) at true ``energy`` where that matters."""

    @abstractmethod
    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        """`integrate`, and its derivatives by every parameter, (n_par, ...)."""


class ExtendedModel(SpatialModel):
    """A shape with a density [sr-1]."""

    has_density = True

    @abstractmethod
    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        """Density [sr-1] at unit vectors (3, ...) of the model's frame, (...); (n_energy, ...) if energy matters."""

    @abstractmethod
    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        """Density, and its derivatives (n_par, ...)."""

    def bin_min(self, values: Array) -> float | None:
        """Size [deg] of the pixels that resolve the shape, None where that is no question. values : (n_par,)"""
        return None

    def at(self, lon: Array, lat: Array, energy: Array | None = None) -> Array:
        """Density [sr-1] at the parameters' own values; positions [deg] in the model's frame, of any shape."""
        return self.evaluate(unit_vectors(lon, lat), self.values(), energy)

    def at_pixels(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """Density at pixel centres, (ny, nx) or (n_energy, ny, nx)."""
        return self.evaluate(grid.vectors(self.frame, grid.everything), values, energy)[..., 0, :, :]

    def at_pixels_with_gradient(
        self, grid: PixelGrid, values: Array, energy: Array | None = None
    ) -> tuple[Array, Array]:
        """`at_pixels`, and its derivatives (n_par, ...)."""
        vectors = grid.vectors(self.frame, grid.everything)
        density, gradient = self.evaluate_with_gradient(vectors, values, energy)
        return density[..., 0, :, :], gradient[..., 0, :, :]

    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        parts = self.window(grid, values).divided()
        each = (grid.integrate(self.evaluate(grid.vectors(self.frame, p), values, energy), p) for p in parts)
        return np.asarray(reduce(np.add, each))

    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        window = self.window(grid, values)
        density, gradient = self.evaluate_with_gradient(grid.vectors(self.frame, window), values, energy)
        return grid.integrate(density, window), grid.integrate(gradient, window)

    def window(self, grid: PixelGrid, values: Array) -> Window:
        """Where, and on how many sub-pixels, the shape is evaluated.

        ``k = ceil(pixel / bin_min)`` up to 200; with k = 1, or a shape outside the map, all pixel centres.
        values : (n_par,)
        """
        bin_min, radius, place = self.bin_min(values), self.evaluation_radius(values), self.position(values)
        if bin_min is None or radius is None or place is None or not isfinite(bin_min):
            return grid.everything
        k = grid.factor or oversampling(grid.scale, bin_min)
        if k == 1:
            return grid.everything
        return grid.window(*place, self.frame, 2 * max(radius, grid.scale), k) or grid.everything


def oversampling(pixel: float, bin_min: float) -> int:
    """Into how many parts the sides of pixels are cut."""
    return min(ceil(pixel / bin_min), MAX_OVERSAMPLING) if bin_min * MAX_OVERSAMPLING > pixel else MAX_OVERSAMPLING


class RadialModel(ExtendedModel):
    """A density around lon_0, lat_0: a function of separation and, when elongated, of position angle.

    ``shape`` are the parameters behind lon_0, lat_0.
    """

    @abstractmethod
    def surface(self, at: Offsets, shape: Array) -> Array:
        """Density [sr-1], in the shape of ``at``. shape : (n_shape,)"""

    @abstractmethod
    def surface_gradient(self, at: Offsets, shape: Array) -> tuple[Array, Array, Array | None, list[Array]]:
        """Density, and its derivatives by the versine, by the position angle (None: round), by every shape value.

        shape : (n_shape,); all have the shape of ``at``
        """

    @abstractmethod
    def rings(self, shape: Array) -> Rings:
        """The ellipses of the shape, (n_shape,), and the radii [deg] where its density has an edge."""

    def sized(self, values: Array, least: float = LEAST) -> Array:
        """Values (n_par,) that are a shape: at least ``least`` [deg] in size."""
        return np.concatenate([values[:2], [least], values[3:]]) if values[2] < least else values

    def resolution(self, values: Array) -> float | None:
        """Size [deg] of sub-pixels on which sums do not feel where the shape is; None: only integrals are so smooth.

        values : (n_par,)
        """
        return None

    @abstractmethod
    def told_apart(self, pixel: float, least: float, most: float) -> dict[str, tuple[float, float]]:
        """Between which values of its parameters, by name, a shape differs on maps.

        Of a ``pixel`` [deg]; ``least`` and ``most`` [deg] are the widths of a Gaussian that it tells from others.
        """

    def edges(self, vectors: Array, values: Array) -> tuple[Array, float, bool] | None:
        """Distances [deg], (n,), of directions to the nearest edge, how finely [deg] it has to be resolved, and whether
        derivatives are unbounded there; None for a shape without edges. vectors : (n, 3); values : (n_par,)"""
        return None

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        return self.surface(Offsets(vectors, values[0], values[1]), self.sized(values)[2:])

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        density, rows = self._rows(vectors, values)
        return density, np.stack([np.broadcast_to(row, density.shape) for row in rows])

    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        if grid.is_exact:
            return integrate_exactly(self, grid, self.sized(values, POINTLIKE * grid.scale))
        if self._is_between(grid, values):
            return self._as_point(grid, values)[0]
        return super().integrate(grid, values)

    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        if grid.is_exact:
            return integrate_exactly_with_gradient(self, grid, self.sized(values, POINTLIKE * grid.scale))
        if self._is_between(grid, values):
            return self._as_point(grid, values)
        image, gradient = np.zeros(grid.shape), np.zeros((len(values), *grid.shape))
        for part in self.window(grid, values).divided():
            density, rows = self._rows(grid.vectors(self.frame, part), values)
            image[part.slices] = grid.average(density, part, single=grid.is_rounded(part))
            for by_value, row in zip(gradient, rows, strict=True):
                if row.ndim:
                    by_value[part.slices] = grid.average(row, part)
        return image, gradient

    def _is_between(self, grid: PixelGrid, values: Array) -> bool:
        """Whether the shape falls between the finest sub-pixels that there are."""
        values = self.sized(values)
        bin_min, radius = self.bin_min(values), self.evaluation_radius(values)
        return bin_min is not None and radius is not None and max(bin_min * MAX_OVERSAMPLING, 10 * radius) < grid.scale

    def _as_point(self, grid: PixelGrid, values: Array) -> tuple[Array, Array]:
        """`integrate_gradient` of the point that the shape is."""
        images = PointPixels.at(grid, place_on(grid, float(values[0]), float(values[1]), self.frame)).images(grid)
        gradient = np.zeros((len(values), *grid.shape))
        gradient[:2] = images[1:]
        return images[0], gradient

    def _rows(self, vectors: Array, values: Array) -> tuple[Array, list[Array]]:
        """Density, and its derivatives one by one; a number is one that is 0 everywhere."""
        at = Offsets(vectors, values[0], values[1])
        density, d_versine, d_angle, d_shape = self.surface_gradient(at, self.sized(values)[2:])
        return density, [*at.by_position(d_versine, d_angle), *d_shape]
