"""The posterior of each parameter, and of each pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.labels import unit_label
from gm.figures.look import Look, color_of, dash_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "posterior of parameters and of pairs"
_MOST = 8  # parameters that have room
_BINS, _CELLS = 32, 24
_SHARES = (0.95, 0.68)


@final
@dataclass(frozen=True, eq=False)
class Draws:
    """names, units : of n parameters; draws : (n, draws); best : (n,) of the fit, NaN where unknown."""

    label: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    draws: Array
    best: Array


def draw(figure: Figure, parts: Sequence[Draws], look: Look) -> list[Axes]:
    """Histograms on the diagonal; below it regions that hold 68 and 95 % of the draws of a pair."""
    names = list(dict.fromkeys(name for part in parts for name in part.names))
    shown = [_Quantity.of(name, parts) for name in names[:_MOST]]
    n = len(shown)
    size = max(4.6, 2.3 * n)
    figure.set_size_inches(size, size)
    panels: dict[tuple[int, int], Axes] = {}
    for column in range(n):
        for row in range(column, n):
            axes = figure.add_subplot(n, n, row * n + column + 1, sharex=panels.get((column, column)))
            _panel(axes, parts, shown[column], shown[row])
            _finish(axes, shown[column], shown[row], is_left=column == 0, is_last=row == n - 1)
            panels[row, column] = axes
    if len(names) > n:
        figure.text(0.98, 0.9, f"{len(names) - n} more not shown", ha="right", color=look.ink)
    if len(parts) > 1:
        panels[0, 0].legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.05, 1.0))
    return list(panels.values())


@final
@dataclass(frozen=True)
class _Quantity:
    """One axis: numbers are shown in ``scale``, a power of ten, of the unit."""

    name: str
    unit: str
    scale: float

    @classmethod
    def of(cls, name: str, parts: Sequence[Draws]) -> _Quantity:
        found = [(part, part.names.index(name)) for part in parts if name in part.names]
        largest = max(float(np.abs(part.draws[k]).max()) for part, k in found)
        scale = 10.0 ** np.floor(np.log10(largest)) if largest and not 1e-2 <= largest < 1e4 else 1.0
        return cls(name, found[0][0].units[found[0][1]], scale)

    @property
    def label(self) -> str:
        power = "" if self.scale == 1 else f"$10^{{{round(np.log10(self.scale))}}}$"
        within = " ".join(filter(None, (power, unit_label(self.unit))))
        return f"{self.name}\n[{within}]" if within else self.name

    def within(self, part: Draws) -> tuple[Array, float]:
        """Draws and best value, scaled."""
        k = part.names.index(self.name)
        return part.draws[k] / self.scale, float(part.best[k]) / self.scale


def _panel(axes: Axes, parts: Sequence[Draws], across: _Quantity, up: _Quantity) -> None:
    """A histogram where both are one, else a pair."""
    for number, part in enumerate(parts):
        if across.name not in part.names or up.name not in part.names:
            continue
        color, (x, best_x), (y, best_y) = color_of(number), across.within(part), up.within(part)
        if across == up:
            axes.hist(x, bins=_BINS, density=True, histtype="step", color=color, label=part.label)
            axes.axvline(best_x, color=color, linewidth=0.8, linestyle=":")
            continue
        middles, density = _smooth(x, y)
        levels, dash = highest_density(density, _SHARES), dash_of(number)
        if levels:
            axes.contour(*middles, density.T, levels=levels, colors=color, linestyles=dash, linewidths=1.1)
        axes.plot(best_x, best_y, "+", color=color)


def _smooth(x: Array, y: Array) -> tuple[tuple[Array, Array], Array]:
    """Middles of cells, and the density of draws in them (n, m), smoothed by one cell."""
    from scipy.ndimage import gaussian_filter

    density, *edges = np.histogram2d(x, y, bins=_CELLS)
    middles = [0.5 * (edge[1:] + edge[:-1]) for edge in edges]
    return (middles[0], middles[1]), np.asarray(gaussian_filter(density, 1.0))


def highest_density(density: Array, shares: Sequence[float]) -> list[float]:
    """Levels above which cells of a histogram (n, m) hold these shares of all, rising, each once."""
    cells = np.sort(density.ravel())[::-1]
    held = np.cumsum(cells) / cells.sum()
    found = {float(cells[np.searchsorted(held, share)]) for share in shares}
    return sorted(level for level in found if 0 < level < cells[0])


def _finish(axes: Axes, across: _Quantity, up: _Quantity, *, is_left: bool, is_last: bool) -> None:
    axes.tick_params(labelsize=8)
    axes.tick_params(axis="x", labelrotation=45, labelbottom=is_last)
    if is_last:
        axes.set_xlabel(across.label, fontsize=8)
    if across == up:
        axes.set_yticks([])
    elif is_left:
        axes.set_ylabel(up.label, fontsize=8)
    else:
        axes.tick_params(axis="y", labelleft=False)
