"""What toys have for figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gm.figures.goodness import Standing
from gm.figures.look import Look
from gm.figures.of_goodness import standing
from gm.figures.pulls import Pulls
from gm.figures.results import Result

TABLE = "toys.ecsv"


def pulls(result: Result, look: Look) -> Iterator[Pulls]:
    """Of each parameter, from the table of the toys."""
    rows = [row for row in result.document["parameters"] if row["pulls"]["mean"] is not None]
    table = result.ecsv(TABLE, "gm toys") if rows else None
    for row in rows:
        if table is not None and table.find(f"{row['name']}_err") is not None:
            value, error = (np.asarray(table.array(f"{row['name']}{end}"), dtype=np.float64) for end in ("", "_err"))
            with np.errstate(divide="ignore", invalid="ignore"):
                found = (value - row["truth"]) / error
            yield Pulls(row["name"], found, _pair(row["pulls"], "mean"), _pair(row["pulls"], "width"))


def _pair(row: Mapping[str, float | None], name: str) -> tuple[float, float]:
    """A number and its error."""
    value, error = row[name], row[f"{name}_error"]
    return np.nan if value is None else value, np.nan if error is None else error


def goodness(result: Result, look: Look) -> Iterator[Standing]:
    """Of the data among the toys."""
    yield from standing(f"toys of {result.name}", result.document.get("goodness") or {})


PARTS = {"pulls": pulls, "goodness": goodness}
