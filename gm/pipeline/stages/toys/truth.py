"""What toys are drawn from, and what they are compared with: the datasets that are fitted, and their best fit."""

from __future__ import annotations

from gm.datasets import Datasets
from gm.errors import DataError
from gm.estimators.toy_studies import Observed
from gm.estimators.toys import Truth
from gm.fit import Fit
from gm.models import Models
from gm.pipeline.session import Session
from gm.pipeline.stages.fit.settings import FitSettings
from gm.pipeline.stages.fit.stage import FIT
from gm.pipeline.stages.toys.rows import engine_of_toys


def truth_and_observed(session: Session, *, from_best_fit: bool = True) -> tuple[Truth, Observed]:
    """The truth, and the data at the best fit: that of the config's ``fit:``, or one that is made here.

    Raises `DataError` where there is none, or where datasets cannot be drawn.
    """
    analysis, settings = session.analysis, session.analysis.of(FIT) or FitSettings()
    datasets = session.start.datasets().select(settings.datasets)
    best = session.start.models() if analysis.declares(FIT) else _fitted(session, datasets)
    at_best = _truth(session, datasets, best)
    observed = Observed(at_best.statistic, at_best.statistics, at_best.deviances)
    truth = at_best if from_best_fit else _truth(session, datasets, session.start.unfitted().models())
    truth.draw(0, 0)
    return truth, observed


def _truth(session: Session, datasets: Datasets, models: Models) -> Truth:
    return Truth(datasets, models, session.analysis.settings.conventions, engine_of_toys(session))


def _fitted(session: Session, datasets: Datasets) -> Models:
    result = Fit(datasets, session.analysis.settings.conventions, session.engine).run(session.start.models())
    if not result.success:
        raise DataError(f"the datasets have no best fit to draw from: {result.message}")
    return result.models
