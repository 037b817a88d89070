"""Template maps: read on first use, normalised, and interpolated in pixels, with derivatives by position.

Gammapy 2.1's conventions. Values on a pixel grid are interpolated linearly in their logarithm, in pixel coordinates of
the sky and of the energy axis; half a pixel beyond the outermost centres the lines go on, further out there is nothing.
HEALPix values are interpolated linearly with the four pixels around a position, and between energies; beyond the
outermost energies, where a straight line would soon be below 0, they go on as on a pixel grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray
from gm.errors import DataError
from gm.maps.axes import Axis
from gm.maps.geometry import WcsGeometry
from gm.maps.healpix import HealpixGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.models.templates.axis_interpolation import ENERGY, collapse, parameter_axes
from gm.models.templates.between import Between
from gm.models.templates.files import read_template
from gm.units import UnitError, factor

Geometry: TypeAlias = WcsGeometry | HealpixGeometry

_UNITS = ("sr-1", "TeV-1 cm-2 s-1 sr-1", "TeV-1 sr-1", "")
_UNSEEN = -1.6375e30  # HEALPix: no value
_LARGEST = 700.0  # logarithm
_BRIGHT, _UNEVEN = 0.01, 1.1  # of the brightest pixel, and of the smallest
_STEP = 1e-5  # deg, for the derivatives of pixel coordinates by sky coordinates


class TemplateMap:
    """A map that a model takes its shape from. Raises `DataError`, when it is first used, for a file that is no map.

    normalize : whether every slice of the map is made to integrate to 1 over the sky
    may_vary : whether the map may have further axes than one of energy, which `collapsed` takes values of
    unwritten : the map, where it is not in the file yet; it gets there when the models are written
    """

    def __init__(
        self, filename: str, normalize: bool = False, unwritten: Map | None = None, *, may_vary: bool = False
    ) -> None:
        self.filename, self.normalize, self.unwritten, self.may_vary = filename, normalize, unwritten, may_vary

    @cached_property
    def _loaded(self) -> tuple[Geometry, tuple[Axis, ...], NDArray[Any], float, str, tuple[str, ...]]:
        """Geometry, axes (slowest first), values, the factor that turns them into an internal unit, and that unit;
        remarks on the values."""
        found = read_map(read_template(self.filename)) if self.unwritten is None else self.unwritten
        geometry: Any = found.geometry
        if not isinstance(geometry, (WcsGeometry, HealpixGeometry)):
            raise DataError(f"{self.filename}: a map of a region, expected one of the sky")
        self._check_axes(found.axes)
        data = found.data if found.data.dtype.kind == "f" else found.data.astype(np.float64)
        data, remarks = self._light(data, geometry)
        if not self.normalize:
            unit = self._internal_unit(found.unit)
            if not unit and factor(found.unit, "") == 1.0:
                remarks += (f"{self.filename}: a map without a unit, whose values are taken for sr-1",)
            return geometry, found.axes, data, factor(found.unit, unit), unit, remarks
        sky, (once, area) = tuple(range(len(found.axes), data.ndim)), _once(geometry)
        total = (data.astype(np.float64) * once).sum(axis=sky, keepdims=True)
        share = np.divide(data, total, out=np.zeros(data.shape), where=total != 0)
        return geometry, found.axes, share / area, 1.0, "sr-1", remarks + _uneven(self.filename, share, area)

    def _check_axes(self, axes: tuple[Axis, ...]) -> None:
        """Raise `DataError` for axes that nobody gives values of."""
        others = len(parameter_axes(axes))
        if len(axes) - others > 1 or (others and not self.may_vary):
            hint = "a TemplateNDSpatialModel has a parameter for each axis that is not energy"
            names = ", ".join(axis.name for axis in axes)
            raise DataError(f"{self.filename}: the axes {names}, expected none or one of energy\n    {hint}")

    def _light(self, data: NDArray[Any], geometry: Geometry) -> tuple[NDArray[Any], tuple[str, ...]]:
        """The values, with 0 for those that are no light; and what is wrong with those on the sky.

        Raises `DataError`.
        """
        if not (data > 0).any():
            raise DataError(f"{self.filename}: the map has no value above 0")
        if data.min() >= 0 and data.max() < np.inf:  # neither holds with a NaN anywhere
            return data, ()
        unknown = ~np.isfinite(data) | (np.abs(data / _UNSEEN - 1) < 1e-5)
        off = _off_sky(geometry)
        counts = {"no numbers": unknown if off is None else unknown & ~off, "negative": (data < 0) & ~unknown}
        remarks = tuple(
            f"{self.filename}: {where.sum()} of {data.size} values are {what}, and taken for 0"
            for what, where in counts.items()
            if where.any()
        )
        return np.where(unknown | (data < 0), data.dtype.type(0), data), remarks

    def _internal_unit(self, unit: str) -> str:
        for candidate in _UNITS:
            try:
                factor(unit, candidate)
            except UnitError:
                continue
            return candidate
        raise DataError(f"{self.filename}: a template in '{unit}'\n    expected sr-1 or cm-2 s-1 TeV-1 sr-1")

    @property
    def geometry(self) -> Geometry:
        return self._loaded[0]

    @property
    def axes(self) -> tuple[Axis, ...]:
        return self._loaded[1]

    @property
    def unit(self) -> str:
        """The unit of what `evaluate` gives."""
        return self._loaded[4]

    @property
    def remarks(self) -> tuple[str, ...]:
        """What of the values in the file is no light, and not used."""
        return self._loaded[5]

    @property
    def frame(self) -> str:
        return self.geometry.frame

    @property
    def energy_axis(self) -> Axis | None:
        """The axis of true energy, or None."""
        return next((axis for axis in self.axes if axis.name in ENERGY), None)

    def center(self) -> tuple[float, float]:
        """The middle of the map [deg]; (0, 0) for HEALPix."""
        return self.geometry.center() if isinstance(self.geometry, WcsGeometry) else (0.0, 0.0)

    def radius(self) -> float | None:
        """Half of the larger side of the map [deg]; None for HEALPix."""
        return max(self.geometry.width()) / 2 if isinstance(self.geometry, WcsGeometry) else None

    @cached_property
    def scaled(self) -> NDArray[Any]:
        """What is interpolated, (*axes, n_pixels): logarithms in the file's own precision, or HEALPix values."""
        geometry, axes, data, *_ = self._loaded
        flat = data.reshape(*data.shape[: len(axes)], -1)
        if isinstance(geometry, HealpixGeometry):
            return flat
        return np.asarray(np.log(np.maximum(flat, np.finfo(flat.dtype).tiny)))

    def evaluate(self, lon: Array, lat: Array, energy: Array | None, slices: NDArray[Any] | None = None) -> Array:
        """Values at positions [deg] in the map's frame, (...), or (n_energy, ...) where the map has energies.

        slices : (n_axis_energy, n_pixels) or (n_pixels,) to interpolate instead of the map's own
        """
        index, weight, inside = self._corners(lon, lat)
        return self._finish(self._interpolate(index, weight, energy, slices), inside, energy)

    def integrate(
        self, lon: Array, lat: Array, area: Array, energy: Array | None, slices: NDArray[Any] | None = None
    ) -> Array | None:
        """`evaluate` at all pairs of longitudes (n_x,) and latitudes (n_y,) times an area (n_y, n_x), quickly; None:
        the map has other rows and columns. What is no number counts 0."""
        geometry = self.geometry
        if isinstance(geometry, HealpixGeometry):
            return None
        along = geometry.projection.pixels_along(lon, lat)
        if along is None:
            return None
        columns, rows = (Between.of(at, n) for at, n in zip(along, geometry.shape[::-1], strict=True))
        factor = self._loaded[3] * geometry.holds(along[0], along[1][:, None]) * area
        slices = self.scaled if slices is None else slices

        def at(one: NDArray[Any]) -> Array:
            return columns.along(rows.along(one.reshape(geometry.shape), 0), 1)

        if self.energy_axis is None or energy is None:
            each, factors = iter([at(slices)]), np.ones(1)
        else:
            each, factors = self._each_energy(at, energy, slices), self.covers(energy).astype(np.float64)
        values = np.zeros((factors.size, *area.shape))
        for value, found, covered in zip(values, each, factors.tolist(), strict=True):
            if covered:
                np.exp(np.minimum(found, _LARGEST, out=found), out=value)
                value *= factor
        if not np.isfinite(values).all():
            values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
        return values if self.energy_axis is not None else values[0]

    def total(self, energy: Array, slices: NDArray[Any] | None = None) -> Array:
        """The integral over the map at energies [TeV], (n_energy,), in `unit` times sr; ``slices`` as in `evaluate`."""
        pixel = np.arange(self.scaled.shape[-1])[None]
        everywhere, area = np.ones(pixel.shape), np.nan_to_num(np.ravel(self.geometry.solid_angle()))

        def at(one: Array | None) -> float:
            return float(
                np.sum(self._finish(self._interpolate(pixel, everywhere, one, slices), everywhere[0], one) * area)
            )

        if self.energy_axis is None:
            return np.full(energy.size, at(None))
        return np.array([at(one) for one in energy.reshape(-1, 1)])

    def collapsed(self, values: Array) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        """What is interpolated at values of the axes that are not energy, (n_axis_energy, n_pixels) or (n_pixels,).

        And its derivatives by each of the values.
        """
        return collapse(self.scaled, self.axes, values)

    def slope(self, value: Array, lon: Array, lat: Array, energy: Array | None, slices: NDArray[Any]) -> Array:
        """The derivative of values that `evaluate` gives, at positions [deg] and energies [TeV], from that of what is
        interpolated; in the same shape."""
        index, weight, _ = self._corners(lon, lat)
        slope = self._interpolate(index, weight, energy, slices, is_light=False)
        if isinstance(self.geometry, WcsGeometry):  # of logarithms
            return np.asarray(value * slope)
        return np.asarray(np.where(value > 0, self._loaded[3] * slope, 0.0))

    def evaluate_with_slopes(self, lon: Array, lat: Array, energy: Array | None) -> tuple[Array, Array, Array]:
        """Values, and their derivatives by lon and lat [deg-1]; positions [deg] and energies [TeV] are broadcast."""
        value = self.evaluate(lon, lat, energy)
        if isinstance(self.geometry, HealpixGeometry):
            h = 1e-3 / self.geometry.nside
            lons, lats = (
                [self.evaluate(lon + a * h, np.clip(lat + b * h, -90, 90), energy) for a, b in pair]
                for pair in (((1, 0), (-1, 0)), ((0, 1), (0, -1)))
            )
            return value, (lons[0] - lons[1]) / (2 * h), (lats[0] - lats[1]) / (2 * h)
        index, weight, _ = self._corners(lon, lat)
        u, v = weight[1] + weight[3], weight[2] + weight[3]
        by_x = self._interpolate(index, np.stack([v - 1, 1 - v, -v, v]), energy, None)
        by_y = self._interpolate(index, np.stack([u - 1, -u, 1 - u, u]), energy, None)
        (x_lon, y_lon), (x_lat, y_lat) = self._jacobian(lon, lat)
        return value, value * (by_x * x_lon + by_y * y_lon), value * (by_x * x_lat + by_y * y_lat)

    def _jacobian(self, lon: Array, lat: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Derivatives of x and y by lon, and by lat."""
        geometry: Any = self.geometry
        up, down = np.minimum(lat + _STEP, 90.0), np.maximum(lat - _STEP, -90.0)
        east, west = geometry.pixel(lon + _STEP, lat), geometry.pixel(lon - _STEP, lat)
        north, south = geometry.pixel(lon, up), geometry.pixel(lon, down)
        by_lon = [np.nan_to_num(a - b) / (2 * _STEP) for a, b in zip(east, west, strict=True)]
        by_lat = [np.nan_to_num(a - b) / (up - down) for a, b in zip(north, south, strict=True)]
        return (by_lon[0], by_lon[1]), (by_lat[0], by_lat[1])

    def _corners(self, lon: Array, lat: Array) -> tuple[IntArray, Array, Array]:
        """Four pixels around each position, (4, ...), their weights, and 1 where the position is on the map."""
        geometry = self.geometry
        if isinstance(geometry, HealpixGeometry):
            index, weight = geometry.weights(lon, lat)
            return np.maximum(index, 0), np.where(index >= 0, weight, 0.0), np.ones(np.shape(lon))
        x, y = geometry.pixel(lon, lat)
        n_y, n_x = geometry.shape
        inside = geometry.holds(x, y)
        x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
        left = np.clip(np.floor(x), 0, max(n_x - 2, 0)).astype(np.intp)
        low = np.clip(np.floor(y), 0, max(n_y - 2, 0)).astype(np.intp)
        u, v = (x - left if n_x > 1 else np.zeros_like(x)), (y - low if n_y > 1 else np.zeros_like(y))
        first = low * n_x + left
        right, above = int(n_x > 1), n_x * int(n_y > 1)
        index = np.stack([first, first + right, first + above, first + above + right])
        weight = np.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
        index = index if self._on_sky is None else self._on_sky[index]
        return index, weight, inside.astype(np.float64)

    @cached_property
    def _on_sky(self) -> IntArray | None:
        """(n_pixels,): the number of the pixel itself, or for one off the sky of the nearest that is on it; None: all
        are."""
        off = _off_sky(self.geometry)
        if off is None:
            return None
        from scipy.ndimage import distance_transform_edt  # only for maps that show their rim

        rows, columns = distance_transform_edt(off, return_distances=False, return_indices=True)
        return np.asarray(rows * off.shape[1] + columns, dtype=np.intp).ravel()

    def _interpolate(
        self,
        index: IntArray,
        weight: Array,
        energy: Array | None,
        slices: NDArray[Any] | None,
        *,
        is_light: bool = True,
    ) -> Array:
        """Weighted sums of what is interpolated, (...), or (n_energy, ...); ``is_light``: it is not below 0."""
        slices = self.scaled if slices is None else slices
        if self.energy_axis is None:
            return _weighted(slices, index, weight)
        if energy is None:
            raise ValueError("a template with an energy axis needs energies")
        values = np.empty((energy.size, *index.shape[1:]))
        each = self._each_energy(lambda one: _weighted(one, index, weight), energy, slices, is_light=is_light)
        for value, found in zip(values, each, strict=True):
            value[:] = found
        return values

    def _each_energy(
        self, at: Callable[[NDArray[Any]], Array], energy: Array, slices: NDArray[Any], *, is_light: bool = True
    ) -> Iterator[Array]:
        """Energy after energy what is interpolated between slices, ``at`` the same positions of each."""
        node, share = self._energy_nodes(energy)
        known: dict[int, Array] = {}  # of the last nodes: neighbours share theirs
        for lower, part in zip(node.tolist(), share.tolist(), strict=True):
            ends = lower, min(lower + 1, len(slices) - 1)
            known = {k: known[k] if k in known else at(slices[k]) for k in ends}
            if is_light and isinstance(self.geometry, HealpixGeometry) and not 0.0 <= part <= 1.0:
                yield _power(known[ends[0]], known[ends[1]], part)
            else:
                found = known[ends[1]] * part
                found += known[ends[0]] * (1.0 - part)
                yield found

    def _energy_nodes(self, energy: Array) -> tuple[IntArray, Array]:
        axis = self.energy_axis
        assert axis is not None
        pixel = axis.pixel(energy)
        node = np.clip(np.floor(pixel), 0, max(axis.n_bins - 2, 0)).astype(np.intp)
        share = pixel - node if axis.n_bins > 1 else np.zeros_like(pixel)
        if isinstance(self.geometry, HealpixGeometry) and axis.n_bins > 1:
            linear = (energy - axis.center[node]) / (axis.center[node + 1] - axis.center[node])
            share = np.where((linear >= 0) & (linear <= 1), linear, share)
        return node, share

    def _finish(self, scaled: Array, inside: Array, energy: Array | None) -> Array:
        """Values from what was interpolated: not below 0, and 0 outside of the map and its energies."""
        scale = self._loaded[3]
        is_log = isinstance(self.geometry, WcsGeometry)
        value = np.minimum(scaled, _LARGEST) if is_log else np.maximum(scaled, 0.0)
        if is_log:
            np.exp(value, out=value)
        value *= inside * scale
        axis = self.energy_axis
        if axis is not None and energy is not None:
            value *= self.covers(energy).reshape(-1, *(1,) * (value.ndim - 1))
        return np.asarray(value)

    def covers(self, energy: Array) -> BoolArray:
        """Whether the map reaches energies [TeV], of any shape: up to half a pixel beyond the outermost centres."""
        axis = self.energy_axis
        if axis is None:
            return np.ones(np.shape(energy), dtype=np.bool_)
        pixel = axis.pixel(energy)
        return np.asarray((pixel >= -0.5) & (pixel < axis.n_bins - 0.5))


def _power(first: Array, second: Array, share: float) -> Array:
    """The power law through two values, beyond either of them; 0 where one of them is."""
    there = (first > 0) & (second > 0)
    ratio = np.divide(second, first, out=np.ones_like(first), where=there)
    return np.where(there, first * ratio**share, 0.0)


def _off_sky(geometry: Geometry) -> BoolArray | None:
    """(n_y, n_x): pixels whose centre is no place on the sky, around a map of all of it; None where there are none."""
    if isinstance(geometry, HealpixGeometry):
        return None
    n_y, n_x = geometry.shape
    corners = geometry.sky(np.array([0.0, n_x - 1.0, 0.0, n_x - 1.0]), np.array([0.0, 0.0, n_y - 1.0, n_y - 1.0]))
    return np.isnan(geometry.solid_angle()) if np.isnan(corners[1]).any() else None


def _once(geometry: Geometry) -> tuple[Array | float, Array | float]:
    """How much of each pixel counts in a sum over the sky, and its solid angle [sr]: of columns that a map has twice,
    as at l = 180 and -180 deg, one half each, though both hold all of their sky."""
    on_sky = geometry.columns_on_sky() if isinstance(geometry, WcsGeometry) else None
    if on_sky is None:
        return 1.0, geometry.solid_angle()
    area, middle = np.asarray(geometry.solid_angle()), len(on_sky) // 2
    return on_sky, np.broadcast_to(area[:, middle : middle + 1], area.shape)


def _uneven(filename: str, share: Array, area: Array | float) -> tuple[str, ...]:
    """What to say of pixels (n_y, n_x) of different size, whose values are normalised as parts of the whole."""
    bright = np.broadcast_to(area, share.shape)[share > _BRIGHT * share.max()]
    ratio = float(np.nanmax(bright) / np.nanmin(bright))
    if ratio < _UNEVEN:
        return ()
    said = f"{filename}: its pixels differ in size, by a factor of up to {ratio:.3g}"
    return (f"{said}: normalize takes values for parts of the whole in each pixel, not for brightnesses",)


def _weighted(slices: NDArray[Any], index: IntArray, weight: Array) -> Array:
    """``sum of weight * slices[index]`` over the first axis of both."""
    total = weight[0] * slices[index[0]]
    for i, w in zip(index[1:], weight[1:], strict=True):
        total += w * slices[i]
    return np.asarray(total)
