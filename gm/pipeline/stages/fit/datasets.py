"""The datasets of a measurement: those that it names, or those of the fit."""

from __future__ import annotations

from collections.abc import Sequence

from gm.datasets import Datasets
from gm.errors import DataError
from gm.pipeline.session import Session
from gm.pipeline.stages.fit.settings import FitSettings
from gm.pipeline.stages.fit.stage import FIT


def datasets_of(session: Session, patterns: Sequence[str] | None, label: str) -> Datasets:
    """Those that ``patterns`` mean; None: those of the fit. Raises `DataError`, led by ``label``, for none."""
    fit = session.analysis.of(FIT) or FitSettings()
    datasets = session.start.datasets().select(patterns or fit.datasets)
    if not len(datasets):
        raise DataError(f"{label}: no dataset is left")
    return datasets
