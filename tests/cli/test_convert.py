"""``gm convert``: published tables in another SED type, on the spectrum that somebody names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm import FluxPoints
from gm.cli import main
from gm.models import Models
from tests.samples import power_law


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["convert", *map(str, words)])
    told = capsys.readouterr()
    return int(ended.value.code or 0), told.out, told.err


@pytest.fixture
def hawc(shared: Path) -> Path:
    return shared / "data/hawc/crab_flux/HAWC19_flux_points.fits"


def test_energy_fluxes_of_a_published_table(hawc: Path, tmp_path: Path, capsys: Any) -> None:
    """Between the edges along the spectrum that is named, with errors and limits: as in Python."""
    Models([power_law("crab", index=2.6), power_law("other")]).write(tmp_path / "models.yaml")
    reference = ["--reference", tmp_path / "models.yaml"]
    code, out, err = run(capsys, hawc, "-o", tmp_path / "out.ecsv", "--sed-type", "eflux", *reference)
    assert code == 2
    assert "which component" in err
    code, out, err = run(
        capsys, hawc, "-o", tmp_path / "out.ecsv", "--sed-type", "eflux", *reference, "--source", "crab"
    )
    assert (code, out.strip()) == (0, str(tmp_path / "out.ecsv"))
    expected = FluxPoints.read(hawc, power_law(index=2.6).spectral_model).to_table("eflux")
    found = FluxPoints.read(tmp_path / "out.ecsv").to_table("eflux")
    for name in ("eflux", "eflux_err", "eflux_ul"):
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


def test_a_table_as_a_result_of_gm(hawc: Path, tmp_path: Path, capsys: Any) -> None:
    code, out, _ = run(capsys, hawc, "-o", tmp_path / "sed.yaml", "--json")
    assert code == 0
    told = json.loads(out)
    assert (told["points"], told["sed_type"]) == (10, "flux-points")
    assert FluxPoints.read(tmp_path / "sed.yaml").points[-1].status == "upper_limit"


def test_files_are_not_replaced(hawc: Path, tmp_path: Path, capsys: Any) -> None:
    file = tmp_path / "sed.fits"
    assert run(capsys, hawc, "-o", file)[0] == 0
    before = file.read_bytes()
    assert run(capsys, hawc, "-o", file)[0] == 2
    assert run(capsys, file, "-o", file, "--force")[0] == 2
    assert file.read_bytes() == before
    assert run(capsys, hawc, "-o", file, "--force")[0] == 0
    assert run(capsys, hawc, "-o", tmp_path / "sed.txt")[0] == 4
    assert run(capsys, tmp_path / "none.fits", "-o", tmp_path / "new.fits")[0] == 4
