"""From images on the sky to counts: exposure, PSF and energy dispersion on a window of a map, and the way back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.likelihood.maps.folding.convolution import Convolver, NoConvolution, spread_out
from gm.likelihood.maps.folding.dataset_blocks import DatasetAdjoint
from gm.likelihood.maps.folding.frequencies import Part
from gm.likelihood.maps.folding.shared_kernels import PRECISION, Member, SharedKernels
from gm.likelihood.maps.folding.window import EnergyResponse, MapWindow, Response
from gm.likelihood.products import inner, times
from gm.parallel import side_by_side


class Folding(ABC):
    """From an image to counts per unit flux: exposure, PSF and energy dispersion on a window, and their adjoint.

    Images are given on the support: the rows and columns of the window that hold them.
    """

    window: MapWindow
    member: Member | None = None  # of the datasets that see the same images

    @abstractmethod
    def cut(self, window: MapWindow) -> Folding:
        """The same folding on a part of its bins."""

    @abstractmethod
    def respond(self, image: Array) -> Response:
        """Counts per unit flux of an image (n_y, n_x), or (n_energy_true, n_y, n_x) where it changes with energy."""

    def respond_each(self, images: Array, precision: float = PRECISION) -> list[Response]:
        """`respond` for several images, (m, ...), to some precision of the brightest pixel."""
        return [self.respond(image) for image in images]

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        """`respond` and `totals`, for an image (ny, nx) or (n_energy_true, ny, nx) that is needed once."""
        return self.respond(image), self.totals(image)

    def along(
        self, images: Array, spectrum: Array, weights: Array, slope: float, precision: float = PRECISION
    ) -> Array:
        """Derivatives of ``weights . predicted + slope * sum of all predicted`` along images (m, ...), (m,)."""
        by_pixel = self.pull_back(spectrum, weights, slope, by_energy=images.ndim == 4)
        return times(images.reshape(len(images), -1), by_pixel.reshape(-1))

    def adjoint_part(self, spectrum: Array, weights: Array, slope: float) -> DatasetAdjoint:
        """What a member adds to derivatives along images, from derivatives by counts in the rows and in all bins.

        spectrum : (n_energy_true,); weights : (n_rows,)
        """
        raise TypeError("no other dataset sees the same images")

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


def along_each(responses: Iterable[Response], spectrum: Array, weights: Array, slope: float) -> Array:
    """``weights . predicted + slope * sum of all predicted`` with each response, (m,)."""
    return np.array(
        [inner(weights[r.rows], times(r.matrix, spectrum)) + slope * inner(r.total, spectrum) for r in responses]
    )


@final
class TrueEnergyFolding(Folding):
    """PSF in true energy: ``counts[k] = sum_e edisp[e, k] flux[e] exposure[e] (kernel[e] * image)``.

    The order, PSF before exposure, is Gammapy's. True energies that no bin sees are not folded. ``kernels`` :
    (n_energy_true, n, n), or None; ``support`` : rows and columns that hold the image; ``shared`` : with other datasets
    that see the same images.
    """

    def __init__(
        self,
        window: MapWindow,
        kernels: NDArray[np.float32 | np.float64] | None,
        support: Part | None = None,
        shared: SharedKernels | None = None,
    ) -> None:
        self.window, self._made_of = window, (kernels, support)
        self._energies = EnergyResponse.of(window)
        self._seen, self._edisp = self._energies.seen, self._energies.edisp
        self._convolver: Convolver | NoConvolution
        if kernels is None or not self._seen.size:
            self._convolver = NoConvolution(self._seen.size, window.shape, support)
        else:
            kernels = kernels if self._seen.size == len(kernels) else kernels[self._seen]
            self._convolver = Convolver(kernels, window.shape, support)
            self.member = (shared or SharedKernels()).join(self._energies, kernels, self._convolver.support)

    def cut(self, window: MapWindow) -> TrueEnergyFolding:
        return TrueEnergyFolding(window, *self._made_of)

    @cached_property
    def _per_row(self) -> Array:
        return self._energies.per_row()

    @cached_property
    def _from_each(self) -> Array:
        """Counts in all bins that enter, per flux sent from a pixel of the image, (n_seen, *support)."""
        sent = self._convolver.fold_adjoint_each(self._energies.per_pixel())
        return np.ascontiguousarray(sent[(..., *self._convolver.support)])

    def _on_window(self, image: Array) -> Array:
        """An image, or one for each energy that is seen, with zeros outside of the support."""
        return spread_out(image if image.ndim == 2 else image[self._seen], self._convolver.support, self.window.shape)

    def respond(self, image: Array) -> Response:
        return self.respond_each(image[None])[0]

    def respond_each(self, images: Array, precision: float = PRECISION) -> list[Response]:
        if self.member is None or images.ndim == 4:
            return [self._respond_alone(image) for image in images]
        return [self._response(matrix, total) for matrix, total in self.member.see(images, precision)]

    def _response(self, matrix: Array, total: Array) -> Response:
        every = self._energies.all_energies
        return Response(self.window.rows, every(matrix), every(total))

    def _respond_alone(self, image: Array) -> Response:
        matrix = np.zeros((self.window.rows.size, self._seen.size))
        for k, folded in self._convolver.fold_one_by_one(self._on_window(image)):
            matrix[:, k] = self._per_row[:, k] * folded.reshape(-1)[self.window.pixel]
        image = image[self._seen] if image.ndim == 3 else np.broadcast_to(image, self._from_each.shape)
        return self._response(matrix, np.einsum("eyx,eyx->e", self._from_each, image))

    def respond_in_full(self, image: Array) -> tuple[Response, Array]:
        window, (masks, mask_of) = self.window, self.window.masks()
        entering = masks.astype(np.float64)
        by_energy, totals = np.zeros((self._seen.size, window.rows.size)), np.zeros((len(window.mask), self._seen.size))

        def see(piece: Iterable[tuple[int, Array]]) -> None:
            for k, folded in piece:
                flat = folded.reshape(-1)
                np.take(flat, window.pixel, out=by_energy[k], mode="clip")  # the other modes take a buffer
                totals[:, k] = (
                    self._edisp[k] * times(entering, window.exposed[self._seen[k]].reshape(-1) * flat)[mask_of]
                )

        side_by_side(see, self._convolver.fold_in_pieces(self._on_window(image)))
        matrix = np.multiply(by_energy.T, self._per_row, order="C")
        return self._response(matrix, totals.sum(axis=0)), self._energies.all_energies(totals)

    def along(
        self, images: Array, spectrum: Array, weights: Array, slope: float, precision: float = PRECISION
    ) -> Array:
        if self.member is None or images.ndim == 4:
            return super().along(images, spectrum, weights, slope)
        return along_each(self.respond_each(images, precision), spectrum, weights, slope)

    def adjoint_part(self, spectrum: Array, weights: Array, slope: float) -> DatasetAdjoint:
        assert self.member is not None
        return DatasetAdjoint(self.member.number, weights[self.window.rows], slope, spectrum[self._seen])

    def pull_back(self, spectrum: Array, weights: Array, slope: float, *, by_energy: bool) -> Array:
        window, seen = self.window, spectrum[self._seen, None]
        sent = np.zeros((self._seen.size, window.shape[0] * window.shape[1]))
        np.add.at(sent.T, window.pixel, seen[:, 0] * self._per_row * weights[window.rows, None])
        images = self._convolver.fold_adjoint_each(sent.reshape(-1, *window.shape))[(..., *self._convolver.support)]
        images += slope * seen[..., None] * self._from_each
        if not by_energy:
            return np.asarray(images.sum(axis=0))
        pulled = np.zeros((len(window.exposed), *images.shape[1:]))
        pulled[self._seen] = images
        return pulled

    def totals(self, image: Array) -> Array:
        return self.respond_in_full(image)[1]

    def counts(self, image: Array, spectrum: Array) -> Array:
        window = self.window
        counts = np.zeros((len(window.mask), window.shape[0] * window.shape[1]))
        true, part = np.empty_like(counts[0]), np.empty_like(counts[0])  # new ones for each energy take longer
        for k, folded in self._convolver.fold_one_by_one(self._on_window(image)):
            np.multiply(window.exposed[self._seen[k]].reshape(-1), folded.reshape(-1), out=true)
            true *= spectrum[self._seen[k]]
            for counted, share in zip(counts, self._edisp[k], strict=True):
                if share:
                    counted += np.multiply(true, share, out=part)
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
