"""Profiles of the statistic along one parameter, and surfaces along two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.labels import with_unit
from gm.figures.look import Look, color_of, dash_of, marker_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "profiles of the statistic"
_SHOWN = 12.0


@final
@dataclass(frozen=True, eq=False)
class ProfileLine:
    """names, units : of one axis or two; values : of each; rise : (n,) or (n_1, n_2) of the statistic, NaN where a fit
    failed; best : of each axis, NaN where unknown."""

    label: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    values: tuple[Array, ...]
    rise: Array
    best: Array

    def __post_init__(self) -> None:
        if self.rise.shape != tuple(axis.size for axis in self.values):
            raise ValueError(f"{self.label}: {self.rise.shape} rises for {[axis.size for axis in self.values]} values")


def draw(figure: Figure, parts: Sequence[ProfileLine], look: Look) -> list[Axes]:
    """One panel for each set of axes."""
    panels: dict[tuple[str, ...], list[ProfileLine]] = {}
    for part in parts:
        panels.setdefault(part.names, []).append(part)
    n_columns = min(len(panels), 3)
    n_rows = -(-len(panels) // n_columns)
    if len(panels) > 1:
        figure.set_size_inches(4.2 * n_columns, 3.6 * n_rows)
    found = []
    for number, group in enumerate(panels.values()):
        axes = figure.add_subplot(n_rows, n_columns, number + 1)
        one_or_two = _draw_line if len(group[0].names) == 1 else _draw_surface
        for k, part in enumerate(group):
            one_or_two(axes, part, k, look)
        if len(group[0].names) == 1:
            _finish(axes, group, look)
        found.append(axes)
    return found


def _draw_line(axes: Axes, part: ProfileLine, number: int, look: Look) -> None:
    color, marker = color_of(number), marker_of(number)
    axes.plot(
        part.values[0], part.rise, color=color, linestyle=dash_of(number), marker=marker, markersize=3, label=part.label
    )
    axes.axvline(float(part.best[0]), color=color, linewidth=0.8, linestyle=":")


def _finish(axes: Axes, group: Sequence[ProfileLine], look: Look) -> None:
    """Levels, and the part of the axes that holds a little more than three standard deviations."""
    highest = max(float(np.nanmax(part.rise, initial=0.0)) for part in group)
    for sigma in (1, 2, 3):
        if sigma**2 <= highest:
            axes.axhline(sigma**2, color=look.ink, linewidth=0.7, linestyle="--", alpha=0.6)
            place = ("axes fraction", "data")
            axes.annotate(
                f"${sigma}\\,\\sigma$", (1.0, sigma**2), (4, 0), place, "offset points", ha="left", va="center"
            )
    near = [part.values[0][part.rise < _SHOWN] for part in group]
    ends = np.concatenate([np.empty(0), *near])
    if highest > _SHOWN and ends.size:
        margin = 0.2 * max(float(np.ptp(ends)), float(np.ptp(group[0].values[0])) / 20)
        axes.set_xlim(ends.min() - margin, ends.max() + margin)
    axes.set(xlabel=with_unit(group[0].names[0], group[0].units[0]), ylabel="$\\Delta(-2\\ln L)$")
    lowest = min(float(np.nanmin(part.rise, initial=0.0)) for part in group)
    axes.set_ylim(lowest, min(1.1 * highest, _SHOWN) if highest > lowest else lowest + 1)
    axes.legend(fontsize=8.5 if len(group) < 8 else 6, frameon=True, facecolor=look.paper, edgecolor="none")


def _draw_surface(axes: Axes, part: ProfileLine, number: int, look: Look) -> None:
    x, y = part.values
    image = axes.pcolormesh(x, y, part.rise.T, cmap="cividis_r", vmin=0, vmax=12, shading="nearest", rasterized=True)
    levels = [level for level in (2.30, 6.18, 11.83) if level < np.nanmax(part.rise, initial=0.0)]
    if levels:
        axes.contour(x, y, part.rise.T, levels=levels, colors="#ffffff", linewidths=1.0)
    axes.plot(*part.best, "+", color="#ffffff")
    axes.set(xlabel=with_unit(part.names[0], part.units[0]), ylabel=with_unit(part.names[1], part.units[1]))
    axes.figure.colorbar(image, ax=axes, label="$\\Delta(-2\\ln L)$")
