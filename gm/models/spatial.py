"""Spatial models: shapes on the sky, their pixel integrals, and the derivatives of both by every parameter.

A shape is a density [sr-1] on the sphere, evaluated at unit vectors in the frame of the model. ``values`` are the
parameters in internal units (angles in deg), in the order of ``parameters``. Defaults, limits and conventions as in
Gammapy 2.1, ``gammapy.modeling.models.spatial``.
"""

from __future__ import annotations

from abc import abstractmethod
from math import ceil
from typing import ClassVar

import numpy as np

from gm.arrays import Array
from gm.maps.pixel_grid import PixelGrid, Window
from gm.maps.sphere import unit_vectors
from gm.models.exact_integration import integrate_exactly, integrate_exactly_with_gradient
from gm.models.offsets import Offsets
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.rings import Rings

LON = Parameter("lon_0", 0.0, "deg")
LAT = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
ECCENTRICITY = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
PHI = Parameter("phi", 0.0, "deg", min=-180.0, max=180.0, frozen=True)

MAX_OVERSAMPLING = 200


class SpatialModel(ParametricModel):
    """Shape of a component on the sky; ``frame`` (``icrs`` or ``galactic``) is that of lon_0, lat_0 and phi."""

    section = "spatial"
    setting_names: ClassVar[tuple[str, ...]] = ("frame",)
    has_frame: ClassVar[bool] = True

    def __init__(self, *, frame: str = "icrs", **settings: object) -> None:
        super().__init__(**{name: value for name, value in settings.items() if name not in self.setting_names})
        extra = {name: settings[name] for name in self.setting_names if name in settings}
        self.settings = ({"frame": frame} if self.has_frame else {}) | extra

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
        """Longitude and latitude [deg] in the model's frame; None for shapes that are everywhere."""
        return float(values[0]), float(values[1])

    @abstractmethod
    def evaluation_radius(self, values: Array) -> float | None:
        """Radius [deg] beyond which nothing is evaluated, None for no bound."""

    @abstractmethod
    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """Share of the flux in each pixel, (ny, nx); (n_energy, ny, nx) at true ``energy`` where that matters."""

    @abstractmethod
    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        """`integrate`, and its derivatives by every parameter, (n_par, ...)."""


class ExtendedModel(SpatialModel):
    """A shape with a density [sr-1]."""

    @abstractmethod
    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        """Density [sr-1] at unit vectors (3, ...) of the model's frame, (...); (n_energy, ...) if energy matters."""

    @abstractmethod
    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        """Density, and its derivatives (n_par, ...)."""

    def bin_min(self, values: Array) -> float | None:
        """Size [deg] of the pixels that resolve the shape, None where that is no question."""
        return None

    def at(self, lon: Array, lat: Array, energy: Array | None = None) -> Array:
        """Density [sr-1] at the parameters' own values; positions [deg] in the model's frame."""
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
        window = self.window(grid, values)
        return grid.integrate(self.evaluate(grid.vectors(self.frame, window), values, energy), window)

    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        window = self.window(grid, values)
        density, gradient = self.evaluate_with_gradient(grid.vectors(self.frame, window), values, energy)
        return grid.integrate(density, window), grid.integrate(gradient, window)

    def window(self, grid: PixelGrid, values: Array) -> Window:
        """Where, and on how many sub-pixels, the shape is evaluated.

        ``k = ceil(pixel / bin_min)`` up to 200; with k = 1, or a shape outside the map, all pixel centres.
        """
        bin_min, radius, place = self.bin_min(values), self.evaluation_radius(values), self.position(values)
        if bin_min is None or radius is None or place is None:
            return grid.everything
        k = min(ceil(grid.scale / bin_min), MAX_OVERSAMPLING) if bin_min > 0 else MAX_OVERSAMPLING
        if k == 1:
            return grid.everything
        return grid.window(*place, self.frame, 2 * max(radius, grid.scale), k) or grid.everything


class RadialModel(ExtendedModel):
    """A density around lon_0, lat_0: a function of separation and, when elongated, of position angle.

    ``shape`` are the parameters behind lon_0, lat_0.
    """

    @abstractmethod
    def surface(self, at: Offsets, shape: Array) -> Array:
        """Density [sr-1]."""

    @abstractmethod
    def surface_gradient(self, at: Offsets, shape: Array) -> tuple[Array, Array, Array | None, list[Array]]:
        """Density, and its derivatives by the versine, by the position angle (None: round), by every shape value."""

    @abstractmethod
    def rings(self, shape: Array) -> Rings:
        """The ellipses of the shape, and the radii where its density has an edge."""

    def edges(self, vectors: Array, values: Array) -> tuple[Array, float, bool] | None:
        """Distances [deg] of directions to the nearest edge, how finely [deg] it has to be resolved, and whether
        derivatives are unbounded there; None for a shape without edges.
        """
        return None

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        return self.surface(Offsets(vectors, values[0], values[1]), values[2:])

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        density, rows = self._rows(vectors, values)
        return density, np.stack([np.broadcast_to(row, density.shape) for row in rows])

    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        return integrate_exactly(self, grid, values) if grid.is_exact else super().integrate(grid, values)

    def integrate_gradient(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        if grid.is_exact:
            return integrate_exactly_with_gradient(self, grid, values)
        window = self.window(grid, values)
        density, rows = self._rows(grid.vectors(self.frame, window), values)
        gradient = np.zeros((len(rows), *grid.shape))
        for k, row in enumerate(rows):
            if row.ndim:
                gradient[(k, *window.slices)] = grid.average(row, window)
        return grid.integrate(density, window), gradient

    def _rows(self, vectors: Array, values: Array) -> tuple[Array, list[Array]]:
        """Density, and its derivatives one by one; a number is one that is 0 everywhere."""
        at = Offsets(vectors, values[0], values[1])
        density, d_versine, d_angle, d_shape = self.surface_gradient(at, values[2:])
        return density, [*at.by_position(d_versine, d_angle), *d_shape]
