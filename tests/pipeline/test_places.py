"""``gm localize`` and ``gm extension``: files, documents, and what is wrong with their sections."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.io.fits import read_fits
from gm.maps.reading import read_map
from gm.models import Models, TemplateSpatialModel
from tests.map_samples import background, cube, held, point, source, write_template
from tests.samples import power_law

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
parameters: {"*.index": {frozen: true}, "*.tilt": {frozen: true}}
localize: [{source: x, n: 3}]
extension: [{source: x, shape: disk, n: 3, energy_edges: [1 TeV, 3 TeV]}]
"""
Command = Callable[..., tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Datasets([cube(response="psf only")]).write(tmp_path / "datasets.yaml")
    Models([source("x", held(point())), power_law("flat"), background()]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("models.yaml", "some.yaml"))
    models = [c for c in Models.read(tmp_path / "models.yaml") if c.name != "flat"]
    Models(models).write(tmp_path / "some.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gm(command: Any, folder: Path) -> Command:
    return command


def test_position_with_its_surface(gm: Command, folder: Path) -> None:
    out, err = gm("localize", "config.yaml")
    assert out == "results/localize/x.yaml\n"
    assert "lon (icrs)" in err
    document = read_document(folder / out.strip())
    assert check(document, "localize") == []
    found = document.data
    rise = read_map(folder / "results/localize/x.fits", "RISE")
    surface = np.array(found["surface"]["rise"])
    assert np.array_equal(rise.data, surface[:, ::-1])
    lon, lat = rise.grid().sky(2.0, 0.0)
    assert float(lon) == pytest.approx(found["surface"]["lon"][0], abs=1e-9)
    assert float(lat) == pytest.approx(found["surface"]["lat"][0], abs=1e-9)
    assert found["r68"] < found["r95"] < found["r99"]
    assert "localize x: up to date" in gm("localize", "config.yaml")[1]
    assert json.loads(gm("localize", "config.yaml", "--json")[0])["localize"] == [found]
    assert "ellipse of 1 sigma" in gm("show", "results/localize/x.yaml")[0]


def test_size_and_its_bands(gm: Command, folder: Path) -> None:
    out, err = gm("extension", "config.yaml")
    assert out == "results/extension/x-ext.yaml\n"
    document = read_document(folder / out.strip())
    assert check(document, "extension") == []
    found = document.data
    assert found["parameter"] == "r_0"
    assert found["all"]["profile"]["rise"][0] == pytest.approx(found["all"]["ts_ext"], abs=1e-3)
    assert len(found["bands"]) == 1
    profiles = read_fits(folder / "results/extension/x-ext.fits").get("PROFILE")
    rows = [row for row in (found["all"], *found["bands"]) if row["profile"]]
    for name in ("size", "rise"):
        assert profiles.column(name).tolist() == [value for row in rows for value in row["profile"][name]]
    assert profiles.column("e_min").tolist() == [row["e_min"] for row in rows for _ in range(3)]
    assert "95 % limit" in err
    assert "size of x as a disk" in gm("plan", "config.yaml")[0]


def test_what_is_wrong_has_its_place(gm: Command, folder: Path) -> None:
    text = CONFIG.split("localize:")[0]
    text += "localize: [{source: y}, {source: flat}, {source: cube-bkg}]\n"
    text += "extension: [{source: x, shape: box}, {source: x, datasets: cub}]\n"
    (folder / "config.yaml").write_text(text)
    err = gm("validate", "config.yaml", code=3)[1]
    told = [line.split(": ", 1)[1] for line in err.splitlines() if line.startswith("config.yaml")]
    assert told[:3] == [
        "$.localize[0].source: no component is called 'y'",
        "$.localize[1].source: 'flat' has no position lon_0, lat_0",
        "$.localize[2].source: 'cube-bkg' is not a sky component",
    ]
    assert told[3].startswith("$.extension[0].shape: 'box' is not")
    assert "$.extension[1].datasets: no dataset matches 'cub'" in told


def test_no_operation_gives_a_source_a_position(gm: Command, folder: Path) -> None:
    """What is wrong with sources is told though stages before edit the models: none of these adds any."""
    text = CONFIG.split("localize:")[0] + "localize: [{source: y}, {source: flat}, {source: x}]\n"
    (folder / "config.yaml").write_text(text + "operations:\n  - copy: {dataset: cube, name: twin}\n")
    err = gm("validate", "config.yaml", code=3)[1]
    assert [line.split(": ", 1)[1] for line in err.splitlines() if line.startswith("config.yaml")] == [
        "$.localize[0].source: no component is called 'y'",
        "$.localize[1].source: 'flat' has no position lon_0, lat_0",
    ]


def test_a_template_without_a_position_cannot_be_moved(gm: Command, folder: Path) -> None:
    """Its file says where it is; a position that is not given is no place to start from."""
    template = TemplateSpatialModel(filename=str(write_template(folder / "template.fits")))
    Models([source("x", template), background()]).write(folder / "models.yaml", overwrite=True)
    (folder / "config.yaml").write_text(CONFIG.split("localize:")[0] + "localize: [{source: x}]\n")
    err = gm("localize", "config.yaml", code=3)[1]
    assert "$.localize[0].source: 'x' has no values of lon_0 and lat_0, from which it could be moved" in err
