"""The bins that a map dataset was made from, in which its sources are still predicted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.irf.edisp_map import EdispMap
from gm.irf.psf import PsfMap
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry

_NOWHERE = -1
_MARGIN = 2  # pixels beyond the PSF


class Binned(Protocol):
    """What a map dataset has that predictions need."""

    @property
    def geometry(self) -> WcsGeometry: ...
    @property
    def energy(self) -> EnergyAxis: ...
    @property
    def exposure(self) -> MapArray: ...
    @property
    def psf(self) -> PsfMap | None: ...
    @property
    def edisp(self) -> EdispMap | None: ...
    @property
    def finer(self) -> FinerBins | None: ...


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class FinerBins:
    """Responses on the bins that those of a map dataset were summed, selected or cut from.

    A bin of the dataset is predicted as the sum over its finer bins, each with its own response, so that sums and
    selections of bins keep what a source predicts: masks that differ from pixel to pixel, exposure that changes within
    a joined pixel, light from beyond the border of a cutout. The dataset's own exposure, PSF and energy dispersion are
    those that Gammapy derives, which are averages.

    geometry, energy, exposure, psf, edisp : as of a dataset; mask : (n_energy, n_y, n_x) the finer bins that were
    summed; to_energy, to_y, to_x : (n_energy,), (n_y,), (n_x,) the dataset's bin that holds a finer one, -1 for none.
    """

    geometry: WcsGeometry
    energy: EnergyAxis
    exposure: MapArray
    psf: PsfMap | None
    edisp: EdispMap | None
    mask: BoolArray
    to_energy: IntArray
    to_y: IntArray
    to_x: IntArray

    @classmethod
    def of(cls, dataset: Binned) -> FinerBins:
        """The finer bins of a dataset, which are its own when it was not made from others."""
        if dataset.finer is not None:
            return dataset.finer
        n_y, n_x = dataset.geometry.shape
        return cls(
            geometry=dataset.geometry,
            energy=dataset.energy,
            exposure=dataset.exposure,
            psf=dataset.psf,
            edisp=dataset.edisp,
            mask=np.ones((dataset.energy.n_bins, n_y, n_x), dtype=np.bool_),
            to_energy=np.arange(dataset.energy.n_bins),
            to_y=np.arange(n_y),
            to_x=np.arange(n_x),
        )

    def misfit(self, shape: tuple[int, ...], n_true: int) -> str:
        """What does not fit a dataset of this shape, (n_energy, n_y, n_x), and number of true energies; or nothing."""
        own = (self.to_energy.size, self.to_y.size, self.to_x.size)
        if self.mask.shape != own or self.exposure.shape != (n_true, *own[1:]):
            return f"has places for {own} bins, FINER_MASK has {self.mask.shape}, FINER_EXPOSURE {self.exposure.shape}"
        for places, size in zip((self.to_energy, self.to_y, self.to_x), shape, strict=True):
            if places.min(initial=_NOWHERE) < _NOWHERE or places.max(initial=_NOWHERE) >= size:
                return f"leads to bin {places.max()}, where the dataset has {size}"
        return ""

    def entering(self, mask: BoolArray) -> BoolArray:
        """``(n_energy, n_y, n_x)``: the finer bins of those that a mask of the dataset holds."""
        inside = (self.to_energy != _NOWHERE)[:, None, None] & (self.to_y != _NOWHERE)[:, None]
        inside = inside & (self.to_x != _NOWHERE)
        return np.asarray(self.mask & inside & mask[np.ix_(self.to_energy, self.to_y, self.to_x)])

    def within(self, safe: BoolArray | None) -> FinerBins:
        """Without the finer bins of those that are not safe, which a sum leaves out."""
        return self if safe is None else replace(self, mask=self.entering(safe))

    def energies_to(self, to_energy: IntArray) -> FinerBins:
        """For a dataset whose energy bins went to others, (n_energy,) of the old ones, -1 for those left out."""
        return replace(self, to_energy=_followed(self.to_energy, to_energy))

    def pixels_to(self, to_y: IntArray, to_x: IntArray) -> FinerBins:
        """For a dataset whose rows and columns of pixels went to others, -1 for those left out."""
        return replace(self, to_y=_followed(self.to_y, to_y), to_x=_followed(self.to_x, to_x))

    def in_energies(self, values: Array, n_energy: int) -> Array:
        """Values (n_finer_energy, ...) summed into the energies of the dataset, (n_energy, ...).

        As far as finer bins are in the sums, in the mean of all pixels.
        """
        part = self.mask.mean(axis=(1, 2)).reshape(-1, *[1] * (values.ndim - 1))
        summed, used = np.zeros((n_energy, *values.shape[1:])), self.to_energy != _NOWHERE
        np.add.at(summed, self.to_energy[used], (values * part)[used])
        return summed

    def exposed(self, times: float) -> FinerBins:
        """With the exposure of that many times the observation."""
        return replace(self, exposure=self.exposure * times)

    def turned(self, by: int) -> FinerBins:
        """The same bins on a grid that begins ``by`` columns further on, of a map that goes all around the sky."""
        n_y, n_x = self.geometry.shape
        return replace(
            self,
            geometry=self.geometry.window(slice(0, n_y), slice(by, by + n_x)),
            exposure=np.roll(self.exposure, -by, axis=-1),
            mask=np.roll(self.mask, -by, axis=-1),
            to_x=np.roll(self.to_x, -by),
        )

    def trimmed(self) -> FinerBins:
        """Without pixels that are further from those in use than the PSF reaches."""
        beyond = 0.0 if self.psf is None else float(self.psf.rad.edges[-1])
        scale_x, scale_y = self.geometry.pixel_scales()
        y, x = _around(self.to_y, beyond / scale_y), _around(self.to_x, beyond / scale_x)
        return replace(
            self,
            geometry=self.geometry.window(y, x),
            exposure=self.exposure[:, y, x],
            mask=self.mask[:, y, x],
            to_y=self.to_y[y],
            to_x=self.to_x[x],
        )


def _followed(first: IntArray, then: IntArray) -> IntArray:
    return np.where(first == _NOWHERE, _NOWHERE, then[first])


def _around(to: IntArray, beyond: float) -> slice:
    """The part that is in use, and a border."""
    used, border = np.flatnonzero(to != _NOWHERE), int(np.ceil(beyond)) + _MARGIN
    first, last = (int(used[0]), int(used[-1])) if used.size else (0, 0)
    return slice(max(first - border, 0), min(last + 1 + border, to.size))
