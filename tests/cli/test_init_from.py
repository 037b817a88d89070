"""``gm init --from``: an analysis drafted from somebody's own files runs as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document
from gm.datasets import Datasets
from tests.dl3_files import events, write_observation
from tests.map_samples import cube

GAMMAPY = """
general: {outdir: .}
observations:
  datastore: dl3
  obs_ids: [1, 2]
  obs_cone: {frame: icrs, lon: 150 deg, lat: -30 deg, radius: 5 deg}
datasets:
  type: TYPE
  stack: false
  geom:
    wcs: {skydir: {frame: icrs, lon: 150 deg, lat: -30 deg}, binsize: 0.05 deg, width: {width: 3 deg, height: 2 deg}}
    selection: {offset_max: 2.5 deg}
    axes: {energy: {min: 0.5 TeV, max: 40 TeV, nbins: 10}, energy_true: {min: 0.3 TeV, max: 100 TeV, nbins: 20}}
  background: {method: METHOD, parameters: {sigma: 3}}
  safe_mask: {methods: [aeff-default, aeff-max], parameters: {aeff_percent: 5}}
  on_region: {frame: icrs, lon: 150 deg, lat: -30 deg, radius: 0.11 deg}
fit: {fit_range: {min: 0.5 TeV, max: 30 TeV}}
flux_points: {energy: {min: 1 TeV, max: 10 TeV, nbins: 4}, source: crab}
"""


def read(folder: Path, name: str) -> Any:
    return read_document(folder / name).data


def test_spectra_to_flux_points_in_two_commands(gm: Any, analysis: Path) -> None:
    called = gm("init", "own", "--from", "run-1.fits", "pha_run-2.fits", "models.yaml", "--json")
    assert called.code == 0, called.err
    assert [Path(file).name for file in called.json["files"]][-2:] == [
        "gm-config.schema.json",
        "gm-datasets.schema.json",
    ]
    config = read(analysis / "own", "config.yaml")
    assert config["models"] == "../models.yaml"
    assert [row["filename"] for row in read(analysis / "own", "datasets.yaml")["datasets"]] == [
        "../run-1.fits",
        "../pha_run-2.fits",
    ]
    assert gm("run", "own/config.yaml").code == 0


def test_listed_datasets_are_looked_into(gm: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A datasets.yaml leads to the analysis that its file does: the place of the source, and bands of energy."""
    monkeypatch.chdir(tmp_path)
    Datasets([cube("sky")]).write("data")
    (row,) = read(tmp_path / "data", "datasets.yaml")["datasets"]
    assert gm("init", "listed", "--from", "data/datasets.yaml").code == 0
    assert gm("init", "given", "--from", f"data/{row['filename']}").code == 0
    listed, given = (read(tmp_path / folder, "models.yaml") for folder in ("listed", "given"))
    assert listed == given
    assert listed["components"][0]["spatial"]["type"] == "PointSpatialModel"
    configs = [read(tmp_path / folder, "config.yaml") for folder in ("listed", "given")]
    assert configs[0]["flux_points"] == configs[1]["flux_points"]
    assert configs[0]["datasets"] == "../data/datasets.yaml"


def test_without_models_there_is_a_source(gm: Any, analysis: Path) -> None:
    assert gm("init", "own", "--from", "run-1.fits").code == 0
    (component,) = read(analysis / "own", "models.yaml")["components"]
    assert component["name"] == "source"
    assert gm("run", "own/config.yaml").code == 0
    assert (analysis / "own/results/flux_points/source-sed.yaml").is_file()


def test_nothing_is_overwritten(gm: Any, analysis: Path) -> None:
    before = (analysis / "config.yaml").read_bytes()
    called = gm("init", "--from", "run-1.fits")
    assert (called.code, "exists already; nothing was written" in called.err) == (4, True)
    assert (analysis / "config.yaml").read_bytes() == before


@pytest.mark.parametrize(
    ("files", "code", "message"),
    [
        (["models.yaml"], 2, "no data to analyse in models.yaml"),
        (["nothing.fits"], 4, "nothing.fits: No such file or directory"),
        (["run-1.fits", "gammapy.yaml"], 2, "gammapy.yaml is an AnalysisConfig of Gammapy: give it alone"),
    ],
)
def test_what_cannot_be_drafted(gm: Any, analysis: Path, files: list[str], code: int, message: str) -> None:
    (analysis / "gammapy.yaml").write_text(GAMMAPY)
    called = gm("init", "own", "--from", *files)
    assert (called.code, message in called.err) == (code, True), called.err
    assert not (analysis / "own").exists()


@pytest.mark.parametrize(("kind", "method"), [("1d", "reflected"), ("3d", "fov_background"), ("3d", "ring")])
def test_an_analysis_config_of_gammapy(gm: Any, tmp_path: Path, monkeypatch: Any, kind: str, method: str) -> None:
    """On the data store of the example, which stands where the config says."""
    monkeypatch.chdir(tmp_path)
    assert gm("init", "own", "--example", "hess-like").code == 0
    for name in ("config.yaml", "models.yaml", "Makefile", "gm-config.schema.json", "gm-models.schema.json"):
        (tmp_path / "own" / name).unlink()
    Path("gammapy.yaml").write_text(GAMMAPY.replace("TYPE", kind).replace("METHOD", method))
    called = gm("init", "own", "--from", "gammapy.yaml")
    assert called.code == 0, called.err
    assert "not carried over: datasets.background.parameters.sigma: 3" in called.err
    config = read(tmp_path / "own", "config.yaml")
    (entry,) = config["observations"]
    assert (entry["ids"], entry["dataset"]) == ([1, 2], "map" if kind == "3d" else "spectrum")
    assert entry["background"]["type"] == {"fov_background": "fov"}.get(method, method)
    assert config["fit"]["energy_range"] == {"min": "0.5 TeV", "max": "30 TeV"}
    assert gm("validate", "own/config.yaml").code == 0


def test_a_config_of_asgardpy(gm: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text(
        "general: {n_jobs: 3}\n"
        "target:\n  source_name: crab\n  sky_position: {frame: icrs, lon: 83.63 deg, lat: 22.01 deg}\n"
        "  components:\n"
        "    - {name: crab, spectral: {type: PowerLawSpectralModel, ebl_abs: {reference: dominguez, redshift: 0.1}}}\n"
        "dataset3d: {instruments: [{name: LAT, input_dl3: [{input_dir: f}]}]}\n"
        "dataset1d:\n  instruments:\n"
        "    - {name: MAGIC, input_dl3: [{type: gadf-dl3, input_dir: d, glob_pattern: {dl3: '*DL3*.fits'}}],\n"
        "       dataset_info: {background: {method: reflected, region_finder_method: wobble}, stack: true,\n"
        "       geom: {axes: [{name: energy_true, axis: {min: 10 GeV, max: 10 TeV, nbins: 12, per_decade: true}}]}},\n"
        "       dl4_dataset_info: {spectral_energy_range: {axis: {min: 80 GeV, max: 9 TeV, nbins: 11}}}}\n"
        "fit_params: {fit_range: {min: 100 GeV, max: 5 TeV}}\n"
    )
    called = gm("init", "own", "--from", "a.yaml")
    assert called.code == 0, called.err
    (entry,) = read(tmp_path / "own", "config.yaml")["observations"]
    assert (entry["name"], entry["data"]) == ("MAGIC-{obs_id}", "d/*DL3*.fits")
    assert entry["background"] == {"type": "wobble", "n_off": 1}
    assert entry["region"]["center"] == [83.63, 22.01]
    assert entry["energy"] == {"min": "80 GeV", "max": "9 TeV", "n_bins": 11}
    assert entry["energy_true"] == {"min": "10 GeV", "max": "10 TeV", "per_decade": 12}
    assert "not carried over: dataset3d.instruments[0]: LAT; an entry of observations" in called.err
    assert "ebl_abs: dominguez, redshift 0.1; multiply the spectrum" in called.err
    (component,) = read(tmp_path / "own", "models.yaml")["components"]
    assert component["spectral"] == {"type": "PowerLawSpectralModel"}
    assert "not carried over: dataset1d.instruments[0].dataset_info.stack: True" in called.err


def test_a_config_of_fermipy(gm: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text(
        "data: {evfile: ft1.lst}\nbinning: {binsz: 0.1}\n"
        "selection: {emin: 1000, emax: 500000, ra: 83.63, dec: 22.01, target: crab}\n"
        "model: {galdiff: $FERMI_DIFFUSE_DIR/gll_iem_v07.fits, catalogs: [4FGL]}\n"
    )
    called = gm("init", "own", "--from", "f.yaml")
    assert called.code == 0, called.err
    names = [component["name"] for component in read(tmp_path / "own", "models.yaml")["components"]]
    assert names == ["crab", "galdiff"]
    assert read(tmp_path / "own", "config.yaml")["fit"]["energy_range"] == {"min": "1000 MeV", "max": "500000 MeV"}
    assert "not carried over: data.evfile: ft1.lst" in called.err
    assert "not carried over: model.catalogs: ['4FGL']" in called.err


@pytest.mark.parametrize(
    ("pattern", "datasets"),
    [
        ("joint-crab/spectra/hess/*.fits", 4),
        ("magic/rad_max/data/*DL3*.fits", 2),
        ("joint-crab/dl3/magic/*.fits", 1),
        ("hawc/crab_flux/*.fits", 1),
        ("fermi-3fhl-crab/*data_Fermi-LAT.fits", 1),
    ],
)
def test_real_data_are_fitted_as_drafted(
    gm: Any, tmp_path: Path, monkeypatch: Any, shared: Path, pattern: str, datasets: int
) -> None:
    monkeypatch.chdir(tmp_path)
    files = sorted(map(str, (shared / "data").glob(pattern)))
    assert gm("init", "own", "--from", *files).code == 0
    called = gm("fit", "own/config.yaml", "--json")
    assert (called.code, called.json["status"]) == (0, "converged")
    assert len(called.json["datasets"]) == datasets


def test_observations_of_a_survey_have_no_target(gm: Any, tmp_path: Path) -> None:
    """Their header has 0, 0: the region is where they point, and no place around it has the same background."""
    for number, place in ((1, (0.0, 0.0)), (2, (83.6, 22.0))):
        own = events(pointing=(83.6, 22.5), RA_OBJ=place[0], DEC_OBJ=place[1])
        file = write_observation(tmp_path / f"{number}.fits", events=own)
        assert gm("init", str(tmp_path / f"own-{number}"), "--from", str(file)).code == 0
    entries = [read(tmp_path / f"own-{number}", "config.yaml")["observations"][0] for number in (1, 2)]
    assert [entry["region"]["center"] for entry in entries] == [[83.6, 22.5], [83.6, 22.0]]
    assert [entry["background"]["type"] for entry in entries] == ["irf", "reflected"]
