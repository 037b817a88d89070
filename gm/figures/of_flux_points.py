"""What flux points have for figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.figures.look import Look
from gm.figures.profiles import ProfileLine
from gm.figures.results import Result
from gm.figures.sed import Points


def sed(result: Result, look: Look) -> Iterator[Points]:
    """Those with a flux or a limit, under the name of their source."""
    rows = [row for row in result.document["points"] if row["status"] in ("ok", "upper_limit")]
    if rows:
        error = _column(rows, "dnde_err")
        low, high = (_column(rows, f"dnde_{side}") for side in ("errn", "errp"))
        yield Points(
            label=result.name,
            e_ref=_column(rows, "e_ref"),
            e_min=_column(rows, "e_min"),
            e_max=_column(rows, "e_max"),
            dnde=_column(rows, "dnde"),
            errn=np.where(np.isnan(low), error, low),
            errp=np.where(np.isnan(high), error, high),
            limit=_column(rows, "dnde_ul"),
            is_limit=np.array([row["status"] == "upper_limit" for row in rows], dtype=np.bool_),
        )


def profiles(result: Result, look: Look) -> Iterator[ProfileLine]:
    """The likelihood profile of each point."""
    for row in result.document["points"]:
        if row.get("stat_scan"):
            norm, stat = np.array(row["norm_scan"]), np.array(row["stat_scan"], dtype=np.float64)
            label = f"{row['e_min']:.3g} - {row['e_max']:.3g} TeV"
            best = np.array([np.nan if row["norm"] is None else row["norm"]])
            yield ProfileLine(label, ("norm",), ("",), (norm,), stat - row["stat"], best)


def _column(rows: list[Any], name: str) -> Array:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], dtype=np.float64)


PARTS = {"sed": sed, "profiles": profiles}
