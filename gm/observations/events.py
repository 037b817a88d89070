"""Lists of events: columns read when they are asked for, and selections of rows."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import cached_property
from typing import final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.errors import suggest
from gm.io.fits import Extension
from gm.maps.sphere import separation
from gm.observations.gti import GTI, TimeReference

log = logging.getLogger(__name__)

REQUIRED = ("TIME", "ENERGY", "RA", "DEC")


@final
@dataclass(frozen=True, eq=False)
class EventList:
    """The events of one observation. Columns are read once and kept; ``rows``: those selected, None for all.

    Positions are taken for ICRS whatever ``RADECSYS`` says, as Gammapy takes them: FK5 is 0.02 arcsec away.
    """

    extension: Extension
    reference: TimeReference
    rows: IntArray | None = None

    @classmethod
    def from_extension(cls, extension: Extension) -> EventList:
        """From an ``EVENTS`` table. Raises `DataError` for columns that are missing, all at once."""
        missing = [name for name in REQUIRED if extension.find(name) is None]
        if missing:
            extension.fail(f"no column {', '.join(missing)}", suggest(missing[0], extension.columns, "found"))
        if not extension.unit("ENERGY"):
            log.warning("%s: HDU %s: ENERGY says no unit, taken for TeV", extension.path, extension.name)
        return cls(extension, TimeReference.from_extension(extension))

    def column(self, name: str, unit: str | None = None) -> Array:
        """A numeric column ``(n,)`` of the selected events, in ``unit`` when given. Raises `DataError` for NaN."""
        values = self.extension.numbers(name, unit, default=unit or "")
        values = values if self.rows is None else values[self.rows]
        if not np.isfinite(values).all():
            n_bad = int((~np.isfinite(values)).sum())
            self.extension.fail(f"column {name} is not finite for {n_bad} of {len(values)} events")
        return values

    @property
    def n(self) -> int:
        """Number of events."""
        return self.extension.integer("NAXIS2") if self.rows is None else len(self.rows)

    @cached_property
    def energy(self) -> Array:
        """``(n,)`` [TeV]."""
        return self.column("ENERGY", "TeV")

    @cached_property
    def lon(self) -> Array:
        """Right ascension ``(n,)`` [deg]."""
        return self.column("RA", "deg")

    @cached_property
    def lat(self) -> Array:
        """Declination ``(n,)`` [deg]."""
        return self.column("DEC", "deg")

    @cached_property
    def time(self) -> Array:
        """``(n,)`` [s] after the reference."""
        return self.column("TIME", "s")

    def separation(self, lon: float, lat: float) -> Array:
        """Distances ``(n,)`` [deg] from an ICRS position."""
        return separation(lon, lat, self.lon, self.lat)

    def of_type(self, wanted: int | str) -> BoolArray:
        """``(n,)``: which events have a type, by the column ``EVENT_TYPE``, or all of the list by the card.

        Of a column of bits it is the number of one that is set, counted from the last. Raises `DataError`.
        """
        extension = self.extension
        if extension.find("EVENT_TYPE") is None:
            if "EVENT_TYPE" not in extension.header:
                extension.fail("neither a column nor a card EVENT_TYPE, by which events are selected")
            return np.full(self.n, has_type(extension, wanted))
        values = extension.column("EVENT_TYPE")
        values = values if self.rows is None else values[self.rows]
        if values.ndim == 1:
            return np.asarray(values.astype(np.str_) == str(wanted))
        if values.dtype.kind != "b" or not isinstance(wanted, int) or not 0 <= wanted < values.shape[1]:
            extension.fail(
                f"column EVENT_TYPE has {values.shape[1]} values for each event, none of which is '{wanted}'"
            )
        return np.asarray(values[:, -1 - wanted])

    def types(self) -> dict[str, int]:
        """Numbers of events of each type that `of_type` knows; none without a column or card ``EVENT_TYPE``."""
        extension = self.extension
        if extension.find("EVENT_TYPE") is None:
            return {str(extension.header["EVENT_TYPE"]).strip(): self.n} if "EVENT_TYPE" in extension.header else {}
        values = extension.column("EVENT_TYPE")
        values = values if self.rows is None else values[self.rows]
        if values.ndim > 1:
            set_bits = np.atleast_2d(values).sum(axis=0)[::-1].tolist()
            return {str(bit): int(n) for bit, n in enumerate(set_bits) if n}
        names, counts = np.unique(values.astype(np.str_), return_counts=True)
        return {str(name): int(n) for name, n in zip(names, counts, strict=True)}

    def select(self, keep: BoolArray) -> EventList:
        """The events for which ``keep : (n,)`` is true."""
        rows = np.flatnonzero(keep)
        return replace(self, rows=rows if self.rows is None else self.rows[rows])


@final
@dataclass(frozen=True)
class EventSelection:
    """Which events of an observation count; every range is half-open, ``[low, high)``.

    energy : [TeV]; offset : [deg] from the pointing; phase : intervals of the column ``PHASE`` within 0 to 1;
    gti : times to which events and good time intervals are cut; event_type : see `EventList.of_type`; responses are
        those whose card ``EVENT_TYPE`` says the same
    """

    energy: tuple[float, float] | None = None
    offset: tuple[float, float] | None = None
    phase: tuple[tuple[float, float], ...] = ()
    gti: GTI | None = None
    phase_column: str = "PHASE"
    event_type: int | str | None = None

    def phase_fraction(self) -> float:
        """The part of all phases that is kept: by this much the live time is shorter."""
        return sum(high - low for low, high in self.phase) if self.phase else 1.0

    def apply(self, events: EventList, gti: GTI, pointing: tuple[float, float]) -> EventList:
        """The events of an observation with these good time intervals that count; pointing : ICRS [deg]."""
        keep = np.ones(events.n, dtype=np.bool_) if self.event_type is None else events.of_type(self.event_type)
        if self.energy is not None:
            keep &= _between(events.energy, self.energy)
        if self.offset is not None:
            keep &= _between(events.separation(*pointing), self.offset)
        if self.phase:
            keep &= in_phases(events.column(self.phase_column), self.phase)
        if self.gti is not None:
            keep &= gti.since(events.reference).contains(events.time)
        return events if keep.all() else events.select(keep)


def has_type(extension: Extension, wanted: int | str) -> bool:
    """Whether the card ``EVENT_TYPE`` says this type."""
    return str(extension.header.get("EVENT_TYPE", "")).strip() == str(wanted)


def in_phases(phase: Array, intervals: tuple[tuple[float, float], ...]) -> BoolArray:
    """``(n,)``: which phases lie in one of the intervals ``[low, high)`` within 0 to 1; whole turns do not count."""
    inside, phase = np.zeros(phase.shape, dtype=np.bool_), np.mod(phase, 1.0)
    for interval in intervals:
        inside |= _between(phase, interval)
    return inside


def _between(values: Array, bounds: tuple[float, float]) -> BoolArray:
    return np.asarray((values >= bounds[0]) & (values < bounds[1]))
