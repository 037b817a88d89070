"""Contours on rays from a minimum, and what these do not see: parts of a region behind a bend, or apart from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import atan2, cos, hypot, pi

import numpy as np

from gm.arrays import Array
from gm.fit.profile import End, Profile

_RAYS = 40
_JUMP = 1.5  # ratio of the distances on neighbouring rays, between which there may be a bend
_HALVINGS = 5  # of the angle between them
_PROBES = 8  # rays along which a region may go on beyond its contour
_BEYOND = 1.5, 2.0, 3.0  # times as far as the last one
_BEND = "what lies behind a bend is missing"
_APART = "the statistic falls below it again beyond: another part is missing"


@dataclass(frozen=True, eq=False)
class _Ray:
    """An angle [rad] in units of the errors, the direction (n_free,) of a standard deviation, and how far it is to each
    rise: an end for each, as far as there is one, and one that is missing."""

    angle: float
    direction: Array
    ends: tuple[End, ...]

    def distance(self, k: int) -> float | None:
        """How far the k-th contour is, in standard deviations."""
        return None if k >= len(self.ends) or self.ends[k].reason else self.ends[k].distance

    def jumps(self, other: _Ray, k: int) -> bool:
        """Whether the k-th contour is much farther on one than on the other."""
        here, there = self.distance(k), other.distance(k)
        return here is not None and there is not None and max(here, there) > _JUMP * min(here, there)


class Rays:
    """Rays from the minimum of a ``profile`` over two ``chosen`` parameters, to where it has risen by ``rises``, which
    increase.

    towards : from an angle [rad] to the direction (n_free,) of a standard deviation
    """

    def __init__(
        self, profile: Profile, chosen: Sequence[int], towards: Callable[[float], Array], rises: Sequence[float]
    ) -> None:
        self._profile, self._chosen, self._towards, self._rises = profile, list(chosen), towards, rises

    def contours(self) -> list[tuple[float, Array, str]]:
        """Each rise with points (n_points, 2), and why some are missing. Raises `LowerMinimum`."""
        rays = [self._along(2 * pi * k / _RAYS) for k in range(_RAYS)]
        beyond = list(self._beyond(rays[:: _RAYS // _PROBES]))
        rays += [ray for pair in pairwise([*rays, rays[0]]) for ray in self._between(*pair, _HALVINGS)]
        rays.sort(key=lambda ray: ray.angle)
        return [
            (rise, self._points(rays, k), "; ".join(_missing(rays, k, any(k in found for found in beyond))))
            for k, rise in enumerate(self._rises)
        ]

    def _along(self, angle: float) -> _Ray:
        direction, ends = self._towards(angle), list[End]()
        for rise in self._rises:
            ends.append(self._profile.end(self._chosen, direction, rise, ends[-1] if ends else None))
            if ends[-1].reason:
                break
        return _Ray(angle, direction, tuple(ends))

    def _between(self, first: _Ray, second: _Ray, n_halvings: int) -> Iterator[_Ray]:
        """More rays where a contour jumps from one to the next."""
        if n_halvings and any(first.jumps(second, k) for k in range(len(self._rises))):
            middle = self._along(first.angle + 0.5 * ((second.angle - first.angle) % (2 * pi)))
            yield middle
            yield from self._between(first, middle, n_halvings - 1)
            yield from self._between(middle, second, n_halvings - 1)

    def _points(self, rays: Sequence[_Ray], k: int) -> Array:
        ends = [(ray.direction, distance) for ray in rays if (distance := ray.distance(k)) is not None]
        points = [(self._profile.vector + distance * direction)[self._chosen] for direction, distance in ends]
        return np.array(points).reshape(-1, 2)

    def _beyond(self, rays: Sequence[_Ray]) -> Iterator[list[int]]:
        """For places between and beyond contours, which of these they lie beyond though the profile is lower: on some
        rays, and where the statistic leads from places at which it falls again."""
        for ray in rays:
            known = [end.distance for end in ray.ends if not end.reason]
            between = [0.5 * (one + other) for one, other in pairwise(known)]
            before = np.inf
            for distance in (*between, *(factor * known[-1] for factor in _BEYOND if known)):
                there = self._profile.vector + distance * ray.direction
                found = self._profile.at(self._chosen, there[self._chosen], [there, self._profile.vector])
                rise = np.inf if found.reason else found.value - self._profile.least
                yield [k for k, far in enumerate(known) if far < distance and rise < self._rises[k]]
                if rise < before < np.inf and not found.reason:
                    yield self._at_the_end_of(found.vector, rays)
                before = rise

    def _at_the_end_of(self, start: Array, rays: Sequence[_Ray]) -> list[int]:
        """Beyond which contours, as they are on the nearest of the ``rays``, a lower minimum lies where a way leads to
        from a vector (n_free,)."""
        value, vector = self._profile.minimum_from(start)
        axes = np.stack([self._towards(angle)[self._chosen] for angle in (0.0, 0.5 * pi)], axis=1)
        x, y = np.linalg.solve(axes, (vector - self._profile.vector)[self._chosen])
        nearest = min(rays, key=lambda ray: -cos(ray.angle - atan2(y, x)))
        ends = ((k, end.distance) for k, end in enumerate(nearest.ends) if not end.reason)
        rise = value - self._profile.least
        return [k for k, distance in ends if distance < hypot(x, y) and rise < self._rises[k]]


def _missing(rays: Sequence[_Ray], k: int, is_apart: bool) -> Iterator[str]:
    """What is missing of the k-th contour, and why."""
    why = [ray.ends[-1].reason for ray in rays if ray.distance(k) is None]
    if why:
        yield f"{len(why)} of {len(rays)} points are missing: {why[0]}"
    if any(first.jumps(second, k) for first, second in pairwise([*rays, rays[0]])):
        yield _BEND
    elif is_apart:
        yield _APART
