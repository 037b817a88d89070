"""The real joint Crab through the whole pipeline. Numbers: Gammapy 2.1 on the same files (``reference/joint-crab``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gm.errors import InvalidInput
from gm.pipeline.analysis.request import Request
from gm.pipeline.commands.plan import plan
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from gm.pipeline.stages.fit.stage import FIT

RANGES = {"fermi": (0.03, 3), "magic": (0.08, 20), "veritas": (0.15, 20), "fact": (0.4, 20), "hess": (0.7, 20)}  # TeV


@pytest.fixture
def config(shared: Path, tmp_path: Path) -> Path:
    reference = shared / "reference" / "joint-crab"
    ranges = [f'    - {{datasets: "{name}*", min: {low} TeV, max: {high} TeV}}' for name, (low, high) in RANGES.items()]
    text = f"""\
version: 1
datasets: {reference}/datasets.yaml
models: {reference}/models_start_lp.yaml
output: results
fit:
  minos: [crab.alpha]
  test: [crab]
  energy_range:
"""
    points = "flux_points:\n  - {source: crab, energy_edges: {min: 30 GeV, max: 20 TeV, n_bins: 12}}\n"
    (tmp_path / "crab.yaml").write_text(text + "\n".join(ranges) + "\n" + points)
    return tmp_path / "crab.yaml"


@pytest.mark.parametrize("model", ["lp", "pl", "ecpl"])
def test_against_the_reference(model: str, config: Path, shared: Path) -> None:
    reference = shared / "reference" / "joint-crab"
    expected = json.loads((reference / f"expected_{model}.json").read_text())
    overrides = (f"models={reference}/models_start_{model}.yaml", "fit.minos=[]")
    outcome = run(Request(str(config), overrides), Silent(), FIT)
    document = outcome.products[0].document
    assert document["status"] == "converged"
    assert document["start"]["statistic"] == pytest.approx(expected["statistic_start"], rel=1e-6)  # a port
    assert document["statistic"]["total"] == pytest.approx(expected["fit"]["statistic"], rel=1e-6)
    rows: dict[str, Any] = {row["name"]: row for row in document["datasets"]}
    assert list(rows) == list(expected["fit"]["datasets"])
    for name, values in expected["fit"]["datasets"].items():
        assert rows[name]["counts"] == values["counts"]
        assert rows[name]["predicted"] == pytest.approx(values["predicted"], rel=1e-3)  # 0.01 sigma in the parameters


def test_asymmetric_errors(config: Path) -> None:
    document = run(Request(str(config)), Silent(), FIT).products[0].document
    minos = next(row for row in document["parameters"] if row["name"] == "crab.alpha")["minos"]
    assert minos["upper"] == pytest.approx(0.02620, rel=0.01)  # Gammapy 2.1
    assert minos["lower"] == pytest.approx(-0.02563, rel=0.01)


def test_flux_points_of_five_instruments(config: Path) -> None:
    outcome = run(Request(str(config)), Silent())
    assert outcome.exit_code == 0
    document = outcome.products[1].document
    assert [point["status"] for point in document["points"]] == ["ok"] * 12
    assert [product.stage.name for product in outcome.products] == ["fit", "flux_points"]
    again = run(Request(str(config)), Silent())
    assert [product.ran for product in again.products] == [False, False]
    assert again.products[1].document == document


def test_plan(config: Path) -> None:
    found = plan(Request(str(config)))
    assert [(stage.name, stage.up_to_date) for stage in found.stages] == [
        ("fit", False),
        ("flux_points crab-sed", False),
    ]
    assert sum(row["bins"] for row in found.datasets) == 359


def test_a_misspelt_dataset_pattern_has_a_place(config: Path) -> None:
    config.write_text(config.read_text().replace('"hess*"', '"hes-*"'))
    with pytest.raises(
        InvalidInput, match=r"crab\.yaml:13:18: \$\.fit\.energy_range\[4\]\.datasets: no dataset matches"
    ):
        plan(Request(str(config)))
