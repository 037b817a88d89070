"""Energy dispersion where all reconstructed energies are multiplied by one scale, smooth in the scale."""

from __future__ import annotations

from typing import final

import numpy as np

from gm.arrays import Array, IntArray

FLOOR = 1e-6  # of a row: what is in the tails beyond the bins that hold any of it


@final
class ScaledDispersion:
    """The matrix ``R_s`` (n_energy_true, n_energy) that a ``matrix`` R becomes when energies are ``s`` times as large.

    A row is known by its cumulative distribution C at the ``edges`` (n_energy + 1,) [TeV]. With ``P = floor + (1 - 2
    floor) C`` and z(x) the monotone cubic through ``z_k = probit(P_k)`` at ``x_k = ln e_k``, whose slopes are weighted
    harmonic means (Fritsch and Butland 1984), and which goes on as straight lines,

        R_s[i, k] = total_i (C_i(x_(k+1) - ln s) - C_i(x_k - ln s)),   C_i(x) = (Phi(z_i(x)) - floor) / (1 - 2 floor).

    This is exact for a resolution that is Gaussian in ln E, and never negative. ``R_1`` are the stored numbers
    themselves. ``floor`` is 1e-6: a row that lies in one bin is taken as a peak in its middle, since nothing more is
    known of it. What a row lacks of 1 lies beyond the axis, on either side as the first and last bins have it.
    """

    def __init__(self, matrix: Array, edges: Array) -> None:
        from scipy.special import ndtri

        self._matrix, self._x = np.asarray(matrix, dtype=np.float64), np.log(edges)
        content = self._matrix.sum(axis=1)
        ends = self._matrix[:, [0, -1]]
        at_ends = ends.sum(axis=1)
        missing = np.where((at_ends > 0) & (content > 0), np.maximum(1.0 - content, 0.0), 0.0)
        below = missing * np.divide(ends[:, 0], at_ends, out=np.zeros_like(at_ends), where=at_ends > 0)
        self._total = content + missing
        cumulative = np.concatenate([np.zeros((len(content), 1)), np.cumsum(self._matrix, axis=1)], axis=1)
        total = np.where(self._total > 0, self._total, 1.0)[:, None]
        share = np.clip((below[:, None] + cumulative) / total, 0.0, 1.0)
        self._z = ndtri(FLOOR + (1.0 - 2.0 * FLOOR) * share)
        self._slope = _monotone_slopes(self._x, self._z)

    def in_one_bin(self) -> IntArray:
        """(n,) the true energies that are reconstructed in one bin, so that nothing is known of their resolution."""
        largest, content = self._matrix.max(axis=1, initial=0.0), self._matrix.sum(axis=1)
        return np.flatnonzero((content > 0) & (largest >= (1.0 - FLOOR) * content))

    def n_unresolved(self) -> int:
        """How many of them lie in another bin than the first and the last, which the axis may cut."""
        return int(np.count_nonzero(self._matrix[self.in_one_bin()][:, 1:-1].any(axis=1)))

    @property
    def is_resolved(self) -> bool:
        """Whether the resolution of any true energy is known."""
        return bool(self.in_one_bin().size < np.count_nonzero(self._matrix.any(axis=1)))

    def at(self, scale: float) -> tuple[Array, Array]:
        """``R_s`` and its derivative by s, (n_energy_true, n_energy) each; NaN unless the scale is above 0."""
        from scipy.special import ndtr

        if not scale > 0:
            return np.full_like(self._matrix, np.nan), np.full_like(self._matrix, np.nan)
        z, slope = self._between(self._x - np.log(scale))
        norm = self._total[:, None] / (1.0 - 2.0 * FLOOR)
        density = norm * slope * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
        matrix = self._matrix if scale == 1.0 else norm * np.maximum(np.diff(ndtr(z), axis=1), 0.0)
        return matrix, np.diff(density, axis=1) * (-1.0 / scale)

    def _between(self, x: Array) -> tuple[Array, Array]:
        """z and its derivative at x (n,), (n_energy_true, n) each."""
        nodes = self._x
        k = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, nodes.size - 2)
        step = nodes[k + 1] - nodes[k]
        t = np.clip((x - nodes[k]) / step, 0.0, 1.0)
        low, high, left, right = self._z[:, k], self._z[:, k + 1], self._slope[:, k], self._slope[:, k + 1]
        rise = (high - low) / step
        value = low + step * t * (left + t * (3.0 * rise - 2.0 * left - right + t * (left + right - 2.0 * rise)))
        slope = left + t * (2.0 * (3.0 * rise - 2.0 * left - right) + 3.0 * t * (left + right - 2.0 * rise))
        beyond = np.minimum(x - nodes[0], 0.0) + np.maximum(x - nodes[-1], 0.0)
        return value + slope * beyond, slope


def _monotone_slopes(x: Array, z: Array) -> Array:
    """Slopes at nodes x (n,) of monotone cubics through the rows of z (n_rows, n); at the ends those of the chords."""
    step = np.diff(x)
    chord = np.diff(z, axis=1) / step
    slopes = np.zeros_like(z)
    slopes[:, 0], slopes[:, -1] = chord[:, 0], chord[:, -1]
    before, after = chord[:, :-1], chord[:, 1:]
    left, right = 2.0 * step[1:] + step[:-1], step[1:] + 2.0 * step[:-1]
    rises = (before > 0) & (after > 0)
    safe_before, safe_after = np.where(rises, before, 1.0), np.where(rises, after, 1.0)
    slopes[:, 1:-1] = np.where(rises, (left + right) / (left / safe_before + right / safe_after), 0.0)
    return slopes
