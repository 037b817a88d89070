"""Sources that were found: where they are, how well that is known, and which of them were kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.figures.look import COLORS, Look

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "positions of sources that were found, with their errors"
_R68 = float(np.sqrt(-2 * np.log(1 - 0.68)))  # half axes of an ellipse that holds 68 %, in standard deviations


@final
@dataclass(frozen=True, eq=False)
class Found:
    """names : (n,); place : (2, n) longitudes and latitudes [deg] in the ``frame``; kept : (n,)
    ellipse : (3, n) half axes of standard deviations and angles of the longer from north to east [deg], NaN for none
    """

    label: str
    frame: str
    names: tuple[str, ...]
    place: Array
    ellipse: Array
    kept: BoolArray


def apart(parts: Sequence[Found]) -> list[Sequence[Found]]:
    """A figure for each search."""
    return [[part] for part in parts]


def draw(figure: Figure, parts: Sequence[Found], look: Look) -> list[Axes]:
    """A panel for each search."""
    figure.set_size_inches(5.2 * len(parts), 4.6)
    return [_draw_one(figure.add_subplot(1, len(parts), k + 1), part, look) for k, part in enumerate(parts)]


def _draw_one(axes: Axes, part: Found, look: Look) -> Axes:
    """East to the left, as on the sky; ellipses that hold 68 %."""
    lon, lat = np.rad2deg(np.unwrap(np.deg2rad(part.place[0]))), part.place[1]
    stretch = 1.0 / max(np.cos(np.deg2rad(lat.mean())), 1e-3)
    for is_kept, color, marker, word in ((True, COLORS[0], "o", "kept"), (False, COLORS[1], "x", "not kept")):
        mine = np.flatnonzero(part.kept == is_kept)
        if mine.size:
            axes.plot(lon[mine], lat[mine], marker, color=color, linestyle="none", label=word)
    for k, name in enumerate(part.names):
        axes.annotate(name, (lon[k], lat[k]), (6, 5), textcoords="offset points", fontsize=8)
        east, north = _outline(*part.ellipse[:, k].tolist())
        axes.plot(lon[k] + stretch * east, lat[k] + north, color=look.ink, linewidth=0.9)
    width = max(float(np.ptp(lon)) / stretch, float(np.ptp(lat)), 0.2)
    middle = 0.5 * (lon.min() + lon.max()), 0.5 * (lat.min() + lat.max())
    axes.set_xlim(middle[0] + 0.7 * stretch * width, middle[0] - 0.7 * stretch * width)
    axes.set_ylim(middle[1] - 0.7 * width, middle[1] + 0.7 * width)
    axes.set_aspect(stretch)
    axes.ticklabel_format(useOffset=False)
    words = (
        ("Galactic longitude", "Galactic latitude") if part.frame == "galactic" else ("Right ascension", "Declination")
    )
    axes.set(title=part.label, xlabel=f"{words[0]} [deg]", ylabel=f"{words[1]} [deg]")
    axes.legend()
    return axes


def _outline(major: float, minor: float, angle: float) -> tuple[Array, Array]:
    """East and north of its centre [deg]; NaN where there is no ellipse."""
    turn, tilt = np.linspace(0, 2 * np.pi, 73), np.deg2rad(angle)
    along, across = _R68 * major * np.cos(turn), _R68 * minor * np.sin(turn)
    return along * np.sin(tilt) + across * np.cos(tilt), along * np.cos(tilt) - across * np.sin(tilt)
