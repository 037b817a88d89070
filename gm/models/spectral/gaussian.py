"""A Gaussian line."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.models.parametric import Default
from gm.models.spectral.base import INTEGRAL_FLUX, SpectralModel, exponential
from gm.models.spectral.integration import EnergyBins


class GaussianSpectralModel(SpectralModel):
    """Gaussian.

    ``f(E) = A N(E; m, s)`` with ``N = exp(-u^2) / (s sqrt(2 pi))``, ``u = (E - m) / (s sqrt(2))``; A is the
    ``amplitude`` (an integral flux), m the ``mean``, s the ``sigma``. Integrals over a bin in closed form::

        integral f   = A / 2 [erf(u)]
        integral E f = -A s^2 [N] + A m / 2 [erf(u)]
    """

    tags = ("GaussianSpectralModel", "gauss")
    amplitude = Default(1e-12, INTEGRAL_FLUX)
    mean = Default(1.0, "TeV")
    sigma = Default(2.0, "TeV")

    def evaluate(self, energy: Array, values: Array) -> Array:
        amplitude, mean, sigma = values
        return np.asarray(amplitude * _normal(energy, mean, sigma))

    def gradient(self, energy: Array, values: Array) -> Array:
        amplitude, mean, sigma = values
        z, shape = (energy - mean) / sigma, _normal(energy, mean, sigma)
        f = amplitude * shape
        return np.stack([shape, z / sigma * f, (z**2 - 1) / sigma * f])

    def band_integrals(self, bins: EnergyBins, values: Array) -> Array:
        amplitude, mean, sigma = values
        return np.asarray(amplitude * _probability(bins, mean, sigma))

    def integral_gradient(self, bins: EnergyBins, values: Array) -> tuple[Array, Array]:
        amplitude, mean, sigma = values
        lo, hi = _normal(bins.lo, mean, sigma), _normal(bins.hi, mean, sigma)
        d_sigma = (bins.lo - mean) / sigma * lo - (bins.hi - mean) / sigma * hi
        shape = _probability(bins, mean, sigma)
        return np.asarray(amplitude * shape), np.stack([shape, amplitude * (lo - hi), amplitude * d_sigma])

    def band_energy_integrals(self, bins: EnergyBins, values: Array) -> Array:
        amplitude, mean, sigma = values
        drop = _normal(bins.lo, mean, sigma) - _normal(bins.hi, mean, sigma)
        return np.asarray(amplitude * (sigma**2 * drop + mean * _probability(bins, mean, sigma)))


def _normal(energy: Array, mean: float, sigma: float) -> Array:
    u = (energy - mean) / (sigma * np.sqrt(2))
    return np.asarray(exponential(-(u**2)) / (sigma * np.sqrt(2 * np.pi)))


def _probability(bins: EnergyBins, mean: float, sigma: float) -> Array:
    from scipy.special import erf

    lo, hi = ((edge - mean) / (sigma * np.sqrt(2)) for edge in (bins.lo, bins.hi))
    return np.asarray((erf(hi) - erf(lo)) / 2)
