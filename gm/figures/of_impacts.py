"""What impacts have for figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.figures.impacts import ImpactBars
from gm.figures.look import Look
from gm.figures.results import Result


def impacts(result: Result, look: Look) -> Iterator[ImpactBars]:
    """Where anything has moved."""
    rows, parameter = result.document["nuisances"], result.document["parameter"]
    if rows:
        yield ImpactBars(
            result.name,
            str(parameter["name"]),
            str(parameter["unit"]),
            tuple(row["name"] for row in rows),
            _numbers([row["pull"] for row in rows]),
            _numbers([row["constraint"] for row in rows]),
            *(np.array([_shifts(row[step]) for row in rows]) for step in ("post_fit", "pre_fit")),
        )


def _shifts(sides: Mapping[str, Any] | None) -> Array:
    """Down and up, (2,)."""
    return _numbers([None if sides is None else sides[side]["shift"] for side in ("down", "up")])


def _numbers(values: Sequence[float | None]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


PARTS = {"impacts": impacts}
