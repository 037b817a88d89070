"""The shift of estimates by a profiled background, against toys and where it has to vanish."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets, SpectrumDatasetOnOff
from gm.estimators.profiled_bias import shifts_by_profiling
from gm.estimators.toy_studies import Observed
from gm.estimators.toy_summary import summarize
from gm.estimators.toys import Toy, ToyFit, Truth
from gm.maps.axes import EnergyAxis
from gm.models import Models
from gm.models.parameter import Parameter
from tests.samples import power_law, spectrum

N_BINS = 1600
MODELS = Models([power_law("source", index=Parameter("index", 2.0, frozen=True), amplitude="1e-11 TeV-1 s-1 cm-2")])


def run(off: float) -> SpectrumDatasetOnOff:
    """Many equal bins with two counts of the source each, beside one of a background; ``off`` off counts in a bin."""
    edges = np.linspace(1.0, 2.0, N_BINS + 1)
    flux = 1e-11 * (1.0 / edges[:-1] - 1.0 / edges[1:])
    return SpectrumDatasetOnOff(
        name="run",
        energy=EnergyAxis(edges),
        energy_true=EnergyAxis(edges, "energy_true"),
        counts=np.full(N_BINS, 3.0),
        counts_off=np.full(N_BINS, off),
        acceptance=np.ones(N_BINS),
        acceptance_off=np.full(N_BINS, off),
        exposure=2.0 / flux,
    )


def test_shift_of_toys() -> None:
    """Three off counts in a bin: the mean pull of 400 toys, to three of its errors and what the second order is."""
    truth = Truth(Datasets([run(3.0)]), MODELS)
    shift = shifts_by_profiling(truth)["source.amplitude"]
    fit = ToyFit()
    pulls = []
    for number in range(400):
        toy = fit.run(truth, 1, number)
        error = toy.errors["source.amplitude"]
        assert error is not None
        pulls.append((toy.values["source.amplitude"] * 1e11 - 1.0) / (error * 1e11))
    assert abs(shift) > 0.25
    assert np.mean(pulls) == pytest.approx(shift, abs=3.0 / 400**0.5 + 0.1 * abs(shift))


def test_units_do_not_matter() -> None:
    """An amplitude of 1e-11 beside an index, and one of 1: the same shifts, some of them of the index."""
    dataset, index = run(3.0).with_(mask_fit=np.arange(N_BINS) < 600), Parameter("index", 2.0)
    for unit, times in (("TeV-1 s-1 cm-2", 1.0), ("TeV-1 s-1 m-2", 1e4)):
        models = Models([power_law("source", index=index, amplitude=f"{1e-11 * times} {unit}")])
        one = shifts_by_profiling(Truth(Datasets([dataset]), models))
        large = dataset.with_(exposure=dataset.exposure * 1e-11)
        models = Models([power_law("source", index=index, amplitude=f"{times} {unit}")])
        other = shifts_by_profiling(Truth(Datasets([large]), models))
        assert abs(one["source.amplitude"]) > 0.02
        assert other == pytest.approx(one, rel=1e-4, abs=1e-6)


def test_a_background_that_is_known_shifts_nothing() -> None:
    assert shifts_by_profiling(Truth(Datasets([spectrum("known")]), MODELS)) == {}
    assert shifts_by_profiling(Truth(Datasets([run(1000.0)]), MODELS)) == {}


def test_more_off_counts_shift_less() -> None:
    few, more = (shifts_by_profiling(Truth(Datasets([run(off)]), MODELS))["source.amplitude"] for off in (3.0, 60.0))
    assert abs(more) < 0.2 * abs(few)


def test_verdicts_say_what_profiling_does() -> None:
    random = np.random.default_rng(1)
    toys = [
        Toy(k, "converged", values={"a": value}, errors={"a": 1.0})
        for k, value in enumerate(random.normal(0.2, 1, 900))
    ]
    found = summarize(toys, {"a": (0.0, "")}, Observed(0.0, {}, {}), shifts={"a": 0.18})
    assert "off, +0.18 of it by W at few off counts" in found.verdict
    assert "by W" not in summarize(toys, {"a": (0.0, "")}, Observed(0.0, {}, {})).verdict
