"""Limits that are nearer than errors: norms beside a background that has no room, and what a fit says of its errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq, minimize_scalar

from gm.datasets import Datasets, SpectrumDataset
from gm.estimators import FluxPointsEstimator
from gm.fit import Fit
from gm.maps.axes import EnergyAxis
from gm.models import BackgroundIRFModel, Models, Parameter, PowerLawNormSpectralModel, UniformPrior
from tests.samples import power_law

EDGES = np.geomspace(1.0, 10.0, 3)
STORED = np.array([40.0, 10.0])
SIGNAL = 1e12 * 3e-11 * (1.0 / EDGES[:-1] - 1.0 / EDGES[1:])  # of index 2
COUNTS = 1.2 * SIGNAL + STORED
ROOMS = {
    "narrow prior": ({"prior": UniformPrior(min=0.99, max=1.01)}, 0.99, 1.01),
    "narrow limits": ({"min": 0.8, "max": 1.5}, 0.8, 1.5),
    "one limit": ({"min": 0.999}, 0.999, 50.0),
    "far limits": ({"min": -50.0, "max": 50.0}, -50.0, 50.0),
}


def analysis(**options: Any) -> tuple[Datasets, Models]:
    axes = EnergyAxis(EDGES), EnergyAxis(EDGES, "energy_true")
    data = {"counts": COUNTS, "exposure": np.full(2, 1e12), "background": STORED}
    dataset = SpectrumDataset(name="a", energy=axes[0], energy_true=axes[1], **data)
    amplitude = Parameter("amplitude", 3e-11, "TeV-1 s-1 cm-2")
    source = power_law("s", index=Parameter("index", 2.0, frozen=True), amplitude=amplitude)
    tilt, norm = Parameter("tilt", 0.0, frozen=True), Parameter("norm", 1.0, **options)
    background = BackgroundIRFModel(dataset_name="a", spectral_model=PowerLawNormSpectralModel(norm=norm, tilt=tilt))
    return Datasets([dataset]), Models([source, background])


def profiled(norm: float, low: float, high: float) -> float:
    """Cash of a norm of the source, at the norm of the background that is lowest within its limits."""

    def cash(other: float) -> float:
        predicted = np.maximum(norm * SIGNAL + other * STORED, 1e-25)
        return float(2.0 * np.sum(predicted - COUNTS * np.log(predicted)))

    return float(minimize_scalar(cash, bounds=(low, high), method="bounded", options={"xatol": 1e-9}).fun)


@pytest.mark.parametrize("room", ROOMS)
def test_the_error_of_a_norm_beside_a_background_with_limits(room: str) -> None:
    """It is the mean of both sides, which know the limits; second derivatives do not."""
    options, low, high = ROOMS[room]
    point = FluxPointsEstimator(source="s", energy_edges=["1 TeV", "10 TeV"], reoptimize=True).run(*analysis(**options))
    estimate = point.points[0].estimate
    assert estimate is not None
    least = profiled(1.2, low, high)
    ends = [brentq(lambda norm: profiled(norm, low, high) - least - 1.0, 1.2, end) for end in (-6.0, 9.0)]
    assert estimate.norm == pytest.approx(1.2, abs=1e-3)
    assert (estimate.norm_errn, estimate.norm_errp) == (
        pytest.approx(estimate.norm - ends[0], rel=2e-3),
        pytest.approx(ends[1] - estimate.norm, rel=2e-3),
    )
    assert estimate.norm_err == pytest.approx(0.5 * (ends[1] - ends[0]), rel=0.02)


@pytest.mark.parametrize("room", ROOMS)
def test_a_fit_tells_errors_that_do_not_know_of_limits(room: str) -> None:
    datasets, models = analysis(**ROOMS[room][0])
    told = [text for text in Fit(datasets).run(models).warnings if text.startswith("a-bkg.norm: its error is 1.9")]
    assert len(told) == (room != "far limits")
    assert all("so are those of s.amplitude, which go with it" in text for text in told)
