"""A position, read from its document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.output import paint
from gm.cli.tables import number, table


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """Position, ellipse and radii of a ``gm/localize/1`` document."""
    status = paint(str(document["status"]), "green" if document["status"] == "ok" else "red", color)
    head = [f"{document['name']}: {document['source']}, exact conventions   {status}", f"  {document['message']}"]
    place, ellipse = document["position"], document.get("ellipse")
    if ellipse is None:
        return head
    lon, lat = f"{place['lon']:.5f}", f"{place['lat']:+.5f}"
    errors = [number(place[key], 3) for key in ("lon_err", "lat_err", "moved")]
    rows = [[lon, errors[0], lat, errors[1], errors[2]]]
    axes = f"  ellipse of 1 sigma: {ellipse['major']:.3g} x {ellipse['minor']:.3g} deg, "
    radii = ", ".join(f"{key} {document[key]:.3g}" for key in ("r68", "r95", "r99"))
    return [
        *head,
        "",
        *table([f"lon ({place['frame']})", "error", "lat", "error", "moved"], rows),
        f"{axes}{ellipse['angle']:.0f} deg from north to east; {radii} deg",
    ]
