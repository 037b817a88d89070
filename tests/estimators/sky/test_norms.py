"""Norms at all pixels at once against a slow search at each of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import brentq

from gm.estimators.sky.norms import NormSettings, fit_norms
from gm.estimators.sky.planes import Plane
from gm.estimators.sky.series import DOWN, ORDER, UP, Series, split

SHAPE = 60, 70
WANTED = ("norm", "ts", "norm_errn", "norm_errp", "norm_ul")


def plane(
    level: float, seed: int, *, width: float = 2.0, source: float = 0.0, sent: bool = False, half: int = 8
) -> Plane:
    """Poisson counts of a background that varies, with a hole, and a source in the middle."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    kernel = np.exp(-0.5 * (y**2 + x**2) / width**2)
    kernel /= kernel.sum()
    background = level * random.uniform(0.8, 1.2, SHAPE)
    exposed = random.uniform(8.0, 12.0, SHAPE)
    exposed[20:25, 40:44] = 0.0
    expected = background.copy()
    expected[30 - half : 31 + half, 35 - half : 36 + half] += source * kernel
    counts = np.where(exposed > 0, random.poisson(expected), 0.0)
    flux = random.uniform(0.5, 1.5, SHAPE) if sent else None
    return Plane(counts, np.where(exposed > 0, background, 0.0), exposed, kernel, flux)


def slow(planes: Sequence[Plane], y: int, x: int) -> dict[str, float]:
    """From all bins around one pixel, by bisection."""
    parts = []
    for one in planes:
        half = one.kernel.shape[0] // 2
        rows, columns = slice(max(y - half, 0), y + half + 1), slice(max(x - half, 0), x + half + 1)
        kernel = one.kernel[rows.start - y + half :, columns.start - x + half :]
        exposed = one.exposed[rows, columns] * (1.0 if one.sent is None else one.sent[y, x])
        signal = kernel[: exposed.shape[0], : exposed.shape[1]] * exposed
        parts.append(np.stack([one.counts[rows, columns], one.background[rows, columns], signal]).reshape(3, -1))
    counts, background, signal = np.concatenate(parts, axis=1)
    counts, background, signal = (part[signal > 0] for part in (counts, background, signal))
    lowest = -(background / signal).min()

    def statistic(norm: float) -> float:
        predicted = background + norm * signal
        some = counts > 0
        return float(2.0 * (predicted.sum() - counts[some] @ np.log(predicted[some])))

    def slope(norm: float) -> float:
        return float((signal * (1.0 - counts / (background + norm * signal))).sum())

    def end(rise: float, sign: float, most: float) -> float:
        def missing(away: float) -> float:
            return statistic(norm + sign * away) - statistic(norm) - rise

        return float(brentq(missing, 0.0, most, xtol=1e-13)) if missing(most) > 0 else float("nan")

    inside = lowest * (1.0 - 1e-13)
    norm = lowest if slope(inside) > 0 else float(brentq(slope, inside, 1e3, xtol=1e-13))
    return {
        "norm": norm,
        "ts": statistic(0.0) - statistic(norm),
        "norm_errn": end(1.0, -1.0, norm - inside),
        "norm_errp": end(1.0, 1.0, 1e3),
        "norm_ul": norm + end(4.0, 1.0, 1e3),
    }


CASES = {
    "many counts": [plane(2.0, 1, source=300.0)],
    "few counts": [plane(0.02, 2, source=3.0)],
    "some": [plane(0.3, 3)],
    "of a small window": [plane(0.3, 11, source=40.0, half=4)],
    "fewer and fewer counts": [plane(1.0, 12), plane(0.1, 13, width=1.5, half=7), plane(0.003, 14, half=6)],
    "two planes": [plane(1.0, 4), plane(0.01, 5, width=1.0)],
    "seen with the exposure of its pixel": [plane(0.3, 6, sent=True), plane(0.1, 7, sent=True)],
}


@pytest.mark.parametrize("case", CASES)
def test_equal_to_a_slow_search_at_each_pixel(case: str) -> None:
    """1e-7 of an error; polynomials for the tails of kernels are off by 4e-9."""
    planes = CASES[case]
    found = fit_norms(planes, np.arange(SHAPE[0] * SHAPE[1]), NormSettings())
    random = np.random.default_rng(8)
    pixels = [
        (30, 35),
        (22, 42),
        (0, 0),
        (59, 69),
        *zip(random.integers(0, 60, 25), random.integers(0, 70, 25), strict=False),
    ]
    for y, x in pixels:
        expected, at = slow(planes, int(y), int(x)), int(y) * SHAPE[1] + int(x)
        for name in WANTED:
            assert found[name][at] == pytest.approx(expected[name], rel=1e-7, abs=1e-8, nan_ok=True), (name, y, x)


@pytest.mark.parametrize("case", CASES)
def test_where_zero_is_more_than_an_error_away_there_is_a_lower_error(case: str) -> None:
    """Also where the bin that ends the norms has counts, and rounding decides which of both comes first."""
    found = fit_norms(CASES[case], np.arange(SHAPE[0] * SHAPE[1]), NormSettings())
    has_end = (found["norm"] > 0) & (found["ts"] > 1.0)
    assert has_end.any()
    assert (found["norm_errn"][has_end] < found["norm"][has_end]).all()


def test_tails_of_kernels_are_convolved() -> None:
    """That the cases above are of both kinds, and that counts one by one and transforms are the same sums."""

    def parts(case: str) -> tuple[int, int, int]:
        size = np.full(SHAPE, 0.3)
        near, tails, whole = split(CASES[case], size)
        return len(near), len(tails), len(whole)

    assert parts("many counts")[:2] == (1, 1)
    assert parts("few counts")[:2] == (1, 1)
    assert parts("of a small window") == (0, 0, 1)


def test_sums_count_by_count_are_those_of_transforms(monkeypatch: pytest.MonkeyPatch) -> None:
    planes, pixels = CASES["fewer and fewer counts"], np.arange(SHAPE[0] * SHAPE[1])
    found = []
    for most in (0.0, np.inf):
        monkeypatch.setattr("gm.estimators.sky.series._SHORT", most)
        found.append(Series.of(planes, pixels).moments)
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-13 * other.max())


@pytest.mark.parametrize("power", [1, 2, 3])
def test_polynomials_are_near_all_the_way(power: int) -> None:
    """One bin of every distance, at the norms that end it: to 4e-9 of the sum, and less of its slope and curvature."""
    at = np.linspace(-DOWN, UP, 301)
    series = Series(np.ones((ORDER, at.size)), np.ones((2, at.size)))
    close = {1: 5e-9, 2: 5e-7, 3: 3e-5}[power]
    np.testing.assert_allclose(series.powers(at, power)[-1], (1.0 + at) ** -power, rtol=close)
    np.testing.assert_allclose(series.logs(at), np.log1p(at), rtol=1e-9, atol=1e-15)


def test_without_counts_the_norm_is_the_lowest_that_predicts_nothing_negative() -> None:
    """There -2 ln L rises by 2 for each count that is predicted: limits are linear in the squares of sigma."""
    empty = plane(0.1, 9).with_(counts=np.zeros(SHAPE))
    found = fit_norms([empty], np.array([35]), NormSettings(sigma=1.0, sigma_ul=3.0))
    expected = slow([empty], 0, 35)
    assert found["norm"][0] == pytest.approx(expected["norm"], rel=1e-12)
    assert found["norm_errp"][0] == pytest.approx(expected["norm_errp"], rel=1e-9)
    assert (found["norm_ul"][0] - found["norm"][0]) == pytest.approx(9.0 * found["norm_errp"][0], rel=1e-9)
    assert np.isnan(found["norm_errn"][0])
    assert np.isnan(found["norm_err"][0])


def test_below_the_threshold_the_guess_is_kept() -> None:
    planes, pixels = CASES["many counts"], np.arange(SHAPE[0] * SHAPE[1])
    all_fitted = fit_norms(planes, pixels, NormSettings(intervals=False))
    found = fit_norms(planes, pixels, NormSettings(intervals=False, threshold=4.0))
    kept = found["niter"] == 0
    assert 0.8 < kept.mean() < 1.0
    assert (found["ts"][kept] <= 4.0).all()
    assert found["norm"][~kept] == pytest.approx(all_fitted["norm"][~kept], rel=1e-9)
    assert (found["ts"] <= all_fitted["ts"] + 1e-9).all()


def test_pixels_without_a_signal_have_no_norm() -> None:
    blind = plane(0.1, 10)
    blind = Plane(blind.counts, blind.background, np.zeros(SHAPE), blind.kernel)
    found = fit_norms([blind], np.array([5, 6]), NormSettings())
    assert all(np.isnan(values).all() for values in found.values())


def test_chunks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit by bit, but for sums over the bins of a pixel, which are the same ones."""
    planes, pixels = CASES["two planes"], np.arange(SHAPE[0] * SHAPE[1])
    whole = fit_norms(planes, pixels, NormSettings())
    monkeypatch.setattr("gm.estimators.sky.norms._AT_A_TIME", 1 << 12)
    parts = fit_norms(planes, pixels, NormSettings())
    for name in WANTED:
        assert parts[name] == pytest.approx(whole[name], rel=1e-6, abs=1e-9, nan_ok=True)
