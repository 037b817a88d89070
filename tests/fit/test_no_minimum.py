"""Plateaus, slopes without end, steps into nowhere: no fit starts or ends there, and what is said of them is true."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, SpectrumDataset
from gm.estimators import FluxPointsEstimator
from gm.fit import Fit
from gm.fit.minimizer import Minimizer
from gm.likelihood import JointLikelihood
from gm.maps.axes import EnergyAxis
from gm.models import (
    BackgroundIRFModel,
    BrokenPowerLawSpectralModel,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
)
from tests.map_samples import background, cube, held, on_off_cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum

EDGES = np.geomspace(1.0, 10.0, 9)
FLUX = "TeV-1 s-1 cm-2"
EXPOSURE = 1e13
# Of a power law of 1e-11 / (cm2 s TeV) and index 2, counts in each bin.
SIGNAL = EXPOSURE * 1e-11 * (1.0 / EDGES[:-1] - 1.0 / EDGES[1:])


def cash(counts: Array, predicted: Array) -> float:
    return float(2.0 * np.sum(predicted - counts * np.log(np.maximum(predicted, 1e-25))))


def known(counts: Array, stored: Array | None = None) -> Datasets:
    energy = EnergyAxis(EDGES)
    energy_true = EnergyAxis(EDGES, "energy_true")
    exposure = np.full(EDGES.size - 1, EXPOSURE)
    return Datasets(
        [
            SpectrumDataset(
                name="a", energy=energy, energy_true=energy_true, counts=counts, exposure=exposure, background=stored
            )
        ]
    )


def line(amplitude: float = 1e-11, index: float = 2.0, *, frozen: bool = True, name: str = "s") -> SkyModel:
    return power_law(name, Parameter("index", index, frozen=frozen), Parameter("amplitude", amplitude, FLUX))


def norm(value: float = 1.0) -> BackgroundIRFModel:
    spectral = PowerLawNormSpectralModel(norm=value, tilt=Parameter("tilt", 0.0, frozen=True))
    return BackgroundIRFModel(dataset_name="a", spectral_model=spectral)


@pytest.mark.parametrize("amplitude", [0.0, -1e-11, 1e-40, 1e-8])
def test_spectra_that_predict_nothing_at_the_start(amplitude: float) -> None:
    datasets = known(np.random.default_rng(1).poisson(SIGNAL).astype(float))
    best = Fit(datasets).run(Models([line(frozen=False)]))
    result = Fit(datasets).run(Models([line(amplitude, frozen=False)]))
    assert result.status == best.status == "converged"
    assert result.statistic == pytest.approx(best.statistic, abs=1e-5)


@pytest.mark.parametrize("amplitude", [0.0, -1e-11])
def test_maps_that_predict_nothing_at_the_start(amplitude: float) -> None:
    """Without a background, and with one whose norm is negative."""
    dataset = cube(exposure=5e13)
    bright = held(point())
    truth = Models([source(shape=bright), background(norm=1.0, tilt=Parameter("tilt", 0.0, frozen=True))])
    likelihood = JointLikelihood(Datasets([dataset]), truth)
    counts = np.where(
        dataset.mask, np.random.default_rng(2).poisson(likelihood.predicted(likelihood.layout.start)[0]), 0.0
    )
    datasets = Datasets([dataset.with_(counts=counts)])
    start = truth.with_parameters({"source.amplitude": amplitude, "cube-bkg.norm": -0.5})
    best, result = (Fit(datasets).run(models) for models in (truth, start))
    assert result.status == "converged"
    assert result.statistic == pytest.approx(best.statistic, abs=1e-5)


def test_the_null_of_a_test_whose_background_would_be_negative() -> None:
    """A source so bright that the norm of the background comes out negative: without it that norm predicts nothing."""
    stored = np.linspace(3.0, 1.0, SIGNAL.size)
    counts = np.round(SIGNAL + 0.0 * stored) - 1.0
    result = Fit(known(counts, stored)).run(Models([line(), norm()]), test=["s"])
    best = next(p.value for p in result.parameters if p.name == "a-bkg.norm")
    null = minimize_scalar(lambda y: cash(counts, y * stored), bounds=(1e-3, 1e3), method="bounded").fun
    assert best < 0
    assert result.components[0].ts == pytest.approx(null - result.statistic, abs=1e-4)


def test_a_profile_whose_background_would_be_negative() -> None:
    """The same in flux points with everything else fitted again: at a norm of 0 and on the way to the ends."""
    stored = np.linspace(3.0, 1.0, SIGNAL.size)
    counts = np.round(SIGNAL) - 1.0
    models = Fit(known(counts, stored)).run(Models([line(), norm()])).models
    estimator = FluxPointsEstimator(source="s", energy_edges=["1 TeV", "10 TeV"], reoptimize=True)
    band = estimator.run(known(counts, stored), models).points[0].estimate
    reference = models.parameters["s.amplitude"].value / 1e-11 * SIGNAL

    def profile(x: float) -> float:
        least = max(float(np.max(-x * reference / stored)), -50.0) + 1e-9
        return float(
            minimize_scalar(
                lambda y: cash(counts, x * reference + y * stored),
                bounds=(least, 1e3),
                method="bounded",
                options={"xatol": 1e-10},
            ).fun
        )

    assert band.norm is not None
    assert band.norm_errn is not None
    assert band.ts == pytest.approx(profile(0.0) - profile(band.norm), abs=1e-3)
    assert profile(band.norm - band.norm_errn) - profile(band.norm) == pytest.approx(1.0, abs=1e-3)


def test_nothing_lifts_the_prediction() -> None:
    """An amplitude that may not be positive, and nothing else: the fit says where it is instead of a minimum."""
    amplitude = Parameter("amplitude", -1e-11, FLUX, max=0.0)
    model = power_law("s", Parameter("index", 2.0, frozen=True), amplitude)
    result = Fit(known(np.full(SIGNAL.size, 3.0))).run(Models([model]))
    assert result.status == "not_converged"
    assert "8 bins with counts are predicted to hold nothing or less" in result.message


def test_upper_limits_alone_have_no_minimum() -> None:
    """Their likelihood goes on rising with an ever more negative amplitude."""
    points = flux_points(stat_type="distrib").points
    n = points.energy.size
    nothing = np.full(n, np.nan)
    limits = replace(points, dnde=nothing, dnde_ul=2.5 * points.dnde_ref, is_ul=np.ones(n, dtype=bool))
    dataset = flux_points(stat_type="distrib").with_(points=limits)
    for index in (Parameter("index", 2.3, frozen=True), Parameter("index", 2.3)):
        result = Fit(Datasets([dataset])).run(Models([power_law(index=index)]), minos=["*"])
        assert result.status == "not_converged"
        assert result.message == "the statistic falls without bound along source.amplitude"
        assert all(np.isfinite(p.value) for p in result.parameters)


def test_a_break_at_an_absurd_energy() -> None:
    """Powers of it are beyond all numbers: the fit ends, below its start, and with numbers."""
    spectral = BrokenPowerLawSpectralModel(ebreak=Parameter("ebreak", 1e250, "TeV"))
    models = Models([SkyModel(name="s", spectral_model=spectral)])
    result = Fit(Datasets([on_off(exposure=1e12)])).run(models)
    assert result.status == "not_converged"
    assert result.statistic < result.statistic_start
    assert all(np.isfinite(p.value) for p in result.parameters)
    assert result.minimizer.value_calls < 10_000


WITHOUT_COUNTS = {
    "spectrum": lambda: spectrum("a"),
    "on-off spectrum": lambda: on_off("a"),
    "cube": lambda: cube(exposure=5e13),
    "on-off cube": on_off_cube,
}


@pytest.mark.parametrize("limits", [{}, {"min": 0.0}])
@pytest.mark.parametrize("is_also_off", [True, False])
@pytest.mark.parametrize("kind", WITHOUT_COUNTS)
def test_without_any_counts_nothing_but_a_limit_is_a_minimum(
    kind: str, is_also_off: bool, limits: dict[str, float]
) -> None:
    """Amplitudes of 1e-103, -3.9 and -2e26 were said to be minima, to fall without bound, or to change nothing."""
    data = WITHOUT_COUNTS[kind]()
    nothing = {"counts": np.zeros_like(data.counts)}
    if is_also_off and "off" in kind:
        nothing["counts_off"] = np.zeros_like(data.counts_off)
    amplitude = Parameter("amplitude", 1e-12, FLUX, **limits)
    is_map = "cube" in kind
    given = {"amplitude": amplitude, "index": Parameter("index", 2.3, frozen=bool(limits))}
    sky = source(shape=held(point()), **given) if is_map else power_law(**given)
    held_background = (
        [background(norm=Parameter("norm", 1.0, frozen=True), tilt=Parameter("tilt", 0.0, frozen=True))]
        if kind == "cube"
        else []
    )
    models = Models([sky, *held_background])
    result = Fit(Datasets([data.with_(**nothing)])).run(models, minos=["source.amplitude"], test=["source"])
    row = next(p for p in result.parameters if p.name == "source.amplitude")
    ts = result.components[0].ts
    if limits:
        assert result.message == "source.amplitude is at its lower limit"
        assert (row.value, ts) == (0.0, pytest.approx(0.0, abs=1e-9))
        assert row.minos is not None
        assert row.minos[1] is not None
        there = result.models.with_parameters({"source.amplitude": {"value": row.minos[1]}})
        assert value_of(data.with_(**nothing), there) - result.statistic == pytest.approx(1.0, abs=1e-4)
    elif kind == "on-off spectrum" and not is_also_off:
        assert result.status == "converged"  # less than the background that is measured
    else:
        assert result.message.startswith("there are no counts: the statistic falls until nothing is predicted")
        assert (result.status, row.error, ts) == ("not_converged", None, None)
        assert all(p.error_reason for p in result.parameters if not p.frozen)


def value_of(dataset: Dataset, models: Models) -> float:
    likelihood = JointLikelihood(Datasets([dataset]), models)
    return likelihood.value(likelihood.layout.start)


class Templates:
    """Cash of positive templates over a background, as a function of their amplitudes."""

    def __init__(self, counts: Array, templates: Array, stored: Array) -> None:
        self.counts, self.templates, self.stored = counts, templates, stored

    def predicted(self, vector: Array) -> Array:
        return np.asarray(np.maximum(self.stored + vector @ self.templates, 1e-25))

    def value(self, vector: Array) -> float:
        return cash(self.counts, self.predicted(vector))

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        return self.value(vector), self.templates @ (2.0 - 2.0 * self.counts / self.predicted(vector))

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        predicted = self.predicted(vector)
        curvature = 2.0 / predicted if expected else 2.0 * self.counts / predicted**2
        return np.asarray((self.templates * curvature) @ self.templates.T)

    def second_derivatives(self, vector: Array, steps: Array) -> None:
        """Not known."""

    def n_cut_off(self, vector: Array) -> int:
        return 0


@pytest.mark.parametrize("n_amplitudes", [2, 4, 8])
def test_amplitudes_that_may_not_be_negative(n_amplitudes: int) -> None:
    """Convex, half of them with nothing to find: the minimum of a minimiser made for limits, every time."""
    random, bins = np.random.default_rng(n_amplitudes), np.arange(20.0)
    lower, upper = np.zeros(n_amplitudes), np.full(n_amplitudes, np.inf)
    for _ in range(40):
        center = random.uniform(0.0, 20.0, (n_amplitudes, 1))
        templates = 50.0 * np.exp(-0.5 * ((bins - center) / 1.5) ** 2)
        truth = np.where(random.random(n_amplitudes) < 0.5, 0.0, 1.0)
        counts = random.poisson(5.0 + truth @ templates).astype(float)
        objective = Templates(counts, templates, np.full(20, 5.0))
        found = Minimizer(objective, lower, upper, np.ones(n_amplitudes, dtype=bool)).minimize(np.ones(n_amplitudes))
        bounds, options = [(0.0, None)] * n_amplitudes, {"ftol": 1e-14, "gtol": 1e-10, "maxiter": 2000}
        slow = minimize(
            objective.value_and_gradient,
            np.ones(n_amplitudes),
            jac=True,
            bounds=bounds,
            method="L-BFGS-B",
            options=options,
        )
        assert found.valid
        assert found.value == pytest.approx(slow.fun, abs=2e-5)


class Broken(Templates):
    """The same with derivatives that are not numbers beyond an amplitude of 0.5."""

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        value, gradient = super().value_and_gradient(vector)
        return value, np.where(vector > 0.5, np.nan, gradient)


class BrokenInformation(Templates):
    def information(self, vector: Array, *, expected: bool = False) -> Array:
        return super().information(vector, expected=expected) * (np.inf if (vector > 0.5).any() else 1.0)


@pytest.mark.parametrize("kind", [Broken, BrokenInformation])
def test_no_step_leads_to_where_something_is_not_finite(kind: Callable[..., Templates]) -> None:
    templates = np.full((1, 5), 10.0)
    objective = kind(np.full(5, 12.0), templates, np.full(5, 2.0))
    lower, upper = np.full(1, -0.1), np.full(1, np.inf)
    found = Minimizer(objective, lower, upper).minimize(np.full(1, 0.1))
    assert not found.valid
    assert np.isfinite(found.vector).all()
    assert found.value <= objective.value(np.full(1, 0.1))
    at_start = Minimizer(objective, lower, upper).minimize(np.full(1, 0.7))
    assert not at_start.valid
    assert "no derivatives that are finite" in at_start.message


def test_curvatures_too_small_for_products_are_none() -> None:
    """A parameter whose information is 1e-300 has no effect; nothing overflows on the way."""
    templates = np.array([np.full(5, 10.0), np.full(5, 1e-150)])
    objective = Templates(np.full(5, 12.0), templates, np.full(5, 2.0))
    found = Minimizer(objective, np.zeros(2), np.full(2, np.inf)).minimize(np.full(2, 0.1))
    assert found.valid
    assert found.vector == pytest.approx([1.0, 0.1], abs=1e-3)


def test_what_the_minimiser_says_is_not_printed(capfd: pytest.CaptureFixture[str]) -> None:
    """MIGRAD speaks to the terminal when a matrix is not positive definite."""
    counts = np.array([2.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    model = SkyModel(name="s", spectral_model=PowerLawSpectralModel(amplitude=Parameter("amplitude", 1e-14, FLUX)))
    result = Fit(known(counts)).run(Models([model]), minos=["s.*"], contours=[["s.index", "s.amplitude"]])
    assert result.success
    assert capfd.readouterr() == ("", "")
