"""Convolution of images that are given at several nodes of each pixel, every node with its own kernels.

One inverse transform for a kernel serves all nodes, whose products are summed before. Images that are sums of a few,
with one factor for each kernel, are transformed once for all kernels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import final

import numpy as np
from scipy import fft

from gm.arrays import Array, IntArray
from gm.likelihood.convolution import rounded_up
from gm.likelihood.kernel_groups import Grid, KernelGroup, chunks, moved
from gm.likelihood.parallel import side_by_side
from gm.likelihood.spectra import ComplexArray, Part, Size, lit

_KEPT_BYTES = 6e7  # of transformed kernels of similar size; beyond, they are made again each time
_Spectra = Callable[[IntArray], ComplexArray]


class NodeImages(ABC):
    """Images at the nodes of each pixel, (n_kernels, n_nodes, ny, nx) in all."""

    light: Array  # (..., ny, nx), dark where all images are

    @abstractmethod
    def of(self, kernels: IntArray) -> Array:
        """The images of some kernels (n,), (n, n_nodes, ny, nx)."""

    @abstractmethod
    def spectra(self, part: Part, size: Size) -> _Spectra:
        """For some kernels (n,) the transforms of a part of their images, (n, n_nodes, ...), beyond it they are 0."""


@final
@dataclass(frozen=True, eq=False)
class MixedImages(NodeImages):
    """``mixing @ images``: images (n, n_nodes, ny, nx), mixing (n_kernels, n)."""

    light: Array
    mixing: Array

    def of(self, kernels: IntArray) -> Array:
        return np.asarray(np.tensordot(self.mixing[kernels], self.light, axes=1))

    def spectra(self, part: Part, size: Size) -> _Spectra:
        spectra = fft.rfft2(self.light[(..., *part)], s=size)
        flat, shape = spectra.reshape(len(spectra), -1).view(np.float64), spectra.shape[1:]
        return lambda members: (self.mixing[members] @ flat).view(np.complex128).reshape(-1, *shape)


@final
@dataclass(frozen=True, eq=False)
class OwnImages(NodeImages):
    """Images (n, n_nodes, ny, nx) that ``make`` gives for some kernels (n,)."""

    light: Array
    make: Callable[[IntArray], Array]

    def of(self, kernels: IntArray) -> Array:
        return self.make(kernels)

    def spectra(self, part: Part, size: Size) -> _Spectra:
        return lambda members: np.asarray(fft.rfft2(self.make(members)[(..., *part)], s=size))


class NodeConvolver:
    """``folded[k] = sum_j kernel[j, k] * image[k, j]`` over the nodes j of a pixel, on a window; images on its support.

    kernels : (n_nodes, n_kernels, m, m), m odd, centred on the pixel; shape, support : as of a `Convolver`.
    """

    def __init__(self, kernels: Array, shape: Size, support: Part | None = None) -> None:
        self.shape, self.support = shape, support or (slice(0, shape[0]), slice(0, shape[1]))
        self._kernels, self._n_nodes = kernels, len(kernels)

    @cached_property
    def _groups(self) -> list[_Group]:
        return _Group.all_of(self._kernels)

    def fold_in_pieces(self, images: NodeImages) -> list[Iterator[tuple[int, Array]]]:
        """Kernels and folded images (*shape), which are overwritten by the next; to be gone through side by side."""
        found = lit(images.light)
        if found is None:
            return []
        part = rounded_up(moved(found, self.support), self.support)
        y, x = (slice(p.start - s.start, p.stop - s.start) for p, s in zip(part, self.support, strict=True))
        pieces = []
        for group in self._groups:
            grid = Grid.of(part, self.shape, group.half)
            spectra, kernels = images.spectra((y, x), grid.size), group.at(grid.size)
            for some in chunks(len(group.members), grid.size):
                pieces.append(self._folded(group.members[some], kernels(some), grid, spectra))
        return pieces

    def _folded(
        self, members: IntArray, kernels: Callable[[], ComplexArray], grid: Grid, spectra: _Spectra
    ) -> Iterator[tuple[int, Array]]:
        folded = np.zeros(self.shape)
        product = np.einsum("kjyx,kjyx->kyx", kernels(), spectra(members))
        for k, one in zip(members, fft.irfft2(product, s=grid.size, overwrite_x=True), strict=True):
            folded[grid.reach] = one[grid.cut]
            yield int(k), folded

    def send_back(self, images: Array, mixing: Array) -> Array:
        """The adjoint for `MixedImages` (n, n_nodes, ny, nx), from images (n_kernels, *shape)."""
        n_y, n_x = (part.stop - part.start for part in self.support)
        whole = np.zeros((mixing.shape[1], self._n_nodes, n_y, n_x))
        for group in self._groups:
            grid = Grid.of(self.support, self.shape, group.half)
            kernels, starts = group.at(grid.size), chunks(len(group.members), grid.size)
            some = [(group.members[part], kernels(part), grid, images, mixing) for part in starts]
            parts = side_by_side(lambda one: _mixed_back(*one), some)
            back = fft.irfft2(sum(parts[1:], parts[0]), s=grid.size, overwrite_x=True)
            whole += back[..., :n_y, :n_x]
        return whole

    def send_back_each(self, images: Array) -> Iterator[tuple[IntArray, Array]]:
        """The adjoint for `OwnImages`: kernels (n,) and what comes back (n, n_nodes, ny, nx)."""
        n_y, n_x = (part.stop - part.start for part in self.support)
        for group in self._groups:
            grid = Grid.of(self.support, self.shape, group.half)
            kernels = group.at(grid.size)
            for some in chunks(len(group.members), grid.size):
                members = group.members[some]
                back = fft.irfft2(_back(members, kernels(some), grid, images), s=grid.size, overwrite_x=True)
                yield members, back[..., :n_y, :n_x]


def _back(members: IntArray, kernels: Callable[[], ComplexArray], grid: Grid, images: Array) -> ComplexArray:
    """Spectra (n, n_nodes, ...) of what comes back from the images of some kernels."""
    placed = np.zeros((len(members), *grid.size))
    placed[(slice(None), *grid.cut)] = images[(members, *grid.reach)]
    return np.asarray(np.conjugate(kernels()) * fft.rfft2(placed, overwrite_x=True)[:, None])


def _mixed_back(
    members: IntArray, kernels: Callable[[], ComplexArray], grid: Grid, images: Array, mixing: Array
) -> ComplexArray:
    """The same for the images (n_mixed, n_nodes, ...) that theirs are mixed of."""
    back = _back(members, kernels, grid, images)
    flat = mixing[members].T @ back.reshape(len(back), -1).view(np.float64)
    return np.asarray(flat.view(np.complex128)).reshape(-1, *back.shape[1:])


class NoNodeConvolver:
    """What a `NodeConvolver` is when nothing is spread: images of all nodes are added up."""

    def __init__(self, n_kernels: int, n_nodes: int) -> None:
        self._n_kernels, self._n_nodes = n_kernels, n_nodes

    def fold_in_pieces(self, images: NodeImages) -> list[Iterator[tuple[int, Array]]]:
        return [iter([(k, images.of(np.array([k]))[0].sum(axis=0))]) for k in range(self._n_kernels)]

    def send_back(self, images: Array, mixing: Array) -> Array:
        return np.repeat(np.tensordot(mixing.T, images, axes=1)[:, None], self._n_nodes, axis=1)

    def send_back_each(self, images: Array) -> Iterator[tuple[IntArray, Array]]:
        yield np.arange(len(images)), np.repeat(images[:, None], self._n_nodes, axis=1)


@dataclass(frozen=True, eq=False)
class _Group:
    """Kernels of similar size: positions (n,), half width, (n, n_nodes, 2 half + 1, ...) and their transforms."""

    members: IntArray
    half: int
    kernels: Array
    kept: KernelGroup

    @classmethod
    def all_of(cls, kernels: Array) -> list[_Group]:
        groups = []
        for alike in KernelGroup.all_of(np.abs(kernels).max(axis=0)):
            inner = slice(kernels.shape[-1] // 2 - alike.half, kernels.shape[-1] // 2 + alike.half + 1)
            own = np.ascontiguousarray(kernels[:, alike.members, inner, inner].swapaxes(0, 1))
            flat = own.reshape(-1, *own.shape[2:])
            groups.append(cls(alike.members, alike.half, own, KernelGroup(np.arange(len(flat)), alike.half, flat, {})))
        return groups

    def at(self, size: Size) -> Callable[[slice], Callable[[], ComplexArray]]:
        """For some of the kernels what gives their transforms, (n, n_nodes, rows, columns / 2 + 1), in any thread."""
        n, n_nodes = self.kernels.shape[:2]
        if 8.0 * n * n_nodes * size[0] * size[1] > _KEPT_BYTES:
            return lambda some: lambda: np.asarray(fft.rfft2(self.kernels[some], s=size))
        kept = self.kept.at(size).reshape(n, n_nodes, size[0], -1)
        return lambda some: lambda: kept[some]
