"""What a light curve has for figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.figures.light_curve import Flux
from gm.figures.look import Look
from gm.figures.results import Result

_WHERE = ("time_min_utc", "time_max_utc", "e_min", "e_max")


def light_curve(result: Result, look: Look) -> Iterator[Flux]:
    """The bins of time with a flux or a limit, for each band of energies."""
    rows = [row for row in result.document["points"] if row["status"] in ("ok", "upper_limit")]
    rows = [row for row in rows if all(row[key] is not None for key in _WHERE)]
    bands = dict.fromkeys((row["e_min"], row["e_max"]) for row in rows)
    for low, high in bands:
        own = [row for row in rows if (row["e_min"], row["e_max"]) == (low, high)]
        error = _column(own, "flux_err")
        errn, errp = (_column(own, f"flux_{side}") for side in ("errn", "errp"))
        yield Flux(
            label=f"{result.name}, {low:.3g} - {high:.3g} TeV",
            start=_column(own, "time_min_utc"),
            stop=_column(own, "time_max_utc"),
            flux=_column(own, "flux"),
            errn=np.where(np.isnan(errn), error, errn),
            errp=np.where(np.isnan(errp), error, errp),
            limit=_column(own, "flux_ul"),
            is_limit=np.array([row["status"] == "upper_limit" for row in own], dtype=np.bool_),
        )


def _column(rows: list[Any], name: str) -> Array:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], dtype=np.float64)


PARTS = {"light-curve": light_curve}
