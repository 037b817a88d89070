"""What a search for sources has for figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gm.figures.found import Found
from gm.figures.look import Look
from gm.figures.results import Result


def found(result: Result, look: Look) -> Iterator[Found]:
    """Where any source was tried: its best position, else that of its peak."""
    rows = result.document["sources"]
    if rows:
        yield Found(
            result.name,
            next((str(row["frame"]) for row in rows if row.get("frame")), ""),
            tuple(row["name"] for row in rows),
            np.array([[_place(row, name) for row in rows] for name in ("lon", "lat")], dtype=np.float64),
            np.array([[_axis(row, name) for row in rows] for name in ("major", "minor", "angle")], dtype=np.float64),
            np.array([bool(row["kept"]) for row in rows], dtype=np.bool_),
        )


def _place(row: Mapping[str, Any], name: str) -> float:
    value = row.get(name)
    return float(row["peak"][name] if value is None else value)


def _axis(row: Mapping[str, Any], name: str) -> float:
    return float((row.get("ellipse") or {}).get(name, np.nan))


PARTS = {"found": found}
