"""Power laws with an exponential cut-off."""

from __future__ import annotations

import numpy as np

from gm.arrays import Array
from gm.models.parametric import Default
from gm.models.spectral.base import SpectralModel, exponential, exponential_with_slope, power
from gm.models.spectral.power_laws import AMPLITUDE

_REFERENCE = Default(1.0, "TeV", frozen=True)
_LAMBDA = Default(0.1, "TeV-1")
_ALPHA = Default(1.0, frozen=True)
_MEV_PER_TEV = 1e6


class _ExpCutoff(SpectralModel):
    def evaluate(self, energy: Array, values: Array) -> Array:
        index, amplitude, reference, lambda_, alpha = values
        cutoff = _signed_power(lambda_ * energy, alpha)
        return np.asarray(amplitude * exponential(-index * np.log(energy / reference) - cutoff))

    def fall(self, energy: float, values: Array) -> float:
        lambda_, alpha = values[3:]
        return float(alpha * _signed_power(lambda_ * energy, alpha))

    def gradient(self, energy: Array, values: Array) -> Array:
        index, amplitude, reference, lambda_, alpha = values
        x, cutoff = np.log(energy / reference), _signed_power(lambda_ * energy, alpha)
        shape, f = exponential_with_slope(-index * x - cutoff, amplitude)
        if lambda_:
            d_lambda, d_alpha = -alpha / lambda_ * cutoff, -cutoff * np.log(np.abs(lambda_) * energy)
        else:
            d_lambda, d_alpha = (-energy if alpha == 1 else 0 * energy), 0 * energy
        return np.stack([-x * f, shape, index / reference * f, d_lambda * f, d_alpha * f])


class ExpCutoffPowerLawSpectralModel(_ExpCutoff):
    """Power law with an exponential cut-off.

    ``f(E) = A (E / E0)^-G exp(-(l E)^alpha)``, with A the ``amplitude``, G the ``index``, E0 the ``reference``, l the
    ``lambda_`` (one over the cut-off energy), ``alpha`` the sharpness.
    """

    tags = ("ExpCutoffPowerLawSpectralModel", "ecpl")
    index = Default(1.5)
    amplitude = AMPLITUDE
    reference = _REFERENCE
    lambda_ = _LAMBDA
    alpha = _ALPHA


class ExpCutoffPowerLawNormSpectralModel(_ExpCutoff):
    """Power law with an exponential cut-off, as a dimensionless factor.

    ``f(E) = N (E / E0)^-G exp(-(l E)^alpha)``, with N the ``norm``, G the ``index``, E0 the ``reference``, l the
    ``lambda_``.
    """

    tags = ("ExpCutoffPowerLawNormSpectralModel", "ecpl-norm")
    index = Default(0.0)
    norm = Default(1.0)
    reference = _REFERENCE
    lambda_ = _LAMBDA
    alpha = _ALPHA
    amplitude_name = "norm"
    is_norm = True


class ExpCutoffPowerLaw3FGLSpectralModel(SpectralModel):
    """Power law with an exponential cut-off, as in the 3FGL catalogue.

    ``f(E) = A (E / E0)^-G exp((E0 - E) / Ec)``, with A the ``amplitude``, G the ``index``, E0 the ``reference``, Ec the
    ``ecut``.
    """

    tags = ("ExpCutoffPowerLaw3FGLSpectralModel", "ecpl-3fgl")
    index = Default(1.5)
    amplitude = AMPLITUDE
    reference = _REFERENCE
    ecut = Default(10.0, "TeV")

    def evaluate(self, energy: Array, values: Array) -> Array:
        index, amplitude, reference, ecut = values
        return np.asarray(amplitude * exponential(-index * np.log(energy / reference) + (reference - energy) / ecut))

    def fall(self, energy: float, values: Array) -> float:
        return float(energy / values[3])

    def gradient(self, energy: Array, values: Array) -> Array:
        index, amplitude, reference, ecut = values
        x, cutoff = np.log(energy / reference), (reference - energy) / ecut
        shape, f = exponential_with_slope(-index * x + cutoff, amplitude)
        return np.stack([-x * f, shape, (index / reference + 1 / ecut) * f, -cutoff / ecut * f])


class SuperExpCutoffPowerLaw3FGLSpectralModel(SpectralModel):
    """Power law with a super-exponential cut-off, as in the 3FGL catalogue.

    ``f(E) = A (E / E0)^-G1 exp((E0 / Ec)^G2 - (E / Ec)^G2)``, with A the ``amplitude``, E0 the ``reference``, Ec
    the ``ecut``, G1 and G2 the ``index_1`` and ``index_2``.
    """

    tags = ("SuperExpCutoffPowerLaw3FGLSpectralModel", "secpl-3fgl")
    amplitude = AMPLITUDE
    reference = _REFERENCE
    ecut = Default(10.0, "TeV")
    index_1 = Default(1.5)
    index_2 = Default(2.0)

    def evaluate(self, energy: Array, values: Array) -> Array:
        amplitude, reference, ecut, index_1, index_2 = values
        cutoff = power(np.log(reference / ecut), index_2) - power(np.log(energy / ecut), index_2)
        return np.asarray(amplitude * exponential(-index_1 * np.log(energy / reference) + cutoff))

    def fall(self, energy: float, values: Array) -> float:
        return float(values[4] * power(np.log(energy / values[2]), values[4]))

    def gradient(self, energy: Array, values: Array) -> Array:
        amplitude, reference, ecut, index_1, index_2 = values
        x, y, y0 = np.log(energy / reference), np.log(energy / ecut), np.log(reference / ecut)
        start, cutoff = power(y0, index_2), power(y, index_2)
        shape, f = exponential_with_slope(-index_1 * x + start - cutoff, amplitude)
        d_reference = (index_1 + index_2 * start) / reference
        d_ecut = index_2 / ecut * (cutoff - start)
        return np.stack([shape, d_reference * f, d_ecut * f, -x * f, (start * y0 - cutoff * y) * f])


class SuperExpCutoffPowerLaw4FGLSpectralModel(SpectralModel):
    """Power law with a super-exponential cut-off, as in the 4FGL catalogue.

    ``f(E) = A (E / E0)^-G1 exp(a (E0^G2 - E^G2))``, energies in the exponent in MeV, with A the ``amplitude``, E0 the
    ``reference``, a the ``expfactor``, G1 and G2 the ``index_1`` and ``index_2``.
    """

    tags = ("SuperExpCutoffPowerLaw4FGLSpectralModel", "secpl-4fgl")
    amplitude = AMPLITUDE
    reference = _REFERENCE
    expfactor = Default(1e-14)
    index_1 = Default(1.5)
    index_2 = Default(2.0)

    def evaluate(self, energy: Array, values: Array) -> Array:
        amplitude, reference, expfactor, index_1, index_2 = values
        start, end = (power(np.log(e * _MEV_PER_TEV), index_2) for e in (reference, energy))
        return np.asarray(amplitude * exponential(-index_1 * np.log(energy / reference) + expfactor * (start - end)))

    def fall(self, energy: float, values: Array) -> float:
        return float(values[2] * values[4] * power(np.log(energy * _MEV_PER_TEV), values[4]))

    def gradient(self, energy: Array, values: Array) -> Array:
        amplitude, reference, expfactor, index_1, index_2 = values
        x, y, y0 = np.log(energy / reference), np.log(energy * _MEV_PER_TEV), np.log(reference * _MEV_PER_TEV)
        start, end = power(y0, index_2), power(y, index_2)
        shape, f = exponential_with_slope(-index_1 * x + expfactor * (start - end), amplitude)
        d_reference = (index_1 + expfactor * index_2 * start) / reference
        d_index_2 = expfactor * (start * y0 - end * y)
        return np.stack([shape, d_reference * f, (start - end) * f, -x * f, d_index_2 * f])


class SuperExpCutoffPowerLaw4FGLDR3SpectralModel(SpectralModel):
    """Power law with a super-exponential cut-off, as in the 4FGL-DR3 catalogue.

    ``f(E) = A x^-G1 x^(d/b) exp(d / b^2 (1 - x^b))``, ``x = E / E0``, with A the ``amplitude``, E0 the
    ``reference``, d the ``expfactor``, G1 the ``index_1``, b the ``index_2``. With L = ln x and w = b L the cut-off
    is ``exp(-d L^2 psi(w))``, ``psi(w) = (expm1(w) - w) / w^2``; for \\|w\\| < 0.01 the series ``1/2 + w/6 +
    w^2/24`` as in the Fermi Science Tools. Equations (2) and (3) of https://arxiv.org/abs/2201.11184.
    """

    tags = ("SuperExpCutoffPowerLaw4FGLDR3SpectralModel", "secpl-4fgl-dr3")
    amplitude = AMPLITUDE
    reference = _REFERENCE
    expfactor = Default(0.01)
    index_1 = Default(1.5)
    index_2 = Default(2.0)

    def evaluate(self, energy: Array, values: Array) -> Array:
        amplitude, reference, expfactor, index_1, index_2 = values
        x = np.log(energy / reference)
        psi, _ = _psi(index_2 * x)
        return np.asarray(amplitude * exponential(-index_1 * x - expfactor * x**2 * psi))

    def fall(self, energy: float, values: Array) -> float:
        _, reference, expfactor, _, index_2 = values
        rise = power(np.log(energy / reference), index_2)
        return float(expfactor * ((rise - 1.0) / index_2 if index_2 else np.log(energy / reference)))

    def gradient(self, energy: Array, values: Array) -> Array:
        amplitude, reference, expfactor, index_1, index_2 = values
        x = np.log(energy / reference)
        psi, d_psi = _psi(index_2 * x)
        shape, f = exponential_with_slope(-index_1 * x - expfactor * x**2 * psi, amplitude)
        d_reference = (index_1 + expfactor * x * (2 * psi + index_2 * x * d_psi)) / reference
        return np.stack([shape, d_reference * f, -(x**2) * psi * f, -x * f, -expfactor * x**3 * d_psi * f])


def _signed_power(base: Array, exponent: float) -> Array:
    """``base^exponent`` kept below 1e3, where exp(-that) is nothing; a negative base stays negative for exponent 1."""
    if exponent == 1:
        return np.minimum(base, 1e3)
    return np.exp(np.minimum(exponent * np.log(np.maximum(base, 1e-300)), 6.9))


def _psi(w: Array) -> tuple[Array, Array]:
    """``(expm1(w) - w) / w^2`` and its derivative, by their series near 0."""
    small = np.abs(w) < 1e-2
    v = np.clip(np.where(small, 1.0, w), -1e100, 300.0)
    rest = np.expm1(v) - v
    psi = np.where(small, 0.5 + w / 6 + w**2 / 24, rest / v**2)
    d_psi = np.where(small, 1 / 6 + w / 12, (np.expm1(v) - 2 * rest / v) / v**2)
    return psi, d_psi
