"""``gm validate`` says valid of what a stage accepts, and refuses with a place what it would refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from gm.datasets import Datasets
from gm.models import Models
from tests.map_samples import cube, point, source, with_off
from tests.pipeline.conftest import Command
from tests.samples import power_law, spectrum

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
"""
FIND = "find: {threshold: 6, iterations: 1, spectral: pl, datasets: NAMES}\n"
EXCESS = "maps: [{type: excess, name: m, correlation_radius: 0.2 deg, datasets: NAMES}]\n"
SIZE = "extension: [{source: x, shape: gauss, n: 3, datasets: NAMES}]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A map and a spectrum."""
    Datasets([cube("map"), spectrum("run")]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab"), source("x", point())]).write(tmp_path / "models.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("section", "stage", "place"),
    [(FIND, "find", "$.find"), (EXCESS, "maps", "$.maps[0]"), (SIZE, "extension", "$.extension[0]")],
)
def test_what_needs_maps(section: str, stage: str, place: str, folder: Path, command: Command) -> None:
    (folder / "config.yaml").write_text(CONFIG + section.replace("NAMES", '"*"'))
    command("validate", "config.yaml")
    (folder / "config.yaml").write_text(CONFIG + section.replace("NAMES", "run"))
    out, err = command("validate", "config.yaml", code=3)
    assert "config.yaml:5:" in out + err
    assert f"{place}: needs maps, and no dataset has pixels" in out + err
    command(stage, "config.yaml", code=4)


@pytest.mark.parametrize(("section", "place"), [(FIND, "$.find"), (EXCESS, "$.maps[0]")])
def test_maps_that_are_summed_are_on_one_grid(section: str, place: str, folder: Path, command: Command) -> None:
    """Told with a place before anything runs, by validate and plan; a run gives the same reason."""
    Datasets([cube("map"), cube("other", "galactic"), with_off(cube("third"), "on-off")]).write(
        "datasets.yaml", overwrite=True
    )
    for names, why in (
        ("[map, other]", "datasets map and other are on different pixels"),
        ("[map, on-off]", "maps with and without off counts do not sum up"),
    ):
        (folder / "config.yaml").write_text(CONFIG + section.replace("NAMES", names))
        for asked in ("validate", "plan"):
            out, err = command(asked, "config.yaml", code=3)
            assert f"{place}: {why}" in out + err
            assert "config.yaml:5:" in out + err
    (folder / "config.yaml").write_text(CONFIG + EXCESS.replace("NAMES", "[map, other]"))
    _, err = command("maps", "config.yaml", code=4)
    assert "datasets map and other are on different pixels" in err
    (folder / "config.yaml").write_text(CONFIG + section.replace("NAMES", "map"))
    command("validate", "config.yaml")
    command("plan", "config.yaml")


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ("center: [8.363, 22.01], max: 1 deg", "no pixel of the map lies in the profile"),
        ("start: [83.6, 22], stop: [83.6, 22], width: 1 deg", "a line leads from one position to another"),
        ("center: [83.63, 22.01], max: 1 deg, energy_edges: [100 TeV, 200 TeV]", "dataset map has no energy bin"),
    ],
)
def test_a_profile_lies_on_the_map(keys: str, why: str, folder: Path, command: Command) -> None:
    """Told with its place before anything runs, and a run says the same."""
    section = f"maps: [{{type: profile, name: rings, n: 4, {keys}}}]\n"
    (folder / "config.yaml").write_text(CONFIG + section)
    for asked in ("validate", "plan"):
        out, err = command(asked, "config.yaml", code=3)
        assert f"config.yaml:5:8: $.maps[0]: {why}" in out + err
    _, err = command("maps", "config.yaml", code=4)
    assert why in err


def test_a_profile_of_a_quantity_needs_a_free_parameter(folder: Path, command: Command) -> None:
    profile = 'profiles: [{quantity: "flux(crab, 1 TeV, 10 TeV)", n: 3}]\n'
    for frozen, code in (("false", 0), ("true", 3)):
        free = f'parameters: {{"*": {{frozen: true}}, "crab.amplitude": {{frozen: {frozen}}}}}\n'
        (folder / "config.yaml").write_text(CONFIG + free + profile)
        out, err = command("validate", "config.yaml", code=code)
        told = "$.profiles[0].quantity: nothing to fit: no parameter is free"
        assert (told in out + err) == bool(code), out + err
