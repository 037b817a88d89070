"""Likelihood profiles of flux points: scans of a log-likelihood, whatever their sign and their zero."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array, BoolArray

_ABOVE = 1e-3  # of -2 ln L: what a fit may stop above the best value of its scan


def rises(norm: Array, scan: Array) -> Array:
    """How far ln L, or -ln L, is from its own best value along each row, ``(n, n_norm)``, never below 0.

    norm, scan : (n, n_norm). Scans bend down (ln L, as gamma-astro-data-formats and fermipy have it) or up; one table
    has them all alike.
    """
    good = usable(norm, scan)
    slopes = np.diff(scan[good], axis=1) / np.diff(norm[good], axis=1)
    upwards = -scan if np.sum(np.sign(slopes[:, -1:] - slopes[:, :1])) < 0 else scan
    return upwards - _minima(norm, upwards)[:, None]


def baselines(norm: Array, stat_scan: Array, stat: Array | None) -> Array:
    """The statistic at the minimum of each row, ``(n,)``: ``stat`` where the scan can belong to it, else its own.

    A scan belongs to ``stat`` when its smallest value is not below, and not further above than its neighbours are.
    """
    minima = _minima(norm, stat_scan)
    if stat is None:
        return minima
    at = np.argmin(np.where(np.isnan(stat_scan), np.inf, stat_scan), axis=1)
    rows, last = np.arange(len(stat)), stat_scan.shape[1] - 1
    lowest = stat_scan[rows, at]
    sides = stat_scan[rows, np.clip(at - 1, 0, last)], stat_scan[rows, np.clip(at + 1, 0, last)]
    belongs = (stat <= lowest + _ABOVE) & (stat >= lowest - (np.maximum(*sides) - lowest))
    return np.where(belongs, stat, minima)


def usable(norm: Array, scan: Array) -> BoolArray:
    """Rows (n_rows,) with three values or more, all finite, at norms that increase; norm, scan : (n_rows, n)."""
    finite = np.isfinite(norm).all(axis=1) & np.isfinite(scan).all(axis=1)
    return np.asarray(finite & (np.diff(norm, axis=1) > 0).all(axis=1) & (norm.shape[1] > 2))


def _minima(norm: Array, scan: Array) -> Array:
    """The lowest value of each row, ``(n,)``: that of the parabola through the three lowest, where it lies between."""
    found: Array = scan.min(axis=1)
    rows = np.flatnonzero(usable(norm, scan))
    at = np.clip(np.argmin(scan[rows], axis=1), 1, max(scan.shape[1] - 2, 1))
    (x0, x1, x2), (y0, y1, y2) = ([values[rows, at + k] for k in (-1, 0, 1)] for values in (norm, scan))
    before, after = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    bend = (after - before) / (x2 - x0)
    slope = before + bend * (x1 - x0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        place, value = x1 - 0.5 * slope / bend, y1 - 0.25 * slope**2 / bend
    found[rows] = np.where((bend > 0) & (x0 <= place) & (place <= x2), value, found[rows])
    return found
