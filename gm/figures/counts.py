"""Counts by energy with what is predicted, and residuals below; many datasets on the same energies are summed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.labels import scale, with_unit
from gm.figures.look import COLORS, Look, color_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "counts, predictions and residuals by energy"
_WIDTH = 32  # letters in a panel
_MORE = " and "
_PANELS = 6  # of datasets; more are summed where they have the same energies


@final
@dataclass(frozen=True, eq=False)
class Counts:
    """Of one dataset, or of several summed: edges [TeV], counts, predictions, residuals [standard deviations], (n,).

    of : what ``predicted`` is, ``background`` of data without a model
    """

    label: str
    e_min: Array
    e_max: Array
    counts: Array
    predicted: Array
    background: Array
    residual: Array
    components: dict[str, Array]
    of: str = "predicted"

    @property
    def key(self) -> bytes:
        """What datasets have in common that can be summed."""
        return self.e_min.tobytes() + self.e_max.tobytes()


def apart(parts: Sequence[Counts]) -> list[Sequence[Counts]]:
    """One figure for each dataset, or sum of them."""
    return [[part] for part in _shown(parts)]


def _shown(parts: Sequence[Counts]) -> Sequence[Counts]:
    """Some datasets, or many summed as far as they can be."""
    return parts if len(parts) <= _PANELS else _summed(parts)


def draw(figure: Figure, parts: Sequence[Counts], look: Look) -> list[Axes]:
    """Two panels, above each other, for each dataset or sum."""
    shown = _shown(parts)
    n_columns = len(shown) if len(shown) < 4 else -(-len(shown) // 2)
    n_rows = -(-len(shown) // n_columns)
    if len(shown) > 1:
        figure.set_size_inches(3.9 * n_columns, 3.6 * n_rows)
    found: list[Axes] = []
    grid = figure.add_gridspec(2 * n_rows, n_columns, height_ratios=[3, 1] * n_rows)
    for number, part in enumerate(shown):
        row, column = divmod(number, n_columns)
        top = figure.add_subplot(grid[2 * row, column])
        below = figure.add_subplot(grid[2 * row + 1, column], sharex=top)
        _draw_counts(top, part, look)
        _draw_residuals(below, part, look)
        top.tick_params(labelbottom=False)
        found += [top, below]
    named = {name: line for axes in found for line, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    columns = min(len(named), 5 if len(shown) > 1 else 4)  # beside the panels, where nothing is drawn
    figure.legend(list(named.values()), list(named), loc="outside upper center", ncols=columns)
    figure.align_ylabels(found)
    return found


def _draw_counts(axes: Axes, part: Counts, look: Look) -> None:
    unit = scale("TeV", look.energy)
    edges = unit * np.append(part.e_min, part.e_max[-1:])
    lines = {part.of: part.predicted, **part.components, "background": part.background}
    for number, (name, values) in enumerate(lines.items()):
        if name == part.of or (len(lines) < len(COLORS) + 1 and values.any()):
            style = {"background": ":", part.of: "-"}.get(name, "--")
            axes.stairs(values, edges, color=color_of(number), linestyle=style, label=name, baseline=None)
    center = unit * np.sqrt(part.e_min * part.e_max)
    seen = part.counts > 0
    low, high = _poisson_errors(part.counts)
    axes.errorbar(
        center[seen], part.counts[seen], yerr=[low[seen], high[seen]], fmt="o", color=look.ink, markersize=3.5,
        elinewidth=1.0, label="counts",
    )  # fmt: skip
    axes.set(xscale="log", yscale="log", ylabel="Counts per bin")
    label = axes.text(0.97, 0.95, _in_lines(part.label), transform=axes.transAxes, ha="right", va="top")
    label.set_in_layout(False)  # names take no room of the panel
    top = max(float(part.counts.max(initial=1.0)), float(part.predicted.max(initial=0.0)))
    least = min([top, *part.counts[seen].tolist(), *part.predicted[part.predicted > 0].tolist()])
    axes.set_ylim(max(0.5 * least, 1e-4 * top), 5 * top)


def _in_lines(label: str) -> str:
    """A long name shortened in its middle, and how many are summed below it."""
    name, _, more = label.partition(_MORE)
    short = name if len(name) <= _WIDTH else f"{name[: _WIDTH - 15]}...{name[-12:]}"
    whole = f"{short}{_MORE}{more}" if more else short
    return whole if len(whole) <= _WIDTH else whole.replace(_MORE, f"\n{_MORE[1:]}")


def _draw_residuals(axes: Axes, part: Counts, look: Look) -> None:
    unit = scale("TeV", look.energy)
    center = unit * np.sqrt(part.e_min * part.e_max)
    axes.axhline(0.0, color=look.ink, linewidth=0.8)
    axes.axhspan(-1, 1, color=COLORS[0], alpha=0.12, linewidth=0)
    widths = [center - unit * part.e_min, unit * part.e_max - center]
    axes.errorbar(center, part.residual, xerr=widths, yerr=1.0, fmt="o", color=look.ink, markersize=3, elinewidth=0.9)
    what = "Excess" if part.of == "background" else "Residual"
    largest = max(3.5, float(np.nanmax(np.abs(part.residual), initial=0.0)) + 1.5)
    axes.set(
        xscale="log", ylim=(-largest, largest), xlabel=with_unit("Energy", look.energy), ylabel=f"{what} [$\\sigma$]"
    )


def _poisson_errors(counts: Array) -> tuple[Array, Array]:
    """Lower and upper, after Gehrels, 1986, ApJ 303, 336, equations 7 and 12."""
    upper = 1.0 + np.sqrt(counts + 0.75)
    n = np.maximum(counts, 1.0)
    lower = np.where(counts > 0, counts - n * (1.0 - 1.0 / (9.0 * n) - 1.0 / (3.0 * np.sqrt(n))) ** 3, 0.0)
    return np.minimum(lower, 0.999 * counts), upper


def _summed(parts: Sequence[Counts]) -> list[Counts]:
    """Those with the same energies summed; residuals of sums are those of Poisson counts."""
    groups: dict[bytes, list[Counts]] = {}
    for part in parts:
        groups.setdefault(part.key, []).append(part)
    return [group[0] if len(group) == 1 else _sum(group) for group in groups.values()]


def _sum(group: Sequence[Counts]) -> Counts:
    counts, predicted, background = (
        np.sum([getattr(part, name) for part in group], axis=0) for name in ("counts", "predicted", "background")
    )
    names = dict.fromkeys(name for part in group for name in part.components)
    zero = np.zeros_like(counts)
    components = {name: np.sum([part.components.get(name, zero) for part in group], axis=0) for name in names}
    label = f"{group[0].label}{_MORE}{len(group) - 1} more"
    residual = significance(counts, predicted)
    of = group[0].of
    return Counts(label, group[0].e_min, group[0].e_max, counts, predicted, background, residual, components, of)


def significance(counts: Array, predicted: Array) -> Array:
    """Signed root of the deviance of Poisson counts, in the same shape; 0 where nothing is predicted."""
    mu = np.where(predicted > 0, predicted, 1.0)
    deviance = 2.0 * (mu - counts + counts * np.log(np.where(counts > 0, counts, mu) / mu))
    return np.where(predicted > 0, np.sign(counts - mu) * np.sqrt(np.maximum(deviance, 0.0)), 0.0)
