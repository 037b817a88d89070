"""Residual maps: the significance of counts above what is predicted, in a disk around each pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import UsageError
from gm.figures.counts import significance
from gm.figures.look import Look
from gm.figures.sky import sky_axes
from gm.maps.geometry import WcsGeometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HELP = "significance of counts above the prediction, on the sky"


@final
@dataclass(frozen=True, eq=False)
class ResidualImage:
    """Counts and predictions summed over energies, (ny, nx), on a pixel grid."""

    label: str
    geometry: WcsGeometry
    counts: Array
    predicted: Array

    def significance(self, radius: float) -> tuple[Array, BoolArray]:
        """In a disk of ``radius`` [deg] around each pixel, in standard deviations, and which pixels are fitted."""
        scale = min(self.geometry.pixel_scales())
        counts, predicted = (_in_disk(image, radius / scale) for image in (self.counts, self.predicted))
        return significance(counts, predicted), self.predicted > 0


def apart(parts: Sequence[ResidualImage]) -> list[Sequence[ResidualImage]]:
    """One figure for each sky."""
    return [[part] for part in joined(parts)]


def draw(figure: Figure, parts: Sequence[ResidualImage], look: Look) -> list[Axes]:
    """One panel for each sky; images on the same pixels are summed first."""
    shown = joined(parts)
    n_columns = min(len(shown), 3)
    n_rows = -(-len(shown) // n_columns)
    figure.set_size_inches(5.2 * n_columns, 4.4 * n_rows)
    return [_draw_one(figure, (n_rows, n_columns, k + 1), part, look) for k, part in enumerate(shown)]


def _draw_one(figure: Figure, place: tuple[int, int, int], part: ResidualImage, look: Look) -> Axes:
    axes = sky_axes(figure, place, part.geometry, look)
    values, is_fitted = part.significance(look.radius)
    image = axes.imshow(
        np.where(is_fitted, values, np.nan), origin="lower", cmap="RdBu_r", vmin=-5, vmax=5, interpolation="nearest"
    )
    axes.set_title(part.label)
    bar = figure.colorbar(image, ax=axes, shrink=0.85, extend="both")
    bar.set_label(f"Residual [$\\sigma$] in disks of {look.radius:g}°")
    return axes


def joined(parts: Sequence[ResidualImage]) -> list[ResidualImage]:
    """Images whose pixels are the same, up to whole pixels, as one that holds them all."""
    groups: list[list[tuple[ResidualImage, tuple[int, int]]]] = []
    for part in parts:
        for group in groups:
            if (shift := part.geometry.offset_in(group[0][0].geometry)) is not None:
                group.append((part, shift))
                break
        else:
            groups.append([(part, (0, 0))])
    return [group[0][0] if len(group) == 1 else _sum(group) for group in groups]


def _sum(group: Sequence[tuple[ResidualImage, tuple[int, int]]]) -> ResidualImage:
    first = group[0][0]
    y_0, x_0 = (min(shift[k] for _, shift in group) for k in (0, 1))
    shape = tuple(max(shift[k] + part.counts.shape[k] for part, shift in group) - (y_0, x_0)[k] for k in (0, 1))
    counts, predicted = np.zeros(shape), np.zeros(shape)
    for part, (y, x) in group:
        n_y, n_x = part.counts.shape
        inside = slice(y - y_0, y - y_0 + n_y), slice(x - x_0, x - x_0 + n_x)
        counts[inside] += part.counts
        predicted[inside] += part.predicted
    cards = dict(first.geometry.cards)
    cards |= {"CRPIX1": float(cards["CRPIX1"]) - x_0, "CRPIX2": float(cards["CRPIX2"]) - y_0}
    label = f"{first.label} ... {group[-1][0].label} ({len(group)} datasets)"
    return ResidualImage(label, WcsGeometry((shape[0], shape[1]), cards), counts, predicted)


def _in_disk(image: Array, radius: float) -> Array:
    """Sums over the pixels whose centres are within ``radius`` pixels of each."""
    from scipy.signal import fftconvolve

    reach = int(radius)
    if reach > max(image.shape):
        raise UsageError(f"a radius of {radius:g} pixels is larger than the map")
    offset = np.arange(-reach, reach + 1)
    disk = (offset[:, None] ** 2 + offset**2 <= radius**2).astype(np.float64)
    summed = fftconvolve(image, disk, mode="same")
    return np.where(summed < 1e-9 * max(float(np.abs(summed).max()), 1e-300), 0.0, summed)
