"""The kernels of all datasets that see the same images: what an image gives with a few of them serves each dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from math import ceil, prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.sparse import csr_array

from gm.arrays import Array, IntArray, distinct
from gm.io.allocator import give_back_freed_memory
from gm.likelihood.maps.folding.dataset_blocks import Block, DatasetAdjoint, DatasetKernels, Seen
from gm.likelihood.maps.folding.frequencies import ComplexArray, Part, Size, bounding_box, envelope
from gm.likelihood.maps.folding.kernel_basis import KernelBasis
from gm.likelihood.maps.folding.kernel_groups import trimmed
from gm.likelihood.maps.folding.paired_kernels import PairedKernels
from gm.likelihood.maps.folding.window import EnergyResponse
from gm.likelihood.products import times
from gm.parallel import Lock, TaskGroup, add_all, side_by_side

PRECISION = 1e-8  # of folded images: kernels are of single precision, and beyond it their roundings
_ROOM = 16  # a plan is made for images that are larger by this part on each side
_SMALL = 0.5  # of the pixels that a plan was made for: an image for which it is made again
_KEPT = 2  # sets of folded images
_SINGLE = 6e-8  # precision that single precision has: what is folded to no more is kept in it
_LARGE = 1 << 21  # sums over all bins, by dataset, energy and pixel: of more, the single precision of exposures is kept
_ROWS_AT_ONCE = 1 << 13  # rows of several datasets that are seen at a time
_READ_AT_ONCE = 1 << 19  # numbers of folded images, by pixel and pair, that are read at a time

_ONE_AT_A_TIME = Lock()  # for large plans: what they are made of takes more memory than they do


@dataclass(frozen=True, eq=False)
class _Plan:
    """What folds images within ``part`` of their support: transforms of one size, and few kernels.

    pixels : (n_pixels,) of the transforms, that any dataset reads; nothing else of a folded image is kept
    without_phase : (n_pixels,) what takes the phase of transforms off there
    """

    part: Part
    basis: KernelBasis
    paired: PairedKernels
    blocks: list[Block]
    pixels: IntArray
    without_phase: ComplexArray
    _by_pixel: list[csr_array] = field(default_factory=list)
    _room: list[ComplexArray] = field(default_factory=list)

    @classmethod
    def of(cls, part: Part, size: Size, members: Sequence[DatasetKernels], half: int, light: Array) -> _Plan:
        """For images with an envelope of their spectrum."""
        n_sums = sum(member.response.seen.size for member in members) * prod(_lengths(part))
        if n_sums <= _LARGE:
            return cls._of(part, size, members, half, light, np.float64)
        with _ONE_AT_A_TIME:
            give_back_freed_memory()
            plan = cls._of(part, size, members, half, light, np.float32)
            give_back_freed_memory()
            return plan

    @classmethod
    def _of(
        cls,
        part: Part,
        size: Size,
        members: Sequence[DatasetKernels],
        half: int,
        light: Array,
        sums: type[np.float32 | np.float64],
    ) -> _Plan:
        basis = KernelBasis.of([member.kernels for member in members], size, (half, half), light)
        grids = [member.grid(part, half).with_size(size) for member in members]
        block_of = np.cumsum([member.response.n_rows for member in members]) // _ROWS_AT_ONCE
        some = [slice(k[0], k[-1] + 1) for k in (np.flatnonzero(block_of == block) for block in distinct(block_of))]
        blocks = [Block(basis, members[k], grids[k], _lengths(part), sums) for k in some]
        TaskGroup(partial(block.fill, k) for block in blocks for k in range(block.n)).finish()
        pixels, paired = np.unique(np.concatenate([block.index.ravel() for block in blocks])), PairedKernels.of(basis)
        basis = basis.without_parts()
        for block in blocks:
            block.settle(basis, pixels)
        return cls(part, basis, paired, blocks, pixels, paired.without_phase(pixels))

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_room": []}

    @property
    def size(self) -> Size:
        return self.basis.frequencies.size

    def steps(self, n_pairs: int) -> list[slice]:
        """The first pairs, as many at a time as are read together."""
        step = max(_READ_AT_ONCE // max(self.pixels.size, 1), 1)
        return [slice(start, min(start + step, n_pairs)) for start in range(0, n_pairs, step)]

    def fold(self, spectrum: ComplexArray, some: slice) -> ComplexArray:
        """An image with some pairs where it is read, (n_pixels, n_some), in memory that is always the same."""
        n_some = some.stop - some.start
        if not self._room:
            n_most = self.steps(self.paired.n)[0].stop
            self._room.append(np.empty(n_most * self.pixels.size, dtype=np.complex128))
        plane = self._room[0][: n_some * self.pixels.size].reshape(self.pixels.size, n_some)

        def fold(few: slice) -> None:
            pairs = slice(some.start + few.start, some.start + few.stop)
            self.paired.fold(spectrum, pairs, self.pixels, self.without_phase, plane[:, few])

        TaskGroup((partial(fold, few) for few in self.paired.chunks(n_some)), light=True).finish()
        return plane

    def by_pixel(self) -> csr_array:
        """The sum over the rows of all datasets by pixel, (n_pixels, n_rows)."""
        if not self._by_pixel:
            pixels, n = np.concatenate([block.index.ravel() for block in self.blocks]), self.pixels.size
            order, first = np.argsort(pixels, kind="stable"), np.append(0, np.bincount(pixels, minlength=n).cumsum())
            self._by_pixel.append(csr_array((np.ones(pixels.size), order, first), (n, pixels.size)))
        return self._by_pixel[0]


class _Folded:
    """Images (m, *box) with spectra (m, n_y, n_x) as pairs of kernels take them, and what every dataset sees of them
    with ``n`` of the basis, to a ``precision``."""

    def __init__(self, plan: _Plan, images: Array, spectra: ComplexArray, n: int, precision: float) -> None:
        self.plan, self.images, self.spectra, self.n = plan, images.reshape(len(images), -1), spectra, n
        self._type = np.float32 if precision >= _SINGLE else np.float64
        self._seen: list[list[Seen]] | None = None

    def seen(self, number: int) -> list[Seen]:
        """By one dataset, for each image."""
        if self._seen is None:
            self._seen = self._see()
        return self._seen[number]

    def _see(self) -> list[list[Seen]]:
        """By each dataset, for each image."""
        blocks, by_image = self.plan.blocks, list[list[Seen]]()
        for image, spectrum in zip(self.images, self.spectra, strict=True):
            values = [np.zeros_like(block.per_row) for block in blocks]
            for some in self.plan.steps(self.n // 2):
                plane = self.plan.fold(spectrum, some)
                see = (partial(block.see, plane, some, own) for block, own in zip(blocks, values, strict=True))
                TaskGroup(see, light=True).finish()
            count = [partial(block.counts, own, image, self._type) for block, own in zip(blocks, values, strict=True)]
            by_image.append(list(chain.from_iterable(side_by_side(lambda counted: counted(), count, light=True))))
        return [[of_image[number] for of_image in by_image] for number in range(sum(block.n for block in blocks))]

    def along(self, sent: Sequence[DatasetAdjoint | None]) -> Array:
        """As `SharedKernels.along`."""
        plan, blocks = self.plan, self.plan.blocks
        starts = np.cumsum([0, *(block.n for block in blocks)])
        parts = side_by_side(lambda k: blocks[k].weigh(sent[starts[k] : starts[k + 1]]), range(len(blocks)), light=True)
        by_pixel, (y, x) = plan.by_pixel(), np.divmod(plan.pixels, plan.size[1])

        def send(some: slice) -> ComplexArray:
            pair = slice(2 * some.start, 2 * some.stop)
            rows = [block.by_basis(weights, pair) for block, (weights, _) in zip(blocks, parts, strict=True)]
            return plan.paired.send(by_pixel @ np.concatenate(rows), y, x, some)

        back = np.zeros(plan.paired.frequencies.shape, dtype=np.complex128)
        add_all(back, send, plan.paired.chunks(self.n // 2), light=True)
        in_all = np.sum([its_part for _, its_part in parts], axis=0)
        return np.asarray(np.einsum("yx,myx->m", back, self.spectra).real + times(self.images, in_all))


class SharedKernels:
    """All kernels that fold the same images, for datasets that see these on the same pixels.

    A transform is just so large that nothing that is read has wrapped around, and only the bounding box of an image is
    transformed. A plan is kept while images have much the same bounding box and much the same frequency support: of its
    rounding it depends for which images plans were made.

    n_plans : that were made by all of them in this process
    """

    n_plans: ClassVar[int] = 0

    def __init__(self) -> None:
        self._members: list[DatasetKernels] = []
        self._lock = Lock()
        self._plan: _Plan | None = None
        self._known: list[tuple[Array, float, _Folded]] = []

    def join(self, response: EnergyResponse, kernels: NDArray[np.float32 | np.float64], support: Part) -> Member:
        """A dataset with its kernels (n_seen, m, m), m odd, and the images at ``support`` in its window."""
        number, start = len(self._members), self._members[-1].rows.stop if self._members else 0
        rows = slice(start, start + len(kernels))
        self._members.append(DatasetKernels(number, response, trimmed(kernels), rows, support))
        self._plan = None
        return Member(self, number)

    def seen(self, number: int, images: Array, precision: float) -> list[Seen]:
        """Of each of some images (m, *support), by a dataset; the same array is folded once for all datasets."""
        with self._lock:
            return self._folded(images, precision).seen(number)

    def along(self, images: Array, sent: Sequence[DatasetAdjoint], precision: float) -> Array:
        """Derivatives of what datasets send along images (m, *support), (m,): the adjoint of the fold, one for all."""
        by_number: list[DatasetAdjoint | None] = [None] * len(self._members)
        for mine in sent:
            by_number[mine.number] = mine
        with self._lock:
            return self._folded(images, precision).along(by_number)

    def forget(self, *, with_plan: bool = True) -> None:
        """Folded images go, and the plan that they were folded with."""
        with self._lock:
            self._known.clear()
            if with_plan:
                self._plan = None

    def _folded(self, images: Array, precision: float) -> _Folded:
        found = self._folded_before(images, precision)
        if found is None:
            del self._known[_KEPT - 1 :]  # before what takes its place is made
            found = self._fold(images, precision)
            self._known.insert(0, (images, precision, found))
        return found

    def _folded_before(self, images: Array, precision: float) -> _Folded | None:
        """The same images, if they are known; nothing else is held, since plans are large."""
        for known, its_precision, folded in self._known:
            if known is images and its_precision == precision and folded.plan is self._plan:
                return folded
        return None

    def _fold(self, images: Array, precision: float) -> _Folded:
        half = max(member.kernels.shape[-1] // 2 for member in self._members)
        part, plan, n = self._around(images), self._plan, None
        size = plan.size if plan is not None and plan.part == part else self._size(part, half)
        images = images[(..., *part)]
        whole = fft.fft2(images, s=size)
        light = envelope(whole)
        if plan is not None and plan.part == part:
            n = plan.basis.enough(light, precision)
        if plan is None or n is None:
            plan = self._plan = None  # not both at a time
            self._known.clear()
            plan = self._plan = _Plan.of(part, size, self._members, half, light)
            SharedKernels.n_plans += 1
            n = plan.basis.enough(light, precision)
            assert n is not None
        return _Folded(plan, images, plan.paired.turned(plan.basis.frequencies.cut(whole)), n, precision)

    def _size(self, part: Part, half: int) -> Size:
        """Of transforms that are large enough for all."""
        sizes = [member.grid(part, half).size for member in self._members]
        return max(rows for rows, _ in sizes), max(columns for _, columns in sizes)

    def _around(self, images: Array) -> Part:
        """Rows and columns that hold images, and some room so that the next ones fit too."""
        part, last = bounding_box(images), self._plan.part if self._plan is not None else None
        n_y, n_x = images.shape[-2:]
        if part is None:
            return last or (slice(0, n_y), slice(0, n_x))
        if last is not None and _holds(last, part) and prod(_lengths(part)) >= _SMALL * prod(_lengths(last)):
            return last
        y, x = (
            slice(max(s.start - room, 0), min(s.stop + room, n))
            for s, n, room in zip(part, (n_y, n_x), (ceil(n / _ROOM) for n in _lengths(part)), strict=True)
        )
        return y, x


@dataclass(frozen=True, eq=False)
class Member:
    """One dataset among those that see the same images."""

    shared: SharedKernels
    number: int

    def see(self, images: Array, precision: float) -> list[Seen]:
        """For each image (m, *support) counts per flux in the rows (n_rows, n_seen), and in all bins (n_seen,)."""
        return self.shared.seen(self.number, images, precision)


def _holds(outer: Part, inner: Part) -> bool:
    return all(o.start <= i.start and i.stop <= o.stop for o, i in zip(outer, inner, strict=True))


def _lengths(part: Part) -> Size:
    return part[0].stop - part[0].start, part[1].stop - part[1].start
