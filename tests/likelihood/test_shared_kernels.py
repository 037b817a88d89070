"""Datasets that see the same images: few kernels instead of many, in few transforms, against sums over pixels."""

from __future__ import annotations

import weakref
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.signal import convolve

from gm.arrays import Array
from gm.likelihood.maps.folding import dataset_blocks, paired_kernels, shared_kernels
from gm.likelihood.maps.folding.dataset_blocks import DatasetAdjoint
from gm.likelihood.maps.folding.frequencies import Part, envelope
from gm.likelihood.maps.folding.kernel_basis import KernelBasis, sums_of_few
from gm.likelihood.maps.folding.paired_kernels import PairedKernels
from gm.likelihood.maps.folding.shared_kernels import Member, SharedKernels
from gm.likelihood.maps.folding.window import EnergyResponse, MapWindow

N_TRUE, N_ENERGY = 10, 3


def psf(half: int, sigmas: Array, *, symmetric: bool = True) -> Array:
    """Kernels (n, m, m) of different widths, cut where the widest is still there."""
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    stack = np.exp(-(y**2 + x**2) / (2 * sigmas[:, None, None] ** 2))
    if not symmetric:
        stack *= 1 + 0.3 * np.tanh(x) + 0.2 * np.sin(2 * y + x)
    return stack / stack.sum(axis=(1, 2), keepdims=True)


def dataset(shape: tuple[int, int], seed: int, n_rows: int = 60) -> MapWindow:
    """A window of some shape, with a mask, bins with counts in the same pixels, and an energy that none sees."""
    random, n_pixels = np.random.default_rng(seed), shape[0] * shape[1]
    mask = random.random((N_ENERGY, n_pixels)) > 0.1
    rows = np.sort(random.choice(np.flatnonzero(mask.ravel()), n_rows, replace=False))
    energy, pixel = np.divmod(rows, n_pixels)
    edisp = random.random((N_TRUE, N_ENERGY))
    edisp[seed % N_TRUE] = 0.0
    return MapWindow(
        y=slice(0, shape[0]), x=slice(0, shape[1]), exposed=random.uniform(0.5, 2.0, (N_TRUE, *shape)), edisp=edisp,
        mask=mask, rows=np.arange(n_rows), energy=energy, pixel=pixel,
    )  # fmt: skip


def expected(window: MapWindow, kernels: Array, support: Part, image: Array) -> tuple[Array, Array, float]:
    """Counts per light in the rows (n_rows, N_TRUE) and in all bins (N_TRUE,), bin by bin; and in the brightest bin."""
    whole = np.zeros(window.shape)
    whole[support] = image
    per_row, totals, brightest = np.zeros((window.rows.size, N_TRUE)), np.zeros(N_TRUE), 0.0
    for e, kernel in enumerate(kernels):
        exposed = window.exposure[e] * convolve(whole, kernel, mode="same", method="direct").ravel()
        per_row[:, e] = window.edisp[e, window.energy] * exposed[window.pixel]
        totals[e] = window.edisp[e] @ (window.mask @ exposed)
        brightest = max(brightest, window.edisp[e].max() * np.abs(exposed).max())
    return per_row, totals, brightest


class Group:
    """Datasets with windows of different shapes that see images (40, 44) at different places of theirs."""

    def __init__(self, *, symmetric: bool, n: int = 3, n_unseen: int = 0) -> None:
        self.shared = SharedKernels()
        self.windows = [dataset(shape, seed) for seed, shape in enumerate([(60, 66), (57, 66), (48, 50)])]
        self.supports = [(slice(y, y + 40), slice(x, x + 44)) for y, x in [(10, 12), (7, 12), (3, 2)]]
        self.kernels = [
            psf(half, np.linspace(0.8, widest, N_TRUE), symmetric=symmetric)
            for half, widest in [(7, 3.0), (9, 4.0), (5, 2.0)]
        ]
        for window in self.windows:
            window.edisp[:n_unseen] = 0.0
        self.responses = [EnergyResponse.of(window) for window in self.windows[:n]]
        parts = zip(self.responses, self.kernels, self.supports, strict=False)
        self.members: list[Member] = [
            self.shared.join(response, k[response.seen], support) for response, k, support in parts
        ]

    def check(self, images: Array, precision: float, of_sums: float = 1e-9) -> None:
        """What each sees of images (m, 40, 44), and what all send back, to a precision of the brightest; sums over all
        bins to a part of them."""
        random = np.random.default_rng(5)
        sent, terms = [], np.zeros(len(images))
        for member, response, kernels, support in zip(
            self.members, self.responses, self.kernels, self.supports, strict=False
        ):
            weights, spectrum = random.normal(size=response.n_rows), random.random(response.seen.size)
            sent.append(DatasetAdjoint(member.number, weights, 1.7, spectrum))
            seen = member.see(images, precision)
            for j, ((rows, totals), image) in enumerate(zip(seen, images, strict=True)):
                every_row, every_total, scale = expected(response.window, kernels, support, image)
                np.testing.assert_allclose(rows, every_row[:, response.seen], rtol=0, atol=precision * scale)
                np.testing.assert_allclose(
                    totals, every_total[response.seen], rtol=of_sums, atol=10 * precision * scale
                )
                terms[j] += weights @ rows @ spectrum + 1.7 * totals @ spectrum
        back = self.shared.along(images, sent[::-1], precision)
        np.testing.assert_allclose(back, terms, rtol=1e-10, atol=1e-10 * np.abs(terms).max())


@pytest.mark.parametrize("symmetric", [True, False])
def test_images_of_all_frequencies(symmetric: bool) -> None:
    """Noise, up to the borders of the support."""
    Group(symmetric=symmetric).check(np.random.default_rng(1).normal(size=(3, 40, 44)), 2e-9)


def gaussians(sigma: float) -> Array:
    """A Gaussian between two pixels, and its derivative with respect to its width."""
    y, x = np.ogrid[:40, :44]
    squares = ((y - 20.3) ** 2 + (x - 21.6) ** 2) / sigma**2
    return np.stack([np.exp(-squares / 2), np.exp(-squares / 2) * squares])


@pytest.mark.parametrize("symmetric", [True, False])
def test_smooth_images(symmetric: bool) -> None:
    """What is left out of them does not show, and one plan serves images that are much the same."""
    group = Group(symmetric=symmetric)
    group.check(gaussians(2.5)[:1], 1e-8)
    first = group.shared._plan
    assert first is not None
    for sigma in (2.5, 2.4, 2.6):
        group.check(gaussians(sigma), 1e-7)
        assert group.shared._plan is first
    folded = {precision: group.shared._folded(gaussians(2.5), precision).n for precision in (1e-8, 1e-4)}
    assert folded[1e-4] < folded[1e-8] <= first.basis.n < sum(map(len, group.kernels))
    group.check(gaussians(0.7), 1e-8)
    assert group.shared._plan is not first


def test_one_plan_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last plan, and what was folded with it, is gone when the next one is made."""
    group = Group(symmetric=True)
    group.shared.seen(0, gaussians(2.5), 1e-8)
    assert group.shared._plan is not None
    last, make, alive = weakref.ref(group.shared._plan), shared_kernels._Plan.of, list[bool]()

    def of(*args: Any) -> Any:
        alive.append(last() is not None)
        return make(*args)

    monkeypatch.setattr(shared_kernels._Plan, "of", of)
    group.shared.seen(0, gaussians(0.7), 1e-8)
    assert alive == [False]


@pytest.mark.parametrize("symmetric", [True, False])
def test_large_plans(symmetric: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quarter of the pairs of symmetric kernels, and sums over all bins in single precision, say the same."""
    monkeypatch.setattr(shared_kernels, "_LARGE", 0)
    monkeypatch.setattr(paired_kernels, "_LARGE", 0)
    group = Group(symmetric=symmetric)
    for images in (gaussians(2.5), np.random.default_rng(1).uniform(size=(1, 40, 44))):
        group.check(images, 1e-8, 1e-7)
        plan = group.shared._plan
        assert plan is not None
        assert {block.in_all.dtype for block in plan.blocks} == {np.dtype(np.float32)}
        assert len(plan.paired.pieces) == (4 if symmetric else 1)
        covered = np.zeros(plan.basis.frequencies.shape, dtype=int)
        for rows, columns, _ in plan.paired.pieces:
            covered[rows, columns] += 1
        assert (covered == 1).all()


@pytest.mark.parametrize("n", [1, 3])
def test_a_few_at_a_time(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pairs of kernels that are read, and one energy that is sent back, at a time: in as much memory, and the same.

    One dataset is folded with its kernels themselves, three with sums of a few.
    """
    monkeypatch.setattr(dataset_blocks, "_AT_ONCE", 1)
    group = Group(symmetric=True, n=n)
    noise = np.random.default_rng(1).normal(size=(3, 40, 44))
    group.shared.seen(0, noise, 1e-8)
    plan = group.shared._plan
    assert plan is not None
    monkeypatch.setattr(shared_kernels, "_READ_AT_ONCE", 2 * plan.pixels.size)
    group.shared._known.clear()
    plan._room.clear()
    group.check(noise, 2e-9)
    assert group.shared._plan is plan
    assert plan.paired.n > 2
    assert sum(room.size for room in plan._room) == 2 * plan.pixels.size


@pytest.mark.parametrize(("odd_y", "odd_x"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.3), (0.2, 0.3)])
def test_pairs_of_symmetric_kernels(odd_y: float, odd_x: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the pieces that are kept, along rows, columns or both, with the phase taken out, are all of them."""
    y, x = np.ogrid[-5:6, -5:6]
    kernels = psf(5, np.array([1.0, 1.5, 2.2, 2.5])) * (1 + odd_y * np.tanh(y) + odd_x * np.tanh(x))
    basis = KernelBasis.of([kernels], (40, 41), (5, 5), np.ones((21, 21)))
    (_, _, every), *_ = PairedKernels.of(basis).pieces
    monkeypatch.setattr(paired_kernels, "_LARGE", 0)
    kept, found = PairedKernels.of(basis), np.zeros_like(every)
    for rows, columns, pairs in kept.pieces:
        found[:, rows, columns] = pairs
    assert len(kept.pieces) == (1 if odd_y else 2) * (1 if odd_x else 2)
    np.testing.assert_allclose(found if kept.turn is None else found * kept.turn, every, atol=1e-13)


@pytest.mark.parametrize("more", [1e-2, 1e-6])
def test_a_sharper_image_in_the_same_place_has_a_plan_of_its_own(more: float) -> None:
    """A spot in the middle of a smooth image: its bounding box does not change, its frequencies do."""
    group, smooth = Group(symmetric=True), gaussians(2.5)[:1]
    group.check(smooth, 1e-8)
    first = group.shared._plan
    assert first is not None
    sharp = smooth + more * gaussians(0.5)[:1]
    group.check(sharp, 1e-8)
    second = group.shared._plan
    assert second is not None
    assert second is not first
    assert second.part == first.part
    group.check(sharp, 1e-8)
    assert group.shared._plan is second


@pytest.mark.parametrize("n_seen", [N_TRUE - 1, N_TRUE - 2])
def test_kernels_that_are_no_sums_of_fewer(n_seen: int) -> None:
    """Of one dataset, for images of all frequencies: each is in the basis, and one of zeros where they are odd."""
    group = Group(symmetric=False, n=1, n_unseen=N_TRUE - n_seen)
    group.check(np.random.default_rng(2).normal(size=(2, 40, 44)), 2e-9)
    assert group.shared._plan is not None
    assert group.shared._plan.basis.coefficients is None
    assert group.shared._plan.basis.n == n_seen + n_seen % 2
    group.check(gaussians(2.5), 1e-7)
    group.check(gaussians(2.5)[:1, ::-1].copy(), 1e-8)


def test_an_image_that_is_dark_or_elsewhere() -> None:
    group = Group(symmetric=True)
    group.check(np.zeros((2, 40, 44)), 1e-8)
    spot = np.zeros((1, 40, 44))
    spot[0, 2:5, 40:44] = 1.0
    group.check(spot, 1e-8)
    group.check(np.zeros((1, 40, 44)), 1e-8)
    group.check(spot[:, ::-1, ::-1].copy(), 1e-8)


def test_a_dark_image_of_one_dataset() -> None:
    """Whose kernels are their own basis, of which nothing is needed."""
    shared, response = SharedKernels(), EnergyResponse.of(dataset((20, 20), 0))
    kernels = psf(3, np.linspace(0.8, 2.0, N_TRUE), symmetric=True)[response.seen]
    member, spot = shared.join(response, kernels, (slice(0, 20), slice(0, 20))), np.zeros((1, 20, 20))
    spot[0, 9, 11] = 1.0
    assert member.see(spot, 1e-8)[0][0].any()
    ((rows, totals),) = member.see(np.zeros((1, 20, 20)), 1e-8)
    assert rows.shape == (response.n_rows, response.seen.size)
    assert not rows.any()
    assert not totals.any()


def test_a_dataset_may_send_nothing() -> None:
    group, images = Group(symmetric=True), gaussians(2.0)
    responses = group.responses
    sent = [DatasetAdjoint(k, np.ones(responses[k].n_rows), 0.3, np.ones(responses[k].seen.size)) for k in (0, 2)]
    each = sum(group.shared.along(images, [one], 1e-8) for one in sent)
    np.testing.assert_allclose(group.shared.along(images, sent, 1e-8), each, rtol=1e-10)


def test_kernels_without_light() -> None:
    """As where the PSF is empty at every energy."""
    shared, response = SharedKernels(), EnergyResponse.of(dataset((20, 20), 0))
    member = shared.join(response, np.zeros((response.seen.size, 5, 5)), (slice(0, 20), slice(0, 20)))
    ((rows, totals),) = member.see(np.ones((1, 20, 20)), 1e-8)
    assert not rows.any()
    assert not totals.any()
    sent = DatasetAdjoint(0, np.ones(response.n_rows), 1.0, np.ones(response.seen.size))
    assert not shared.along(np.ones((1, 20, 20)), [sent], 1e-8).any()


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 90), st.integers(1, 120), st.integers(1, 20), st.floats(0.0, 1e-4), st.integers(0, 99))
@example(n=41, m=41, rank=2, noise=1.3171920590339562e-06, seed=1)  # an odd number of sums, and one of zeros
def test_sums_of_few(n: int, m: int, rank: int, noise: float, seed: int) -> None:
    """Every row to the precision, also with only the first few; the basis is orthonormal and not larger than needed."""
    random, precision = np.random.default_rng(seed), 1e-6
    matrix = random.normal(size=(n, rank)) @ random.normal(size=(rank, m)) + noise * random.normal(size=(n, m))
    coefficients, basis, lacking = sums_of_few(matrix.copy(), precision)
    longest = np.sqrt((matrix**2).sum(axis=1).max())
    assert len(basis) % 2 == 0
    assert len(lacking) == len(basis) + 1
    for r in range(0, len(basis) + 1, 3):
        missing = np.sqrt(((matrix - coefficients[:, :r] @ basis[:r]) ** 2).sum(axis=1).max())
        assert missing <= lacking[r] * longest * (1 + 1e-9)
    assert np.abs(matrix - coefficients @ basis).max() <= precision * longest
    assert lacking[-1] <= precision
    assert all(a >= b for a, b in pairwise(lacking))
    used = basis[basis.any(axis=1)]
    np.testing.assert_allclose(used @ used.T, np.eye(len(used)), atol=1e-9)
    assert len(basis) <= min(n, m) + 1
    assert noise > 0 or len(basis) <= rank + 1


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("size", [(24, 27), (21, 20)])
def test_spectra_of_the_basis(size: tuple[int, int], symmetric: bool) -> None:
    """Sums of it have the spectra of the kernels, moved to the centre, at all frequencies."""
    kernels, center = psf(5, np.array([1.0, 1.5, 2.2]), symmetric=symmetric), (7, 4)
    flat = np.ones((size[0] // 2 + 1, size[1] // 2 + 1))
    basis = KernelBasis.of([kernels[:2], kernels[2:]], size, center, flat)
    moved = np.zeros((3, *size))
    moved[:, :11, :11] = kernels
    moved = np.roll(moved, (center[0] - 5, center[1] - 5), axis=(1, 2))
    frequencies = basis.frequencies
    exact = np.fft.fft2(moved)
    np.testing.assert_allclose(basis.spectra(basis.coefficients), frequencies.cut(exact), atol=1e-9)
    both = np.einsum("kr,ryx->kyx", basis.coefficients, basis.spectra())
    np.testing.assert_allclose(both, frequencies.cut(exact), atol=1e-9)
    half = basis.spectra(basis.coefficients, half=True)
    not_negative = (frequencies.half.astype(np.intp) + frequencies.lowest[1]) % frequencies.shape[1]
    np.testing.assert_allclose(np.abs(half), np.abs(frequencies.cut(exact)[..., not_negative]), atol=1e-9)


@pytest.mark.parametrize(("envelope_shape", "is_enough"), [((8, 8), True), ((9, 6), False), ((6, 9), False)])
def test_a_basis_is_not_enough_for_frequencies_that_it_does_not_have(
    envelope_shape: tuple[int, int], is_enough: bool
) -> None:
    """However bright it may be where it has them: it was made for the first 6, with room for 8."""
    kernels = psf(5, np.array([1.0, 1.5, 2.2]))
    basis = KernelBasis.of([kernels], (40, 40), (5, 5), np.ones((6, 6)))
    assert basis.limit.shape == (8, 8)
    flat = np.ones(envelope_shape)
    assert (basis.enough(flat, 1e-8) == basis.n) == is_enough
    assert (basis.enough(flat, 1e-8) is None) != is_enough
    assert basis.enough(1e9 * np.ones((2, 2)), 1e-8) is None
    flat[8:], flat[:, 8:] = 1e-10, 1e-10
    assert basis.enough(flat, 1e-8) == basis.n


@pytest.mark.parametrize("shape", [(8, 9), (1, 6), (15, 16)])
def test_highest_frequencies(shape: tuple[int, int]) -> None:
    """Of waves, as far as there are any in so few pixels."""
    y, x = np.ogrid[: shape[0], : shape[1]]
    for n_y, n_x in [(0, 0), (2, 1), (1, 3), (4, 4)]:
        waves = np.cos(2 * np.pi * (n_y * y / shape[0] + n_x * x / shape[1]))
        folded = [min(n % size, -n % size) for n, size in zip((n_y, n_x), shape, strict=True)]
        light = envelope(np.fft.fft2(waves[None]))
        assert light.shape == (folded[0] + 1, folded[1] + 1)
        np.testing.assert_allclose(light, 1.0)
