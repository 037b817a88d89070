"""One norm against a scalar minimisation of the plain statistic, where counts are few."""

from __future__ import annotations

from math import inf

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from gm.arrays import Array
from gm.estimators.norm import NoMinimum, NormEstimate, NormProfile
from gm.likelihood.line import RowLine
from gm.statistics import Cash, Chi2, WStat

SCAN = np.geomspace(0.2, 5.0, 11)


def cash_line(counts: object, signal: object, rest: object) -> RowLine:
    counts, signal, rest = (np.array(values, dtype=float) for values in (counts, signal, rest))
    return RowLine(Cash(counts), signal, rest)


def estimate(*lines: RowLine) -> NormEstimate:
    return NormProfile(lines).estimate(1.0, 2.0, SCAN, 5.0)


def direct(counts: Array, signal: Array, rest: Array) -> dict[str, float | None]:
    """The same by scalar searches: Poisson's likelihood where it is not 0, every empty bin at least 0."""

    def value(norm: float) -> float:
        mu = rest + norm * signal
        if (mu[counts > 0] <= 0).any():
            return inf
        some = counts > 0
        return float(np.sum(2 * np.maximum(mu, 0)) - np.sum(2 * counts[some] * np.log(mu[some])))

    some = (counts > 0) & (signal > 0)
    low = float(np.max(-rest[some] / signal[some]))
    high = max(low, 0.0) + 10.0 * (counts.sum() + rest.sum()) / signal.sum()
    found = minimize_scalar(value, bounds=(low, high), method="bounded", options={"xatol": 1e-13 * (high - low)})
    norm, stat = float(found.x), float(found.fun)
    rise = {n: brentq(lambda x, n=n: value(x) - stat - n * n, norm, norm + 100 * (high - low)) for n in (1, 2)}
    tiny = 1e-15 * (high - low)
    return {
        "norm": norm,
        "stat": stat,
        "norm_errn": norm - float(brentq(lambda x: value(x) - stat - 1, low + tiny, norm)),
        "norm_errp": rise[1] - norm,
        "norm_ul": rise[2],
    }


@pytest.mark.parametrize("seed", range(60))
def test_bands_with_few_counts(seed: int) -> None:
    """One to five counts in up to eight bins, on backgrounds from 1e-6 to a few: the norm to 1e-6 of its error.

    The root of the slope is exact; the scalar minimisation is as good as the square root of its rounding.
    """
    random = np.random.default_rng(seed)
    n_bins = int(random.integers(1, 9))
    signal, rest = 10 ** random.uniform(-3, 1, n_bins), 10 ** random.uniform(-6, 0.5, n_bins)
    counts = np.bincount(random.integers(0, n_bins, random.integers(1, 6)), minlength=n_bins).astype(float)
    found, expected = estimate(cash_line(counts, signal, rest)), direct(counts, signal, rest)
    error = expected["norm_errp"]
    assert error is not None
    assert found.stat <= expected["stat"] + 1e-12
    assert found.stat == pytest.approx(expected["stat"], abs=1e-8)
    assert found.norm == pytest.approx(expected["norm"], abs=3e-6 * error)
    for name in ("norm_errn", "norm_errp", "norm_ul"):
        assert getattr(found, name) == pytest.approx(expected[name], abs=1e-5 * error), name
    assert found.ts >= 0
    assert found.stat <= found.stat_scan.min() + 1e-9


def test_one_count_above_a_small_background() -> None:
    """By hand: 2 (b + S x) - 2 ln(b + s x) is lowest at x = 1/S - b/s, with the lower error above the pole -b/s."""
    found = estimate(cash_line([0, 1], [1.5, 0.5], [1.0, 0.01]))
    assert found.norm == pytest.approx(1 / 2.0 - 0.01 / 0.5, rel=1e-9)
    assert found.norm_errn is not None
    assert found.norm - found.norm_errn > -0.02
    assert found.missing == {}


def test_a_plateau_lower_than_the_minimum_is_none() -> None:
    """Where the count is given up, the empty bins of a large background cost 60 less."""
    found = estimate(cash_line([1, 0, 0], [1.0, 1.0, 1.0], [0.1, 100.0, 80.0]))
    assert found.norm == pytest.approx(1 / 3 - 0.1, rel=1e-9)
    assert found.ts == pytest.approx(2 * np.log(10 / 3) - 2 * 3 * (1 / 3 - 0.1), rel=1e-9)


@pytest.mark.parametrize("size", [1e-80, 1e-30, 1e30, 1e80])
def test_the_size_of_the_reference_does_not_matter(size: float) -> None:
    rows = [0.0, 1, 2], np.array([1.0, 2, 0.5]), [0.1, 0.2, 0.0]
    one, other = estimate(cash_line(*rows)), estimate(cash_line(rows[0], rows[1] * size, rows[2]))
    for name in ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "norm_sensitivity"):
        assert getattr(other, name) * size == pytest.approx(getattr(one, name), rel=1e-8), name


def test_a_negative_signal_is_bounded_above() -> None:
    """A reference below 0 in one bin: the counts there end before its prediction does."""
    found = estimate(cash_line([3, 2], [-1.0, 4.0], [5.0, 1.0]))
    norm = found.norm
    assert -0.25 < norm < 5.0
    assert -1 + 3 / (5 - norm) + 4 - 8 / (1 + 4 * norm) == pytest.approx(0, abs=1e-8)


def test_counts_that_no_norm_predicts() -> None:
    """The two bins ask for norms above 1 and below 0.5."""
    with pytest.raises(NoMinimum, match="no norm predicts something in every bin with counts"):
        estimate(cash_line([1, 1], [1.0, -2.0], [-1.0, 1.0]))


def test_rounding_of_no_signal_takes_no_part() -> None:
    """A bin with a count and a signal of -1e-20, as transforms leave it, where nothing else is predicted."""
    clean = estimate(cash_line([2, 1], [1.0, 0.0], [0.5, 0.0]))
    noisy = estimate(cash_line([2, 1], [1.0, -1e-20], [0.5, 0.0]))
    assert noisy.norm == pytest.approx(clean.norm, rel=1e-12)


def test_counts_where_next_to_nothing_is_predicted() -> None:
    with pytest.raises(NoMinimum, match="so little is predicted that the statistic is cut off"):
        estimate(cash_line([0, 1], [10.0, 1e-40], [0.0, 0.0]))


@pytest.mark.parametrize("seed", range(20))
def test_w_is_convex_for_every_norm(seed: int) -> None:
    """The minimum is where the slope vanishes or changes sign, and no value around it is lower."""
    random = np.random.default_rng(seed)
    n_bins = int(random.integers(1, 6))
    on, off = (random.integers(0, 4, n_bins).astype(float) for _ in range(2))
    statistic, signal = WStat(on, off, random.uniform(0.05, 2.0, n_bins)), random.uniform(0.1, 5.0, n_bins)
    line = RowLine(statistic, signal, np.zeros(n_bins))
    found = estimate(line)
    around = found.norm + np.concatenate([-np.geomspace(1e-6, 1e3, 50), np.geomspace(1e-6, 1e3, 50)])
    assert found.stat <= line.values(around).min() + 1e-9
    assert found.norm_errn is not None
    for norm in (found.norm - found.norm_errn, found.norm + (found.norm_errp or inf)):
        assert line.values(np.array([norm]))[0] - found.stat == pytest.approx(1.0, abs=1e-8)


def test_counts_and_flux_points_together() -> None:
    """Points that ask for a norm far below the pole of the counts."""
    points = RowLine(Chi2(np.array([-50.0]), np.array([1.0])), np.array([1.0]), np.zeros(1))
    found = estimate(cash_line([1], [1.0], [0.5]), points)
    norm = found.norm
    assert norm > -0.5
    assert 2 - 2 / (0.5 + norm) + 2 * (norm + 50) == pytest.approx(0, abs=1e-6)


def test_why_numbers_are_missing() -> None:
    """Without counts the statistic is a straight line that ends in a plateau."""
    found = estimate(cash_line([0, 0], [1.0, 1.0], [0.5, 0.2]))
    assert found.norm == pytest.approx(-0.5, rel=1e-9)
    assert (found.norm_err, found.norm_errn) == (None, None)
    assert found.missing == {
        "norm_err": "the statistic has no curvature at this norm",
        "norm_errn": "the statistic never rises by 1 towards lower norms",
    }


@pytest.mark.parametrize("background", [1e-4, 1e-2, 0.15])
def test_no_counts_where_a_tail_of_next_to_no_signal_is_seen(background: float) -> None:
    """As on a map: the norm is where the last bin is empty, far below 0; the limit has all its digits nevertheless."""
    signal = np.array([1.0, 0.5, 1e-12, 1e-30])
    found = estimate(cash_line(np.zeros(4), signal, np.full(4, background)))
    assert found.norm == pytest.approx(-background / 1e-30, rel=1e-6)
    assert found.ts == pytest.approx(8 * background, rel=1e-6)
    assert found.norm_ul is not None
    assert found.norm_ul == pytest.approx((4.0 - 8 * background) / (2 * signal.sum()), rel=1e-6)
    assert found.norm_errp is not None
    assert (found.norm_err, found.norm_errn) == (None, None)
    assert found.missing["norm_errn"] == "the statistic never rises by 1 towards lower norms"
