"""Which flux points are upper limits. Source: Gammapy 2.1, ``FluxMaps.is_ul``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gm.arrays import Array, BoolArray
from gm.io.tables import Table

UL_SQRT_TS = 2.0


def limits_of(
    table: Table, quantity: str, fluxes: Mapping[str, Array], ts: Array | None, sqrt_ts: Array | None
) -> tuple[BoolArray, list[str]]:
    """``(n,)``: stored flags; else sqrt(TS) below the threshold; else a finite upper limit; else no value.

    And what to tell of points that only their limit makes one. fluxes : (n,) by the end of their name, "" the value
    """
    flags = table.flags("is_ul")
    if flags is not None:
        return flags, []
    if table.find(f"{quantity}_ul") is None:
        return np.isnan(fluxes[""]), []
    if ts is not None or sqrt_ts is not None:
        if sqrt_ts is None:
            assert ts is not None
            sqrt_ts = np.where(fluxes[""] > 0, 1.0, -1.0) * np.sqrt(np.clip(ts, 0.0, None))
        threshold = card_number(table.card("sqrt_ts_threshold_ul"))
        return np.asarray(sqrt_ts < (UL_SQRT_TS if threshold is None else threshold), dtype=np.bool_), []
    is_ul = np.isfinite(fluxes["_ul"])
    return is_ul, _told(quantity, is_ul, fluxes)


def _told(quantity: str, is_ul: BoolArray, fluxes: Mapping[str, Array]) -> list[str]:
    has_error = np.any([fluxes[end] > 0 for end in ("_err", "_errn", "_errp")], axis=0)
    both = int((is_ul & np.isfinite(fluxes[""]) & has_error).sum())
    why = f"they have a {quantity}_ul, and no column is_ul, ts or sqrt_ts says which points are none"
    return [f"{both} of {is_ul.size} points with an error are taken for upper limits: {why}"] if both else []


def card_number(value: Any) -> float | None:
    """A card that is a number, else None."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None
