"""Maps of the sky: the significance in each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.look import Look
from gm.figures.sky import sky_axes
from gm.maps.geometry import WcsGeometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "significance in each pixel of a map of the sky"
_LEAST, _TWO_SIDED = 5.0, 8.0


@final
@dataclass(frozen=True, eq=False)
class SkyImage:
    """Significances (ny, nx) on a pixel grid, NaN where there is none; ``marks`` : places on it, each with its
    name, and column and row of a pixel."""

    label: str
    geometry: WcsGeometry
    values: Array
    marks: tuple[tuple[str, float, float], ...] = ()


def apart(parts: Sequence[SkyImage]) -> list[Sequence[SkyImage]]:
    """One figure for each map."""
    return [[part] for part in parts]


def draw(figure: Figure, parts: Sequence[SkyImage], look: Look) -> list[Axes]:
    """One panel for each map and band of energies."""
    n_columns = min(len(parts), 3)
    n_rows = -(-len(parts) // n_columns)
    figure.set_size_inches(5.2 * n_columns, 4.4 * n_rows)
    return [_draw_one(figure, (n_rows, n_columns, k + 1), part, look) for k, part in enumerate(parts)]


def _draw_one(figure: Figure, place: tuple[int, int, int], part: SkyImage, look: Look) -> Axes:
    """Diverging colours about 0 where nothing stands far out, else a scale that shows the brightest."""
    from matplotlib.patheffects import withStroke

    axes = sky_axes(figure, place, part.geometry, look)
    highest = max(_LEAST, float(np.nanmax(np.abs(part.values), initial=0.0)))
    low, colors = (-highest, "RdBu_r") if highest <= _TWO_SIDED else (-_LEAST, "inferno")
    image = axes.imshow(part.values, origin="lower", cmap=colors, vmin=low, vmax=highest, interpolation="nearest")
    for name, column, row in part.marks:
        axes.plot(
            column, row, "o", markersize=9, markerfacecolor="none", markeredgecolor="#ffffff", markeredgewidth=2.2
        )
        axes.plot(
            column, row, "o", markersize=9, markerfacecolor="none", markeredgecolor="#1a1a1a", markeredgewidth=1.0
        )
        told = axes.annotate(name, (column, row), (7, 4), textcoords="offset points", color="#1a1a1a", fontsize=8)
        told.set_path_effects([withStroke(linewidth=2.0, foreground="#ffffff")])
    axes.set_title(part.label)
    figure.colorbar(image, ax=axes, shrink=0.85, label="Significance [$\\sigma$]")
    return axes
