"""Constants, power laws, and power laws with a break."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.models.parametric import Default
from gm.models.spectral.base import FLUX, INTEGRAL_FLUX, SpectralModel, exponential, exponential_with_slope
from gm.models.spectral.integration import EnergyBins, logarithmic_mean_slope

AMPLITUDE = Default(1e-12, FLUX)


class ConstantSpectralModel(SpectralModel):
    """Constant.

    ``f(E) = k``, with k the ``const``.
    """

    tags = ("ConstantSpectralModel", "const")
    const = Default(1e-12, FLUX)
    amplitude_name = "const"
    is_power_law = True

    def evaluate(self, energy: Array, values: Array) -> Array:
        return np.full(np.shape(energy), values[0])

    def gradient(self, energy: Array, values: Array) -> Array:
        return np.ones((1, *np.shape(energy)))


class _PowerLaw(SpectralModel):
    is_power_law = True
    takes_many = True

    def evaluate(self, energy: Array, values: Array) -> Array:
        index, amplitude, reference = values
        return np.asarray(amplitude * exponential(-index * np.log(energy / reference)))

    def gradient(self, energy: Array, values: Array) -> Array:
        index, amplitude, reference = values
        x = np.log(energy / reference)
        gradient = np.empty((3, *x.shape))
        gradient[1], f = exponential_with_slope(-index * x, amplitude)
        gradient[0] = -x * f
        gradient[2] = (index / reference) * f
        return gradient

    def band_integrals(self, bins: EnergyBins, values: Array) -> Array:
        index, amplitude, reference = values.tolist()
        if not bins.power_law.holds(index, reference):
            return super().band_integrals(bins, values)
        return np.asarray(amplitude * bins.power_law.integrate(index, reference))

    def integral_gradient(self, bins: EnergyBins, values: Array) -> tuple[Array, Array]:
        index, amplitude, reference = values.tolist()
        if not bins.power_law.holds(index, reference):
            return super().integral_gradient(bins, values)
        shape, slope = bins.power_law.integrate_with_slope(index, reference)
        integral = amplitude * shape
        gradient = np.empty((3, shape.size))
        np.multiply(slope, integral, out=gradient[0])
        gradient[1] = shape
        np.multiply(index / reference, integral, out=gradient[2])
        return integral, gradient


class PowerLawSpectralModel(_PowerLaw):
    """Power law.

    ``f(E) = A (E / E0)^-G``, with A the ``amplitude``, G the ``index``, E0 the ``reference``.
    """

    tags = ("PowerLawSpectralModel", "pl")
    index = Default(2.0)
    amplitude = AMPLITUDE
    reference = Default(1.0, "TeV", frozen=True)


class PowerLawNormSpectralModel(_PowerLaw):
    """Power law as a dimensionless factor.

    ``f(E) = N (E / E0)^-t``, with N the ``norm``, t the ``tilt``, E0 the ``reference``.
    """

    tags = ("PowerLawNormSpectralModel", "pl-norm")
    tilt = Default(0.0, frozen=True)
    norm = Default(1.0)
    reference = Default(1.0, "TeV", frozen=True)
    amplitude_name = "norm"
    is_norm = True


class PowerLaw2SpectralModel(SpectralModel):
    """Power law normalised by its integral.

    ``f(E) = A E^-G / integral_{E1}^{E2} E^-G dE``, with A the ``amplitude`` (an integral flux), G the ``index``, E1
    and E2 the ``emin`` and ``emax``. With l = ln(E2 / E1) and d = (1 - G) l the integral is ``E1^(1-G) l expm1(d) /
    d``, which has no pole at G = 1.
    """

    tags = ("PowerLaw2SpectralModel", "pl-2")
    amplitude = Default(1e-12, INTEGRAL_FLUX)
    index = Default(2.0)
    emin = Default(0.1, "TeV", frozen=True)
    emax = Default(100.0, "TeV", frozen=True)
    is_power_law = True

    def evaluate(self, energy: Array, values: Array) -> Array:
        amplitude, index, emin, emax = values
        width = np.log(emax / emin)
        phi, _ = logarithmic_mean_slope((1 - index) * width)
        return np.asarray(amplitude / (emin * width * phi) * exponential(-index * np.log(energy / emin)))

    def gradient(self, energy: Array, values: Array) -> Array:
        amplitude, index, emin, emax = values
        width = np.log(emax / emin)
        phi, slope = logarithmic_mean_slope((1 - index) * width)
        norm = 1 / (emin * width * phi)
        x = np.log(energy / emin)
        bare, moving = exponential_with_slope(-index * x, amplitude * norm)
        shape = norm * bare
        f = amplitude * shape
        d_emax = -norm * exponential(-index * width)
        return np.stack([shape, width * slope * f - x * moving, norm * f, d_emax * f])


class BrokenPowerLawSpectralModel(SpectralModel):
    """Broken power law.

    ``f(E) = A (E / Eb)^-G1`` below the break and ``A (E / Eb)^-G2`` above, with A the ``amplitude``, G1 and G2 the
    ``index1`` and ``index2``, Eb the ``ebreak``.
    """

    tags = ("BrokenPowerLawSpectralModel", "bpl")
    index1 = Default(2.0)
    index2 = Default(2.0)
    amplitude = AMPLITUDE
    ebreak = Default(1.0, "TeV")

    def evaluate(self, energy: Array, values: Array) -> Array:
        index1, index2, amplitude, ebreak = values
        index = np.where(energy < ebreak, index1, index2)
        return np.asarray(amplitude * exponential(-index * np.log(energy / ebreak)))

    def gradient(self, energy: Array, values: Array) -> Array:
        index1, index2, amplitude, ebreak = values
        below = energy < ebreak
        index = np.where(below, index1, index2)
        x = np.log(energy / ebreak)
        shape, f = exponential_with_slope(-index * x, amplitude)
        return np.stack([-x * f * below, -x * f * ~below, shape, index / ebreak * f])

    def kinks(self, values: Array) -> Array:
        return np.array([values[3]])


class SmoothBrokenPowerLawSpectralModel(SpectralModel):
    """Smoothly broken power law.

    ``f(E) = A (E / E0)^-G1 [1 + (E / Eb)^((G2 - G1) / b)]^-b`` with ``b = beta sign(G2 - G1)``; A is the
    ``amplitude``, E0 the ``reference``, Eb the ``ebreak``, G1 and G2 the ``index1`` and ``index2``, ``beta`` the
    smoothness. Where the indices are equal b is 0 and the power law alone is left, as in Gammapy.
    """

    tags = ("SmoothBrokenPowerLawSpectralModel", "sbpl")
    index1 = Default(2.0)
    index2 = Default(2.0)
    amplitude = AMPLITUDE
    ebreak = Default(1.0, "TeV")
    reference = Default(1.0, "TeV", frozen=True)
    beta = Default(1.0, frozen=True)

    def evaluate(self, energy: Array, values: Array) -> Array:
        index1, index2, amplitude, ebreak, reference, beta = values
        z = abs(index2 - index1) / beta * np.log(energy / ebreak)
        b = beta * np.sign(index2 - index1)
        return np.asarray(amplitude * exponential(-index1 * np.log(energy / reference) - b * np.logaddexp(0, z)))

    def gradient(self, energy: Array, values: Array) -> Array:
        index1, index2, amplitude, ebreak, reference, beta = values
        sign = np.sign(index2 - index1)
        x, y = np.log(energy / reference), np.log(energy / ebreak)
        z = abs(index2 - index1) / beta * y
        softplus, step = np.logaddexp(0, z), 0.5 * (1 + np.tanh(z / 2))
        shape, f = exponential_with_slope(-index1 * x - beta * sign * softplus, amplitude)
        return np.stack(
            [
                (step * y - x) * f,
                -step * y * f,
                shape,
                step * ((index2 - index1) / ebreak) * f,
                index1 / reference * f,
                -sign * (softplus - z * step) * f,
            ]
        )
