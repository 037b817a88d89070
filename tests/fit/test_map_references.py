"""Fits of map datasets against Gammapy 2.1 (shared/reference): 0.02 sigma or a lower statistic, errors 2 %.

Errors are compared with ``errors_numeric.json``: Hessians of Gammapy's statistic by Richardson's extrapolation, about
1 % themselves, at the best fit of the unrounded files. One of them, the latitude of the Fermi Crab, is 3 % off: Gammapy
convolves in single precision, which leaves 4e-4 of noise in the statistic, 3 % of its second difference over 0.1 sigma.
There Gammapy itself is asked where its statistic has risen by 1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.fit import Fit, FitResult, FittedParameter
from gm.likelihood import JointLikelihood
from gm.models import Models
from tests.samples import read_json


@dataclass(frozen=True)
class Reference:
    """folder, start models, expected values, and the key of the numeric errors; Gammapy did not converge in some."""

    folder: str
    models: str
    expected: str
    errors: str | None = "start"
    converged: bool = True


CASES = {
    "fermi-crab": Reference("fermi-3fhl-crab", "models_start.yaml", "expected.json", converged=False),
    "fermi-crab-position": Reference(
        "fermi-3fhl-crab", "models_start_pos.yaml", "expected_free_position.json", "free_position"
    ),
    "fermi-gc": Reference("fermi-3fhl-gc", "models_start.yaml", "expected.json"),
    "cta": Reference("cta1dc-gc-joint", "models_start.yaml", "expected.json"),
    "cta-diffuse": Reference("cta1dc-gc-joint", "models_start_diffuse.yaml", "expected_diffuse.json", None),
    "cta-stacked": Reference("cta1dc-gc-stacked", "models_start.yaml", "expected.json", converged=False),
    "msh1552": Reference("hess-msh1552-runs", "models.yaml", "expected.json", None),
    "msh1552-stacked": Reference("hess-msh1552-stacked", "models_start.yaml", "expected.json"),
    "hawc": Reference("hawc-crab", "models_start.yaml", "expected.json"),
}


@dataclass(frozen=True)
class Fitted:
    """A reference with its result.

    statistic : of the result with responses taken where the fit started, as Gammapy keeps them; again : of the result's
    models, compiled anew
    """

    reference: Reference
    expected: dict[str, Any]
    result: FitResult
    errors: dict[str, float]
    statistic: float
    again: float


def read(shared: Path, folder: str) -> Datasets:
    return Datasets.read(shared / "reference" / folder / "datasets.yaml")


def fitted(shared: Path, folder: str, models: str) -> FitResult:
    return Fit(read(shared, folder)).run(Models.read(shared / "reference" / folder / models))


def by_name(result: FitResult) -> dict[str, FittedParameter]:
    return {parameter.name: parameter for parameter in result.parameters}


@pytest.fixture(scope="module", params=list(CASES))
def case(shared: Path, request: pytest.FixtureRequest) -> Fitted:
    reference = CASES[request.param]
    root = shared / "reference" / reference.folder
    errors = read_json(root / "errors_numeric.json")[reference.errors] if reference.errors else {}
    datasets, models = read(shared, reference.folder), Models.read(root / reference.models)
    result = Fit(datasets).run(models)
    start, end = JointLikelihood(datasets, models), JointLikelihood(datasets, result.models)
    statistics = start.value(end.layout.start), end.value(end.layout.start)
    return Fitted(reference, read_json(root / reference.expected), result, errors, *statistics)


def test_minimum(case: Fitted) -> None:
    """As low as Gammapy's to 1e-7 (single precision), or lower; and at its parameters if it converged."""
    result, expected = case.result, case.expected["fit"]
    assert result.status == "converged"
    assert result.statistic_start == pytest.approx(case.expected["statistic_start"], rel=1e-7)
    assert case.statistic <= expected["statistic"] + 1e-7 * abs(expected["statistic"])
    if not case.reference.converged:
        assert case.statistic < expected["statistic"] - 1e-3
        return
    assert case.statistic == pytest.approx(expected["statistic"], abs=0.005)
    for name, parameter in by_name(result).items():
        if not parameter.frozen:
            assert parameter.error is not None
            assert abs(parameter.value - expected["parameters"][name]["value"]) < 0.02 * parameter.error, name


def test_the_statistic_is_that_of_the_models_read_again(case: Fitted) -> None:
    assert case.result.statistic == pytest.approx(case.again, rel=1e-12)


def test_errors(case: Fitted) -> None:
    found = {name: parameter.error for name, parameter in by_name(case.result).items() if name in case.errors}
    assert set(found) == set(case.errors)
    for name, error in case.errors.items():
        is_noise = case.reference.errors == "free_position" and name == "Crab Nebula.lat_0"
        assert found[name] == pytest.approx(error, rel=0.04 if is_noise else 0.02), name


RISES = """
import json, sys
from gammapy.datasets import Datasets
from gammapy.modeling.models import Models
folder, best, steps = sys.argv[1], *map(json.loads, sys.argv[2:])
datasets, models = Datasets.read(folder + "/datasets.yaml"), Models.read(folder + "/models_start_pos.yaml")
parameters = {f"{m.name}.{p.name}": p for m in models for p in m.parameters}
for name, value in best.items():
    parameters[name].value = value
datasets.models = models
rises = {}
for name, step in steps.items():
    values = []
    for side in (0, -1, 1):
        parameters[name].value = best[name] + side * step
        values.append(float(datasets.stat_sum()))
    parameters[name].value = best[name]
    rises[name] = (values[1] + values[2]) / 2 - values[0]
print(json.dumps(rises))
"""


def test_one_error_away_gammapys_statistic_has_risen_by_one(shared: Path, gammapy: Callable[..., Any]) -> None:
    """To the 4e-4 of noise in Gammapy's values and 2e-4 that they are not quadratic; the others fixed."""
    result = fitted(shared, "fermi-3fhl-crab", "models_start_pos.yaml")
    assert result.covariance is not None
    names, covariance = result.covariance
    conditional = dict(zip(names, 1.0 / np.sqrt(np.diag(np.linalg.inv(covariance))), strict=True))
    steps = {name: conditional[name] for name in ("Crab Nebula.lon_0", "Crab Nebula.lat_0")}
    best = {name: parameter.value for name, parameter in by_name(result).items() if not parameter.frozen}
    rises = gammapy(RISES, shared / "reference" / "fermi-3fhl-crab", json.dumps(best), json.dumps(steps))
    assert rises == pytest.approx(dict.fromkeys(steps, 1.0), abs=2e-3)
    assert all(by_name(result)[name].error == pytest.approx(step, rel=1e-3) for name, step in steps.items())


def test_covariance_and_datasets(case: Fitted) -> None:
    result = case.result
    assert result.covariance is not None
    names, matrix = result.covariance
    parameters = by_name(result)
    assert [parameters[name].error for name in names] == pytest.approx(np.sqrt(np.diag(matrix)), rel=1e-9)
    assert (np.linalg.eigvalsh(matrix / np.sqrt(np.outer(np.diag(matrix), np.diag(matrix)))) > 0).all()
    assert sum(summary.statistic for summary in result.datasets) == pytest.approx(result.statistic, rel=1e-12)
    for summary in result.datasets:
        if case.reference.converged:
            expected = case.expected["fit"]["datasets"][summary.name]
            assert summary.predicted == pytest.approx(expected["predicted"], rel=1e-3)


def test_errors_of_positions_among_kinks_are_told(shared: Path) -> None:
    """Two errors away from the best longitude, with all else fitted again, the statistic has risen by 1.73 and 3.9."""
    result = fitted(shared, "cta1dc-gc-joint", "models_start.yaml")
    lon = next(p for p in result.parameters if p.name == "gc.lon_0")
    assert lon.rise_at_2_sigma == pytest.approx(1.73, rel=0.03)
    assert [p.name for p in result.parameters if p.rise_at_2_sigma is not None] == ["gc.lon_0", "gc.lat_0"]
    assert any(text.startswith("gc.lon_0") and "minos" in text and "exact" in text for text in result.warnings)


def test_the_stacked_galactic_centre_is_the_minimum(shared: Path) -> None:
    """Gammapy stops at a latitude 89 deg away, 1619 above; here a fit from the end of the first stays there.

    The responses are then taken at the source, not 0.07 deg beside it at the start: 0.2 in the statistic.
    """
    folder = "cta1dc-gc-stacked"
    result = fitted(shared, folder, "models_start.yaml")
    again = Fit(read(shared, folder)).run(result.models)
    assert again.status == "converged"
    assert again.statistic == pytest.approx(result.statistic, abs=0.3)
    for name, parameter in by_name(again).items():
        assert parameter.frozen or abs(parameter.value - by_name(result)[name].value) < 0.1 * (parameter.error or 0.0)


def test_a_norm_and_a_tilt_for_every_run(shared: Path) -> None:
    """43 parameters, on which Gammapy runs away without limits; each run's tilt and norm are measured."""
    result = fitted(shared, "hess-msh1552-runs", "models_tilt.yaml")
    assert result.status == "converged"
    assert result.n_free == 43
    expected = read_json(shared / "reference" / "hess-msh1552-runs" / "expected.json")["fit"]
    assert result.statistic < expected["statistic"] - 100  # without tilts
    parameters = by_name(result)
    for name, parameter in parameters.items():
        if name.endswith(".tilt"):
            assert parameter.error is not None
            assert 0.01 < parameter.error < 0.1
            assert abs(parameter.value) < 0.5
    for name in ("lon_0", "lat_0", "sigma", "index"):
        there = expected["parameters"][f"msh1552.{name}"]["value"]
        error = parameters[f"msh1552.{name}"].error
        assert error is not None
        assert abs(parameters[f"msh1552.{name}"].value - there) < 2 * error


def test_without_limits_the_fit_does_not_run_away(shared: Path) -> None:
    """The same minimum as with limits on position and size, to what MIGRAD leaves."""
    bounded, free = (
        fitted(shared, "hess-msh1552-stacked", models) for models in ("models_start.yaml", "models_start_nobounds.yaml")
    )
    assert free.status == "converged"
    assert free.statistic == pytest.approx(bounded.statistic, abs=1e-4)


def test_hawc_with_a_norm_for_each_background(shared: Path) -> None:
    """One source under five large PSFs and five free backgrounds: lower than with fixed ones, and it converges."""
    fixed, free = (fitted(shared, "hawc-crab", models) for models in ("models_start.yaml", "models_start_bkg.yaml"))
    assert free.status == "converged"
    assert free.n_free == 10
    assert free.statistic < fixed.statistic
    norms = {name: parameter for name, parameter in by_name(free).items() if name.endswith("bkg.norm")}
    assert len(norms) == 5
    for parameter in norms.values():
        assert parameter.error is not None
        assert abs(parameter.value - 1.0) < 5 * parameter.error


def test_a_far_start_finds_the_crab(shared: Path) -> None:
    """Ten times too weak, and with another curvature: Gammapy stops 11 above this minimum."""
    far = fitted(shared, "fermi-3fhl-crab", "models_start_far.yaml")
    near = fitted(shared, "fermi-3fhl-crab", "models_start.yaml")
    assert far.status == "converged"
    assert far.statistic == pytest.approx(near.statistic, abs=1e-4)
