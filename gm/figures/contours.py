"""Contours of pairs of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from gm.arrays import Array
from gm.figures.labels import with_unit
from gm.figures.look import Look, color_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_TINY = float(np.finfo(np.float64).tiny)
HELP = "contours of pairs of parameters"


@final
@dataclass(frozen=True, eq=False)
class Contours:
    """parameters, units : of both axes; best : (2,); lines : rises of the statistic with points (n, 2)."""

    label: str
    parameters: tuple[str, str]
    units: tuple[str, str]
    best: Array
    lines: tuple[tuple[float, Array], ...]


def line_of(row: Mapping[str, Any]) -> Array:
    """Points (n, 2) of a contour in a document; where some are missing (n + 1, 2), open at the widest step: ends there,
    with a row that is no number."""
    points = np.array(row["points"], dtype=np.float64).reshape(-1, 2)
    if len(points) < 2 or "points are missing" not in (row.get("reason") or ""):
        return points
    steps = (np.roll(points, -1, axis=0) - points) / np.maximum(np.ptp(points, axis=0), _TINY)
    rolled = np.roll(points, -1 - int(np.argmax(np.hypot(*steps.T))), axis=0)
    return np.concatenate([rolled, np.full((1, 2), np.nan)])


def draw(figure: Figure, parts: Sequence[Contours], look: Look) -> list[Axes]:
    """One panel for each pair of parameters, with the contours of all results."""
    pairs: dict[tuple[str, str], list[Contours]] = {}
    for part in parts:
        pairs.setdefault(part.parameters, []).append(part)
    n_columns = min(len(pairs), 3)
    n_rows = -(-len(pairs) // n_columns)
    if len(pairs) > 1:
        figure.set_size_inches(4.2 * n_columns, 3.6 * n_rows)
    found = []
    for number, group in enumerate(pairs.values()):
        axes = figure.add_subplot(n_rows, n_columns, number + 1)
        for k, part in enumerate(group):
            _draw_one(axes, part, color_of(k))
        names = [with_unit(name, unit) for name, unit in zip(group[0].parameters, group[0].units, strict=True)]
        axes.set(xlabel=names[0], ylabel=names[1])
        found.append(axes)
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)  # above, where no contour is
    return found


def _draw_one(axes: Axes, part: Contours, color: str) -> None:
    styles = ("-", "--", ":", "-.")
    axes.plot(*part.best, "+", color=color, markersize=8)
    for style, (rise, points) in zip(styles, sorted(part.lines, key=lambda line: line[0]), strict=False):
        whole = np.isfinite(points).all(axis=1)
        closed = np.concatenate([points, points[:1]]) if whole.all() else points
        share = 100 * (1 - np.exp(-rise / 2))
        axes.plot(*closed.T, style, color=color, label=f"{part.label}, {share:.1f} %")
