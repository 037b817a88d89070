"""Where a source is: its best position, the ellipse of its errors, and the statistic around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from statistics import NormalDist

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.estimators.profile_result import LikelihoodProfile
from gm.estimators.profiles import ProfileEstimator
from gm.estimators.sky.localization_result import SHARES, Ellipse, Localization
from gm.estimators.sky.sources import position_of
from gm.fit import Fit
from gm.likelihood import Engine
from gm.maps.sphere import separation
from gm.models import Models
from gm.values import read_only

Progress = Callable[[str, float], None]
_BENT = 0.15  # of a radius, by which a contour may be off its ellipse


@read_only("make another Localizer")
@dataclass(frozen=True, kw_only=True)
class Localizer:
    """The position of ``source``, with all that is free in the model fitted again, always with ``exact`` conventions:
    those of Gammapy spread a point over four pixels, and the statistic has kinks where it crosses their centres.

    sigma, n : the surface is of n x n positions to ``sigma`` standard deviations on each side
    engine : compiles the likelihood, by default in this process
    """

    source: str
    sigma: float = 3.0
    n: int = 15
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> Localization:
        """Around ``models``, which stay as they are. Raises `UsageError` for a source without a position of its own,
        and what a fit raises."""
        position = position_of(models, self.source)
        start = models.with_parameters({address: {"frozen": False} for address in position.addresses})
        fit = Fit(datasets, Conventions.EXACT, self.engine).run(start)
        names = tuple(dataset.name for dataset in datasets)
        failed = self.source, position.frame, names, fit.statistic, fit.warnings, fit
        if not fit.success:
            return Localization(*failed, statement=f"the fit failed: {fit.message}")
        known, matrix = fit.covariance or ((), np.zeros((0, 0)))
        if not set(position.addresses) <= set(known):
            return Localization(*failed, statement="the position has no error")
        at = np.array([known.index(address) for address in position.addresses])
        here = position_of(fit.models, self.source)
        covariance = matrix[at[:, None], at] * np.outer(position.factors, position.factors)
        ellipse = Ellipse.of(covariance, here.lat)
        levels = [NormalDist().inv_cdf(0.5 * (1.0 + share)) for share in SHARES]
        surface = ProfileEstimator(
            parameters=position.addresses,
            sigma=self.sigma,
            n=self.n,
            levels=levels,
            conventions=Conventions.EXACT,
            engine=self.engine,
        ).run(datasets, fit.models, progress)
        deviations = {
            share: _deviation(surface, level, share, covariance, here.lon, here.lat, position.factors)
            for share, level in zip(SHARES, levels, strict=True)
        }
        is_parabolic, statement = _verdict(deviations)
        return Localization(
            source=self.source,
            frame=position.frame,
            datasets=names,
            statistic=fit.statistic,
            warnings=fit.warnings,
            fit=fit,
            lon=here.lon,
            lat=here.lat,
            covariance=covariance,
            ellipse=ellipse,
            moved=float(separation(position.lon, position.lat, here.lon, here.lat)),
            surface=surface,
            deviations=deviations,
            is_parabolic=is_parabolic,
            statement=statement,
        )


def _deviation(
    surface: LikelihoodProfile,
    level: float,
    share: float,
    covariance: Array,
    lon: float,
    lat: float,
    factors: tuple[float, float],
) -> float | None:
    """How far the contour is from the ellipse, relative to the radius; None where it is not whole."""
    contour = surface.contours.get(level)
    if contour is None or contour.reason or not len(contour.points):
        return None
    offset = contour.points * np.array(factors) - np.array([lon, lat])
    squares = np.einsum("ij,jk,ik->i", offset, np.linalg.inv(covariance), offset)
    return float(np.abs(np.sqrt(squares / (-2.0 * log(1.0 - share))) - 1.0).max())


def _verdict(deviations: dict[float, float | None]) -> tuple[bool, str]:
    """Whether the ellipse describes the surface, and in words."""
    for share, deviation in deviations.items():
        if deviation is None:
            return False, f"the contour of {share:.0%} is not whole: the ellipse does not describe the surface"
        if deviation > _BENT:
            words = f"the contour of {share:.0%} is up to {deviation:.0%} off the ellipse, which does not describe it"
            return False, f"{words}: use the contours"
    largest = max(deviation or 0.0 for deviation in deviations.values())
    return True, f"the ellipse describes the surface to {largest:.0%} of its radius"
