"""Cut-offs and breaks that no data want run to infinity, where the statistic flattens: there is no minimum."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import trapezoid
from scipy.optimize import minimize

from gm.arrays import Array
from gm.datasets import Datasets, SpectrumDataset
from gm.fit import Fit
from gm.maps.axes import EnergyAxis
from gm.models import (
    ExpCutoffPowerLaw3FGLSpectralModel,
    Models,
    Parameter,
    SkyModel,
    SuperExpCutoffPowerLaw3FGLSpectralModel,
)
from tests.samples import power_law

EDGES = np.geomspace(0.5, 20.0, 9)
EXPOSURE, BACKGROUND = 1e13, 0.3
AMPLITUDE = Parameter("amplitude", 1e-12, "TeV-1 s-1 cm-2")


def drawn(seed: int) -> Array:
    """Counts of a power law of index 2."""
    signal = EXPOSURE * 1e-12 * (1.0 / EDGES[:-1] - 1.0 / EDGES[1:])
    return np.random.default_rng(seed).poisson(signal + BACKGROUND).astype(float)


def seen(counts: Array) -> Datasets:
    axes = EnergyAxis(EDGES), EnergyAxis(EDGES, "energy_true")
    flat = np.ones(EDGES.size - 1)
    data = {"counts": counts, "exposure": EXPOSURE * flat, "background": BACKGROUND * flat}
    return Datasets([SpectrumDataset(name="a", energy=axes[0], energy_true=axes[1], **data)])


def cut_off(ecut: float = 10.0, **limits: float) -> SkyModel:
    spectral = ExpCutoffPowerLaw3FGLSpectralModel(
        index=2.0, amplitude=AMPLITUDE, ecut=Parameter("ecut", ecut, "TeV", **limits)
    )
    return SkyModel(name="s", spectral_model=spectral)


def lowest(counts: Array, ecut: float) -> float:
    """Cash of a power law with that cut-off, by a simplex over ln A and G, integrals by 400 points in a bin."""
    energy = np.geomspace(EDGES[:-1], EDGES[1:], 401)

    def cash(vector: Array) -> float:
        flux = trapezoid(
            1e-12 * np.exp(vector[0]) * energy ** -vector[1] * np.exp((1.0 - energy) / ecut), energy, axis=0
        )
        predicted = EXPOSURE * flux + BACKGROUND
        return float(2.0 * np.sum(predicted - counts * np.log(predicted)))

    return float(minimize(cash, [0.0, 2.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-9}).fun)


def test_a_cutoff_that_no_data_want() -> None:
    """The curvature has the other sign: the profile falls all the way to no cut-off at all."""
    counts = drawn(1)
    profile = [lowest(counts, ecut) for ecut in (10.0, 100.0, 1e3, 1e6)]
    assert profile == sorted(profile, reverse=True)
    assert profile[-2] - profile[-1] < 1e-2
    result = Fit(seen(counts)).run(Models([cut_off()]), minos=["*"])
    assert result.status == "not_converged"
    assert result.message == "the statistic does not change along 1 s.ecut"
    assert result.statistic == pytest.approx(profile[-1], abs=2e-3)
    assert result.covariance is None
    assert all(p.error is None and (p.frozen or p.error_reason) for p in result.parameters)
    assert Fit(seen(counts)).run(result.models).status == "not_converged"  # from there it is none either


def test_a_cutoff_with_a_limit_ends_there() -> None:
    counts = drawn(1)
    result = Fit(seen(counts)).run(Models([cut_off(max=300.0)]))
    assert result.status == "at_limit"
    assert result.message == "s.ecut is at its upper limit"
    assert result.statistic == pytest.approx(lowest(counts, 300.0), abs=1e-3)


@pytest.mark.parametrize(("limits", "status"), [({}, "not_converged"), ({"max": 300.0}, "at_limit")])
def test_without_errors_the_status_is_the_same(limits: dict[str, float], status: str) -> None:
    """It was converged."""
    datasets, models = seen(drawn(1)), Models([cut_off(**limits)])
    fast, whole = Fit(datasets).optimize(models), Fit(datasets).run(models)
    assert (fast.status, fast.message) == (whole.status, whole.message)
    assert fast.status == status
    assert fast.statistic == whole.statistic
    assert all(row.error is None for row in fast.parameters)


def test_a_cutoff_that_is_hardly_wanted_has_a_minimum() -> None:
    """Without it the statistic is higher by 0.04: an error larger than the value, and a minimum."""
    counts = drawn(2)
    result = Fit(seen(counts)).run(Models([cut_off()]))
    assert result.status == "converged"
    ecut = next(p for p in result.parameters if p.name == "s.ecut")
    assert ecut.error is not None
    assert ecut.error > ecut.value
    assert lowest(counts, 1e6) - lowest(counts, ecut.value) > 0.02


def test_a_step_has_no_sharpness() -> None:
    """Counts that end at once: the sharper the cut-off the better, until it is as sharp as a bin can tell."""
    spectral = SuperExpCutoffPowerLaw3FGLSpectralModel(
        index_1=2.0, amplitude=AMPLITUDE, ecut=Parameter("ecut", 10.0, "TeV"), index_2=Parameter("index_2", 1.0)
    )
    result = Fit(seen(drawn(3))).run(Models([SkyModel(name="s", spectral_model=spectral)]))
    assert result.status == "not_converged"
    assert "does not change along 1 s.index_2" in result.message


@pytest.mark.parametrize("seed", [1, 4, 8, 9, 10])
def test_the_shape_of_a_source_that_is_not_there_has_not_run_away(seed: int) -> None:
    """Background alone: what the fit says of the amplitude stays."""
    counts = np.random.default_rng(seed).poisson(BACKGROUND, EDGES.size - 1).astype(float)
    result = Fit(seen(counts)).run(Models([power_law("s", amplitude=AMPLITUDE)]))
    assert result.status == "converged"
    assert result.parameters[1].error is not None
