"""The norm of a source at every pixel where off counts measure the background: W in each bin, for many pixels at once.

-2 ln L of a norm is convex, as the joint one of signal and backgrounds is, and has no lowest norm: where a source takes
counts away, the background makes up for them. So the norm is the root of the derivative, by Newton's method between two
norms on both sides of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.sky.norms import QUANTITIES, NormSettings
from gm.estimators.sky.pairs import Pairs, Windows
from gm.estimators.sky.planes import Plane
from gm.estimators.sky.rises import distances, mirrored
from gm.parallel import side_by_side
from gm.statistics import WStat

_AT_A_TIME = 1 << 17  # pairs, which stay in the cache
_CLOSE = 1e-7  # of an error, or of the distance between both norms
_STEPS = 80


@final
@dataclass(frozen=True, eq=False)
class MeasuredPlane:
    """One image of on and off counts, and what a source of norm 1 at any pixel predicts there, as in a `Plane`.

    counts, counts_off, alpha, signal : (n_y, n_x), the last that of the sources of the model
    """

    counts: Array
    counts_off: Array
    alpha: Array
    signal: Array
    exposed: Array
    kernel: Array
    sent: Array | None = None

    @property
    def enters(self) -> BoolArray:
        """(n_y, n_x): pixels at which a source is fitted."""
        return self.exposed > 0

    def cut(self, y: slice, x: slice) -> MeasuredPlane:
        """Some rows and columns."""
        parts = {name: getattr(self, name)[y, x] for name in ("counts", "counts_off", "alpha", "signal", "exposed")}
        return replace(self, **parts, sent=None if self.sent is None else self.sent[y, x])

    def numbered(self, first: int) -> Plane:
        """A plane with a number, from ``first`` on, for the counts of each bin that enters, and a background of 1: the
        norm at which nothing is predicted is the inverse of what is predicted at norm 1."""
        numbers = np.where(self.exposed > 0, np.arange(first, first + self.exposed.size).reshape(self.exposed.shape), 0)
        return Plane(numbers.astype(float), np.ones(self.exposed.shape), self.exposed, self.kernel, self.sent)


def fit_measured_norms(planes: Sequence[MeasuredPlane], pixels: IntArray, settings: NormSettings) -> dict[str, Array]:
    """`QUANTITIES` at pixels (n,) of the flat image, each (n,); NaN for a number that does not exist."""
    size = planes[0].exposed.size
    windows = Windows([plane.numbered(1 + k * size) for k, plane in enumerate(planes)], planes[0].exposed.shape)
    every = np.stack(
        [
            np.concatenate([getattr(plane, name).ravel() for plane in planes])
            for name in ("counts", "counts_off", "alpha", "signal")
        ]
    )
    n_pairs = np.cumsum(windows.n_pairs(pixels))
    edges = np.searchsorted(n_pairs, np.arange(0, n_pairs[-1] + _AT_A_TIME, _AT_A_TIME))
    edges = np.unique(np.append(edges, pixels.size))

    def fit(chunk: slice) -> dict[str, Array]:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return _Chunk(windows.pairs(pixels[chunk]), every, settings).fit()

    found = side_by_side(fit, [slice(low, high) for low, high in pairwise(edges.tolist())])
    return {name: np.concatenate([part[name] for part in found]) for name in QUANTITIES}


@final
class _Chunk:
    """Some pixels; ``every`` : (4, n_bins) on and off counts, alpha and signal of all bins."""

    def __init__(self, pairs: Pairs, every: Array, settings: NormSettings) -> None:
        on, off, alpha, self.signal = every[:, pairs.counts.astype(np.intp) - 1]
        self.pairs, self.settings, self.source = pairs, settings, 1.0 / pairs.poles
        self.statistic = WStat(on, off, alpha)

    def value_and_slope(self, norms: Array) -> tuple[Array, Array]:
        """-2 ln L and its derivative, (n,) each."""
        value, slope = self.statistic.value_and_derivative(self._predicted(norms))
        return self.pairs.sums(value), self.pairs.sums(self.source * slope)

    def curvature(self, norms: Array, *, expected: bool = False) -> Array:
        """The second derivative, or what it is expected to be, (n,)."""
        curvature = self.statistic.expected_curvature if expected else self.statistic.curvature
        return self.pairs.sums(self.source**2 * curvature(self._predicted(norms)))

    def _predicted(self, norms: Array) -> Array:
        return np.asarray(self.signal + self.pairs.at(norms) * self.source)

    def fit(self) -> dict[str, Array]:
        """`QUANTITIES`."""
        settings, zero = self.settings, np.zeros(self.pairs.n)
        is_seen = self.pairs.sums(self.source) > 0
        at_zero, slope = self.value_and_slope(zero)
        width = 1.0 / np.sqrt(0.5 * self.curvature(zero, expected=True))
        guess = -0.5 * slope * width**2
        is_kept = np.zeros(self.pairs.n, dtype=np.bool_)
        if settings.threshold is not None:
            ts = at_zero - self.value_and_slope(guess)[0]  # which is low, too, where the guess goes too far
            is_kept = np.maximum(ts, (guess / width) ** 2) <= settings.threshold
        root, niter = self._root(guess, width)
        norm = np.where(is_kept, guess, root)
        second = 0.5 * self.curvature(norm)
        found = {
            "norm": norm,
            "norm_err": np.where(second > 0, settings.sigma / np.sqrt(second), np.nan),
            "ts": at_zero - self.value_and_slope(norm)[0],
            "niter": np.where(is_kept, 0.0, niter),
            **dict.fromkeys(("norm_errn", "norm_errp", "norm_ul"), np.full(norm.size, np.nan)),
        }
        if settings.intervals:
            found |= self._intervals(norm, np.where(second > 0, 1.0 / np.sqrt(second), width))
        return {name: np.where(is_seen, values, np.nan) for name, values in found.items()}

    def _root(self, guess: Array, width: Array) -> tuple[Array, Array]:
        """Where the derivative is 0, and the steps that it took."""
        low, high = self._around(guess, width, -1.0), self._around(guess, width, 1.0)
        norm, niter = np.clip(guess, low, high), np.zeros(guess.size)
        for _ in range(_STEPS):
            _, slope = self.value_and_slope(norm)
            low, high = np.where(slope <= 0, norm, low), np.where(slope >= 0, norm, high)
            further = norm - slope / self.curvature(norm)
            further = np.where((further >= low) & (further <= high), further, 0.5 * (low + high))
            moves = np.abs(further - norm) > _CLOSE * width
            niter += moves
            norm = further
            if not moves.any():
                break
        return norm, niter

    def _around(self, guess: Array, width: Array, side: float) -> Array:
        """A norm on one side of the root."""
        step, norm = width.copy(), guess + side * width
        for _ in range(_STEPS):
            is_short = side * self.value_and_slope(norm)[1] < 0
            if not is_short.any():
                break
            step = np.where(is_short, 2.0 * step, step)
            norm = np.where(is_short, norm + side * step, norm)
        return norm

    def _intervals(self, norm: Array, width: Array) -> dict[str, Array]:
        """Errors to both sides and the limit: where -2 ln L has risen."""
        least, settings = self.value_and_slope(norm)[0], self.settings

        def rise(away: Array) -> tuple[Array, Array]:
            value, slope = self.value_and_slope(norm + away)
            return value - least, slope

        errp = distances(rise, settings.sigma, settings.sigma * width)
        limit = errp
        if settings.sigma_ul != settings.sigma:
            limit = distances(rise, settings.sigma_ul, settings.sigma_ul * width)
        errn = distances(mirrored(rise), settings.sigma, settings.sigma * width)
        return {"norm_errp": errp, "norm_errn": errn, "norm_ul": norm + limit}
