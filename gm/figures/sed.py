"""Spectral energy distributions: ``E^2 dN/dE`` of models with their bands, and of points."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.figures.labels import scale, with_unit
from gm.figures.look import Look, color_of, dash_of, marker_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "spectral energy distribution: models with bands, points, and sensitivities"


class Part(ABC):
    """What can be drawn into an SED."""

    label: str

    @abstractmethod
    def draw(self, axes: Axes, number: int, of_energy: float, of_flux: float) -> None:
        """As the one of that ``number``: energies times ``of_energy``, and ``E^2 dN/dE`` times ``of_flux``."""

    @abstractmethod
    def fluxes(self) -> Array:
        """The values (n,) of ``E^2 dN/dE`` [TeV cm-2 s-1] that axes should hold; some may be NaN."""


@final
@dataclass(frozen=True, eq=False)
class Band(Part):
    """A spectrum: energy [TeV], dnde and its standard deviation [cm-2 s-1 TeV-1], (n,) each; the last None."""

    label: str
    energy: Array
    dnde: Array
    dnde_err: Array | None

    def draw(self, axes: Axes, number: int, of_energy: float, of_flux: float) -> None:
        energy, square = of_energy * self.energy, of_flux * self.energy**2
        color = color_of(number)
        axes.plot(energy, square * self.dnde, color=color, linestyle=dash_of(number), label=self.label)
        if self.dnde_err is not None:
            low, high = (square * (self.dnde + sign * self.dnde_err) for sign in (-1, 1))
            tiny = 1e-6 * np.abs(square * self.dnde)
            axes.fill_between(energy, np.maximum(low, tiny), high, color=color, alpha=0.25, linewidth=0)

    def fluxes(self) -> Array:
        return self.energy**2 * self.dnde


@final
@dataclass(frozen=True, eq=False)
class Points(Part):
    """Flux points: energies [TeV], fluxes [cm-2 s-1 TeV-1], (n,) each, NaN where there is none; ``is_limit`` decides
    which are drawn as upper limits."""

    label: str
    e_ref: Array
    e_min: Array
    e_max: Array
    dnde: Array
    errn: Array
    errp: Array
    limit: Array
    is_limit: BoolArray

    def draw(self, axes: Axes, number: int, of_energy: float, of_flux: float) -> None:
        energy, square = of_energy * self.e_ref, of_flux * self.e_ref**2
        widths = np.array([energy - of_energy * self.e_min, of_energy * self.e_max - energy])
        shown = ~self.is_limit & np.isfinite(self.dnde)
        errors = np.nan_to_num(np.array([self.errn, self.errp]) * square)
        style = partial(axes.errorbar, color=color_of(number), linestyle="none", elinewidth=1.0)
        where, value = energy[shown], (square * self.dnde)[shown]
        style(where, value, yerr=errors[:, shown], xerr=widths[:, shown], marker=marker_of(number), label=self.label)
        limits = self.is_limit & np.isfinite(self.limit) & (self.limit > 0)
        where, value = energy[limits], (square * self.limit)[limits]
        style(where, value, yerr=0.4 * value, xerr=widths[:, limits], uplims=True, capsize=2, marker="_")

    def fluxes(self) -> Array:
        return np.asarray(self.e_ref**2 * np.array([np.where(self.is_limit, np.nan, self.dnde), self.limit]))


@final
@dataclass(frozen=True, eq=False)
class Sensitivity(Part):
    """The smallest flux that is found in each band: energies [TeV], fluxes [cm-2 s-1 TeV-1], (n,) each."""

    label: str
    e_ref: Array
    e_min: Array
    e_max: Array
    dnde: Array

    def draw(self, axes: Axes, number: int, of_energy: float, of_flux: float) -> None:
        energy, value = of_energy * self.e_ref, of_flux * self.e_ref**2 * self.dnde
        widths = np.array([energy - of_energy * self.e_min, of_energy * self.e_max - energy])
        color = color_of(number)
        axes.errorbar(energy, value, xerr=widths, color=color, linestyle="none", elinewidth=2.0, label=self.label)
        axes.plot(energy, value, color=color, linestyle=":", linewidth=1.0)

    def fluxes(self) -> Array:
        return self.e_ref**2 * self.dnde


def draw(figure: Figure, parts: Sequence[Part], look: Look) -> list[Axes]:
    """All models and points on one pair of axes."""
    axes = figure.add_subplot()
    draw_on(axes, parts, look)
    return [axes]


def draw_on(axes: Axes, parts: Sequence[Part], look: Look) -> None:
    """As `draw`, on axes that are there. Raises `UsageError` for a unit."""
    of_energy, of_flux = scale("TeV", look.energy), scale("TeV cm-2 s-1", look.flux)
    for number, part in enumerate(parts):
        part.draw(axes, number, of_energy, of_flux)
    axes.set(xscale="log", xlabel=with_unit("Energy", look.energy))
    axes.set_ylabel(with_unit("$E^2\\,\\mathrm{d}N/\\mathrm{d}E$", look.flux))
    values = np.concatenate([np.empty(0), *(of_flux * part.fluxes().ravel() for part in parts)])
    values = values[np.isfinite(values) & (values > 0)]
    if values.size:  # a band that widens without end takes no decades for itself
        axes.set(yscale="log", ylim=(max(values.min() / 3, values.max() * 1e-6), values.max() * 3))
    axes.legend()
