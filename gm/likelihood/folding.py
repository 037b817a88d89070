"""From images on the sky to counts: exposure, PSF and energy dispersion on a window of a map, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.likelihood.convolution import Convolver


@dataclass(frozen=True, eq=False)
class MapWindow:
    """A rectangle of a map dataset, and which of the dataset's bins with counts lie in it.

    y, x : the rectangle in the map; exposure : (n_energy_true, n_pixels) [cm2 s]; edisp : (n_energy_true, n_energy);
    mask : (n_energy, n_pixels), 1 in bins that enter; rows : (n_rows,) positions among the dataset's bins with counts;
    energy, pixel : (n_rows,) energy bin and pixel of each, pixels counted within the rectangle.
    """

    y: slice
    x: slice
    exposure: Array
    edisp: Array
    mask: Array
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


@dataclass(frozen=True, eq=False)
class Response:
    """Predicted counts per unit flux: ``matrix`` (n_rows, n_energy_true) at ``rows``, ``total`` (n_energy_true,)."""

    rows: IntArray
    matrix: Array
    total: Array


class Folding(ABC):
    """From an image to counts per unit flux: exposure, PSF and energy dispersion on a window, and their adjoint."""

    window: MapWindow

    @abstractmethod
    def cut(self, window: MapWindow) -> Folding:
        """The same folding on a part of its bins."""

    @abstractmethod
    def respond(self, image: Array) -> Response: ...

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
        scattered = slope * window.mask
        scattered[window.energy, window.pixel] += weights[window.rows]
        return scattered


@final
class TrueEnergyFolding(Folding):
    """PSF in true energy: ``counts[k] = sum_e edisp[e, k] flux[e] exposure[e] (kernel[e] * image)``.

    The order, PSF before exposure, is Gammapy's. True energies that no bin sees are not folded. ``kernels`` :
    (n_energy_true, n, n), or None; ``support`` : rows and columns that hold the image.
    """

    def __init__(self, window: MapWindow, kernels: Array | None, support: tuple[slice, slice] | None = None) -> None:
        self.window, self._kernels, self._support = window, kernels, support
        per_pixel = window.exposure * (window.edisp @ window.mask)
        self._seen = np.flatnonzero(per_pixel.any(axis=1))
        self._convolver = None if kernels is None else Convolver(kernels[self._seen], window.shape, support)
        self._per_pixel = per_pixel[self._seen]
        self._edisp, self._exposure = window.edisp[self._seen], window.exposure[self._seen]
        self._per_row = self._edisp.T[window.energy] * self._exposure.T[window.pixel]

    def cut(self, window: MapWindow) -> TrueEnergyFolding:
        return TrueEnergyFolding(window, self._kernels, self._support)

    def _fold(self, image: Array) -> Array:
        """(n_seen, n_pixels)."""
        images = image if image.ndim == 2 else image[self._seen]
        if self._convolver is not None:
            return self._convolver.fold(images).reshape(self._seen.size, -1)
        return np.broadcast_to(images, (self._seen.size, *self.window.shape)).reshape(self._seen.size, -1)

    def _all(self, seen: Array, axis: int) -> Array:
        """Zeros for the true energies that are not seen, along an axis."""
        shape = list(seen.shape)
        shape[axis] = len(self.window.exposure)
        whole = np.zeros(shape)
        whole[(slice(None),) * axis + (self._seen,)] = seen
        return whole

    def respond(self, image: Array) -> Response:
        folded = self._fold(image)
        matrix = self._per_row * folded.T[self.window.pixel]
        total = np.einsum("ep,ep->e", self._per_pixel, folded)
        return Response(self.window.rows, self._all(matrix, 1), self._all(total, 0))

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window = self.window
        on_pixels = slope * self._per_pixel
        np.add.at(on_pixels.T, window.pixel, self._per_row * weights[window.rows, None])
        images = (spectrum[self._seen, None] * on_pixels).reshape(-1, *window.shape)
        if by_energy:
            return self._all(images if self._convolver is None else self._convolver.fold_adjoint_each(images), 0)
        return images.sum(axis=0) if self._convolver is None else self._convolver.fold_adjoint(images)

    def totals(self, image: Array) -> Array:
        by_energy = self._edisp.T * (self.window.mask @ (self._exposure * self._fold(image)).T)
        return self._all(by_energy, 1)

    def counts(self, image: Array, spectrum: Array) -> Array:
        true = spectrum[self._seen, None] * self._exposure * self._fold(image)
        return np.asarray(self._edisp.T @ true).reshape(-1, *self.window.shape)


@final
class RecoEnergyFolding(Folding):
    """PSF in reconstructed energy: ``counts[k] = kernel[k] * sum_e edisp[e, k] flux[e] exposure[e] image``."""

    def __init__(self, window: MapWindow, convolver: Convolver) -> None:
        self.window, self._convolver = window, convolver
        n_energy = window.edisp.shape[1]
        self._images = (n_energy, *window.shape)
        seen = convolver.fold_adjoint_each(window.mask.reshape(self._images)).reshape(n_energy, -1)
        self._seen = seen
        self._per_pixel = window.exposure * (window.edisp @ seen)

    def cut(self, window: MapWindow) -> RecoEnergyFolding:
        return RecoEnergyFolding(window, self._convolver)

    def respond(self, image: Array) -> Response:
        window = self.window
        exposed = window.exposure * image.reshape(-1, window.exposure.shape[1])
        matrix = np.zeros((window.rows.size, len(exposed)))
        for e, pixels in enumerate(exposed):
            folded = self._convolver.fold(pixels.reshape(window.shape)).reshape(len(self._images), -1)
            matrix[:, e] = folded.reshape(self._images[0], -1)[window.energy, window.pixel]
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
