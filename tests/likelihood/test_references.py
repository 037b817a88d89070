"""Statistic and predicted counts of the real reference cases at the start, against Gammapy 2.1."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.datasets import Datasets, FluxPointsDataset
from gm.likelihood import JointLikelihood
from gm.models import Models
from tests.samples import FLUX_POINTS, read_flux_points, read_json, read_reference

# folder, models, expected
CASES = [
    ("joint-crab", "models_start_lp.yaml", "expected_lp.json"),
    ("joint-crab", "models_start_pl.yaml", "expected_pl.json"),
    ("joint-crab", "models_start_ecpl.yaml", "expected_ecpl.json"),
    ("hess-crab-1d", "models_start.yaml", "expected.json"),
    ("hess-crab-1d", "models_start_lp.yaml", "expected_lp.json"),
    ("flux-points", "models_start.yaml", "expected.json"),
]


@pytest.mark.parametrize(("folder", "models", "expected"), CASES)
def test_start(shared: Path, folder: str, models: str, expected: str) -> None:
    """1e-6 of the statistic's scale, 1e-5 of counts: the tolerance of a port (formats/likelihood.md)."""
    reference = read_json(shared / "reference" / folder / expected)
    likelihood = JointLikelihood(read_reference(shared, folder), Models.read(shared / "reference" / folder / models))
    start = likelihood.layout.start
    assert likelihood.value(start) == pytest.approx(reference["statistic_start"], rel=1e-6)
    summaries = {summary.name: summary for summary in likelihood.summarize(start)}
    assert list(summaries) == [dataset.name for dataset in likelihood.datasets]
    assert set(summaries) == set(reference["datasets_start"])
    for name, numbers in reference["datasets_start"].items():
        summary = summaries[name]
        assert summary.statistic == pytest.approx(numbers["statistic"], rel=1e-6)
        if "counts" not in numbers:
            assert isinstance(likelihood.datasets[name], FluxPointsDataset)
            continue
        assert summary.counts == numbers["counts"]
        assert summary.predicted == pytest.approx(numbers["predicted"], rel=1e-5)
        assert summary.background == pytest.approx(numbers["background"], rel=1e-5)
        assert summary.components == pytest.approx(numbers["components"], rel=1e-5)


def test_the_whole_energy_range_of_the_joint_crab(shared: Path) -> None:
    """formats/likelihood.md: 1237.8570921514 without the fit ranges; 1207.5348743073 with them."""
    folder = shared / "reference" / "joint-crab"
    models = Models.read(folder / "models_start_lp.yaml")
    whole = JointLikelihood(Datasets.read(folder / "datasets.yaml"), models)
    assert whole.value(whole.layout.start) == pytest.approx(1237.8570921514, rel=1e-10)
    ranged = JointLikelihood(read_reference(shared, "joint-crab"), models)
    assert ranged.value(ranged.layout.start) == pytest.approx(1207.5348743073, rel=1e-10)


@pytest.mark.parametrize("case", FLUX_POINTS)
def test_flux_points_at_gammapys_best_fit(shared: Path, case: str) -> None:
    """The statistic at the parameters where Gammapy's fit of each table alone ended."""
    alone, models, reference = read_flux_points(shared, case)
    best = models.with_parameters({f"crab.{p}": v["value"] for p, v in reference["parameters"].items()})
    likelihood = JointLikelihood(alone, best)
    value, gradient = likelihood.value_and_gradient(likelihood.layout.start)
    assert value == pytest.approx(reference["statistic"], rel=1e-6, abs=1e-6)
    errors = np.array([reference["parameters"][a.split(".")[1]]["error"] for a in likelihood.layout.free_addresses])
    # Gammapy stops within its tolerance: a slope times an error of 0.05 is 0.025 sigma
    assert abs(gradient * errors).max() < 0.05
