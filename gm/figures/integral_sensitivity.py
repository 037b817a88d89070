"""Integral sensitivities: the smallest flux above each energy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from gm.arrays import Array
from gm.figures.labels import scale, with_unit
from gm.figures.look import Look, color_of, dash_of, marker_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "the smallest flux above each energy that is found"
_UNIT = "cm-2 s-1"


@final
@dataclass(frozen=True, eq=False)
class AboveEnergy:
    """energy : (n,) [TeV]; flux : (n,) [cm-2 s-1] above each."""

    label: str
    energy: Array
    flux: Array


def draw(figure: Figure, parts: Sequence[AboveEnergy], look: Look) -> list[Axes]:
    """All on one pair of axes."""
    axes, of_energy = figure.add_subplot(), scale("TeV", look.energy)
    for number, part in enumerate(parts):
        line = axes.plot(of_energy * part.energy, part.flux, color=color_of(number), label=part.label)[0]
        line.set(linestyle=dash_of(number), marker=marker_of(number))
    axes.set(xscale="log", yscale="log", xlabel=with_unit("Lowest energy", look.energy))
    axes.set_ylabel(with_unit("Flux above", _UNIT))
    axes.legend()
    return [axes]
