"""How parameters move together around a minimum where the statistic is a parabola, and where its profile rises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np

from gm.arrays import Array
from gm.fit.profile import Profile
from gm.fit.rays import Rays
from gm.matrices import Covariance


@dataclass(frozen=True)
class Interval:
    """Signed distances to both ends, in the parameter's unit; None where there is no end, and then why."""

    lower: float | None
    upper: float | None
    why_no_lower: str = ""
    why_no_upper: str = ""

    def scaled(self, scale: float) -> Interval:
        """That of a parameter which is ``scale`` times this one, and an offset."""
        lower, upper = (None if end is None else scale * end for end in (self.lower, self.upper))
        if scale < 0:
            return Interval(upper, lower, self.why_no_upper, self.why_no_lower)
        return Interval(lower, upper, self.why_no_lower, self.why_no_upper)

    @property
    def reason(self) -> str:
        """Why an end is missing; empty when both are there."""
        if self.why_no_lower == self.why_no_upper:
            return self.why_no_lower
        sides = (("lower", self.why_no_lower), ("upper", self.why_no_upper))
        return "; ".join(f"{side}: {why}" for side, why in sides if why)


class Ellipsoid:
    """The covariance around the minimum of a profile, and the ends of the profile that it leads to.

    covariance : (n_free, n_free), zeros for parameters without an error, None where nothing has one
    sizes : (n_free,) how far those without an error may go
    """

    def __init__(self, profile: Profile, covariance: Covariance | None, sizes: Array) -> None:
        self._profile, self._covariance = profile, covariance
        known = np.zeros_like(sizes) if covariance is None else covariance.diagonal()
        with np.errstate(over="ignore"):
            self._variance = np.where(known > 0, known, sizes**2)

    def sigma(self, k: int) -> float:
        """The error of a parameter, or how far it may go."""
        return float(np.sqrt(self._variance[k]))

    def direction(self, chosen: Sequence[int], move: Array) -> Array:
        """How all parameters move when some move by ``move`` and the statistic is a parabola, (n_free,)."""
        places, direction = np.array(chosen), np.zeros(self._variance.size)
        if self._covariance is not None:
            direction += self._covariance[:, places] @ np.linalg.solve(self._among(chosen), move)
        direction[places] = move
        return direction

    def rise(self, chosen: Sequence[int], move: Array) -> float:
        """By how much a parabola rises, minimised over all else, where some parameters move by ``move``."""
        return float(move @ np.linalg.solve(self._among(chosen), move))

    def interval(self, k: int, rise: float) -> Interval:
        """Where the statistic, minimised over all else, has risen by ``rise`` on both sides. Raises `LowerMinimum`."""
        sigma = self.sigma(k)
        lower, upper = (self._profile.end([k], self.direction([k], np.array([side * sigma])), rise) for side in (-1, 1))
        return Interval(
            None if lower.reason else -sigma * lower.distance,
            None if upper.reason else sigma * upper.distance,
            lower.reason,
            upper.reason,
        )

    def rays(self, chosen: Sequence[int], rises: Sequence[float]) -> list[tuple[float, Array, str]]:
        """Each rise, increasing, with points (n_points, 2) of two parameters on rays from the minimum, and what is
        missing. Raises `LowerMinimum`."""
        root = np.linalg.cholesky(self._among(chosen))

        def towards(angle: float) -> Array:
            return self.direction(chosen, root @ [cos(angle), sin(angle)])

        return Rays(self._profile, chosen, towards, rises).contours()

    def _among(self, chosen: Sequence[int]) -> Array:
        """The covariance of some parameters; those at a limit are independent, and of their size."""
        places = np.array(chosen)
        matrix = np.zeros((places.size, places.size))
        if self._covariance is not None:
            matrix += self._covariance[places[:, None], places]
        np.fill_diagonal(matrix, self._variance[places])
        return matrix
