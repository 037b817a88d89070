"""The reference cases that are timed and compared: files, fit ranges, flux-point bands. Imports no science library."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("GM_TEST_DATA") or ROOT.parent / "shared")
RESULTS = ROOT / "benchmarks" / "results"

#: fit range in TeV by the beginning of the dataset's name, for the joint Crab
RANGES = {
    "fermi": (0.03, 3.0),
    "magic": (0.08, 20.0),
    "veritas": (0.15, 20.0),
    "fact": (0.4, 20.0),
    "hess": (0.7, 20.0),
}


def geometric(low: float, high: float, n_bands: int) -> tuple[float, ...]:
    """Edges of ``n_bands`` bands of equal width in ln E."""
    return (*(low * (high / low) ** (i / n_bands) for i in range(n_bands)), high)


@dataclass(frozen=True)
class Case:
    """Datasets and start models of a reference folder."""

    folder: str
    models: str

    @property
    def datasets_file(self) -> Path:
        return DATA / "reference" / self.folder / "datasets.yaml"

    @property
    def models_file(self) -> Path:
        return DATA / "reference" / self.folder / self.models

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        return RANGES if self.folder == "joint-crab" else {}


CASES = {
    "joint-crab-lp": Case("joint-crab", "models_start_lp.yaml"),
    "joint-crab-pl": Case("joint-crab", "models_start_pl.yaml"),
    "joint-crab-ecpl": Case("joint-crab", "models_start_ecpl.yaml"),
    "hess-crab-1d-pl": Case("hess-crab-1d", "models_start.yaml"),
    "hess-crab-1d-lp": Case("hess-crab-1d", "models_start_lp.yaml"),
    "fermi-3fhl-crab": Case("fermi-3fhl-crab", "models_start.yaml"),
}

#: map cases with the ratio that is wanted
MAP_CASES = {
    "Fermi Crab": (Case("fermi-3fhl-crab", "models_start.yaml"), 100),
    "Fermi Crab, free position": (Case("fermi-3fhl-crab", "models_start_pos.yaml"), 100),
    "Fermi Galactic centre, templates": (Case("fermi-3fhl-gc", "models_start.yaml"), 50),
    "CTA, 3 pointings": (Case("cta1dc-gc-joint", "models_start.yaml"), 100),
    "CTA, 3 pointings, diffuse template": (Case("cta1dc-gc-joint", "models_start_diffuse.yaml"), 50),
    "HAWC Crab, 5 datasets": (Case("hawc-crab", "models_start.yaml"), 50),
    "MSH 15-52, stacked": (Case("hess-msh1552-stacked", "models_start.yaml"), ""),
    "MSH 15-52, 19 runs": (Case("hess-msh1552-runs", "models.yaml"), 300),
}
#: those on which Gammapy takes more than ten minutes; both have the limits on position and size that it needs
LONG_MAP_CASES = {
    "MSH 15-52, 19 runs, 43 parameters": (Case("hess-msh1552-runs", "models_tilt.yaml"), 300),
}

#: cubes on which flux points with everything on are timed: source, and edges in TeV of three bands
CUBES = {
    "Fermi Crab cube": (Case("fermi-3fhl-crab", "models_start.yaml"), "Crab Nebula", [0.01, 0.0832, 0.5, 2.0]),
    "Fermi Galactic centre cube": (Case("fermi-3fhl-gc", "models_start.yaml"), "source-gc", [0.01, 0.05, 0.2, 2.0]),
}

#: the joint Crab's spectrum at the joint best fit, where its flux points start
BEST_JOINT_CRAB = {"amplitude": 3.845248684e-11, "alpha": 2.49545016, "beta": 0.09864648807}
JOINT_EDGES = geometric(0.03, 20.0, 12)
HESS_EDGES = geometric(0.7, 20.0, 10)
