"""Profiles on the sky: the excess per area in rings around a position, or in boxes along a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.labels import with_unit
from gm.figures.look import Look, color_of, dash_of, marker_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "excess per area in rings, or along a line"


@final
@dataclass(frozen=True, eq=False)
class SkyProfile:
    """distance_min, distance_max : (n,) [deg]; excess, error, predicted : (n,) [deg-2], NaN where there is none."""

    label: str
    distance_min: Array
    distance_max: Array
    excess: Array
    error: Array
    predicted: Array


def draw(figure: Figure, parts: Sequence[SkyProfile], look: Look) -> list[Axes]:
    """All on one pair of axes; what the source's model predicts as steps."""
    axes = figure.add_subplot()
    axes.axhline(0, color=look.ink, linewidth=0.7)
    for number, part in enumerate(parts):
        color, middle = color_of(number), 0.5 * (part.distance_min + part.distance_max)
        widths = np.array([middle - part.distance_min, part.distance_max - middle])
        draw_points = partial(axes.errorbar, color=color, linestyle="none", elinewidth=1.0, label=part.label)
        draw_points(middle, part.excess, yerr=np.nan_to_num(part.error), xerr=widths, marker=marker_of(number))
        if np.isfinite(part.predicted).any():
            edges = np.append(part.distance_min, part.distance_max[-1])
            axes.stairs(part.predicted, edges, color=color, linestyle=dash_of(number), baseline=None, label="model")
    axes.set(xlabel=with_unit("Distance", "deg"), ylabel=with_unit("Excess per area", "deg-2"))
    axes.legend()
    return [axes]
