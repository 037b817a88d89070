"""Gammapy's side of ``bench_reduction.py``."""

from __future__ import annotations

import logging
import resource
import time
import warnings
from typing import Any

import astropy.units as u
import gammapy
import numpy as np
from alternate import serve
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore
from gammapy.datasets import MapDataset, SpectrumDataset
from gammapy.makers import (
    AdaptiveRingBackgroundMaker,
    FoVBackgroundMaker,
    MapDatasetMaker,
    ReflectedRegionsBackgroundMaker,
    RingBackgroundMaker,
    SafeMaskMaker,
    SpectrumDatasetMaker,
)
from gammapy.maps import MapAxis, RegionGeom, WcsGeom
from regions import CircleSkyRegion

logging.disable(logging.WARNING)
warnings.simplefilter("ignore")


def circle(region: dict[str, Any]) -> CircleSkyRegion:
    center = SkyCoord(*region["center"], unit="deg", frame=region["frame"])
    return CircleSkyRegion(center, region["radius"] * u.deg)


def spectra(store: str, ids: list[int], n: int, on: dict[str, Any], exclude: dict[str, Any]) -> dict[str, Any]:
    """``n`` spectra of observations in turn, with reflected regions and a safe mask; seconds of the processor."""
    begin = time.process_time()
    region = circle(on)
    geom = WcsGeom.create(skydir=region.center, npix=(150, 150), binsz=0.05, proj="TAN", frame="icrs")
    energy = MapAxis.from_energy_edges(np.geomspace(0.1, 40, 28) * u.TeV)
    true = MapAxis.from_energy_edges(np.geomspace(0.05, 100, 68) * u.TeV, name="energy_true")
    empty = SpectrumDataset.create(RegionGeom.create(region, axes=[energy]), energy_axis_true=true)
    makers = (
        SpectrumDatasetMaker(selection=["counts", "exposure", "edisp"], containment_correction=True),
        ReflectedRegionsBackgroundMaker(exclusion_mask=~geom.region_mask([circle(exclude)])),
        SafeMaskMaker(methods=["aeff-max"]),
    )
    observations = DataStore.from_dir(store)
    counts = off = acceptance = safe = 0.0
    for i in range(n):
        observation, dataset = observations.obs(ids[i % len(ids)]), empty.copy(name=str(i))
        for maker in makers:
            dataset = maker.run(dataset, observation)
        counts, off = counts + dataset.counts.data.sum(), off + dataset.counts_off.data.sum()
        acceptance, safe = acceptance + dataset.acceptance_off.data.flat[0], safe + dataset.mask_safe.data.sum()
    sums = [float(counts), float(off), float(acceptance), float(safe)]
    return {"seconds": {"spectra": time.process_time() - begin}, "sums": sums}


def maps(store: str, ids: list[int], exclude: dict[str, Any]) -> dict[str, Any]:
    """Maps of observations with a background scaled outside of the source; seconds of the processor, and of a clock."""
    begin, start = time.process_time(), time.perf_counter()
    energy = MapAxis.from_energy_edges(np.geomspace(0.6, 20, 11) * u.TeV)
    true = MapAxis.from_energy_edges(np.geomspace(0.3, 40, 21) * u.TeV, name="energy_true")
    geom = WcsGeom.create(skydir=(228.547, -59.174), width=5, binsz=0.02, proj="CAR", frame="icrs", axes=[energy])
    empty = MapDataset.create(geom, energy_axis_true=true)
    makers = (
        MapDatasetMaker(),
        SafeMaskMaker(methods=["offset-max"], offset_max=2 * u.deg),
        FoVBackgroundMaker(method="scale", exclusion_mask=~geom.to_image().region_mask([circle(exclude)])),
    )
    observations = DataStore.from_dir(store)
    sums = np.zeros(5)
    for number in ids:
        observation = observations.obs(number)
        pointing = observation.get_pointing_icrs(observation.tmid)
        dataset = empty.cutout(pointing, width=4 * u.deg, name=str(number), mode="trim")
        for maker in makers:
            dataset = maker.run(dataset, observation)
        exposure = dataset.exposure.quantity.to_value("cm2 s")
        norm = dataset.background_model.spectral_model.norm.value
        sums += [dataset.counts.data.sum(dtype=float), dataset.background.data.sum(dtype=float),
                 exposure.sum(dtype=float), dataset.mask_safe.data.sum(), norm]  # fmt: skip
    seconds = {"maps": time.process_time() - begin, "clock": time.perf_counter() - start}
    seconds["longest"] = seconds["maps"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"seconds": seconds, "sums": sums.tolist(), "peak": peak}


def rings(store: str, ids: list[int], exclude: dict[str, Any], n_bins: int, ring: dict[str, Any]) -> dict[str, Any]:
    """Off counts of rings around each pixel of maps that are there; seconds of the processor."""
    energy = MapAxis.from_energy_edges(np.geomspace(0.6, 20, n_bins + 1) * u.TeV)
    true = MapAxis.from_energy_edges(np.geomspace(0.3, 40, 21) * u.TeV, name="energy_true")
    geom = WcsGeom.create(skydir=(228.547, -59.174), width=5, binsz=0.02, proj="CAR", frame="icrs", axes=[energy])
    kept, empty = ~geom.to_image().region_mask([circle(exclude)]), MapDataset.create(geom, energy_axis_true=true)
    parts = MapDatasetMaker(), SafeMaskMaker(methods=["offset-max"], offset_max=2 * u.deg)
    kind = AdaptiveRingBackgroundMaker if "r_out_max" in ring else RingBackgroundMaker
    angles = {name: value if name == "threshold_alpha" else value * u.deg for name, value in ring.items()}
    maker, observations, datasets = kind(**angles, exclusion_mask=kept), DataStore.from_dir(store), []
    for number in ids:
        dataset = empty.copy(name=str(number))
        for part in parts:
            dataset = part.run(dataset, observations.obs(number))
        datasets.append(dataset)
    begin, sums = time.process_time(), np.zeros(3)
    for dataset in datasets:
        made = maker.run(dataset)
        safe = made.mask_safe.data
        sums += [m.data.sum(where=safe, dtype=float) for m in (made.counts_off, made.acceptance_off)] + [safe.sum()]
    return {"seconds": {"rings": time.process_time() - begin}, "sums": sums.tolist()}


def versions() -> dict[str, Any]:
    """What is being timed."""
    return {"Gammapy": gammapy.__version__}


if __name__ == "__main__":
    serve(lambda *_: [], spectra, maps, rings, versions)
