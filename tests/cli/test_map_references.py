"""The map references as a user fits them. Numbers: Gammapy 2.1 on the same files (``reference/README.md``)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check


@dataclass(frozen=True)
class Case:
    """Start models and expected numbers of a reference folder; ``converged``: whether Gammapy's fit did."""

    folder: str
    models: str = "models_start.yaml"
    expected: str = "expected.json"
    converged: bool = True


CASES = {
    "fermi-crab": Case("fermi-3fhl-crab", converged=False),
    "fermi-crab-position": Case("fermi-3fhl-crab", "models_start_pos.yaml", "expected_free_position.json"),
    "fermi-gc": Case("fermi-3fhl-gc"),
    "cta": Case("cta1dc-gc-joint"),
    "cta-diffuse": Case("cta1dc-gc-joint", "models_start_diffuse.yaml", "expected_diffuse.json"),
    "cta-stacked": Case("cta1dc-gc-stacked", converged=False),
    "msh1552": Case("hess-msh1552-runs", "models.yaml"),
    "msh1552-stacked": Case("hess-msh1552-stacked"),
    "hawc": Case("hawc-crab"),
}


def write_config(folder: Path, reference: Path, models: str, more: str = "fit: {}\n") -> None:
    data = f"datasets: {reference}/datasets.yaml\nmodels: {reference}/{models}\n"
    (folder / "config.yaml").write_text(f"version: 1\noutput: results\n{data}{more}")


@pytest.mark.parametrize("name", CASES)
def test_gm_fit(name: str, gm: Any, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case, reference = CASES[name], shared / "reference" / CASES[name].folder
    expected = json.loads((reference / case.expected).read_text())
    write_config(tmp_path, reference, case.models)
    monkeypatch.chdir(tmp_path)
    called = gm("fit", "config.yaml")
    assert (called.code, called.out) == (0, "results/fit/fit.yaml\n")
    result = read_document("results/fit/fit.yaml")
    assert check(result, "fit") == []
    assert result.data["status"] == "converged"
    assert result.data["start"]["statistic"] == pytest.approx(expected["statistic_start"], rel=1e-6)
    compare_datasets(result.data, expected["datasets_start"])
    best, theirs = result.data["statistic"]["total"], expected["fit"]["statistic"]
    if not case.converged:
        assert best < theirs - 1e-3
        return
    assert best < theirs + 1e-7 * abs(theirs)  # the scale of the statistic, in single precision
    for row in result.data["parameters"]:
        if not row["frozen"]:
            found = expected["fit"]["parameters"][row["name"]]["value"]
            assert row["value"] == pytest.approx(found, abs=0.02 * row["error"]), row["name"]
    for component in result.data["components"]:
        for dataset, predicted in component["predicted"].items():
            found = expected["fit"]["datasets"][dataset]["components"][component["name"]]
            assert predicted == pytest.approx(found, rel=2e-3, abs=1.0)  # with 0.02 sigma of the parameters


def compare_datasets(document: dict[str, Any], start: dict[str, Any]) -> None:
    """Names and counts are Gammapy's; what is predicted for the components adds up."""
    assert {row["name"]: row["counts"] for row in document["datasets"]} == {
        name: row["counts"] for name, row in start.items()
    }
    for row in document["datasets"]:
        parts = [c["predicted"][row["name"]] for c in document["components"] if row["name"] in c["predicted"]]
        assert row["type"] == "MapDataset"
        assert row["predicted"] == pytest.approx(row["background"] + sum(parts), rel=1e-9)


def test_flux_points_of_a_cube(gm: Any, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Around the point where Gammapy's fit stopped."""
    reference = shared / "reference" / "fermi-3fhl-crab"
    document = json.loads((reference / "expected.json").read_text())
    expected, best = document["flux_points"], document["fit"]["parameters"]
    edges = [f"{edge!r} TeV" for edge in (*expected["e_min"], expected["e_max"][-1])]
    values = json.dumps({name: {"value": row["value"]} for name, row in best.items()})
    more = f"parameters: {values}\nflux_points:\n  - {{source: Crab Nebula, name: sed, energy_edges: {edges}}}\n"
    write_config(tmp_path, reference, "models_start.yaml", more)
    monkeypatch.chdir(tmp_path)
    assert gm("run", "config.yaml").out == "results/flux_points/sed.yaml\n"
    result = read_document("results/flux_points/sed.yaml")
    assert check(result, "flux-points") == []
    assert result.data["reference_model"]["type"] == "LogParabolaSpectralModel"
    for row, *numbers in zip(
        result.data["points"], *(expected[key] for key in ("dnde", "dnde_err", "dnde_errp", "dnde_ul")), strict=True
    ):
        found = [row[key] for key in ("dnde", "dnde_err", "dnde_errp", "dnde_ul")]
        assert found == pytest.approx(numbers, abs=0.02 * numbers[1], rel=0)
    assert "240.2 GeV   1.1313e-09   0.0764e-09" in gm("show", "results/flux_points/sed.fits").out


def test_exact_conventions(gm: Any, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A point where it is, not spread over pixels: ``reference/README.md`` says 11.6 less."""
    write_config(
        tmp_path, shared / "reference" / "fermi-3fhl-crab", "models_start_pos.yaml", "conventions: exact\nfit: {}\n"
    )
    monkeypatch.chdir(tmp_path)
    document = gm("fit", "config.yaml", "--json").json
    assert document["statistic"]["total"] == pytest.approx(-12767.127 - 11.6, abs=1.0)


def test_warnings_of_lost_counts(gm: Any, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The PSF of the Galactic centre ends below its true energies."""
    write_config(tmp_path, shared / "reference" / "fermi-3fhl-gc", "models_start.yaml")
    monkeypatch.chdir(tmp_path)
    planned = gm("plan", "config.yaml", "--json").json
    assert any("diffuse-iem on fermi-3fhl-gc" in text and "are lost" in text for text in planned["warnings"])
    assert 0.1e9 < planned["memory"] < 0.3e9  # 0.16 GB was measured
    assert "are lost" in gm("plan", "config.yaml").out


def test_show_of_maps(gm: Any, shared: Path) -> None:
    reference = shared / "reference"
    listed = gm("show", reference / "hawc-crab" / "datasets.yaml")
    assert listed.code == 0
    assert [line.split()[:3] for line in listed.out.splitlines()[3:]] == [
        ["nHit-5", "MapDataset", "57600"],
        ["nHit-6", "MapDataset", "57600"],
        ["nHit-7", "MapDataset", "57600"],
        ["nHit-8", "MapDataset", "43200"],
        ["nHit-9", "MapDataset", "57600"],
    ]
    cube = gm("show", reference / "fermi-3fhl-crab" / "Fermi-LAT.fits.gz", "--json").json
    assert (cube["pixels"], cube["frame"], cube["counts"]) == ([50, 40], "galactic", 2932)


@pytest.mark.parametrize("folder", sorted({case.folder for case in CASES.values()}))
def test_gm_validate(folder: str, gm: Any, shared: Path, tmp_path: Path) -> None:
    reference = shared / "reference" / folder
    models = "models.yaml" if folder == "hess-msh1552-runs" else "models_start.yaml"
    write_config(tmp_path, reference, models)
    called = gm("validate", tmp_path / "config.yaml")
    assert called.code == 0
    assert ": valid: " in called.err
