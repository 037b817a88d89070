"""The norm of a source at every pixel: minimum, errors and limits of -2 ln L, for many pixels at once.

With ``c = background / signal`` of each bin with counts ``n`` and ``M``, the signal of norm 1 in all bins that enter,

    -2 ln L = 2 (F M - sum of n ln(F + c)) + constant

which is convex for ``F > -min c``, and the norm is the root of ``S(F) = M`` with ``S = sum of n / (F + c)``. Since
``1 / S`` is concave in ``F``, and a straight line where one bin dominates, few steps of Halley's method on
``1 / S - 1 / M`` come to the root.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.estimators.sky.floor import lowest_norms
from gm.estimators.sky.pairs import Pairs, Windows
from gm.estimators.sky.planes import Plane, seen_from
from gm.estimators.sky.rises import Rise, distances, mirrored
from gm.estimators.sky.series import DOWN, UP, Series, split
from gm.parallel import side_by_side

_AT_A_TIME = 1 << 18  # pairs: fewer take longer to call than to sum up
_CLOSE = 1e-6  # of an error
_NEAR = 0.05  # of an error: the next step is below the cube of that, and the last
_SHORT = 1e-3  # of an error: sums move along by what is known of them, to the square of it
_MOST_MOVE = 0.75  # of the pixels: where fewer move, the others are left behind
_BEYOND = 0.1  # errors that a norm may be away from the first guess
_STEPS = 60
_NOISE = 1e-12  # of the largest sum: what a Fourier transform leaves where there is nothing

QUANTITIES = ("norm", "norm_err", "norm_errn", "norm_errp", "norm_ul", "ts", "niter")


@final
@dataclass(frozen=True)
class NormSettings:
    """``sigma`` of errors, ``sigma_ul`` of limits; ``intervals``: whether asymmetric errors and limits are computed;
    ``threshold`` of the TS of a first guess, up to which it is kept; None: every pixel is fitted."""

    sigma: float = 1.0
    sigma_ul: float = 2.0
    intervals: bool = True
    threshold: float | None = None


def fit_norms(planes: Sequence[Plane], pixels: IntArray, settings: NormSettings) -> dict[str, Array]:
    """`QUANTITIES` at pixels (n,) of the flat image, each (n,); NaN for a number that does not exist.

    A norm is at least the lowest with which nothing negative is predicted in any bin.
    """
    signal = _signal(planes)
    guess, width = _first_guess(planes, signal)
    beyond = (settings.sigma_ul + 1.0 if settings.intervals else _BEYOND) * width
    down, up = np.maximum(beyond - guess, 0.0), np.maximum(beyond + guess, 0.0)
    near, tails, whole = split(planes, np.maximum(up, down * (UP / DOWN)))
    start = np.stack([signal, guess, down, up]).reshape(4, -1)[:, pixels]
    floor = lowest_norms(planes, pixels)
    series = Series.of(tails, pixels)
    within = series.holds(np.minimum(start[2], -floor), start[3])
    found = {name: np.full(pixels.size, np.nan) for name in QUANTITIES}

    def fit(parts: list[list[Plane]], series: Series, chosen: IntArray) -> None:
        if chosen.size:
            windows = [Windows(part, planes[0].shape) for part in parts]
            begin = np.stack([start[0], start[1], floor])[:, chosen]
            for name, values in _fit_all(windows, series, settings, pixels[chosen], begin).items():
                found[name][chosen] = values

    fit([near, whole], series.only(within), np.flatnonzero(within))
    lowest = np.fmin(found["norm"], found["norm"] - found["norm_errn"])
    left = np.flatnonzero(~within | ~series.holds(-lowest, np.fmax(found["norm"], found["norm_ul"])))
    fit([list(planes)], Series.none(left.size), left)
    return found


def _signal(planes: Sequence[Plane]) -> Array:
    """Counts of norm 1 at every pixel in all bins that enter, (n_y, n_x)."""
    total = seen_from(planes, [plane.exposed for plane in planes])
    return np.where(total > _NOISE * total.max(initial=0.0), total, 0.0)


def _first_guess(planes: Sequence[Plane], signal: Array) -> tuple[Array, Array]:
    """The first step from 0, of sums over all pixels at once, and the error there, (n_y, n_x) each."""
    rates = [np.where(np.isfinite(plane.rate), plane.rate, 0.0) for plane in planes]
    first, second = (
        seen_from(planes, [plane.counts * rate**k for plane, rate in zip(planes, rates, strict=True)], k)
        for k in (1, 2)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        step, width = first * (first - signal) / (signal * second), 1.0 / np.sqrt(second)
    return np.nan_to_num(step, posinf=0.0, neginf=0.0), np.nan_to_num(width, posinf=0.0)


def _fit_all(
    windows: Sequence[Windows], series: Series, settings: NormSettings, pixels: IntArray, start: Array
) -> dict[str, Array]:
    """Chunk by chunk, side by side."""
    n_pairs = np.cumsum(len(series.moments) + np.sum([held.n_pairs(pixels) for held in windows], axis=0))
    edges = np.searchsorted(n_pairs, np.arange(0, n_pairs[-1] + _AT_A_TIME, _AT_A_TIME))
    edges = np.unique(np.append(edges, pixels.size))

    def fit(chunk: slice) -> dict[str, Array]:
        sums = _Sums([held.pairs(pixels[chunk]) for held in windows], series.only(chunk), pixels[chunk].size)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            return _Chunk(sums, settings, *start[:, chunk]).fit()

    found = side_by_side(fit, [slice(low, high) for low, high in pairwise(edges.tolist())])
    return {name: np.concatenate([part[name] for part in found]) for name in QUANTITIES}


@final
@dataclass(frozen=True, eq=False)
class _Sums:
    """Sums over the bins with counts in the windows of n pixels: pairs one by one, and the series of the rest."""

    pairs: Sequence[Pairs]
    series: Series
    n: int

    def powers(self, norms: Array, n: int) -> list[Array]:
        """``sum of counts / (norm + c)^k`` for k = 1 ... n, (n_pixels,) each."""
        found = self.series.powers(norms, n)
        for held in self.pairs:
            away = held.at(norms)
            away += held.poles
            values = held.counts / away
            found[0] += held.sums(values)
            for k in range(1, n):
                values /= away
                found[k] += held.sums(values)
        return found

    def logs(self, norms: Array) -> Array:
        """``sum of counts * ln(1 + norm / c)``, (n_pixels,)."""
        total = self.series.logs(norms)
        for held in self.pairs:
            values = held.at(norms)
            values /= held.poles
            values += 1.0
            np.log(values, out=values)
            values *= held.counts
            total += held.sums(values)
        return total

    def pole(self) -> Array:
        """The norm at which nothing is predicted for a count, (n_pixels,)."""
        poles = [-held.lowest(held.poles) for held in self.pairs]
        return np.asarray(np.max(poles, axis=0, initial=-np.inf))

    def only(self, kept: BoolArray) -> _Sums:
        pairs = [held.only(kept) for held in self.pairs]
        return _Sums(pairs, self.series.only(kept), int(np.count_nonzero(kept)))


def _step(signal: Array, first: Array, second: Array, third: Array) -> tuple[Array, Array, Array]:
    """To the root of ``1 / S - 1 / M``, by Halley's method; and S with its first derivative, without its sign."""
    newton = first * (first - signal) / (signal * second)
    bend = newton * (second / first - third / second)  # a step up, along a concave function, is a longer one
    return newton / np.maximum(1.0 + bend, 0.5), first, second


class _Chunk:
    """Some pixels: the signal of norm 1, a first guess, and the lowest norm of each, (n,)."""

    def __init__(self, sums: _Sums, settings: NormSettings, signal: Array, guess: Array, floor: Array) -> None:
        self.sums, self.settings, self.signal = sums, settings, signal
        self.pole, self.guess, self.floor = sums.pole(), guess, floor

    def fit(self) -> dict[str, Array]:
        """`QUANTITIES`."""
        is_seen = self.signal > 0
        root, niter = self._root()
        norm = np.maximum(root, self.floor)
        sums = self.sums.powers(norm, 3)
        move = np.maximum(norm + np.where(root > self.floor, self._last_step(*sums), 0.0), self.floor) - norm
        at_norm = self.sums.logs(norm) + move * (sums[0] - move * (sums[1] / 2.0 - move * sums[2] / 3.0))
        norm, slope = norm + move, sums[0] - move * (sums[1] - move * sums[2])
        second = (
            sums[1] / (1.0 + move * np.where(sums[1] > 0, sums[2] / sums[1], 0.0)) ** 2
        )  # as of bins that are alike
        found = {
            "norm": norm,
            "norm_err": np.where(second > 0, self.settings.sigma / np.sqrt(second), np.nan),
            "ts": np.where(norm == 0, 0.0, 2.0 * (at_norm - norm * self.signal)),
            "niter": niter,
            **dict.fromkeys(("norm_errn", "norm_errp", "norm_ul"), np.full(norm.size, np.nan)),
        }
        if self.settings.intervals:
            found |= self._intervals(norm, at_norm, np.maximum(self.signal - slope, 0.0), second, sums[2])
        return {name: np.where(is_seen, values, np.nan) for name, values in found.items()}

    def _last_step(self, first: Array, second: Array, third: Array) -> Array:
        """From where the search ended to the root: so short that sums and logarithms are known there, too; none where
        the first guess is kept."""
        step = _step(self.signal, first, second, third)[0]
        return np.where(np.abs(step) * np.sqrt(second) < _SHORT, step, 0.0)

    def _root(self) -> tuple[Array, Array]:
        """Where ``S = M``, -inf without counts, and the steps that it took; the guess up to the threshold."""
        norm = np.where(self.guess > self.pole, self.guess, self.pole + _CLOSE / self.signal)
        niter = np.zeros(norm.size)
        at = np.flatnonzero(self.signal > 0)
        if self.settings.threshold is not None:
            norm = np.maximum(norm, self.floor)
            at = at[self._ts(norm)[at] > self.settings.threshold]
        sums = self.sums.only(np.isin(np.arange(norm.size), at)) if at.size < norm.size else self.sums
        moves = np.ones(at.size, dtype=np.bool_)
        for _ in range(_STEPS):
            here, signal, pole = norm[at], self.signal[at], self.pole[at]
            step, first, second = _step(signal, *sums.powers(here, 3))
            step = np.where(here + step > pole, step, 0.5 * (pole - here))
            is_empty = ~(first > 0)
            norm[at] = np.where(is_empty, -np.inf, here + step)
            niter[at] += moves
            moves = ~is_empty & (np.abs(step) > _NEAR / np.sqrt(second)) & sums.series.holds(-norm[at], norm[at])
            if not moves.any():
                break
            if np.count_nonzero(moves) < _MOST_MOVE * moves.size:
                sums, at, moves = sums.only(moves), at[moves], moves[moves]
        return norm, niter

    def _ts(self, norm: Array) -> Array:
        return np.where(norm == 0, 0.0, 2.0 * (self.sums.logs(norm) - norm * self.signal))

    def _intervals(self, norm: Array, at_norm: Array, slope: Array, second: Array, third: Array) -> dict[str, Array]:
        """Errors to both sides and the limit: where -2 ln L has risen; NaN below where it never does.

        at_norm : the logarithms there; slope : of half of it, above 0 at the lowest norm
        """
        sigma, limit = self.settings.sigma, self.settings.sigma_ul
        up = self.sums.series.reach[1] - norm
        skew = np.where(second > 0, third / second / 3.0, 0.0)

        def rise(away: Array) -> tuple[Array, Array]:
            moved = norm + away
            value = away * self.signal - (self.sums.logs(moved) - at_norm)
            return 2.0 * value, 2.0 * (self.signal - self.sums.powers(moved, 1)[0])

        def distance(n_sigma: float) -> Array:
            parabola = n_sigma**2 / (slope + np.sqrt(slope**2 + second * n_sigma**2))
            return distances(rise, n_sigma, parabola * (1.0 + skew * parabola), known=up)

        errp = distance(sigma)
        errn = self._lower(rise, norm, sigma / np.sqrt(second))
        return {"norm_errp": errp, "norm_errn": errn, "norm_ul": norm + (errp if limit == sigma else distance(limit))}

    def _lower(self, rise: Rise, norm: Array, parabola: Array) -> Array:
        """The lower error; NaN where the lowest norm is reached before -2 ln L has risen enough."""
        sigma, room = self.settings.sigma, norm - np.maximum(self.floor, self.pole)
        has_end = (room > 0) & ~(
            rise(-room)[0] <= sigma**2
        )  # at the pole, or beyond it by rounding, there is no number
        start = np.where(has_end, np.minimum(parabola, 0.5 * room), np.nan)
        return distances(mirrored(rise), sigma, start, room, known=self.sums.series.reach[0] + norm)
