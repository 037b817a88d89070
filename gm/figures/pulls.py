"""Pulls of toys: how far fits are from the truth, in errors of their own, beside a normal distribution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.look import COLORS, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "pulls of the parameters in toys"
_SHOWN = 12  # panels
_COLUMNS = 3
_REACH = 4.0


@final
@dataclass(frozen=True, eq=False)
class Pulls:
    """Of one parameter, (n,); its mean and width with their errors."""

    label: str
    values: Array
    mean: tuple[float, float]
    width: tuple[float, float]


def draw(figure: Figure, parts: Sequence[Pulls], look: Look) -> list[Axes]:
    """A panel for each parameter, those first whose pulls are furthest from normal."""
    shown = sorted(parts, key=_deviation, reverse=True)[:_SHOWN]
    n_columns = min(len(shown), _COLUMNS)
    n_rows = -(-len(shown) // n_columns)
    figure.set_size_inches(3.4 * n_columns + 0.6, 2.9 * n_rows + 0.3)
    found = [_draw_one(figure.add_subplot(n_rows, n_columns, k + 1), part, look) for k, part in enumerate(shown)]
    for axes in found[::n_columns]:
        axes.set_ylabel("Toys")
    if len(parts) > len(shown):
        figure.supxlabel(f"and {len(parts) - len(shown)} more parameters, nearer to normal", fontsize=8)
    return found


def _draw_one(axes: Axes, part: Pulls, look: Look) -> Axes:
    values = part.values[np.isfinite(part.values)]
    step = 0.5 if values.size < 1000 else 0.25
    edges = np.arange(-_REACH, _REACH + step / 2, step)
    inside = np.clip(values, -_REACH, _REACH)
    axes.stairs(np.histogram(inside, edges)[0], edges, color=COLORS[0], fill=True, alpha=0.45)
    x = np.linspace(-_REACH, _REACH, 161)
    normal = values.size * step * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    axes.plot(x, normal, color=look.ink, linestyle="--")
    (mean, mean_error), (width, width_error) = part.mean, part.width
    told = f"mean {mean:.2f} ± {mean_error:.2f}\nwidth {width:.2f} ± {width_error:.2f}"
    axes.set_ylim(0, 1.45 * max(axes.get_ylim()[1], float(normal.max(initial=0.0))))
    axes.text(0.04, 0.96, told, transform=axes.transAxes, va="top", fontsize=8)
    axes.set(title=part.label, xlabel="(fit - truth) / error", xlim=(-_REACH, _REACH))
    return axes


def _deviation(part: Pulls) -> float:
    """In standard deviations."""
    pairs = (part.mean[0], part.mean[1]), (part.width[0] - 1.0, part.width[1])
    return max((abs(value) / error for value, error in pairs if error > 0), default=0.0)
