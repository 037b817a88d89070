"""One observation reduced to a file, the row that tells of it, and rows of an earlier run that still count."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from gm.datasets import MapDatasetOnOff, SpectrumDatasetOnOff, write_dataset
from gm.datasets.acceptances import off_background
from gm.datasets.operations.backgrounds import corrected
from gm.errors import GmError
from gm.io.files import sha256
from gm.makers.fov import FoVBackgroundMaker
from gm.makers.maker import NothingLeft, safe_bins
from gm.makers.reduction import Reduced
from gm.models import BackgroundIRFModel
from gm.pipeline.journal import Row
from gm.pipeline.results import finite
from gm.pipeline.stages.observations.jobs import Job


def reduce_job(job: Job, file: Path) -> Row:
    """Reduce an observation and write its dataset; what is wrong with the data is in the row.

    Raises `DataError` when the dataset cannot be written.
    """
    row: Row = {"obs_id": job.obs_id, "dataset": job.dataset, "status": "ok", "reason": None}
    if job.entry.interval is not None:
        row["time_min"], row["time_max"] = job.entry.interval
    with _warned() as remarks:
        try:
            dataset, component = job.entry.reduction.run(job.observation(), job.part)
        except GmError as error:
            status = "empty" if isinstance(error, NothingLeft) else "failed"
            reason = "; ".join(str(error).split("\n    "))
            return {**row, "status": status, "reason": reason, "remarks": list(remarks), "hash": job.hash}
    write_dataset(dataset, file)
    row |= _summary(dataset, component)
    return {**row, "remarks": list(remarks), "hash": job.hash, "file_hash": sha256(file)}


@contextmanager
def _warned() -> Iterator[dict[str, None]]:
    """What is warned of meanwhile, each once and in order: it goes to the row instead of the log."""
    logger, texts = logging.getLogger("gm"), dict[str, None]()
    collector = logging.Handler()
    collector.emit = lambda record: texts.update({record.getMessage(): None})  # type: ignore[method-assign]
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [collector], False
    logger.setLevel(logging.WARNING)
    try:
        yield texts
    finally:
        logger.handlers, logger.propagate = before[:2]
        logger.setLevel(before[2])


def _summary(dataset: Reduced, component: BackgroundIRFModel | None) -> Row:
    safe = safe_bins(dataset)
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        background = off_background(dataset.counts_off, dataset.acceptance, dataset.acceptance_off)
    else:
        background = getattr(corrected(dataset, component), "background", None)
    return {
        "type": dataset.type,
        "livetime": finite(dataset.livetime),
        "counts": float(np.sum(dataset.counts, where=safe, dtype=np.float64)),
        "background": None if background is None else float(np.sum(background, where=safe, dtype=np.float64)),
        "component": None if component is None else _component_row(component),
    }


def _component_row(component: BackgroundIRFModel) -> dict[str, Any]:
    return {
        "name": component.name,
        "type": component.spectral_model.tags[-1],
        "parameters": [{"name": p.name, "value": p.value, "error": p.error} for p in component.parameters],
        "kept": False,
    }


def component_of(job: Job, row: Mapping[str, Any]) -> BackgroundIRFModel | None:
    """The component that a row tells of, for the dataset as it is called alone."""
    told = row.get("component")
    maker = next((maker for maker in job.entry.reduction.makers if isinstance(maker, FoVBackgroundMaker)), None)
    if told is None or maker is None:
        return None
    start = BackgroundIRFModel(dataset_name=job.part, spectral_model=maker.spectral_model)
    pairs = zip(start.parameters, told["parameters"], strict=True)
    return start.with_parameters([replace(p, value=cell["value"], error=cell["error"]) for p, cell in pairs])


def still_valid(rows: Iterable[Row], jobs: Iterable[tuple[Job, Path]], *, retry: bool) -> dict[Job, Row]:
    """The rows of jobs that need not be done again: of the same data, reduced in the same way, with the file there.

    retry : do again what did not give a dataset. The last row of several counts.
    """
    by_hash = {(row["hash"], row.get("dataset")): row for row in rows}
    found = {}
    for job, file in jobs:
        row = by_hash.get((job.hash, job.dataset))
        if row is None or (retry and row["status"] != "ok"):
            continue
        if row["status"] != "ok" or (file.is_file() and sha256(file) == row.get("file_hash")):
            found[job] = row
    return found
