"""The numbers beside a fit: what is in ``fit.fits`` is what ``fit.yaml`` sums up."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from gm.cli import main
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.models import Models
from tests.map_samples import background, cube, point, source
from tests.samples import flux_points, on_off, power_law

CONFIG = """\
version: 1
datasets: datasets.yaml
models: models.yaml
output: results
fit: {flux_ranges: [[1 TeV, 10 TeV], [500 GeV, 2 TeV]], datasets: "*"}
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a fit of a map, a spectrum and flux points."""
    folder = tmp_path_factory.mktemp("tables")
    datasets = Datasets([cube("cube"), on_off("run"), flux_points("old")])
    datasets.write(folder / "datasets.yaml")
    star = source("star", point(), datasets_names=["cube"])
    Models([star, background("cube"), power_law("other", datasets_names=["run", "old"])]).write(folder / "models.yaml")
    (folder / "config.yaml").write_text(CONFIG)
    with pytest.raises(SystemExit) as ended:
        main(["fit", "-q", str(folder / "config.yaml")])
    assert ended.value.code == 0
    return folder / "results" / "fit"


def table(results: Path, name: str) -> Table:
    return Table.read(results / "fit.fits", hdu=name)


def fitted(results: Path) -> Any:
    document = read_document(results / "fit.yaml")
    assert check(document, "fit") == []
    return document.data


def test_tables_sum_up_to_the_document(results: Path) -> None:
    document, counts, parts = fitted(results), table(results, "COUNTS"), table(results, "COMPONENTS")
    assert document["tables"] == "fit.fits"
    assert set(counts["DATASET"]) == {"cube", "run"}
    for row in document["datasets"]:
        mine = counts[counts["DATASET"] == row["name"]]
        if row["name"] == "old":
            mine = table(results, "POINTS")
            assert len(mine) == row["bins"]
        else:
            for key in ("counts", "predicted", "background"):
                assert np.sum(mine[key.upper()]) == pytest.approx(row[key], rel=1e-9), key
            assert np.sum(mine["N_BINS"]) == row["bins"]
        assert row["goodness"]["deviance"] == pytest.approx(np.sum(mine["RESIDUAL"] ** 2))
        assert row["goodness"]["energies"] == len(mine)
    for component in document["components"]:
        for name, predicted in component["predicted"].items():
            rows = (parts["COMPONENT"] == component["name"]) & (parts["DATASET"] == name)
            assert np.sum(parts["PREDICTED"][rows]) == pytest.approx(predicted, rel=1e-9)


def test_images(results: Path) -> None:
    """Summed over energies, on the sky of the dataset."""
    counts = table(results, "COUNTS")
    counts = counts[counts["DATASET"] == "cube"]
    with fits.open(results / "fit.fits") as file:
        assert np.sum(file["COUNTS_0"].data) == np.sum(counts["COUNTS"])
        assert np.sum(file["PREDICTED_0"].data) == pytest.approx(np.sum(counts["PREDICTED"]), rel=1e-6)
        assert file["COUNTS_0"].header["CTYPE1"].startswith("RA")
        assert '"cube"' in file["COUNTS_0"].header["META"]


def test_fluxes_and_spectra(results: Path) -> None:
    """Between the energies asked for, and drawn between those fitted."""
    document = fitted(results)
    star = next(component for component in document["components"] if component["name"] == "star")
    assert [(flux["e_min"], flux["e_max"]) for flux in star["fluxes"]] == [(1.0, 10.0), (0.5, 2.0)]
    model = Models.read(results / "models.yaml")["star"].spectral_model
    spectra = table(results, "SPECTRA")
    mine = spectra[spectra["COMPONENT"] == "star"]
    np.testing.assert_allclose(mine["DNDE"], model(np.array(mine["ENERGY"])), rtol=1e-12)
    assert (mine["DNDE_ERR"] > 0).all()
    energies = table(results, "COUNTS")
    energies = energies[energies["DATASET"] == "cube"]
    assert (mine["ENERGY"][0], mine["ENERGY"][-1]) == pytest.approx((energies["E_MIN"].min(), energies["E_MAX"].max()))
    assert "fluxes" not in next(c for c in document["components"] if c["name"] == "cube-bkg")


def test_ranges_that_are_none(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = results.parents[1] / "wrong.yaml"
    config.write_text(CONFIG.replace("[1 TeV, 10 TeV]", "[10 TeV, 1 TeV]").replace("500 GeV", "500 m"))
    with pytest.raises(SystemExit) as ended:
        main(["validate", str(config)])
    assert ended.value.code == 3
    told = capsys.readouterr().err
    assert "1 TeV is not above 10 TeV" in told
    assert "$.fit.flux_ranges[1][0]" in told
