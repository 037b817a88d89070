"""A position, read from its document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import number, table
from gm.readable import degrees


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """Position, ellipse and radii of a ``gm/localize/1`` document."""
    status = paint(str(document["status"]), "green" if document["status"] == "ok" else "red", color)
    head = [f"{document['name']}: {document['source']}, exact conventions   {status}", f"  {document['message']}"]
    place, ellipse = document["position"], document.get("ellipse")
    if place is None:
        return head
    errors = [number(place[key], 3) for key in ("lon_err", "lat_err", "moved")]
    row = [degrees(place["lon"]), errors[0], degrees(place["lat"], "+.5f"), *errors[1:]]
    told = [*head, "", *table([f"lon ({place['frame']})", "error", "lat", "error", "moved"], [row])]
    if ellipse is None:
        return told
    axes = f"  ellipse of 1 sigma: {degrees(ellipse['major'], '.3g')} x {degrees(ellipse['minor'], '.3g')} deg, "
    radii = ", ".join(f"{key} {degrees(document[key], '.3g')}" for key in ("r68", "r95", "r99"))
    return [*told, f"{axes}{degrees(ellipse['angle'], '.0f')} deg from north to east; {radii} deg"]
