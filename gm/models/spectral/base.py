"""Spectral models: what they share."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.spectral.gauss_rule import GaussRule
from gm.models.spectral.integration import LEAST_FALL, EnergyBins, LogLogRule
from gm.units import UnitError, convert, factor

FLUX = "TeV-1 s-1 cm-2"
INTEGRAL_FLUX = "s-1 cm-2"
_FLUX_UNITS = {
    FLUX: (FLUX, f"{FLUX} sr-1", "TeV-1", "TeV-1 sr-1", ""),
    INTEGRAL_FLUX: (INTEGRAL_FLUX, f"{INTEGRAL_FLUX} sr-1", "", "sr-1"),
}
_SMOOTH = np.empty(0)
_FLUX_WORDS = {FLUX: "a differential flux (cm-2 s-1 TeV-1)", INTEGRAL_FLUX: "an integral flux (cm-2 s-1)"}


class SpectralModel(ParametricModel):
    """A function of energy, f(E), with its derivatives by every parameter and its integrals over energy bins.

    Energies in TeV; ``values`` are the parameters in internal units, in the order of ``parameters``. ``evaluate`` and
    ``gradient`` take energies of any shape; a result has one axis more in front for parameters.

    is_norm : True when f is a dimensionless factor
    is_power_law : True when f is a single power law of E, which the bin edges alone integrate exactly
    takes_many : True when values may be those of many such models, (n_par, n, 1) at energies (n, n_energies)
    amplitude_name : the parameter that f is proportional to, or None
    result_unit : internal unit of f
    """

    section = "spectral"
    is_norm: ClassVar[bool] = False
    is_power_law: ClassVar[bool] = False
    takes_many: ClassVar[bool] = False
    amplitude_name: ClassVar[str | None] = "amplitude"

    @abstractmethod
    def evaluate(self, energy: Array, values: Array) -> Array:
        """f(E), shape of ``energy``, in ``result_unit``."""

    @abstractmethod
    def gradient(self, energy: Array, values: Array) -> Array:
        """df/dtheta, (n_par, *energy.shape)."""

    def evaluate_with_gradient(self, energy: Array, values: Array) -> tuple[Array, Array]:
        """f(E) and its gradient together."""
        gradient = self.gradient(energy, values)
        amplitude = self.amplitude_position()
        if amplitude is None:
            return self.evaluate(energy, values), gradient
        return np.asarray(values[amplitude] * gradient[amplitude]), gradient

    def band_integrals(self, bins: EnergyBins, values: Array) -> Array:
        """Integral of f over each bin, (n_bins,): closed form for power laws, else log-log trapezoids."""
        rule = self._rule(bins, values)
        return rule.integrate(self.evaluate(rule.nodes, values))

    def integral_gradient(self, bins: EnergyBins, values: Array) -> tuple[Array, Array]:
        """Integrals (n_bins,) and their derivatives (n_par, n_bins)."""
        rule = self._rule(bins, values)
        f, d_f = self.evaluate_with_gradient(rule.nodes, values)
        integral, gradient = rule.integrate_with_gradient(f, d_f)
        amplitude = self.amplitude_position()
        if amplitude is not None and values[amplitude] == 0:
            # f vanishes everywhere: the rule sees no shape, its derivative by the amplitude does.
            gradient[amplitude] = rule.integrate(d_f[amplitude])
        return integral, gradient

    def band_energy_integrals(self, bins: EnergyBins, values: Array) -> Array:
        """Integral of E f(E) over each bin, (n_bins,) [``result_unit`` TeV2]."""
        rule = self._rule(bins, values)
        return rule.integrate(rule.nodes * self.evaluate(rule.nodes, values))

    def kinks(self, values: Array) -> Array:
        """Energies (n,) [TeV] at which f or its derivative by energy jumps."""
        return _SMOOTH

    def fine_rule(self, bins: EnergyBins, values: Array) -> LogLogRule | GaussRule:
        """The rule ``fine`` of bins, cut at kinks, and with ``exact`` conventions where a cut-off falls steeply."""
        if not bins.conventions.is_exact:
            return bins.fine
        if self.fall(bins.last_start, values) > LEAST_FALL:
            cuts = bins.cuts(lambda energy: self.evaluate(energy, values))
        else:
            cuts = bins.sharp_cuts(lambda energy: self.fall(energy, values))
        return bins.between(self.kinks(values), cuts)

    def fall(self, energy: float, values: Array) -> float:
        """How steep a cut-off is at an energy [TeV]: about ``-d ln f / d ln E`` where that is large, and rises."""
        return 0.0

    def amplitude_position(self) -> int | None:
        """Position among the parameters of the one that f is proportional to, or None."""
        return None if self.amplitude_name is None else self.paths.index(self.amplitude_name)

    def unabsorbed(self) -> tuple[SpectralModel, list[int]] | None:
        """The spectrum without absorption on the way, and which of the parameters are left; None: nothing is left."""
        return self, list(range(len(self.parameters)))

    def result_unit(self) -> str:
        """Internal unit of f: a differential flux, or what the amplitude's unit makes of it. Raises `UnitError`."""
        amplitude = self.amplitude_position()
        if self.is_norm or amplitude is None:
            return ""
        default, unit = self.defaults[amplitude], self.parameters[amplitude].unit
        position = _FLUX_UNITS[default.unit].index(self.internal_unit(default, unit))
        return (_FLUX_UNITS[FLUX] if default.unit == FLUX else (FLUX, f"{FLUX} sr-1", "TeV-1", "TeV-1 sr-1"))[position]

    @classmethod
    def internal_unit(cls, default: Parameter, unit: str) -> str:
        """As for every model; an amplitude may also come per steradian, or without area and time, or without unit."""
        if default.unit not in _FLUX_UNITS:
            return super().internal_unit(default, unit)
        return flux_unit(unit, default.unit)

    def values(self) -> Array:
        """The parameters' values in internal units, (n_par,)."""
        return np.array([p.value * f for p, f in zip(self.parameters, self.factors, strict=True)])

    def __call__(self, energy: object) -> Array:
        """f at the parameters' own values; ``energy``: an array in TeV, an astropy quantity, or ``"2 TeV"``.

        Raises `UnitError`.
        """
        return self.evaluate(_in_tev(energy), self.values())

    def integral(self, e_min: object, e_max: object) -> Array:
        """Integral of f between energies, [cm-2 s-1] for a flux, at the parameters' own values.

        e_min, e_max : as for a call of the model, of any shapes that fit each other, which the result has.
        Raises `UnitError`, for what is no range above zero too.
        """
        return self._between(self.band_integrals, e_min, e_max)

    def energy_flux(self, e_min: object, e_max: object) -> Array:
        """Integral of E f between energies, [erg cm-2 s-1] for a flux: see `integral`."""
        return factor("TeV", "erg") * self._between(self.band_energy_integrals, e_min, e_max)

    def _between(self, integrals: Callable[[EnergyBins, Array], Array], e_min: object, e_max: object) -> Array:
        low, high = np.broadcast_arrays(_in_tev(e_min), _in_tev(e_max))
        if not np.all((low > 0) & (low <= high) & np.isfinite(high)):
            raise UnitError(f"{e_min} to {e_max} is no range of energies above zero")
        values = self.values()
        found = [
            integrals(EnergyBins(np.array(edges), conventions=Conventions.EXACT), values)[0]
            for edges in zip(low.ravel(), high.ravel(), strict=True)
        ]
        return np.reshape(found, low.shape)

    def _rule(self, bins: EnergyBins, values: Array) -> LogLogRule | GaussRule:
        return bins.coarse if self.is_power_law else self.fine_rule(bins, values)


def _in_tev(energy: object) -> Array:
    """Energies [TeV] from an array in TeV, an astropy quantity, or a string with a unit. Raises `UnitError`."""
    if hasattr(energy, "unit") and hasattr(energy, "to_value"):
        factor(str(energy.unit), "TeV")
        energy = energy.to_value("TeV")
    elif isinstance(energy, str):
        energy = convert(energy, "TeV")
    return np.asarray(energy, dtype=np.float64)


def flux_unit(unit: str, default: str = FLUX) -> str:
    """The internal unit of a flux given in ``unit``. Raises `UnitError`."""
    for candidate in _FLUX_UNITS[default]:
        try:
            factor(unit, candidate)
        except UnitError:
            continue
        return candidate
    raise UnitError(f"'{unit}' is not {_FLUX_WORDS[default]}")


_LEAST, _MOST = -600.0, 300.0  # exponents


def exponential(x: Array) -> Array:
    """exp(x), of any shape, kept between 1e-261 and 1e130, so that squares, ratios and sums of spectra stay finite."""
    return np.exp(np.minimum(np.maximum(x, _LEAST), _MOST))


def exponential_with_slope(x: Array, amplitude: float | Array) -> tuple[Array, Array]:
    """`exponential` of x, of any shape, and ``amplitude`` times its derivative: nothing where it is kept at a limit."""
    value = exponential(x)
    slope = amplitude * value
    flat = x.reshape(-1)
    if not flat @ flat < _MOST**2:  # the quick answer: none can be beyond
        slope = np.where((x > _LEAST) & (x < _MOST), slope, 0.0)
    return value, slope


def power(log_base: Array, exponent: float) -> Array:
    """``exp(exponent * log_base)``, of any shape, kept below 1e130."""
    return np.exp(np.minimum(exponent * log_base, 300.0))
