"""Map datasets of observations: counts, and what the responses say about the pixels of a map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gm.arrays import MapArray
from gm.datasets import MapDataset
from gm.errors import DataError
from gm.io.tables import Column, Table
from gm.makers.pixels import Pixels
from gm.makers.responses import edisp_map, exposure_at, psf_map
from gm.maps.axes import EnergyAxis
from gm.observations import EventList, Observation
from gm.observations.field_of_view import expected_background

SELECTION = ("counts", "exposure", "background", "psf", "edisp")


@final
@dataclass(frozen=True)
class MapDatasetMaker:
    """Fills a map with the counts and the responses of an observation. Source: Gammapy 2.1, ``MapDatasetMaker``.

    selection : which of `SELECTION` are made; others are None, or 0
    background_oversampling : into how many parts bins of energy are cut to integrate the background
    fov_rotation_step : [deg] by which a field of view may turn that is aligned with the horizon, before its background
        is taken anew
    pixels : those of a grid that many datasets are parts of, made once
    """

    selection: Sequence[str] = SELECTION
    background_oversampling: int = 1
    fov_rotation_step: float = 1.0
    pixels: Pixels | None = None

    def __post_init__(self) -> None:
        if not set(self.selection) <= set(SELECTION):
            raise DataError(f"selection {', '.join(self.selection)}\n    allowed: {', '.join(SELECTION)}")

    def run(self, dataset: MapDataset, observation: Observation) -> tuple[MapDataset, None]:
        """The dataset, of which only bins and pixels are looked at, with the data of an observation.

        exposure ``A(E, offset) t_live``; background ``ontime x solid angle x`` the rate integrated over the bin; PSF
        and energy dispersion at the pixels of their maps, with integral 1. Raises `DataError`.
        """
        wanted = set(self.selection)
        pixels = (self.pixels or Pixels.of(dataset.geometry)).part(dataset.geometry)
        counts = map_counts(dataset, observation.events) if "counts" in wanted else np.zeros(dataset.shape, np.float32)
        changes: dict[str, Any] = {"counts": counts}
        zeros = np.zeros((dataset.energy_true.n_bins, *dataset.geometry.shape), dtype=np.float32)
        center = dataset.energy_true.center
        changes["exposure"] = (
            exposure_at(observation, center, pixels.lon, pixels.lat) if "exposure" in wanted else zeros
        )
        changes["background"] = self._background(dataset, observation, pixels) if "background" in wanted else None
        changes["psf"] = psf_map(dataset.psf, dataset.energy, observation) if "psf" in wanted else None
        changes["edisp"] = edisp_map(dataset.edisp, observation) if "edisp" in wanted else None
        safe = np.ones(changes["counts"].shape, dtype=np.bool_)
        gti, meta = observation.gti.to_table(), meta_table(observation)
        livetime = observation.livetime() if "exposure" in wanted else None
        return dataset.with_(
            **changes, mask_safe=safe, mask_fit=None, finer=None, gti=gti, meta=meta, livetime=livetime
        ), None

    def _background(self, dataset: MapDataset, observation: Observation, pixels: Pixels) -> MapArray:
        k = self.background_oversampling
        fine = dataset.energy if k == 1 else divided(dataset.energy, k)
        counts = expected_background(observation, fine, pixels.lon, pixels.lat, self.fov_rotation_step)
        if k > 1:
            counts = counts.reshape(dataset.energy.n_bins, k, *counts.shape[1:]).sum(axis=1)
        counts *= pixels.solid_angle
        return counts.astype(np.float32)


def divided(energy: EnergyAxis, k: int) -> EnergyAxis:
    """The axis with every bin cut into ``k`` parts of equal width in ln E."""
    at = np.arange(energy.n_bins * k + 1) / k
    return EnergyAxis(np.exp(np.interp(at, np.arange(energy.n_bins + 1), np.log(energy.edges))), energy.name)


def map_counts(dataset: MapDataset, events: EventList) -> MapArray:
    """Events ``(n_energy, n_y, n_x)`` in the bins of a map."""
    shape = dataset.shape
    y, x = dataset.geometry.index(events.lon, events.lat, "icrs")
    k = np.floor(dataset.energy.pixel(events.energy) + 0.5).astype(np.intp)
    inside = (y >= 0) & (k >= 0) & (k < shape[0])
    flat = np.ravel_multi_index((k[inside], y[inside], x[inside]), shape)
    counts = np.zeros(shape, dtype=np.float32 if len(flat) < 1 << 24 else np.float64)  # as `stored` has them
    np.add.at(counts.reshape(-1), flat, counts.dtype.type(1.0))
    return counts


def meta_table(observation: Observation) -> Table:
    """One row about the observation, as Gammapy writes it."""
    pointing = observation.pointing
    names = ("AZ_PNT", "ALT_PNT") if pointing.is_drift else ("RA_PNT", "DEC_PNT")
    header = observation.extension("events" if observation.has("events") else "aeff").header
    return Table(
        "META_TABLE",
        (
            Column("TELESCOP", np.array([header.text("TELESCOP", "Unknown")])),
            Column("OBS_ID", np.array([observation.obs_id])),
            Column("OBS_MODE", np.array(["DRIFT" if pointing.is_drift else "POINTING"])),
            Column(names[0], np.array([pointing.lon]), "deg"),
            Column(names[1], np.array([pointing.lat]), "deg"),
        ),
    )
