"""Where a source is: its best position, the ellipse of its errors, and the statistic around it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import atan2, cos, degrees, log, radians, sqrt
from statistics import NormalDist
from typing import final

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.estimators.profiles import LikelihoodProfile, ProfileEstimator
from gm.estimators.sky.sources import position_of
from gm.fit import Fit, FitResult
from gm.likelihood import Engine
from gm.maps.sphere import separation
from gm.models import Models
from gm.values import read_only

Progress = Callable[[str, float], None]
SHARES = (0.68, 0.95, 0.99)
"""Of positions that an ellipse or radius holds."""
_BENT = 0.15  # of a radius, by which a contour may be off its ellipse


@final
@dataclass(frozen=True)
class Ellipse:
    """Of standard deviations: half axes [deg], and the direction of the longer from north (+lat) to east (+lon) [deg].

    A share ``p`` of positions is inside of ``sqrt(-2 ln(1 - p))`` times its axes, where -2 ln L is a parabola.
    """

    major: float
    minor: float
    angle: float

    @classmethod
    def of(cls, covariance: Array, lat: float) -> Ellipse:
        """covariance : (2, 2) of longitude and latitude [deg^2] at a latitude [deg]."""
        to_sky = np.array([cos(radians(lat)), 1.0])
        values, axes = np.linalg.eigh(covariance * np.outer(to_sky, to_sky))
        east, north = axes[:, 1].tolist()
        return cls(sqrt(max(values[1], 0.0)), sqrt(max(values[0], 0.0)), degrees(atan2(east, north)) % 180.0)

    def radius(self, share: float) -> float:
        """Of a circle as large as the ellipse that holds a share [deg]."""
        return sqrt(-2.0 * log(1.0 - share) * self.major * self.minor)


@final
@dataclass(frozen=True, eq=False)
class Localization:
    """The position of a source.

    lon, lat : [deg] in ``frame``, None where the fit failed; covariance : (2, 2) [deg^2]; moved : distance [deg] from
    where the model had it; fit : with everything that is free, the position too; surface : -2 ln L over (lon, lat);
    deviations : by share, the largest relative difference in radius of the contour from the ellipse, None where the
    contour is not whole; is_parabolic : whether the ellipse describes the surface, and ``statement`` in words
    """

    source: str
    frame: str
    fit: FitResult
    lon: float | None = None
    lat: float | None = None
    covariance: Array | None = None
    ellipse: Ellipse | None = None
    moved: float | None = None
    surface: LikelihoodProfile | None = None
    deviations: dict[float, float | None] = field(default_factory=dict)
    is_parabolic: bool = False
    statement: str = ""


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
        if not fit.success:
            return Localization(self.source, position.frame, fit, statement=f"the fit failed: {fit.message}")
        known, matrix = fit.covariance or ((), np.zeros((0, 0)))
        if not set(position.addresses) <= set(known):
            return Localization(self.source, position.frame, fit, statement="the position has no error")
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
