"""Wrong amplitudes, small kinks, limits without derivatives: the minimum is found all the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import minimize

from gm.arrays import Array
from gm.datasets import Datasets, SpectrumDataset
from gm.fit import Fit, FitResult
from gm.fit.minimizer import Minimizer
from gm.fit.scoring import score
from gm.likelihood import JointLikelihood
from gm.maps.axes import EnergyAxis
from gm.models import (
    BrokenPowerLawSpectralModel,
    DiskSpatialModel,
    Models,
    Parameter,
    SkyModel,
    SpectralModel,
)
from tests.map_samples import LAT, LON, background, cube, gauss, source

FLUX = "TeV-1 s-1 cm-2"
EXPOSURE = 1e12
EDGES = np.geomspace(0.5, 50.0, 13)
FINE = np.geomspace(EDGES[:-1], EDGES[1:], 301, axis=1)  # of each bin, for sums that are good enough


def counts_of(spectrum: Callable[[Array], Array]) -> Array:
    return EXPOSURE * trapezoid(spectrum(FINE) * FINE, np.log(FINE), axis=1)


def fitted(counts: Array, spectrum: SpectralModel) -> FitResult:
    axes = {"energy": EnergyAxis(EDGES), "energy_true": EnergyAxis(EDGES, "energy_true")}
    dataset = SpectrumDataset(name="a", counts=counts, exposure=np.full(counts.size, EXPOSURE), **axes)
    return Fit(Datasets([dataset])).run(Models([SkyModel(name="s", spectral_model=spectrum)]))


def lowest(counts: Array, spectrum: Callable[[Array, Array], Array], starts: list[list[float]]) -> float:
    """The lowest of -2 ln L that simplexes find, the first parameter being the logarithm of the amplitude."""

    def value(x: Array) -> float:
        with np.errstate(all="ignore"):
            predicted = counts_of(lambda energy: 1e-12 * np.exp(x[0]) * spectrum(energy, x[1:]))
            some = counts > 0
            found = 2 * np.sum(predicted) - 2 * np.sum(counts[some] * np.log(predicted[some]))
        return float(found) if np.isfinite(found) else 1e30

    options = {"maxfev": 4000, "xatol": 1e-7, "fatol": 1e-9}
    return min(float(minimize(value, start, method="Nelder-Mead", options=options).fun) for start in starts)


def broken(energy: Array, shape: Array) -> Array:
    index1, index2, log_break = shape
    x = energy / np.exp(log_break)
    return np.where(x < 1, x**-index1, x**-index2)


BREAKS = {
    # Where a simplex ends from the start itself: the statistic has small kinks where the break passes a node.
    "near": ([17, 15, 8, 10, 4, 5, 1, 1, 0, 0, 0, 0], 1.694, 3.512, 2.316e-12, 5.921),
    "flat above": ([17, 11, 7, 7, 6, 1, 2, 4, 0, 0, 0, 0], 0.8368, 1.958, 1.201e-14, 1.833),
    # From where the second index goes to where it does nothing.
    "amplitude": ([17, 8, 10, 7, 9, 2, 1, 1, 0, 1, 0, 0], 2.305, 3.831, 1.923e-13, 26.34),
}


@pytest.mark.parametrize("case", BREAKS)
def test_a_break(case: str) -> None:
    counts, index1, index2, amplitude, ebreak = BREAKS[case]
    result = fitted(
        np.array(counts, dtype=float),
        BrokenPowerLawSpectralModel(
            index1=index1,
            index2=index2,
            amplitude=Parameter("amplitude", amplitude, FLUX, min=0.0),
            ebreak=Parameter("ebreak", ebreak, "TeV", min=0.0),
        ),
    )
    found = {p.name.removeprefix("s."): p.value for p in result.parameters}
    ended = [np.log(1e12 * found["amplitude"]), found["index1"], found["index2"], np.log(found["ebreak"])]
    nothing_beyond = {"amplitude": "the statistic does not change along 1 s.index2"}  # no counts: any steep spectrum
    assert result.message == nothing_beyond.get(case, result.message)
    assert result.status == ("not_converged" if case in nothing_beyond else "converged")
    assert result.statistic == pytest.approx(lowest(np.array(counts, dtype=float), broken, [ended]), abs=2e-3)


class Root:
    """``50 (y - 3)^2 + sqrt(x)`` for x from 0 on, where the derivative is not finite."""

    def value(self, vector: Array) -> float:
        return float(50 * (vector[1] - 3) ** 2 + np.sqrt(vector[0]))

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        with np.errstate(divide="ignore"):
            return self.value(vector), np.array([0.5 / np.sqrt(vector[0]), 100 * (vector[1] - 3)])

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        return np.diag([1.0, 100.0])

    def second_derivatives(self, vector: Array, steps: Array) -> None:
        return None

    def n_cut_off(self, vector: Array) -> int:
        return 0


@pytest.mark.parametrize("start", [1e-6, 1.0, 1e3])
def test_a_limit_at_which_a_derivative_is_not_finite(start: float) -> None:
    found = Minimizer(Root(), np.array([0.0, -np.inf]), np.full(2, np.inf)).minimize(np.array([start, 50.0]))
    assert found.vector[0] >= 0
    assert found.vector[1] == pytest.approx(3.0, abs=1e-3)
    assert found.value < 0.01 * np.sqrt(start)


def test_an_extended_source_from_a_degree_off_is_seen_with_the_responses_of_where_it_ended() -> None:
    """The fit from there is as low as the one from where that ended, and as another start's."""

    def start(lat: float) -> Models:
        return Models([source(shape=gauss(LON, lat, 0.35), amplitude="2e-11 TeV-1 s-1 cm-2"), background(tilt=0.0)])

    dataset = cube(exposure=5e13)
    truth = JointLikelihood(Datasets([dataset]), start(LAT))
    expected = np.where(dataset.mask, truth.predicted(truth.layout.start)[0], 0.0)
    datasets = Datasets([dataset.with_(counts=np.random.default_rng(1).poisson(expected).astype(float))])
    far, near = (Fit(datasets).run(start(LAT + off)) for off in (1.6, 0.02))
    again = Fit(datasets).run(far.models)
    assert {far.status, near.status, again.status} == {"converged"}
    assert far.statistic == pytest.approx(again.statistic, abs=0.01)
    assert far.statistic == pytest.approx(near.statistic, abs=0.1)


def test_a_disk_that_leaves_the_map_predicts_nothing_negative() -> None:
    """From a far start it went there, to an index of -640 and a statistic of 5e13, `not_converged`."""

    def sky(index: float, amplitude: float, lon: float, lat: float, r_0: float, norm: float) -> Models:
        disk = DiskSpatialModel(lon_0=f"{lon} deg", lat_0=f"{lat} deg", r_0=f"{r_0} deg")
        spectrum = {"index": index, "amplitude": f"{amplitude} TeV-1 s-1 cm-2"}
        return Models([source(shape=disk, **spectrum), background(norm=norm, tilt=Parameter("tilt", 0.0, frozen=True))])

    truth, dataset = sky(2.3, 2e-11, LON + 0.054, LAT - 0.05, 0.35, 1.0), cube(exposure=5e13)
    likelihood = JointLikelihood(Datasets([dataset]), truth)
    expected = np.where(dataset.mask, likelihood.predicted(likelihood.layout.start)[0], 0.0)
    datasets = Datasets([dataset.with_(counts=np.random.default_rng(1).poisson(expected).astype(float))])
    far = Fit(datasets).run(
        sky(1.6767239706813681, 4.383102807854949e-10, 83.929582794, 20.762008446, 0.0485, 1.0914538)
    )
    assert far.status == "converged"
    assert far.statistic == pytest.approx(Fit(datasets).run(truth).statistic, abs=0.2)  # sums over pixels jump so far


class EndlessValley:
    """``steep (y - x^2)^2 - ln(1 + x^2)``: a valley that turns all the time and falls without end."""

    def __init__(self, steep: float) -> None:
        self._steep, self.n_values = steep, 0

    def value(self, vector: Array) -> float:
        self.n_values += 1
        x, y = vector
        return float(self._steep * (y - x * x) ** 2 - np.log1p(x * x))

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        x, y = vector
        rise = 2 * self._steep * (y - x * x)
        return self.value(vector), np.array([-2 * x * rise - 2 * x / (1 + x * x), rise])

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        across = np.array([-2 * vector[0], 1.0])
        return 2 * self._steep * np.outer(across, across) + np.diag([2 / (1 + vector[0] ** 2) ** 2, 0.0])

    def second_derivatives(self, vector: Array, steps: Array) -> None:
        return None

    def n_cut_off(self, vector: Array) -> int:
        return 0


@pytest.mark.parametrize("steep", [1e2, 1e4, 1e6])
@pytest.mark.parametrize("start", [0.2, 1.2, 2.2])
def test_a_slope_is_no_minimum_however_far_its_curvature_was_measured(steep: float, start: float) -> None:
    valley, free = EndlessValley(steep), np.full(2, np.inf)
    found = Minimizer(valley, -free, free).minimize(np.array([0.1, start]))
    assert not found.valid
    assert valley.value(found.vector) == found.value
    assert valley.n_values < 5000


class Valley(EndlessValley):
    """``steep (y - x^2)^2 + (x - end)^2``: it turns all the way to its minimum at (end, end^2)."""

    def __init__(self, steep: float, end: float) -> None:
        super().__init__(steep)
        self._end = end

    def value(self, vector: Array) -> float:
        x, y = vector
        return float(self._steep * (y - x * x) ** 2 + (x - self._end) ** 2)

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        x, y = vector
        rise = 2 * self._steep * (y - x * x)
        return self.value(vector), np.array([-2 * x * rise + 2 * (x - self._end), rise])

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        across = np.array([-2 * vector[0], 1.0])
        return 2 * self._steep * np.outer(across, across) + np.diag([2.0, 0.0])


@pytest.mark.parametrize("n_calls", [3, 8])
def test_what_settles_after_the_last_try_is_a_minimum(n_calls: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scoring ends after a step, MIGRAD at its limit of calls, and scoring from there at the minimum."""
    steps = iter([1, 100])
    monkeypatch.setattr("gm.fit.minimizer._TRIES", 1)
    monkeypatch.setattr("gm.fit.minimizer._CALLS", (n_calls, 0))
    monkeypatch.setattr("gm.fit.minimizer.score", lambda *given, **named: score(*given, max_steps=next(steps), **named))
    free = np.full(2, np.inf)
    found = Minimizer(Valley(1.0, 3.0), -free, free).minimize(np.array([-3.0, 0.0]))
    assert found.valid
    assert found.name == "scoring"
    assert found.vector == pytest.approx([3.0, 9.0], abs=1e-2)
