"""The spectrum of a component with the errors that its covariance gives."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.models.components.base import Component
from gm.models.components.sky import SkyModel
from gm.models.errors import ModelError
from gm.models.layout import Layout
from gm.models.models import Models
from gm.models.sky_flux import no_flux, sky_flux
from gm.models.spectral.integration import EnergyBins
from gm.units import TEV_IN_ERG

Measured = tuple[Array, Array | None]
"""Values, and their standard deviations where there is a covariance."""


@final
class SpectrumWithErrors:
    """Fluxes of a sky component, all of it on the sky together, with standard deviations.

    The covariance of its spectral parameters is propagated linearly with exact derivatives, ``sigma^2 = g . C . g``; a
    variation with time is not in it.

    There are none where nothing varies: in a spectrum of frozen parameters, or with an amplitude that is held at 0.

    covariance : (n_par, n_par) of the spectral parameters in their own units, or None. Raises `ModelError` for a
    component that is no flux.
    """

    def __init__(
        self, component: SkyModel, covariance: Array | None, conventions: Conventions | str = Conventions.GAMMAPY
    ) -> None:
        if problem := no_flux(component):
            raise ModelError(f"'{component.name}': {problem}", "a spectrum has a differential flux")
        self.component, self._conventions = component, Conventions(conventions)
        self._model, self._spectral = component.spectral_model, component.spectral_model.values()
        factors = np.array(self._model.factors)
        self._covariance = None if covariance is None else covariance * np.outer(factors, factors)
        shapes = [model for model in (component.spatial_model, component.temporal_model) if model is not None]
        self._values = np.concatenate([self._spectral, *(model.values() for model in shapes)])

    @classmethod
    def all_of(
        cls, models: Models, conventions: Conventions | str = Conventions.GAMMAPY
    ) -> Iterator[SpectrumWithErrors]:
        """Of the components of a global model that have a flux, with what `KnownErrors` has of its covariance.
        Raises `DataError` for a template that cannot be read."""
        errors = KnownErrors(models)
        for component in models:
            if isinstance(component, SkyModel) and not no_flux(component):
                yield cls(component, errors.of(component), conventions)

    def dnde(self, energy: Array) -> Measured:
        """At energies (n_energy,) [TeV]: (n_energy,) each [cm-2 s-1 TeV-1]."""
        value, gradient = self._at(energy)
        return value, self._error(gradient)

    def flux(self, e_min: float, e_max: float) -> tuple[float, float | None]:
        """Integral between two energies [TeV], [cm-2 s-1]."""
        return self._integral(e_min, e_max, 0)

    def energy_flux(self, e_min: float, e_max: float) -> tuple[float, float | None]:
        """Integral of ``E dN/dE`` between two energies [TeV], [erg cm-2 s-1]."""
        value, error = self._integral(e_min, e_max, 1)
        return value * TEV_IN_ERG, None if error is None else error * TEV_IN_ERG

    def _at(self, energy: Array) -> tuple[Array, Array]:
        """The flux at energies (n_energy,), and its derivatives (n_par, n_energy)."""
        value, gradient = self._model.evaluate_with_gradient(energy, self._spectral)
        if self._model.result_unit():
            return value, gradient
        whole = sky_flux(self.component, energy, self._values)  # a factor of a template
        with np.errstate(divide="ignore", invalid="ignore"):
            return whole, np.where(value != 0, gradient * (whole / value), 0.0)

    def _integral(self, e_min: float, e_max: float, power: int) -> tuple[float, float | None]:
        """Of the flux times a power of energy; a power law times one is another, which the edges integrate exactly."""
        bins = EnergyBins(np.array([e_min, e_max]), conventions=self._conventions)
        is_straight = self._model.is_power_law and self._model.result_unit()
        rule = bins.coarse if is_straight else self._model.fine_rule(bins, self._spectral)
        value, gradient = self._at(rule.nodes)
        weight = rule.nodes**power
        integral, slopes = rule.integrate_with_gradient(weight * value, weight * gradient)
        amplitude = self._model.amplitude_position()
        if amplitude is not None and self._spectral[amplitude] == 0:
            slopes[amplitude] = rule.integrate(weight * gradient[amplitude])
        error = self._error(slopes)
        return float(integral[0]), None if error is None else float(error[0])

    def _error(self, gradient: Array) -> Array | None:
        """From derivatives (n_par, n)."""
        if self._covariance is None:
            return None
        variance = np.einsum("ie,ij,je->e", gradient, self._covariance, gradient)
        return np.asarray(np.sqrt(np.maximum(variance, 0.0))) if (variance > 0).any() else None


@final
class KnownErrors:
    """What the covariance of a global model says of spectra, looked for when it is asked for."""

    def __init__(self, models: Models) -> None:
        self._models = models

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self._models)

    def of(self, component: Component) -> Array | None:
        """The covariance of a component's spectral parameters, (n_own, n_own) in own units.

        None where one has no error that a fit moves, itself or what it follows, and that no limit holds: errors of what
        is made of them would be too small.
        """
        if self._models.covariance is None:
            return None
        layout, own = self._layout, self._layout.slots(component.name, "spectral")
        covariance = np.asarray(self._models.covariance[own, own])
        for k, variance in zip(range(own.start, own.stop), covariance.diagonal().tolist(), strict=True):
            position = layout.free_position(k)
            is_moved = position is not None and layout.lower[position] < layout.start[position] < layout.upper[position]
            if is_moved and not variance > 0:
                return None
        return covariance
