"""Light curves: the flux in bins of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.figures.labels import with_unit
from gm.figures.look import Look, color_of, marker_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "flux in bins of time, with upper limits"


@final
@dataclass(frozen=True, eq=False)
class Flux:
    """Bins between ``start`` and ``stop`` [MJD, UTC] with the flux, its errors and its limit [cm-2 s-1], (n,) each."""

    label: str
    start: Array
    stop: Array
    flux: Array
    errn: Array
    errp: Array
    limit: Array
    is_limit: BoolArray

    def mean(self) -> float:
        """The constant that fits best the fluxes that are no limits; NaN without any."""
        weight = np.where(self.is_limit, np.nan, 2.0 / (self.errn**2 + self.errp**2))
        return float(np.nansum(weight * self.flux) / np.nansum(weight)) if np.isfinite(weight).any() else np.nan


def draw(figure: Figure, parts: Sequence[Flux], look: Look) -> list[Axes]:
    """One panel that all light curves share; a thin line is the constant that fits best."""
    if len(parts[0].start) > 8:
        figure.set_size_inches(7.5, 4.0)
    axes = figure.add_subplot()
    for number, part in enumerate(parts):
        _draw_one(axes, part, number)
    axes.set(xlabel="Time [MJD, UTC]", ylabel=with_unit("Flux", "cm-2 s-1"))
    axes.ticklabel_format(axis="x", useOffset=False)
    axes.locator_params(axis="x", nbins=5)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, 0.0), high)
    figure.legend(loc="outside upper center", ncols=2)  # beside what is drawn
    return [axes]


def _draw_one(axes: Axes, part: Flux, number: int) -> None:
    color, middle, half = color_of(number), (part.start + part.stop) / 2, (part.stop - part.start) / 2
    seen = ~part.is_limit
    axes.errorbar(
        middle[seen],
        part.flux[seen],
        xerr=half[seen],
        yerr=np.stack([part.errn, part.errp])[:, seen],
        color=color,
        marker=marker_of(number),
        linestyle="none",
        label=part.label,
    )
    axes.errorbar(
        middle[part.is_limit],
        part.limit[part.is_limit],
        xerr=half[part.is_limit],
        yerr=0.12 * part.limit[part.is_limit],
        uplims=True,
        color=color,
        linestyle="none",
        marker="none",
        capsize=2.5,
        label=None if seen.any() else part.label,
    )
    axes.axhline(part.mean(), color=color, linewidth=0.8, linestyle=":")
