"""Asymmetric errors (MINOS) and contours: where the profiled statistic has risen by so much, or why it does not."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import erfc, inf, log, sqrt

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import UsageError
from gm.fit.ellipsoid import Ellipsoid, Interval
from gm.fit.parts import Contour
from gm.models import Layout, Models

CONTOUR_RISES = (1.0, 2.295748928898636, 6.180074306244168)  # of -2 ln L: 39.3, 68.3, 95.4 % of two parameters


def contour_rise(sigma: float) -> float:
    """The rise of -2 ln L within which two parameters lie as often as one within ``sigma``: chi2 of two degrees.

    Raises `UsageError` where that is no number of standard deviations.
    """
    if not 0 < sigma < inf:
        raise UsageError(f"a contour level is {sigma}, expected a number of standard deviations above 0")
    return -2.0 * log(erfc(sigma / sqrt(2.0)))


@dataclass(frozen=True, eq=False)
class Around:
    """What was asked for around a minimum, intervals by address; and what could not be."""

    minos: dict[str, Interval]
    contours: list[Contour]
    warnings: list[str]


class Intervals:
    """Intervals and contours around a minimum, of parameters by address; linked ones have those of what they follow.

    active : (n_free,) which free parameters the ellipsoid is of
    unknown : why there are none, when the fit found no minimum
    """

    def __init__(
        self,
        models: Models,
        layout: Layout,
        active: BoolArray,
        ellipsoid: Ellipsoid,
        unknown: str = "",
    ) -> None:
        self._models, self._layout, self._active = models, layout, active
        self._ellipsoid, self._unknown = ellipsoid, unknown

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
        return self._ellipsoid.interval(self._index(position), 1.0)

    def _rays(self, x: int, y: int, rises: Sequence[float]) -> list[tuple[float, Array, str]]:
        """Each rise with points (n_points, 2) on rays from the minimum, and why some rays have none."""
        if why := self._unknown_of(x, y):
            return [(rise, np.empty((0, 2)), why) for rise in rises]
        return self._ellipsoid.rays([self._index(x), self._index(y)], rises)

    def _index(self, position: int) -> int:
        """Where a free parameter is among the active ones."""
        return int(np.count_nonzero(self._active[:position]))
