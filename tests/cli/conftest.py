"""A small analysis on disk, and the command line called in this process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gm.cli import main

ROOT = Path(__file__).resolve().parents[2]

MODELS = """\
components:
  - name: crab
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters:
        - {name: index, value: 2.3}
        - {name: amplitude, value: 3.0e-11, unit: cm-2 s-1 TeV-1}
        - {name: reference, value: 1.0, unit: TeV, frozen: true}
"""

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit:
  energy_range:
    - {datasets: "run-*", min: 0.8 TeV, max: 30 TeV}
flux_points:
  - {source: crab, energy_edges: {min: 1 TeV, max: 10 TeV, per_decade: 3}}
"""

DATASETS = """\
datasets:
  - {name: run-1, type: SpectrumDatasetOnOff, filename: run-1.fits}
  - {name: run-2, type: SpectrumDatasetOnOff, filename: pha_run-2.fits}
"""

SIMULATION = """\
version: 1
output: simulated
models: models.yaml
simulate:
  seed: 7
  datasets:
    - {name: run, copies: 2, response: iact, livetime: 30 min}
"""


@dataclass(frozen=True)
class Called:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Gm = Callable[..., Called]


@pytest.fixture
def gm(capsys: pytest.CaptureFixture[str]) -> Gm:
    """Calls ``gm`` with arguments, as the entry point does."""

    def call(*arguments: object) -> Called:
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Called(stop.value.code, out, err)

    return call


@pytest.fixture
def start_gm() -> Callable[..., subprocess.Popen[str]]:
    """Starts ``gm`` as a process of its own, which Ctrl-C ends; ``code`` is run before it."""
    interruptible = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)"

    def start(*arguments: object, code: str = "", stdout: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        return subprocess.Popen(
            [sys.executable, "-c", f"{interruptible}\n{code}\nfrom gm.cli import main\nmain()", *map(str, arguments)],
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    return start


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two On/Off runs, the second one as OGIP files, with the config that fits them."""
    from gm.datasets import Datasets, write_dataset

    folder = tmp_path_factory.mktemp("made")
    (folder / "models.yaml").write_text(MODELS)
    (folder / "config.yaml").write_text(CONFIG)
    (folder / "simulation.yaml").write_text(SIMULATION)
    with pytest.raises(SystemExit) as stop:
        main(["simulate", "-q", str(folder / "simulation.yaml")])
    assert stop.value.code == 0
    datasets = Datasets.read(folder / "simulated" / "datasets.yaml")
    write_dataset(datasets["run-1"], folder / "run-1.fits")
    write_dataset(datasets["run-2"], folder / "pha_run-2.fits", "ogip")
    (folder / "datasets.yaml").write_text(DATASETS)
    shutil.rmtree(folder / "simulated")
    return folder


@pytest.fixture
def analysis(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the small analysis, which is also the working directory."""
    folder = tmp_path / "analysis"
    shutil.copytree(made, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("NO_COLOR", raising=False)
    return folder


@pytest.fixture
def edit(analysis: Path) -> Callable[[str, str, str], None]:
    """Replaces a text, which must be there, in a file of the analysis."""

    def replace(file: str, old: str, new: str) -> None:
        text = (analysis / file).read_text()
        assert old in text
        (analysis / file).write_text(text.replace(old, new))

    return replace
