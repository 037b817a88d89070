"""What many toys say together: pulls, bias, coverage, test statistics, goodness of fit, and a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import NormalDist

import numpy as np

from gm.estimators.toy_studies import (
    Comparison,
    GoodnessStudy,
    Moments,
    Observed,
    ParameterStudy,
    Share,
    TestStudy,
)
from gm.estimators.toys import Toy, ToyFit, Truth
from gm.estimators.toys_result import ToySummary

_FALSE_ALARM = 0.01  # how often a verdict on a perfect fit finds something, all tests together
_SMALL = 0.1  # of an error: a bias that matters little; half of it for widths, a fifth for coverage
_TOLD = 0.01  # of an error: a shift that is told
_FEWEST = 20  # toys without which there is nothing to say
_QUANTILES = (0.05, 0.16, 0.5, 0.84, 0.95)
_NORMAL = NormalDist()


def study_toys(truth: Truth, fit: ToyFit, n: int, seed: int = 1) -> ToySummary:
    """Toys 0 to ``n`` - 1 of ``truth``, each fitted, and what they say together.

    The data are compared as they are under the models that are taken for the truth, which their best fit should be.
    """
    parameters = truth.models.parameters
    about = {name: (p.value, p.unit) for name, p in zip(parameters.addresses, parameters, strict=True)}
    toys = [fit.run(truth, seed, number) for number in range(n)]
    observed = Observed(truth.statistic, truth.statistics, truth.deviances)
    return summarize(toys, about, observed, sigma_ul=fit.sigma_ul, seed=seed)


def summarize(
    toys: Sequence[Toy],
    truth: Mapping[str, tuple[float, str]],
    observed: Observed,
    *,
    sigma_ul: float = 2.0,
    threshold: float = 25.0,
    shifts: Mapping[str, float] | None = None,
    seed: int | None = None,
    from_best_fit: bool = True,
) -> ToySummary:
    """What the toys say; those that failed count as failed and for nothing else.

    truth : value and unit of every free parameter, by address
    sigma_ul : level of the upper limits in the toys; threshold : TS of a detection
    shifts : of the parameters in their errors, by W: see `shifts_by_profiling`
    seed, from_best_fit : where the toys are from, to be told with what they say
    """
    good = [toy for toy in toys if toy.success]
    names = list(dict.fromkeys(name for toy in good for name in toy.values))
    parameters = tuple(_parameter(good, name, *truth[name]) for name in names)
    tested = dict.fromkeys(name for toy in good for name in toy.ts)
    tests = tuple(_test(good, name, threshold) for name in tested)
    limits = _limits(good, _NORMAL.cdf(sigma_ul))
    total = GoodnessStudy(
        "",
        Comparison.of(observed.total, (toy.statistic for toy in good)),
        Comparison.of(observed.deviance, (toy.deviance for toy in good)),
    )
    datasets = tuple(_goodness(name, observed, good) for name in observed.statistics)
    deviations = tuple(_deviations(parameters, limits, shifts or {}))
    return ToySummary(
        n=len(toys),
        failed=len(toys) - len(good),
        at_limit=sum(toy.status == "at_limit" for toy in good),
        parameters=parameters,
        tests=tests,
        limits=limits,
        total=total,
        datasets=datasets,
        deviations=tuple(text for text, is_small in deviations if not is_small),
        verdict=_verdict(len(good), parameters, deviations),
        sigma_ul=sigma_ul,
        seed=seed,
        from_best_fit=from_best_fit,
        toys=tuple(toys),
    )


def _parameter(toys: Sequence[Toy], name: str, truth: float, unit: str) -> ParameterStudy:
    values = np.array([toy.values[name] for toy in toys if name in toy.values])
    with_error = [toy for toy in toys if toy.errors.get(name)]
    errors = np.array([toy.errors[name] for toy in with_error], dtype=np.float64)
    pulls = (np.array([toy.values[name] for toy in with_error]) - truth) / errors
    moments = Moments.of(values)
    coverage = {f"error_{k}": Share.of(np.abs(pulls) <= k, _within(k)) for k in (1, 2)}
    with_minos = [(toy.values[name], *toy.minos[name]) for toy in toys if name in toy.minos]
    if with_minos:
        whole = ((v + low, v + up) for v, low, up in with_minos if v is not None and low is not None and up is not None)
        coverage["minos"] = Share.of((low <= truth <= up for low, up in whole), _within(1))
    return ParameterStudy(
        name=name,
        unit=unit,
        truth=truth,
        values=moments,
        bias=None if moments.mean is None else moments.mean - truth,
        bias_error=moments.mean_error,
        mean_of_errors=float(np.mean(errors)) if errors.size else None,
        without_error=len(values) - len(with_error),
        pulls=Moments.of(pulls),
        coverage=coverage,
    )


def _within(sigma: float) -> float:
    return _NORMAL.cdf(sigma) - _NORMAL.cdf(-sigma)


def _test(toys: Sequence[Toy], name: str, threshold: float) -> TestStudy:
    values = np.array([ts for toy in toys if (ts := toy.ts.get(name)) is not None])
    quantiles = {q: float(np.quantile(values, q)) for q in _QUANTILES} if values.size else {}
    return TestStudy(name, values.size, quantiles, Share.of(values >= threshold), threshold)


def _limits(toys: Sequence[Toy], expected: float) -> dict[str, Share]:
    """Share of toys whose upper limit is above the truth, a norm of 1, by source."""
    names = dict.fromkeys(name for toy in toys for name in toy.limits)
    found = {name: [limit for toy in toys if (limit := toy.limits.get(name)) is not None] for name in names}
    return {name: Share.of((limit >= 1.0 for limit in limits), expected) for name, limits in found.items()}


def _goodness(name: str, observed: Observed, toys: Sequence[Toy]) -> GoodnessStudy:
    statistic = Comparison.of(observed.statistics[name], (toy.datasets.get(name) for toy in toys))
    return GoodnessStudy(
        name, statistic, Comparison.of(observed.deviances[name], (toy.deviances.get(name) for toy in toys))
    )


def _deviations(
    parameters: Sequence[ParameterStudy], limits: Mapping[str, Share], shifts: Mapping[str, float]
) -> Iterator[tuple[str, bool]]:
    """What chance does not explain: errors that cover too little, pulls that are off, limits that do not hold; and
    whether it is so small that it matters little.

    Limits and intervals that cover more often than they say are no fault.
    """
    n_tests = sum(2 + len(study.coverage) for study in parameters) + len(limits)
    far = _NORMAL.inv_cdf(1 - _FALSE_ALARM / (2 * n_tests)) if n_tests else 0.0
    for study in parameters:
        pulls = study.pulls
        if pulls.n < _FEWEST or pulls.mean is None or pulls.mean_error is None or pulls.width is None:
            continue
        if abs(pulls.mean) > far * pulls.mean_error:
            shift = shifts.get(study.name, 0.0)
            by_w = f", {shift:+.2f} of it by W at few off counts" if abs(shift) >= _TOLD else ""
            text = f"{study.name}: pulls are {pulls.mean:+.2f} ± {pulls.mean_error:.2f} off{by_w}"
            yield text, abs(pulls.mean) < _SMALL
        if pulls.width_error is not None and abs(pulls.width - 1) > far * pulls.width_error:
            what = "small" if pulls.width > 1 else "large"
            text = f"{study.name}: pulls are {pulls.width:.2f} ± {pulls.width_error:.2f} wide, so errors are too {what}"
            yield text, abs(pulls.width - 1) < _SMALL / 2
        for kind, share in study.coverage.items():
            if share.deviation < -far:
                words = "asymmetric errors" if kind == "minos" else f"{kind[-1]} sigma"
                yield f"{study.name}: {words} cover {_percent(share)}", _is_small(share)
    for source, share in limits.items():
        if share.deviation < -far:
            yield f"{source}: upper limits cover {_percent(share)}", _is_small(share)


def _is_small(share: Share) -> bool:
    return abs((share.value or 0.0) - (share.expected or 0.0)) < _SMALL / 5


def _percent(share: Share) -> str:
    return f"{100 * (share.value or 0):.1f} % instead of {100 * (share.expected or 0):.1f} %"


def _verdict(n: int, parameters: Sequence[ParameterStudy], deviations: Sequence[tuple[str, bool]]) -> str:
    if n < _FEWEST:
        return f"{n} toys with a minimum are too few to say anything"
    if not parameters:
        return "no parameter was free"
    large, small = ([text for text, is_small in deviations if is_small is wanted] for wanted in (False, True))
    if large:
        return f"not as it should be: {'; '.join([*large, *small])}"
    if small:
        return f"good to a tenth of an error, though no chance: {'; '.join(small)}"
    return "unbiased, and the errors are right, as far as so many toys can tell"
