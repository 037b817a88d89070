"""Datasets in arrays of one size: what their bins with counts, and all of their bins, see of folded images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray
from gm.io.allocator import zeros_apart
from gm.likelihood.maps.folding.frequencies import ComplexArray, Part, Size, noise_of
from gm.likelihood.maps.folding.kernel_basis import KernelBasis
from gm.likelihood.maps.folding.kernel_groups import Grid, moved
from gm.likelihood.maps.folding.window import EnergyResponse
from gm.likelihood.products import ROWS, product
from gm.parallel import own_room

_AT_ONCE = 1 << 18  # pixels of transforms of one dataset that are sent back at a time
Seen = tuple[Array, Array]  # counts per flux in the rows of a dataset (n_rows, n_seen), and in all bins (n_seen,)


@dataclass(frozen=True, eq=False)
class DatasetKernels:
    """A dataset with its kernels (n_seen, m, m), which are ``rows`` among all, and where images are in its window."""

    number: int
    response: EnergyResponse
    kernels: NDArray[np.float32 | np.float64]
    rows: slice
    support: Part

    def grid(self, part: Part, half: int) -> Grid:
        """Where folded images lie in it: of images within a part of their support, with kernels up to a half width."""
        return Grid.of(moved(part, self.support), self.response.window.shape, half, real=False)


@dataclass(frozen=True, eq=False)
class DatasetAdjoint:
    """What the statistic of a dataset changes by: ``weights`` (n_rows,) and ``slope`` per count in its rows and in all
    bins, with the fluxes ``spectrum`` (n_seen,)."""

    number: int
    weights: Array
    slope: float
    spectrum: Array


class Block:
    """Some datasets in arrays of one size, so that each step is one operation for all of them.

    index : (n, n_rows) pixels in the transforms, then their places among those that any dataset reads; per_row :
    (n, n_rows, n_seen) counts there per flux; coefficients : (n, n_basis, n_seen), None where the basis is the kernels;
    in_all : (n, n_seen, n_box) counts in all bins per flux in each pixel of the bounding box of images, as ``sums``
    """

    def __init__(
        self,
        basis: KernelBasis,
        members: Sequence[DatasetKernels],
        grids: Sequence[Grid],
        box_size: Size,
        sums: type[np.float32 | np.float64],
    ) -> None:
        self._basis, self._members, self._grids, self._box = basis, members, grids, box_size
        n = self.n = len(members)
        n_rows, n_seen = (
            max(sizes) for sizes in zip(*((m.response.n_rows, m.response.seen.size) for m in members), strict=True)
        )
        n_rows += -n_rows % ROWS
        self.index, self.per_row = np.zeros((n, n_rows), dtype=np.intp), np.zeros((n, n_rows, n_seen))
        self.coefficients = None if basis.coefficients is None else np.zeros((n, basis.n, n_seen))
        self.in_all = zeros_apart((n, n_seen, prod(box_size)), sums)

    def fill(self, k: int) -> None:
        """Write a dataset's part of the arrays."""
        member, grid = self._members[k], self._grids[k]
        rows, seen = slice(member.response.n_rows), slice(member.response.seen.size)
        self.index[k, rows], inside = grid.index(*member.response.pixels)
        np.multiply(member.response.per_row(), inside[:, None], out=self.per_row[k, rows, seen])
        own = None
        if self._basis.coefficients is not None and self.coefficients is not None:
            own = self._basis.coefficients[member.rows]
            self.coefficients[k, :, seen] = own.T
        in_all = self.in_all[k, seen].reshape(-1, *self._box)
        step = max(_AT_ONCE // prod(grid.size), 1)
        for some in (slice(start, min(start + step, len(in_all))) for start in range(0, len(in_all), step)):
            weights = member.response.per_pixel(some)
            in_all[some] = self._sent(grid, None if own is None else own[some], some, weights)

    def settle(self, basis: KernelBasis, pixels: IntArray) -> None:
        """All is written: keep what of the basis is still needed, and places among pixels (n_pixels,) that are read."""
        self._basis, self.index = basis, np.searchsorted(pixels, self.index)

    def _sent(self, grid: Grid, coefficients: Array | None, some: slice, weights: Array) -> Array:
        """The adjoint of the fold with some kernels, (n, *box): weights (n, ny, nx) of folded images as those of the
        image."""
        frequencies = self._basis.frequencies
        x = np.arange(grid.cut[1].start, grid.cut[1].stop)
        waves = np.exp(-2j * np.pi / grid.size[1] * np.outer(x, frequencies.half)).view(np.float64)
        reached = np.ascontiguousarray(weights[(slice(None), *grid.reach)])
        by_row = np.zeros((len(weights), grid.size[0], frequencies.half.size), dtype=np.complex128)
        by_row[:, grid.cut[0]] = (
            product(reached.reshape(-1, x.size), waves).view(np.complex128).reshape(*reached.shape[:2], -1)
        )
        sent = self._basis.spectra(coefficients, some, half=True)
        np.conjugate(sent, out=sent)
        sent *= fft.fft(by_row, axis=1, overwrite_x=True)[:, frequencies.rows]
        by_row = np.zeros((len(weights), grid.size[0], frequencies.half.size), dtype=np.complex128)
        by_row[:, frequencies.rows] = sent
        by_row = fft.ifft(by_row, axis=1, overwrite_x=True)[:, : self._box[0]]
        return np.asarray(fft.irfft(by_row, n=grid.size[1], axis=2, overwrite_x=True)[..., : self._box[1]])

    def see(self, plane: ComplexArray, some: slice, values: Array) -> None:
        """Add what some pairs give to values (n, n_rows, n_seen); plane : a folded image where it is read, (n_pixels,
        n_some)."""
        pair, folded = slice(2 * some.start, 2 * some.stop), own_room(self.index.shape[1], plane.shape[1])
        for k, index in enumerate(self.index):  # one dataset after the other takes the least memory
            np.take(plane, index, axis=0, out=folded, mode="clip")  # the other modes take a buffer
            by_basis = folded.view(np.float64)
            if self.coefficients is not None:
                values[k] += product(by_basis, self.coefficients[k, pair])
            else:
                own = values[k, :, pair]
                own += by_basis[:, : own.shape[1]]

    def counts(self, values: Array, image: Array, kept: type[np.float32 | np.float64]) -> list[Seen]:
        """What each dataset sees, from values (n, n_rows, n_seen) as `see` leaves them and an image (n_box,); the rows
        as ``kept``."""
        if kept is np.float64:  # of derivatives nobody asks whether they are 0
            values[np.abs(values) <= noise_of(image[None])] = 0.0
        values *= self.per_row
        values = values.astype(kept, copy=False)
        sizes = [(member.response.n_rows, member.response.seen.size) for member in self._members]
        each = zip(sizes, values, np.einsum("nep,p->ne", self.in_all, image), strict=True)
        return [(rows[:n_rows, :n_seen], totals[:n_seen]) for (n_rows, n_seen), rows, totals in each]

    def weigh(self, sent: Sequence[DatasetAdjoint | None]) -> tuple[Array, Array]:
        """From what each dataset sends: weights of the rows (n * n_rows, n_seen), counts per flux included, and of the
        pixels of an image (n_box,)."""
        rows, slopes = np.zeros_like(self.per_row), np.zeros(self.in_all.shape[:2])
        for k, mine in enumerate(sent):
            if mine is not None:
                n_rows, n_seen = mine.weights.size, mine.spectrum.size
                np.multiply.outer(mine.weights, mine.spectrum, out=rows[k, :n_rows, :n_seen])
                slopes[k, :n_seen] = mine.slope * mine.spectrum
        rows *= self.per_row
        return rows, np.einsum("nep,ne->p", self.in_all, slopes)

    def by_basis(self, weights: Array, some: slice) -> Array:
        """Weights of the rows for some of the basis instead of kernels, (n * n_rows, n_some)."""
        if self.coefficients is None:
            own = weights[0, :, some]
            return np.pad(own, ((0, 0), (0, some.stop - some.start - own.shape[1])))
        coefficients = np.swapaxes(self.coefficients[:, some], 1, 2)
        return product(weights, coefficients).reshape(self.index.size, coefficients.shape[2])
