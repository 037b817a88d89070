"""Maps, and maps together with spectra, on the command line: one small simulated analysis of both."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from gm.cli import main
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets, MapDataset, read_dataset
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map

SIMULATION = """\
version: 1
output: drawn
models: models.yaml
simulate:
  seed: 5
  datasets:
    - name: cube
      response: iact
      livetime: 20 h
      geometry: {center: [83.63, 22.01], frame: icrs, width: 2 deg, binsz: 0.05 deg, projection: TAN}
      energy: {min: 1 TeV, max: 10 TeV, n_bins: 4}
    - {name: run, response: iact, livetime: 10 h}
"""

MODELS = """\
components:
  - name: nebula
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters:
        - {name: index, value: 2.3}
        - {name: amplitude, value: 2.0e-11, unit: cm-2 s-1 TeV-1}
        - {name: reference, value: 1.0, unit: TeV, frozen: true}
    spatial:
      type: GaussianSpatialModel
      frame: icrs
      parameters:
        - {name: lon_0, value: 83.63, unit: deg}
        - {name: lat_0, value: 22.01, unit: deg}
        - {name: sigma, value: 0.1, unit: deg, min: 0.02, max: 0.5}
        - {name: e, value: 0.0, frozen: true}
        - {name: phi, value: 0.0, unit: deg, frozen: true}
  - type: FoVBackgroundModel
    datasets_names: [cube]
    spectral:
      type: PowerLawNormSpectralModel
      parameters:
        - {name: norm, value: 1.0, frozen: false}
        - {name: tilt, value: 0.0, frozen: true}
        - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""

CONFIG = """\
version: 1
output: results
datasets: drawn/datasets.yaml
models: models.yaml
fit:
  energy_range: {datasets: run, min: 0.8 TeV, max: 30 TeV}
  test: [nebula]
flux_points:
  - {source: nebula, energy_edges: {min: 1 TeV, max: 10 TeV, n_bins: 2}}
"""

Folder = Path
Edit = Callable[[str, str, str], None]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = tmp_path_factory.mktemp("maps")
    for name, text in (("models", MODELS), ("config", CONFIG), ("simulation", SIMULATION)):
        (folder / f"{name}.yaml").write_text(text)
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "-q", str(folder / "simulation.yaml")])
    assert stop.value.code == 0
    return folder


@pytest.fixture
def analysis(drawn: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    """A copy of the analysis, which is also the working directory."""
    shutil.copytree(drawn, tmp_path / "analysis")
    monkeypatch.chdir(tmp_path / "analysis")
    return tmp_path / "analysis"


def results() -> dict[str, bytes]:
    files = [path for path in Path("results").rglob("*") if path.is_file() and path.name != "provenance.yaml"]
    return {path.as_posix(): path.read_bytes() for path in files}


def test_a_cube_and_a_spectrum_together(gm: Any, analysis: Folder) -> None:
    assert gm("run", "config.yaml").code == 0
    fit, points = read_document("results/fit/fit.yaml"), read_document("results/flux_points/nebula-sed.yaml")
    assert check(fit, "fit") == []
    assert check(points, "flux-points") == []
    assert [row["type"] for row in fit.data["datasets"]] == ["MapDataset", "SpectrumDatasetOnOff"]
    assert fit.data["status"] == "converged"
    assert fit.data["components"][0]["ts"] > 100
    assert [point["status"] for point in points.data["points"]] == ["ok", "ok"]
    assert {name for point in points.data["points"] for name in point["datasets"]} == {"cube", "run"}
    assert points.data["reference_model"]["type"] == "PowerLawSpectralModel"
    assert list(fit.data)[-1] == list(points.data)[-1] == "inputs"
    assert set(fit.data["inputs"]["files"]) == {
        "models.yaml", "drawn/datasets.yaml", "drawn/datasets/cube.fits", "drawn/datasets/run.fits",
    }  # fmt: skip


def test_flux_points_of_spectra_alone_have_a_reference(gm: Any, analysis: Folder) -> None:
    assert gm("flux-points", "config.yaml", "-s", "fit.datasets=run", "-s", "flux_points[0].datasets=run").code == 0
    points = read_document("results/flux_points/nebula-sed.yaml")
    assert check(points, "flux-points") == []
    names = [parameter["name"] for parameter in points.data["reference_model"]["parameters"]]
    assert names == ["index", "amplitude", "reference"]


def test_twice_gives_the_same_bytes_and_then_nothing_runs(gm: Any, analysis: Folder) -> None:
    gm("run", "config.yaml")
    before = results()
    assert "up to date" in gm("run", "config.yaml").err
    gm("run", "config.yaml", "--force")
    assert results() == before


def test_masks_of_regions_and_images_reach_the_fit(gm: Any, analysis: Folder) -> None:
    cube = Datasets.read("drawn/datasets.yaml")["cube"]
    assert isinstance(cube, MapDataset)
    inside = cube.geometry.separation(83.63, 22.01) < 0.6
    wider = WcsGeometry.create(83.63, 22.01, 0.05, width=(3.0, 3.0), projection="TAN")
    left = wider.grid()[0] > 83.63
    write_map(Path("left.fits"), Map(wider, (), left.astype(np.int16)))
    text = CONFIG.replace(
        "  test: [nebula]\n",
        """\
    - {datasets: cube, min: 1.5 TeV}
  mask:
    - {datasets: cube, include: {type: circle, center: [83.63, 22.01], frame: icrs, radius: 0.6 deg}}
    - {datasets: cube, filename: left.fits}
""",
    ).replace("energy_range: {datasets: run,", "energy_range:\n    - {datasets: run,")
    Path("config.yaml").write_text(text)
    document = gm("fit", "config.yaml", "--json").json
    kept = inside & (cube.geometry.grid()[0] > 83.63)
    n_energies = int((cube.energy.edges[:-1] >= 1.5).sum())
    row = document["datasets"][0]
    assert row["bins"] == n_energies * int(kept.sum())
    assert row["counts"] == cube.counts[-n_energies:, kept].sum()
    assert "left.fits" in document["inputs"]["files"]
    planned = gm("plan", "config.yaml", "--json").json
    assert [stage["up_to_date"] for stage in planned["stages"]][:1] == [True]
    assert planned["datasets"][0]["bins"] == row["bins"]
    write_map(Path("left.fits"), Map(wider, (), np.ones(wider.shape, dtype=np.int16)))
    assert "left.fits changed" in gm("fit", "config.yaml").err
    assert "left.fits" in gm("deps", "config.yaml").out


def test_a_mask_that_leaves_nothing(gm: Any, analysis: Folder) -> None:
    nowhere = "{type: circle, center: [10, 10], frame: icrs, radius: 0.6 deg}"
    settings = ("-s", f"fit.mask=[{{include: {nowhere}}}]", "-s", "fit.datasets=cube", "-s", "fit.energy_range=[]")
    called = gm("fit", "config.yaml", *settings)
    assert called.code == 4
    assert "no bin is left" in called.err
    assert not Path("results/fit/fit.yaml").exists()


def test_a_limit_that_holds_is_told(gm: Any, analysis: Folder) -> None:
    called = gm("fit", "config.yaml", "-s", "parameters={nebula.sigma: {value: 0.04, max: 0.05}}", "--json")
    sigma = next(row for row in called.json["parameters"] if row["name"] == "nebula.sigma")
    assert (called.code, called.json["status"], sigma["at_limit"]) == (0, "at_limit", "max")


def test_a_source_that_was_far_away_is_told(gm: Any, analysis: Folder) -> None:
    start = "parameters={nebula.lon_0: {value: 84.1}, nebula.lat_0: {value: 22.4}, nebula.sigma: {value: 0.05}}"
    document = gm("fit", "config.yaml", "-s", start, "--json").json
    lon = next(row for row in document["parameters"] if row["name"] == "nebula.lon_0")
    assert lon["value"] == pytest.approx(83.63, abs=5 * lon["error"])
    assert document["warnings"] == ["the responses of nebula were taken again where the fit had moved it"]


def test_the_plan_knows_the_size_of_maps(gm: Any, analysis: Folder) -> None:
    planned = gm("plan", "config.yaml", "--json").json
    assert planned["datasets"][0]["bins"] == 4 * 40 * 40
    assert 0.09e9 < planned["memory"] < 0.12e9
    assert planned["warnings"] == []


def test_a_file_without_responses(gm: Any, analysis: Folder) -> None:
    """It is a map like any other, and said in plan, result and table."""
    path = Path("drawn/datasets/cube.fits")
    dataset = read_dataset("MapDataset", path)
    assert isinstance(dataset, MapDataset)
    dataset.with_(psf=None, edisp=None).write(path, overwrite=True)
    told = ["cube: no PSF: directions count as measured exactly"]
    told.append("cube: no energy dispersion: energies count as measured exactly")
    planned = gm("plan", "config.yaml", "--json").json
    assert planned["warnings"] == told
    assert [row["missing_responses"] for row in planned["datasets"]] == [["psf", "edisp"], []]
    called = gm("fit", "config.yaml", "-s", "parameters={'nebula.*': {frozen: true}}")
    assert "no PSF, no energy dispersion" in called.err
    document = read_document("results/fit/fit.yaml").data
    assert document["warnings"] == told
    assert document["datasets"][0]["missing_responses"] == ["psf", "edisp"]
    assert "missing_responses" not in document["datasets"][1]


def test_show_images_of_the_sky(gm: Any, tmp_path: Path) -> None:
    """Cubes of the science tools, and files whose images are several, of which only the names are shown."""
    grid = WcsGeometry.create(0.0, 0.0, 0.5, shape=(4, 6), frame="galactic")
    header = fits.Header()
    header.update(dict(grid.cards))
    energies = fits.BinTableHDU.from_columns([fits.Column("Energy", "D", array=[1e3, 1e5])], name="ENERGIES")
    cube = fits.PrimaryHDU(np.full((2, 4, 6), 2.0), header)
    fits.HDUList([cube, energies]).writeto(tmp_path / "iem.fits")
    bounds = [fits.Column("E_MIN", "D", "keV", array=[1e6, 1e7]), fits.Column("E_MAX", "D", "keV", array=[1e7, 1e8])]
    ebounds = fits.BinTableHDU.from_columns(bounds, name="EBOUNDS")
    fits.HDUList([cube.copy(), ebounds]).writeto(tmp_path / "ccube.fits")
    shown = gm("show", str(tmp_path / "iem.fits")).out
    assert "iem.fits: sky map" in shown
    assert "6 x 4 pixels of 0.5 x 0.5 deg around 0.0000, 0.0000 deg (galactic)" in shown
    assert "2 bins of energy_true: 1 GeV - 100 GeV" in shown
    document = gm("show", str(tmp_path / "ccube.fits"), "--json").json
    assert document["axes"] == [{"name": "energy", "unit": "TeV", "bins": 2, "min": 1e-3, "max": 0.1}]
    assert document["values"] == {"sum": 96.0, "min": 2.0, "max": 2.0, "not_a_number": 0}
    planes = [fits.ImageHDU(np.ones((4, 6)), header, name=name) for name in ("LOW", "HIGH")]
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(tmp_path / "two.fits")
    assert re.search(r"(?s)two\.fits: fits.*LOW.*HIGH", gm("show", str(tmp_path / "two.fits")).out)


def test_show(gm: Any, analysis: Folder) -> None:
    shown = gm("show", "drawn/datasets/cube.fits").out
    assert "40 x 40 pixels of 0.05 x 0.05 deg around 83.6300, 22.0100 deg (icrs)" in shown
    rows = gm("show", "drawn/datasets.yaml", "--json").json["datasets"]
    assert [(row["name"], row["type"]) for row in rows] == [("cube", "MapDataset"), ("run", "SpectrumDatasetOnOff")]


def test_a_simulation_from_the_responses_of_the_cube(gm: Any, analysis: Folder) -> None:
    """Expected counts come back as the model that made them."""
    Path("again.yaml").write_text(CONFIG.replace("output: results", "output: again\nsimulate: {seed: 1}"))
    assert gm("simulate", "again.yaml", "--asimov").code == 0
    Path("config.yaml").write_text(CONFIG.replace("drawn/", "again/"))
    document = gm("fit", "config.yaml", "-s", "parameters={nebula.index: {value: 2.0}}", "--json").json
    index = next(row for row in document["parameters"] if row["name"] == "nebula.index")
    assert index["value"] == pytest.approx(2.3, abs=0.02 * index["error"])


def test_progress_counts_files_and_bands(analysis: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    from gm.pipeline.analysis.request import Request
    from gm.pipeline.reporter import Silent
    from gm.pipeline.run import run

    told: list[tuple[str, int, int]] = []

    class Listening(Silent):
        def progress(self, name: str, done: int, total: int, text: str = "") -> None:
            told.append((name, done, total))

    run(Request("config.yaml"), Listening())
    assert [row for row in told if row[0] == "read"] == [("read", 0, 2), ("read", 1, 2), ("read", 2, 2)]
    assert max(done for name, done, _ in told if name == "fit") > 3
    assert [row[1:] for row in told if row[0] == "nebula-sed"] == [(0, 2), (1, 2)]
