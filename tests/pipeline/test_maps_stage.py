"""``gm maps``: files, documents, aliases, what is wrong with its section, and Gammapy that reads what it writes."""

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
from gm.errors import DataError
from gm.figures.look import Look
from gm.figures.registry import parts_of
from gm.maps.reading import read_map
from gm.models import Models
from gm.pipeline.commands.plot import read_drawn
from tests.map_samples import background, cube
from tests.samples import on_off

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
maps:
  - {type: ts, datasets: cube, energy_edges: [1 TeV, 3 TeV, 20 TeV], kernel: {spectral: {type: pl, index: 2.3}}}
  - {type: excess, correlation_radius: 0.15 deg, confidence: {sigma_ul: 3}}
  - {type: residual, name: residuals}
  - {type: peaks, of: ts, threshold: 4, min_distance: 0.3 deg}
  - {type: ps, datasets: cube}
  - {type: profile, center: [83.63, 22.01], max: 1 deg, n: 4}
"""
Command = Callable[..., tuple[str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Datasets([cube(), on_off("spectrum")]).write(tmp_path / "datasets.yaml")
    Models([background()]).write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def gm(command: Any, folder: Path) -> Command:
    return command


def test_every_entry_is_a_result(gm: Command, folder: Path) -> None:
    out, err = gm("maps", "config.yaml")
    assert out.splitlines() == [
        f"results/maps/{name}.yaml" for name in ("ts", "excess", "residuals", "peaks", "ps", "profile")
    ]
    assert "warning: spectrum has no pixels and was left out" in err
    for line in out.splitlines():
        document = read_document(folder / line)
        assert check(document, "maps") == []
        assert (folder / "results/maps" / document.data["file"]).is_file()
    ts, excess, residuals, peaks, _, profile = (read_document(folder / line).data for line in out.splitlines())
    assert len(profile["bands"][0]["profile"]) == 4
    assert ts["quantities"]["flux_ul"]["unit"] == "cm-2 s-1"
    assert ts["kernel"]["spectral"]["type"] == "PowerLawSpectralModel"
    assert excess["confidence"] == {"sigma": 1, "sigma_ul": 3}
    assert residuals["distributions"][0]["pixels"] > 500
    held_map = read_map(folder / "results/maps/ts.fits", "SQRT_TS")
    assert np.nanmax(held_map.data[0]) == ts["bands"][0]["maximum"]["sqrt_ts"]
    assert peaks["bands"][0]["peaks"][0]["pixel"] == ts["bands"][0]["maximum"]["pixel"]
    assert Models.read(folder / "results/maps/peaks/models.yaml").names == peaks["candidates"]


def test_again_is_up_to_date_and_peaks_follow_their_map(gm: Command, folder: Path) -> None:
    gm("ts-map", "config.yaml")
    before = {path: path.read_bytes() for path in (folder / "results/maps").rglob("*.*")}
    assert gm("maps", "config.yaml")[1].count("up to date") == 6
    err = gm("maps", "config.yaml", "-s", "maps[0].intervals=false")[1]
    assert "maps ts: config changed" in err
    assert "maps peaks: config changed" in err
    assert err.count("up to date") == 4
    gm("maps", "config.yaml")
    assert {path: path.read_bytes() for path in (folder / "results/maps").rglob("*.*")} == before


def test_plan_show_and_json(gm: Command) -> None:
    out = gm("plan", "config.yaml")[0]
    assert "ts map, 2 bands, from the models as given" in out
    assert "peaks of ts above 4 sigma" in out
    found = json.loads(gm("maps", "config.yaml", "--json")[0])["maps"]
    assert [document["name"] for document in found] == ["ts", "excess", "residuals", "peaks", "ps", "profile"]
    assert "position" in gm("show", "results/maps/peaks.yaml")[0]
    assert "ts-map" not in gm("--help")[0]


def test_peaks_and_profiles_have_figures(gm: Command, folder: Path) -> None:
    """Peaks are marked on the map that they were found in, of each band."""
    pytest.importorskip("matplotlib")
    gm("maps", "config.yaml")
    peaks, profile = (read_drawn([folder / f"results/maps/{name}.yaml"]).results for name in ("peaks", "profile"))
    images = parts_of(peaks, "sky-map", Look())
    marks = [mark for image in images for mark in image.marks]
    assert len(images) == 2
    assert marks
    column, row = (int(place) for place in marks[0][1:])
    assert f"{images[0].values[row, column]:.1f}" == marks[0][0]
    assert parts_of(peaks, "residual-histogram", Look()) == []
    assert parts_of(profile, "sky-profile", Look())[0].excess.size == 4
    assert gm("plot", "results/maps/peaks.yaml", "-o", "peaks.png")[0] == "peaks.png\n"
    assert gm("plot", "results/maps/profile.yaml", "-o", "profile.png")[0] == "profile.png\n"
    (folder / "results/maps/ts.yaml").unlink()
    with pytest.raises(DataError, match="run gm maps again"):
        parts_of(peaks, "sky-map", Look())


def test_candidates_are_models_of_a_fit(gm: Command, folder: Path) -> None:
    gm("maps", "config.yaml")
    config = (
        "version: 1\noutput: again\ndatasets: datasets.yaml\nmodels: [models.yaml, results/maps/peaks/models.yaml]\n"
    )
    (folder / "again.yaml").write_text(config + "fit: {datasets: cube}\n")
    gm("fit", "again.yaml")


def test_what_is_wrong_has_its_place(gm: Command, folder: Path) -> None:
    entries = """\
  - {type: ts, kernel: {spatial: {type: gaus, sigma: 0.1 deg}, spectral: {type: pl, indx: 2}}}
  - {type: ts, name: other, kernel: {spatial: {type: gauss, sigma: 1 TeV}}, correlation_radius: 1 deg}
  - {type: excess, correlation_radius: 0.1 TeV, datasets: cub}
  - {type: peaks, of: tss}
  - {type: excess, energy_edges: [2 TeV, 1 TeV]}
  - {type: profile, center: [83.63, 22.01]}
"""
    (folder / "config.yaml").write_text(CONFIG.split("maps:")[0] + "maps:\n" + entries)
    err = gm("validate", "config.yaml", code=3)[1]
    told = [line.split(": ", 1)[1] for line in err.splitlines() if line.startswith("config.yaml")]
    assert told == [
        "$.maps[0].kernel.spatial.type: 'gaus' is not a spatial model",
        "$.maps[0].kernel.spectral.indx: 'indx' is not a parameter of PowerLawSpectralModel",
        "$.maps[1].kernel.spatial.sigma: 'TeV' does not convert to 'deg'",
        "$.maps[1].correlation_radius: 'correlation_radius' means nothing for a map of type ts",
        "$.maps[2].correlation_radius: 'TeV' does not convert to 'deg'",
        "$.maps[2].datasets: no dataset matches 'cub'",
        "$.maps[3].of: no map before this entry is called 'tss'",
        "$.maps[4].type: entry 2 is called 'excess' already",
        "$.maps[4].energy_edges[1]: edge 1 TeV is not above 2 TeV",
        "$.maps[5]: key 'max' is missing",
    ]


def test_without_pixels_there_is_no_map(gm: Command) -> None:
    assert "no dataset with pixels is left" in gm("maps", "config.yaml", "-s", "maps[0].datasets=spectrum", code=4)[1]


def test_peaks_of_a_map_without_a_significance_fail_as_it_does(gm: Command, folder: Path) -> None:
    masked = cube()
    Datasets([masked.with_(mask_fit=np.zeros_like(masked.mask)), on_off("spectrum")]).write(
        folder / "datasets.yaml", overwrite=True
    )
    gm("maps", "config.yaml", "-s", "maps=[{type: ts}, {type: peaks, of: ts, threshold: 4}]", code=1)
    statuses = {name: read_document(folder / f"results/maps/{name}.yaml").data for name in ("ts", "peaks")}
    assert {name: document["status"] for name, document in statuses.items()} == {"ts": "failed", "peaks": "failed"}
    assert statuses["peaks"]["message"] == "ts has no significance in any pixel"


READ = """
import json, sys
from gammapy.estimators import FluxMaps
maps = FluxMaps.read(sys.argv[1])
at = (0, 11, 13)
print(json.dumps({name: float(getattr(maps, name).data[at]) for name in ("flux", "norm_err", "sqrt_ts", "flux_ul")}))
"""


def test_an_entry_that_fails_says_which_it_is(gm: Command, folder: Path) -> None:
    far = "maps=[{type: profile, name: rings, center: [200.0, 22.0], max: 1 deg}]"
    _, err = gm("maps", "config.yaml", "-s", far, code=4)
    assert "gm: maps rings: no pixel of the map lies in the profile" in err


def test_gammapy_reads_the_maps(gm: Command, folder: Path, gammapy: Callable[..., Any]) -> None:
    """With the power law of index 2 that it takes for its reference, fluxes are the same."""
    gm("maps", "config.yaml", "-s", "maps[0].kernel=null")
    found = gammapy(READ, folder / "results/maps/ts.fits")
    for name, value in found.items():
        own = read_map(folder / "results/maps/ts.fits", name.upper()).data[0, 11, 13]
        assert value == pytest.approx(own, rel=1e-6), name
