"""What a profile has for figures."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gm.figures.look import Look
from gm.figures.profiles import ProfileLine
from gm.figures.results import Result


def profiles(result: Result, look: Look) -> Iterator[ProfileLine]:
    """The profile, or the surface."""
    axes = result.document["axes"]
    rise = [np.nan if p["delta_stat"] is None else p["delta_stat"] for p in result.document["points"]]
    values = tuple(np.array(axis["values"], dtype=np.float64) for axis in axes)
    yield ProfileLine(
        result.name,
        tuple(axis["parameter"] for axis in axes),
        tuple(axis["unit"] for axis in axes),
        values,
        np.array(rise, dtype=np.float64).reshape(tuple(axis.size for axis in values)),
        np.array([np.nan if axis["best"] is None else axis["best"] for axis in axes], dtype=np.float64),
    )


PARTS = {"profiles": profiles}
