"""Print what Gammapy reads from response tables: the source of ``golden_tables.json``.

Run in an environment that has Gammapy 2.1: ``python make_golden_tables.py SHARED > golden_tables.json``.
"""

import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from gammapy.irf import (
    PSF3D,
    Background3D,
    EffectiveAreaTable2D,
    EnergyDependentMultiGaussPSF,
    EnergyDispersion2D,
    RadMax2D,
)

CTA = ("EFFECTIVE AREA", "ENERGY DISPERSION", "POINT SPREAD FUNCTION", "BACKGROUND")
FILES = {
    "data/hess-dl3-dr1/data/hess_dl3_dr1_obs_id_023523.fits.gz": ("AEFF", "EDISP", "PSF", "BKG"),
    "data/cta-1dc/caldb/data/cta/1dc/bcf/South_z20_50h/irf_file.fits": CTA,
    "data/cta-caldb/Prod5-North-20deg-AverageAz-4LSTs09MSTs.180000s-v0.1.fits.gz": CTA,
}
MAGIC = "data/magic/rad_max/data/20131004_05029747_DL3_CrabNebula-W0.40+035.fits"


def numbers(quantity: u.Quantity, unit: str) -> list[float]:
    return [float(f"{value:.12e}") for value in np.ravel(quantity.to_value(unit))]


def main(shared: Path) -> None:
    rng, n = np.random.default_rng(0), 60
    at = {
        "energy": 10 ** rng.uniform(-2.3, 2.4, n),
        "offset": rng.uniform(0, 3.5, n),
        "rad": 10 ** rng.uniform(-3, -0.1, n),
        "migra": rng.uniform(0, 2, n),
        "x": rng.uniform(-2.7, 2.7, n),
        "y": rng.uniform(-2.7, 2.7, n),
    }
    at = {name: np.round(values, 6) for name, values in at.items()}
    energy, offset, rad = at["energy"] * u.TeV, at["offset"] * u.deg, at["rad"] * u.deg
    golden = {"at": {name: values.tolist() for name, values in at.items()}, "files": {}}
    for name, hdus in FILES.items():
        file = shared / name
        aeff = EffectiveAreaTable2D.read(file, hdu=hdus[0])
        edisp = EnergyDispersion2D.read(file, hdu=hdus[1])
        psf = (PSF3D if "hess" in name else EnergyDependentMultiGaussPSF).read(file, hdu=hdus[2])
        bkg = Background3D.read(file, hdu=hdus[3])
        bkg.interp_missing_data(axis_name="energy")
        fov = {"fov_lon": at["x"] * u.deg, "fov_lat": at["y"] * u.deg}
        edges = np.geomspace(0.5, 50, 6)[:, None] * u.TeV
        golden["files"][name] = {
            "aeff": numbers(aeff.evaluate(energy_true=energy, offset=offset), "cm2"),
            "edisp": numbers(edisp.evaluate(energy_true=energy, migra=at["migra"], offset=offset), ""),
            "psf": numbers(psf.evaluate(rad=rad, energy_true=energy, offset=offset), "sr-1"),
            "containment": [
                float(np.squeeze(psf.containment(rad=0.11 * u.deg, energy_true=e, offset=o)))
                for e, o in zip(energy, offset, strict=True)
            ],
            "bkg": numbers(bkg.evaluate(energy=energy, **fov), "s-1 TeV-1 sr-1"),
            "bkg_integral": numbers(bkg.integrate_log_log(energy=edges, axis_name="energy", **fov), "s-1 sr-1"),
        }
    rad_max = RadMax2D.read(shared / MAGIC, hdu="RAD_MAX")
    aeff = EffectiveAreaTable2D.read(shared / MAGIC, hdu="EFFECTIVE AREA")
    edisp = EnergyDispersion2D.read(shared / MAGIC, hdu="ENERGY DISPERSION")
    golden["magic"] = {
        "rad_max": numbers(rad_max.evaluate(method="nearest", energy=energy, offset=0.4 * u.deg), "deg"),
        "aeff": numbers(aeff.evaluate(energy_true=energy, offset=0.4 * u.deg), "cm2"),
        "edisp": numbers(edisp.evaluate(energy_true=energy, migra=at["migra"], offset=0.4 * u.deg), ""),
    }
    print(json.dumps(golden, indent=None, separators=(",", ":")))


main(Path(sys.argv[1]))
