"""The observed Hessian, what it says about errors, and about directions in which the data say nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, BoolArray

_STEP = 0.02  # of one sigma: the cubic term of the statistic changes the derivative by a relative 1e-4 of it
DEGENERATE = 1e-7  # smallest eigenvalue of the Hessian, scaled to a unit diagonal, that still measures something


@dataclass(frozen=True)
class Direction:
    """A combination of free parameters, in units of their sigma, along which the statistic does not change."""

    weights: dict[str, float]
    eigenvalue: float

    def __str__(self) -> str:
        largest = max(self.weights, key=lambda name: abs(self.weights[name]))
        sign = 1.0 if self.weights[largest] > 0 else -1.0
        shown = sorted((-abs(w), name, sign * w) for name, w in self.weights.items() if abs(w) >= 0.1)
        text = " ".join(f"{'-' if w < 0 else '+'} {abs(w):.2g} {name}" for _, name, w in shown)
        return text.removeprefix("+ ")


def observed_hessian(
    gradient: Callable[[Array], Array], vector: Array, scale: Array, lower: Array, upper: Array
) -> Array:
    """Second derivatives of -2 ln L by differencing its exact gradient, (n_free, n_free).

    Central differences of 0.02 sigma; a parameter closer than that to a limit is differenced to the inside with the
    second-order one-sided formula ``(-3 g0 + 4 g1 - g2) / 2h``. ``scale`` (n_free,) is about one sigma of each.
    """
    n_free = vector.size
    hessian = np.empty((n_free, n_free))
    for i in range(n_free):
        step = np.zeros(n_free)
        step[i] = h = _STEP * scale[i]
        room_below, room_above = vector[i] - lower[i] >= h, upper[i] - vector[i] >= h
        if room_below and room_above:
            hessian[i] = (gradient(vector + step) - gradient(vector - step)) / (2 * h)
        else:
            inside = step if room_above else -step
            g0, g1, g2 = gradient(vector), gradient(vector + inside), gradient(vector + 2 * inside)
            hessian[i] = (-3 * g0 + 4 * g1 - g2) / (2 * inside[i])
    return 0.5 * (hessian + hessian.T)


def invert(
    hessian: Array, names: list[str], degenerate_below: float = DEGENERATE
) -> tuple[Array | None, list[Direction]]:
    """Covariance ``2 H^-1`` (n_free, n_free), and the directions that the data do not constrain.

    The matrix is scaled to a unit diagonal first, so that the verdict does not depend on units. None when it is not
    positive definite.
    """
    diagonal = np.diag(hessian)
    flat = [Direction({name: 1.0}, float(d)) for name, d in zip(names, diagonal, strict=True) if not d > 0]
    if flat:
        return None, flat
    scale = 1.0 / np.sqrt(diagonal)
    eigenvalues, vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
    degenerate = [
        Direction(dict(zip(names, map(float, vectors[:, k]), strict=True)), float(eigenvalues[k]))
        for k in np.flatnonzero(eigenvalues < degenerate_below)
    ]
    if degenerate:
        return None, degenerate
    inverse = (vectors / eigenvalues) @ vectors.T
    return 2.0 * inverse * np.outer(scale, scale), []


def at_limits(vector: Array, gradient: Array, scale: Array, lower: Array, upper: Array) -> tuple[BoolArray, BoolArray]:
    """Which parameters sit at their lower and at their upper limit, held there by the slope of the statistic."""
    near = 1e-3 * scale
    return (vector - lower <= near) & (gradient > 0), (upper - vector <= near) & (gradient < 0)
