"""Upper limits: what their definitions say, on data whose statistic has a closed form, and how often they hold."""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from statistics import NormalDist

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import norm as normal

from gm.arrays import Array
from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators import (
    FluxPointsEstimator,
    LightCurveEstimator,
    NormEstimate,
    ProfileEstimator,
    SensitivityEstimator,
)
from gm.estimators.joint_points import JointFluxPointsEstimator
from gm.estimators.norm import NormProfile
from gm.estimators.sky.excess_map import ExcessMapEstimator
from gm.estimators.sky.ts_map import TSMapEstimator
from gm.estimators.upper_limits import LimitMethod, log_cls
from gm.likelihood import JointLikelihood
from gm.likelihood.line import RowLine
from gm.models import Models
from gm.statistics import Cash
from tests.samples import flux_points, on_off, power_law, spectrum

LEVEL = 0.95
SIGMA = NormalDist().inv_cdf(LEVEL)
METHODS = ("likelihood", "bounded", "cls")


def estimate(counts: float, background: float, method: str, signal: float = 1.0) -> NormEstimate:
    """Of one bin in which the source has ``signal`` counts for each unit of its norm."""
    line = RowLine(Cash(np.array([counts])), np.array([signal]), np.array([background]))
    return NormProfile([line]).estimate(1.0, SIGMA, np.array([1.0]), 5.0, LimitMethod(method))


def cash(counts: float, predicted: float) -> float:
    return 2 * (predicted - (counts * log(predicted) if counts else 0.0))


@pytest.mark.parametrize("background", [0.5, 9.0, 90.0, 5000.0])
def test_without_counts_in_a_map_with_a_background(background: float) -> None:
    """``2 sum max(b + norm s, 0)`` over pixels falls as far as the tails of a PSF reach, a Gaussian of 8 pixels: errors
    and limits are where it has risen from there, whatever the powers of ten."""
    signal = np.exp(-0.5 * (np.arange(100.0) / 8.0) ** 2)
    rest = np.full(100, background / 100.0)
    found = NormProfile([RowLine(Cash(np.zeros(100)), signal, rest)]).estimate(1.0, 2.0, np.array([1.0]), 5.0)

    def rise(logarithm: float, wanted: float) -> float:
        return float(2.0 * np.maximum(rest - exp(logarithm) * signal, 0.0).sum() - wanted)

    assert found.stat == pytest.approx(0.0, abs=1e-9)
    assert found.norm == pytest.approx(-rest[-1] / signal[-1])
    for end, wanted in ((found.norm_ul, 4.0), (found.norm + (found.norm_errp or 0.0), 1.0)):
        assert end is not None
        if 2.0 * background < wanted:
            assert 2.0 * np.sum(rest + end * signal) == pytest.approx(wanted, abs=1e-6)
        elif wanted == 4.0 or abs(end) > 1e-3 * abs(found.norm):  # the error is a difference
            assert log(-end) == pytest.approx(brentq(rise, -20.0, log(-found.norm), args=(wanted,)), rel=1e-4)
    assert found.norm_errn is None


@pytest.mark.parametrize("counts", [0, 1, 4, 12, 100])
@pytest.mark.parametrize("background", [0.5, 4.0, 90.0])
def test_each_is_what_its_definition_says(counts: int, background: float) -> None:
    found = {method: estimate(counts, background, method).norm_ul for method in METHODS}

    def rise(norm: float, base: float) -> float:
        return cash(counts, background + norm) - cash(counts, background + base)

    lowest = counts - background if counts else -background + 1e-9
    above = max(lowest, 0.0)
    bounded = brentq(lambda norm: rise(norm, above) - SIGMA**2, above, above + 100)
    assert found["bounded"] == pytest.approx(bounded, rel=1e-6)
    if counts:
        free = brentq(lambda norm: rise(norm, lowest) - SIGMA**2, lowest, above + 100)
        assert found["likelihood"] == pytest.approx(free, rel=1e-6, abs=1e-9)

    def cls(norm: float) -> float:
        q, q_a = max(rise(norm, above), 0.0), cash(background, background + norm) - cash(background, background)
        if q <= q_a:
            return float(normal.sf(q**0.5) / normal.sf(q**0.5 - q_a**0.5))
        return float(normal.sf((q + q_a) / (2 * q_a**0.5)) / normal.sf((q - q_a) / (2 * q_a**0.5)))

    excluded = brentq(lambda norm: cls(norm) - (1 - LEVEL), above + 1e-2, above + 100)
    assert found["cls"] == pytest.approx(excluded, rel=1e-6)


def test_a_deficit_leaves_limits_above_0_but_for_the_first() -> None:
    limits = [estimate(2, 12.0, method).norm_ul for method in METHODS]
    assert limits[0] is not None
    assert limits[1] is not None
    assert limits[2] is not None
    assert limits[0] < 0 < limits[1] < limits[2]


def test_gaussian_limits_of_a_strong_source_are_the_same() -> None:
    limits = np.array([estimate(40000, 100.0, method).norm_ul for method in METHODS], dtype=float)
    assert limits == pytest.approx(39900 + SIGMA * 200, abs=3.0)


def test_cls_of_pyhf() -> None:
    """pyhf 0.7.6, ``hypotest`` with q_mu = 2.5 and q_mu,A = 3 in its asymptotic calculator: CLsb / CLb by hand."""
    by_hand = normal.sf(2.5**0.5) / normal.sf(2.5**0.5 - 3**0.5)
    assert exp(log_cls(2.5, 3.0)) == pytest.approx(by_hand)
    beyond = normal.sf((4 + 3) / (2 * 3**0.5)) / normal.sf((4 - 3) / (2 * 3**0.5))
    assert exp(log_cls(4.0, 3.0)) == pytest.approx(beyond)
    assert log_cls(0.0, 0.0) == 0.0


def test_what_has_no_cls() -> None:
    """Published flux points say nothing of what would be measured without a source."""
    points = FluxPointsEstimator(source="crab", energy_edges=(0.5, 5.0), ul="cls").run(
        Datasets([flux_points()]), Models([power_law("crab")])
    )
    found = points.points[0].estimate
    assert found is not None
    assert found.norm_ul is None
    assert found.missing["norm_ul"].startswith("no CLs")
    with pytest.raises(UsageError, match="take bounded"):
        FluxPointsEstimator(source="crab", ul="cls", reoptimize=True)
    with pytest.raises(UsageError, match=r"'cl' is no kind of upper limit.*did you mean 'cls'"):
        FluxPointsEstimator(source="crab", ul="cl")


def test_bounded_with_all_else_fitted_again() -> None:
    """Where nothing else is free it is the same as without; in a deficit it is above the other one."""
    dataset = on_off("deficit", 2)
    low = dataset.with_(counts=np.ones_like(dataset.counts), counts_off=dataset.counts_off + 40.0)
    models = Models([power_law("crab"), power_law("other", amplitude="1e-13 TeV-1 s-1 cm-2")])
    models = models.with_parameters({"other.amplitude": {"frozen": True}, "other.index": {"min": 1.5, "max": 3.5}})
    limits = {}
    for method in ("likelihood", "bounded"):
        for reoptimize in (False, True):
            estimator = FluxPointsEstimator(source="crab", energy_edges=(0.5, 20.0), ul=method, reoptimize=reoptimize)
            found = estimator.run(Datasets([low]), models).points[0].estimate
            assert found is not None
            limits[method, reoptimize] = found.norm_ul
    assert limits["bounded", False] is not None
    for reoptimize in (False, True):
        assert limits["bounded", reoptimize] > limits["likelihood", reoptimize]


@pytest.mark.parametrize("method", ["bounded", "cls"])
def test_they_hold_for_few_counts(method: str) -> None:
    """3 expected counts on a background of 2: at least 93 % of 400 limits of 95 %."""
    random = np.random.default_rng(3)
    counts: Array = random.poisson(5.0, 400)
    distinct = {int(n): estimate(float(n), 2.0, method).norm_ul for n in np.unique(counts)}
    above = [limit is not None and limit >= 3.0 for limit in (distinct[int(n)] for n in counts)]
    assert np.mean(above) > 0.93


@pytest.mark.parametrize("method", METHODS)
def test_of_two_datasets(method: str) -> None:
    """The sum over their bins, as one line of all of them has it."""
    datasets, models = Datasets([spectrum("a", 1), spectrum("b", 2)]), Models([power_law("crab")])
    estimator = FluxPointsEstimator(source="crab", energy_edges=(0.5, 20.0), sigma_ul=SIGMA, ul=method)
    found = estimator.run(datasets, models).points[0].estimate
    assert found is not None
    likelihood = JointLikelihood(datasets, models)
    signal = np.concatenate(likelihood.predicted(likelihood.layout.start)) - np.concatenate(
        [dataset.background for dataset in datasets]
    )
    line = RowLine(
        Cash(np.concatenate([dataset.counts for dataset in datasets])),
        signal,
        np.concatenate([dataset.background for dataset in datasets]),
    )
    alone = NormProfile([line]).estimate(1.0, SIGMA, np.array([1.0]), 5.0, LimitMethod(method))
    assert found.norm_ul == pytest.approx(alone.norm_ul, rel=1e-6)


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf])
def test_levels_are_above_0(sigma: float) -> None:
    """Errors of -1 standard deviations would be negative."""
    makers: list[Callable[[], object]] = [
        lambda: FluxPointsEstimator(source="source", sigma=sigma),
        lambda: FluxPointsEstimator(source="source", sigma_ul=sigma),
        lambda: FluxPointsEstimator(source="source", sigma_sensitivity=sigma),
        lambda: JointFluxPointsEstimator(sources=["source"], energy_edges=[1, 10], sigma_ul=sigma),
        lambda: LightCurveEstimator(source="source", sigma=sigma),
        lambda: ProfileEstimator(parameters="source.index", sigma=sigma),
        lambda: SensitivityEstimator(source="source", sigma=sigma),
        lambda: TSMapEstimator(sigma_ul=sigma),
        lambda: ExcessMapEstimator(sigma=sigma),
    ]
    for make in makers:
        with pytest.raises(UsageError, match="expected a number of standard deviations above 0"):
            make()
