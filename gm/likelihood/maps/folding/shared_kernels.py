"""The kernels of all datasets that see the same images: what an image gives with a few of them serves each dataset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil, prod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.sparse import csr_array

from gm.arrays import Array, IntArray, distinct
from gm.io.allocator import give_back_freed_memory
from gm.likelihood.maps.folding.frequencies import ComplexArray, Part, Size, bounding_box, envelope
from gm.likelihood.maps.folding.kernel_basis import KernelBasis
from gm.likelihood.maps.folding.kernel_groups import Grid, moved, trimmed
from gm.likelihood.maps.folding.paired_kernels import PairedKernels
from gm.likelihood.maps.folding.window import EnergyResponse
from gm.likelihood.products import ROWS, product, times
from gm.parallel import Lock, TaskGroup, own_room, side_by_side

PRECISION = 1e-8  # of folded images: kernels are of single precision, and beyond it their roundings
_ROOM = 16  # a plan is made for images that are larger by this part on each side
_SMALL = 0.5  # of the pixels that a plan was made for: an image for which it is made again
_KEPT = 2  # sets of folded images
_LARGE = 1 << 21  # sums over all bins, by dataset, energy and pixel: of more, the single precision of exposures is kept
_AT_ONCE = 1 << 18  # pixels of transforms of one dataset that are sent back at a time
_ROWS_AT_ONCE = 1 << 13  # rows of several datasets that are seen at a time

_ONE_AT_A_TIME = Lock()  # for large plans: what they are made of takes more memory than they do
_Seen = tuple[Array, Array]  # counts per flux in the rows of a dataset (n_rows, n_seen), and in all bins (n_seen,)


@dataclass(frozen=True, eq=False)
class _Member:
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


@dataclass(frozen=True, eq=False)
class _Plan:
    """What folds images within ``part`` of their support: transforms of one size, and few kernels.

    pixels : (n_pixels,) of the transforms, that any dataset reads; nothing else of a folded image is kept
    without_phase : (n_pixels,) what takes the phase of transforms off there
    """

    part: Part
    basis: KernelBasis
    paired: PairedKernels
    blocks: list[_Block]
    pixels: IntArray
    without_phase: ComplexArray
    _by_pixel: list[csr_array] = field(default_factory=list)
    _room: list[ComplexArray] = field(default_factory=list)

    @classmethod
    def of(cls, part: Part, size: Size, members: Sequence[_Member], half: int, light: Array) -> _Plan:
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
        members: Sequence[_Member],
        half: int,
        light: Array,
        sums: type[np.float32 | np.float64],
    ) -> _Plan:
        basis = KernelBasis.of([member.kernels for member in members], size, (half, half), light)
        grids = [member.grid(part, half).with_size(size) for member in members]
        block_of = np.cumsum([member.response.n_rows for member in members]) // _ROWS_AT_ONCE
        some = [slice(k[0], k[-1] + 1) for k in (np.flatnonzero(block_of == block) for block in distinct(block_of))]
        blocks = [_Block(basis, members[k], grids[k], _lengths(part), sums) for k in some]
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

    def plane(self, n_pairs: int) -> ComplexArray:
        """Memory for a folded image where it is read (n_pixels, n_pairs), always the same."""
        if not self._room:
            self._room.append(np.empty(self.paired.n * self.pixels.size, dtype=np.complex128))
        return self._room[0][: n_pairs * self.pixels.size].reshape(self.pixels.size, n_pairs)

    def by_pixel(self) -> csr_array:
        """The sum over the rows of all datasets by pixel, (n_pixels, n_rows)."""
        if not self._by_pixel:
            pixels, n = np.concatenate([block.index.ravel() for block in self.blocks]), self.pixels.size
            order, first = np.argsort(pixels, kind="stable"), np.append(0, np.bincount(pixels, minlength=n).cumsum())
            self._by_pixel.append(csr_array((np.ones(pixels.size), order, first), (n, pixels.size)))
        return self._by_pixel[0]


class _Block:
    """Some datasets in arrays of one size, so that each step is one operation for all of them.

    index : (n, n_rows) pixels in the transforms, then their places among those that any dataset reads; per_row :
    (n, n_rows, n_seen) counts there per flux; coefficients : (n, n_basis, n_seen), None where the basis is the kernels;
    in_all : (n, n_seen, n_box) counts in all bins per flux in each pixel of the bounding box of images, as ``sums``
    """

    def __init__(
        self,
        basis: KernelBasis,
        members: Sequence[_Member],
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
        self.in_all = np.zeros((n, n_seen, prod(box_size)), dtype=sums)

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
        weights, in_all = member.response.per_pixel(), self.in_all[k, seen].reshape(-1, *self._box)
        step = max(_AT_ONCE // prod(grid.size), 1)
        for some in (slice(start, min(start + step, len(weights))) for start in range(0, len(weights), step)):
            in_all[some] = self._sent(grid, None if own is None else own[some], some, weights[some])

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

    def see(self, plane: ComplexArray, image: Array, seen: list[list[_Seen]]) -> None:
        """Append to what each dataset sees; plane : a folded image where it is read, (n_pixels, n_pairs); image :
        (n_box,)."""
        folded = own_room(*self.index.shape, plane.shape[1])
        np.take(plane, self.index, axis=0, out=folded, mode="clip")  # the other modes take a buffer
        values = self._by_kernel(folded.view(np.float64))
        totals = np.einsum("nep,p->ne", self.in_all, image)
        for member, its_values, its_totals in zip(self._members, values, totals, strict=True):
            n_rows, n_seen = member.response.n_rows, member.response.seen.size
            seen[member.number].append((its_values[:n_rows, :n_seen], its_totals[:n_seen]))

    def _by_kernel(self, folded: Array) -> Array:
        """Counts (n, n_rows, n_seen) of what is folded with the first of the basis, (n, n_rows, n_first)."""
        if self.coefficients is None:
            n_first, values = min(folded.shape[2], self.per_row.shape[2]), np.empty_like(self.per_row)
            np.multiply(folded[..., :n_first], self.per_row[..., :n_first], out=values[..., :n_first])
            values[..., n_first:] = 0.0
            return values
        values = product(folded, self.coefficients[:, : folded.shape[2]])
        values *= self.per_row
        return values

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


class _Folded:
    """Images (m, *box) with spectra (m, n_y, n_x) as pairs of kernels take them, and what every dataset sees of them
    with ``n`` of the basis."""

    def __init__(self, plan: _Plan, images: Array, spectra: ComplexArray, n: int) -> None:
        self.plan, self.images, self.spectra, self.n = plan, images.reshape(len(images), -1), spectra, n
        self._seen: list[list[_Seen]] | None = None

    def seen(self, number: int) -> list[_Seen]:
        """By one dataset, for each image."""
        if self._seen is None:
            self._seen = self._see()
        return self._seen[number]

    def _see(self) -> list[list[_Seen]]:
        plan, n_pairs = self.plan, self.n // 2
        seen: list[list[_Seen]] = [[] for _ in range(sum(block.n for block in plan.blocks))]
        plane = plan.plane(n_pairs)
        for image, spectrum in zip(self.images, self.spectra, strict=True):
            read = plan.pixels, plan.without_phase, plane
            fold = (partial(plan.paired.fold, spectrum, some, *read) for some in plan.paired.chunks(n_pairs))
            TaskGroup(fold, light=True).finish()
            TaskGroup((partial(block.see, plane, image, seen) for block in plan.blocks), light=True).finish()
        return seen

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

        nothing = np.zeros(plan.paired.frequencies.shape, dtype=np.complex128)
        back = sum(side_by_side(send, plan.paired.chunks(self.n // 2), light=True), nothing)
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
        self._members: list[_Member] = []
        self._lock = Lock()
        self._plan: _Plan | None = None
        self._known: list[tuple[Array, float, _Folded]] = []

    def join(self, response: EnergyResponse, kernels: NDArray[np.float32 | np.float64], support: Part) -> Member:
        """A dataset with its kernels (n_seen, m, m), m odd, and the images at ``support`` in its window."""
        number, start = len(self._members), self._members[-1].rows.stop if self._members else 0
        rows = slice(start, start + len(kernels))
        self._members.append(_Member(number, response, trimmed(kernels), rows, support))
        self._plan = None
        return Member(self, number)

    def seen(self, number: int, images: Array, precision: float) -> list[_Seen]:
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

    def _folded(self, images: Array, precision: float) -> _Folded:
        found = self._folded_before(images, precision)
        if found is None:
            found = self._fold(images, precision)
            self._known = [(images, precision, found), *self._known][:_KEPT]
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
        return _Folded(plan, images, plan.paired.turned(plan.basis.frequencies.cut(whole)), n)

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

    def see(self, images: Array, precision: float) -> list[_Seen]:
        """For each image (m, *support) counts per flux in the rows (n_rows, n_seen), and in all bins (n_seen,)."""
        return self.shared.seen(self.number, images, precision)


def _holds(outer: Part, inner: Part) -> bool:
    return all(o.start <= i.start and i.stop <= o.stop for o, i in zip(outer, inner, strict=True))


def _lengths(part: Part) -> Size:
    return part[0].stop - part[0].start, part[1].stop - part[1].start
