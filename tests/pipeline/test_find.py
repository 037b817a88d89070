"""``gm find``: two sources that the model does not have, and one that is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets, MapDataset
from gm.errors import DataError
from gm.estimators.sky.finding import SourceFinder
from gm.likelihood import predict_component
from gm.models import Models
from tests.map_samples import LAT, LON, background, cube, held, point, psf_map, source
from tests.samples import on_off

PLACES = (LON + 0.5, LAT + 0.4), (LON - 0.45, LAT - 0.35)
CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
find: {map: ts, threshold: 5, iterations: 4, spectral: {type: pl, index: 2.3}}
"""
Command = Callable[..., tuple[str, str]]


def two_sources() -> MapDataset:
    """Of 250 and 120 expected counts, beside a background that the model has; drawn."""
    empty = cube(response="psf only", background=0.3)
    empty = empty.with_(psf=psf_map(empty.energy_true, single_pixel=True), mask_safe=None)
    expected = np.zeros(empty.counts.shape) if empty.background is None else empty.background.astype(float)
    for (lon, lat), counts in zip(PLACES, (250.0, 120.0), strict=True):
        one = predict_component(empty, source(shape=point(lon, lat)), "exact")
        expected = expected + one * (counts / one.sum())
    return empty.with_(counts=np.random.default_rng(5).poisson(expected).astype(np.float32))


def start() -> Models:
    return Models([background(norm=1.0, tilt=0.0)]).with_parameters({"cube-bkg.tilt": {"frozen": True}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Datasets([two_sources()]).write(tmp_path / "datasets.yaml")
    start().write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gm(command: Any, folder: Path) -> Command:
    return command


def test_both_are_found_strongest_first(gm: Command, folder: Path) -> None:
    """Where they are, within three of the radii that hold 68 %; then nothing is left."""
    out, err = gm("find", "config.yaml")
    document = read_document(folder / out.strip())
    assert check(document, "find") == []
    found = document.data
    assert [row["name"] for row in found["sources"]] == ["found-1", "found-2"]
    assert found["stopped"] == "no peak above 5 sigma is left"
    assert "a peak of" in err
    for row, (lon, lat) in zip(found["sources"], PLACES, strict=True):
        away = np.hypot((row["lon"] - lon) * np.cos(np.radians(lat)), row["lat"] - lat)
        assert away < 3 * row["r68"]
        assert row["kept"]
    gained = sum(row["ts"] for row in found["sources"])
    assert found["statistic"]["start"] - found["statistic"]["end"] == pytest.approx(gained)
    models = Models.read(folder / "results/find/models.yaml")
    assert models.names == ["cube-bkg", "found-1", "found-2"]
    assert models.covariance is not None
    again = CONFIG.replace("models: models.yaml", "models: results/find/models.yaml")
    (folder / "again.yaml").write_text(again.replace("output: results", "output: again"))
    assert "0 sources" in gm("find", "again.yaml")[1]
    assert "at most 4 sources above 5 sigma" in gm("plan", "config.yaml")[0]
    assert "kept" in gm("show", "results/find/find.yaml")[0]


def test_a_peak_that_is_no_source_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason is told, and the model is as it was."""
    models = Models([*start(), source("one", held(point(*PLACES[0]))), source("two", held(point(*PLACES[1])))])
    from gm.estimators.sky import finding

    monkeypatch.setattr(finding, "find_peaks", lambda *a, **k: [finding.Peak(LON, LAT, 5.5, 11, 13, 0.1)])
    found = SourceFinder().run(Datasets([two_sources()]), models)
    assert [step.kept for step in found.steps] == [False]
    assert "better by" in found.stopped
    assert found.models.names == models.names


def test_without_maps_there_is_nothing_to_find(gm: Command) -> None:
    with pytest.raises(DataError, match="no dataset has pixels"):
        SourceFinder().run(Datasets([on_off()]), Models())
    err = gm("validate", "config.yaml", "-s", "find.spectral=pll", "-s", "find.datasets=cub", code=3)[1]
    assert "$.find.spectral: 'pll' is not a spectral model" in err
    assert "$.find.datasets: no dataset matches 'cub'" in err
