"""Do error ellipses hold the true position, and limits on a size the true size, as often as they say?

Each simulation draws a map from a model and measures it as ``gm localize`` and ``gm extension`` do, with a free
background and amplitude. Positions: how many of the true ones lie within the ellipses of 68, 95 and 99 %. Sizes: how
many limits of 95 % are above the true one.

    python benchmarks/study_positions.py --positions 2000 --sizes 2000       # writes results/study_positions.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import cos, log, radians, sqrt
from pathlib import Path

import numpy as np
from alternate import table
from cases import RESULTS
from recorded import FOLDER, Record

from gm.arrays import Array
from gm.datasets import Datasets, MapDataset
from gm.estimators.sky.extension import ExtensionEstimator, Sizes
from gm.estimators.sky.localization_result import SHARES
from gm.estimators.sky.size_limits import LIMIT, SizeLimit
from gm.fit import Fit
from gm.irf.psf import PsfMap
from gm.likelihood import predict_component
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.models import BackgroundIRFModel, Models, Parameter, PowerLawNormSpectralModel, SkyModel
from gm.models.spatial.gaussians import GaussianSpatialModel
from gm.models.spatial.point import PointSpatialModel
from gm.models.spectral.power_laws import PowerLawSpectralModel

LON, LAT, PIXEL, SIGMA = 83.63, 22.01, 0.05, 0.1  # deg; of a pixel and of the PSF


@dataclass(frozen=True)
class Case:
    """A source of ``counts`` on ``background`` counts per pixel and energy; size [deg] of a Gaussian, 0 of a point."""

    name: str
    counts: float
    background: float
    size: float = 0.0


POSITIONS = (Case("bright", 300.0, 1.0), Case("faint", 40.0, 0.3))
SIZES = (
    Case("seen", 300.0, 0.3, 0.1),
    Case("small", 300.0, 0.3, 0.05),
    Case("faint", 60.0, 0.3, 0.1),
    Case("faint and small", 60.0, 0.3, 0.05),
    Case("faint and large", 60.0, 0.3, 0.2),
)


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


def ellipses(case: Case, dataset: MapDataset, seed: int, number: int) -> list[bool] | None:
    """Does the ellipse of each share hold the true position, anywhere in a pixel? None without errors."""
    random = np.random.default_rng([seed, number])
    lon, lat = LON + random.uniform(-0.5, 0.5) * PIXEL / cos(radians(LAT)), LAT + random.uniform(-0.5, 0.5) * PIXEL
    models, expected = truth(case, dataset, lon, lat)
    fit = Fit(Datasets([dataset.with_(counts=random.poisson(expected).astype(float))]), "exact").run(models)
    names, matrix = fit.covariance or ((), np.zeros((0, 0)))
    if not fit.success or "source.lon_0" not in names or "source.lat_0" not in names:
        return None
    at = [names.index("source.lon_0"), names.index("source.lat_0")]
    shape = fit.models["source"].spatial_model
    assert shape is not None
    away = shape.values()[:2] - np.array([lon, lat])
    distance = float(away @ np.linalg.solve(matrix[np.ix_(at, at)], away))
    return [distance < -2.0 * log(1.0 - share) for share in SHARES]


def holds(case: Case, dataset: MapDataset, seed: int, number: int) -> dict[str, bool | None]:
    """Is each limit on the size above the true one? None where there is none; each tenth is looked for, too."""
    random = np.random.default_rng([seed, number])
    models, expected = truth(case, dataset, LON, LAT)
    drawn = Datasets([dataset.with_(counts=random.poisson(expected).astype(float))])
    sizes = Sizes(ExtensionEstimator(source="source"), drawn, models, None)
    found = {method.value: sizes.holds(case.size, method) for method in SizeLimit}
    if number % 10 == 0 and found["marginal"] is not None:
        limit = sizes.limit()
        assert limit is None or found["marginal"] == (limit >= case.size), (case, number, limit)
    return found


def share_of(hits: list[bool]) -> str:
    if not hits:
        return "-"
    share = sum(hits) / len(hits)
    return f"{100 * share:.1f} ± {100 * sqrt(share * (1 - share) / len(hits)):.1f}"


def rows_of_positions(record: Record, n: int, seed: int) -> Iterator[list[str]]:
    """A row of the table for each case."""
    for case in POSITIONS:
        dataset = empty_map(case.background)
        found = record.of(
            f"position {case.name} {seed}", n, lambda k, case=case, at=dataset: ellipses(case, at, seed, k)
        )  # type: ignore[misc]
        good = [one for one in found if one is not None]
        cells = [share_of([one[k] for one in good]) for k in range(len(SHARES))]
        yield [case.name, f"{case.counts:g}", f"{case.background:g}", str(n), *cells, str(n - len(good))]


def rows_of_sizes(record: Record, n: int, seed: int) -> Iterator[list[str]]:
    """A row of the table for each case."""
    for case in SIZES:
        dataset = empty_map(case.background)
        found = record.of(f"size {case.name} {seed}", n, lambda k, case=case, at=dataset: holds(case, at, seed, k))  # type: ignore[misc]
        above = {m.value: [one[m.value] for one in found if one[m.value] is not None] for m in SizeLimit}
        head = [case.name, f"{case.counts:g}", f"{case.background:g}", f"{case.size:g}", str(n)]
        yield [*head, *map(share_of, above.values()), str(n - len(above["marginal"]))]


def report(record: Record, n_positions: int, n_sizes: int, seed: int) -> str:
    """The tables."""
    shares = [f"within {100 * share:.0f} %" for share in SHARES]
    positions = table(
        ["source", "counts", "background", "simulations", *shares, "no error"],
        list(rows_of_positions(record, n_positions, seed)),
    )
    sizes = table(
        ["source", "counts", "background", "size", "simulations", *(method.value for method in SizeLimit), "no limit"],
        list(rows_of_sizes(record, n_sizes, seed)),
    )
    return f"""# Positions and sizes

`python benchmarks/study_positions.py --positions {n_positions} --sizes {n_sizes} --seed {seed}`

Maps of 31 x 31 pixels of {PIXEL} deg and two energies, a Gaussian PSF of {SIGMA} deg; amplitude, position
and background are free. Shares in %, with the error of their binomial distribution.

{positions}
Limits of 95 % confidence on the size of a Gaussian that are above the true one: where -2 ln L has risen by {LIMIT:.4g},
integrated over the position (`marginal`, what `gm extension` has by default) or lowest over it (`profile`).

{sizes}"""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--positions", type=int, default=2000)
    parser.add_argument("--sizes", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--record", type=Path, default=FOLDER / "positions.jsonl", help="where simulations are kept")
    parser.add_argument("--output", type=Path, default=RESULTS / "study_positions.md")
    options = parser.parse_args(arguments)
    text = report(Record(options.record), options.positions, options.sizes, options.seed)
    options.output.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
