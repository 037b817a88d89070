"""Axes on the sky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gm.figures.look import Look
from gm.maps.geometry import WcsGeometry

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_NAMES = {"RA": "Right ascension", "GLON": "Galactic longitude", "DEC": "Declination", "GLAT": "Galactic latitude"}


def sky_axes(figure: Figure, place: tuple[int, int, int], geometry: WcsGeometry, look: Look) -> Axes:
    """Axes in degrees for an image on a pixel grid. ``place``: rows, columns and number of the panel."""
    from astropy.wcs import WCS

    axes: Any = figure.add_subplot(*place, projection=WCS(dict(geometry.cards)))
    axes.grid(visible=True, color=look.ink, alpha=0.2, linewidth=0.5)
    for coordinate, card in zip(axes.coords, ("CTYPE1", "CTYPE2"), strict=True):
        kind = str(geometry.cards[card]).split("-")[0]
        coordinate.set_axislabel(_NAMES.get(kind, kind))
        coordinate.set_ticks(number=4)
        coordinate.set_major_formatter("d.d")
    return axes  # type: ignore[no-any-return]
