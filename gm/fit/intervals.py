"""Asymmetric errors (MINOS) and contours: where the profiled statistic has risen by so much, or why it does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import cos, erfc, log, pi, sin, sqrt

import numpy as np

from gm.arrays import Array, BoolArray
from gm.fit.profile import End, Profile
from gm.fit.result import Contour
from gm.models import Layout, Models

CONTOUR_RISES = (1.0, 2.295748928898636, 6.180074306244168)  # of -2 ln L: 39.3, 68.3, 95.4 % of two parameters
_RAYS = 40


def contour_rise(sigma: float) -> float:
    """The rise of -2 ln L within which two parameters lie as often as one within ``sigma``: chi2 of two degrees."""
    return -2.0 * log(erfc(sigma / sqrt(2.0)))


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


@dataclass(frozen=True, eq=False)
class Around:
    """What was asked for around a minimum, intervals by address; and what could not be."""

    minos: dict[str, Interval]
    contours: list[Contour]
    warnings: list[str]


class Intervals:
    """Intervals and contours around a minimum, of parameters by address; linked ones have those of what they follow.

    active : (n_free,) which free parameters the profile is a function of
    covariance : (n_active, n_active), zeros for parameters without an error; sizes : (n_active,) how far these may go
    unknown : why there are none, when the fit found no minimum
    """

    def __init__(
        self,
        models: Models,
        layout: Layout,
        active: BoolArray,
        profile: Profile,
        covariance: Array,
        sizes: Array,
        unknown: str = "",
    ) -> None:
        self._models, self._layout, self._active, self._profile = models, layout, active, profile
        self._covariance, self._unknown = covariance, unknown
        with np.errstate(over="ignore"):
            self._variance = np.where(np.diag(covariance) > 0, np.diag(covariance), sizes**2)

    def around(self, minos: Iterable[str], contours: Iterable[Sequence[str]], rises: Sequence[float]) -> Around:
        """Intervals of the parameters ``minos``, and the contours of pairs. Raises `LowerMinimum`."""
        intervals, not_free = self.minos(minos)
        lines, not_both = self.contours(contours, rises)
        return Around(intervals, lines, not_free + not_both)

    def minos(self, patterns: Iterable[str]) -> tuple[dict[str, Interval], list[str]]:
        """Of all free parameters that the patterns mean, by address; and warnings for others that are named.

        The ends are where the statistic, minimised over all else, has risen by 1. Raises `LowerMinimum`.
        """
        asked, addresses = list(patterns), self._models.addresses()
        found: dict[int, Interval] = {}
        intervals, warnings = {}, []
        for k in dict.fromkeys(k for pattern in asked for k in addresses.match(pattern)):
            address, position = addresses.short[k], self._layout.free_position(k)
            if position is not None:
                if position not in found:
                    found[position] = self._interval(position)
                intervals[address] = found[position].scaled(self._layout.line(k)[0])
            elif address in asked:
                warnings.append(f"{address} is not free: no asymmetric errors")
        return intervals, warnings

    def contours(self, pairs: Iterable[Sequence[str]], rises: Sequence[float]) -> tuple[list[Contour], list[str]]:
        """For every pair of addresses and every rise; and warnings for pairs that have none. Raises `LowerMinimum`."""
        contours, warnings = [], []
        for first, second in pairs:
            both = [self._models.addresses().resolve(address) for address in (first, second)]
            x, y = (self._layout.free_position(k) for k in both)
            if x is None or y is None or x == y:
                warnings.append(f"no contour of {first} and {second}: both must be free, and not linked together")
                continue
            scale, offset = np.array([self._layout.line(k) for k in both]).T
            rows = self._rays(x, y, sorted(rises))
            contours += [Contour((first, second), rise, scale * points + offset, why) for rise, points, why in rows]
        return contours, warnings

    def _unknown_of(self, *positions: int) -> str:
        """Why nothing is known of free parameters."""
        if not self._active[list(positions)].all():
            return "no dataset depends on it"
        return self._unknown

    def _interval(self, position: int) -> Interval:
        if why := self._unknown_of(position):
            return Interval(None, None, why, why)
        index = int(np.count_nonzero(self._active[:position]))
        sigma = float(np.sqrt(self._variance[index]))
        lower, upper = (
            self._profile.end([index], self._direction([index], np.array([side * sigma])), 1.0) for side in (-1, 1)
        )
        return Interval(
            None if lower.reason else -sigma * lower.distance,
            None if upper.reason else sigma * upper.distance,
            lower.reason,
            upper.reason,
        )

    def _rays(self, x: int, y: int, rises: Sequence[float]) -> list[tuple[float, Array, str]]:
        """Each rise with points (n_points, 2) on rays from the minimum, and why some rays have none."""
        if why := self._unknown_of(x, y):
            return [(rise, np.empty((0, 2)), why) for rise in rises]
        chosen = [int(np.count_nonzero(self._active[:position])) for position in (x, y)]
        root = np.linalg.cholesky(self._among(chosen))
        points: list[list[Array]] = [[] for _ in rises]
        missing: list[list[str]] = [[] for _ in rises]
        for angle in (2 * pi * ray / _RAYS for ray in range(_RAYS)):
            direction = self._direction(chosen, root @ [cos(angle), sin(angle)])
            end: End | None = None
            for k, rise in enumerate(rises):
                if end is None or not end.reason:
                    end = self._profile.end(chosen, direction, rise, end)
                if end.reason:
                    missing[k].append(end.reason)
                else:
                    points[k].append((self._profile.vector + end.distance * direction)[chosen])
        told = [f"{len(why)} of {_RAYS} points are missing: {why[0]}" if why else "" for why in missing]
        arrays = [np.array(p).reshape(-1, 2) for p in points]
        return list(zip(rises, arrays, told, strict=True))

    def _among(self, chosen: Sequence[int]) -> Array:
        """The covariance of some parameters; those at a limit are independent, and of their size."""
        matrix = self._covariance[np.ix_(chosen, chosen)].copy()
        np.fill_diagonal(matrix, self._variance[list(chosen)])
        return matrix

    def _direction(self, chosen: Sequence[int], move: Array) -> Array:
        """How all parameters move when some move by ``move`` and the statistic is a parabola, (n_active,)."""
        direction = np.asarray(self._covariance[:, list(chosen)] @ np.linalg.solve(self._among(chosen), move))
        direction[list(chosen)] = move
        return direction
