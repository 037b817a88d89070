"""A fit as a value that is written, read again and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm import Datasets, Fit, FitResult, Models
from gm.errors import DataError, InvalidInput
from tests.samples import on_off, power_law, spectrum


@pytest.fixture(scope="module")
def result() -> FitResult:
    datasets = Datasets([on_off("a", 1, exposure=1e13), spectrum("b", 2, exposure=1e13)])
    models = Models([power_law("crab")]).with_parameters({"crab.index": {"min": 1.0, "max": 5.0}})
    return Fit(datasets).run(models, minos=["crab.index"], contours=[("crab.index", "crab.amplitude")], test=["crab"])


def test_written_and_read_it_is_the_same(result: FitResult, tmp_path: Path) -> None:
    result.write(tmp_path / "fit.yaml")
    again = FitResult.read(tmp_path / "fit.yaml")
    assert again.to_dict() == result.to_dict()
    assert again.parameters == result.parameters
    assert again.success
    names, covariance = again.covariance or ((), np.empty(0))
    np.testing.assert_array_equal(covariance, result.covariance[1])  # type: ignore[index]
    assert names == ("crab.index", "crab.amplitude")
    again.write(tmp_path / "again" / "fit.yaml")
    assert (tmp_path / "again/fit.yaml").read_bytes() == (tmp_path / "fit.yaml").read_bytes()


def test_what_the_command_wrote_is_read(gm_run: Any, tmp_path: Path) -> None:
    document = gm_run(tmp_path)
    read = FitResult.read(tmp_path / "results/fit/fit.yaml")
    left_out = {"inputs", "tables", "name"}
    mine = {key: value for key, value in read.to_dict().items() if key not in left_out}
    theirs = {key: value for key, value in document.items() if key not in left_out}
    for rows in (mine["components"], theirs["components"]):
        for row in rows:
            row.pop("fluxes", None)
    for row in theirs["datasets"]:
        row.pop("goodness", None)
    assert mine == theirs


@pytest.fixture
def gm_run(capsys: pytest.CaptureFixture[str]) -> Any:
    """Writes an analysis into a folder and fits it; returns the document."""
    from gm.cli import main

    def run(folder: Path) -> Any:
        Datasets([on_off("a", 1, exposure=1e13)]).write(folder / "datasets.yaml")
        Models([power_law("crab")]).write(folder / "models.yaml")
        (folder / "config.yaml").write_text(
            "version: 1\noutput: results\ndatasets: datasets.yaml\nmodels: models.yaml\nfit: {minos: [crab.index]}\n"
        )
        with pytest.raises(SystemExit):
            main(["fit", "--json", str(folder / "config.yaml")])
        return json.loads(capsys.readouterr().out)

    return run


def test_nothing_is_replaced_unasked_and_no_other_file_is_taken_for_it(result: FitResult, tmp_path: Path) -> None:
    result.write(tmp_path / "fit.yaml")
    with pytest.raises(DataError, match="exists already\n    pass overwrite=True"):
        result.write(tmp_path / "fit.yaml")
    result.write(tmp_path / "fit.yaml", overwrite=True)
    with pytest.raises(InvalidInput, match="key 'status' is missing"):
        FitResult.read(tmp_path / "models.yaml")


def test_in_a_notebook(result: FitResult) -> None:
    assert repr(result).startswith("FitResult(converged, statistic ")
    assert "<td>crab.index</td>" in result._repr_html_()
    table = result.to_table()
    assert table.colnames == ["name", "value", "error", "unit", "frozen", "min", "max"]
    assert table["name"].tolist() == [p.name for p in result.parameters]
    assert table["value"].dtype == np.float64
    assert np.isnan(table["error"][-1])
    assert table.meta["status"] == "converged"


def test_own_parameters_come_back_with_their_border() -> None:
    """A matrix with a border, of the shape that many datasets with parameters of their own have."""
    from gm.fit.document import covariance_from

    shared = [[4.0, 1.0], [1.0, 2.0]]
    own = [{"parameter": "a-bkg.norm", "variance": 0.5, "covariance": [0.2, 0.1]},
           {"parameter": "b-bkg.norm", "variance": 0.3, "covariance": [0.0, -0.1]}]  # fmt: skip
    names, covariance = covariance_from({"parameters": ["x.index", "x.amplitude"], "matrix": shared, "own": own})
    assert names == ("x.index", "x.amplitude", "a-bkg.norm", "b-bkg.norm")
    everything = np.arange(4)
    matrix = np.asarray(covariance[everything[:, None], everything])
    np.testing.assert_allclose(matrix[:2, :2], shared)
    np.testing.assert_allclose(matrix[2:, :2], [[0.2, 0.1], [0.0, -0.1]], atol=1e-15)
    np.testing.assert_allclose(covariance.diagonal(), [4.0, 2.0, 0.5, 0.3])
