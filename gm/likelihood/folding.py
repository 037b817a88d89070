"""From images on the sky to counts: exposure, PSF and energy dispersion on a window of a map, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.likelihood.convolution import Convolver, LitImages, NoConvolution, PlainImages, spread_out
from gm.likelihood.products import times
from gm.likelihood.spectra import Part, Spectra


@dataclass(frozen=True, eq=False)
class MapWindow:
    """A rectangle of a map dataset, and which of the dataset's bins with counts lie in it.

    y, x : the rectangle in the map; exposure : (n_energy_true, n_pixels) [cm2 s]; edisp : (n_energy_true, n_energy);
    mask : (n_energy, n_pixels), bins that enter; rows : (n_rows,) positions among the dataset's bins with counts;
    energy, pixel : (n_rows,) energy bin and pixel of each, pixels counted within the rectangle.
    """

    y: slice
    x: slice
    exposure: MapArray
    edisp: Array
    mask: BoolArray
    rows: IntArray
    energy: IntArray
    pixel: IntArray

    def cut(self, kept: IntArray, first: int, last: int) -> MapWindow:
        """The window with energy bins ``first:last`` only; ``kept``: which of the dataset's bins with counts remain."""
        mask = np.zeros_like(self.mask)
        mask[first:last] = self.mask[first:last]
        here = np.isin(self.rows, kept)
        rows = np.searchsorted(kept, self.rows[here])
        return replace(self, mask=mask, rows=rows, energy=self.energy[here], pixel=self.pixel[here])

    @property
    def shape(self) -> tuple[int, int]:
        return self.y.stop - self.y.start, self.x.stop - self.x.start

    def entering(self, edisp: Array) -> Array:
        """``edisp @ mask``, (n, n_pixels): energies whose masks are equal are added first."""
        starts = np.flatnonzero(np.append(True, (self.mask[1:] != self.mask[:-1]).any(axis=1)))
        return np.asarray(np.einsum("eg,gp->ep", np.add.reduceat(edisp, starts, axis=1), self.mask[starts]))

    def holds(self, x: int, y: int) -> bool:
        """Whether a pixel, counted from the window's first, lies in it."""
        return 0 <= x < self.shape[1] and 0 <= y < self.shape[0]


@dataclass(frozen=True, eq=False)
class Response:
    """Predicted counts per unit flux: ``matrix`` (n_rows, n_energy_true) at ``rows``, ``total`` (n_energy_true,).

    is_negative : whether some of them, in any bin, may be less than 0
    """

    rows: IntArray
    matrix: Array
    total: Array
    is_negative: bool = False


class Folding(ABC):
    """From an image to counts per unit flux: exposure, PSF and energy dispersion on a window, and their adjoint.

    Images are given on the support: the rows and columns of the window that hold them.
    """

    window: MapWindow

    @abstractmethod
    def cut(self, window: MapWindow) -> Folding:
        """The same folding on a part of its bins."""

    @abstractmethod
    def respond(self, image: Array) -> Response: ...

    def respond_each(self, images: Array) -> list[Response]:
        """`respond` for several images, (m, ...)."""
        return [self.respond(image) for image in images]

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        """`respond` and `totals`, for an image that is needed once."""
        return self.respond(image), self.totals(image)

    def along(self, images: Array, spectrum: Array, weights: Array, slope: float) -> Array:
        """Derivatives of ``weights . predicted + slope * sum of all predicted`` along images (m, ...), (m,)."""
        by_pixel = self.pull_back(spectrum, weights, slope, by_energy=images.ndim == 4)
        return times(images.reshape(len(images), -1), by_pixel.reshape(-1))

    @abstractmethod
    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        """Derivative with respect to each pixel of the image: (ny, nx), or (n_energy_true, ny, nx) ``by_energy``."""

    @abstractmethod
    def totals(self, image: Array) -> Array:
        """Counts per unit flux over the bins that enter, (n_energy, n_energy_true)."""

    @abstractmethod
    def counts(self, image: Array, spectrum: Array) -> Array:
        """(n_energy, ny, nx)."""

    def _scattered(self, weights: Array, slope: float) -> Array:
        """Weights of all bins, (n_energy, n_pixels): ``slope`` in every bin that enters, and those of the rows."""
        window = self.window
        scattered = slope * window.mask.astype(np.float64)
        scattered[window.energy, window.pixel] += weights[window.rows]
        return scattered


@final
class TrueEnergyFolding(Folding):
    """PSF in true energy: ``counts[k] = sum_e edisp[e, k] flux[e] exposure[e] (kernel[e] * image)``.

    The order, PSF before exposure, is Gammapy's. True energies that no bin sees are not folded. ``kernels`` :
    (n_energy_true, n, n), or None; ``support`` : rows and columns that hold the image; ``spectra`` : of images that
    other datasets see too.
    """

    def __init__(
        self,
        window: MapWindow,
        kernels: NDArray[np.float32 | np.float64] | None,
        support: Part | None = None,
        spectra: Spectra | None = None,
    ) -> None:
        self.window, self._made_of = window, (kernels, support, spectra)
        entering = window.mask.any(axis=1)
        self._seen = np.flatnonzero(window.edisp[:, entering].any(axis=1) & window.exposure.any(axis=1))
        self._edisp = window.edisp[self._seen]
        self._convolver = (
            NoConvolution(self._seen.size, window.shape, support)
            if kernels is None or not self._seen.size
            else Convolver(kernels[self._seen], window.shape, support, spectra)
        )
        self._sent: tuple[object, Array] | None = None
        self._y, self._x = np.divmod(window.pixel, window.shape[1])

    def cut(self, window: MapWindow) -> TrueEnergyFolding:
        return TrueEnergyFolding(window, *self._made_of)

    @cached_property
    def _per_row(self) -> Array:
        """Counts in the bins with counts per flux there, (n_seen, n_rows)."""
        window = self.window
        return np.asarray(self._edisp[:, window.energy] * window.exposure[self._seen[:, None], window.pixel])

    @cached_property
    def _pixels(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Order of the bins with counts by pixel, where each pixel starts in it, and the pixels ``y``, ``x``."""
        order = np.argsort(self.window.pixel, kind="stable")
        pixels, starts = np.unique(self.window.pixel[order], return_index=True)
        return order, starts, *np.divmod(pixels, self.window.shape[1])

    def _per_pixel(self) -> Array:
        """Counts in all bins that enter, per flux in a pixel of the window, (n_seen, ny, nx)."""
        per_pixel = self.window.entering(self._edisp)
        per_pixel *= self.window.exposure[self._seen]
        return per_pixel.reshape(-1, *self.window.shape)

    def _from_lit(self, images: LitImages | PlainImages) -> Array:
        """The same per flux that a pixel sends out, (n_seen, *images.part); the last is kept."""
        if self._sent is None or self._sent[0] is not images.plan:
            self._sent = None  # not both at a time
            self._sent = images.plan, images.sent_from(self._per_pixel())
        return self._sent[1]

    @cached_property
    def _from_each(self) -> Array:
        """The same where each energy has its own image, (n_seen, *support)."""
        sent = self._convolver.fold_adjoint_each(self._per_pixel())
        return np.ascontiguousarray(sent[(..., *self._convolver.support)])

    def _on_window(self, image: Array) -> Array:
        """An image, or one for each energy that is seen, with zeros outside of the support."""
        return spread_out(image if image.ndim == 2 else image[self._seen], self._convolver.support, self.window.shape)

    def _all(self, seen: Array) -> Array:
        """0 on the last axis for the true energies that are not seen."""
        if self._seen.size == len(self.window.exposure):
            return seen
        whole = np.zeros((*seen.shape[:-1], len(self.window.exposure)))
        whole[..., self._seen] = seen
        return whole

    def respond(self, image: Array) -> Response:
        return self.respond_each(image[None])[0]

    def respond_each(self, images: Array) -> list[Response]:
        if images.ndim == 4:
            return [self._respond_by_energy(image) for image in images]
        lit = self._convolver.prepare(images)
        values = lit.fold_at(self._y, self._x)
        values *= self._per_row
        totals = np.einsum("eyx,myx->me", self._from_lit(lit), self._lit_part(images, lit.part))
        return [
            Response(self.window.rows, self._all(value.T), self._all(total))
            for value, total in zip(values, totals, strict=True)
        ]

    def _respond_by_energy(self, image: Array) -> Response:
        matrix = np.zeros((self._seen.size, self.window.rows.size))
        for k, folded in self._convolver.fold_one_by_one(self._on_window(image)):
            matrix[k] = self._per_row[k] * folded.reshape(-1)[self.window.pixel]
        total = np.einsum("eyx,eyx->e", self._from_each, image[self._seen])
        return Response(self.window.rows, self._all(matrix.T), self._all(total))

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        window = self.window
        entering = window.mask.astype(np.float64)
        matrix, totals = np.zeros((self._seen.size, window.rows.size)), np.zeros((len(window.mask), self._seen.size))
        for k, folded in self._convolver.fold_one_by_one(self._on_window(image)):
            flat = folded.reshape(-1)
            matrix[k] = self._per_row[k] * flat[window.pixel]
            totals[:, k] = self._edisp[k] * times(entering, window.exposure[self._seen[k]] * flat)
        return Response(window.rows, self._all(matrix.T), self._all(totals.sum(axis=0))), self._all(totals)

    def along(self, images: Array, spectrum: Array, weights: Array, slope: float) -> Array:
        if images.ndim == 4:
            return super().along(images, spectrum, weights, slope)
        seen, lit = spectrum[self._seen], self._convolver.prepare(images)
        sent = seen[:, None] * self._per_row
        sent *= weights[self.window.rows]
        order, starts, y, x = self._pixels
        by_pixel = np.add.reduceat(sent[:, order], starts, axis=1) if starts.size else sent
        in_all = np.einsum("e,eyx->yx", seen, self._from_lit(lit)).reshape(-1)
        sums = times(self._lit_part(images, lit.part).reshape(len(images), -1), in_all)
        return lit.along(by_pixel, y, x) + slope * sums

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window, seen = self.window, spectrum[self._seen, None]
        sent = np.zeros((self._seen.size, window.shape[0] * window.shape[1]))
        np.add.at(sent.T, window.pixel, (seen * self._per_row * weights[window.rows]).T)
        images = self._convolver.fold_adjoint_each(sent.reshape(-1, *window.shape))[(..., *self._convolver.support)]
        images += slope * seen[..., None] * self._from_each
        if not by_energy:
            return np.asarray(images.sum(axis=0))
        pulled = np.zeros((len(window.exposure), *images.shape[1:]))
        pulled[self._seen] = images
        return pulled

    def _lit_part(self, images: Array, part: Part) -> Array:
        """Images (..., *support) in a part of the window."""
        y, x = (slice(p.start - s.start, p.stop - s.start) for p, s in zip(part, self._convolver.support, strict=True))
        return images[..., y, x]

    def totals(self, image: Array) -> Array:
        return self.respond_in_full(image)[1]

    def counts(self, image: Array, spectrum: Array) -> Array:
        window = self.window
        counts = np.zeros((len(window.mask), window.shape[0] * window.shape[1]))
        for k, folded in self._convolver.fold_one_by_one(self._on_window(image)):
            true = spectrum[self._seen[k]] * window.exposure[self._seen[k]] * folded.reshape(-1)
            for counted, share in zip(counts, self._edisp[k], strict=True):
                if share:
                    counted += share * true
        return counts.reshape(-1, *window.shape)


@final
class RecoEnergyFolding(Folding):
    """PSF in reconstructed energy: ``counts[k] = kernel[k] * sum_e edisp[e, k] flux[e] exposure[e] image``."""

    def __init__(self, window: MapWindow, convolver: Convolver) -> None:
        self.window, self._convolver = window, convolver
        n_energy = window.edisp.shape[1]
        self._images = (n_energy, *window.shape)
        seen = convolver.fold_adjoint_each(window.mask.reshape(self._images).astype(np.float64)).reshape(n_energy, -1)
        self._seen = seen
        self._per_pixel = window.exposure * (window.edisp @ seen)

    def cut(self, window: MapWindow) -> RecoEnergyFolding:
        return RecoEnergyFolding(window, self._convolver)

    def respond(self, image: Array) -> Response:
        window = self.window
        image = spread_out(image, self._convolver.support, window.shape)
        exposed = window.exposure * image.reshape(-1, window.exposure.shape[1])
        matrix = np.zeros((window.rows.size, len(exposed)))
        for e, pixels in enumerate(exposed):
            folded = self._convolver.fold(pixels.reshape(window.shape)).reshape(self._images[0], -1)
            matrix[:, e] = folded[window.energy, window.pixel]
        matrix *= window.edisp.T[window.energy]
        shape = np.broadcast_to(image.reshape(-1, exposed.shape[1]), exposed.shape)
        total = np.einsum("ep,ep->e", self._per_pixel, shape)
        return Response(window.rows, matrix, total)

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window = self.window
        scattered = self._scattered(weights, slope).reshape(self._images)
        back = self._convolver.fold_adjoint_each(scattered).reshape(self._images[0], -1)
        by_pixel = spectrum[:, None] * window.exposure * (window.edisp @ back)
        images = by_pixel.reshape(-1, *window.shape)
        images = images[(..., *self._convolver.support)]
        return images if by_energy else images.sum(axis=0)

    def totals(self, image: Array) -> Array:
        window, image = self.window, spread_out(image, self._convolver.support, self.window.shape)
        exposed = window.exposure * image.reshape(-1, window.exposure.shape[1])
        return np.asarray(window.edisp.T * (self._seen @ exposed.T))

    def counts(self, image: Array, spectrum: Array) -> Array:
        window, image = self.window, spread_out(image, self._convolver.support, self.window.shape)
        true = spectrum[:, None] * window.exposure * image.reshape(-1, window.exposure.shape[1])
        return self._convolver.fold((window.edisp.T @ true).reshape(self._images))
