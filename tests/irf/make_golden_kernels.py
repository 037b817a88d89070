"""Print Gammapy's PSF kernels, containments and energy dispersion matrices: the source of ``golden_kernels.json``.

Run in an environment that has Gammapy 2.1: ``python make_golden_kernels.py SHARED > golden_kernels.json``.
Arrays are kept as a few rows and as sums with fixed weights, so that the file stays small and every number counts.
"""

import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.datasets import MapDataset
from gammapy.irf.psf.map import _psf_upsampling_factor

PLACES = [
    ("reference/fermi-3fhl-crab/Fermi-LAT.fits.gz", "icrs", [(83.63310241699219, 22.019899368286133), (86.0, 23.5)]),
    ("reference/cta1dc-gc-joint/obs110380.fits.gz", "galactic", [(0.02, -0.02), (0.63, 0.91), (4.0, 4.0)]),
    ("reference/hess-msh1552-runs/run20136.fits.gz", "icrs", [(228.547, -59.174), (229.6, -58.71)]),
    ("reference/hess-msh1552-stacked/stacked.fits.gz", "icrs", [(228.547, -59.174), (232.9, -57.0)]),
    ("reference/fermi-3fhl-gc/fermi-3fhl-gc.fits.gz", "galactic", [(0.0, 0.0), (5.0, 1.0)]),
    ("data/hawc/DL4/nHit-5.fits.gz", "icrs", [(83.63, 22.01), (85.2, 23.4)]),
    ("data/hawc/DL4/nHit-9.fits.gz", "icrs", [(83.63, 22.01), (85.2, 23.4)]),
]


def weighted_sums(data: np.ndarray) -> list[float]:
    """Sums over the last two axes with weights that no symmetry leaves unchanged."""
    y, x = np.indices(data.shape[-2:])
    weights = np.cos(0.37 * y + 0.11 * x + 0.5)
    return [float(value) for value in (data.astype(float) * weights).sum(axis=(-2, -1))]


def describe_psf(dataset: MapDataset, position: SkyCoord | None) -> dict[str, object]:
    psf = dataset.psf
    geom = dataset.exposure.geom if psf.energy_name == "energy_true" else dataset.counts.geom
    kernel = psf.get_psf_kernel(geom, position=position)
    data = kernel.data
    centre = data.shape[1] // 2
    where = psf._get_nearest_valid_position(psf.psf_map.geom.center_skydir if position is None else position)
    nodes = psf.psf_map.geom.axes[psf.energy_name].center
    radii = psf.containment_radius(0.999, nodes, where)
    energies = geom.axes[psf.energy_name].center
    containment = psf.containment(0.2 * u.deg, energies.reshape((-1, 1, 1)), where)
    return {
        "shape": list(data.shape),
        "radii": [float(value) for value in radii.to_value("deg")],
        "factors": [int(value) for value in _psf_upsampling_factor(psf, geom, where)],
        "sums": [float(value) for value in data.sum(axis=(1, 2), dtype=float)],
        "weighted_sums": weighted_sums(data),
        "centre": [float(value) for value in data[:, centre, centre]],
        "row": [[float(value) for value in row] for row in data[::5, centre + centre // 8, centre:]],
        "containment": [float(value) for value in containment.to_value("").ravel()],
    }


def describe_edisp(dataset: MapDataset, position: SkyCoord | None) -> dict[str, object]:
    matrix = dataset.edisp.get_edisp_kernel(position=position, energy_axis=dataset.counts.geom.axes["energy"]).data
    return {
        "shape": list(matrix.shape),
        "row_sums": [float(value) for value in matrix.sum(axis=1, dtype=float)],
        "weighted_sum": weighted_sums(matrix[None])[0],
        "row": [float(value) for value in matrix[len(matrix) // 2]],
    }


def main(shared: Path) -> None:
    cases = []
    for file, frame, positions in PLACES:
        dataset = MapDataset.read(shared / file, name="dataset")
        for lon_lat in [*positions, None]:
            position = None if lon_lat is None else SkyCoord(*lon_lat, unit="deg", frame=frame)
            cases.append(
                {
                    "file": file,
                    "frame": frame,
                    "position": lon_lat,
                    "psf": describe_psf(dataset, position),
                    "edisp": describe_edisp(dataset, position),
                }
            )
            print(file, lon_lat, file=sys.stderr)
    json.dump(cases, sys.stdout)
    print()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
