"""Norms where off counts measure the background, against a slow search, and against a background that is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from gm.datasets import Datasets
from gm.errors import DataError
from gm.estimators.sky.measured_norms import MeasuredPlane, fit_measured_norms
from gm.estimators.sky.norms import NormSettings, fit_norms
from gm.estimators.sky.planes import Plane
from gm.estimators.sky.ts_map import TSMapEstimator
from gm.models import Models
from gm.statistics import WStat
from tests.map_samples import background, cube, on_off_cube, point, source

SHAPE = 24, 30
EVERY = np.arange(SHAPE[0] * SHAPE[1])
WANTED = ("norm", "ts", "norm_errn", "norm_errp", "norm_ul")


def plane(level: float, seed: int, *, off: float = 5.0, signal: float = 0.0, sent: bool = False) -> MeasuredPlane:
    """Poisson counts of a source in the middle and of a background that ``off`` times as many off counts measure."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-4:5, -4:5]
    kernel = np.exp(-0.5 * (y**2 + x**2) / 1.5**2)
    kernel /= kernel.sum()
    exposed = random.uniform(8.0, 12.0, SHAPE)
    exposed[5:8, 20:24] = 0.0
    expected = np.full(SHAPE, level + signal)
    expected[8:17, 10:19] += 8.0 * kernel
    return MeasuredPlane(
        counts=np.where(exposed > 0, random.poisson(expected), 0.0),
        counts_off=np.where(exposed > 0, random.poisson(level * off, SHAPE), 0.0),
        alpha=np.full(SHAPE, 1.0 / off),
        signal=np.full(SHAPE, signal),
        exposed=exposed,
        kernel=kernel,
        sent=random.uniform(0.5, 1.5, SHAPE) if sent else None,
    )


def slow(planes: Sequence[MeasuredPlane], y: int, x: int) -> dict[str, float]:
    """From all bins around one pixel, one after the other."""
    parts = []
    for one in planes:
        half = one.kernel.shape[0] // 2
        for i in range(max(y - half, 0), min(y + half + 1, SHAPE[0])):
            for j in range(max(x - half, 0), min(x + half + 1, SHAPE[1])):
                seen = one.exposed[i, j] * one.kernel[i - y + half, j - x + half]
                seen *= 1.0 if one.sent is None else one.sent[y, x]
                if seen > 0:
                    at = one.counts[i, j], one.counts_off[i, j], one.alpha[i, j], one.signal[i, j], seen
                    parts.append(at)
    on, off, alpha, signal, seen = np.array(parts).T
    statistic = WStat(on, off, alpha)

    def value(norm: float) -> float:
        return float(np.sum(statistic.value(signal + norm * seen)))

    norm = float(minimize_scalar(value, bracket=(-1.0, 1.0), tol=1e-10).x)

    def end(rise: float, sign: float) -> float:
        return float(brentq(lambda away: value(norm + sign * away) - value(norm) - rise, 0.0, 1e3, xtol=1e-12))

    found = {"norm": norm, "ts": value(0.0) - value(norm), "norm_errn": end(1.0, -1.0), "norm_errp": end(1.0, 1.0)}
    return {**found, "norm_ul": norm + end(4.0, 1.0)}


CASES = {
    "many counts": [plane(20.0, 1)],
    "few counts": [plane(0.3, 2)],
    "hardly any": [plane(0.02, 3)],
    "beside sources of the model": [plane(1.0, 4, signal=0.5), plane(0.1, 5)],
    "seen with the exposure of its pixel": [plane(0.5, 6, sent=True)],
}


@pytest.mark.parametrize("case", CASES)
def test_equal_to_a_slow_search_at_each_pixel(case: str) -> None:
    """Where the statistic is nearly flat a minimum is known to the root of its rounding: 2e-6 of an error."""
    found = fit_measured_norms(CASES[case], EVERY, NormSettings())
    random = np.random.default_rng(8)
    for y, x in [(12, 14), (0, 0), (6, 22), *random.integers(0, SHAPE, (12, 2)).tolist()]:
        expected, at = slow(CASES[case], y, x), y * SHAPE[1] + x
        error = expected["norm_errp"]
        for name in WANTED:
            near = 1e-6 if name == "ts" else 2e-6 * max(error, 1.0)
            assert found[name][at] == pytest.approx(expected[name], rel=2e-6, abs=near), (name, y, x)


def test_a_background_that_is_measured_well_is_a_known_one() -> None:
    """A million times as many off counts as they should be: W is Cash, but below the lowest norm of that."""
    known = plane(3.0, 11)
    level = np.where(known.exposed > 0, 3.0, 0.0)
    many = MeasuredPlane(known.counts, level * 1e7, np.full(SHAPE, 1e-7), known.signal, known.exposed, known.kernel)
    one = fit_measured_norms([many], EVERY, NormSettings())
    other = fit_norms([Plane(known.counts, level, known.exposed, known.kernel)], EVERY, NormSettings())
    inside = np.isfinite(other["norm_errn"])
    assert inside.mean() > 0.9
    for name in (*WANTED, "norm_err"):
        np.testing.assert_allclose(one[name][inside], other[name][inside], atol=1e-4, err_msg=name)


def test_a_guess_below_the_threshold_is_kept() -> None:
    found = fit_measured_norms(CASES["many counts"], EVERY, NormSettings(intervals=False, threshold=4.0))
    every = fit_measured_norms(CASES["many counts"], EVERY, NormSettings(intervals=False))
    kept = found["niter"] == 0
    assert 0.5 < kept.mean() < 1.0
    assert found["norm"][~kept] == pytest.approx(every["norm"][~kept])


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("summed", [True, False])
def test_maps_with_off_counts(summed: bool, conventions: str) -> None:
    """A source that was simulated is where the map is highest; that neighbours may share off counts is said."""
    dataset, models = on_off_cube("two"), Models([source("star", point())])
    estimator = TSMapEstimator(sum_over_energy=summed, conventions=conventions)
    maps = estimator.run(Datasets([dataset]), Models([]))
    beside = estimator.run(Datasets([dataset]), models)
    assert any("neighbours share" in remark for remark in maps.remarks)
    assert np.nanmax(beside["ts"]) < np.nanmax(maps["ts"])
    assert np.isfinite(maps["norm_errn"][np.isfinite(maps["norm"])]).all()
    with pytest.raises(DataError, match="maps with and without off counts"):
        estimator.run(Datasets([dataset, cube("one")]), Models([background("one")]))
