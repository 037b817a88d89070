"""Convolution of images with a stack of kernels, and its adjoint, by Fourier transforms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from gm.arrays import Array, IntArray
from gm.likelihood.kernel_groups import Grid, KernelGroup, chunks
from gm.likelihood.paired_kernels import PairedKernels
from gm.likelihood.spectra import ComplexArray, Part, Size, Spectra, lit

_SMALLER = 0.75  # steps of sizes of the lit part of an image; kernels are transformed again for each
_ROOM = 16  # a plan is made for images that are larger by this part on each side
_SMALL = 0.5  # of the pixels that a plan was made for: an image for which it is made again


@dataclass(frozen=True, eq=False)
class _Plan:
    """What folds images that are lit in ``part`` of the window with all kernels: groups with grids and pairs."""

    part: Part
    groups: list[tuple[KernelGroup, Grid, PairedKernels]]


@dataclass(frozen=True, eq=False)
class LitImages:
    """Images (m, *support) ready to be folded: what folds them, and for each group their spectra (m, ...).

    part : rows and columns of the window outside of which they are dark
    """

    n_images: int
    n_kernels: int
    plan: _Plan
    spectra: list[ComplexArray]

    @property
    def part(self) -> Part:
        return self.plan.part

    def fold_at(self, y: IntArray, x: IntArray) -> Array:
        """(m, n_kernels, n_pixels): the folded images at the window's pixels ``y``, ``x`` (n_pixels,) only."""
        values = np.zeros((self.n_images, self.n_kernels, y.size))
        for (group, grid, paired), spectra in zip(self.plan.groups, self.spectra, strict=True):
            row, column, inside = grid.find(y, x)
            phase, index = np.conjugate(paired.phase(row, column)) * inside, row * grid.size[1] + column
            for some, j, planes in paired.fold(spectra):
                read = np.take(planes.reshape(len(planes), -1), index, axis=1)
                read *= phase
                values[j, group.members[some][::2]] = read.real
                values[j, group.members[some][1::2]] = read.imag[: (some.stop - some.start) // 2]
        return values

    def along(self, weights: Array, y: IntArray, x: IntArray) -> Array:
        """``sum(weights * fold_at(y, x))`` of each image (m,), by the adjoint of the fold: one serves them all.

        weights : (n_kernels, n_pixels), no pixel twice.
        """
        sums = np.zeros(self.n_images)
        for (group, grid, paired), spectra in zip(self.plan.groups, self.spectra, strict=True):
            row, column, inside = grid.find(y, x)
            sums += paired.correlate(spectra, weights[group.members][:, inside], row[inside], column[inside])
        return sums

    def sent_from(self, weights: Array) -> Array:
        """Sum over the window of weights (n_kernels, *shape) times what a pixel sends there, (n_kernels, *part).

        Only what images with the frequencies of these notice of it.
        """
        n_y, n_x = (s.stop - s.start for s in self.part)
        sent = np.empty((self.n_kernels, n_y, n_x))
        for group, grid, paired in self.plan.groups:
            sent[group.members] = paired.transposed(weights[(group.members, *grid.reach)], grid.cut, (n_y, n_x))
        return sent


class Convolver:
    """``folded[k] = kernel[k] * image`` on a window; nothing comes in from outside.

    kernels : (n_kernels, n, n), n odd, centred; shape : (ny, nx) of the window, where folded images are wanted;
    support : rows and columns outside of which the images are 0, by default none; spectra : of the last images, which
    other convolvers may see too.

    One forward transform of the image serves all kernels of a group. A transform is just so large that nothing that is
    read has wrapped around, and what is dark in an image is left out. Images that all kernels share can be prepared for
    many folds, and for their adjoint: see `PairedKernels`, which are kept while images are lit in much the same part.
    """

    def __init__(
        self,
        kernels: NDArray[np.float32 | np.float64],
        shape: tuple[int, int],
        support: Part | None = None,
        spectra: Spectra | None = None,
    ) -> None:
        self.shape, self.n_kernels = shape, len(kernels)
        self.support = support or (slice(0, shape[0]), slice(0, shape[1]))
        self._groups, self._spectra = KernelGroup.all_of(kernels), spectra or Spectra()
        self._plan: _Plan | None = None

    def fold(self, image: Array) -> Array:
        """(n_kernels, *shape) from one image (*shape) for all kernels, or one for each (n_kernels, *shape)."""
        folded = np.zeros((self.n_kernels, *self.shape))
        for k, one in self.fold_one_by_one(image):
            folded[k] = one
        return folded

    def fold_one_by_one(self, image: Array) -> Iterator[tuple[int, Array]]:
        """Kernel after kernel, and `fold` with it alone (*shape), which is overwritten by the next."""
        folded = np.zeros(self.shape)
        last: Grid | None = None
        for members, grid, whole in self._folded(image):
            if grid is not last:
                folded[:], last = 0.0, grid
            for k, one in zip(members, whole, strict=True):
                folded[grid.reach] = one[grid.cut]
                yield int(k), folded

    def _folded(self, image: Array) -> Iterator[tuple[IntArray, Grid, Array]]:
        """Some kernels, their grid, and their convolutions on it (n, *grid.size)."""
        part = lit(image[(..., *self.support)])
        if part is None:
            return
        part = _rounded_up(_moved(part, self.support), self.support)
        for group in self._groups:
            grid = group.grid(part, self.shape)
            spectrum = fft.rfft2(image[part], s=grid.size) if image.ndim == 2 else None
            transforms = group.at(grid.size)
            for some in chunks(len(transforms), grid.size):
                members = group.members[some]
                own = fft.rfft2(image[(members, *part)], s=grid.size) if spectrum is None else spectrum
                yield members, grid, fft.irfft2(transforms[some] * own, s=grid.size, overwrite_x=True)

    def prepare(self, images: Array) -> LitImages:
        """Images on the support (m, *support), which all kernels share, by the last plan or a new one."""
        part, plan = self._around(images), self._plan
        if plan is None or plan.part != part:
            plan, grids = None, [group.grid(part, self.shape, real=False) for group in self._groups]
        else:
            grids = [grid for _, grid, _ in plan.groups]
        inside = _moved(part, self.support, -1)
        found = [self._spectra.whole(images, inside, grid.size) for grid in grids]
        if plan is None or not all(
            paired.holds(needed) for (_, _, paired), (_, needed) in zip(plan.groups, found, strict=True)
        ):
            self._plan = None  # not both at a time
            self._plan = plan = _Plan(
                part,
                [
                    (group, grid, PairedKernels.of(group.kernels, grid.size, needed))
                    for group, grid, (_, needed) in zip(self._groups, grids, found, strict=True)
                ],
            )
        spectra = [paired.cut(whole) for (_, _, paired), (whole, _) in zip(plan.groups, found, strict=True)]
        return LitImages(len(images), self.n_kernels, plan, spectra)

    def _around(self, images: Array) -> Part:
        """Rows and columns that hold the light of images, and some room so that the next ones fit too."""
        within, last = self._spectra.lit(images), self._plan.part if self._plan is not None else None
        if within is None:
            return last or self.support
        part = _moved(within, self.support)
        if last is not None and _holds(last, part) and prod(_lengths(part)) >= _SMALL * prod(_lengths(last)):
            return last
        y, x = (
            slice(max(s.start - room, support.start), min(s.stop + room, support.stop))
            for s, support, room in zip(part, self.support, (ceil(n / _ROOM) for n in _lengths(part)), strict=True)
        )
        return y, x

    def fold_adjoint(self, images: Array) -> Array:
        """The transposed of `fold` for one image: (*shape) from (n_kernels, *shape)."""
        total = np.zeros(self.shape)
        for _, back in self._back(images):
            total[self.support] += back
        return total

    def fold_adjoint_each(self, images: Array) -> Array:
        """The transposed of `fold` for one image each: (n_kernels, *shape) from (n_kernels, *shape)."""
        each = np.zeros((self.n_kernels, *self.shape))
        for k, back in self._back(images):
            each[(k, *self.support)] = back
        return each

    def _back(self, images: Array) -> Iterator[tuple[int, Array]]:
        """Kernel, and the transposed of `fold` with it alone, on the support."""
        n_y, n_x = _lengths(self.support)
        for group in self._groups:
            grid = group.grid(self.support, self.shape)
            transforms = group.at(grid.size)
            for some in chunks(len(transforms), grid.size):
                members = group.members[some]
                placed = np.zeros((len(members), *grid.size))
                placed[(slice(None), *grid.cut)] = images[(members, *grid.reach)]
                product = fft.rfft2(placed, overwrite_x=True)
                np.conjugate(product, out=product)
                product *= transforms[some]
                back = fft.irfft2(np.conjugate(product, out=product), s=grid.size, overwrite_x=True)
                for k, image in zip(members, back, strict=True):
                    yield int(k), image[:n_y, :n_x]


@dataclass(frozen=True, eq=False)
class PlainImages:
    """As `LitImages`, when nothing is spread; ``images`` : (m, *shape) on the window."""

    n_kernels: int
    images: Array
    part: Part
    plan: None = None

    def fold_at(self, y: IntArray, x: IntArray) -> Array:
        return np.repeat(self.images[:, None, y, x], self.n_kernels, axis=1)

    def along(self, weights: Array, y: IntArray, x: IntArray) -> Array:
        return np.asarray(np.einsum("mp,p->m", self.images[:, y, x], weights.sum(axis=0)))

    def sent_from(self, weights: Array) -> Array:
        return weights[(..., *self.part)]


class NoConvolution:
    """What a `Convolver` is when nothing is spread: every image stays as it is. ``n_kernels`` : how many images."""

    def __init__(self, n_kernels: int, shape: tuple[int, int], support: Part | None = None) -> None:
        self.n_kernels, self.shape = n_kernels, shape
        self.support = support or (slice(0, shape[0]), slice(0, shape[1]))

    def fold_one_by_one(self, image: Array) -> Iterator[tuple[int, Array]]:
        for k in range(self.n_kernels):
            yield k, image if image.ndim == 2 else image[k]

    def prepare(self, images: Array) -> PlainImages:
        return PlainImages(self.n_kernels, spread_out(images, self.support, self.shape), self.support)

    def fold_adjoint_each(self, images: Array) -> Array:
        return images


def spread_out(images: Array, support: Part, shape: tuple[int, int]) -> Array:
    """Images on the support (..., *support) on a window (..., *shape)."""
    if images.shape[-2:] == shape:
        return images
    whole = np.zeros((*images.shape[:-2], *shape))
    whole[(..., *support)] = images
    return whole


def _moved(part: Part, support: Part, sign: int = 1) -> Part:
    """From rows and columns of the support to those of the window, or back (-1)."""
    y, x = (slice(p.start + sign * s.start, p.stop + sign * s.start) for p, s in zip(part, support, strict=True))
    return y, x


def _rounded_up(part: Part, support: Part) -> Part:
    """A part of the support that holds another: its size is one of few, so that kernels are not transformed anew."""
    parts = []
    for own, whole in zip(part, support, strict=True):
        size = whole.stop - whole.start
        while (smaller := ceil(size * _SMALLER)) >= own.stop - own.start and smaller < size:
            size = smaller
        start = min(own.start, whole.stop - size)
        parts.append(slice(start, start + size))
    return parts[0], parts[1]


def _holds(outer: Part, inner: Part) -> bool:
    return all(o.start <= i.start and i.stop <= o.stop for o, i in zip(outer, inner, strict=True))


def _lengths(part: Part) -> Size:
    return part[0].stop - part[0].start, part[1].stop - part[1].start
