"""What is worth to be known of a dataset: counts that it cannot have, or that nothing in it can predict."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from gm.datasets import MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from gm.makers.maker import safe_bins
from gm.maps.rotation import rotate
from gm.maps.sky_region import SkyRegion
from gm.observations import Observation

Measured: TypeAlias = SpectrumDataset | SpectrumDatasetOnOff | MapDataset | MapDatasetOnOff
_SEEN = 0.01  # of the photons at the energy where there are most
_ROUNDING = 1e-9  # relative, of edges in different units


def remarks(dataset: Measured, observation: Observation, *, is_corrected: bool = False) -> Iterator[str]:
    """All of them, a sentence each. Datasets stay as Gammapy 2.1 makes them, which does not tell.

    is_corrected : whether exposures are those of what the PSF contains in the region
    """
    yield from _narrow_energies(dataset)
    yield from _lost_counts(dataset, observation)
    yield from _strange_totals(dataset, observation)
    if observation.has("psf") and (is_corrected or isinstance(dataset, MapDataset | MapDatasetOnOff)):
        yield from _short_psf(dataset, observation, is_corrected=is_corrected)


def _lost_counts(dataset: Measured, observation: Observation) -> Iterator[str]:
    """Where safe bins reach beyond the energies or offsets of the selected events, and the exposure with them."""
    energy, offset, safe = observation.selection.energy, observation.selection.offset, safe_bins(dataset)
    if energy is not None:
        beyond = dataset.energy.lo < energy[0] * (1.0 - _ROUNDING)
        beyond |= dataset.energy.hi > energy[1] * (1.0 + _ROUNDING)
        n = int(np.count_nonzero(beyond & safe.reshape(dataset.energy.n_bins, -1).any(axis=1)))
        if n:
            bins = "a safe bin of energy reaches" if n == 1 else f"{n} safe bins of energy reach"
            yield _told(f"of {energy[0]:g} to {energy[1]:g} TeV", bins)
    if offset is not None and _reaches_beyond(dataset, observation, *offset):
        part = "safe pixels lie" if safe.ndim == 3 else "the region reaches"
        yield _told(f"{offset[0]:g} to {offset[1]:g} deg from the pointing", part)


def _strange_totals(dataset: Measured, observation: Observation) -> Iterator[str]:
    """Tables whose probabilities do not add up to 1: datasets get them scaled."""
    has, psf = observation.has, dataset.psf if isinstance(dataset, MapDataset | MapDatasetOnOff) else None
    totals = {
        "energy dispersion": observation.edisp.strange_total() if dataset.edisp is not None and has("edisp") else None,
        "PSF": observation.psf.strange_total() if psf is not None and has("psf") else None,
    }
    for table, total in totals.items():
        if total is not None:
            yield f"the table of the {table} adds up to as much as {total:.3g}, expected 1: it is scaled to 1"


def _short_psf(dataset: Measured, observation: Observation, *, is_corrected: bool) -> Iterator[str]:
    """A PSF that ends before its probabilities do, at energies from which photons are expected: at least a hundredth of
    those of a spectrum of index 2 at its best energy. Others have a PSF of a few simulated events."""
    exposed = dataset.exposure.reshape(dataset.energy_true.n_bins, -1).max(axis=1) / dataset.energy_true.center
    edges, seen = dataset.energy_true.edges, np.flatnonzero(exposed > _SEEN * exposed.max())
    short = observation.psf.short_total(float(edges[seen[0]]), float(edges[seen[-1] + 1])) if seen.size else None
    if is_corrected and short is None:
        total = observation.psf.strange_total()
        short = total if total is not None and total < 1.0 else None
    if short is not None:
        where, what = "at some energies or offsets, where it ends early", "it is scaled to 1"
        if is_corrected:
            where, what = "at some energies or offsets", "no more than that is taken to be in the region"
        yield f"the table of the PSF adds up to {short:.3g} {where}: {what}"


def _narrow_energies(dataset: Measured) -> Iterator[str]:
    """Where safe bins reach beyond the true energies: photons from there are counted, and not predicted."""
    safe = safe_bins(dataset).reshape(dataset.energy.n_bins, -1).any(axis=1)
    true = dataset.energy_true.edges
    low, high = float(dataset.energy.lo[safe].min()), float(dataset.energy.hi[safe].max())
    if low < true[0] * (1.0 - _ROUNDING) or high > true[-1] * (1.0 + _ROUNDING):
        yield (
            f"safe energies from {low:g} to {high:g} TeV reach beyond energy_true, {true[0]:g} to {true[-1]:g} TeV: "
            "photons from there are counted, and not predicted"
        )


def _told(kept: str, what: str) -> str:
    return f"only events {kept} are selected, but {what} beyond: counts are missing there, exposure is not"


def _reaches_beyond(dataset: Measured, observation: Observation, low: float, high: float) -> bool:
    """Whether a safe pixel, or part of the region, is nearer to or farther from the pointing [deg] than the events."""
    if isinstance(dataset, MapDataset | MapDatasetOnOff):
        distances = dataset.geometry.separation(*observation.pointing_icrs(), "icrs")
        return bool((safe_bins(dataset).any(axis=0) & ((distances < low) | (distances >= high))).any())
    assert dataset.region is not None  # counts come from one
    for shape in SkyRegion.from_file_region(dataset.region).shapes:
        distances = observation.offsets(*rotate(np.array(shape.lon), np.array(shape.lat), shape.frame, "icrs"))
        if ((distances - shape.reach < low).any() and low > 0.0) or (distances + shape.reach > high).any():
            return True
    return False
