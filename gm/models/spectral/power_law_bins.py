"""Integrals of a power law over energy bins in closed form, with a dozen operations on arrays of bins.

With ``x = ln(E1 / E0)``, ``L = ln(E2 / E1)`` and ``d = (1 - G) L`` the integral of ``(E / E0)^-G`` from E1 to E2 is

    I = E1 e^(-G x) L expm1(d) / d            d ln I / dG = 1 / (1 - G) - ln(E2 / E0) - L / expm1(d)

which is what the log-log rule gives on the edges, but for roundings.
"""

from __future__ import annotations

from math import log

import numpy as np

from gm.arrays import Array

_NEAR = 0.01  # least d: below, the two terms of the derivative that cancel lose more than two digits
_FAR = 250.0  # largest exponent: beyond, the model keeps its values within limits


class PowerLawBins:
    """Energy bins from ``lo`` to ``hi`` [TeV], (n_bins,) each."""

    def __init__(self, lo: Array, hi: Array) -> None:
        self._log_lo, self._log_hi = np.log(lo), np.log(hi)
        self._width = self._log_hi - self._log_lo
        self._moment = lo * self._width
        self._range = float(self._log_lo.min()), float(self._log_hi.max())
        self._widths = float(self._width.min()), float(self._width.max())

    def holds(self, index: float, reference: float) -> bool:
        """Whether the closed form is good: not near its pole at an index of 1, and for nothing that overflows."""
        if not reference > 0:
            return False
        x, pole = log(reference), abs(1.0 - index)
        farthest = max(x - self._range[0], self._range[1] - x)
        return pole * self._widths[0] > _NEAR and pole * self._widths[1] < _FAR and abs(index) * farthest < _FAR

    def integrate(self, index: float, reference: float) -> Array:
        """Integrals of ``(E / E0)^-index``, (n_bins,) [TeV]."""
        return self._integrate(index, reference)[0]

    def integrate_with_slope(self, index: float, reference: float) -> tuple[Array, Array]:
        """The integrals, and the derivatives of their logarithms by the index, (n_bins,) each."""
        integral, growth = self._integrate(index, reference)
        slope = self._width / growth
        slope += self._log_hi
        return integral, np.subtract(1.0 / (1.0 - index) + log(reference), slope, out=slope)

    def _integrate(self, index: float, reference: float) -> tuple[Array, Array]:
        """The integrals, and ``expm1(d)``."""
        d = (1.0 - index) * self._width
        growth = np.expm1(d)
        integral = np.exp(-index * (self._log_lo - log(reference)))
        integral *= self._moment
        integral *= growth
        integral /= d
        return integral, growth
