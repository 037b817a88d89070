"""Histograms of residuals, beside what chance would make of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array
from gm.figures.look import COLORS, Look
from gm.figures.residual_map import ResidualImage, joined

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "histogram of residuals: of energies, and of pixels of maps"


@final
@dataclass(frozen=True, eq=False)
class Residuals:
    """Of the energies of spectra and of what else has no image, in standard deviations, (n,)."""

    label: str
    values: Array


def draw(figure: Figure, parts: Sequence[Residuals | ResidualImage], look: Look) -> list[Axes]:
    """Densities; neighbouring pixels share counts, so that those of maps are not independent."""
    axes = figure.add_subplot()
    images = joined([part for part in parts if isinstance(part, ResidualImage)])
    found = [(part.label, part.values) for part in parts if isinstance(part, Residuals)]
    for image in images:
        values, is_fitted = image.significance(look.radius)
        found.append((f"{image.label}, pixels", values[is_fitted]))
    for number, (label, values) in enumerate(found):
        width = max(5.0, float(np.abs(values).max(initial=0.0)))
        edges = np.linspace(-width, width, int(2 * width / (0.25 if values.size > 400 else 1.0)) + 1)
        told = f"{label}: {values.mean():.2f} ± {values.std():.2f}" if values.size else label
        color = COLORS[number % len(COLORS)]
        density, _ = np.histogram(values, edges, density=bool(values.size))
        axes.stairs(density, edges, color=color, label=told, fill=number == 0, alpha=0.45 if number == 0 else 1.0)
    x = np.linspace(-5, 5, 201)
    axes.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=look.ink, linestyle="--", label="normal")
    axes.set(xlabel="Residual [$\\sigma$]", ylabel="Density")
    axes.set_ylim(top=1.4 * axes.get_ylim()[1])
    axes.legend(loc="upper left")
    return [axes]
