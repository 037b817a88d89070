"""What an analysis with few counts must give, whatever it is: lists of what is wrong, empty where all is well."""

from __future__ import annotations

from itertools import pairwise
from math import inf, sqrt

import numpy as np
from scipy.optimize import minimize

from gm.arrays import Array
from gm.estimators import FluxPoint, FluxPointsEstimator
from gm.fit import Fit, FitResult
from gm.likelihood import JointLikelihood
from gm.models import Models
from tests.low_counts import Analysis, Band, Reoptimized, direct, measured, predicted

EQUAL = 1e-6  # of -2 ln L, and of an error
_FAR = 1e-3  # of a norm at which the last of all empty bins holds nothing: bins of hardly any signal decide
_CLOSE = 1e-5  # of -2 ln L, what a simplex is good for
_AWAY = 1.0, 10.0, 100.0, 1e4  # errors, at one of which a profile is low that never rises
_LOWER = 1e-2  # of -2 ln L: 0.1 sigma, which no converged fit may leave


def wrong_with_points(found: Analysis, models: Models | None = None) -> list[str]:
    """Flux points with everything else at its values, against the direct profile."""
    models = found.models if models is None else models
    points = FluxPointsEstimator(source="source", energy_edges=found.edges.tolist()).run(found.datasets, models).points
    wrong = []
    for point, (e_min, e_max) in zip(points, pairwise(found.edges), strict=True):
        wrong += [f"{e_min:.3g} TeV: {text}" for text in _wrong_with_point(point, Band(found, e_min, e_max, models))]
    return wrong


def _wrong_with_point(point: FluxPoint, band: Band) -> list[str]:
    estimate = point.estimate
    if estimate is None:
        return [f"{point.status}: {point.reason}"]
    size = band.n_signal
    expected = direct(band.value, size)
    error = sqrt(max(band.n_counts, 1.0)) / size
    wrong = []
    if not abs(estimate.stat - expected.stat) < EQUAL * max(1.0, abs(expected.stat)):
        wrong.append(f"stat {estimate.stat} is {expected.stat}")
    if expected.stat_null < inf and not abs(estimate.stat_null - expected.stat_null) < EQUAL * max(
        1.0, abs(expected.stat_null)
    ):
        wrong.append(f"stat_null {estimate.stat_null} is {expected.stat_null}")
    for name in ("norm", "norm_errn", "norm_errp", "norm_ul"):
        mine, right = getattr(estimate, name), getattr(expected, name)
        tolerance = 3 * EQUAL * error + (EQUAL if band.n_counts else _FAR) * abs(right or 0.0)
        if (mine is None) != (right is None) or (mine is not None and not abs(mine - right) < tolerance):
            wrong.append(f"{name} {mine} is {right}")
        if (mine is None) != (name in estimate.missing):
            wrong.append(f"{name} {mine} with the reason {estimate.missing.get(name)}")
    if (estimate.norm_err is None) != ("norm_err" in estimate.missing):
        wrong.append(f"norm_err {estimate.norm_err} with the reason {estimate.missing.get('norm_err')}")
    if estimate.ts < -1e-9:
        wrong.append(f"TS {estimate.ts}")
    if point.status != ("ok" if estimate.norm > 0 and estimate.ts >= 4 else "upper_limit"):
        wrong.append(f"{point.status} with norm {estimate.norm} and TS {estimate.ts}")
    return wrong


def wrong_with_fit(found: Analysis) -> tuple[FitResult, list[str]]:
    """A fit with the test of its source: nothing above the start, statuses that are true, TS that are not negative."""
    result = Fit(found.datasets).run(found.models, test=[] if found.models.links else ["source"])
    wrong = []
    if not result.statistic <= result.statistic_start + 1e-9 * max(1.0, abs(result.statistic_start)):
        wrong.append(f"{result.status} at {result.statistic}, above the start {result.statistic_start}")
    if not np.isfinite([p.value for p in result.parameters]).all():
        wrong.append("a value is not finite")
    better = _better(found, result.models)
    again = plain(found, result.models)
    if abs(again - result.statistic) > EQUAL * max(1.0, abs(again)):
        wrong.append(f"the statistic {result.statistic} is {again}")
    if result.status in ("converged", "at_limit") and better < again - _LOWER:
        wrong.append(f"{result.status} at {again}, but {better} is near")
    ts = next(c.ts for c in result.components if c.name == "source")
    has_prior = any(p.prior for p in found.models["source"].parameters)  # which the test takes away with the source
    if ts is not None and ts < -1e-3 and not has_prior:
        wrong.append(f"TS {ts} ({result.status})")
    return result, wrong


def plain(found: Analysis, models: Models) -> float:
    """-2 ln L of everything with the priors, from the definitions."""
    rows = zip(map(measured, found.datasets), predicted(found.datasets, models), strict=True)
    value = sum(statistic(mu[chosen]) for (chosen, statistic), mu in rows)
    roots = models.roots()
    return value + sum(p.prior.value(p.value) for k, p in enumerate(models.parameters) if p.prior and k not in roots)


def _better(found: Analysis, models: Models) -> float:
    """The lowest -2 ln L that a simplex finds from the best fit on, within the limits and where counts are possible."""
    likelihood = JointLikelihood(found.datasets, models)
    layout = likelihood.layout
    if not layout.n_free:
        return inf
    start, data = layout.start, [measured(dataset) for dataset in found.datasets]
    size = np.where(start != 0, np.abs(start), 1.0) * 0.1

    def value(x: Array) -> float:
        vector = np.asarray(start + x * size)
        if (vector < layout.lower).any() or (vector > layout.upper).any():
            return 1e30
        rows = zip(data, likelihood.predicted(vector), strict=True)
        total = sum(statistic(mu[chosen]) for (chosen, statistic), mu in rows) + layout.prior_value(vector)
        return total if np.isfinite(total) else 1e30

    with np.errstate(all="ignore"):
        lowest = minimize(value, np.zeros(start.size), method="Nelder-Mead", options={"maxfev": 60 * start.size})
    return float(lowest.fun)


def wrong_with_reoptimized(found: Analysis) -> list[str]:
    """Flux points with everything else fitted again in each band, against simplexes and bisections."""
    estimator = FluxPointsEstimator(source="source", energy_edges=found.edges.tolist(), reoptimize=True)
    wrong = []
    for point, (e_min, e_max) in zip(
        estimator.run(found.datasets, found.models).points, pairwise(found.edges), strict=True
    ):
        slow = Reoptimized(found, e_min, e_max)
        size, estimate = slow.band.n_signal, point.estimate
        error = sqrt(max(slow.band.n_counts, 1.0)) / size
        if estimate is None:
            wrong.append(f"{e_min:.3g} TeV: {point.status}: {point.reason}")
            continue
        if not slow.layout.n_free:
            continue
        # A simplex is sure to find the lowest where predictions are linear; a lower one than gm's is wrong anyway.
        is_linear = bool(slow.is_linear.all())
        ends = {"norm": (estimate.norm, 0.0), "null": (0.0, estimate.ts)}
        for name, sign, rise in (("norm_errn", -1, 1.0), ("norm_errp", 1, 1.0)):
            if (distance := getattr(estimate, name)) is not None:
                ends[name] = estimate.norm + sign * distance, rise
        if estimate.norm_ul is not None:
            ends["norm_ul"] = estimate.norm_ul, 4.0
        for name, (norm, rise) in ends.items():
            off = slow.profiled(norm) - estimate.stat - rise
            if off < -_CLOSE or (is_linear and _CLOSE < off < inf):
                wrong.append(f"{e_min:.3g} TeV: {name} {norm}: the rise is {off:+.2g} from {rise}")
        for name, sign, rise in (("norm_errn", -1, 1.0), ("norm_errp", 1, 1.0), ("norm_ul", 1, 4.0)):
            if getattr(estimate, name) is None:
                far = [slow.profiled(estimate.norm + sign * error * away) - estimate.stat for away in _AWAY]
                if min(far) > rise + _CLOSE:
                    wrong.append(f"{e_min:.3g} TeV: no {name}, but the statistic rises by {far}")
        for step in (-0.02, 0.02):
            if (lower := slow.profiled(estimate.norm + step * error) - estimate.stat) < -_CLOSE:
                wrong.append(f"{e_min:.3g} TeV: {lower} lower beside the norm {estimate.norm}")
        for name in ("norm_err", "norm_errn", "norm_errp", "norm_ul"):
            if (getattr(estimate, name) is None) != (name in estimate.missing):
                wrong.append(f"{e_min:.3g} TeV: {name} {getattr(estimate, name)}, reason {estimate.missing.get(name)}")
    return wrong
