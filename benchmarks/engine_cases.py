"""The likelihoods that `bench_engine.py` measures: simulated maps and spectra, and the runs of MSH 15-52."""

from __future__ import annotations

import pickle
import subprocess
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_own_parameters import BACKGROUND, GM, SIMULATION, SOURCE
from cases import DATA
from make_many_runs import write_runs

from gm.datasets import Datasets
from gm.datasets.files.formats import DatasetEntry
from gm.datasets.files.reading import read_all
from gm.datasets.origin import read_from
from gm.models import Models

N_FILES = 64
ONE = "one spectrum"
OWN = "spectra, own norms and tilts"

MAPS = """\
version: 1
output: drawn
models: models.yaml
simulate:
  seed: 1
  datasets:
"""
MAP = """\
    - name: map-{k}
      response: iact
      livetime: 30 min
      energy: {{min: 0.6 TeV, max: 60 TeV, per_decade: 5}}
      geometry: {{center: [{lon:.4f}, {lat:.4f}], frame: icrs, width: 4 deg, binsz: 0.04 deg, projection: TAN}}
"""
SKY = """\
components:
  - name: source
    type: SkyModel
    spectral:
      type: PowerLawSpectralModel
      parameters:
        - {{name: index, value: 2.3}}
        - {{name: amplitude, value: 6.0e-12, unit: cm-2 s-1 TeV-1}}
        - {{name: reference, value: 1.0, unit: TeV, frozen: true}}
    spatial:
      type: {shape}
      frame: icrs
      parameters:
        - {{name: lon_0, value: 228.53, unit: deg}}
        - {{name: lat_0, value: -59.16, unit: deg}}
{more}
"""
GAUSS = "        - {name: sigma, value: 0.12, unit: deg}"


@dataclass(frozen=True)
class Case:
    """Datasets and models of one kind: by their number, the engines that are measured."""

    name: str
    engines: Mapping[int, tuple[str, ...]]
    make: Callable[[int], tuple[Datasets, Models]]


def listed(files: list[Path], kind: str, n: int) -> Datasets:
    """As many datasets as wanted from fewer files, with arrays of their own, as if each had been read.

    Maps are read, since what they have not been asked for stays in their files; to read 100 000 spectra takes minutes.
    """
    entries = [DatasetEntry(f"{kind}-{k}", kind, files[k % len(files)]) for k in range(n)]
    if kind == "MapDataset":
        return Datasets(read_all(entries))
    read = [pickle.dumps(dataset) for dataset in read_all(entries[: len(files)])]
    kept: dict[Hashable, Any] = {}
    copies = (pickle.loads(read[k % len(read)]).with_(name=entry.name) for k, entry in enumerate(entries))
    return Datasets(
        read_from(dataset.shared(kept.setdefault), entry) for dataset, entry in zip(copies, entries, strict=True)
    )


class Files:
    """Simulated maps, each on a grid of its own, and spectra, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def spectra(self) -> list[Path]:
        folder = self.folder / "spectra"
        if not folder.is_dir():
            folder.mkdir()
            write_runs(folder, N_FILES)
        return sorted(folder.glob("*.fits.gz"))

    def maps(self) -> list[Path]:
        folder, names = self.folder / "maps", [f"map-{k}.fits" for k in range(N_FILES)]
        if folder.is_dir():
            return [folder / "drawn" / "datasets" / name for name in names]
        folder.mkdir()
        (folder / "models.yaml").write_text(SKY.format(shape="GaussianSpatialModel", more=GAUSS))
        offsets = [(0.05 * (k % 8 - 4), 0.05 * (k // 8 - 4)) for k in range(N_FILES)]
        rows = [MAP.format(k=k, lon=228.53 + 2 * x, lat=-59.16 + y) for k, (x, y) in enumerate(offsets)]
        (folder / "config.yaml").write_text(MAPS + "".join(rows))
        subprocess.run([*GM, "simulate", "-q", "config.yaml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return [folder / "drawn" / "datasets" / name for name in names]

    def spectra_with_backgrounds(self) -> list[Path]:
        """Of which a model predicts the background, 100 times what a telescope has."""
        folder = self.folder / "own"
        if not folder.is_dir():
            folder.mkdir()
            (folder / "truth.yaml").write_text(SOURCE)
            (folder / "config.yaml").write_text(SIMULATION.format(runs=N_FILES, type="SpectrumDataset", scale=100))
            subprocess.run([*GM, "simulate", "-q", "config.yaml"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        return sorted(path for path in (folder / "data" / "datasets").iterdir())

    def make(self, names: set[str]) -> None:
        """All files that the cases of these names need, so that none is made while a row is measured."""
        if names & {ONE, "spectra"}:
            self.spectra()
        if OWN in names:
            self.spectra_with_backgrounds()
        if any(name.startswith("maps") for name in names):
            self.maps()

    def models(self, name: str, text: str) -> Models:
        path = self.folder / f"{name}.yaml"
        path.write_text(text)
        return Models.read(path)


def msh(_n: int) -> tuple[Datasets, Models]:
    folder = DATA / "reference" / "hess-msh1552-runs"
    return Datasets.read(folder / "datasets.yaml"), Models.read(folder / "models.yaml")


LOCAL, DASK = ("local 1", "local 2"), ("dask 1", "dask 2")


def cases(files: Files, quick: bool) -> list[Case]:
    """What is measured."""
    crab = Models.read(DATA / "reference" / "hess-crab-1d" / "models_start.yaml")

    def spectra(n: int) -> tuple[Datasets, Models]:
        return listed(files.spectra(), "SpectrumDatasetOnOff", n), crab

    def own(n: int) -> tuple[Datasets, Models]:
        datasets = listed(files.spectra_with_backgrounds(), "SpectrumDataset", n)
        return datasets, files.models("own", SOURCE + "".join(BACKGROUND.format(name=name) for name in datasets.names))

    def wide(n: int) -> tuple[Datasets, Models]:
        models = files.models("wide", SKY.format(shape="GaussianSpatialModel", more=GAUSS))
        return listed(files.maps(), "MapDataset", n), models

    def points(n: int) -> tuple[Datasets, Models]:
        models = files.models("points", SKY.format(shape="PointSpatialModel", more=""))
        return listed(files.maps(), "MapDataset", n), models

    every = (*LOCAL, "processes 2", *DASK)
    few = [
        Case(ONE, {1: ("local 1", "dask 1")}, spectra),
        Case("spectra", {1000: ("local 1", *DASK), 2000: DASK}, spectra),
        Case(OWN, {1000: ("local 1", *DASK), 2000: DASK}, own),
        Case("maps, free Gaussian", {8: every, 16: DASK}, wide),
        Case("maps, free point", {32: every, 64: DASK}, points),
    ]
    whole = [
        Case("MSH 15-52, 19 runs", {19: every}, msh),
        Case(ONE, {1: ("local 1", "dask 1")}, spectra),
        Case(
            "spectra",
            {
                1000: ("local 1", "dask 1"),
                3000: ("dask 1",),
                10_000: ("local 1", "processes 2", *DASK),
                30_000: ("dask 2",),
                100_000: ("local 1", "dask 2"),
            },
            spectra,
        ),
        Case(
            OWN,
            {
                1000: ("local 1", "dask 1"),
                3000: ("dask 1",),
                5000: DASK,
                10_000: ("local 1", "processes 2", *DASK),
            },
            own,
        ),
        Case("maps, free Gaussian", {64: every, 200: ("dask 2",)}, wide),
        Case("maps, free point", {64: every, 1000: ("local 2", "dask 2")}, points),
    ]
    return few if quick else whole
