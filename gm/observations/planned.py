"""Observations that have not been made: responses of files, a pointing and a live time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from gm.errors import DataError
from gm.observations.data_store import HDU_INDEX, OBS_INDEX, find_parts
from gm.observations.gti import GTI, TimeReference
from gm.observations.observation import Observation, Plan
from gm.observations.pointing import Pointing

START = TimeReference(51544.0, 0.0)
"""When an observation starts of which nothing else is known: 2000-01-01 TT."""


def planned(
    data: Path,
    obs_id: int | None = None,
    pointing: tuple[float, float] | None = None,
    livetime: float | None = None,
) -> Observation:
    """An observation without events, with the responses of a file or of one observation.

    data : a data store, a file of one observation, or a file of responses, as calibration databases have them
    obs_id : which observation of a store
    pointing : ICRS [deg]; livetime : [s], both by default those of the observation

    With another live time it is one interval from the same start; the part of the time in which telescopes are ready
    stays that of the observation. Raises `DataError`.
    """
    number, parts = find_parts(data, obs_id)
    source = Observation(number or 0, parts)
    if not source.has("events"):
        missing = {"pointing: {center: [83.63, 22.51]}": pointing, "livetime: 50 h": livetime}
        hints = [hint for hint, value in missing.items() if value is None]
        if pointing is None or livetime is None:
            raise DataError(f"{data}: has responses and no observation\n    needed: {', '.join(hints)}")
        gti = GTI.from_intervals([(0.0, livetime)], START)
        return Observation(source.obs_id, parts, plan=Plan(Pointing(*pointing), gti))
    known, gti, ready = source.pointing, source.gti, source.ready()
    if livetime is not None:
        start = float(gti.start[0])
        gti = GTI.from_intervals([(start, start + livetime / ready)], gti.reference)
    place = known if pointing is None else Pointing(*pointing, site=known.site)
    return Observation(source.obs_id, parts, plan=Plan(place, gti, ready))


def planned_from(data: Path, obs_id: int | None = None) -> list[Path]:
    """The files that `planned` reads, as far as they are there."""
    folder = data if data.is_dir() else data.parent if data.name in HDU_INDEX else None
    files = [data] if folder is None else [folder / name for name in (*HDU_INDEX, *OBS_INDEX)]
    with suppress(DataError):
        files += [place.path for place in find_parts(data, obs_id)[1].values()]
    return [file for file in dict.fromkeys(files) if file.is_file()]
