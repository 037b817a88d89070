"""Convolution of images that are given at several nodes of each pixel, every node with its own kernels.

One inverse transform for a kernel serves all nodes, whose products are summed before. Images that are sums of a few,
with one factor for each kernel, are transformed once for all kernels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from math import prod
from typing import final

import numpy as np
from scipy import fft

from gm.arrays import Array, IntArray
from gm.likelihood.maps.folding.frequencies import ComplexArray, Part, Size, images_of, spectra_of
from gm.likelihood.maps.folding.kernel_groups import Grid, KernelGroup, chunks
from gm.parallel import add_all, side_by_side

KEPT_BYTES = 6e7  # of transformed kernels of similar size; beyond, they are made again each time


class NodeImages(ABC):
    """Images at the nodes of each pixel, (n_kernels, n_nodes, ny, nx) in all."""

    @abstractmethod
    def of(self, kernels: IntArray) -> Array:
        """The images of some kernels (n,), (n, n_nodes, ny, nx)."""

    def spectra(self, size: Size) -> Callable[[IntArray], ComplexArray]:
        """For some kernels (n,) the transforms of their images, (n, n_nodes, rows, columns / 2 + 1)."""
        return lambda kernels: spectra_of(self.of(kernels), size)


@final
@dataclass(frozen=True, eq=False)
class MixedImages(NodeImages):
    """``mixing @ images``: images (n, n_nodes, ny, nx), mixing (n_kernels, n)."""

    images: Array
    mixing: Array

    def of(self, kernels: IntArray) -> Array:
        return np.asarray(np.tensordot(self.mixing[kernels], self.images, axes=1))

    def spectra(self, size: Size) -> Callable[[IntArray], ComplexArray]:
        spectra = spectra_of(self.images, size)
        flat, shape = spectra.reshape(len(spectra), -1).view(np.float64), spectra.shape[1:]
        return lambda kernels: (self.mixing[kernels] @ flat).view(np.complex128).reshape(-1, *shape)


@final
@dataclass(frozen=True, eq=False)
class OwnImages(NodeImages):
    """Images (n, n_nodes, ny, nx) that ``make`` gives for some kernels (n,)."""

    make: Callable[[IntArray], Array]

    def of(self, kernels: IntArray) -> Array:
        return self.make(kernels)


class NodeConvolver:
    """``folded[k] = sum_j kernel[j, k] * image[k, j]`` over the nodes j of a pixel, on a window; images on its support.

    kernels : (n_nodes, n_stored, m, m), m odd, centred on the pixel; shape, support : as of a `Convolver`; chosen :
    positions (n_kernels,) of the kernels that are meant, by default of all; room : bytes for the transforms of kernels
    of similar size, beyond which they are made each time
    """

    def __init__(
        self,
        kernels: Array,
        shape: Size,
        support: Part | None = None,
        chosen: IntArray | None = None,
        room: float = KEPT_BYTES,
    ) -> None:
        self.shape, self.support = shape, support or (slice(0, shape[0]), slice(0, shape[1]))
        self._kernels, self._n_nodes, self._room = kernels, len(kernels), room
        self._chosen = np.arange(kernels.shape[1]) if chosen is None else chosen
        self._image = self.support[0].stop - self.support[0].start, self.support[1].stop - self.support[1].start

    @cached_property
    def _groups(self) -> list[_Group]:
        groups = KernelGroup.all_of(np.abs(self._kernels).max(axis=0)[self._chosen])
        among = self._kernels, self._chosen, self._room
        return [
            _Group(*among, alike.members, alike.half, Grid.of(self.support, self.shape, alike.half)) for alike in groups
        ]

    def fold_in_pieces(self, images: NodeImages) -> list[Iterator[tuple[int, Array]]]:
        """Kernels and folded images (*shape), which are overwritten by the next; to be gone through side by side."""
        pieces = []
        for group in self._groups:
            spectra = images.spectra(group.grid.size)
            pieces += [self._folded(group, some, spectra) for some in group.chunks()]
        return pieces

    def _folded(
        self, group: _Group, some: slice, spectra: Callable[[IntArray], ComplexArray]
    ) -> Iterator[tuple[int, Array]]:
        folded, grid, members = np.zeros(self.shape), group.grid, group.members[some]
        product = np.einsum("kjyx,kjyx->kyx", group.transforms(some), spectra(members))
        for k, one in zip(members, images_of(product, grid.size, grid.cut), strict=True):
            folded[grid.reach] = one
            yield int(k), folded

    def send_back(self, images: Array, mixing: Array) -> Array:
        """The adjoint for `MixedImages` (n, n_nodes, ny, nx), from images (n_kernels, *shape)."""
        whole = np.zeros((mixing.shape[1], self._n_nodes, *self._image))

        def mixed(group: _Group, some: slice) -> ComplexArray:
            back = self._back(group, some, images)
            flat = mixing[group.members[some]].T @ back.reshape(len(back), -1).view(np.float64)
            return np.asarray(flat.view(np.complex128)).reshape(-1, *back.shape[1:])

        for group in self._groups:
            n_y, n_x = group.grid.size
            back = np.zeros((*whole.shape[:2], n_y, n_x // 2 + 1), dtype=np.complex128)
            add_all(back, partial(mixed, group), group.chunks())
            whole += self._images(group, back)
        return whole

    def send_back_in_pieces(self, images: Array) -> list[Callable[[], tuple[IntArray, Array]]]:
        """The adjoint for `OwnImages`: kernels (n,) and what comes back (n, n_nodes, ny, nx)."""

        def one(group: _Group, some: slice) -> tuple[IntArray, Array]:
            return group.members[some], self._images(group, self._back(group, some, images))

        return [partial(one, group, some) for group in self._groups for some in group.chunks()]

    def _images(self, group: _Group, spectra: ComplexArray) -> Array:
        return images_of(spectra, group.grid.size, (slice(self._image[0]), slice(self._image[1])))

    def _back(self, group: _Group, some: slice, images: Array) -> ComplexArray:
        """Spectra (n, n_nodes, ...) of what comes back from the images of some kernels."""
        members, grid = group.members[some], group.grid
        (rows, columns), (n_rows, n_columns) = grid.cut, grid.size
        placed = np.zeros((len(members), rows.stop - rows.start, n_columns))
        placed[..., columns] = images[(members, *grid.reach)]
        spectra = np.zeros((len(members), n_rows, n_columns // 2 + 1), dtype=np.complex128)
        spectra[:, rows] = fft.rfft(placed, axis=-1, overwrite_x=True)
        back = np.conjugate(group.transforms(some))
        back *= fft.fft(spectra, axis=-2, overwrite_x=True)[:, None]
        return back


class NoNodeConvolver:
    """What a `NodeConvolver` is when nothing is spread: images (n_kernels, n_y, n_x) of all nodes are added up, and
    sent back to each."""

    def __init__(self, n_kernels: int, n_nodes: int) -> None:
        self._n_kernels, self._n_nodes = n_kernels, n_nodes

    def fold_in_pieces(self, images: NodeImages) -> list[Iterator[tuple[int, Array]]]:
        return [iter([(k, images.of(np.array([k]))[0].sum(axis=0))]) for k in range(self._n_kernels)]

    def send_back(self, images: Array, mixing: Array) -> Array:
        return np.repeat(np.tensordot(mixing.T, images, axes=1)[:, None], self._n_nodes, axis=1)

    def send_back_in_pieces(self, images: Array) -> list[Callable[[], tuple[IntArray, Array]]]:
        return [lambda: (np.arange(len(images)), np.repeat(images[:, None], self._n_nodes, axis=1))]


class _Group:
    """Kernels of similar size, and the transforms that they need, which are kept where they are not too many.

    members : positions (n,) among the ``chosen`` kernels
    """

    def __init__(self, kernels: Array, chosen: IntArray, room: float, members: IntArray, half: int, grid: Grid) -> None:
        self.members, self.grid = members, grid
        self._kernels, self._rows, self._half = kernels, chosen[members], half
        self._kept: ComplexArray | None = None
        if 8.0 * len(kernels) * len(members) * prod(grid.size) < room:
            self._kept = np.concatenate(side_by_side(self._transformed, self.chunks()))

    def chunks(self) -> Iterator[slice]:
        """Some kernels at a time."""
        return chunks(len(self.members), self.grid.size)

    def transforms(self, some: slice) -> ComplexArray:
        """Of some kernels, (n, n_nodes, rows, columns / 2 + 1)."""
        return self._transformed(some) if self._kept is None else self._kept[some]

    def _transformed(self, some: slice) -> ComplexArray:
        half, middle = self._half, self._kernels.shape[-1] // 2
        inner = slice(middle - half, middle + half + 1)
        kernels = self._kernels[:, self._rows[some], inner, inner].swapaxes(0, 1)
        return spectra_of(kernels, self.grid.size)
