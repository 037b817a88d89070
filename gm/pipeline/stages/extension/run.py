"""The extension stage: the sizes of a source as a document, and their profiles as a table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gm.errors import DataError
from gm.estimators.sky.extension import SHAPES, ExtensionEstimator, Size
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import finite, write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.extension.settings import ExtensionSettings

SCHEMA = "gm/extension/1"


def run_extension(session: Session, task: Task, settings: ExtensionSettings, inputs: Inputs) -> Ran:
    """Measure, and write the document. Raises `DataError` where no dataset is left."""
    datasets = session.start.datasets().select(settings.datasets)
    if not len(datasets):
        raise DataError(f"extension {settings.name}: no dataset is left")
    estimator = ExtensionEstimator(
        source=settings.source,
        shape=settings.shape,
        energy_edges=settings.energy_edges,
        n=settings.n,
        ul=settings.ul,
        engine=session.engine,
    )
    began, done = time.perf_counter(), 0

    def progress(step: str, _share: float) -> None:
        nonlocal done
        done += 1
        session.reporter.progress(settings.name, done, 0, step)

    whole, bands = estimator.run(datasets, session.start.models(), progress)
    seconds = time.perf_counter() - began
    document = extension_document(whole, bands, settings, [dataset.name for dataset in datasets], inputs)
    measured = [size for size in (whole, *bands) if size.sizes is not None]
    files = task.outputs() if measured else [task.result]
    session.begin(task.key, files)
    if measured:
        _write_profiles(files[1], measured)
    write_document(task.result, document)
    session.reporter.step(settings.name, document["message"], seconds)
    return document, {**session.seconds, "extension": seconds}


def extension_document(
    whole: Size, bands: list[Size], settings: ExtensionSettings, datasets: list[str], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/extension/1`` document; numbers that do not exist are None."""
    n_failed = sum(size.status == "failed" for size in bands)
    status = "failed" if whole.status == "failed" else "incomplete" if n_failed else "ok"
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "source": settings.source,
        "status": status,
        "message": _message(whole, bands, n_failed),
        "shape": settings.shape,
        "parameter": SHAPES[settings.shape][1],
        "conventions": "exact",
        "confidence": {"sigma": 1, "ul": 0.95},
        "datasets": datasets,
        "unit": "deg",
        "all": _row(whole),
        "bands": [_row(size) for size in bands],
        "inputs": dict(inputs),
    }


def _message(whole: Size, bands: list[Size], n_failed: int) -> str:
    if whole.size is None:
        return str(whole.reason)
    limit = "" if whole.ul is None else f", 95 % limit {whole.ul:.3g} deg ({whole.ul_method})"
    size = f"size {whole.size:.3g} deg, TS {whole.ts:.3g}{limit}"
    return size if not bands else f"{size}; {len(bands)} bands, {n_failed} failed"


def _row(size: Size) -> dict[str, Any]:
    profile = None
    if size.sizes is not None and size.stats is not None and size.stat is not None:
        profile = {"size": size.sizes.tolist(), "rise": [finite(value - size.stat) for value in size.stats.tolist()]}
    return {
        "e_min": size.e_min,
        "e_max": size.e_max,
        "energy_unit": "TeV",
        "status": size.status,
        "reason": size.reason,
        "ts_ext": finite(size.ts),
        "size": finite(size.size),
        "size_errn": finite(size.errn),
        "size_errp": finite(size.errp),
        "size_ul": finite(size.ul),
        "ul_method": size.ul_method,
        "missing": dict(size.missing or {}),
        "stat": finite(size.stat),
        "stat_point": finite(size.stat_point),
        "profile": profile,
    }


def _write_profiles(path: Path, measured: Sequence[Size]) -> None:
    """A table with a row for each size of each band, the whole range of energies first. Raises `DataError`."""
    rows = [
        (size.e_min, size.e_max, one, None if size.stat is None else value - size.stat)
        for size in measured
        if size.sizes is not None and size.stats is not None
        for one, value in zip(size.sizes.tolist(), size.stats.tolist(), strict=True)
    ]
    columns = zip(("e_min", "e_max", "size", "rise"), ("TeV", "TeV", "deg", ""), zip(*rows, strict=True), strict=True)
    table = Table(
        "PROFILE", tuple(Column(name, np.array(values, dtype=float), unit) for name, unit, values in columns), {}
    )
    write_fits(path, [table])
