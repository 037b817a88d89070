"""Bad starting values: the amplitude wrong by a factor 1000, the index by 1, both; and the same minimum every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from gm.datasets import Datasets
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import Models, Parameter
from tests.samples import (
    JOINT_CRAB_RANGES,
    flux_points,
    in_ranges,
    log_parabola,
    on_off,
    power_law,
    read_reference,
    spectrum,
)

AMPLITUDE_FACTORS = [1e-3, 1.0, 1e3]
INDEX_SHIFTS = [-1.0, 0.0, 1.0]
REFERENCES = [
    ("joint-crab", "models_start_lp.yaml", "alpha"),
    ("joint-crab", "models_start_pl.yaml", "index"),
    ("joint-crab", "models_start_ecpl.yaml", "index"),
    ("hess-crab-1d", "models_start.yaml", "index"),
    ("hess-crab-1d", "models_start_lp.yaml", "alpha"),
    ("flux-points", "models_start.yaml", "alpha"),
]


def moved(models: Models, component: str, index: str, factor: float, shift: float) -> Models:
    values = {name: models.parameters[f"{component}.{name}"].value for name in ("amplitude", index)}
    return models.with_parameters(
        {f"{component}.amplitude": factor * values["amplitude"], f"{component}.{index}": values[index] + shift}
    )


def check_same_minimum(datasets: Datasets, start: Models, component: str, index: str) -> None:
    """Every start within 0.01 sigma and 1e-5 of the statistic that the good start finds."""
    best = Fit(datasets).run(start)
    assert best.status == "converged"
    for factor in AMPLITUDE_FACTORS:
        for shift in INDEX_SHIFTS:
            result = Fit(datasets).optimize(moved(start, component, index, factor, shift))
            assert result.status == "converged", (factor, shift, result.message)
            assert result.statistic == pytest.approx(best.statistic, abs=2e-5), (factor, shift)
            for found, parameter in zip(result.parameters, best.parameters, strict=True):
                assert abs(found.value - parameter.value) <= 0.01 * (parameter.error or 0.0), (factor, shift, found)


@pytest.mark.parametrize(("folder", "models", "index"), REFERENCES)
def test_references(shared: Path, folder: str, models: str, index: str) -> None:
    start = Models.read(shared / "reference" / folder / models)
    check_same_minimum(read_reference(shared, folder), start, "crab", index)


@pytest.mark.parametrize("instrument", list(JOINT_CRAB_RANGES))
def test_each_instrument_of_the_joint_crab(shared: Path, instrument: str) -> None:
    datasets = Datasets.read(shared / "reference" / "joint-crab" / "datasets.yaml").select(f"{instrument}*")
    start = Models.read(shared / "reference" / "joint-crab" / "models_start_pl.yaml")
    check_same_minimum(in_ranges(datasets, JOINT_CRAB_RANGES), start, "crab", "index")


@pytest.mark.parametrize("kind", ["on-off", "known background", "points", "all"])
@pytest.mark.parametrize("seed", [1, 2])
def test_synthetic(kind: str, seed: int) -> None:
    """Few counts: the index has an error of 0.1 and more, empty bins are many."""
    by_kind = {
        "on-off": [on_off("a", seed), on_off("b", seed + 10)],
        "known background": [spectrum("c", seed)],
        "points": [flux_points("d", seed)],
    }
    datasets = Datasets(by_kind[kind] if kind != "all" else [d for several in by_kind.values() for d in several])
    check_same_minimum(datasets, Models([power_law()]), "source", "index")


def test_log_parabola_on_few_counts() -> None:
    datasets = Datasets([on_off("a", 1, exposure=4e12), spectrum("b", 2, exposure=4e12)])
    check_same_minimum(datasets, Models([log_parabola()]), "source", "alpha")


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_amplitude_wrong_by_a_million(shared: Path, factor: float) -> None:
    start = Models.read(shared / "reference" / "joint-crab" / "models_start_lp.yaml")
    datasets = read_reference(shared, "joint-crab")
    result = Fit(datasets).optimize(moved(start, "crab", "alpha", factor, 0.0))
    assert result.status == "converged"
    assert result.statistic == pytest.approx(454.3222741235, abs=1e-5)


def test_amplitude_zero(shared: Path) -> None:
    """A source that starts from nothing: only the amplitude has a slope there."""
    start = Models.read(shared / "reference" / "hess-crab-1d" / "models_start.yaml")
    datasets = read_reference(shared, "hess-crab-1d")
    result = Fit(datasets).optimize(moved(start, "crab", "index", 0.0, 0.0))
    assert result.status == "converged"
    assert result.statistic == pytest.approx(94.3195826613, abs=1e-5)


def test_an_empty_bin_that_is_predicted_to_hold_next_to_nothing_stops_no_fit() -> None:
    """Its expected information is 1 over what is predicted, 1e-9, but the statistic is straight there."""
    data = spectrum("b", 2, exposure=1e12)
    likelihood = JointLikelihood(Datasets([data]), Models([power_law()]))
    signal = likelihood.predicted(likelihood.layout.start)[0] - data.background  # of an amplitude of 1e-11
    most = np.argmax(signal / data.background)
    data = data.with_(counts=np.where(np.arange(7) == most, 0.0, 2.0))
    amplitude = -1e-11 * (1 - 1e-9) * float(data.background[most] / signal[most])
    held = power_law(amplitude=Parameter("amplitude", amplitude, "TeV-1 s-1 cm-2", frozen=True))
    result = Fit(Datasets([data])).run(Models([held]))
    assert result.status == "converged"
    values = JointLikelihood(Datasets([data]), Models([held]))
    around = minimize_scalar(lambda x: values.value(np.array([x])), bounds=(0.5, 4.0), method="bounded")
    assert result.statistic == pytest.approx(around.fun, abs=1e-4)
    assert result.statistic_start - result.statistic > 0.01
