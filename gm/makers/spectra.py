"""The spectrum of a region: counts, exposure, energy dispersion and background from an observation."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gm.arrays import Array
from gm.datasets import SpectrumDataset
from gm.errors import DataError
from gm.makers.on_region import OnRegion
from gm.maps.axes import EnergyAxis
from gm.maps.sky_region import SkyRegion
from gm.observations import Observation
from gm.observations.field_of_view import expected_background

log = logging.getLogger(__name__)

PARTS = ("counts", "exposure", "background", "edisp")


def empty_spectrum(name: str, energy: EnergyAxis, energy_true: EnergyAxis, region: SkyRegion) -> SpectrumDataset:
    """What a reduction starts from: axes and a region, no counts and no exposure. Raises `DataError`."""
    if not all(shape.has_size() for shape in region.shapes):
        raise DataError("the region has no size, and holds no event")
    return SpectrumDataset(
        name=name,
        energy=energy,
        energy_true=EnergyAxis(energy_true.edges, "energy_true", interp=energy_true.interp),
        counts=np.zeros(energy.n_bins),
        exposure=np.zeros(energy_true.n_bins),
        region=region.to_file_region(),
    )


@final
@dataclass(frozen=True)
class SpectrumDatasetMaker:
    """Counts in the region of a dataset, and the responses there.

    selection : which of `PARTS` are made; responses that are point-like come without a background
    containment_correction : the exposure times the part of the PSF within the region, which has to be a circle
    use_region_center : responses at the centre of the region; otherwise the exposure is averaged, and the background
        integrated, over its pixels of 0.1 deg, in parts of a tenth of that
    background_oversampling : parts into which bins of energy are cut to integrate the background

    Responses that are point-like need a point, of which ``RAD_MAX`` says how large it is at each energy, or a circle of
    a radius that is the same for all. Source: Gammapy 2.1, ``SpectrumDatasetMaker``.
    """

    selection: Collection[str] = PARTS
    containment_correction: bool = False
    use_region_center: bool = True
    background_oversampling: int = 1

    def __post_init__(self) -> None:
        unknown = sorted(set(self.selection) - set(PARTS))
        if unknown:
            raise DataError(f"selection of {', '.join(unknown)}\n    allowed: {', '.join(PARTS)}")

    def run(self, dataset: SpectrumDataset, observation: Observation) -> tuple[SpectrumDataset, None]:
        """The dataset with what the observation adds; there is no component. Raises `DataError`."""
        region = OnRegion.of(dataset, observation)
        made: dict[str, Any] = {
            "livetime": observation.livetime(),
            "gti": observation.gti.to_table(),
            "mask_safe": np.ones(dataset.energy.n_bins, dtype=np.bool_),
            "meta": description(observation),
        }
        if "counts" in self.selection:
            made["counts"] = region.counts(dataset.energy, observation)
        if "exposure" in self.selection:
            made["exposure"] = self._exposure(dataset.energy_true, observation, region)
        if "edisp" in self.selection:
            place = region.place()
            made["edisp"] = observation.edisp.matrix(dataset.energy_true, dataset.energy, *place, observation)
        if "background" in self.selection:
            made["background"] = self._background(dataset.energy, observation, region)
        return dataset.with_(**made), None

    def _exposure(self, energy_true: EnergyAxis, observation: Observation, region: OnRegion) -> Array:
        """``(n_energy_true,)`` [cm2 s]."""
        aeff, energy = observation.aeff, energy_true.center
        if self.use_region_center:
            exposure = aeff.exposure(energy, *region.place(), observation)
        else:
            lon, lat, weight = region.pixels()
            exposure = np.average(aeff.exposure(energy, lon, lat, observation), axis=1, weights=weight)
        if not self.containment_correction:
            return exposure
        if aeff.is_pointlike:
            raise DataError("point-like responses have their containment in them\n    containment_correction: false")
        radius = region.radius()
        if radius is None:
            raise DataError("the containment correction needs a circle\n    containment_correction: false, or a circle")
        return np.asarray(exposure * observation.psf.contained(radius, energy, *region.place(), observation))

    def _background(self, energy: EnergyAxis, observation: Observation, region: OnRegion) -> Array:
        """``(n_energy,)`` counts."""
        k = self.background_oversampling
        edges = np.exp(np.interp(np.arange(k * energy.n_bins + 1) / k, range(energy.n_bins + 1), np.log(energy.edges)))
        edges[::k] = energy.edges
        fine = EnergyAxis(edges)
        if self.use_region_center:
            counts = expected_background(observation, fine, *region.center) * region.solid_angle()
        else:
            lon, lat, weight = region.pixels()
            counts = expected_background(observation, fine, lon, lat) @ (weight * region.pixel_solid_angles())
        return np.asarray(counts.reshape(energy.n_bins, k).sum(axis=1))


def description(observation: Observation) -> dict[str, Any]:
    """What a dataset says about the observation that it is from; angles in deg."""
    pointing = observation.pointing
    names = ("AZ_PNT", "ALT_PNT") if pointing.is_drift else ("RA_PNT", "DEC_PNT")
    return {
        "TELESCOP": observation.aeff.telescope if observation.has("aeff") else "Unknown",
        "OBS_ID": observation.obs_id,
        "OBS_MODE": "DRIFT" if pointing.is_drift else "POINTING",
        names[0]: pointing.lon,
        names[1]: pointing.lat,
    }
