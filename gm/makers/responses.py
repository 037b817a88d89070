"""Exposure, PSF and energy dispersion of an observation at the pixels of a map."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gm.arrays import Array, MapArray
from gm.irf.edisp_map import EdispMap
from gm.irf.observed import pixel_positions
from gm.irf.positions import ResponseGeometry
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis
from gm.observations import Observation


def exposure_at(observation: Observation, energy_true: Array, lon: Array, lat: Array) -> MapArray:
    """Exposure ``(n_energy_true, n_y, n_x)`` [cm2 s] at energies [TeV] and ICRS positions [deg]."""
    return observation.aeff.exposure(energy_true, lon, lat, observation).astype(np.float32, order="C")


def psf_map(psf: PsfMap | None, energy: EnergyAxis, observation: Observation) -> PsfMap | None:
    """The PSF at the pixels of ``psf``, whose values do not matter; energy : of the counts.

    Its exposure is that of the observation where the response says none; one of reconstructed energy has none.
    """
    if psf is None:
        return None
    made = observation.psf.on_map(psf, energy, observation)
    if made.is_reco or made.exposure is not None:
        return made
    return replace(made, exposure=_exposure(observation, made.energy.center, made.geometry))


def edisp_map(edisp: EdispMap | None, observation: Observation) -> EdispMap | None:
    """The energy dispersion at the pixels of ``edisp``, whose values do not matter, in energy or in migra as there.

    Its exposure is that of the observation where the response says none.
    """
    if edisp is None:
        return None
    made = observation.edisp.on_map(edisp, observation)
    if made.exposure is not None:
        return made
    return replace(made, exposure=_exposure(observation, made.energy_true.center, made.geometry))


def _exposure(observation: Observation, energy_true: Array, geometry: ResponseGeometry) -> MapArray:
    return exposure_at(observation, energy_true, *pixel_positions(geometry))
