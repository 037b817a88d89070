"""Sky components on a map: what a unit flux in each true-energy bin gives in the bins with counts, and in total."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.likelihood.lattice import Lattice
from gm.likelihood.maps.folding.folding import Folding
from gm.likelihood.maps.folding.image_adjoints import ImageAdjoint
from gm.likelihood.maps.folding.window import Response
from gm.likelihood.maps.sources.losses import KernelLoss
from gm.likelihood.maps.sources.shared_image import Image, Recent, SharedImage
from gm.likelihood.products import inner, times

ByShape = tuple[Array, Sequence[ImageAdjoint]]  # derivatives, without those that are summed over all datasets
_ALIKE = 0.2  # of the flux: what differs between shapes that are much the same
_FINE, _ROUGH = 1e-7, 1e-5  # precision of folded first and second derivatives of an image


class Reach(Protocol):
    """How far a shape may go before its responses are too far away."""

    def covers(self, values: Array) -> bool:
        """Whether the responses still hold for a shape."""

    def is_current(self, values: Array) -> bool:
        """Whether they are just those that would be taken for it."""


class MapSource(ABC):
    """One sky component on one map dataset.

    name : of the component; reach : where its responses hold, of a free shape; loss : by its PSF kernels;
    moves : (n_shape,) which values of the shape a fit changes, by default all; has_integrals : whether its shape is
    integrated over pixels for a fit where the conventions have sums;
    columns : where its fluxes are in the flux vector; shape_columns : where the values of its shape are, empty when its
    shape is fixed. The last responses are kept, since a fit changes spectra more often than shapes.
    """

    name: str
    reach: Reach
    loss: KernelLoss | None = None
    moves: BoolArray | None = None
    has_integrals = False

    def __init__(self, columns: slice, shape_columns: slice) -> None:
        self.columns, self.shape_columns = columns, shape_columns
        self._responses: Recent[Response] = Recent()
        self._slopes: Recent[Sequence[Response | None]] = Recent(1)

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

    def forget(self) -> None:
        """What belongs to a shape that may change goes, and what it is folded with: they are made again when they are
        asked for."""
        if self.n_shape:
            self._responses.clear()
        self._slopes.clear()

    def forget_others(self, flux: Array, *, alike: bool) -> None:
        """Derivatives go that `slopes`, or with ``alike`` `slopes_about`, would not give, and what else is large."""
        if flux[self.shape_columns] not in self._slopes:
            self._slopes.clear()

    def slopes_about(self, flux: Array) -> Sequence[Response | None]:
        """`slopes`, or known ones of a shape that is much the same: good enough for an approximate curvature."""
        return self.slopes(flux)

    def shape_pullback(self, flux: Array, weights: Array, slope: float) -> ByShape:
        """(n_shape,) derivative of ``weights . predicted + slope * sum of all predicted`` with respect to the shape."""
        pulled, spectrum = np.zeros(self.n_shape), flux[self.columns]
        for k, d in enumerate(self.slopes(flux)):
            if d is not None:
                pulled[k] = inner(weights[d.rows], times(d.matrix, spectrum)) + slope * inner(d.total, spectrum)
        return pulled, ()

    @property
    def is_heavy(self) -> bool:
        """Whether transforms are needed when the shape changes."""
        return False

    def shape_curvature(self, flux: Array, weights: Array, slope: float, steps: Array) -> ByShape:
        """(n_shape, n_shape) derivatives of `shape_pullback` with fixed weights, by differences over ``steps``."""
        curvature = np.zeros((self.n_shape, self.n_shape))
        for k in np.flatnonzero(steps > 0):
            low, high = flux.copy(), flux.copy()
            column = self.shape_columns.start + k
            low[column], high[column] = flux[column] - steps[k], flux[column] + steps[k]
            rise = self.shape_pullback(high, weights, slope)[0] - self.shape_pullback(low, weights, slope)[0]
            curvature[k] = rise / (2 * steps[k])
        return 0.5 * (curvature + curvature.T), ()

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

    def counts_once(self, flux: Array) -> tuple[slice, slice, Array]:
        """`counts`, where they are needed once."""
        return self.counts(flux)

    def add_counts(self, flux: Array, y: slice, x: slice, counts: Array) -> None:
        """Add what it predicts in some rows and columns to the counts there, (n_energy, ...)."""
        add_overlap(self.counts(flux), y, x, counts)


@final
class ImageSource(MapSource):
    """A component with an image: extended shapes, templates, and the flat sky."""

    def __init__(self, columns: slice, shape_columns: slice, image: Image | SharedImage, folding: Folding) -> None:
        super().__init__(columns, shape_columns)
        self._image = image if isinstance(image, SharedImage) else SharedImage(image, 0)
        self._folding = folding
        self._asked: bytes | None = None
        self._known: tuple[Array, Sequence[Response | None]] | None = None

    def shape_pullback(self, flux: Array, weights: Array, slope: float) -> ByShape:
        """The adjoint costs one evaluation; a second gradient at the same shape is worth the response's derivatives."""
        values = flux[self.shape_columns]
        if self._asked == values.tobytes() or values in self._slopes:
            return super().shape_pullback(flux, weights, slope)
        self._asked = values.tobytes()
        changes, d_image = self._image.changes(values, self.moves)
        pulled, shared = np.zeros(self.n_shape), None
        if changes.size:
            pulled[changes], shared = self._along(d_image, changes, flux, weights, slope, _FINE)
        return pulled, [] if shared is None else [shared]

    @property
    def is_heavy(self) -> bool:
        return self.n_shape > 0 and self._folding.member is None

    def shape_curvature(self, flux: Array, weights: Array, slope: float, steps: Array) -> ByShape:
        """The bins' slopes are brought back to the image once, where its second derivatives are."""
        values, chosen = flux[self.shape_columns], np.flatnonzero(steps > 0)
        curvature, shared = np.zeros((self.n_shape, self.n_shape)), None
        if chosen.size:
            pairs = chosen[np.array(np.triu_indices(chosen.size))]
            along, shared = self._along(self._image.bends(values, steps), pairs.T, flux, weights, slope, _ROUGH)
            curvature[*pairs] = curvature[*pairs[::-1]] = along
        return curvature, [] if shared is None else [shared]

    def _along(
        self, images: Array, values: IntArray, flux: Array, weights: Array, slope: float, precision: float
    ) -> tuple[Array, ImageAdjoint | None]:
        """Derivatives along images (m, ...), which belong to some values of the shape; 0 where all datasets that see
        them are summed first."""
        folding, spectrum = self._folding, flux[self.columns]
        if folding.member is None or images.ndim == 4:
            return folding.along(images, spectrum, weights, slope, precision), None
        part, columns = folding.adjoint_part(spectrum, weights, slope), self.shape_columns.start + values
        return np.zeros(len(images)), ImageAdjoint(folding.member.shared, images, columns, precision, part)

    def slopes_about(self, flux: Array) -> Sequence[Response | None]:
        values = flux[self.shape_columns]
        if values not in self._slopes and self._known is not None and self._is_alike(values, self._known[0]):
            return self._known[1]
        slopes = self.slopes(flux)
        self._known = values.copy(), slopes
        return slopes

    def _is_alike(self, values: Array, others: Array) -> bool:
        """Whether it is much the same shape with both."""
        now, then = self._image.pixels(values), self._image.pixels(others)
        return bool(np.abs(now - then).sum() < _ALIKE * np.abs(then).sum())

    def forget_others(self, flux: Array, *, alike: bool) -> None:
        values = flux[self.shape_columns]
        if values in self._slopes or (alike and self._known is not None and self._is_alike(values, self._known[0])):
            return
        self._slopes.clear()
        self._responses.clear(but=values)
        self._known = None
        if self._folding.member is not None:
            self._folding.member.shared.forget(with_plan=False)

    def forget(self) -> None:
        super().forget()
        self._known = None
        self._image.forget_slopes()
        if self._folding.member is not None:
            self._folding.member.shared.forget()

    def cut(self, kept: IntArray, first: int, last: int) -> ImageSource:
        folding = self._folding.cut(self._folding.window.cut(kept, first, last))
        return ImageSource(self.columns, self.shape_columns, self._image, folding)

    def _respond(self, values: Array) -> Response:
        images = self._image.alone(values)
        response = self._folding.respond_each(images)[0]
        return replace(response, is_negative=self._image.is_negative(images))

    def _respond_slopes(self, values: Array) -> Sequence[Response | None]:
        changes, d_image = self._image.changes(values, self.moves)
        slopes: list[Response | None] = [None] * self.n_shape
        if changes.size:
            for k, slope in zip(changes, self._folding.respond_each(d_image, _FINE), strict=True):
                slopes[k] = slope
        return slopes

    def in_full(self, flux: Array) -> tuple[Response, Array]:
        pixels = self._image.pixels(flux[self.shape_columns])
        response, totals = self._folding.respond_in_full(pixels)
        return replace(response, is_negative=self._image.is_negative(pixels)), totals

    def totals(self, flux: Array) -> Array:
        return self._folding.totals(self._image.pixels(flux[self.shape_columns]))

    def counts(self, flux: Array) -> tuple[slice, slice, Array]:
        window = self._folding.window
        image = self._image.pixels(flux[self.shape_columns])
        return window.y, window.x, self._folding.counts(image, flux[self.columns])


def add_overlap(part: tuple[slice, slice, Array], y: slice, x: slice, counts: Array) -> None:
    """Add counts of a window, (n_energy, ny, nx), to those of other rows and columns as far as these are the same."""
    its_y, its_x, its_counts = part
    (rows, its_rows), (columns, its_columns) = _overlap(its_y, y), _overlap(its_x, x)
    counts[:, rows, columns] += its_counts[:, its_rows, its_columns]


def _overlap(its: slice, other: slice) -> tuple[slice, slice]:
    """What two ranges have in common, counted from the start of the other one and of its own."""
    start = max(its.start, other.start)
    stop = max(min(its.stop, other.stop), start)
    return slice(start - other.start, stop - other.start), slice(start - its.start, stop - its.start)
