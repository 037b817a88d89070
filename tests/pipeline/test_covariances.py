"""Which covariance the global model has, of one document of models or several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.errors import InvalidInput
from gm.models import Models
from gm.pipeline.analysis.load import load
from gm.pipeline.analysis.request import Request
from gm.pipeline.stages.registry import STAGES
from tests.samples import on_off, power_law

OWN = {
    "a": np.array([[0.01, 2e-14, 0], [2e-14, 1e-25, 0], [0, 0, 0]]),
    "b": np.array([[0.09, -3e-14, 0], [-3e-14, 4e-26, 0], [0, 0, 0]]),
}
BOTH = np.block([[OWN["a"], np.zeros((3, 3))], [np.zeros((3, 3)), OWN["b"]]])


def analysis(folder: Path, covariance: str = "auto", *, with_errors: str = "ab") -> Models:
    for name in "ab":
        models = Models([power_law(name)])
        models = models.with_covariance(OWN[name]) if name in with_errors else models
        models.write(folder / f"{name}.yaml", overwrite=True)
    on_off().write(folder / "on-off.fits", overwrite=True)
    (folder / "datasets.yaml").write_text(
        "datasets:\n  - {name: on-off, type: SpectrumDatasetOnOff, filename: on-off.fits}\n"
    )
    config = folder / "config.yaml"
    config.write_text(
        f"version: 1\ndatasets: datasets.yaml\nmodels: [a.yaml, b.yaml]\ncovariance: {covariance}\nfit: {{}}\n"
    )
    return load(Request(str(config)), STAGES).models


def test_of_several_documents(tmp_path: Path) -> None:
    np.testing.assert_array_equal(np.asarray(analysis(tmp_path).covariance), BOTH)


def test_where_one_of_them_has_none(tmp_path: Path) -> None:
    found = analysis(tmp_path, with_errors="b").covariance
    np.testing.assert_array_equal(np.asarray(found), np.where(np.arange(6) < 3, 0.0, BOTH))


def test_none(tmp_path: Path) -> None:
    found = analysis(tmp_path, "false")
    assert found.covariance is None
    assert found.parameters["a.index"].error == 0.1


def test_that_the_config_names_is_of_all_of_them(tmp_path: Path) -> None:
    """It was passed over where there were several documents."""
    whole = BOTH.copy()
    whole[0, 3] = whole[3, 0] = 0.02
    Models([power_law("a"), power_law("b")]).with_covariance(whole).write(tmp_path / "all.yaml")
    np.testing.assert_array_equal(np.asarray(analysis(tmp_path, "all_covariance.dat").covariance), whole)
    with pytest.raises(InvalidInput, match=r"config.yaml:4:13: .*no such file"):
        analysis(tmp_path, "other.dat")
