"""The engine that settings ask for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from gm.pipeline.analysis.engine import EngineSettings

if TYPE_CHECKING:
    from gm.likelihood import Engine


def build_engine(settings: EngineSettings, tell: Callable[[int, int], None]) -> Engine:
    """``tell`` hears how many of how many parts are compiled, where that is done elsewhere."""
    from gm.likelihood import LocalEngine

    if settings.is_dask:
        return _dask_engine(settings, tell)
    if settings.workers is not None and settings.workers > 1:
        from gm.engine.processes import LEAST, ProcessEngine

        return ProcessEngine(settings.workers, tell=tell, least=LEAST)
    return LocalEngine()


def _dask_engine(settings: EngineSettings, tell: Callable[[int, int], None]) -> Engine:
    from gm.engine.dask_pool import Certificates, Cluster, DaskEngine, silence

    if not logging.getLogger("gm").isEnabledFor(logging.INFO):
        silence()
    tls = settings.tls
    certificates = None if tls is None else Certificates(tls.ca, tls.cert, tls.key)
    return DaskEngine(Cluster(settings.scheduler, certificates, settings.workers), tell=tell)
