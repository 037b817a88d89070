"""gm's side of ``bench_reduction.py``."""

from __future__ import annotations

import os
import resource
import time
from collections import Counter
from functools import partial
from typing import Any

import numpy as np
from alternate import serve

import gm
from gm.io.allocator import keep_freed_memory
from gm.io.processes import in_processes
from gm.makers.exclusion import Exclusion
from gm.makers.fov import FoVBackgroundMaker
from gm.makers.maps import MapDatasetMaker
from gm.makers.reduction import Reduction
from gm.makers.reflected import ReflectedRegionsBackgroundMaker
from gm.makers.rings import AdaptiveRingBackgroundMaker, RingBackgroundMaker
from gm.makers.safe_mask import SafeMaskMaker
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.makers.target import empty_map
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sky_region import SkyRegion
from gm.observations import DataStore


def spectra(store: str, ids: list[int], n: int, on: dict[str, Any], exclude: dict[str, Any]) -> dict[str, Any]:
    """``n`` spectra of observations in turn, with reflected regions and a safe mask; seconds of the processor."""
    begin = time.process_time()
    exclusion = Exclusion((SkyRegion.from_mapping(exclude),))
    true = EnergyAxis(np.geomspace(0.05, 100, 68), "energy_true")
    empty = empty_spectrum("run", EnergyAxis(np.geomspace(0.1, 40, 28)), true, SkyRegion.from_mapping(on))
    parts = ("counts", "exposure", "edisp")
    makers = (
        SpectrumDatasetMaker(selection=parts, containment_correction=True),
        ReflectedRegionsBackgroundMaker(exclusion=exclusion),
        SafeMaskMaker(methods=["aeff-max"]),
    )
    observations = DataStore.open(store)
    counts = off = acceptance = safe = 0.0
    for i in range(n):
        observation, dataset = observations.observation(ids[i % len(ids)]), empty
        for maker in makers:
            dataset, _ = maker.run(dataset, observation)
        counts, off = counts + dataset.counts.sum(), off + dataset.counts_off.sum()
        acceptance, safe = acceptance + dataset.acceptance_off[0], safe + dataset.mask_safe.sum()
    sums = [float(counts), float(off), float(acceptance), float(safe)]
    return {"seconds": {"spectra": time.process_time() - begin}, "sums": sums}


def maps(store: str, ids: list[int], exclude: dict[str, Any], workers: int) -> dict[str, Any]:
    """Maps of observations, background scaled outside of the source; seconds of all processors, and of a clock."""
    begin, own, start = _cpu(), time.process_time(), time.perf_counter()
    geometry = WcsGeometry.create(228.547, -59.174, 0.02, (5.0, 5.0), frame="icrs", projection="CAR")
    true = EnergyAxis(np.geomspace(0.3, 40.0, 21), "energy_true")
    empty = empty_map("run", geometry, EnergyAxis(np.geomspace(0.6, 20.0, 11)), true)
    makers = (
        MapDatasetMaker(),
        SafeMaskMaker(methods=["offset-max"], offset_max=2.0),
        FoVBackgroundMaker(exclusion=Exclusion((SkyRegion.from_mapping(exclude),))),
    )
    one = partial(_map, DataStore.open(store), Reduction(empty, makers, cutout=4.0).prepared())
    found = list(map(one, ids) if workers == 1 else in_processes(one, ids, workers, 1))
    sums, clock = np.sum([sums for sums, _ in found], axis=0).tolist(), time.perf_counter() - start
    cpu, own = _cpu() - begin, time.process_time() - own
    by_process = Counter[int]()
    for _, (process, seconds) in found:
        by_process[process] += seconds  # type: ignore[assignment]  # of seconds
    longest = own if workers == 1 else own + max(by_process.values())
    return {"seconds": {"maps": cpu, "clock": clock, "longest": longest}, "sums": sums, "peak": _peak()}


def _map(store: DataStore, reduction: Reduction, number: int) -> tuple[list[float], tuple[int, float]]:
    begin = time.process_time()
    dataset, component = reduction.run(store.observation(number), str(number))
    assert component is not None
    norm = next(parameter.value for parameter in component.parameters if parameter.name == "norm")
    sums = [np.sum(part, dtype=np.float64) for part in (dataset.counts, dataset.background, dataset.exposure)]
    values = [float(value) for value in (*sums, dataset.mask_safe.sum(), norm)]
    return values, (os.getpid(), time.process_time() - begin)


def rings(store: str, ids: list[int], exclude: dict[str, Any], n_bins: int, ring: dict[str, Any]) -> dict[str, Any]:
    """Off counts of rings around each pixel of maps that are there; seconds of the processor."""
    geometry = WcsGeometry.create(228.547, -59.174, 0.02, (5.0, 5.0), frame="icrs", projection="CAR")
    true = EnergyAxis(np.geomspace(0.3, 40.0, 21), "energy_true")
    empty = empty_map("run", geometry, EnergyAxis(np.geomspace(0.6, 20.0, n_bins + 1)), true)
    parts = MapDatasetMaker(), SafeMaskMaker(methods=["offset-max"], offset_max=2.0)
    reduction, observations = Reduction(empty, parts).prepared(), DataStore.open(store)
    kind = AdaptiveRingBackgroundMaker if "r_out_max" in ring else RingBackgroundMaker
    maker: Any = kind(**ring, exclusion=Exclusion((SkyRegion.from_mapping(exclude),)))
    datasets = [reduction.run(observations.observation(number), str(number))[0] for number in ids]
    begin, sums = time.process_time(), np.zeros(3)
    for dataset in datasets:
        made, _ = maker.run(dataset)
        safe = made.mask_safe
        sums += [part.sum(where=safe, dtype=np.float64) for part in (made.counts_off, made.acceptance_off)] + [
            safe.sum()
        ]
    return {"seconds": {"rings": time.process_time() - begin}, "sums": sums.tolist()}


def _cpu() -> float:
    """Seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _peak() -> float:
    """The largest memory of a process [MiB]: copies share what their parent had."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1024


def versions() -> dict[str, Any]:
    """What is being timed."""
    return {"gm": gm.__version__, "NumPy": np.__version__}


if __name__ == "__main__":
    keep_freed_memory()  # as gm reduce does
    serve(lambda *_: [], spectra, maps, rings, versions)
