"""Goodness of fit: where the data lie among simulations of their own best fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

from gm.figures.look import Look, color_of, marker_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "the statistic of each dataset among simulations of the best fit"
_SHOWN = 25


@final
@dataclass(frozen=True)
class Standing:
    """names : of datasets, or of all together; distance : of the deviance that was observed from the mean of the
    simulations, in their standard deviations; share : of simulations with a higher one, of how many ``n``."""

    label: str
    names: tuple[str, ...]
    distance: tuple[float, ...]
    share: tuple[float, ...]
    n: int


def draw(figure: Figure, parts: Sequence[Standing], look: Look) -> list[Axes]:
    """A row for each dataset, those that fit worst first; the share of simulations that fit worse beside it."""
    rows = list(dict.fromkeys(name for part in parts for name in _worst(part)))
    figure.set_size_inches(6.4, 0.3 * len(rows) + 1.3 + 0.2 * (len(parts) > 1))
    axes = figure.add_subplot()
    for sigma, alpha in ((2, 0.06), (1, 0.08)):
        axes.axvspan(-sigma, sigma, color=look.ink, alpha=alpha, linewidth=0)
    axes.axvline(0, color=look.ink, linewidth=0.7)
    for number, part in enumerate(parts):
        known = dict(zip(part.names, zip(part.distance, part.share, strict=True), strict=True))
        mine = [name for name in rows if name in known]
        places = [rows.index(name) + 0.25 * (number - (len(parts) - 1) / 2) for name in mine]
        axes.plot(
            [known[name][0] for name in mine], places, marker_of(number), color=color_of(number), label=part.label
        )
        for name, place in zip(mine, places, strict=True):
            told = _percent(known[name][1], part.n)
            axes.annotate(told, (1.02, place), xycoords=("axes fraction", "data"), va="center", fontsize=8)
    reach = max(3.0, *(1.15 * abs(value) for part in parts for value in part.distance))
    axes.set(xlim=(-reach, reach), xlabel="(observed - simulated) / width of the simulations")
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.annotate("higher", (1.02, 1.0), (0, 4), "axes fraction", "offset points", fontsize=8)
    if len(parts) > 1:
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(parts))
    return [axes]


def _worst(part: Standing) -> list[str]:
    """All together, then those whose observed value is highest."""
    order = sorted(range(1, len(part.names)), key=lambda k: -part.distance[k])
    return [part.names[k] for k in [0, *order][:_SHOWN]]


def _percent(share: float, n: int) -> str:
    """Of simulations; below one of them as a limit."""
    return f"{100 * share:.3g} %" if share > 0 else f"< {100 / max(n, 1):.2g} %"
