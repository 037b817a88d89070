"""Observations of DL3 files, as ``gm show`` tells of them: all of an index, or one with its energies and offsets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gm.errors import DataError

if TYPE_CHECKING:
    from gm.io.fits import FitsFile
    from gm.observations import Observation

PARTS = ("events", "gti", "aeff", "edisp", "psf", "bkg")
_INDEX = {"HDU_TYPE", "HDU_CLASS", "FILE_NAME"}


def is_index(file: FitsFile) -> bool:
    """Whether it says where the parts of observations are."""
    return any(table.is_table and table.columns.keys() >= _INDEX for table in file.extensions)


def observations(path: Path) -> dict[str, Any]:
    """A row for each observation of a folder with an index, of an index, or of a file with events.

    Angles in deg, times in s, energies in TeV; ``problem`` is why something is not known. Raises `DataError`.
    """
    from gm.observations import DataStore

    found = DataStore.open(path).observations()
    return {"observations": [_row(observation, is_alone=len(found) == 1) for observation in found]}


def _target(observation: Observation) -> dict[str, Any] | None:
    """What the header of the events says was observed: ``name``, and the ``offset`` [deg] of its position.

    A position of 0, 0 is what surveys write, which have none.
    """
    events = observation.extension("events")
    name = events.header.text("OBJECT").strip()
    if not name:
        return None
    place = [events.real(card, 0.0) for card in ("RA_OBJ", "DEC_OBJ") if card in events.header]
    if len(place) < 2 or not any(place):
        return {"name": name, "offset": None}
    return {"name": name, "offset": float(observation.offsets(*map(np.asarray, place)))}


def _row(observation: Observation, *, is_alone: bool) -> dict[str, Any]:
    row: dict[str, Any] = {
        "obs_id": observation.obs_id,
        "responses": {part: observation.hdus[part].kind for part in observation.hdus if part not in ("events", "gti")},
        "missing": [part for part in PARTS if not observation.has(part)],
    }
    try:
        row["events"] = observation.extension("events").integer("NAXIS2")
        row["pointing"] = list(observation.pointing_icrs())
        row["target"] = _target(observation)
        row["livetime"] = observation.livetime()
        if is_alone and row["events"]:
            energy, offset = observation.events.energy, observation.events.separation(*observation.pointing_icrs())
            row |= {"e_min": float(energy.min()), "e_max": float(energy.max()), "offset_max": float(offset.max())}
        if is_alone:
            row["event_types"] = observation.events.types()
        if is_alone and (table := observation.pointing_table) is not None:
            row["pointings"] = {"rows": len(table.time), "spread": table.spread()}
    except DataError as error:
        row["problem"] = str(error)
    return row
