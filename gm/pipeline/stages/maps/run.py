"""The maps stage: the estimators' results as a document, and all quantities in one FITS file."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gm.datasets import Datasets
from gm.datasets.kinds import is_map
from gm.errors import DataError
from gm.estimators.sky.excess_map import ExcessMapEstimator
from gm.estimators.sky.peaks import candidates, find_peaks
from gm.estimators.sky.profile import ProfileBins, SkyProfileEstimator
from gm.estimators.sky.ps_map import PSMapEstimator
from gm.estimators.sky.residual_map import ResidualMapEstimator
from gm.estimators.sky.result import SkyMaps
from gm.estimators.sky.sources import default_kernel
from gm.estimators.sky.ts_map import TSMapEstimator
from gm.estimators.told import Told
from gm.io.files import write_atomic
from gm.models import Models
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Task
from gm.pipeline.stages.maps.peaks import peaks_document, read_significance
from gm.pipeline.stages.maps.settings import MapSettings


@dataclass(frozen=True)
class _Asked:
    """What every kind of map is made from."""

    session: Session
    settings: MapSettings
    datasets: Datasets
    models: Models

    @property
    def shared(self) -> dict[str, Any]:
        """Settings that every estimator has."""
        return {
            "energy_edges": self.settings.energy_edges,
            "conventions": self.session.analysis.settings.conventions,
            "engine": self.session.engine,
        }


def _ts(asked: _Asked) -> SkyMaps:
    settings = asked.settings
    estimator = TSMapEstimator(
        kernel=settings.kernel or default_kernel(),
        sum_over_energy=settings.sum_over_energy,
        kernel_width=settings.kernel_width,
        sigma=settings.sigma,
        sigma_ul=settings.sigma_ul,
        intervals=settings.intervals,
        threshold=settings.threshold,
        **asked.shared,
    )
    n_bands = 1 if settings.energy_edges is None else len(settings.energy_edges) - 1

    def progress(band: str, share: float) -> None:
        asked.session.reporter.progress(settings.name, round(share * n_bands), n_bands, band)

    return estimator.run(asked.datasets, asked.models, progress)


def _excess(asked: _Asked) -> SkyMaps:
    settings = asked.settings
    estimator = ExcessMapEstimator(
        correlation_radius=settings.correlation_radius or 0.0,
        correlate_off=settings.correlate_off,
        sigma=settings.sigma,
        sigma_ul=settings.sigma_ul,
        intervals=settings.intervals,
        **asked.shared,
    )
    return estimator.run(asked.datasets, asked.models)


def _residual(asked: _Asked) -> SkyMaps:
    settings = asked.settings
    estimator = ResidualMapEstimator(
        correlation_radius=settings.correlation_radius or 0.0, correlate_off=settings.correlate_off, **asked.shared
    )
    maps, _ = estimator.run(asked.datasets, asked.models)
    return maps


def _ps(asked: _Asked) -> SkyMaps:
    estimator = PSMapEstimator(radius=asked.settings.correlation_radius, **asked.shared)
    return estimator.run(asked.datasets, asked.models)


KINDS: Mapping[str, Callable[[_Asked], SkyMaps]] = {"ts": _ts, "excess": _excess, "residual": _residual, "ps": _ps}


def run_map(session: Session, task: Task, settings: MapSettings, of: MapSettings | None, inputs: Inputs) -> Ran:
    """Compute a map, or the peaks ``of`` one, and write it; the document last. Raises `DataError` without a map."""
    began = time.perf_counter()
    if settings.bins is not None:
        document = _run_profile(session, task, settings, settings.bins, inputs)
    elif of is None:
        document = _run_map(session, task, settings, inputs)
    else:
        document = _run_peaks(session, task, settings, of, inputs)
    seconds = time.perf_counter() - began
    session.reporter.step(settings.name, document["message"], seconds)
    return document, {**session.seconds, "maps": seconds}


def _maps_of(session: Session, settings: MapSettings) -> tuple[Datasets, list[str]]:
    """The maps that are selected, and the names of what has no pixels. Raises `DataError` without a map."""
    selected = session.start.datasets().select(settings.datasets)
    maps = Datasets(dataset for dataset in selected if is_map(dataset))
    if not len(maps):
        raise DataError(f"map {settings.name}: no dataset with pixels is left")
    return maps, [dataset.name for dataset in selected if not is_map(dataset)]


def _run_profile(
    session: Session, task: Task, settings: MapSettings, bins: ProfileBins, inputs: Inputs
) -> dict[str, Any]:
    maps, left_out = _maps_of(session, settings)
    estimator = SkyProfileEstimator(
        bins=bins,
        source=settings.source,
        energy_edges=settings.energy_edges,
        sigma=settings.sigma,
        sigma_ul=settings.sigma_ul,
        conventions=session.analysis.settings.conventions,
        engine=session.engine,
    )
    profile = estimator.run(maps, session.start.models())
    return _write(session, task, profile.to_dict(settings.name, inputs), profile, left_out)


def _run_map(session: Session, task: Task, settings: MapSettings, inputs: Inputs) -> dict[str, Any]:
    maps, left_out = _maps_of(session, settings)
    made = KINDS[settings.type](_Asked(session, settings, maps, session.start.models()))
    return _write(session, task, made.to_dict(settings.name, inputs), made, left_out)


def _write(session: Session, task: Task, document: dict[str, Any], found: Told, left_out: list[str]) -> dict[str, Any]:
    """Write the file beside the document, and the document, which tells what had no pixels."""
    files = task.outputs()
    document["file"] = files[1].name
    document["warnings"] = [*(f"{name} has no pixels and was left out" for name in left_out), *document["warnings"]]
    session.begin(task.key, files)
    write_atomic(files[1], found.beside(document)[files[1].name])
    write_document(files[0], document)
    return document


def _run_peaks(session: Session, task: Task, settings: MapSettings, of: MapSettings, inputs: Inputs) -> dict[str, Any]:
    if f"{task.stage.name}/{of.name}" in session.failed:
        raise DataError(f"map {settings.name}: {of.name}, whose peaks these are, could not be made")
    held = read_significance(task.result.with_name(f"{of.name}.fits"))
    kernel, taken, found = of.kernel or default_kernel(), list(session.start.models().names), []
    for k, (e_min, e_max) in enumerate(held.bands):
        norm = None if held.norm is None else held.norm[k]
        peaks = find_peaks(held.geometry, held.significance[k], settings.threshold or 0.0, settings.min_distance, norm)
        found.append((e_min, e_max, peaks))
    best = max(found, key=lambda band: max((peak.sqrt_ts for peak in band[2]), default=-np.inf))
    models = candidates(best[2], kernel, held.geometry.frame, taken)
    files = task.outputs()
    file, is_blank = files[1].relative_to(files[0].parent).as_posix(), not np.isfinite(held.significance).any()
    document = peaks_document(settings, found, models, file, inputs, is_blank=is_blank)
    writer = models.writer(files[1], session.own_files(task.key))
    session.begin(task.key, [files[0], *writer.files])
    writer.write()
    write_document(files[0], document)
    return document
