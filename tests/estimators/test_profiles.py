"""Profiles, surfaces and profiles of quantities: against slow computations, MINOS, contours, other parameters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import minimize, minimize_scalar

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets, SpectrumDataset
from gm.errors import UsageError
from gm.estimators import LikelihoodProfile, ProfileEstimator, Quantity
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.maps.axes import EnergyAxis
from gm.models import Link, Models, Parameter, PowerLaw2SpectralModel, SkyModel
from tests.samples import log_parabola, on_off, power_law, read_reference, spectrum

DATASETS = Datasets([on_off("on-off", 3, exposure=4e12), spectrum("known", 4, exposure=4e12)])


def rises(profile: LikelihoodProfile) -> Array:
    """Of all points, which have one."""
    return np.array([row.stat for row in profile.rows], dtype=float) - profile.stat


def slow_rises(datasets: Datasets, models: Models, address: str, values: Array) -> list[float]:
    """Of a parameter frozen at each value, by a simplex over all others from their best fit."""
    best, found = Fit(datasets).run(models), []
    scales = {p.name: p.error for p in best.parameters if p.error}
    for value in values.tolist():
        likelihood = JointLikelihood(datasets, best.models.with_parameters({address: {"value": value, "frozen": True}}))
        start = likelihood.layout.start
        size = np.array([scales[name] for name in likelihood.layout.free_addresses])

        def of(x: Array, likelihood: JointLikelihood = likelihood, start: Array = start, size: Array = size) -> float:
            return likelihood.value(start + size * x)

        options = {"xatol": 1e-5, "fatol": 1e-7, "maxiter": 4000}
        lowest = minimize(of, np.zeros(start.size), method="Nelder-Mead", options=options)
        found.append(float(lowest.fun) - best.statistic)
    return found


def test_it_is_the_minimum_over_all_else() -> None:
    models = Models([log_parabola("crab")])
    values = np.linspace(1.6, 3.0, 5)
    profile = ProfileEstimator(parameters="crab.alpha", values=values).run(DATASETS, models)
    assert rises(profile) == pytest.approx(slow_rises(DATASETS, models, "crab.alpha", values), abs=1e-4)
    assert all(row.status == "ok" and row.reason is None for row in profile.rows)


def test_its_axis_goes_some_errors_to_both_sides_within_the_limits() -> None:
    models = Models([power_law("crab")])
    best = Fit(DATASETS).run(models)
    index = next(p for p in best.parameters if p.name == "crab.index")
    profile = ProfileEstimator(parameters="crab.index", sigma=2, n=5).run(DATASETS, models)
    axis = profile.axes[0]
    assert axis.values == pytest.approx(np.linspace(index.value - 2 * index.error, index.value + 2 * index.error, 5))
    assert (axis.best, axis.error) == pytest.approx((index.value, index.error), rel=1e-6)
    assert rises(profile)[2] == pytest.approx(0.0, abs=1e-6)
    limited = models.with_parameters({"crab.index": {"max": index.value + index.error}})
    assert ProfileEstimator(parameters="crab.index", n=5).run(DATASETS, limited).axes[0].values[-1] == pytest.approx(
        index.value + index.error
    )


def test_a_flux_keeps_to_the_limit_of_its_amplitude() -> None:
    """Towards less flux than none the profile ends, as that of the amplitude does."""
    few = Datasets(dataset.with_(counts=np.minimum(dataset.counts, 1.0)) for dataset in DATASETS)
    models = Models([power_law("crab"), power_law("other", amplitude="3e-12 TeV-1 s-1 cm-2")])
    edits: dict[str, object] = {key: {"frozen": True} for key in ("other.index", "other.amplitude", "crab.index")}
    edits["crab.amplitude"] = {"min": 0.0}
    held = models.with_parameters(edits)
    profile = ProfileEstimator(quantity="flux(crab, 1 TeV, 10 TeV)", values=[-1e-13, 1e-13]).run(few, held)
    assert profile.axes[0].best == 0
    below, above = profile.rows
    assert (below.status, below.reason) == ("failed", "beyond a limit")
    assert above.status == "ok"
    interval = profile.intervals[1.0]
    assert (interval.lower, interval.why_no_lower) == (None, "it is at the lower limit of flux(crab, 1 TeV, 10 TeV)")


def test_intervals_and_contours_are_those_of_the_fit() -> None:
    models = Models([log_parabola("crab")])
    pair = ["crab.alpha", "crab.beta"]
    fit = Fit(DATASETS).run(models, minos=["crab.alpha"], contours=[pair], contour_levels=[1.0, 2.0])
    minos = next(p.minos for p in fit.parameters if p.name == "crab.alpha")
    interval = ProfileEstimator(parameters="crab.alpha", n=3).run(DATASETS, fit.models).intervals[1.0]
    assert (interval.lower, interval.upper) == pytest.approx(minos, rel=1e-4)
    surface = ProfileEstimator(parameters=pair, n=3, levels=[2.0, 1.0]).run(DATASETS, fit.models)
    for contour, level in zip(fit.contours, (1.0, 2.0), strict=True):
        assert surface.contours[level].points == pytest.approx(contour.points, rel=1e-3)


def test_a_surface_is_a_profile_on_every_line() -> None:
    models = Models([log_parabola("crab")])
    axes = [[2.0, 2.3, 2.6], [0.0, 0.2]]
    surface = ProfileEstimator(parameters=["crab.alpha", "crab.beta"], values=axes).run(DATASETS, models)
    assert [row.values for row in surface.rows] == [(a, b) for a in axes[0] for b in axes[1]]
    for k, beta in enumerate(axes[1]):
        fixed = models.with_parameters({"crab.beta": {"value": beta, "frozen": True}})
        line = ProfileEstimator(parameters="crab.alpha", values=axes[0]).run(DATASETS, fixed)
        stats = [row.stat for row in surface.rows[k::2]]
        assert stats == pytest.approx([row.stat for row in line.rows], abs=1e-4)


def test_linked_parameters_share_their_profile() -> None:
    models = Models(
        [power_law("a", datasets_names=["on-off"]), power_law("b", datasets_names=["known"])],
        links=[Link("b.index", "a.index", scale=2.0, offset=-2.5)],
    )
    values = np.array([2.1, 2.3, 2.5])
    of_a = ProfileEstimator(parameters="a.index", values=values).run(DATASETS, models)
    of_b = ProfileEstimator(parameters="b.index", values=2 * values - 2.5).run(DATASETS, models)
    assert rises(of_b) == pytest.approx(rises(of_a), abs=1e-5)
    assert of_b.intervals[1.0].upper == pytest.approx(2 * of_a.intervals[1.0].upper)
    with pytest.raises(UsageError, match="are one parameter"):
        ProfileEstimator(parameters=["a.index", "b.index"]).run(DATASETS, models)


def test_a_flux_is_the_amplitude_of_a_model_that_has_it_as_its_parameter() -> None:
    """``PowerLaw2SpectralModel`` is the same power law with its integral flux as amplitude."""
    integral = PowerLaw2SpectralModel(amplitude="1e-11 s-1 cm-2", index=2.3, emin="1 TeV", emax="10 TeV")
    its_own = Models([SkyModel(name="crab", spectral_model=integral)])
    expected = ProfileEstimator(parameters="crab.amplitude", n=7).run(DATASETS, its_own)
    values = expected.axes[0].values
    estimator = ProfileEstimator(quantity="flux(crab, 1 TeV, 10 TeV)", values=values)
    profile = estimator.run(DATASETS, Models([power_law("crab")]))
    assert rises(profile) == pytest.approx(rises(expected), abs=2e-5)
    assert profile.axes[0].best == pytest.approx(expected.axes[0].best, rel=1e-5)
    assert profile.axes[0].error == pytest.approx(expected.axes[0].error, rel=1e-4)
    for level in (1.0, 2.0):
        ours, theirs = profile.intervals[level], expected.intervals[level]
        assert (ours.lower, ours.upper) == pytest.approx((theirs.lower, theirs.upper), rel=1e-3)


@pytest.mark.parametrize("kind", ["flux(crab, 1 TeV, 8 TeV)", "eflux(crab, 1 TeV, 8 TeV)", "dnde(crab, 3 TeV)"])
@pytest.mark.parametrize("frozen", [(), ("crab.amplitude",)])
def test_at_every_point_the_quantity_is_what_it_should_be(kind: str, frozen: tuple[str, ...]) -> None:
    """Also where the amplitude cannot make room for it, and another parameter has to."""
    best = Fit(DATASETS).run(Models([log_parabola("crab")])).models
    models = best.with_parameters({name: {"frozen": True} for name in frozen})
    profile = ProfileEstimator(quantity=kind, sigma=1, n=3).run(DATASETS, models)
    quantity = Quantity.parse(kind)
    for row in profile.rows:
        assert row.parameters is not None
        edits = {name: {"value": value} for name, value in zip(profile.free, row.parameters.tolist(), strict=True)}
        there = models.with_parameters(edits)
        likelihood = JointLikelihood(DATASETS, there)
        assert likelihood.value(likelihood.layout.start) == pytest.approx(row.stat, abs=1e-8)
        number, _ = quantity.of(there.sources()[0], Conventions.GAMMAPY)(
            likelihood.layout.expand(likelihood.layout.start)[likelihood.layout.slots("crab")]
        )
        assert number == pytest.approx(row.values[0], rel=1e-10)
    assert rises(profile)[[0, 2]] == pytest.approx([1.0, 1.0], abs=0.2)


@pytest.mark.parametrize("kind", ["flux(crab, 1 TeV, 8 TeV)", "eflux(crab, 1 TeV, 8 TeV)", "dnde(crab, 3 TeV)"])
def test_derivatives_of_quantities(kind: str) -> None:
    of = Quantity.parse(kind).of(log_parabola("crab"), Conventions.GAMMAPY)
    values = log_parabola("crab").spectral_model.values()
    number, slopes = of(values)
    for k, value in enumerate(values.tolist()):
        step = 1e-6 * max(abs(value), 1e-12)
        up, down = values.copy(), values.copy()
        up[k], down[k] = value + step, value - step
        assert slopes[k] == pytest.approx((of(up)[0] - of(down)[0]) / (2 * step), rel=1e-6, abs=1e-8 * abs(number))


def test_a_quantity_of_nothing_has_its_slope() -> None:
    models = Models([power_law("crab", amplitude="0 TeV-1 s-1 cm-2")])
    values = models.sources()[0].spectral_model.values()
    for kind in ("flux(crab, 1 TeV, 8 TeV)", "eflux(crab, 1 TeV, 8 TeV)"):
        of = Quantity.parse(kind).of(models.sources()[0], Conventions.GAMMAPY)
        one = of(np.where(values == 0, 1.0, values))[0]
        assert of(values) == (0.0, pytest.approx([0.0, one, 0.0]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("flux crab", "is no quantity"),
        ("fluss(crab, 1 TeV, 2 TeV)", "'fluss' is no quantity; quantities: flux, eflux, dnde"),
        ("flux(crab, 1 TeV)", "needs a component and two energies"),
        ("flux(crab, 2 TeV, 1 TeV)", "energies are above zero, and increase"),
        ("dnde(crab, 1 kg)", "kg"),
    ],
)
def test_what_is_no_quantity(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Quantity.parse(text)


def test_what_cannot_be_varied() -> None:
    models = Models([power_law("crab"), power_law("elsewhere", datasets_names=["another"])])
    for parameters, why in (("crab.reference", "is not free"), ("elsewhere.index", "changes no dataset")):
        with pytest.raises(UsageError, match=why):
            ProfileEstimator(parameters=parameters).run(DATASETS, models)
    with pytest.raises(UsageError, match="depends on no free parameter"):
        ProfileEstimator(quantity="flux(elsewhere, 1 TeV, 2 TeV)").run(DATASETS, models)
    with pytest.raises(UsageError, match="'crob' is no component"):
        ProfileEstimator(quantity="flux(crob, 1 TeV, 2 TeV)").run(DATASETS, models)
    with pytest.raises(UsageError, match="one parameter, of two, or of a quantity"):
        ProfileEstimator()


def test_values_beyond_a_limit_have_a_reason() -> None:
    models = Models([power_law("crab")]).with_parameters({"crab.index": {"min": 2.0}})
    profile = ProfileEstimator(parameters="crab.index", values=[1.5, 2.2]).run(DATASETS, models)
    assert [(row.status, row.reason, row.stat is None) for row in profile.rows] == [
        ("failed", "beyond a limit", True),
        ("ok", None, False),
    ]


def test_joint_crab_against_minos(shared: Path) -> None:
    """MINOS of the joint fit, whose values are Gammapy's in tests/fit/test_references.py."""
    datasets = read_reference(shared, "joint-crab")
    models = Models.read(shared / "reference" / "joint-crab" / "models_start_lp.yaml")
    fit = Fit(datasets).run(models, minos=["crab.alpha"])
    minos = next(p.minos for p in fit.parameters if p.name == "crab.alpha")
    profile = ProfileEstimator(parameters="crab.alpha", n=31).run(datasets, fit.models)
    interval = profile.intervals[1.0]
    assert (interval.lower, interval.upper) == pytest.approx(minos, rel=1e-4)
    assert (np.diff(np.sign(np.diff(rises(profile)))) != 0).sum() == 1  # it falls, then rises


def test_points_do_not_depend_on_those_before() -> None:
    """They start from a curve through these, and borrow their second derivatives: at steps of any size, and at the same
    value twice."""
    values = [2.0, 2.1, 2.2, 2.2, 2.201, 2.3, 2.7, 2.75, 3.4]
    models = Fit(DATASETS).run(Models([log_parabola("crab")])).models
    together = ProfileEstimator(parameters="crab.alpha", values=values).run(DATASETS, models)
    for value, rise in zip(values, rises(together), strict=True):
        alone = ProfileEstimator(parameters="crab.alpha", values=[value]).run(DATASETS, models)
        assert rise == pytest.approx(rises(alone)[0], abs=1e-5)


@pytest.mark.parametrize("reference", [100.0, 1e4])
def test_an_amplitude_that_goes_through_zero(reference: float) -> None:
    """Far from the data the error of an amplitude is larger than itself; below zero the index has no effect."""
    edges = np.geomspace(0.5, 50.0, 13)
    fine = np.geomspace(edges[:-1], edges[1:], 201, axis=1)

    def predicted(amplitude: float, index: float) -> Array:
        flux = amplitude * (fine / reference) ** -index
        return np.asarray(1e12 * trapezoid(flux * fine, np.log(fine), axis=1) + 0.5)

    def lowest(amplitude: float) -> float:
        def value(index: float) -> float:
            mu = predicted(amplitude, index)
            return float(2 * np.sum(mu - counts * np.log(mu)))

        pivot = np.log(2e-11 / amplitude) / np.log(reference)  # where it has the true flux at 1 TeV
        return float(minimize_scalar(value, bounds=(pivot - 1.0, pivot + 1.0), method="bounded").fun)

    counts = np.random.default_rng(5).poisson(predicted(2e-11 * reference**-2.3, 2.3)).astype(float)
    axes = {"energy": EnergyAxis(edges), "energy_true": EnergyAxis(edges, "energy_true")}
    known, exposure = np.full(counts.size, 0.5), np.full(counts.size, 1e12)
    dataset = SpectrumDataset(name="a", counts=counts, background=known, exposure=exposure, **axes)
    start = Parameter("amplitude", 1e-10 / reference**2, "TeV-1 s-1 cm-2")
    fixed = {"s.reference": {"value": reference, "frozen": True}}
    models = Models([power_law("s", 2.0, start)]).with_parameters(fixed)
    profile = ProfileEstimator(parameters=("s.amplitude",), sigma=3, n=9).run(Datasets([dataset]), models)
    nothing = 2 * np.sum(0.5 - counts * np.log(0.5))
    assert {row.status for row in profile.rows} == {"ok"}
    for (amplitude,), stat in ((row.values, row.stat) for row in profile.rows):
        assert stat == pytest.approx(lowest(amplitude) if amplitude > 0 else nothing, abs=1e-3)
