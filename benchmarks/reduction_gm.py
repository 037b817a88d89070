"""gm's side of ``bench_reduction.py``."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from alternate import serve

import gm
from gm.makers.exclusion import Exclusion
from gm.makers.spectra import empty_spectrum
from gm.maps.axes import EnergyAxis
from gm.maps.sky_region import SkyRegion


def spectra(store: str, ids: list[int], n: int, on: dict[str, Any], exclude: dict[str, Any]) -> dict[str, Any]:
    """``n`` spectra of observations in turn, with reflected regions and a safe mask; seconds of the processor."""
    begin = time.process_time()
    exclusion = Exclusion((SkyRegion.from_mapping(exclude),))
    true = EnergyAxis(np.geomspace(0.05, 100, 68), "energy_true")
    empty = empty_spectrum("run", EnergyAxis(np.geomspace(0.1, 40, 28)), true, SkyRegion.from_mapping(on))
    parts = ("counts", "exposure", "edisp")
    makers = (
        gm.SpectrumDatasetMaker(selection=parts, containment_correction=True),
        gm.ReflectedRegionsBackgroundMaker(exclusion=exclusion),
        gm.SafeMaskMaker(methods=["aeff-max"]),
    )
    observations = gm.DataStore.open(store)
    counts = off = acceptance = safe = 0.0
    for i in range(n):
        observation, dataset = observations.observation(ids[i % len(ids)]), empty
        for maker in makers:
            dataset, _ = maker.run(dataset, observation)
        counts, off = counts + dataset.counts.sum(), off + dataset.counts_off.sum()
        acceptance, safe = acceptance + dataset.acceptance_off[0], safe + dataset.mask_safe.sum()
    sums = [float(counts), float(off), float(acceptance), float(safe)]
    return {"seconds": {"spectra": time.process_time() - begin}, "sums": sums}


def versions() -> dict[str, Any]:
    """What is being timed."""
    return {"gm": gm.__version__, "NumPy": np.__version__}


if __name__ == "__main__":
    serve(lambda *_: [], spectra, versions)
