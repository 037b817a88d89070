"""What a measured size has for figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gm.figures.look import Look
from gm.figures.profiles import ProfileLine
from gm.figures.results import Result


def profiles(result: Result, look: Look) -> Iterator[ProfileLine]:
    """The profile of the size, of all energies and of each band."""
    for row in (result.document["all"], *(result.document.get("bands") or ())):
        if row and row.get("profile"):
            label = f"{result.name}, {row['e_min']:.3g} - {row['e_max']:.3g} TeV"
            size, rise = (np.array(row["profile"][key], dtype=np.float64) for key in ("size", "rise"))
            best = np.array([np.nan if row["size"] is None else row["size"]])
            yield ProfileLine(label, (str(result.document["parameter"]),), ("deg",), (size,), rise, best)


PARTS = {"profiles": profiles}
