"""Figures of a fit that is in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from gm.errors import UsageError
from gm.figures.look import look_of
from gm.figures.registry import parts_of, show_parts
from gm.figures.results import Result
from gm.figures.sed import Band
from gm.fit.spectra import fitted_energies
from gm.likelihood import ByEnergy
from gm.models import Models
from gm.models.spectrum_errors import SpectrumWithErrors
from gm.patterns import matching
from gm.units import convert

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_PER_DECADE = 20


class AsDocument(Protocol):
    """What is told as a document, such as `FluxPoints`."""

    def to_dict(self) -> dict[str, Any]:
        """The document."""


def plot_sed(
    models: Models, by_energy: ByEnergy | None, beside: Sequence[AsDocument], energy: object, look: Mapping[str, Any]
) -> Axes:
    """Spectra with bands of one standard deviation, and flux points; the axes.

    energy : two of them, by default those that were fitted. Raises `UsageError` where these are not known, where no
    component has a flux, and for what is no points.
    """
    chosen = look_of(**look)
    bands = list(_bands(models, by_energy, energy, chosen.components))
    results = [Result(kind_of(document), document, Path()) for document in (one.to_dict() for one in beside)]
    parts = [*bands, *parts_of(results, "sed", chosen)]
    if not parts:
        raise UsageError("no component has a flux: there is nothing to draw an SED of")
    return show_parts("sed", parts, chosen)


def kind_of(document: Mapping[str, Any]) -> str:
    """The kind of a result: ``flux-points`` of ``gm/flux-points/1``."""
    return str(document["schema"]).split("/")[1]


def _bands(models: Models, by_energy: ByEnergy | None, energy: object, components: Sequence[str]) -> Iterator[Band]:
    known = {} if by_energy is None else dict(fitted_energies(by_energy))
    asked = None if energy is None else _between(energy)
    spectra = {spectrum.component.name: spectrum for spectrum in SpectrumWithErrors.all_of(models)}
    for name in matching(spectra, components):
        ends = asked or known.get(name)
        if ends is None and by_energy is None:
            raise UsageError("between which energies? plot_sed(energy=('1 TeV', '10 TeV')), or Fit.run(by_energy=True)")
        if ends is not None:
            number = max(int(np.ceil(_PER_DECADE * np.log10(ends[1] / ends[0]))), 1) + 1
            energies = np.geomspace(*ends, number)
            yield Band(name, energies, *spectra[name].dnde(energies))


def _between(energy: Any) -> tuple[float, float]:
    """Two energies [TeV] with a unit or without. Raises `UsageError`."""
    ends = [convert(end, "TeV") for end in energy] if isinstance(energy, Sequence | np.ndarray) else []
    if len(ends) != 2 or not 0 < ends[0] < ends[1]:
        raise UsageError(f"energy is {energy!r}, expected two energies that increase, such as ('1 TeV', '10 TeV')")
    return ends[0], ends[1]
