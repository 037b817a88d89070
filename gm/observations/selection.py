"""Which observations of a data store are meant: by number, by pointing, by time, and by columns of the index."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray
from gm.errors import DataError, suggest
from gm.io.tables import Column, Table
from gm.maps.rotation import rotate
from gm.maps.sphere import separation
from gm.observations.data_store import DataStore
from gm.observations.gti import TimeReference
from gm.units import UnitError, convert, factor

_CONDITION = re.compile(r"\s*([\w.-]+?)\s*(<=|>=|==|!=|=|<|>)\s*(.+?)\s*")
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "=": np.equal,
    "==": np.equal,
    "!=": np.not_equal,
}
_CARDS = {"RA_PNT": "deg", "DEC_PNT": "deg", "ZEN_PNT": "deg", "ALT_PNT": "deg", "AZ_PNT": "deg", "TSTART": "s",
          "TSTOP": "s", "ONTIME": "s", "LIVETIME": "s", "DEADC": "", "OBJECT": "", "TELESCOP": ""}  # fmt: skip


@final
@dataclass(frozen=True)
class ObservationSelection:
    """Conditions that all have to hold.

    ids : numbers
    within : longitude, latitude, radius [deg] and frame of a circle that holds the pointing
    time : start and stop as ISO dates or MJD, and their scale: observations that lie between as a whole
    where : conditions such as ``ZEN_PNT < 40 deg`` on columns of the index
    """

    ids: tuple[int, ...] | None = None
    within: tuple[float, float, float, str] | None = None
    time: tuple[str | float | None, str | float | None, str] | None = None
    where: tuple[str, ...] = ()

    def select(self, store: DataStore) -> tuple[int, ...]:
        """Numbers of the observations of a store, in its order, or in that of ``ids``. Raises `DataError`."""
        if self.ids is not None:
            store.check_ids(self.ids)
        chosen = store.obs_ids if self.ids is None else self.ids
        if self.within is None and self.time is None and not self.where:
            return chosen
        table = index_table(store)
        keep = np.ones(len(table.array("OBS_ID")), dtype=np.bool_)
        if self.within is not None:
            keep &= _pointed_within(table, *self.within)
        if self.time is not None:
            keep &= _observed_between(table, *self.time)
        for condition in self.where:
            keep &= holds(table, condition)
        kept = {int(number) for number in table.array("OBS_ID")[keep].tolist()}
        return tuple(number for number in chosen if number in kept)


def index_table(store: DataStore) -> Table:
    """The index of observations; without one, what the headers of the events say. Raises `DataError`."""
    if store.index is not None:
        if store.index.find("OBS_ID") is None:
            raise DataError(f"{store.name}: the index of observations has no column OBS_ID")
        return store.index
    headers = [store.observation(number).extension("events").header for number in store.obs_ids]
    columns = [Column("OBS_ID", np.array(store.obs_ids))]
    for name, unit in _CARDS.items():
        if headers and all(name in header for header in headers):
            columns.append(Column(name, np.array([header[name] for header in headers]), unit))
    first = headers[0] if headers else {}
    cards = {name: first[name] for name in ("MJDREFI", "MJDREFF", "TIMESYS") if name in first}
    return Table("OBS_INDEX", tuple(columns), cards)


def holds(table: Table, condition: str) -> BoolArray:
    """``(n,)``: where a condition ``COLUMN < value [unit]`` on a column holds. Raises `DataError`."""
    parts = _CONDITION.fullmatch(condition)
    if parts is None:
        raise DataError(f"condition '{condition}', expected a column, one of {' '.join(_OPERATORS)} and a value")
    name, operator, text = parts.groups()
    column = table.find(name)
    if column is None:
        raise DataError(f"condition '{condition}': no column {name}\n    {suggest(name, table.names, 'found')}")
    values: NDArray[Any] = np.asarray(column.values)
    if values.dtype.kind in "US":
        if operator not in ("=", "==", "!="):
            raise DataError(f"condition '{condition}': {name} holds words, which are compared with == and !=")
        return np.asarray(_OPERATORS[operator](np.char.strip(values), text.strip("\"'")))
    try:
        return np.asarray(_OPERATORS[operator](values.astype(np.float64), convert(text, column.unit)))
    except UnitError as error:
        raise DataError(f"condition '{condition}': {error}\n    column {name} is in '{column.unit}'") from error


def _pointed_within(table: Table, lon: float, lat: float, radius: float, frame: str) -> BoolArray:
    ra, dec = (_numbers(table, name, "deg") for name in ("RA_PNT", "DEC_PNT"))
    return np.asarray(separation(*rotate(lon, lat, frame, "icrs"), ra, dec) < radius)


def _observed_between(table: Table, low: str | float | None, high: str | float | None, scale: str) -> BoolArray:
    reference = _reference(table)
    start, stop = (_numbers(table, name, "s") for name in ("TSTART", "TSTOP"))
    keep = np.ones(start.shape, dtype=np.bool_)
    if low is not None:
        keep &= start >= seconds_after(reference, low, scale)
    if high is not None:
        keep &= stop <= seconds_after(reference, high, scale)
    return keep


def seconds_after(reference: TimeReference, moment: str | float, scale: str) -> float:
    """Seconds from a reference to an ISO date or MJD on a scale. Raises `DataError`."""
    from astropy.time import Time

    try:
        kind = {"format": "mjd"} if isinstance(moment, int | float) else {}
        time = Time(moment, scale=scale.lower(), **kind)
    except (ValueError, TypeError) as error:
        raise DataError(f"'{moment}' is no time on the scale '{scale}': {error}") from error
    return float((time.tt - reference.astropy().tt).sec)


def _reference(table: Table) -> TimeReference:
    day, fraction = table.card("MJDREFI"), table.card("MJDREFF")
    if day is None or fraction is None:
        raise DataError("the index of observations has no cards MJDREFI and MJDREFF, needed to select by time")
    return TimeReference(float(day), float(fraction), str(table.card("TIMESYS") or "tt").lower())


def _numbers(table: Table, name: str, unit: str) -> Array:
    values = table.array(name).astype(np.float64)
    return np.asarray(values * factor(table.unit(name) or unit, unit))
