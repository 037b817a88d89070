"""Sky components on a map: what a unit flux in each true-energy bin gives in the bins with counts, and in total."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Generic, Protocol, TypeVar, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.likelihood.folding import Folding, MapWindow, Response
from gm.likelihood.losses import KernelLoss
from gm.likelihood.products import inner, times

T = TypeVar("T")
_RECENT = 3
_ALIKE = 0.2  # of the flux: what differs between shapes that are much the same
_KEPT_CORNERS = 9  # pixels around a point: it may go to a neighbour and back


class Image(Protocol):
    """A shape on the sky as flux fractions per pixel of a window."""

    def pixels(self, values: Array) -> Array:
        """(ny, nx), or (n_energy_true, ny, nx) where the shape changes with energy."""

    def pixels_gradient(self, values: Array) -> Array:
        """(n_shape, ...) as `pixels`."""


class Bilinear(Protocol):
    """A point on the sky as weights of the four pixels around it."""

    def place(self, values: Array) -> tuple[Array, Array]:
        """Pixel coordinates (x, y) in the map, and their derivatives by the shape's values (2, n_shape)."""

    def weights(self, values: Array) -> tuple[IntArray, IntArray, Array, Array]:
        """``x`` (4,), ``y`` (4,) in the map, ``weight`` (4,), and its derivatives (n_shape, 4)."""


@dataclass(frozen=True)
class Lattice:
    """A position on a grid of pixels: the first of its two columns, and what `Bilinear.place` tells of its values."""

    column: int
    place: Callable[[Array], tuple[Array, Array]]


class Reach(Protocol):
    """How far a shape may go before its responses are too far away."""

    def covers(self, values: Array) -> bool:
        """Whether the responses still hold for a shape."""


class Recent(Generic[T]):
    """Results for the last few shapes. The one asked for most stays: differences around it come and go."""

    def __init__(self) -> None:
        self._kept: dict[bytes, tuple[int, T]] = {}

    def get(self, values: Array, make: Callable[[Array], T]) -> T:
        key = values.tobytes()
        asked, result = self._kept.get(key, (0, None))
        if result is None:
            if len(self._kept) >= _RECENT:
                del self._kept[min(self._kept, key=lambda old: self._kept[old][0])]
            result = make(values)
        self._kept[key] = asked + 1, result
        return result

    def __contains__(self, values: Array) -> bool:
        return values.tobytes() in self._kept


class MapSource(ABC):
    """One sky component on one map dataset.

    name : of the component; reach : where its responses hold, of a free shape; loss : by its PSF kernels;
    moves : (n_shape,) which values of the shape a fit changes, by default all;
    columns : where its fluxes are in the flux vector; shape_columns : where the values of its shape are, empty when its
    shape is fixed. The last responses are kept, since a fit changes spectra more often than shapes.
    """

    name: str
    reach: Reach
    loss: KernelLoss | None = None
    moves: BoolArray | None = None

    def __init__(self, columns: slice, shape_columns: slice) -> None:
        self.columns, self.shape_columns = columns, shape_columns
        self._responses: Recent[Response] = Recent()
        self._slopes: Recent[Sequence[Response | None]] = Recent()

    def lattice(self) -> Lattice | None:
        """The grid on which a free position has kinks, if it has."""
        return None

    @property
    def n_shape(self) -> int:
        return int(self.shape_columns.stop - self.shape_columns.start)

    def response(self, flux: Array) -> Response:
        """The response at the shape that the flux vector holds."""
        return self._responses.get(flux[self.shape_columns], self._respond)

    def slopes(self, flux: Array) -> Sequence[Response | None]:
        """Derivatives of the response with respect to each value of the shape; None where there is none."""
        return self._slopes.get(flux[self.shape_columns], self._respond_slopes)

    def slopes_about(self, flux: Array) -> Sequence[Response | None]:
        """`slopes`, or known ones of a shape that is much the same: good enough for an approximate curvature."""
        return self.slopes(flux)

    def shape_pullback(self, flux: Array, weights: Array, slope: float) -> Array:
        """(n_shape,) derivative of ``weights . predicted + slope * sum of all predicted`` with respect to the shape."""
        pulled, spectrum = np.zeros(self.n_shape), flux[self.columns]
        for k, d in enumerate(self.slopes(flux)):
            if d is not None:
                pulled[k] = inner(weights[d.rows], times(d.matrix, spectrum)) + slope * inner(d.total, spectrum)
        return pulled

    @property
    def is_heavy(self) -> bool:
        """Whether transforms are needed when the shape changes."""
        return False

    def shape_curvature(self, flux: Array, weights: Array, slope: float, steps: Array) -> Array:
        """(n_shape, n_shape) derivatives of `shape_pullback` with fixed weights, by differences over ``steps``."""
        curvature = np.zeros((self.n_shape, self.n_shape))
        for k in np.flatnonzero(steps > 0):
            low, high = flux.copy(), flux.copy()
            column = self.shape_columns.start + k
            low[column], high[column] = flux[column] - steps[k], flux[column] + steps[k]
            rise = self.shape_pullback(high, weights, slope) - self.shape_pullback(low, weights, slope)
            curvature[k] = rise / (2 * steps[k])
        return 0.5 * (curvature + curvature.T)

    @abstractmethod
    def _respond(self, values: Array) -> Response: ...

    @abstractmethod
    def _respond_slopes(self, values: Array) -> Sequence[Response | None]: ...

    @abstractmethod
    def cut(self, kept: IntArray, first: int, last: int) -> MapSource:
        """The source in energy bins ``first:last``; ``kept`` (sorted) are the bins with counts that remain."""

    @abstractmethod
    def totals(self, flux: Array) -> Array:
        """Counts per unit flux, summed over the bins that enter, by reconstructed energy: (n_energy, n_energy_true)."""

    def in_full(self, flux: Array) -> tuple[Response, Array]:
        """`response` and `totals` of a shape that is needed once."""
        return self.response(flux), self.totals(flux)

    @abstractmethod
    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        """Predicted counts in every bin: the window's ``y`` and ``x``, and (n_energy, ny, nx)."""


@final
class ImageSource(MapSource):
    """A component with an image: extended shapes, templates, and the flat sky."""

    def __init__(self, columns: slice, shape_columns: slice, image: Image, folding: Folding) -> None:
        super().__init__(columns, shape_columns)
        self._image, self._folding = image, folding
        self._asked: bytes | None = None
        self._known: tuple[Array, Sequence[Response | None]] | None = None

    def shape_pullback(self, flux: Array, weights: Array, slope: float) -> Array:
        """The adjoint costs one evaluation; a second gradient at the same shape is worth the response's derivatives."""
        values = flux[self.shape_columns]
        if self._asked == values.tobytes() or values in self._slopes:
            return super().shape_pullback(flux, weights, slope)
        self._asked = values.tobytes()
        changes, d_image = self._changes(values)
        pulled = np.zeros(self.n_shape)
        if changes.size:
            pulled[changes] = self._folding.along(d_image, flux[self.columns], weights, slope)
        return pulled

    @property
    def is_heavy(self) -> bool:
        return self.n_shape > 0

    def shape_curvature(self, flux: Array, weights: Array, slope: float, steps: Array) -> Array:
        """The bins' slopes are brought back to the image once, where its second derivatives are."""
        values, chosen = flux[self.shape_columns], np.flatnonzero(steps > 0)
        curvature = np.zeros((self.n_shape, self.n_shape))
        bends = []
        for k, step in zip(chosen, np.diag(steps)[chosen], strict=True):
            rise = self._image.pixels_gradient(values + step) - self._image.pixels_gradient(values - step)
            bends.append(rise[chosen] / (2 * steps[k]))
        if bends:
            along = self._folding.along(np.concatenate(bends), flux[self.columns], weights, slope)
            curvature[np.ix_(chosen, chosen)] = along.reshape(chosen.size, chosen.size)
        return 0.5 * (curvature + curvature.T)

    def slopes_about(self, flux: Array) -> Sequence[Response | None]:
        values = flux[self.shape_columns]
        if values not in self._slopes and self._known is not None:
            now, then = self._image.pixels(values), self._image.pixels(self._known[0])
            if np.abs(now - then).sum() < _ALIKE * np.abs(then).sum():
                return self._known[1]
        self._known = values.copy(), self.slopes(flux)
        return self._known[1]

    def _changes(self, values: Array) -> tuple[IntArray, Array]:
        """Which values of the shape change the image, and its derivatives with respect to them."""
        d_image = self._image.pixels_gradient(values)
        moves = np.ones(len(d_image), dtype=bool) if self.moves is None else self.moves
        changes = np.flatnonzero([moved and image.any() for moved, image in zip(moves, d_image, strict=True)])
        return changes, d_image[changes]

    def cut(self, kept: IntArray, first: int, last: int) -> ImageSource:
        folding = self._folding.cut(self._folding.window.cut(kept, first, last))
        return ImageSource(self.columns, self.shape_columns, self._image, folding)

    def _respond(self, values: Array) -> Response:
        image = self._image.pixels(values)
        return replace(self._folding.respond(image), is_negative=bool(image.min() < 0))

    def _respond_slopes(self, values: Array) -> Sequence[Response | None]:
        changes, d_image = self._changes(values)
        slopes: list[Response | None] = [None] * self.n_shape
        if changes.size:
            for k, slope in zip(changes, self._folding.respond_each(d_image), strict=True):
                slopes[k] = slope
        return slopes

    def in_full(self, flux: Array) -> tuple[Response, Array]:
        image = self._image.pixels(flux[self.shape_columns])
        response, totals = self._folding.respond_in_full(image)
        return replace(response, is_negative=bool(image.min() < 0)), totals

    def totals(self, flux: Array) -> Array:
        return self._folding.totals(self._image.pixels(flux[self.shape_columns]))

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        window = self._folding.window
        image = self._image.pixels(flux[self.shape_columns])
        return window.y, window.x, self._folding.counts(image, flux[self.columns])


@final
class PointSource(MapSource):
    """A point: four shifted kernels, read off at the bins with counts; no transform is needed.

    ``kernels`` : (n, size, size) for every true energy, or with ``reco_psf`` for every reconstructed one.
    """

    def __init__(
        self,
        columns: slice,
        shape_columns: slice,
        point: Bilinear,
        window: MapWindow,
        kernels: Array,
        *,
        reco_psf: bool,
    ) -> None:
        super().__init__(columns, shape_columns)
        self._point, self._window, self._kernels, self._reco_psf = point, window, kernels, reco_psf
        self._y, self._x = np.divmod(window.pixel, window.shape[1])
        self._corners: dict[tuple[int, int], tuple[Array, Array]] = {}
        self._around: tuple[bytes, list[Array], Array] | None = None

    def lattice(self) -> Lattice | None:
        return Lattice(self.shape_columns.start, self._point.place) if self.n_shape else None

    def cut(self, kept: IntArray, first: int, last: int) -> PointSource:
        window = self._window.cut(kept, first, last)
        where = self.columns, self.shape_columns
        return PointSource(*where, self._point, window, self._kernels, reco_psf=self._reco_psf)

    def _respond(self, values: Array) -> Response:
        x, y, weight, _ = self._point.weights(values)
        return self._combined(x, y, weight[None])[0]

    def _respond_slopes(self, values: Array) -> Sequence[Response | None]:
        x, y, _, slopes = self._point.weights(values)
        return self._combined(x, y, slopes)

    def totals(self, flux: Array) -> Array:
        x, y, weight, _ = self._point.weights(flux[self.shape_columns])
        window = self._window
        totals = np.zeros(window.edisp.T.shape)
        for w, ix, iy in zip(weight, x - window.x.start, y - window.y.start, strict=True):
            if not window.holds(ix, iy):
                continue
            kernel = self._shifted(int(ix), int(iy))
            if self._reco_psf:
                seen = np.einsum("kp,kp->k", window.mask, kernel)
                totals += w * window.exposure[:, iy * window.shape[1] + ix] * seen[:, None]
            else:
                totals += w * (window.mask @ (window.exposure * kernel).T)
        return np.asarray(window.edisp.T * totals)

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        x, y, weight, _ = self._point.weights(flux[self.shape_columns])
        window, spectrum = self._window, flux[self.columns]
        counts = np.zeros((window.edisp.shape[1], *window.shape))
        for w, ix, iy in zip(weight, x - window.x.start, y - window.y.start, strict=True):
            if not window.holds(ix, iy):
                continue
            kernel = self._shifted(int(ix), int(iy))
            if self._reco_psf:
                seen = window.edisp.T @ (spectrum * window.exposure[:, iy * window.shape[1] + ix])
                counts += w * (seen[:, None] * kernel).reshape(counts.shape)
            else:
                counts += w * (window.edisp.T @ (spectrum[:, None] * window.exposure * kernel)).reshape(counts.shape)
        return window.y, window.x, counts

    def _combined(self, x: IntArray, y: IntArray, weights: Array) -> list[Response]:
        """Responses of a point on each of the four pixels, added with several sets of weights (m, 4)."""
        key = x.tobytes() + y.tobytes()
        if self._around is None or self._around[0] != key:
            window = self._window
            corners = [
                self._corner(int(i) - window.x.start, int(j) - window.y.start) for i, j in zip(x, y, strict=True)
            ]
            self._around = key, [matrix for matrix, _ in corners], np.stack([total for _, total in corners])
        _, matrices, totals = self._around
        return [Response(self._window.rows, _weighted(shares, matrices).T, shares @ totals) for shares in weights]

    def _corner(self, ix: int, iy: int) -> tuple[Array, Array]:
        """A point on the pixel (ix, iy) of the window: rows (n_energy_true, n_rows) and totals (n_energy_true,)."""
        found = self._corners.pop((ix, iy), None)
        if found is None:
            found = self._respond_at(ix, iy)
            if len(self._corners) >= _KEPT_CORNERS:
                self._corners.pop(next(iter(self._corners)))
        self._corners[ix, iy] = found
        return found

    def _respond_at(self, ix: int, iy: int) -> tuple[Array, Array]:
        window, half = self._window, self._kernels.shape[-1] // 2
        n_true, _ = window.edisp.shape
        matrix = np.zeros((n_true, window.rows.size))
        if not window.holds(ix, iy):
            return matrix, np.zeros(n_true)
        dy, dx = self._y - (iy - half), self._x - (ix - half)
        reached = np.flatnonzero((dy >= 0) & (dy <= 2 * half) & (dx >= 0) & (dx <= 2 * half))
        dy, dx = dy[reached], dx[reached]
        inside, kernel = self._overlap(ix, iy)
        if self._reco_psf:
            energy, exposure = window.energy[reached], window.exposure[:, iy * window.shape[1] + ix].astype(np.float64)
            matrix[:, reached] = window.edisp[:, energy] * self._kernels[energy, dy, dx] * exposure[:, None]
            seen = np.einsum("kyx,kyx->k", window.mask.reshape(-1, *window.shape)[(slice(None), *inside)], kernel)
            return matrix, exposure * (window.edisp @ seen)
        matrix[:, reached] = self._per_row[:, reached] * self._kernels[:, dy, dx]
        return matrix, np.einsum("eyx,eyx->e", self._per_pixel[(slice(None), *inside)], kernel)

    @cached_property
    def _per_row(self) -> Array:
        """Counts in the bins with counts per flux that reaches them, (n_energy_true, n_rows)."""
        window = self._window
        return np.asarray(window.edisp[:, window.energy] * window.exposure[:, window.pixel])

    @cached_property
    def _per_pixel(self) -> Array:
        """Counts in all bins that enter, per flux that reaches a pixel, (n_energy_true, ny, nx)."""
        window = self._window
        return np.asarray(window.exposure * window.entering(window.edisp)).reshape(-1, *window.shape)

    def _overlap(self, ix: int, iy: int) -> tuple[tuple[slice, slice], Array]:
        """Rows and columns of the window that kernels around a pixel reach, and the kernels there."""
        (ny, nx), half = self._window.shape, self._kernels.shape[-1] // 2
        y, x = slice(max(iy - half, 0), min(iy + half + 1, ny)), slice(max(ix - half, 0), min(ix + half + 1, nx))
        kernels = self._kernels[:, y.start - iy + half : y.stop - iy + half, x.start - ix + half : x.stop - ix + half]
        return (y, x), kernels

    def _shifted(self, ix: int, iy: int) -> Array:
        """The kernels around a pixel of the window, (n, n_pixels)."""
        shifted = np.zeros((len(self._kernels), *self._window.shape))
        inside, kernels = self._overlap(ix, iy)
        shifted[(slice(None), *inside)] = kernels
        return shifted.reshape(len(shifted), -1)


def _weighted(weights: Array, arrays: list[Array]) -> Array:
    """The weighted sum of arrays of equal shape."""
    total, part = weights[0] * arrays[0], np.empty_like(arrays[0])
    for weight, array in zip(weights[1:], arrays[1:], strict=True):
        np.multiply(array, weight, out=part)
        total += part
    return np.asarray(total)


@final
class FixedSource(MapSource):
    """A component whose shape is fixed: its response is all that is kept.

    ``totals`` : (n_energy, n_energy_true); ``again`` makes the source that it came from, for the rare prediction of
    whole maps.
    """

    def __init__(self, columns: slice, response: Response, totals: Array, again: Callable[[], MapSource]) -> None:
        super().__init__(columns, slice(0, 0))
        self._response, self._totals, self._again = response, totals, cache(again)

    def response(self, flux: Array) -> Response:
        return self._response

    def slopes(self, flux: Array) -> Sequence[Response | None]:
        return []

    def totals(self, flux: Array) -> Array:
        return self._totals

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        return self._again().counts(flux)

    def cut(self, kept: IntArray, first: int, last: int) -> FixedSource:
        response = self._response
        totals = np.zeros_like(self._totals)
        totals[first:last] = self._totals[first:last]
        here = np.isin(response.rows, kept)
        rows = np.searchsorted(kept, response.rows[here])
        cut = replace(response, rows=rows, matrix=response.matrix[here], total=totals.sum(axis=0))
        return FixedSource(self.columns, cut, totals, self._again)

    def _respond(self, values: Array) -> Response:
        return self._response

    def _respond_slopes(self, values: Array) -> Sequence[Response | None]:
        return []
