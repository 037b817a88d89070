"""Which bins of a dataset are safe: where responses are well known and the background is what it is taken for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.datasets import MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError, suggest
from gm.makers.maker import safe_bins
from gm.makers.on_region import region_center
from gm.makers.pixels import Pixels
from gm.maps.axes import EnergyAxis
from gm.maps.rotation import rotate
from gm.maps.sphere import offset_north, separation
from gm.observations import Observation

log = logging.getLogger(__name__)

Measured: TypeAlias = SpectrumDataset | SpectrumDatasetOnOff | MapDataset | MapDatasetOnOff
_MAPS = (MapDataset, MapDatasetOnOff)
_FLOOR = float(np.log(np.finfo(np.float64).tiny))


@final
@dataclass(frozen=True)
class SafeMaskMaker:
    """The safe mask of a dataset, less what any of the methods leaves out.

    methods : ``offset-max``, ``aeff-default``, ``aeff-max``, ``edisp-bias``, ``bkg-peak``
    aeff_percent : effective area at the threshold, in percent of the largest
    bias_percent : bias of the reconstructed energy at the threshold, in percent
    position : longitude, latitude [deg] and frame where the responses of a map are taken; None: its centre
    fixed_offset : they are taken so far north of the pointing [deg]
    offset_max : largest distance from the pointing [deg]
    irfs : whether ``aeff-max``, ``edisp-bias`` and ``bkg-peak`` look at the responses of the dataset (``DL4``) or at
        those of the observation (``DL3``), at the fixed offset, at the position, or on axis
    pixels : those of a grid that many datasets are parts of, made once

    Bins of a known background that is not above 0 are never safe. Source: Gammapy 2.1, ``SafeMaskMaker``.
    """

    methods: Collection[str] = ("aeff-default",)
    aeff_percent: float = 10.0
    bias_percent: float = 10.0
    position: tuple[float, float, str] | None = None
    fixed_offset: float | None = None
    offset_max: float = 3.0
    irfs: Literal["DL4", "DL3"] = "DL4"
    pixels: Pixels | None = None

    def __post_init__(self) -> None:
        unknown = [method for method in self.methods if method not in METHODS]
        if unknown:
            raise DataError(f"safe mask: method '{unknown[0]}' is not known\n    {suggest(unknown[0], METHODS)}")
        if self.position is not None and self.fixed_offset is not None:
            raise DataError("safe mask: responses are taken at a position or at a fixed offset, not at both")

    def run(self, dataset: Any, observation: Observation) -> tuple[Any, None]:
        """The dataset with its mask; there is no component. Raises `DataError`."""
        mask = safe_bins(dataset) & _has_background(dataset)
        for name, method in METHODS.items():
            if name in self.methods:
                bins = method(self, dataset, observation)
                mask = mask & (bins[:, None, None] if mask.ndim == 3 and bins.ndim == 1 else bins)
        return dataset.with_(mask_safe=mask), None

    def _offset_max(self, dataset: Measured, observation: Observation) -> BoolArray:
        """Pixels, or the centre of a region, closer to the pointing than the largest offset."""
        lon, lat = observation.pointing_icrs()
        if isinstance(dataset, _MAPS):
            if self.pixels is None:
                distances = dataset.geometry.separation(lon, lat, "icrs")
            else:
                pixels = self.pixels.part(dataset.geometry)
                distances = observation.offsets(pixels.lon, pixels.lat)
            near = distances < self.offset_max
            return np.broadcast_to(near, dataset.counts.shape)
        distance = float(separation(lon, lat, *region_center(dataset)))
        return np.full(dataset.energy.n_bins, distance < self.offset_max)

    def _aeff_default(self, dataset: Measured, observation: Observation) -> BoolArray:
        """The range of energies in the header of the effective area; 0 is no bound."""
        low, high = observation.aeff.lo_thres, observation.aeff.hi_thres
        for name, value in (("LO_THRES", low), ("HI_THRES", high)):
            if not value:
                log.warning("observation %s: no %s, all energies are safe on this side", observation.obs_id, name)
        return dataset.energy.mask(low or None, high or None)

    def _aeff_max(self, dataset: Measured, observation: Observation) -> BoolArray:
        """From the lowest energy on at which the effective area is that part of its largest value.

        Of tables: from the lowest of their edges on at which it is larger.
        """
        if self.irfs == "DL3":
            edges = observation.aeff.energy_true.edges
            exposure = observation.aeff.exposure(edges, *self._looked_at(observation), observation)
        else:
            exposure = self._exposure(dataset, observation)
        if not (exposure > 0.0).any():
            log.warning("dataset %s: no effective area, no bin is safe", dataset.name)
            return np.zeros(dataset.energy.n_bins, dtype=np.bool_)
        if self.irfs == "DL3":
            return dataset.energy.mask(float(edges[exposure > self.aeff_percent / 100.0 * exposure.max()].min()))
        first = int(np.argmax(exposure > 0.0))
        level = self.aeff_percent / 100.0 * float(exposure.max())
        energy = dataset.energy_true.center[first:]
        threshold = float(energy[0])
        if exposure[first] < level:
            crossed = first_crossing(energy, exposure[first:], level)
            threshold = threshold if crossed is None else crossed
        return dataset.energy.mask(threshold)

    def _edisp_bias(self, dataset: Measured, observation: Observation) -> BoolArray:
        """From the energy on at which the bias has fallen to that part, on from its largest value.

        Where it is never so large, from the energy of the largest value.
        """
        if self.irfs == "DL3":
            reco = true = EnergyAxis(observation.edisp.energy_true.edges)
            edisp = observation.edisp.matrix(true, reco, *self._looked_at(observation), observation)
        else:
            reco, true, edisp = dataset.energy, dataset.energy_true, self._edisp(dataset, observation)
        bias = energy_bias(edisp, reco, true)
        first, level = int(np.argmax(bias)), self.bias_percent / 100.0
        energy = true.center[first:]
        crossed = first_crossing(energy, bias[first:], level)
        return dataset.energy.mask((float(energy[0]) if crossed is None else crossed) * (1.0 + level))

    def _bkg_peak(self, dataset: Measured, observation: Observation) -> BoolArray:
        """From the bin with the most background on; of tables: from that of the largest rate per energy."""
        if self.irfs == "DL3":
            table = observation.bkg
            return dataset.energy.mask(float(table.energy.lo[int(np.argmax(table.total_rate()))]))
        background = dataset.expected_background()
        if background is None:
            raise DataError(f"dataset {dataset.name}: no background, the peak of which would be the threshold")
        total = np.nan_to_num(background).reshape(dataset.energy.n_bins, -1).sum(axis=1)
        return dataset.energy.mask(float(dataset.energy.lo[int(np.argmax(total))]))

    # where responses are taken

    def _looked_at(self, observation: Observation) -> tuple[Array, Array]:
        """ICRS position [deg] at which tables are looked at."""
        if self.position is None:
            lon, lat = offset_north(*observation.pointing_icrs(), self.fixed_offset or 0.0)
            return np.asarray(lon), np.asarray(lat)
        return rotate(*self.position[:2], self.position[2], "icrs")

    def _place(self, dataset: MapDataset | MapDatasetOnOff, observation: Observation) -> tuple[float, float, str]:
        """Longitude, latitude [deg] and frame."""
        if self.fixed_offset is not None:
            return *offset_north(*observation.pointing_icrs(), self.fixed_offset), "icrs"
        return self.position or (*dataset.geometry.center(), dataset.geometry.frame)

    def _exposure(self, dataset: Measured, observation: Observation) -> Array:
        """``(n_energy_true,)`` in any unit, of the pixel that holds the place."""
        if not isinstance(dataset, _MAPS):
            return dataset.exposure
        lon, lat, frame = self._place(dataset, observation)
        y, x = dataset.geometry.index(lon, lat, frame)
        if y[0] < 0:
            raise DataError(f"dataset {dataset.name}: the map does not hold {lon:g}, {lat:g} deg ({frame})")
        return np.asarray(dataset.exposure[:, y[0], x[0]], dtype=np.float64)

    def _edisp(self, dataset: Measured, observation: Observation) -> Array:
        """``(n_energy_true, n_energy)``. Raises `DataError` without energy dispersion."""
        if dataset.edisp is None:
            raise DataError(f"dataset {dataset.name}: no energy dispersion to find the bias of")
        if isinstance(dataset, _MAPS):
            return dataset.edisp.kernel(dataset.energy, *self._place(dataset, observation))
        return dataset.edisp


METHODS: dict[str, Callable[[SafeMaskMaker, Measured, Observation], BoolArray]] = {
    "offset-max": SafeMaskMaker._offset_max,
    "aeff-default": SafeMaskMaker._aeff_default,
    "aeff-max": SafeMaskMaker._aeff_max,
    "edisp-bias": SafeMaskMaker._edisp_bias,
    "bkg-peak": SafeMaskMaker._bkg_peak,
}


def _has_background(dataset: Measured) -> BoolArray:
    """Bins with a known background above 0, or all of a dataset without one."""
    known = dataset.known_background
    return np.ones(dataset.shape, dtype=np.bool_) if known is None else np.isfinite(known) & (known > 0.0)


def energy_bias(edisp: Array, energy: EnergyAxis, energy_true: EnergyAxis) -> Array:
    """``(n_energy_true,)``: mean reconstructed energy over the true one, less 1; -1 where nothing is reconstructed."""
    total = edisp.sum(axis=1)
    mean = edisp @ energy.center / np.where(total > 0.0, total, np.inf)
    return np.asarray(mean / energy_true.center - 1.0)


def first_crossing(energy: Array, values: Array, level: float) -> float | None:
    """Lowest energy [TeV] where values ``(n,)`` have a level, with power laws between their energies; None: nowhere.

    Values that are not above 0 are taken for the smallest number.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(values > 0.0, np.maximum(np.log(values), _FLOOR), _FLOOR) - np.log(level)
    crossing = np.flatnonzero((logs[:-1] == 0.0) | (logs[:-1] * logs[1:] < 0.0))
    if not crossing.size:
        return float(energy[-1]) if logs[-1] == 0.0 else None
    at = int(crossing[0])
    part = logs[at] / (logs[at] - logs[at + 1]) if logs[at] else 0.0
    return float(energy[at] * (energy[at + 1] / energy[at]) ** part)
