"""The correlation matrix of free parameters, or of flux points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.look import Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "correlation matrix of the free parameters, or of flux points"
_WRITTEN = 12  # parameters, up to which numbers are written into the cells


@final
@dataclass(frozen=True, eq=False)
class Correlation:
    """names : (n,) of parameters or points; matrix : (n, n)."""

    label: str
    names: tuple[str, ...]
    matrix: Array


def draw(figure: Figure, parts: Sequence[Correlation], look: Look) -> list[Axes]:
    """One matrix for each result."""
    longest = max(len(name) for part in parts for name in part.names)
    size = max(1.6, 0.36 * max(len(part.names) for part in parts))
    figure.set_size_inches((size + 0.09 * longest + 1.6) * len(parts), size + 0.07 * longest + 0.6)
    return [_draw_one(figure, (1, len(parts), k + 1), part) for k, part in enumerate(parts)]


def _draw_one(figure: Figure, place: tuple[int, int, int], part: Correlation) -> Axes:
    axes, n = figure.add_subplot(*place), len(part.names)
    image = axes.imshow(part.matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set_xticks(range(n), part.names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(n), part.names)
    axes.tick_params(top=False, right=False, length=0)
    axes.grid(visible=False)
    if n <= _WRITTEN:
        for (row, column), value in np.ndenumerate(part.matrix):
            color = "#ffffff" if abs(value) > 0.6 else "#1a1a1a"
            axes.text(column, row, f"{round(value, 2) + 0.0:.2f}", ha="center", va="center", color=color, fontsize=8)
    figure.colorbar(image, ax=axes, label="Correlation", shrink=0.85)
    return axes
