"""From images on the sky to counts: exposure, PSF and energy dispersion on a window of a map, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.likelihood.convolution import Convolver, NoConvolution
from gm.likelihood.products import times


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
    """From an image to counts per unit flux: exposure, PSF and energy dispersion on a window, and their adjoint."""

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
    (n_energy_true, n, n), or None; ``support`` : rows and columns that hold the image.
    """

    def __init__(
        self,
        window: MapWindow,
        kernels: NDArray[np.float32 | np.float64] | None,
        support: tuple[slice, slice] | None = None,
    ) -> None:
        self.window, self._kernels, self._support = window, kernels, support
        entering = window.mask.any(axis=1)
        self._seen = np.flatnonzero(window.edisp[:, entering].any(axis=1) & window.exposure.any(axis=1))
        self._edisp = window.edisp[self._seen]
        self._convolver = (
            NoConvolution(self._seen.size, window.shape)
            if kernels is None or not self._seen.size
            else Convolver(kernels[self._seen], window.shape, support)
        )
        self._y, self._x = np.divmod(window.pixel, window.shape[1])

    def cut(self, window: MapWindow) -> TrueEnergyFolding:
        return TrueEnergyFolding(window, self._kernels, self._support)

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

    @cached_property
    def _from_pixel(self) -> Array:
        """Counts in all bins that enter, per flux that a pixel sends out, (n_seen, ny, nx) of the support."""
        window = self.window
        per_pixel = window.entering(self._edisp)
        per_pixel *= window.exposure[self._seen]
        sent = self._convolver.fold_adjoint_each(per_pixel.reshape(-1, *window.shape))
        return np.ascontiguousarray(sent[(..., *self._convolver.support)])

    def _of_seen(self, images: Array, is_one: bool) -> Array:
        """Images of the energies that are seen, where each has its own."""
        return images if is_one else images[..., self._seen, :, :]

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
        seen = self._of_seen(images, images.ndim == 3)
        values = self._convolver.fold_at(seen, self._y, self._x)
        values *= self._per_row
        sources = seen[(..., *self._convolver.support)]
        totals = np.einsum("eyx,meyx->me" if images.ndim == 4 else "eyx,myx->me", self._from_pixel, sources)
        return [
            Response(self.window.rows, self._all(value.T), self._all(total))
            for value, total in zip(values, totals, strict=True)
        ]

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        window = self.window
        entering = window.mask.astype(np.float64)
        matrix, totals = np.zeros((self._seen.size, window.rows.size)), np.zeros((len(window.mask), self._seen.size))
        for k, folded in self._convolver.fold_one_by_one(self._of_seen(image, image.ndim == 2)):
            flat = folded.reshape(-1)
            matrix[k] = self._per_row[k] * flat[window.pixel]
            totals[:, k] = self._edisp[k] * times(entering, window.exposure[self._seen[k]] * flat)
        return Response(window.rows, self._all(matrix.T), self._all(totals.sum(axis=0))), self._all(totals)

    def along(self, images: Array, spectrum: Array, weights: Array, slope: float) -> Array:
        part = self._convolver.lit(images)
        if images.ndim == 4 or part is None:
            return super().along(images, spectrum, weights, slope)
        by_pixel = self._pull_back(spectrum, weights, slope, part)[part]
        return times(images[(..., *part)].reshape(len(images), -1), by_pixel.reshape(-1))

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        if not by_energy:
            return self._pull_back(spectrum, weights, slope, self._convolver.support)
        window, seen = self.window, spectrum[self._seen, None]
        sent = np.zeros((self._seen.size, window.shape[0] * window.shape[1]))
        np.add.at(sent.T, window.pixel, (seen * self._per_row * weights[window.rows]).T)
        images = self._convolver.fold_adjoint_each(sent.reshape(-1, *window.shape))
        images[(..., *self._convolver.support)] += slope * seen[..., None] * self._from_pixel
        pulled = np.zeros((len(window.exposure), *window.shape))
        pulled[self._seen] = images
        return pulled

    def _pull_back(self, spectrum: Array, weights: Array, slope: float, part: tuple[slice, slice]) -> Array:
        """Derivative with respect to each pixel in a part of the image; the others may be left at 0."""
        seen = spectrum[self._seen]
        sent = seen[:, None] * self._per_row
        sent *= weights[self.window.rows]
        order, starts, y, x = self._pixels
        by_pixel = np.add.reduceat(sent[:, order], starts, axis=1) if starts.size else sent
        image = self._convolver.adjoint_at(by_pixel, y, x, part)
        image[self._convolver.support] += slope * np.einsum("e,eyx->yx", seen, self._from_pixel)
        return image

    def totals(self, image: Array) -> Array:
        return self.respond_in_full(image)[1]

    def counts(self, image: Array, spectrum: Array) -> Array:
        window = self.window
        counts = np.zeros((len(window.mask), window.shape[0] * window.shape[1]))
        for k, folded in self._convolver.fold_one_by_one(self._of_seen(image, image.ndim == 2)):
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
        return images if by_energy else images.sum(axis=0)

    def totals(self, image: Array) -> Array:
        window = self.window
        exposed = window.exposure * image.reshape(-1, window.exposure.shape[1])
        return np.asarray(window.edisp.T * (self._seen @ exposed.T))

    def counts(self, image: Array, spectrum: Array) -> Array:
        window = self.window
        true = spectrum[:, None] * window.exposure * image.reshape(-1, window.exposure.shape[1])
        return self._convolver.fold((window.edisp.T @ true).reshape(self._images))
