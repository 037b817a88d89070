"""Which observations of a data store are meant: by number, by pointing, by time, and by columns of the index."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray
from gm.errors import DataError, suggest
from gm.io.ecsv import is_ecsv, read_ecsv
from gm.io.fits import read_fits
from gm.io.tables import Column, Table, whole_numbers
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
_NUMBERS = {"RA_PNT": "deg", "DEC_PNT": "deg", "ZEN_PNT": "deg", "ALT_PNT": "deg", "AZ_PNT": "deg", "TSTART": "s",
            "TSTOP": "s", "ONTIME": "s", "LIVETIME": "s", "DEADC": "", "MJDREFI": "", "MJDREFF": ""}  # fmt: skip
_WORDS = ("OBJECT", "TELESCOP", "TIMESYS")


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
        """Numbers of the observations of a store, in its order, or in that of ``ids``. Raises `DataError`; what is at
        fault says `fault`."""
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
        kept = set(_whole(table.array("OBS_ID")[keep], f"{store.name}: the index of observations"))
        return tuple(number for number in chosen if number in kept)

    def fault(self, store: DataStore) -> tuple[str | int, ...]:
        """The field, and of several conditions its position, by which nothing can be selected from a store."""
        alone: list[tuple[tuple[str | int, ...], ObservationSelection]] = [
            (("ids",), replace(self, within=None, time=None, where=())),
            (("within",), replace(self, ids=None, time=None, where=())),
            (("time",), replace(self, ids=None, within=None, where=())),
        ]
        alone += [(("where", k), ObservationSelection(where=(text,))) for k, text in enumerate(self.where)]
        for path, selection in alone:
            try:
                selection.select(store)
            except DataError:
                return path
        return ()


def read_ids(path: str | Path) -> tuple[int, ...]:
    """Numbers of observations in a file: a text of numbers, with ``#`` before remarks, or a table with ``OBS_ID``.

    Raises `DataError`.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(32)
        if is_ecsv(start):
            ids = _whole(read_ecsv(path).array("OBS_ID"), path)
        elif start.startswith((b"SIMPLE", b"\x1f\x8b")):
            ids = _whole(_obs_id_column(path), path)
        else:
            ids = _written_ids(path)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is neither a text nor a table of numbers") from error
    if not ids:
        raise DataError(f"{path}: no number of an observation in it")
    return ids


def _obs_id_column(path: Path) -> NDArray[Any]:
    table = next((one for one in read_fits(path).extensions if one.is_table and one.find("OBS_ID")), None)
    if table is None:
        raise DataError(f"{path}: no table with a column OBS_ID")
    return table.column("OBS_ID")


def _whole(column: NDArray[Any], where: str | Path) -> tuple[int, ...]:
    try:
        return tuple(whole_numbers(column))
    except DataError as error:
        raise DataError(f"{where}: column OBS_ID {error}") from error


def _written_ids(path: Path) -> tuple[int, ...]:
    """Numbers with spaces, commas or new lines between them."""
    lines = path.read_text("utf-8").splitlines()
    words = [
        (at, word) for at, line in enumerate(lines, 1) for word in line.partition("#")[0].replace(",", " ").split()
    ]
    wrong = [f"{path}:{at}: '{word[:40]}' is no number" for at, word in words if not word.isdecimal()]
    if wrong:
        raise DataError("\n    ".join(wrong[:10]))
    return tuple(int(word) for _, word in words)


def index_table(store: DataStore) -> Table:
    """The index of observations; without one, what the headers of the events say. Raises `DataError`."""
    if store.index is not None:
        if store.index.find("OBS_ID") is None:
            raise DataError(f"{store.name}: the index of observations has no column OBS_ID")
        return store.index
    events = [store.observation(number).extension("events") for number in store.obs_ids]
    columns = [Column("OBS_ID", np.array(store.obs_ids))]
    for name in (*_NUMBERS, *_WORDS):
        if all(name in one.header for one in events):
            values = [one.header.text(name) if name in _WORDS else one.real(name, 0.0) for one in events]
            columns.append(Column(name, np.array(values), _NUMBERS.get(name, "")))
    return Table("OBS_INDEX", tuple(columns))


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
    if values.ndim != 1:
        raise DataError(f"condition '{condition}': {name} has more than one value for each observation")
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
    start, stop = (_numbers(table, name, "s") for name in ("TSTART", "TSTOP"))
    references = _references(table)
    keep = np.ones(start.shape, dtype=np.bool_)
    for bound, is_within in ((low, start.__ge__), (high, stop.__le__)):
        if bound is not None:
            seconds = {reference: seconds_after(reference, bound, scale) for reference in set(references)}
            keep &= is_within(np.array([seconds[reference] for reference in references]))
    return keep


def seconds_after(reference: TimeReference, moment: str | float, scale: str) -> float:
    """Seconds from a reference to an ISO date or MJD on a scale. Raises `DataError`."""
    from astropy.time import Time

    try:
        kind = {"format": "mjd"} if isinstance(moment, int | float) else {}
        time = Time(moment, scale=scale.lower(), **kind)
    except (ValueError, TypeError) as error:
        raise DataError(
            f"'{moment}' is no time on the scale '{scale}'\n    2004-12-06T22:30:00, or a number: MJD"
        ) from error
    return float((time.tt - reference.astropy().tt).sec)


def _references(table: Table) -> list[TimeReference]:
    """What the times of each row count from: columns of rows from different files, or cards of an index."""
    n = len(table.array("OBS_ID"))
    parts: list[list[Any]] = []
    for name in ("MJDREFI", "MJDREFF", "TIMESYS"):
        column, card = table.find(name), table.card(name)
        parts.append([card] * n if column is None else np.asarray(column.values).tolist())
    return [TimeReference.from_values("the index of observations", *values) for values in zip(*parts, strict=True)]


def _numbers(table: Table, name: str, unit: str) -> Array:
    if table.find(name) is None:
        found = suggest(name, table.names, "found")
        raise DataError(f"the index of observations: no column {name}, needed to select by it\n    {found}")
    values = table.array(name)
    if values.dtype.kind not in "iuf" or values.ndim != 1:
        raise DataError(f"the index of observations: column {name} is not one number for each observation")
    try:
        numbers = values.astype(np.float64) * factor(table.unit(name) or unit, unit)
    except UnitError as error:
        raise DataError(f"the index of observations: column {name}: {error}") from error
    return np.where(np.isfinite(numbers), numbers, np.nan)  # what is not known meets no condition
