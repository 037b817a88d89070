"""What a selection of models has for figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.figures.criteria import Criteria
from gm.figures.look import Look
from gm.figures.results import Result


def criteria(result: Result, look: Look) -> Iterator[Criteria]:
    """Where any alternative was fitted."""
    rows = result.document["alternatives"]
    if any(row["delta_aic"] is not None for row in rows):
        numbers = (_numbers(rows, name) for name in ("delta_aic", "delta_bic", "weight"))
        yield Criteria(f"{result.name} of {result.document['component']}", tuple(r["name"] for r in rows), *numbers)


def _numbers(rows: list[Any], name: str) -> Array:
    return np.array([np.nan if row[name] is None else row[name] for row in rows], dtype=np.float64)


PARTS = {"criteria": criteria}
