"""How a fit would be spread over workers: shards, what travels, what each worker holds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from gm.datasets import Dataset
from gm.datasets.kinds import has_counts
from gm.engine.parcels import travels
from gm.engine.processes import LEAST, may_pay
from gm.engine.shards import Shard, shards_of, spread
from gm.likelihood.own_parameters import own_parameters, spectra_apart
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models
from gm.parallel import n_threads
from gm.pipeline.analysis.settings import Settings

_ENVELOPE = 600  # bytes around a question and its answer
_OUT, _BACK = 8, 16  # bytes for each column of the flux vector: its value; its derivative with its number


def distribution(datasets: Sequence[Dataset], models: Models, settings: Settings) -> dict[str, Any]:
    """As plain data: the kind of the engine, and how much would be where, if it is not all in one place.

    The number of shards; the bytes that go out and come back for -2 ln L with its gradient; the predicted memory
    [bytes] of the largest shard, and of each worker where their number is known; and the datasets that travel whole
    since no file holds them.
    """
    engine, layout = settings.engine, Layout(models)
    several = engine.is_dask or ((engine.workers or 1) > 1 and n_threads() >= LEAST)
    shards = shards_of(datasets, models, layout, Treatment(settings.conventions, for_fit=True)) if several else []
    if not shards or not (engine.is_dask or may_pay(engine.workers or 1, len(shards))):
        return {"kind": engine.kind}
    memory = np.array([shard.memory for shard in shards])
    own = own_parameters([dataset.name for dataset in datasets], models, layout)
    apart = frozenset[str]() if own is None else spectra_apart(models)
    n_workers = engine.workers or (n_threads() if engine.scheduler is None else None)
    held = [] if n_workers is None else np.bincount(spread(memory, n_workers), memory, n_workers).tolist()
    return {
        "kind": engine.kind,
        "workers": n_workers,
        "shards": len(shards),
        "bytes_per_evaluation": sum(_traffic(shard, models, layout, apart) for shard in shards),
        "largest_shard": float(memory.max()),
        "memory_per_worker": held,
        "travelling": [dataset.name for dataset in datasets if travels(dataset)] if engine.is_dask else [],
    }


def _traffic(shard: Shard, models: Models, layout: Layout, apart: Collection[str]) -> int:
    """Bytes, from the columns of the flux vector that the datasets will ask for; of components whose spectra are
    computed ``apart`` the parameters travel."""
    columns: dict[tuple[str, str, bytes], int] = {}
    for dataset in shard.datasets:
        axis = dataset.energy_true.edges if has_counts(dataset) else dataset.energies()
        for component in models.select(dataset.name):
            n_columns = len(component.spectral_model.parameters) if component.name in apart else axis.size - 1
            columns[component.name, "", axis.tobytes()] = n_columns
            if component.spatial_model is not None:
                slots = layout.slots(component.name, "spatial")
                if any(layout.free_position(k) is not None for k in range(slots.start, slots.stop)):
                    columns[component.name, "shape", b""] = slots.stop - slots.start
    return _ENVELOPE + (_OUT + _BACK) * sum(columns.values())
