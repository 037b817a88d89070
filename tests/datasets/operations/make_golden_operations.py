"""Writes golden_operations.json with Gammapy 2.1 there: ``python make_golden_operations.py SHARED``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import astropy.units as u
from astropy.coordinates import SkyCoord
from gammapy.datasets import Datasets, MapDataset
from gammapy.maps import MapAxis
from regions import CircleAnnulusSkyRegion, CircleSkyRegion, EllipseSkyRegion, RectangleSkyRegion

from tests.datasets.operations.digests import KEYS, digest


def described(dataset: Any) -> dict[str, Any]:
    found = {}
    for key in KEYS:
        held = getattr(dataset, key, None)
        if held is not None and not (key == "background" and dataset.stat_type == "wstat"):
            scale = 1e4 if key == "exposure" and held.unit == u.m**2 * u.s else 1.0
            values = held.data * scale
            found[key] = digest(values[:, 0, 0] if held.geom.is_region else values)
    if dataset.edisp is not None:
        values = dataset.edisp.edisp_map.data
        found["edisp"] = digest(values[:, :, 0, 0] if dataset.edisp.edisp_map.geom.is_region else values)
    if getattr(dataset, "psf", None) is not None:
        found["psf"] = digest(dataset.psf.psf_map.data)
        found["psf_exposure"] = digest(dataset.psf.exposure_map.quantity.to_value("cm2 s")[:, 0])
    if dataset.gti is not None:
        found["gti"] = float(dataset.gti.time_sum.to_value("s"))
    return found


def main(shared: Path) -> None:
    reference = shared / "reference"
    cta = MapDataset.read(reference / "cta1dc-gc-stacked" / "stacked.fits.gz")
    center = SkyCoord(0.5, 0.2, unit="deg", frame="galactic")
    axis = MapAxis.from_energy_edges([0.1, 0.4, 1.0, 10.0] * u.TeV)
    circle = CircleSkyRegion(center, 0.3 * u.deg)
    ellipse = EllipseSkyRegion(center, 0.8 * u.deg, 0.4 * u.deg, 30 * u.deg)
    rectangle = RectangleSkyRegion(center, 0.8 * u.deg, 0.4 * u.deg, 30 * u.deg)
    annulus = CircleAnnulusSkyRegion(center, 0.2 * u.deg, 0.5 * u.deg)
    sliced = cta.slice_by_energy(1 * u.TeV, 10 * u.TeV)
    crab = Datasets.read(reference / "hess-crab-1d" / "datasets.yaml")
    golden = {
        "to_image": described(cta.to_image()),
        "to_masked": described(cta.to_masked()),
        "slice_energy": described(cta.slice_by_energy(0.3 * u.TeV, 3 * u.TeV)),
        "resample_energy": described(cta.resample_energy_axis(axis)),
        "cutout": described(cta.cutout(center, (2.5 * u.deg, 1.3 * u.deg))),
        "downsample": described(cta.downsample(2)),
        "downsample_energy": described(cta.downsample(2, axis_name="energy")),
        "pad": described(cta.pad(5)),
        "circle": described(sliced.to_spectrum_dataset(circle, containment_correction=True)),
        "ellipse": described(sliced.to_spectrum_dataset(ellipse)),
        "rectangle": described(sliced.to_spectrum_dataset(rectangle)),
        "annulus": described(sliced.to_spectrum_dataset(annulus)),
        "stack": described(crab.stack_reduce("stacked")),
        "on_off_image": described(crab[0].to_image()),
        "on_off_resampled": described(crab[0].resample_energy_axis(MapAxis.from_energy_edges([0.7, 2, 20] * u.TeV))),
    }
    Path(__file__).with_name("golden_operations.json").write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
