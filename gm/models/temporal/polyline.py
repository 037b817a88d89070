"""A function made of straight lines, never below 0, and its exact integral."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array


class Polyline:
    """Straight lines between at least two nodes ``x``, ``y`` (n,), the first and the last continued; negative is 0.

    ends : beyond which it is 0, by default nowhere
    """

    def __init__(self, x: Array, y: Array, ends: tuple[float, float] = (-np.inf, np.inf)) -> None:
        self.ends = ends
        crossing = np.flatnonzero(y[:-1] * y[1:] < 0)
        zeros = x[crossing] - y[crossing] * (x[crossing + 1] - x[crossing]) / (y[crossing + 1] - y[crossing])
        steep = np.array([y[1] - y[0], y[-1] - y[-2]]) / np.array([x[1] - x[0], x[-1] - x[-2]])
        self._x: Array = np.insert(x, crossing + 1, zeros)
        self._y: Array = np.maximum(np.insert(y, crossing + 1, 0.0), 0.0)
        self._slope = np.diff(self._y) / np.diff(self._x)
        self._slope = np.concatenate([[steep[0] if y[0] > 0 else 0.0], self._slope, [steep[1] if y[-1] > 0 else 0.0]])
        steps = 0.5 * (self._y[1:] + self._y[:-1]) * np.diff(self._x)
        self._area = np.concatenate([[0.0], np.cumsum(steps)])
        # Where the lines beyond the ends reach 0.
        low, high = self._slope[0], self._slope[-1]
        self._lo = max(self._x[0] - self._y[0] / low if low > 0 else -np.inf, ends[0])
        self._hi = min(self._x[-1] - self._y[-1] / high if high < 0 else np.inf, ends[1])

    def evaluate(self, x: Array) -> Array:
        """Values."""
        is_inside = (x >= self.ends[0]) & (x <= self.ends[1])
        node, slope, x = self._locate(x)
        return np.where(is_inside, self._y[node] + slope * (x - self._x[node]), 0.0)

    def primitive(self, x: Array) -> Array:
        """Integral from the first node."""
        node, slope, x = self._locate(x)
        step = x - self._x[node]
        return np.asarray(self._area[node] + step * (self._y[node] + 0.5 * slope * step))

    def _locate(self, x: Array) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], Array, Array]:
        """The node to the left (right of the first line), the slope from it, and x kept where the lines are above 0."""
        x = np.clip(x, self._lo, self._hi)
        segment = np.searchsorted(self._x, x, side="right")
        return np.maximum(segment - 1, 0), self._slope[segment], x
