"""Which observations, and which of their events, an entry of ``observations:`` means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gm.makers.phases import wrapped
from gm.observations import GTI, EventSelection, ObservationSelection, TimeReference
from gm.observations.selection import read_ids, seconds_after
from gm.pipeline.analysis.paths import data_file
from gm.pipeline.stages.reading import Reader, position


def observation_selection(reader: Reader) -> ObservationSelection:
    """The conditions on observations. Notes problems."""
    data = reader.data
    ids, within, time = data.get("ids"), data.get("within"), data.get("time")
    if isinstance(ids, str):
        with reader.at("ids"):
            ids = read_ids(data_file(reader.directory, ids))
    _check_once(reader, ids or ())
    circle = None
    if within is not None:
        lon, lat, frame = position(within)
        circle = lon, lat, reader.angle(within, "radius", ("within",)), frame
    times = None
    if time is not None:
        times = time.get("min"), time.get("max"), str(time.get("scale", "utc"))
        _check_times(reader, time, times[2])
    return ObservationSelection(None if ids is None else tuple(ids), circle, times, tuple(data.get("where") or ()))


def _check_once(reader: Reader, ids: Sequence[int]) -> None:
    twice = next((k for k, number in enumerate(ids) if number in ids[:k]), None)
    if twice is not None:
        path = ("ids", twice) if isinstance(reader.data["ids"], list) else ("ids",)
        reader.note(path, f"observation {ids[twice]} is there twice", "each observation counts once")


def _check_times(reader: Reader, time: Mapping[str, Any], scale: str) -> None:
    """Note what is no time, and an end before the beginning."""
    found = []
    for key in ("min", "max"):
        if key in time:
            with reader.at("time", key):
                found.append(seconds_after(TimeReference(50000.0, 0.0), time[key], scale))
    if len(found) > 1 and not found[0] < found[1]:
        reader.note(("time", "max"), f"{time['max']} is not after {time['min']}")


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
