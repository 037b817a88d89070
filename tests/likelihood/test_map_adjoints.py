"""Every fold against its adjoint: ``<y, fold(x)> == <adjoint(y), x>`` for random x and y, to 1e-10 of the terms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve

from gm.arrays import Array
from gm.likelihood.maps.folding.convolution import Convolver
from gm.likelihood.maps.folding.folding import Folding, RecoEnergyFolding, TrueEnergyFolding
from gm.likelihood.maps.folding.window import MapWindow
from gm.likelihood.maps.sources.point import PointSource

SHAPE, N_TRUE, N_ENERGY, N_ROWS = (14, 17), 5, 4, 40
SUPPORTS = [None, (slice(4, 9), slice(6, 12)), (slice(0, 3), slice(13, 17)), (slice(7, 8), slice(3, 4))]


def kernels(n: int, sizes: list[int], seed: int = 0) -> Array:
    """Kernels of different widths in one stack, none of them symmetric."""
    random, stack = np.random.default_rng(seed), np.zeros((len(sizes), n, n))
    for kernel, size in zip(stack, sizes, strict=True):
        inner = slice((n - size) // 2, (n + size) // 2)
        kernel[inner, inner] = random.random((size, size))
    return stack


STACKS = {
    "one size": kernels(7, [7, 7, 7, 7, 7]),
    "many sizes": kernels(9, [1, 3, 9, 5, 3]),
    "with an empty one": kernels(5, [5, 3, 1, 5, 3]) * np.array([1, 0, 1, 1, 0])[:, None, None],
    "wider than the map": kernels(41, [41, 3, 21, 41, 7]),
    "single pixels": kernels(1, [1, 1, 1, 1, 1]),
}


def window(seed: int = 1) -> MapWindow:
    """Some bins masked, some of the others with counts; not all of the dataset's rows lie here."""
    random = np.random.default_rng(seed)
    n_pixels = SHAPE[0] * SHAPE[1]
    mask = (random.random((N_ENERGY, n_pixels)) > 0.2).astype(float)
    inside = np.flatnonzero(mask.ravel())
    energy, pixel = np.divmod(np.sort(random.choice(inside, N_ROWS, replace=False)), n_pixels)
    edisp = random.random((N_TRUE, N_ENERGY))
    edisp[-1] = 0.0  # an energy that no bin sees
    return MapWindow(
        y=slice(3, 3 + SHAPE[0]),
        x=slice(5, 5 + SHAPE[1]),
        exposed=random.uniform(0.5, 2.0, (N_TRUE, *SHAPE)),
        edisp=edisp,
        mask=mask,
        rows=np.sort(random.choice(2 * N_ROWS, N_ROWS, replace=False)),
        energy=energy,
        pixel=pixel,
    )


def zero_outside(images: Array, support: tuple[slice, slice] | None) -> Array:
    if support is None:
        return images
    inside = np.zeros_like(images)
    inside[(..., *support)] = images[(..., *support)]
    return inside


def lengths(support: tuple[slice, slice] | None) -> tuple[int, int]:
    return SHAPE if support is None else (support[0].stop - support[0].start, support[1].stop - support[1].start)


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("name", STACKS)
def test_convolution(name: str, support: tuple[slice, slice] | None) -> None:
    """Against the sum over pixels, and the adjoint, of one image for all kernels and of one for each."""
    random, stack = np.random.default_rng(2), STACKS[name]
    convolver = Convolver(stack, SHAPE, support)
    image, images = (zero_outside(random.normal(size=s), support) for s in (SHAPE, (len(stack), *SHAPE)))
    expected = np.stack([convolve(image, kernel, mode="same", method="direct") for kernel in stack])
    np.testing.assert_allclose(convolver.fold(image), expected, rtol=1e-10, atol=1e-10 * np.abs(expected).max())
    each = np.stack(
        [convolve(i, kernel, mode="same", method="direct") for i, kernel in zip(images, stack, strict=True)]
    )
    np.testing.assert_allclose(convolver.fold(images), each, rtol=1e-10, atol=1e-10 * np.abs(each).max())
    weights = random.normal(size=each.shape)
    scale = float(np.sum(np.abs(weights * expected)) + np.sum(np.abs(weights * each)))
    back = convolver.fold_adjoint_each(weights)
    assert np.sum(weights * expected) == pytest.approx(np.sum(back * image), abs=1e-10 * scale)
    assert np.sum(weights * each) == pytest.approx(np.sum(back * images), abs=1e-10 * scale)


def foldings(support: tuple[slice, slice] | None) -> dict[str, Folding]:
    reco = kernels(9, [3, 9, 5, 7])
    return {
        "true": TrueEnergyFolding(window(), STACKS["many sizes"], support),
        "true, wide": TrueEnergyFolding(window(), STACKS["wider than the map"], support),
        "no psf": TrueEnergyFolding(window(), None, support),
        "reco": RecoEnergyFolding(window(), Convolver(reco, SHAPE, support)),
    }


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("by_energy", [False, True])
@pytest.mark.parametrize("name", foldings(None))
def test_folding(name: str, by_energy: bool, support: tuple[slice, slice] | None) -> None:
    """``weights . rows + slope * sum of all`` is linear in the image; `pull_back` is its derivative."""
    random, folding = np.random.default_rng(3), foldings(support)[name]
    spectrum, weights, slope = random.normal(size=N_TRUE), random.normal(size=2 * N_ROWS), 1.7
    shape = (*([N_TRUE] if by_energy else []), *lengths(support))
    image = random.normal(size=shape)
    response = folding.respond(image)
    terms = np.append(weights[response.rows] * (response.matrix @ spectrum), slope * response.total * spectrum)
    back = folding.pull_back(spectrum, weights, slope, by_energy=by_energy)
    assert back.shape == shape
    assert np.sum(terms) == pytest.approx(np.sum(back * image), abs=1e-10 * np.abs(terms).sum())


@pytest.mark.parametrize("support", SUPPORTS)
@pytest.mark.parametrize("by_energy", [False, True])
@pytest.mark.parametrize("name", foldings(None))
def test_rows_and_sums_are_those_of_the_whole_map(
    name: str, by_energy: bool, support: tuple[slice, slice] | None
) -> None:
    random, folding = np.random.default_rng(4), foldings(support)[name]
    image = random.random((*([N_TRUE] if by_energy else []), *lengths(support)))
    spectrum, at = random.normal(size=N_TRUE), folding.window
    response, counts = folding.respond(image), folding.counts(image, spectrum).reshape(N_ENERGY, -1)
    scale = np.abs(counts).max()
    np.testing.assert_allclose(response.matrix @ spectrum, counts[at.energy, at.pixel], rtol=1e-9, atol=1e-10 * scale)
    totals = folding.totals(image)
    np.testing.assert_allclose(totals @ spectrum, (counts * at.mask).sum(axis=1), rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(totals.sum(axis=0), response.total, rtol=1e-9, atol=1e-10 * response.total.max())


@pytest.mark.parametrize("name", foldings(None))
def test_a_part_of_the_energies(name: str) -> None:
    """The parts of a folding add up to the whole, row by row."""
    random, folding = np.random.default_rng(5), foldings(None)[name]
    image, whole = random.random(SHAPE), folding.respond(random.random(SHAPE))
    whole = folding.respond(image)
    total, rows = np.zeros(N_TRUE), np.zeros((2 * N_ROWS, N_TRUE))
    at = folding.window
    other = np.setdiff1d(np.arange(2 * N_ROWS), at.rows)  # rows of the dataset that lie outside of the window
    for first, last in ((0, 1), (1, 4)):
        kept = np.sort(
            np.append(at.rows[(at.energy >= first) & (at.energy < last)], other if first else []).astype(int)
        )
        part = folding.cut(at.cut(kept, first, last)).respond(image)
        total += part.total
        rows[kept[part.rows]] += part.matrix
    np.testing.assert_allclose(total, whole.total, rtol=1e-12)
    np.testing.assert_allclose(rows[whole.rows], whole.matrix, rtol=1e-10, atol=1e-12)
    assert not rows[other].any()


class Spread:
    """A point between the pixels (3, 2) and (4, 3) of the window, counted in the map; the shape is (u, v)."""

    scale = 0.1

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = np.array([x, x + 1, x, x + 1]), np.array([y, y, y + 1, y + 1])

    def weights(self, values: Array) -> tuple[Array, Array, Array, Array]:
        u, v = values
        weight = np.array([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v])
        slopes = np.array([[v - 1, 1 - v, -v, v], [u - 1, -u, 1 - u, u]])
        return self.x, self.y, weight, slopes


@pytest.mark.parametrize("reco", [False, True])
@pytest.mark.parametrize("place", [(8, 5), (5, 3), (21, 16), (4, 9), (22, 20)])
def test_a_point_is_an_image_of_four_pixels(place: tuple[int, int], reco: bool) -> None:
    """In the middle of the window, in its corners, half outside, and beyond; gathered rows against transforms."""
    at, stack = window(), kernels(9, [3, 9, 5, 7]) if reco else STACKS["many sizes"]
    columns, shape_columns, random = slice(0, N_TRUE), slice(N_TRUE, N_TRUE + 2), np.random.default_rng(6)
    point = Spread(*place)
    source = PointSource(columns, shape_columns, point, at, stack, reco_psf=reco)
    folding: Folding = RecoEnergyFolding(at, Convolver(stack, SHAPE)) if reco else TrueEnergyFolding(at, stack)
    flux = np.append(random.normal(size=N_TRUE), [0.3, 0.6])
    x, y, weight, slopes = point.weights(flux[shape_columns])
    images = np.zeros((3, *SHAPE))
    for ix, iy, shares in zip(x - at.x.start, y - at.y.start, np.vstack([weight, slopes]).T, strict=True):
        if 0 <= ix < SHAPE[1] and 0 <= iy < SHAPE[0]:
            images[:, iy, ix] += shares
    found = [source.response(flux), *source.slopes(flux)]
    for response, image in zip(found, images, strict=True):
        expected = folding.respond(image)
        rows = np.zeros((2 * N_ROWS, N_TRUE))
        rows[response.rows] = response.matrix
        np.testing.assert_allclose(rows[expected.rows], expected.matrix, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(response.total, expected.total, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(source.totals(flux), folding.totals(images[0]), rtol=1e-9, atol=1e-10)
    y_slice, x_slice, counts = source.counts(flux)
    assert (y_slice, x_slice) == (at.y, at.x)
    np.testing.assert_allclose(counts, folding.counts(images[0], flux[columns]), rtol=1e-9, atol=1e-10)
    weights, slope = random.normal(size=2 * N_ROWS), 1.7
    back = folding.pull_back(flux[columns], weights, slope, by_energy=False)
    expected_slopes = [np.sum(back * image) for image in images[1:]]
    np.testing.assert_allclose(source.shape_pullback(flux, weights, slope)[0], expected_slopes, rtol=1e-9, atol=1e-9)
