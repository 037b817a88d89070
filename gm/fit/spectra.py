"""The fitted spectra of components: fluxes in ranges of energy, and bands to draw."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.errors import DataError
from gm.likelihood import ByEnergy
from gm.models import Models
from gm.models.spectrum_errors import SpectrumWithErrors

_PER_DECADE = 20


@dataclass(frozen=True)
class RangeFlux:
    """Between two energies [TeV]: flux [cm-2 s-1] and energy flux [erg cm-2 s-1], errors None where none are known."""

    e_min: float
    e_max: float
    flux: float
    flux_err: float | None
    eflux: float
    eflux_err: float | None


@dataclass(frozen=True, eq=False)
class FittedSpectrum:
    """Of one component: fluxes in ranges, and energy [TeV], dnde, dnde_err [cm-2 s-1 TeV-1], (n,) each; errors None."""

    fluxes: tuple[RangeFlux, ...]
    energy: Array
    dnde: Array
    dnde_err: Array | None


def fitted_spectra(
    models: Models, by_energy: ByEnergy | None, conventions: Conventions, ranges: Sequence[tuple[float, float]] | None
) -> dict[str, FittedSpectrum]:
    """By name, of all components that are seen and have a flux; ``ranges`` [TeV], by default the energies fitted."""
    fitted = {} if by_energy is None else dict(fitted_energies(by_energy))
    found = {}
    try:
        spectra = [s for s in SpectrumWithErrors.all_of(models, conventions) if s.component.name in fitted]
    except DataError:  # a template that cannot be read has been told
        return {}
    for spectrum in spectra:
        low, high = fitted[spectrum.component.name]
        energy = np.geomspace(low, high, max(int(np.ceil(_PER_DECADE * np.log10(high / low))), 1) + 1)
        fluxes = tuple(
            RangeFlux(*ends, *spectrum.flux(*ends), *spectrum.energy_flux(*ends))
            for ends in ([(low, high)] if ranges is None else ranges)
        )
        found[spectrum.component.name] = FittedSpectrum(fluxes, energy, *spectrum.dnde(energy))
    return found


def fitted_energies(by_energy: ByEnergy) -> Iterator[tuple[str, tuple[float, float]]]:
    """Between which energies [TeV] each component is fitted."""
    for name, component in by_energy.components.items():
        if component.row.size:
            low, high = by_energy.e_min[component.row].min(), by_energy.e_max[component.row].max()
            if high > low:
                yield name, (float(low), float(high))
