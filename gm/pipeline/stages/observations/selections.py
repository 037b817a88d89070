"""Which observations, and which of their events, an entry of ``observations:`` means."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gm.errors import DataError
from gm.io.ecsv import is_ecsv, read_ecsv
from gm.io.fits import read_fits
from gm.makers.phases import wrapped
from gm.observations import GTI, EventSelection, ObservationSelection
from gm.observations.selection import seconds_after
from gm.pipeline.analysis.paths import data_file
from gm.pipeline.stages.reading import Reader, position

_FITS = (b"SIMPLE", b"\x1f\x8b")


def observation_selection(reader: Reader) -> ObservationSelection:
    """The conditions on observations. Notes problems."""
    data = reader.data
    ids, within, time = data.get("ids"), data.get("within"), data.get("time")
    if isinstance(ids, str):
        with reader.at("ids"):
            ids = read_ids(data_file(reader.directory, ids))
    circle = None
    if within is not None:
        lon, lat, frame = position(within)
        circle = lon, lat, reader.angle(within, "radius", ("within",)), frame
    times = None
    if time is not None:
        times = time.get("min"), time.get("max"), str(time.get("scale", "utc"))
        for key in ("min", "max"):
            if key in time:
                with reader.at("time", key):
                    _check_moment(time[key], times[2])
    return ObservationSelection(None if ids is None else tuple(ids), circle, times, tuple(data.get("where") or ()))


def _check_moment(moment: str | float, scale: str) -> None:
    from gm.observations import TimeReference

    seconds_after(TimeReference(50000.0, 0.0), moment, scale)


def event_types(reader: Reader) -> list[int | str | None]:
    """The types of events that are selected, None for all of them together."""
    types = (reader.data.get("events") or {}).get("type")
    return list(types) if isinstance(types, list) else [types]


def event_selection(reader: Reader) -> EventSelection:
    """The conditions on events. Notes problems."""
    data: dict[str, Any] = reader.data.get("events") or {}
    ranges = {}
    for key, unit in (("energy", "TeV"), ("offset", "deg")):
        if key in data:
            low, high = (reader.quantity(value, unit, "events", key, k) for k, value in enumerate(data[key]))
            if not low < high:
                raise reader.fail(("events", key, 1), f"{data[key][1]} is not above {data[key][0]}")
            ranges[key] = low, high
    phase = tuple((float(low), float(high)) for low, high in data.get("phase") or ())
    gti = None
    if "gti" in data:
        with reader.at("events", "gti"):
            told = data["gti"] if isinstance(data["gti"], dict) else {"filename": data["gti"]}
            gti = GTI.read(data_file(reader.directory, told["filename"]))
            gti = gti.inverted() if told.get("inverted") else gti
    with reader.at("events", "phase"):
        return EventSelection(
            phase=wrapped(phase) if phase else (), gti=gti, energy=ranges.get("energy"), offset=ranges.get("offset")
        )


def read_ids(path: Path) -> list[int]:
    """Numbers of observations in a text, one after the other, or in a column OBS_ID of a FITS or ECSV table."""
    try:
        with path.open("rb") as file:
            start = file.read(32)
        if is_ecsv(start):
            return _numbers(np.asarray(read_ecsv(path).array("OBS_ID")), path)
        if start.startswith(_FITS):
            tables = [e for e in read_fits(path).extensions if e.is_table and e.find("OBS_ID") is not None]
            if not tables:
                raise DataError(f"{path}: no table with a column OBS_ID")
            return _numbers(tables[0].column("OBS_ID"), path)
        words = [word for line in path.read_text("utf-8").splitlines() for word in line.partition("#")[0].split()]
        return [int(word) for word in words]
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path}: not a list of numbers: {error}") from error


def _numbers(column: Any, path: Path) -> list[int]:
    if not column.size:
        raise DataError(f"{path}: no observation in it")
    return [int(number) for number in column.ravel()]
