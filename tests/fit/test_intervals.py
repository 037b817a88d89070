"""MINOS and contours against slow profiles: scipy's root of values that scipy has minimised again."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import brentq, minimize_scalar

from gm.arrays import Array
from gm.datasets import Datasets, SpectrumDataset
from gm.fit import Fit, FitResult, FittedParameter
from gm.fit.intervals import contour_rise
from gm.likelihood import JointLikelihood
from gm.maps.axes import EnergyAxis
from gm.models import Link, Models, Parameter
from tests.samples import on_off, power_law, spectrum

FLUX = "TeV-1 s-1 cm-2"
DATASETS = Datasets([on_off("a", 1, exposure=1e12), spectrum("b", 2, exposure=1e12)])
STEPS = np.array([0.1, 1e-12])  # index, amplitude


def amplitude(value: float = 1e-11, **options: object) -> Parameter:
    return Parameter("amplitude", value, FLUX, **options)  # type: ignore[arg-type]


def parameter(result: FitResult, name: str) -> FittedParameter:
    return next(p for p in result.parameters if p.name == name)


GRIDS = (np.linspace(-8.0, 12.0, 81), np.r_[-np.geomspace(1e-16, 1e-9, 57)[::-1], 0.0, np.geomspace(1e-16, 1e-9, 57)])


def risen(likelihood: JointLikelihood, result: FitResult, held: dict[int, float]) -> float:
    """By how much the statistic of two parameters has risen where some are held, minimised over the other one: the best
    of a grid, then Brent's method between its neighbours."""
    vector = np.array([p.value for p in result.parameters if not p.frozen and p.link is None])
    vector[list(held)] = list(held.values())
    others = [k for k in range(2) if k not in held]
    for k in others:
        lower, upper = likelihood.layout.lower[k], likelihood.layout.upper[k]
        grid = np.unique(np.clip(np.append(GRIDS[k], vector[k]), lower, upper))

        def value(x: float, k: int = k) -> float:
            moved = vector.copy()
            moved[k] = x
            return likelihood.value(moved)

        best = int(np.nanargmin([value(x) for x in grid]))
        ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
        found = minimize_scalar(value, bounds=ends, method="bounded", options={"xatol": 1e-6 * STEPS[k]})
        return min(found.fun, value(grid[best])) - result.statistic
    return likelihood.value(vector) - result.statistic


def slow_interval(datasets: Datasets, result: FitResult, k: int) -> tuple[float, float]:
    likelihood = JointLikelihood(datasets, result.models)
    best = [p for p in result.parameters if not p.frozen and p.link is None][k]
    ends = []
    for side in (-1, 1):
        far = side * STEPS[k]
        while risen(likelihood, result, {k: best.value + far}) < 1:
            far *= 2
        root = brentq(
            lambda t: risen(likelihood, result, {k: best.value + t}) - 1, 0.0, far, xtol=1e-7 * STEPS[k], rtol=1e-7
        )
        ends.append(float(root))
    return ends[0], ends[1]


@pytest.mark.parametrize("exposure", [2e12, 5e11])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("kind", [on_off, spectrum])
def test_few_counts(kind: object, seed: int, exposure: float) -> None:
    """Some hundred and some thirty counts, to 1e-4 of the interval, which is 2e-4 of the statistic."""
    datasets = Datasets([kind("a", seed, exposure=exposure)])  # type: ignore[operator]
    result = Fit(datasets).run(Models([power_law()]), minos=["*"])
    assert result.status == "converged"
    for k, fitted in enumerate(result.parameters[:2]):
        assert fitted.minos == pytest.approx(slow_interval(datasets, result, k), rel=1e-4, abs=0)
        assert fitted.minos_reason == ""


def test_a_negative_amplitude() -> None:
    """Fewer counts than background: the statistic is far from its quadratic at the start."""
    datasets = Datasets([on_off("a", 3).with_(counts=np.array([2.0, 1, 1, 0, 0, 0]), counts_off=np.full(6, 60.0))])
    result = Fit(datasets).run(Models([power_law(index=Parameter("index", 2.3, frozen=True))]), minos=["*"])
    fitted = parameter(result, "source.amplitude")
    assert fitted.value < 0
    likelihood = JointLikelihood(datasets, result.models)
    rise = [likelihood.value(np.array([fitted.value + t])) - result.statistic for t in fitted.minos or () if t]
    assert rise == pytest.approx([1.0, 1.0], abs=1e-4)


@pytest.mark.parametrize("scale", [2.0, -0.5])
def test_a_linked_parameter_has_the_scaled_interval_of_its_leader(scale: float) -> None:
    """A negative scale swaps the ends; the contour is at the follower's values."""
    offset = 2.3 * (1 - scale)
    models = Models([power_law("a"), power_law("b", amplitude=amplitude(1e-13, frozen=True))])
    models = models.with_links([Link("b.index", "a.index", scale=scale, offset=offset)])
    pairs = [["a.amplitude", "a.index"], ["a.amplitude", "b.index"]]
    result = Fit(DATASETS).run(models, minos=["*.index"], contours=pairs, contour_levels=[1.0])
    lower, upper = parameter(result, "a.index").minos or (None, None)
    assert lower is not None
    assert upper is not None
    expected = sorted([scale * lower, scale * upper])
    assert parameter(result, "b.index").minos == pytest.approx(expected, rel=1e-12)
    leader, follower = result.contours
    assert follower.parameters == ("a.amplitude", "b.index")
    assert follower.points[:, 0] == pytest.approx(leader.points[:, 0], rel=1e-12)
    assert follower.points[:, 1] == pytest.approx(scale * leader.points[:, 1] + offset, rel=1e-12)


def test_another_parameter_leaves_its_limit_where_the_profile_wants_it_to() -> None:
    """The amplitude is held at a minimum above the best one; for steep spectra it is free again."""
    free = Fit(DATASETS).run(Models([power_law()]))
    best, error = parameter(free, "source.amplitude").value, parameter(free, "source.amplitude").error or 0.0
    models = Models([power_law(amplitude=amplitude(3 * best, min=best + 0.05 * error))])
    result = Fit(DATASETS).run(models, minos=["source.index"])
    assert result.status == "at_limit"
    likelihood = JointLikelihood(DATASETS, result.models)
    index = parameter(result, "source.index")
    for end in index.minos or ():
        assert end is not None
        assert risen(likelihood, result, {0: index.value + end}) == pytest.approx(1.0, abs=1e-4)
        inside = likelihood.value(np.array([index.value + end, best + 0.05 * error])) - result.statistic
        assert inside >= 1.0 - 1e-4


def test_a_limit_before_the_statistic_has_risen_by_one() -> None:
    """No end on that side, and the reason with what has been reached; the other side as without a limit."""
    free = Fit(DATASETS).run(Models([power_law()]), minos=["*"])
    index = parameter(free, "source.index")
    lower, upper = index.minos or (None, None)
    assert lower is not None
    assert upper is not None
    near = Parameter("index", 2.3, min=index.value + 0.5 * lower)
    result = Fit(DATASETS).run(Models([power_law(index=near)]), minos=["*"])
    fitted = parameter(result, "source.index")
    assert fitted.minos is not None
    assert fitted.minos[0] is None
    assert fitted.value + (fitted.minos[1] or 0.0) == pytest.approx(index.value + upper, abs=1e-4 * upper)
    assert re.fullmatch(
        r"lower: the statistic has risen by 0\.2\d only at the lower limit of source\.index", fitted.minos_reason
    )


def test_a_parameter_at_its_limit() -> None:
    """Nothing below it, and above it the way to where the profile has risen by 1."""
    free = Fit(DATASETS).run(Models([power_law()]))
    bound = parameter(free, "source.index").value + 0.3
    result = Fit(DATASETS).run(Models([power_law(index=Parameter("index", bound, min=bound))]), minos=["*"])
    fitted = parameter(result, "source.index")
    assert (fitted.at_limit, fitted.error, fitted.error_reason) == ("lower", None, "at its lower limit")
    assert fitted.minos is not None
    lower, upper = fitted.minos
    assert lower is None
    assert upper is not None
    assert fitted.minos_reason == "lower: it is at the lower limit of source.index"
    likelihood = JointLikelihood(DATASETS, result.models)
    assert risen(likelihood, result, {0: bound + upper}) == pytest.approx(1.0, abs=1e-4)


def test_a_statistic_that_rises_no_further() -> None:
    """No excess to speak of: no index is excluded, and nobody pretends that one is."""
    datasets = Datasets([spectrum("b", 2).with_(counts=np.array([4.0, 2, 1, 0, 0, 0, 0]))])
    result = Fit(datasets).run(Models([power_law(amplitude=amplitude(1e-13, min=0))]), minos=["source.index"])
    fitted = parameter(result, "source.index")
    assert result.success
    assert fitted.minos is not None
    assert None in fitted.minos
    assert "the statistic rises by 0." in fitted.minos_reason


def test_without_a_minimum_the_reason_is_that_of_the_fit() -> None:
    same = Parameter("index", 2.3, frozen=True)
    models = Models([power_law("one", index=same), power_law("two", index=same)])
    pair = ["one.amplitude", "two.amplitude"]
    result = Fit(DATASETS).run(models, minos=["*"], contours=[pair], contour_levels=[2.0])
    fitted = parameter(result, "one.amplitude")
    assert (fitted.error, fitted.minos) == (None, (None, None))
    assert fitted.error_reason.startswith("the statistic does not change along")
    assert fitted.minos_reason.startswith("the fit did not converge: the statistic does not change along")
    assert (result.contours[0].points.shape, result.contours[0].reason) == ((0, 2), fitted.minos_reason)


def test_a_free_parameter_without_data_has_a_reason() -> None:
    models = Models([power_law(), power_law("elsewhere", datasets_names=["not here"])])
    fitted = parameter(Fit(DATASETS).run(models, minos=["*"]), "elsewhere.index")
    assert (fitted.minos, fitted.minos_reason) == ((None, None), "no dataset depends on it")
    assert fitted.error_reason == "no dataset depends on it"


@pytest.mark.parametrize(("sigma", "probability"), [(1.0, 0.682689), (2.0, 0.954500), (3.0, 0.997300)])
def test_levels_of_contours(sigma: float, probability: float) -> None:
    """chi2 of two degrees of freedom: 1 - exp(-rise / 2)."""
    assert 1 - np.exp(-contour_rise(sigma) / 2) == pytest.approx(probability, abs=1e-6)


def test_points_of_contours_lie_on_the_levels_that_were_asked_for() -> None:
    pair = ["source.index", "source.amplitude"]
    result = Fit(DATASETS).run(Models([power_law()]), contours=[pair], contour_levels=[3.0, 1.0])
    assert [c.delta_statistic for c in result.contours] == pytest.approx([contour_rise(1.0), contour_rise(3.0)])
    likelihood = JointLikelihood(DATASETS, result.models)
    for contour in result.contours:
        assert (contour.points.shape, contour.reason) == ((40, 2), "")
        rise = [risen(likelihood, result, dict(enumerate(point))) for point in contour.points]
        assert rise == pytest.approx([contour.delta_statistic] * 40, rel=1e-4)


def test_a_contour_beyond_a_limit_says_how_many_points_it_lacks() -> None:
    free = Fit(DATASETS).run(Models([power_law()]))
    fitted = parameter(free, "source.index")
    limited = Parameter("index", 2.3, max=fitted.value + 0.5 * (fitted.error or 0.0))
    pair = ["source.index", "source.amplitude"]
    result = Fit(DATASETS).run(Models([power_law(index=limited)]), contours=[pair], contour_levels=[1.0])
    contour = result.contours[0]
    missing = 40 - len(contour.points)
    assert 10 < missing < 20
    assert contour.reason.startswith(f"{missing} of 40 points are missing: the statistic has risen by")
    likelihood = JointLikelihood(DATASETS, result.models)
    rise = [risen(likelihood, result, dict(enumerate(point))) for point in contour.points]
    assert rise == pytest.approx([contour.delta_statistic] * len(rise), rel=1e-4)


def test_the_calls_are_few() -> None:
    """Newton's method with the slope that the gradient gives: some four profiles an end."""
    calls = [0]
    models = Models([power_law()])
    Fit(DATASETS).run(models, progress=partial(_count, calls))
    before = calls[0]
    Fit(DATASETS).run(models, minos=["source.index"], progress=partial(_count, calls))
    assert calls[0] - 2 * before < 40


def _count(calls: list[int], _what: str, _value: float) -> None:
    calls[0] += 1


def test_a_follower_of_a_frozen_parameter_has_a_reason() -> None:
    models = Models([power_law("a", index=Parameter("index", 2.3, frozen=True)), power_law("b")])
    result = Fit(DATASETS).run(models.with_links([Link("b.index", "a.index")]), minos=["*"])
    fitted = parameter(result, "b.index")
    assert (fitted.error, fitted.error_reason) == (None, "it follows a.index, which is not free")


@pytest.mark.parametrize("reference", [0.01, 100.0, 1e6])
def test_an_amplitude_far_from_the_data(reference: float) -> None:
    """Its error is that of a logarithm: a step of it down leads through zero, where the index goes anywhere."""
    edges = np.geomspace(0.5, 50.0, 13)
    fine = np.geomspace(edges[:-1], edges[1:], 201, axis=1)

    def predicted(log_amplitude: float, index: float) -> Array:
        flux = np.exp(log_amplitude) * (fine / reference) ** -index
        return 1e12 * trapezoid(flux * fine, np.log(fine), axis=1) + 0.5

    counts = np.random.default_rng(5).poisson(predicted(np.log(2e-11) - 2.3 * np.log(reference), 2.3)).astype(float)

    def lowest(log_amplitude: float) -> float:
        def value(index: float) -> float:
            mu = predicted(log_amplitude, index)
            return float(2 * np.sum(mu - counts * np.log(mu)))

        pivot = (np.log(2e-11) - log_amplitude) / np.log(reference)  # whose flux at 1 TeV is about the true one
        return float(minimize_scalar(value, bounds=(pivot - 1.0, pivot + 1.0), method="bounded").fun)

    axes = {"energy": EnergyAxis(edges), "energy_true": EnergyAxis(edges, "energy_true")}
    known, exposure = np.full(counts.size, 0.5), np.full(counts.size, 1e12)
    dataset = SpectrumDataset(name="a", counts=counts, background=known, exposure=exposure, **axes)
    model = power_law("s", 2.0, amplitude(1e-10 / reference**2))
    fixed = {"s.reference": {"value": reference, "frozen": True}}
    result = Fit(Datasets([dataset])).run(Models([model]).with_parameters(fixed), minos=["s.amplitude"])
    found = parameter(result, "s.amplitude")
    assert found.minos is not None
    best, least = np.log(found.value), lowest(np.log(found.value))
    for end, far in zip(found.minos, (-1.0, 1.0), strict=True):
        while lowest(best + far) < least + 1:
            far *= 1.5
        root = brentq(lambda x: lowest(x) - least - 1, best, best + far, xtol=1e-9)
        assert end == pytest.approx(np.exp(root) - found.value, rel=1e-3)
