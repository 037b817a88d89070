"""The spectrum that the norms of flux points refer to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.errors import UsageError
from gm.estimators.result import ReferenceFlux
from gm.models import EnergyBins, Parameter, SkyModel
from gm.models.sky_flux import no_flux, sky_flux
from gm.models.spectral.compound import CompoundSpectralModel
from gm.models.spectral.power_laws import PowerLawNormSpectralModel
from gm.units import TEV_IN_ERG

_EVERYWHERE = np.geomspace(1e-6, 1e5, 111)  # TeV


class Reference:
    """The spectrum of a component, all of its flux on the sky together.

    A component whose spectrum is negative, as a fit to a deficit leaves it, gets that with the other sign as its
    reference: flux points and their limits then have the usual sense.

    model : the component with the reference as its spectrum; sign : of its own spectrum
    """

    def __init__(self, component: SkyModel, values: Array, conventions: Conventions) -> None:
        """``values`` : (n_par,) of the component, in internal units. Raises `UsageError` when it is not a flux."""
        if problem := no_flux(component):
            raise UsageError(f"flux points of '{component.name}': {problem}")
        self._conventions, self.sign = conventions, -1.0 if _is_negative(component, values) else 1.0
        self.model, self._values = (component, values.copy()) if self.sign > 0 else _mirrored(component, values)

    def intrinsic(self) -> Reference:
        """The same without the absorption on the way, at equal values. Raises `UsageError` where there is none."""
        spectral = self.model.spectral_model
        left = spectral.unabsorbed()
        if left is None or len(left[1]) == len(spectral.parameters):
            raise UsageError(f"'{self.model.name}' has no absorption that points could be told without")
        model, kept = left
        values = np.concatenate([self._values[kept], self._values[len(spectral.parameters) :]])
        return Reference(replace(self.model, spectral_model=model), values, self._conventions)

    def warnings(self) -> tuple[str, ...]:
        """What a reader of the norms should know."""
        if self.sign > 0:
            return ()
        return (f"the spectrum of '{self.model.name}' is negative: the reference model has the other sign",)

    def dnde(self, energy: Array) -> Array:
        """At energies, (n,) [TeV]: (n,) [cm-2 s-1 TeV-1]."""
        return sky_flux(self.model, energy, self._values)

    def fluxes(self, bands: Array) -> list[ReferenceFlux]:
        """In bands, (n_bands, 2) [TeV]; every band is an axis of its own, with its own number of nodes."""
        model, values = self.model.spectral_model, self._values
        bins, e_ref = EnergyBins(*bands, conventions=self._conventions), np.sqrt(bands[:, 0] * bands[:, 1])
        dnde = self.dnde(e_ref)
        if model.result_unit():
            spectral = values[: len(model.parameters)]
            flux, eflux = model.band_integrals(bins, spectral), model.band_energy_integrals(bins, spectral)
        else:
            rule = model.fine_rule(bins, values[: len(model.parameters)])
            at_nodes = sky_flux(self.model, rule.nodes, values)
            flux, eflux = rule.integrate(at_nodes), rule.integrate(rule.nodes * at_nodes)
        columns = dnde, flux, eflux * TEV_IN_ERG, dnde * e_ref**2 * TEV_IN_ERG
        return [ReferenceFlux(*row) for row in np.transpose(columns).tolist()]


def _is_negative(component: SkyModel, values: Array) -> bool:
    """Whether a spectrum with ``values`` (n_par,) is below 0 at some energies, and above at none."""
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        dnde = sky_flux(component, _EVERYWHERE, values)
    if (dnde != 0).any():
        return bool((dnde < 0).any() and not (dnde > 0).any())
    amplitude = component.spectral_model.amplitude_position()  # of a line between these energies
    return amplitude is not None and bool(values[amplitude] < 0)


def _mirrored(component: SkyModel, values: Array) -> tuple[SkyModel, Array]:
    """The component with the other sign, of what its spectrum is proportional to or by a factor of -1; its values
    (n_par,)."""
    spectral, amplitude = component.spectral_model, component.spectral_model.amplitude_position()
    if amplitude is None:
        factor = PowerLawNormSpectralModel(norm=Parameter("norm", -1.0, frozen=True))
        mirrored = replace(component, spectral_model=CompoundSpectralModel(spectral, factor, "mul"))
        return mirrored, np.insert(values, len(spectral.parameters), factor.values())
    old, changed = component.parameters[amplitude], values.copy()
    new = replace(old, value=-old.value, min=-old.max, max=-old.min, prior=None)
    parameters = [new if k == amplitude else p for k, p in enumerate(component.parameters)]
    changed[amplitude] *= -1
    return component.with_parameters(parameters), changed
