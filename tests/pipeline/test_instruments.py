"""Nuisances of instruments from a config to results: problems with their places, fits, impacts, toys, flux points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.models import GaussianPrior, InstrumentModel, InstrumentResponse, Models, Parameter
from tests.map_samples import background
from tests.samples import flux_points, log_parabola, on_off, power_law, spectrum

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {minos: [inst.exposure_norm]}
"""
Command = Callable[..., tuple[str, str]]


def prior(name: str, value: float, sigma: float) -> Parameter:
    return Parameter(name, value, prior=GaussianPrior(mu=value, sigma=sigma))


def energies_of(dataset: str) -> InstrumentModel:
    """A scale of the reconstructed energies of one dataset."""
    response = InstrumentResponse(energy_scale=prior("energy_scale", 1.0, 0.1))
    return InstrumentModel(name="scale", datasets_names=(dataset,), response=response)


def models() -> Models:
    norm, tilt = prior("exposure_norm", 1.0, 0.1), prior("exposure_tilt", 0.0, 0.05)
    both = InstrumentModel(
        name="inst",
        datasets_names=("on-1", "known"),
        response=InstrumentResponse(exposure_norm=norm, exposure_tilt=tilt),
    )
    own = InstrumentModel(
        name="own",
        datasets_names=("known",),
        response=InstrumentResponse(background_norm=prior("background_norm", 1.0, 0.05)),
    )
    return Models([log_parabola("crab"), background("known"), both, own]).with_parameters(
        {"known-bkg.*": {"frozen": True}}
    )


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    datasets = [on_off("on-1", 1, exposure=4e12), spectrum("known", 2, exposure=4e12), flux_points("points")]
    Datasets(datasets).write(tmp_path / "datasets.yaml")
    models().write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_what_means_nothing_has_a_place(command: Command, folder: Path) -> None:
    """Of a type that the entry of the dataset tells, before anything is read."""
    name = "datasets_names: [known]"
    before, own, after = (folder / "models.yaml").read_text().rpartition(name)
    text = before + "datasets_names: [known, on-1, points]" + after
    assert own
    (folder / "models.yaml").write_text(text)
    line = next(k for k, row in enumerate(text.splitlines(), 1) if "background_norm" in row)
    _, told = command("validate", "config.yaml", code=3)
    told = " ".join(told.split())
    assert f"models.yaml:{line}:" in told
    assert "background_norm cannot act on dataset 'on-1': its off counts measure the background" in told
    assert "background_norm cannot act on dataset 'points': flux points have no background" in told
    assert "remove background_norm, or leave" in told


def test_names_of_datasets_are_checked(command: Command, folder: Path) -> None:
    text = (folder / "models.yaml").read_text().replace("datasets_names: [on-1, known]", "datasets_names: [on-1, knwn]")
    (folder / "models.yaml").write_text(text)
    assert "no dataset is called 'knwn'" in command("validate", "config.yaml", code=3)[1]


def test_a_fit_with_everything_after_it(command: Command, folder: Path) -> None:
    more = """\
impacts: [{parameter: crab.amplitude, name: amplitude}]
flux_points:
  - {source: crab, name: fixed, datasets: [on-1, known], energy_edges: [0.6 TeV, 2 TeV, 10 TeV]}
  - {source: crab, name: free, datasets: [on-1, known], energy_edges: [0.6 TeV, 2 TeV, 10 TeV], reoptimize: true}
toys: {n: 3, seed: 1}
"""
    (folder / "config.yaml").write_text(CONFIG + more)
    command("validate", "config.yaml")
    command("run", "config.yaml")
    document = read_document(folder / "results/fit/fit.yaml")
    assert check(document, "fit") == []
    fit = {row["name"]: row for row in document.data["parameters"]}
    assert fit["inst.exposure_norm"]["minos"]["upper"] > 0
    assert 0.02 < fit["inst.exposure_norm"]["error"] < 0.1
    assert fit["own.background_norm"]["error"] == pytest.approx(0.05, rel=0.1)
    impacts = read_document(folder / "results/impacts/amplitude.yaml").data["nuisances"]
    assert {row["name"] for row in impacts} >= {"inst.exposure_norm", "inst.exposure_tilt", "own.background_norm"}
    norm = next(row for row in impacts if row["name"] == "inst.exposure_norm")
    assert norm["pre_fit"]["down"]["shift"] > 0 > norm["pre_fit"]["up"]["shift"]
    fixed, free = (read_document(folder / f"results/flux_points/{n}.yaml").data["points"] for n in ("fixed", "free"))
    assert free[0]["norm_err"] > 1.3 * fixed[0]["norm_err"]
    assert read_document(folder / "results/toys/toys.yaml").data["status"] in ("ok", "incomplete")
    again = Models.read(folder / "results/fit/models.yaml")
    assert again.parameters["inst.exposure_norm"].value == fit["inst.exposure_norm"]["value"]


def test_the_same_bits_in_processes(command: Command, folder: Path) -> None:
    command("fit", "config.yaml", "-o", "here")
    command("fit", "config.yaml", "-o", "there", "-s", "engine={kind: local, workers: 2}")
    texts = [(folder / name / "fit/models.yaml").read_text() for name in ("here", "there")]
    assert texts[0] == texts[1]


def test_a_simulation_has_the_nuisances(command: Command, folder: Path) -> None:
    """Counts follow the exposure that the models tell, from responses as from datasets."""
    section = "simulate: {seed: 1, datasets: [{name: array, response: iact, livetime: 5 h, copies: 1}]}\n"
    (folder / "config.yaml").write_text("version: 1\noutput: results\nmodels: models.yaml\n" + section)
    totals = []
    for norm in (1.0, 1.2):
        response = InstrumentResponse(exposure_norm=norm)
        sky = power_law("crab", amplitude="3e-10 TeV-1 s-1 cm-2")
        Models([sky, InstrumentModel(name="inst", response=response)]).write(folder / "models.yaml", overwrite=True)
        command("simulate", "config.yaml", "--asimov", "-o", f"r{norm}")
        dataset: Any = Datasets.read(folder / f"r{norm}/datasets.yaml")[0]
        off = dataset.counts_off * dataset.acceptance / dataset.acceptance_off
        totals.append(float(np.sum(dataset.counts - off)))
    assert totals[1] == pytest.approx(1.2 * totals[0], rel=1e-9)


def test_gm_show_has_them_in_the_table_of_models(command: Command, folder: Path) -> None:
    out, _ = command("show", "models.yaml")
    assert "InstrumentModel" in out
    assert "inst.exposure_norm" in out
    assert "1 ± 0.1" in out


def test_a_scale_of_energies_from_a_config_to_impacts(command: Command, folder: Path) -> None:
    Models([*models(), energies_of("known")]).write(folder / "models.yaml", overwrite=True)
    (folder / "config.yaml").write_text(CONFIG + "impacts: [{parameter: crab.amplitude, name: amplitude}]\n")
    command("run", "config.yaml")
    fit = {row["name"]: row for row in read_document(folder / "results/fit/fit.yaml").data["parameters"]}
    assert 0.0 < fit["scale.energy_scale"]["error"] < 0.11
    rows = read_document(folder / "results/impacts/amplitude.yaml").data["nuisances"]
    assert next(row for row in rows if row["name"] == "scale.energy_scale")["post_fit"]["up"]["shift"]
    command("fit", "config.yaml", "-o", "there", "-s", "engine={kind: local, workers: 2}")
    texts = [(folder / name / "fit/models.yaml").read_text() for name in ("results", "there")]
    assert texts[0] == texts[1]


def test_energies_of_flux_points_have_no_scale(command: Command, folder: Path) -> None:
    Models([*models(), energies_of("points")]).write(folder / "models.yaml", overwrite=True)
    told = " ".join(command("validate", "config.yaml", code=3)[1].split())
    assert "energy_scale cannot act on dataset 'points': flux points tell no energy dispersion" in told
