"""Quantities that follow from the parameters of one component: its flux, energy flux and dnde."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, final

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.errors import UsageError, suggest
from gm.models import EnergyBins, Models, SkyModel
from gm.models.sky_flux import no_flux
from gm.units import TEV_IN_ERG, UnitError, convert

UNITS = {"flux": "cm-2 s-1", "eflux": "erg cm-2 s-1", "dnde": "cm-2 s-1 TeV-1"}
_N_ENERGIES = {"flux": 2, "eflux": 2, "dnde": 1}
_FORM = re.compile(r"\s*(\w+)\s*\((.*)\)\s*\Z", re.DOTALL)
_EXAMPLES = "flux(crab, 1 TeV, 10 TeV), eflux(crab, 1 TeV, 10 TeV) or dnde(crab, 1 TeV)"

OfComponent = Callable[[Array], tuple[float, Array]]
"""From the values of a component in internal units, (n_par,), to a quantity and its derivatives, (n_par,)."""


@final
@dataclass(frozen=True)
class Quantity:
    """``kind``: ``flux`` [cm-2 s-1] or ``eflux`` [erg cm-2 s-1] between two energies, or ``dnde`` at one
    [cm-2 s-1 TeV-1], of the component ``source`` on the whole sky, whenever that is observed; energies in TeV."""

    kind: str
    source: str
    energies: tuple[float, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From ``flux(crab, 1 TeV, 10 TeV)``. Raises `UsageError`."""
        form = _FORM.match(text)
        if form is None:
            raise UsageError(f"'{text}' is no quantity; expected {_EXAMPLES}")
        kind, parts = form[1], [part.strip() for part in form[2].split(",")]
        if kind not in UNITS:
            raise UsageError(f"'{kind}' is no quantity; {suggest(kind, UNITS, 'quantities')}")
        n = _N_ENERGIES[kind]
        if len(parts) < n + 1 or not parts[0]:
            raise UsageError(f"'{text}': {kind} needs a component and {'an energy' if n == 1 else 'two energies'}")
        try:
            energies = tuple(convert(part, "TeV") for part in parts[-n:])
        except UnitError as error:
            raise UsageError(f"'{text}': {error}") from error
        if not all(0 < energy < np.inf for energy in energies) or (n == 2 and not energies[0] < energies[-1]):
            raise UsageError(f"'{text}': energies are above zero, and increase")
        return cls(kind, ", ".join(parts[:-n]), energies)

    def __str__(self) -> str:
        return f"{self.kind}({self.source}, {', '.join(f'{energy:g} TeV' for energy in self.energies)})"

    @property
    def unit(self) -> str:
        return UNITS[self.kind]

    def problem(self, models: Models) -> tuple[str, str] | None:
        """Why the models have no such quantity, and a hint; None where they have. Raises `DataError` for a template
        that cannot be read."""
        sky = {component.name: component for component in models.sources()}
        if self.source not in sky:
            known = "sky components" if self.source in models else "components"
            found = "is not a sky component" if self.source in models else "is no component"
            return f"'{self.source}' {found}", suggest(self.source, sky, known)
        why = no_flux(sky[self.source])
        return (f"'{self.source}': {why}", "a quantity needs a differential flux") if why else None

    def of(self, component: SkyModel, conventions: Conventions) -> OfComponent:
        """The quantity and its exact derivatives as a function of the values of its component."""
        spectrum = _Spectrum(component)
        if self.kind == "dnde":
            energy = np.array(self.energies)

            def dnde(values: Array) -> tuple[float, Array]:
                f, d_f = spectrum.at(energy, values)
                return float(f[0]), d_f[:, 0]

            return dnde
        power, unit = (0, 1.0) if self.kind == "flux" else (1, TEV_IN_ERG)
        bins = EnergyBins(np.array(self.energies), conventions=conventions)

        def integral(values: Array) -> tuple[float, Array]:
            number, slopes = spectrum.moment(bins, values, power)
            return unit * number, unit * slopes

        return integral


@dataclass(frozen=True)
class _Spectrum:
    """The spectrum of a component on the whole sky, with derivatives (n_par, ...) by its own parameters; those of a
    template that it is a factor of are fixed."""

    component: SkyModel

    def at(self, energy: Array, values: Array) -> tuple[Array, Array]:
        """dnde at energies (n,) [TeV]."""
        model, shape = self.component.spectral_model, self.component.spatial_model
        n_own = len(model.parameters)
        f, d_f = model.evaluate_with_gradient(energy, values[:n_own])
        if not model.result_unit() and shape is not None:
            total = shape.total(values[n_own : n_own + len(shape.parameters)], energy)
            f, d_f = f * total, d_f * total
        slopes = np.zeros((values.size, energy.size))
        slopes[:n_own] = d_f
        return f, slopes

    def moment(self, bins: EnergyBins, values: Array, power: int) -> tuple[float, Array]:
        """Integral of ``E^power`` dnde over the only bin."""
        model = self.component.spectral_model
        n_own, slopes = len(model.parameters), np.zeros(values.size)
        if power == 0 and model.result_unit():
            flux, gradient = model.integral_gradient(bins, values[:n_own])
            slopes[:n_own] = gradient[:, 0]
            return float(flux[0]), slopes
        is_straight = model.is_power_law and model.result_unit()
        rule = bins.coarse if is_straight else model.fine_rule(bins, values[:n_own])
        f, d_f = self.at(rule.nodes, values)
        weight = rule.nodes**power
        total, gradient = rule.integrate_with_gradient(weight * f, weight * d_f)
        slopes[:] = gradient[:, 0]
        amplitude = model.amplitude_position()
        if amplitude is not None and values[amplitude] == 0:  # the rule sees no shape, the derivative has it
            slopes[amplitude] = rule.integrate(weight * d_f[amplitude])[0]
        return float(total[0]), slopes
