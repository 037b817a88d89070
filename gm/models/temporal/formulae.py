"""Temporal models with a formula, and its primitive."""

from __future__ import annotations

from math import sqrt

import numpy as np

from gm.arrays import Array
from gm.models.parametric import Default
from gm.models.temporal.base import T_REF, T_REF_FREE, TemporalModel

_NONE = np.zeros(())
_TINY = 1e-300


class LinearTemporalModel(TemporalModel):
    """``alpha + beta (t - t_ref)``."""

    tags = ("LinearTemporalModel", "linear")
    alpha = Default(1.0)
    beta = Default(0.0, "d-1")
    t_ref = T_REF

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        return np.asarray(values[0] + values[1] * elapsed)

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        return self.integral_gradient(start, stop, values)[0]

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        duration = stop - start
        moment = 0.5 * duration * (stop + start)
        return values[0] * duration + values[1] * moment, [duration, moment, _NONE]


class ExpDecayTemporalModel(TemporalModel):
    """``exp(-(t - t_ref) / t0)``."""

    tags = ("ExpDecayTemporalModel", "exp-decay")
    t0 = Default(1.0, "d")
    t_ref = T_REF

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        return np.asarray(np.exp(np.minimum(-elapsed / values[0], 300.0)))

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        return np.asarray(-values[0] * self.evaluate(start, values) * np.expm1((start - stop) / values[0]))

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        integral = self.integral(start, stop, values)
        ends = start * self.evaluate(start, values) - stop * self.evaluate(stop, values)
        return integral, [(integral + ends) / values[0], _NONE]


class GaussianTemporalModel(TemporalModel):
    """``exp(-(t - t_ref)^2 / (2 sigma^2))``."""

    tags = ("GaussianTemporalModel", "gauss")
    t_ref = T_REF_FREE
    sigma = Default(1.0, "d")

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        return np.asarray(np.exp(-0.5 * (elapsed / values[1]) ** 2))

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        from scipy.special import erf, erfc

        a, b = start / (sqrt(2) * values[1]), stop / (sqrt(2) * values[1])
        # On one side of the peak the difference of the complements keeps its digits.
        tail = np.where(a > 0, erfc(a) - erfc(b), erfc(-b) - erfc(-a))
        return np.asarray(values[1] * sqrt(np.pi / 2) * np.where(a * b > 0, tail, erf(b) - erf(a)))

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        integral = self.integral(start, stop, values)
        ends = start * self.evaluate(start, values) - stop * self.evaluate(stop, values)
        return integral, [_NONE, (integral + ends) / values[1]]


class GeneralizedGaussianTemporalModel(TemporalModel):
    """``exp(-(|t - t_ref| / tau)^(1/eta) / 2)`` with tau = ``t_rise`` before t_ref, ``t_decay`` after.

    From 0 to u its integral is ``tau 2^eta Gamma(1 + eta) P(eta, (u / tau)^(1/eta) / 2)``, P the regularised incomplete
    gamma function. That has no closed derivative by eta: there, a fourth-order difference, good to 1e-11.
    """

    tags = ("GeneralizedGaussianTemporalModel", "gengauss")
    t_ref = T_REF_FREE
    t_rise = Default(1.0, "d")
    t_decay = Default(1.0, "d")
    eta = Default(0.5)

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        tau = np.where(elapsed < 0, values[1], values[2])
        return np.exp(-_half_power(np.abs(elapsed) / tau, values[3]))

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        return self._primitive(stop, values, values[3]) - self._primitive(start, values, values[3])

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        eta, step = float(values[3]), 2e-3 * float(values[3])

        def rows(u: Array) -> list[Array]:
            primitive = self._primitive(u, values, eta)
            before = u < 0
            by_tau = (primitive - u * self.evaluate(u, values)) / np.where(before, values[1], values[2])
            at = {k: self._primitive(u, values, eta + k * step) for k in (-2, -1, 1, 2)}
            by_eta = (8 * (at[1] - at[-1]) - (at[2] - at[-2])) / (12 * step)
            return [_NONE, np.where(before, by_tau, 0.0), np.where(before, 0.0, by_tau), by_eta]

        gradient = [last - first for first, last in zip(rows(start), rows(stop), strict=True)]
        return self.integral(start, stop, values), gradient

    def _primitive(self, u: Array, values: Array, eta: float) -> Array:
        from scipy.special import gamma, gammainc

        tau = np.where(u < 0, values[1], values[2])
        share = gammainc(eta, _half_power(np.abs(u) / tau, eta))
        return np.asarray(np.sign(u) * tau * (2.0**eta * gamma(1.0 + eta)) * share)


class PowerLawTemporalModel(TemporalModel):
    """``((t - t_ref) / t0)^alpha``, 0 before t_ref."""

    tags = ("PowerLawTemporalModel", "powerlaw")
    alpha = Default(1.0)
    t_ref = T_REF
    t0 = Default(1.0, "d", frozen=True)

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        x = _log_time(elapsed, values[2])
        return np.where(elapsed > 0, np.exp(np.minimum(values[0] * x, 300.0)), 0.0)

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        return self.integral_gradient(start, stop, values)[0]

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        """With ``x = ln(u / t0)``: ``t0 int exp(a x) dx``, a = alpha + 1, and ``t0 int x exp(a x) dx``."""
        a, t0 = float(values[0]) + 1.0, float(values[2])
        x0, x1 = _log_time(start, t0), _log_time(stop, t0)
        length, middle = x1 - x0, 0.5 * (x0 + x1)
        d = 0.5 * a * length
        peak = np.exp(np.minimum(a * middle, 300.0))
        small = np.abs(d) < 1e-2
        safe = np.where(small, 1.0, np.clip(d, -300.0, 300.0))
        ratio = np.where(small, 1 + d**2 / 6 + d**4 / 120, np.sinh(safe) / safe)
        slope = np.where(small, d / 3 + d**3 / 30 + d**5 / 840, (np.cosh(safe) - np.sinh(safe) / safe) / safe)
        integral = t0 * peak * length * ratio
        by_alpha = integral * middle + t0 * peak * length * slope * 0.5 * length
        return integral, [by_alpha, _NONE, -values[0] / t0 * integral]


class SineTemporalModel(TemporalModel):
    """``1 + amp sin(omega (t - t_ref))``."""

    tags = ("SineTemporalModel", "sinus")
    amp = Default(1.0)
    omega = Default(1.0, "rad / d")
    t_ref = T_REF_FREE

    def evaluate(self, elapsed: Array, values: Array) -> Array:
        return np.asarray(1.0 + values[0] * np.sin(values[1] * elapsed))

    def integral(self, start: Array, stop: Array, values: Array) -> Array:
        return self.integral_gradient(start, stop, values)[0]

    def integral_gradient(self, start: Array, stop: Array, values: Array) -> tuple[Array, list[Array]]:
        """``length (1 + amp sin(omega m) sin(h) / h)``, m the middle and ``h = omega length / 2``."""
        amp, omega = values[:2]
        length, middle = stop - start, 0.5 * (start + stop)
        h = 0.5 * omega * length
        small = np.abs(h) < 1e-3
        safe = np.where(small, 1.0, h)
        sinc = np.where(small, 1 - h**2 / 6, np.sin(safe) / safe)
        slope = np.where(small, -h / 3, (np.cos(safe) - np.sin(safe) / safe) / safe)
        sine, cosine = np.sin(omega * middle), np.cos(omega * middle)
        by_amp = length * sinc * sine
        by_omega = amp * length * (0.5 * length * slope * sine + middle * sinc * cosine)
        return length + amp * by_amp, [by_amp, by_omega, _NONE]


def _half_power(z: Array, eta: float) -> Array:
    return np.asarray(0.5 * np.exp(np.minimum(np.log(np.maximum(z, _TINY)) / eta, 300.0)))


def _log_time(elapsed: Array, t0: float) -> Array:
    return np.log(np.maximum(elapsed, 1e-12) / t0)
