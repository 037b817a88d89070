"""Impacts of nuisances on a parameter, with their pulls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.labels import with_unit
from gm.figures.look import COLORS, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "impacts of nuisances on a parameter, and their pulls"
_SHOWN = 25  # nuisances, those with the largest impacts


@final
@dataclass(frozen=True, eq=False)
class ImpactBars:
    """names : (n,) of the nuisances, the largest impact first; pull, constraint : (n,) in widths of the prior;
    post_fit, pre_fit : (n, 2) shifts of the ``parameter`` in its unit, down and up; NaN for what there is not."""

    label: str
    parameter: str
    unit: str
    names: tuple[str, ...]
    pull: Array
    constraint: Array
    post_fit: Array
    pre_fit: Array


def apart(parts: Sequence[ImpactBars]) -> list[Sequence[ImpactBars]]:
    """Each parameter has a figure of its own on a page."""
    return [[part] for part in parts]


def draw(figure: Figure, parts: Sequence[ImpactBars], look: Look) -> list[Axes]:
    """A row of panels for each parameter: pulls where nuisances have priors, and impacts."""
    shown = [min(len(part.names), _SHOWN) for part in parts]
    has_pulls = any(np.isfinite(part.pull).any() for part in parts)
    figure.set_size_inches(7.2 if has_pulls else 5.6, sum(0.26 * n + 1.3 for n in shown))
    widths = [1.0, 2.4] if has_pulls else [1.0]
    grid = figure.add_gridspec(len(parts), len(widths), width_ratios=widths, height_ratios=[n + 3 for n in shown])
    found: list[Axes] = []
    for row, part in enumerate(parts):
        panels = [figure.add_subplot(grid[row, column]) for column in range(len(widths))]
        if has_pulls:
            _draw_pulls(panels[0], part, look)
        _draw_impacts(panels[-1], part, look)
        for column, axes in enumerate(panels):
            _finish(axes, part, is_first=column == 0)
        found += panels
    return found


def _draw_pulls(axes: Axes, part: ImpactBars, look: Look) -> None:
    n = min(len(part.names), _SHOWN)
    axes.axvspan(-1, 1, color=look.ink, alpha=0.08, linewidth=0)
    axes.axvline(0, color=look.ink, linewidth=0.7)
    error = np.nan_to_num(part.constraint[:n])
    axes.errorbar(part.pull[:n], np.arange(n), xerr=error, fmt="o", color=look.ink, markersize=4)
    reach = max(1.5, 1.1 * float(np.nanmax(np.abs(part.pull[:n]) + error, initial=0.0)))
    axes.set(xlim=(-reach, reach), xlabel="pull [prior widths]")


def _draw_impacts(axes: Axes, part: ImpactBars, look: Look) -> None:
    """Solid bars after the fit, outlines before it."""
    n = min(len(part.names), _SHOWN)
    places = np.arange(n)
    axes.axvline(0, color=look.ink, linewidth=0.7)
    for side, color, word in ((0, COLORS[5], "down"), (1, COLORS[1], "up")):
        shift = np.nan_to_num(part.post_fit[:n, side])
        axes.barh(places, shift, height=0.62, color=color, label=f"post-fit, nuisance {word}")
        before = part.pre_fit[:n, side]
        if np.isfinite(before).any():
            label = f"pre-fit, nuisance {word}"
            axes.barh(places, np.nan_to_num(before), height=0.82, fill=False, edgecolor=color, label=label)
    axes.set(xlabel=f"shift of {with_unit(part.parameter, part.unit)}")
    axes.ticklabel_format(axis="x", style="sci", scilimits=(-2, 3), useMathText=True)
    n_labels = len(axes.get_legend_handles_labels()[0])
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=7.5 if n_labels > 2 else 8.5)


def _finish(axes: Axes, part: ImpactBars, *, is_first: bool) -> None:
    names = part.names[:_SHOWN]
    axes.set_yticks(range(len(names)), names if is_first else [""] * len(names))
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    left_out = len(part.names) - len(names)
    if left_out and is_first:
        axes.annotate(
            f"{left_out} more with smaller impacts", (0, 0), (0, -34), "axes fraction", "offset points", fontsize=7
        )
