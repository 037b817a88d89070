"""Integrals of spectra over energy bins by the log-log trapezoidal rule, and their exact derivatives.

Between two nodes a spectrum is taken for a power law, which is a straight line in log-log. With ``g = E f(E)`` and
``u = ln E`` the integral over a segment is its width in ``u`` times the logarithmic mean of ``g`` at the two ends::

    I = L M(g0, g1),   L = ln(E1 / E0),   M(g0, g1) = (g1 - g0) / ln(g1 / g0) = g0 expm1(d) / d,   d = ln(g1 / g0)
    dM/dg0 = (expm1(d) / d - 1) / d,      dM/dg1 = the same at -d

which is exact for a power law, whatever the index. Several axes are integrated together, in one call of the model.
Node counts as in Gammapy 2.1, ``gammapy.modeling.models.spectral.integrate_spectrum``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import accumulate
from math import isfinite

import numpy as np

from gm.arrays import Array, BoolArray
from gm.conventions import Conventions
from gm.models.spectral.gauss_rule import WIDEST, GaussRule
from gm.models.spectral.log_parabola_segments import LogParabolaSegments
from gm.models.spectral.power_law_bins import PowerLawBins

NODES_PER_DECADE = 100
_TINY = 1e-300
_SERIES = 1e-3
_KEPT = 8  # rules for kinks
_STEEP = 5.0  # natural logarithm of the fall over a part of a bin that six nodes integrate to 2e-8
_CUTS = 8  # parts after which nothing is left
_STEP = 1e-4  # of an energy
_SHARP = 0.8  # exponent of a cut-off times the width of a part in ln E
_GROWING = np.exp(np.arange(-5.0, 4.5))  # X of a cut-off exp(-X): before it is next to nothing, and after
LEAST_FALL = _STEEP / WIDEST - 2.0  # slope of a cut-off, without the power law before it, that may be too steep
_NONE = np.empty(0)


class LogLogRule:
    """Nodes of some energy axes, and the rule that turns values at the nodes into integrals over the bins.

    nodes : (n_nodes,) [TeV]; the axes' nodes one after the other, neighbouring bins sharing the node between them
    """

    def __init__(self, axes: list[Array], n_nodes: list[int]) -> None:
        nodes, widths, starts = [], [], []
        offset = 0
        for edges, n in zip(axes, n_nodes, strict=True):
            steps = np.arange(n - 1) / (n - 1)
            ratio = np.log(edges[1:] / edges[:-1])
            nodes.append(np.append(edges[:-1, None] * np.exp(ratio[:, None] * steps), edges[-1]))
            # The segment that joins one axis to the next has no width.
            widths.append(np.append(np.repeat(ratio / (n - 1), n - 1), 0.0))
            starts.append(offset + np.arange(len(edges) - 1) * (n - 1))
            offset += len(nodes[-1])
        self.nodes: Array = np.concatenate(nodes)
        self._widths: Array = np.concatenate(widths)[:-1]
        self._starts = np.concatenate(starts)
        self._moments = self._widths * self.nodes[:-1], self._widths * self.nodes[1:]

    def integrate(self, y: Array) -> Array:
        """Integrals over the bins, (n_bins,), of a function with values ``y`` (n_nodes,) at the nodes.

        A segment with a zero end contributes 0, as in Gammapy; one where the sign changes is a trapezoid in ln E. What
        is not finite stays no number.
        """
        with np.errstate(all="ignore"):
            g0, g1, ratio, d = self._segments(y)
            mean = g0 * (np.expm1(d) / d)
            if not _all_usable(d):
                mean = np.where(_usable(ratio), mean, np.where(g0 * g1 < 0, (g0 + g1) / 2, _nothing(g0, g1)))
            return np.add.reduceat(mean * self._widths, self._starts)

    def integrate_with_gradient(self, y: Array, d_y: Array) -> tuple[Array, Array]:
        """Integrals (n_bins,), derivatives (n_par, n_bins), from ``y`` (n_nodes,) and ``d_y`` (n_par, n_nodes)."""
        with np.errstate(all="ignore"):
            g0, g1, ratio, d = self._segments(y)
            phi = np.expm1(d) / d
            d0, d1 = (phi - 1) / d, (1 - phi / ratio) / d
            size = np.abs(d)
            if np.fmin.reduce(size) < _SERIES:
                small = size < _SERIES
                d0, d1 = np.where(small, _mean_series(d), d0), np.where(small, _mean_series(-d), d1)
            mean = g0 * phi
            if not _all_usable(d):
                usable, cross = _usable(ratio), g0 * g1 < 0
                mean = np.where(usable, mean, np.where(cross, (g0 + g1) / 2, _nothing(g0, g1)))
                d0 = np.where(usable, d0, np.where(cross, 0.5, 0.0))
                d1 = np.where(usable, d1, np.where(cross, 0.5, 0.0))
            integral = np.add.reduceat(mean * self._widths, self._starts)
            segments = d_y[:, :-1] * (d0 * self._moments[0])
            segments += d_y[:, 1:] * (d1 * self._moments[1])
            return integral, np.add.reduceat(segments, self._starts, axis=1)

    def _segments(self, y: Array) -> tuple[Array, Array, Array, Array]:
        """``g0``, ``g1``, their ratio and ``d``, each (n_nodes - 1,); where ``d`` is 0 it is made a tiny number."""
        g = self.nodes * y
        g0, g1 = g[:-1], g[1:]
        ratio = g1 / g0
        d = np.log(ratio)
        np.copyto(d, _TINY, where=d == 0)
        return g0, g1, ratio, d


class EnergyBins:
    """The bins of one or several energy axes, one after the other.

    ``EnergyBins(*axes)``: edges of each axis, (n_bins + 1,) [TeV], increasing.

    lo, hi : (n_bins,) [TeV], all axes concatenated
    offsets : (n_axes + 1,) axis k owns the bins ``offsets[k]:offsets[k + 1]``
    fine : rule with about 100 nodes per decade: ``int(max(100 log10(hi / lo), 2))`` per bin, the axis's widest deciding
    coarse : rule with the bin edges as nodes, exact for single power laws
    power_law : the closed form for these
    log_parabola : the segments of ``fine`` for log parabolas; None under ``exact`` conventions

    Rules are made when they are asked for. With ``exact`` conventions ``fine`` is good to 1e-6, see `GaussRule`.
    """

    def __init__(self, *axes: Array, conventions: Conventions = Conventions.GAMMAPY) -> None:
        self._edges = [np.asarray(axis, dtype=np.float64) for axis in axes]
        self.conventions, self._cut = conventions, dict[bytes, GaussRule]()
        self.lo: Array = np.concatenate([axis[:-1] for axis in self._edges])
        self.hi: Array = np.concatenate([axis[1:] for axis in self._edges])
        self.offsets = tuple(accumulate((len(axis) - 1 for axis in self._edges), initial=0))

    @cached_property
    def fine(self) -> GaussRule | LogLogRule:
        if self.conventions.is_exact:
            return GaussRule(self._edges)
        return LogLogRule(self._edges, self._n_nodes())

    def between(self, kinks: Array, cuts: Array = _NONE) -> GaussRule | LogLogRule:
        """The rule ``fine`` for a spectrum with kinks at these energies (n,) [TeV]: with ``exact`` conventions bins are
        cut there, and at ``cuts`` (n,). Those of the last few are kept."""
        if not (self.conventions.is_exact and (kinks.size or cuts.size)):
            return self.fine
        key = kinks.tobytes() + b"," + cuts.tobytes()
        if key not in self._cut:
            if len(self._cut) >= _KEPT:
                self._cut.clear()
            self._cut[key] = GaussRule(self._edges, kinks, cuts)
        return self._cut[key]

    def cuts(self, function: Callable[[Array], Array]) -> Array:
        """Energies (n,) [TeV] above the start of axes from which a function of energy, with a cut-off below, falls too
        steeply for the parts of ``fine``: it falls at least as steeply after that, and is nothing after the last."""
        low, widest = self._starts
        g0, g1 = (at * function(at) for at in (low, low * (1.0 + _STEP)))
        with np.errstate(all="ignore"):
            slope = np.log(g0 / g1) / np.log1p(_STEP)
        steep = slope * widest > _STEEP
        return np.ravel(low[steep] * np.exp(_STEEP / slope[steep] * np.arange(1.0, _CUTS + 1.0)[:, None]))

    def sharp_cuts(self, fall: Callable[[float], float]) -> Array:
        """Energies (n,) [TeV] around a cut-off ``exp(-X)``, ``X = (E / Ec)^alpha``, that is too sharp for the parts of
        ``fine``: from there to there X grows by a factor of e. ``fall`` : of an energy, ``alpha X``"""
        start = self.last_start
        first, next_to_it = fall(start), fall(start * (1.0 + _STEP))
        if not next_to_it > first > 0.0:
            return _NONE
        alpha = np.log(next_to_it / first) / np.log1p(_STEP)
        if alpha * self._starts[1].max() < _SHARP:
            return _NONE
        return np.asarray(start * (_GROWING * alpha / first) ** (1.0 / alpha))

    @cached_property
    def _starts(self) -> tuple[Array, Array]:
        """The first edge of each axis and the widest part of its bins in ln E, (n_axes,)."""
        widest = [float(np.log(axis[1:] / axis[:-1]).max()) for axis in self._edges]
        return np.array([axis[0] for axis in self._edges]), np.minimum(widest, WIDEST)

    @cached_property
    def last_start(self) -> float:
        """Where the axis that starts last does [TeV]."""
        return max(float(axis[0]) for axis in self._edges)

    @cached_property
    def coarse(self) -> LogLogRule:
        return LogLogRule(self._edges, [2] * len(self._edges))

    @cached_property
    def power_law(self) -> PowerLawBins:
        return PowerLawBins(self.lo, self.hi)

    @cached_property
    def log_parabola(self) -> LogParabolaSegments | None:
        return None if self.conventions.is_exact else LogParabolaSegments(self._edges, self._n_nodes())

    def _n_nodes(self) -> list[int]:
        """On each bin of each axis."""
        widest = [np.max(NODES_PER_DECADE * np.log10(axis[1:] / axis[:-1])) for axis in self._edges]
        return [int(max(width, 2)) for width in widest]

    @property
    def n_bins(self) -> int:
        return len(self.lo)

    def split(self, values: Array) -> list[Array]:
        """Views of (..., n_bins) values, one per axis."""
        return [values[..., a:b] for a, b in zip(self.offsets[:-1], self.offsets[1:], strict=True)]


def logarithmic_mean_slope(d: float) -> tuple[float, float]:
    """``phi(d) = expm1(d) / d`` and the logarithmic derivative ``phi'(d) / phi(d)``, for one d, kept within +-600."""
    kept = min(max(float(d), -600.0), 600.0)
    phi = float(np.expm1(kept) / kept) if kept else 1.0
    if kept != d:
        return phi, 0.0
    if abs(d) < _SERIES:
        return phi, (0.5 + d / 3 + d**2 / 8 + d**3 / 30) / phi
    return phi, (1 + 1 / float(np.expm1(d))) - 1 / d


def _mean_series(d: Array) -> Array:
    return 0.5 + d * (1 / 6 + d * (1 / 24 + d * (1 / 120)))


def _all_usable(d: Array) -> bool:
    """Whether all ratios of which these are logarithms are `_usable`: a sum is finite only where all of it is."""
    return isfinite(np.add.reduce(d))


def _usable(ratio: Array) -> BoolArray:
    return (ratio > 0) & (ratio < np.inf)


def _nothing(g0: Array, g1: Array) -> Array:
    """0 between ends that are finite."""
    return np.where(np.isfinite(g0) & np.isfinite(g1), 0.0, np.nan)
