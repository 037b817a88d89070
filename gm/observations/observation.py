"""One observation: what the files hold about it, read when it is asked for."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, final

from gm.arrays import Array
from gm.errors import DataError
from gm.io.fits import Extension, FitsFile, read_fits
from gm.irf.sky_responses import SKY_KINDS
from gm.irf.tables import (
    Background3D,
    BackgroundTable,
    EffectiveArea,
    EnergyDispersion,
    PointSpreadResponse,
    RadMax2D,
    read_response,
)
from gm.irf.tables.reading import is_pointlike, optional_real
from gm.maps.sphere import separation
from gm.observations.events import EventList, EventSelection, has_type
from gm.observations.gti import GTI
from gm.observations.pointing import Pointing, PointingTable

log = logging.getLogger(__name__)
T = TypeVar("T")

_FEW = 0.01
RESPONSES = ("aeff", "edisp", "psf", "bkg", "rad_max")
REQUIRED: Mapping[str, tuple[str, ...]] = {
    "full-enclosure": ("events", "gti", "aeff", "edisp", "psf", "bkg"),
    "point-like": ("events", "gti", "aeff", "edisp"),
    "all-optional": (),
}


class HduLocation(NamedTuple):
    """Where a part is: file, name or number of the extension, and its class such as ``aeff_2d``."""

    path: Path
    hdu: str | int
    kind: str


@final
@dataclass(frozen=True, eq=False)
class Plan:
    """What stands for the events of an observation that has not been made.

    pointing, gti : where the telescopes will point, and when; ready : the part of this time in which they take data
    """

    pointing: Pointing
    gti: GTI
    ready: float = 1.0


@final
@dataclass(frozen=True, eq=False)
class Observation:
    """An observation of DL3 files.

    hdus : where its parts are, by type: events, gti, aeff, edisp, psf, bkg, rad_max; further ones as ``aeff#2``
    selection : what events, good time intervals and live time are cut to
    plan : of one that has not been made, and has responses alone

    A part is read when it is asked for, which is when it may turn out to be missing or damaged (`DataError`), and kept
    until the observation is forgotten: to go through many, take one after the other.
    """

    obs_id: int
    hdus: Mapping[str, HduLocation]
    selection: EventSelection = field(default_factory=EventSelection)
    plan: Plan | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return Observation, (self.obs_id, dict(self.hdus), self.selection, self.plan)

    def select(self, **changes: Any) -> Observation:
        """The same with other fields of its `EventSelection`: ``observation.select(energy=(0.1, 50.0))``."""
        return replace(self, selection=replace(self.selection, **changes))

    def has(self, part: str) -> bool:
        """Whether there is an extension for a part."""
        return part in self.hdus

    def check_parts(self, required: str) -> None:
        """Raise `DataError` that names all parts that are required (a key of `REQUIRED`) and missing.

        Several of a kind, of which no type of events says which one is meant, are a warning.
        """
        missing = [part for part in REQUIRED[required] if part not in self.hdus]
        if missing:
            found = ", ".join(self.hdus) or "none"
            raise DataError(
                f"observation {self.obs_id}: no {', '.join(missing)}, required by '{required}'\n    found: {found}"
            )
        for part in self.hdus if self.selection.event_type is None else ():
            if f"{part}#2" in self.hdus:
                taken = self.hdus[part]
                log.warning("observation %s: more than one %s, that of HDU %s is taken", self.obs_id, part, taken.hdu)

    def extension(self, part: str) -> Extension:
        """The extension of a part. Raises `DataError`."""
        if part not in self.hdus:
            found = ", ".join(self.hdus) or "none"
            raise DataError(f"observation {self.obs_id}: no {part}\n    found: {found}{self._elsewhere(part)}")
        return self._open(self._place(part))

    def _elsewhere(self, part: str) -> str:
        """Where the events say that the responses are."""
        if part not in RESPONSES or not self.has("events"):
            return ""
        header = self._open(self.hdus["events"]).header
        caldb, irf = header.text("CALDB"), header.text("IRF")
        where = f"responses '{irf}' of '{caldb}' in a calibration database, the folder that the variable CALDB says"
        return f"; the events name {where}" if caldb and irf else ""

    def _place(self, part: str) -> HduLocation:
        """Where a part is; a response of the selected type of events. Raises `DataError` where none is of that type."""
        wanted = self.selection.event_type
        if wanted is None or part in ("events", "gti"):
            return self.hdus[part]
        places = [place for key, place in self.hdus.items() if key.partition("#")[0] == part]
        fitting = next((place for place in places if has_type(self._open(place), wanted)), None)
        if fitting is None:
            raise DataError(
                f"observation {self.obs_id}: no {part} with a card EVENT_TYPE = '{wanted}', as its events"
                "\n    responses of all events predict too much for those of one type"
            )
        return fitting

    def _open(self, place: HduLocation) -> Extension:
        file = self._file(place.path)
        return file.get(place.hdu) if isinstance(place.hdu, str) else file.extensions[place.hdu]

    def _file(self, path: Path) -> FitsFile:
        if path not in self._files:
            self._files[path] = read_fits(path)
        return self._files[path]

    @cached_property
    def _files(self) -> dict[Path, FitsFile]:
        """The files that were opened: most observations have one for everything."""
        return {}

    # events and times

    @cached_property
    def pointing(self) -> Pointing:
        """Where the telescopes pointed: the header of the events; where it does not say, the table of pointings."""
        if self.plan is not None:
            return self.plan.pointing
        events = self.extension("events")
        if self.pointing_table is None or Pointing.is_told(events):
            return Pointing.from_extension(events)
        lon, lat = self.pointing_table.icrs(self.gti.tmid(), self.gti.reference)
        return Pointing(lon, lat, site=self.pointing_table.site)

    @cached_property
    def pointing_table(self) -> PointingTable | None:
        """Where the telescopes pointed from time to time; None without a ``POINTING`` table."""
        return PointingTable.from_extension(self.extension("pointing")) if self.has("pointing") else None

    def pointing_icrs(self) -> tuple[float, float]:
        """ICRS position [deg] of the pointing in the middle of the first good time interval."""
        return self._drifted if self.pointing.is_drift else (self.pointing.lon, self.pointing.lat)

    def offsets(self, lon: Array, lat: Array) -> Array:
        """Distances [deg] of ICRS positions [deg] from the pointing, broadcast."""
        return separation(*self.pointing_icrs(), lon, lat)

    @cached_property
    def _drifted(self) -> tuple[float, float]:
        return self.pointing.icrs(self.gti.tmid(), self.gti.reference)

    @cached_property
    def gti(self) -> GTI:
        """Good time intervals, cut to those of the selection."""
        gti = GTI.from_extension(self.extension("gti")) if self.plan is None else self.plan.gti
        return gti if self.selection.gti is None else gti.intersection(self.selection.gti)

    @cached_property
    def events(self) -> EventList:
        """The selected events.

        Without a selection by time these are all of the list, as in Gammapy: files such as those of H.E.S.S. DL3-DR1
        round good time intervals to seconds, and hold some events beyond.
        """
        if self.plan is not None:
            raise DataError(f"observation {self.obs_id}: is planned, and has no events")
        events = EventList.from_extension(self.extension("events"))
        if self.selection == EventSelection():
            return events
        return self.selection.apply(events, self.gti, self.pointing_icrs())

    def check_times(self) -> None:
        """Raise `DataError` when all events lie outside of the good time intervals, and warn of more than a few."""
        events = self.events
        inside = self.gti.since(events.reference).contains(events.time)
        n_outside = int((~inside).sum())
        told = f"{n_outside} of {events.n} events lie outside of the good time intervals"
        if n_outside and not inside.any():
            events.extension.fail(told, "their times count from the cards MJDREFI and MJDREFF")
        if n_outside > _FEW * events.n:
            log.warning("observation %s: %s, and count as all others", self.obs_id, told)

    def ontime(self) -> float:
        """Sum of the good time intervals [s], times the part of the phases that is selected."""
        return self.gti.duration() * self.selection.phase_fraction()

    def livetime(self) -> float:
        """`ontime` times the part of it in which the telescopes were `ready` [s]. Raises `DataError`."""
        return self.ontime() * self.ready()

    def ready(self) -> float:
        """The part of the time in which the telescopes were ready, ``DEADC``. Raises `DataError`."""
        if self.plan is not None:
            return self.plan.ready
        events = self.extension("events")
        if "DEADC" not in events.header and self.has("aeff") and self.hdus["aeff"].kind in SKY_KINDS:
            return 1.0  # an exposure knows it, and nothing else asks
        if "DEADC" not in events.header:
            events.fail("no card DEADC, needed for the live time")
        part = events.real("DEADC", 0.0)
        if not 0.0 < part <= 1.0:
            events.fail(f"card DEADC is {part:g}, expected a number above 0 and up to 1")
        return part

    # responses

    @cached_property
    def aeff(self) -> EffectiveArea:
        """Effective area."""
        return self._response("aeff", EffectiveArea)  # type: ignore[type-abstract]

    @cached_property
    def edisp(self) -> EnergyDispersion:
        """Energy dispersion."""
        return self._response("edisp", EnergyDispersion)  # type: ignore[type-abstract]

    @cached_property
    def psf(self) -> PointSpreadResponse:
        """Point spread function."""
        return self._response("psf", PointSpreadResponse)  # type: ignore[type-abstract]

    @cached_property
    def bkg(self) -> BackgroundTable:
        """Background."""
        table = self._response("bkg", BackgroundTable)  # type: ignore[type-abstract]
        return table.of_hess_dl3_dr1() if isinstance(table, Background3D) and self._is_hess_dl3_dr1() else table

    @cached_property
    def rad_max(self) -> RadMax2D | None:
        """The cut around a point source that point-like responses were made with; None for others.

        From its own table or the card ``RAD_MAX`` of another response. Raises `DataError` where neither is there.
        """
        if self.has("rad_max"):
            return self._response("rad_max", RadMax2D)
        headers = [self.extension(part) for part in ("aeff", "edisp") if self.has(part)]
        if not any(is_pointlike(extension) for extension in headers):
            return None
        radii = (optional_real(extension, "RAD_MAX") for extension in headers)
        radius = next((radius for radius in radii if radius is not None), None)
        if radius is None:
            self.extension("aeff").fail("point-like responses with neither a card RAD_MAX nor an extension RAD_MAX_2D")
        return RadMax2D.fixed(radius)

    def _response(self, part: str, kind: type[T]) -> T:
        extension, place = self.extension(part), self._place(part)
        read = SKY_KINDS.get(place.kind)
        table = read_response(extension, place.kind) if read is None else read(self._file(place.path), extension)
        if not isinstance(table, kind):
            raise DataError(f"observation {self.obs_id}: {part} is a {type(table).__name__}, expected {kind.__name__}")
        return table

    def _is_hess_dl3_dr1(self) -> bool:
        if not self.has("events"):
            return False
        header = self.extension("events").header
        return header.text("CREATOR") == "SASH FITS::EventListWriter" and header.text("HDUVERS") == "0.2"
