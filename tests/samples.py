"""Datasets for tests: small synthetic ones with a fixed seed, and the references with their energy ranges."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, FluxPointsDataset, SedTable, SpectrumDataset, SpectrumDatasetOnOff
from gm.maps.axes import EnergyAxis
from gm.models import LogParabolaSpectralModel, Models, PowerLawSpectralModel, SkyModel

# reference/README.md, [TeV] per prefix of the dataset names
JOINT_CRAB_RANGES = {
    "fermi": (0.03, 3.0),
    "magic": (0.08, 20.0),
    "veritas": (0.15, 20.0),
    "fact": (0.4, 20.0),
    "hess": (0.7, 20.0),
}
# instrument, model and statistic of the fits in reference/flux-points/expected_single.json, each of one table alone
FLUX_POINTS = (
    *("hess_lp_chi2", "hess_lp_distrib", "hess_lp_profile", "hess_pl_chi2", "hess_pl_profile"),
    *("hawc_lp_chi2", "hawc_lp_distrib", "gammacat_lp_chi2"),
)
AMPLITUDE = "1e-11 TeV-1 s-1 cm-2"


def in_ranges(datasets: Datasets, ranges: Mapping[str, tuple[float, float]]) -> Datasets:
    """The datasets with a fit mask, by the prefix of their names."""

    def masked(dataset: Dataset) -> Dataset:
        for prefix, (low, high) in ranges.items():
            if dataset.name.startswith(prefix) and not isinstance(dataset, FluxPointsDataset):
                return dataset.with_(mask_fit=dataset.energy.mask(low, high))
        return dataset

    return Datasets(map(masked, datasets))


def read_reference(shared: Path, folder: str) -> Datasets:
    """The datasets of a reference folder, in the energy ranges that its expected values are made with."""
    datasets = Datasets.read(shared / "reference" / folder / "datasets.yaml")
    return in_ranges(datasets, JOINT_CRAB_RANGES if folder == "joint-crab" else {})


def read_flux_points(shared: Path, case: str) -> tuple[Datasets, Models, dict[str, Any]]:
    """The dataset of one of `FLUX_POINTS`, its start, and what Gammapy found.

    The masks in the files leave out upper limits, as chi2 does; Gammapy was run on the tables alone.
    """
    folder = shared / "reference" / "flux-points"
    instrument, model, stat_type = case.split("_")
    dataset = Datasets.read(folder / "datasets.yaml")[instrument]
    alone = Datasets([dataset.with_(stat_type=stat_type, mask_safe=None, mask_fit=None)])
    start = Models.read(folder / ("models_start.yaml" if model == "lp" else "models_start_pl.yaml"))
    return alone, start, read_json(folder / "expected_single.json")[case]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def power_law(name: str = "source", index: object = 2.3, amplitude: object = AMPLITUDE, **options: Any) -> SkyModel:
    spectrum = PowerLawSpectralModel(index=index, amplitude=amplitude)
    return SkyModel(name=name, spectral_model=spectrum, **options)


def log_parabola(name: str = "source", alpha: float = 2.2, beta: float = 0.1, **options: Any) -> SkyModel:
    spectrum = LogParabolaSpectralModel(amplitude=AMPLITUDE, alpha=alpha, beta=beta)
    return SkyModel(name=name, spectral_model=spectrum, **options)


def _response(seed: int, n_energy: int, n_true: int, exposure: float) -> dict[str, Any]:
    """Axes, exposure [cm2 s] and energy dispersion."""
    random = np.random.default_rng(seed)
    energy = EnergyAxis(np.geomspace(0.5, 20.0, n_energy + 1))
    energy_true = EnergyAxis(np.geomspace(0.3, 40.0, n_true + 1), "energy_true")
    distance = np.log(energy.center / energy_true.center[:, None])
    edisp = np.exp(-0.5 * (distance / 0.3) ** 2)
    return {
        "energy": energy,
        "energy_true": energy_true,
        "exposure": exposure * random.uniform(0.5, 1.5, n_true),
        "edisp": edisp / edisp.sum(axis=1, keepdims=True),
    }


def _signal(response: dict[str, Any]) -> Array:
    """What `power_law` predicts in every bin, (n_energy,)."""
    edges = response["energy_true"].edges
    flux = 1e-11 / 1.3 * (edges[:-1] ** -1.3 - edges[1:] ** -1.3)
    return np.asarray((flux * response["exposure"]) @ response["edisp"])


def on_off(
    name: str = "on-off", seed: int = 1, n_energy: int = 6, n_true: int = 9, exposure: float = 2e11, **changes: Any
) -> SpectrumDatasetOnOff:
    """An On/Off spectrum of `power_law`: some ten counts in a low bin, few or none in on and off at the highest."""
    random = np.random.default_rng(seed + 1000)
    response = _response(seed, n_energy, n_true, exposure)
    off, acceptance_off = np.geomspace(15.0, 0.5, n_energy), random.uniform(2.0, 12.0, n_energy)
    dataset = SpectrumDatasetOnOff(
        name=name,
        counts=random.poisson(_signal(response) + off / acceptance_off).astype(float),
        counts_off=random.poisson(off).astype(float),
        acceptance=np.ones(n_energy),
        acceptance_off=acceptance_off,
        **response,
    )
    return dataset.with_(**changes)


def spectrum(
    name: str = "known", seed: int = 1, n_energy: int = 7, n_true: int = 9, exposure: float = 2e11, **changes: Any
) -> SpectrumDataset:
    """A spectrum of `power_law` with a known background, few or no counts at the highest energies."""
    random = np.random.default_rng(seed + 2000)
    response = _response(seed, n_energy, n_true, exposure)
    background = np.geomspace(3.0, 0.05, n_energy)
    counts = random.poisson(_signal(response) + background).astype(float)
    return SpectrumDataset(name=name, counts=counts, background=background, **response).with_(**changes)


def flux_points(name: str = "points", seed: int = 1, stat_type: str = "chi2", n_points: int = 7) -> FluxPointsDataset:
    """Flux points scattered around a power law, the last one an upper limit."""
    random = np.random.default_rng(seed + 3000)
    energy = np.geomspace(0.4, 25.0, n_points)
    truth = 1e-11 * energy**-2.3
    error = 0.15 * truth
    norm_scan = np.tile(np.geomspace(0.2, 5.0, 11), (n_points, 1))
    best = random.normal(1.0, 0.15, n_points)
    stat = random.uniform(0.0, 3.0, n_points)
    is_ul = np.arange(n_points) == n_points - 1
    nothing: Array = np.full(n_points, np.nan)
    points = SedTable(
        energy=energy,
        dnde=np.where(is_ul, np.nan, truth * best),
        dnde_err=error,
        dnde_errn=0.9 * error,
        dnde_errp=1.2 * error,
        dnde_ul=np.where(is_ul, 2.5 * truth, nothing),
        dnde_ref=truth,
        is_ul=is_ul,
        stat=stat,
        norm_scan=norm_scan,
        stat_scan=stat[:, None] + ((norm_scan - best[:, None]) / 0.15) ** 2,
    )
    return FluxPointsDataset(name=name, points=points, stat_type=stat_type)
