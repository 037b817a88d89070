"""Log parabolas: power laws whose index runs with the logarithm of the energy."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.models.parametric import Default
from gm.models.spectral.base import SpectralModel, exponential, exponential_with_slope
from gm.models.spectral.integration import EnergyBins
from gm.models.spectral.power_laws import AMPLITUDE


class _LogParabola(SpectralModel):
    def evaluate(self, energy: Array, values: Array) -> Array:
        amplitude, reference, alpha, beta = values
        x = np.log(energy / reference)
        return np.asarray(amplitude * exponential(-x * (alpha + beta * x)))

    def gradient(self, energy: Array, values: Array) -> Array:
        amplitude, reference, alpha, beta = values
        x = np.log(energy / reference)
        gradient = np.empty((4, *x.shape))
        gradient[0], f = exponential_with_slope(-x * (alpha + beta * x), amplitude)
        gradient[1] = (alpha / reference + (2 * beta / reference) * x) * f
        gradient[2] = -x * f
        gradient[3] = x * gradient[2]
        return gradient

    def band_integrals(self, bins: EnergyBins, values: Array) -> Array:
        amplitude, reference, alpha, beta = values.tolist()
        segments = bins.log_parabola
        if segments is None or not segments.hold(alpha, beta, reference):
            return super().band_integrals(bins, values)
        return np.asarray(amplitude * segments.integrate(alpha, beta, reference))

    def integral_gradient(self, bins: EnergyBins, values: Array) -> tuple[Array, Array]:
        amplitude, reference, alpha, beta = values.tolist()
        segments = bins.log_parabola
        if segments is None or not segments.hold(alpha, beta, reference):
            return super().integral_gradient(bins, values)
        shape, slopes = segments.integrate_with_slopes(alpha, beta, reference)
        integral = amplitude * shape
        gradient = np.empty((4, shape.size))
        gradient[0] = shape
        np.multiply(amplitude, slopes, out=gradient[2:])
        gradient[1] = ((alpha / reference) * integral) - ((2.0 * beta / reference) * gradient[2])
        return integral, gradient


class LogParabolaSpectralModel(_LogParabola):
    """Log parabola.

    ``f(E) = A (E / E0)^(-alpha - beta ln(E / E0))``, with A the ``amplitude``, E0 the ``reference``; natural logarithm.
    """

    tags = ("LogParabolaSpectralModel", "lp")
    amplitude = AMPLITUDE
    reference = Default(10.0, "TeV", frozen=True)
    alpha = Default(2.0)
    beta = Default(1.0)


class LogParabolaNormSpectralModel(_LogParabola):
    """Log parabola as a dimensionless factor.

    ``f(E) = N (E / E0)^(-alpha - beta ln(E / E0))``, with N the ``norm``, E0 the ``reference``.
    """

    tags = ("LogParabolaNormSpectralModel", "lp-norm")
    norm = Default(1.0)
    reference = Default(10.0, "TeV", frozen=True)
    alpha = Default(0.0)
    beta = Default(0.0)
    amplitude_name = "norm"
    is_norm = True


class LogParabola2SpectralModel(SpectralModel):
    """Log parabola with an energy scale of its own for the curvature.

    ``f(E) = A (E / E0)^(-alpha - beta ln(E / Es))``, with A the ``amplitude``, E0 the ``reference``, Es the ``escale``.
    """

    tags = ("LogParabola2SpectralModel", "lp2")
    amplitude = AMPLITUDE
    reference = Default(10.0, "TeV", frozen=True)
    alpha = Default(2.0)
    beta = Default(1.0)
    escale = Default(1.0, "TeV", frozen=True)

    def evaluate(self, energy: Array, values: Array) -> Array:
        amplitude, reference, alpha, beta, escale = values
        index = alpha + beta * np.log(energy / escale)
        return np.asarray(amplitude * exponential(-index * np.log(energy / reference)))

    def gradient(self, energy: Array, values: Array) -> Array:
        amplitude, reference, alpha, beta, escale = values
        x, y = np.log(energy / reference), np.log(energy / escale)
        index = alpha + beta * y
        shape, f = exponential_with_slope(-index * x, amplitude)
        return np.stack([shape, index / reference * f, -x * f, -x * y * f, beta / escale * x * f])
