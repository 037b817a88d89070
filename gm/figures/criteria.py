"""Alternatives for a model: how much worse than the best of them each is, by AIC and BIC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.look import COLORS, MARKERS, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "alternatives for a model, by AIC and BIC"
_STRONG = 10.0  # a difference that leaves little doubt (Burnham & Anderson 2002, chapter 2.6)


@final
@dataclass(frozen=True, eq=False)
class Criteria:
    """names : (n,) of the alternatives; aic, bic : (n,) above the lowest of each, NaN without a fit; weight : (n,)."""

    label: str
    names: tuple[str, ...]
    aic: Array
    bic: Array
    weight: Array


def apart(parts: Sequence[Criteria]) -> list[Sequence[Criteria]]:
    """A figure for each selection."""
    return [[part] for part in parts]


def draw(figure: Figure, parts: Sequence[Criteria], look: Look) -> list[Axes]:
    """A panel for each selection, one below the other, with Akaike's weights beside."""
    sizes = [len(part.names) for part in parts]
    figure.set_size_inches(6.4, sum(0.34 * n + 1.25 for n in sizes))
    grid = figure.add_gridspec(len(parts), 1, height_ratios=[n + 2 for n in sizes])
    return [_draw_one(figure.add_subplot(grid[k, 0]), part, look) for k, part in enumerate(parts)]


def _draw_one(axes: Axes, part: Criteria, look: Look) -> Axes:
    places = np.arange(len(part.names))
    for number, (name, values) in enumerate((("AIC", part.aic), ("BIC", part.bic))):
        shift = 0.14 * (2 * number - 1)
        axes.plot(values, places + shift, MARKERS[number], color=COLORS[number], label=name, zorder=3)
    axes.axvline(_STRONG, color=look.ink, linewidth=0.7, linestyle="--", alpha=0.6)
    axes.axvline(0, color=look.ink, linewidth=0.7)
    axes.set_xscale("symlog", linthresh=_STRONG, linscale=1.0)
    highest = max(2 * _STRONG, *(1.5 * float(np.nanmax(values, initial=0.0)) for values in (part.aic, part.bic)))
    axes.set(xlim=(-1, highest), xlabel="above the lowest", title=part.label)
    axes.set_yticks(places, part.names)
    axes.set_ylim(len(part.names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    for place, weight in zip(places.tolist(), part.weight.tolist(), strict=True):
        told = "no fit" if np.isnan(weight) else f"{weight:.2f}" if weight > 0.005 else f"{weight:.0e}"
        axes.annotate(told, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    axes.annotate("weight", (1.02, 1.0), (0, 4), "axes fraction", "offset points", fontsize=8)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 0.0))
    return axes
