"""Observations of DL3 files (GADF 0.2 and 0.3): events, good time intervals, pointing and responses."""

from __future__ import annotations

from gm.observations.data_store import DataStore, Observations
from gm.observations.events import EventList, EventSelection
from gm.observations.gti import GTI, TimeReference
from gm.observations.observation import HduLocation, Observation
from gm.observations.pointing import Pointing
from gm.observations.selection import ObservationSelection

__all__ = [
    "GTI",
    "DataStore",
    "EventList",
    "EventSelection",
    "HduLocation",
    "Observation",
    "ObservationSelection",
    "Observations",
    "Pointing",
    "TimeReference",
]
