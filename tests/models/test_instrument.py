"""Components of instruments in documents and in Python."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

import gm
from gm.config_schemas.reader import read_document
from gm.errors import InvalidInput, ReadOnlyError
from gm.io.yaml_writer import dump_yaml
from gm.models import GaussianPrior, InstrumentModel, InstrumentResponse, Link, ModelError, Models, Parameter
from tests.samples import power_law

DOCUMENT = """\
components:
  - name: inst
    type: InstrumentModel
    datasets_names: [a, b]
    parameters:
      - name: exposure_norm
        value: 1.0
        prior: {type: GaussianPrior, parameters: [{name: mu, value: 1.0}, {name: sigma, value: 0.1}]}
      - {name: exposure_tilt, value: 0.1, frozen: true}
"""


def read(text: str) -> Models:
    models, problems = Models.from_document(read_document("models.yaml", text))
    assert not problems, problems
    assert models is not None
    return models


def problems_of(text: str) -> list[str]:
    return [str(problem) for problem in Models.from_document(read_document("models.yaml", text))[1]]


def test_what_is_given_is_free_and_what_is_not_is_neutral() -> None:
    models = read(DOCUMENT)
    component = models["inst"]
    assert isinstance(component, InstrumentModel)
    assert component.datasets_names == ("a", "b")
    assert models.parameters["inst.exposure_norm"].prior == GaussianPrior(mu=1.0, sigma=0.1)
    frozen = {p.name: p.frozen for p in component.parameters if p.name in InstrumentResponse.acting}
    assert frozen.pop("exposure_norm") is False
    assert set(frozen.values()) == {True}
    assert component.response.told() == ["exposure_norm", "exposure_tilt"]
    assert models.parameters["inst.exposure_tilt"].value == 0.1


def test_neutral_parameters_are_not_written() -> None:
    models = read(DOCUMENT)
    (row,) = models.to_dict()["components"]
    assert list(row) == ["name", "type", "datasets_names", "parameters"]
    assert [entry["name"] for entry in row["parameters"]] == ["exposure_norm", "exposure_tilt"]
    again = read(dump_yaml(models.to_dict(), allow_nan=True))
    assert again.parameters == models.parameters or list(again.parameters) == list(models.parameters)


def test_results_of_a_fit_are_read_again(tmp_path: Path) -> None:
    import numpy as np

    models = Models([power_law(), *read(DOCUMENT)])
    errors = np.diag([0.1 * (not p.frozen) for p in models.parameters])
    models.with_covariance(errors).write(tmp_path / "models.yaml")
    again = Models.read(tmp_path / "models.yaml")
    assert [p.error for p in again.parameters] == pytest.approx(np.sqrt(np.diag(errors)))


def test_links_travel() -> None:
    first, second = (InstrumentModel(name=n, response=InstrumentResponse(exposure_norm=1.1)) for n in ("one", "two"))
    models = Models([first, second]).with_links([Link("two.exposure_norm", "one.exposure_norm")])
    again = read(dump_yaml(models.to_dict(), allow_nan=True))
    assert list(again.links) == list(models.links)
    scaled = Models([first, second]).with_links([Link("two.exposure_tilt", "one.exposure_tilt", scale=0.5)])
    assert list(read(dump_yaml(scaled.to_dict(), allow_nan=True)).links) == list(scaled.links)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("name: exposure_norm", "name: exposure", "'exposure' is not a parameter of InstrumentModel"),
        ("name: inst", "", "key 'name' is missing"),
        ("datasets_names: [a, b]", "datasets: [a, b]", "unknown key 'datasets'"),
        ("InstrumentModel", "InstrumentModl", "'InstrumentModl' is not a component type"),
        ("value: 1.0\n", "value: 1.0\n        unit: TeV\n", "'TeV' should be empty"),
    ],
)
def test_what_is_wrong_has_a_place(old: str, new: str, expected: str) -> None:
    told = problems_of(DOCUMENT.replace(old, new, 1))
    assert any(expected in problem for problem in told), told
    assert all(problem.startswith("models.yaml:") for problem in told)


def test_in_python() -> None:
    norm = gm.Parameter("exposure_norm", 1.0, prior=gm.GaussianPrior(mu=1.0, sigma=0.1))
    component = gm.InstrumentModel(name="inst", datasets_names="a", response=gm.InstrumentResponse(exposure_norm=norm))
    assert component.response.exposure_norm == norm
    assert component.response.exposure_tilt.frozen
    assert component.response(2.0) == 1.0
    models = gm.Models([component])
    assert models.instruments() == [component]
    assert (models.instruments("a"), models.instruments("b")) == ([component], [])
    assert models.sources() == []
    changed = models.with_parameters({"inst.exposure_tilt": {"value": 0.3, "frozen": False}})
    assert changed.parameters["inst.instrument.exposure_tilt"].value == 0.3
    with pytest.raises(ModelError, match="'tilt' is not a parameter of InstrumentModel"):
        gm.InstrumentResponse(tilt=1.0)
    with pytest.raises(ModelError, match="response is 1"):
        gm.InstrumentModel(response=1)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ReadOnlyError, match="cannot be set"):
        component.response = None  # type: ignore[misc,assignment]  # wrong on purpose


@pytest.mark.parametrize("travel", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_they_travel(travel: Any) -> None:
    models = read(DOCUMENT)
    there = travel(models)
    assert repr(there) == repr(models)
    assert there["inst"].spectral_model is there["inst"].response


def test_a_file_of_the_wrong_kind_tells_all_types(tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(DOCUMENT.replace("InstrumentModel", "Instrument"))
    with pytest.raises(InvalidInput, match="InstrumentModel"):
        Models.read(tmp_path / "models.yaml")


def test_a_parameter_alone() -> None:
    assert Parameter("exposure_norm", 1.0, frozen=True) in InstrumentResponse().parameters
