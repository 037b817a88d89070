"""Do error ellipses hold the true position, and limits on a size the true size, as often as they say?

Each simulation draws a map from a model and measures it as ``gm localize`` and ``gm extension`` do, with a free
background and amplitude. Positions: how many of the true ones lie within the ellipses of 68, 95 and 99 %. Sizes: how
many limits of 95 % are above the true one.

    python benchmarks/study_positions.py --positions 2000 --sizes 500        # writes results/study_positions.md
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, log, radians, sqrt
from pathlib import Path

import numpy as np

from gm.arrays import Array
from gm.datasets import Datasets, MapDataset
from gm.estimators.sky.extension import LIMIT, ExtensionEstimator, Sizes
from gm.estimators.sky.localization import SHARES
from gm.fit import Fit
from gm.irf.psf import PsfMap
from gm.likelihood import predict_component
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.models import BackgroundIRFModel, Models, Parameter, PowerLawNormSpectralModel, SkyModel
from gm.models.spatial.gaussians import GaussianSpatialModel
from gm.models.spatial.point import PointSpatialModel
from gm.models.spectral.power_laws import PowerLawSpectralModel

RESULTS = Path(__file__).resolve().parent / "results"
LON, LAT, PIXEL, SIGMA = 83.63, 22.01, 0.05, 0.1  # deg; of a pixel and of the PSF


@dataclass(frozen=True)
class Case:
    """A source of ``counts`` on ``background`` counts per pixel and energy; size [deg] of a Gaussian, 0 of a point."""

    name: str
    counts: float
    background: float
    size: float = 0.0


POSITIONS = (Case("bright", 300.0, 1.0), Case("faint", 40.0, 0.3))
SIZES = (Case("seen", 300.0, 0.3, 0.1), Case("small", 300.0, 0.3, 0.05), Case("faint", 60.0, 0.3, 0.1))


def empty_map(background: float) -> MapDataset:
    """Two energies, 31 x 31 pixels, a Gaussian PSF that is narrower at high energies."""
    geometry = WcsGeometry.create(LON, LAT, PIXEL, shape=(31, 31))
    energy, energy_true = EnergyAxis(np.array([1.0, 3.0, 10.0])), EnergyAxis(np.array([1.0, 3.0, 10.0]), "energy_true")
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 0.6, 121), "deg")
    width = SIGMA * np.array([1.0, 0.7])[:, None]
    profile = np.exp(-0.5 * (rad.center / width) ** 2) / (2 * np.pi * np.radians(width) ** 2)
    psf = PsfMap(WcsGeometry.create(LON, LAT, 1.0, shape=(1, 1)), energy_true, rad, profile[:, :, None, None])
    shape = (2, *geometry.shape)
    known = np.full(shape, background) * np.array([1.0, 0.3])[:, None, None]
    return MapDataset(
        name="map",
        geometry=geometry,
        energy=energy,
        energy_true=energy_true,
        counts=np.zeros(shape),
        exposure=np.full(shape, 1e13),
        psf=psf,
        background=known,
    )


def truth(case: Case, dataset: MapDataset, lon: float, lat: float) -> tuple[Models, Array]:
    """The models, and the counts that they predict."""
    free = [Parameter("lon_0", lon, "deg"), Parameter("lat_0", lat, "deg")]
    place = dict(zip(("lon_0", "lat_0"), free, strict=True))
    shape = (
        GaussianSpatialModel(**place, sigma=Parameter("sigma", case.size, "deg", min=0.0))
        if case.size
        else PointSpatialModel(**place)
    )
    one = SkyModel(name="source", spatial_model=shape, spectral_model=PowerLawSpectralModel(index=2.0))
    predicted = predict_component(dataset, one, "exact")
    spectrum = PowerLawSpectralModel(
        index=Parameter("index", 2.0, frozen=True),
        amplitude=Parameter("amplitude", 1e-12 * case.counts / predicted.sum(), "cm-2 s-1 TeV-1"),
    )
    background = BackgroundIRFModel(spectral_model=PowerLawNormSpectralModel(), dataset_name=dataset.name)
    models = Models([SkyModel(name="source", spatial_model=shape, spectral_model=spectrum), background])
    known = np.zeros_like(predicted) if dataset.background is None else dataset.background
    return models, predicted * (case.counts / predicted.sum()) + known


def positions(case: Case, n: int, seed: int) -> list[int]:
    """How many of ``n`` true positions lie within the ellipse of each share; positions differ within a pixel."""
    random, dataset, inside, failed = np.random.default_rng(seed), empty_map(case.background), np.zeros(3, int), 0
    rises = np.array([-2.0 * log(1.0 - share) for share in SHARES])
    for _ in range(n):
        lon, lat = LON + random.uniform(-0.5, 0.5) * PIXEL / cos(radians(LAT)), LAT + random.uniform(-0.5, 0.5) * PIXEL
        models, expected = truth(case, dataset, lon, lat)
        fit = Fit(Datasets([dataset.with_(counts=random.poisson(expected).astype(float))]), "exact").run(models)
        names, matrix = fit.covariance or ((), np.zeros((0, 0)))
        if not fit.success or "source.lon_0" not in names or "source.lat_0" not in names:
            failed += 1
            continue
        at = [names.index("source.lon_0"), names.index("source.lat_0")]
        shape = fit.models["source"].spatial_model
        found = np.zeros(2) if shape is None else shape.values()[:2]
        away = found - np.array([lon, lat])
        inside += away @ np.linalg.solve(matrix[np.ix_(at, at)], away) < rises
    return [*inside.tolist(), failed]


def sizes(case: Case, n: int, seed: int) -> tuple[int, int]:
    """How many of ``n`` limits are above the true size, and how many could not be found."""
    random, dataset, above, failed = np.random.default_rng(seed), empty_map(case.background), 0, 0
    for _ in range(n):
        models, expected = truth(case, dataset, LON, LAT)
        drawn = Datasets([dataset.with_(counts=random.poisson(expected).astype(float))])
        limit = Sizes(ExtensionEstimator(source="source"), drawn, models, None).limit()
        failed += limit is None
        above += limit is not None and limit >= case.size
    return above, failed


def _share(k: int, n: int) -> str:
    if not n:
        return "-"
    share = k / n
    return f"{100 * share:.1f} ± {100 * sqrt(share * (1 - share) / n):.1f}"


def report(n_positions: int, n_sizes: int, seed: int) -> str:
    """The tables."""
    lines = [
        "# Positions and sizes",
        "",
        f"`python benchmarks/study_positions.py --positions {n_positions} --sizes {n_sizes} --seed {seed}`",
        "",
        f"Maps of 31 x 31 pixels of {PIXEL} deg and two energies, a Gaussian PSF of {SIGMA} deg; amplitude, position",
        "and background are free. Shares in %, with the error of their binomial distribution.",
        "",
        "| source | counts | background | simulations | within 68 % | within 95 % | within 99 % | no error |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in POSITIONS:
        *inside, failed = positions(case, n_positions, seed)
        cells = " | ".join(_share(k, n_positions - failed) for k in inside)
        head = f"| {case.name} | {case.counts:g} | {case.background:g} | {n_positions} |"
        lines.append(f"{head} {cells} | {failed} |")
        print(lines[-1], flush=True)
    lines += [
        "",
        f"Limits of 95 % confidence on the size of a Gaussian: where -2 ln L has risen by {LIMIT:.4g}.",
        "",
        "| source | counts | background | size | simulations | limit above | no limit |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in SIZES:
        above, failed = sizes(case, n_sizes, seed)
        head = f"| {case.name} | {case.counts:g} | {case.background:g} | {case.size:g} | {n_sizes} |"
        lines.append(f"{head} {_share(above, n_sizes - failed)} | {failed} |")
        print(lines[-1], flush=True)
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=2000)
    parser.add_argument("--sizes", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=RESULTS / "study_positions.md")
    options = parser.parse_args(arguments)
    options.output.write_text(report(options.positions, options.sizes, options.seed))


if __name__ == "__main__":
    main()
