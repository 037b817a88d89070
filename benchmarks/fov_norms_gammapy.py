"""Gammapy's side of ``compare_fov_norms.py``."""

from __future__ import annotations

import logging
import warnings
from typing import Any

import astropy.units as u
import gammapy
import numpy as np
from alternate import serve
from gammapy.data import DataStore
from gammapy.datasets import MapDataset
from gammapy.makers import FoVBackgroundMaker, MapDatasetMaker, SafeMaskMaker
from gammapy.maps import MapAxis, WcsGeom
from gammapy.modeling import Fit
from gammapy.modeling.models import PowerLawNormSpectralModel
from reduction_gammapy import circle

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")

TOLERANCES = {"default": {}, "tight": {"tol": 1e-7, "strategy": 2}}


def norms(
    store: str, ids: list[int], exclude: dict[str, Any], tilted: bool, ours: dict[str, list[float]]
) -> dict[str, Any]:
    """Norm and tilt of each run with its error and the statistic, as Gammapy stops, when it is made to go on, and the
    statistic where gm stops."""
    energy = MapAxis.from_energy_edges(np.geomspace(0.6, 20, 11) * u.TeV)
    true = MapAxis.from_energy_edges(np.geomspace(0.3, 40, 21) * u.TeV, name="energy_true")
    geom = WcsGeom.create(skydir=(228.547, -59.174), width=4, binsz=0.1, proj="CAR", frame="icrs", axes=[energy])
    empty = MapDataset.create(geom, energy_axis_true=true)
    mask = ~geom.to_image().region_mask([circle(exclude)])
    rows = []
    for number in ids:
        observation = DataStore.from_dir(store).obs(number)
        dataset = MapDatasetMaker(selection=["counts", "background"]).run(empty.copy(name=str(number)), observation)
        dataset = SafeMaskMaker(methods=["offset-max"], offset_max=2 * u.deg).run(dataset, observation)
        row: dict[str, Any] = {"run": number}
        for name, options in TOLERANCES.items():
            spectrum = PowerLawNormSpectralModel()
            spectrum.tilt.frozen = not tilted
            fit = Fit(optimize_opts=options) if options else Fit()
            maker = FoVBackgroundMaker(method="fit", exclusion_mask=mask, spectral_model=spectrum, fit=fit)
            made = maker.run(dataset.copy(name=str(number)))
            made.mask_fit = maker.make_exclusion_mask(made)
            found = made.background_model.spectral_model
            free = [found.norm, found.tilt][: 1 + tilted]
            row[name] = [[float(p.value), float(p.error)] for p in free] + [float(made.stat_sum())]
            for parameter, value in zip(free, ours[str(number)], strict=True):
                parameter.value = value
            row["at gm's"] = float(made.stat_sum())
        rows.append(row)
    return {"rows": rows}


def versions() -> dict[str, Any]:
    """What is compared."""
    return {"Gammapy": gammapy.__version__}


if __name__ == "__main__":
    serve(lambda *_: [], norms, versions)
