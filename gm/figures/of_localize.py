"""What a localised source has for figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gm.figures.contours import Contours, line_of
from gm.figures.look import Look
from gm.figures.profiles import ProfileLine
from gm.figures.results import Result


def contours(result: Result, look: Look) -> Iterator[Contours]:
    """Where the source is with so much probability."""
    surface = result.document["surface"]
    lines = [
        (contour["delta_statistic"], line_of(contour))
        for contour in (surface or {}).get("contours", ())
        if contour["points"]
    ]
    if lines:
        best = np.array([result.document["position"][name] for name in ("lon", "lat")], dtype=np.float64)
        yield Contours(result.name, ("longitude", "latitude"), ("deg", "deg"), best, tuple(lines))


def profiles(result: Result, look: Look) -> Iterator[ProfileLine]:
    """The surface of the statistic."""
    surface, position = result.document["surface"], result.document["position"]
    if surface:
        values = np.array(surface["lon"], dtype=np.float64), np.array(surface["lat"], dtype=np.float64)
        rise = np.array(surface["rise"], dtype=np.float64).T
        best = np.array([position["lon"], position["lat"]], dtype=np.float64)
        yield ProfileLine(result.name, ("longitude", "latitude"), ("deg", "deg"), values, rise, best)


PARTS = {"contours": contours, "profiles": profiles}
