"""Datasets of counts in bins of energy: what spectra and maps have in common, and the two kinds of background."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.datasets.base import Dataset
from gm.datasets.measurement import MeasuredCounts, MeasuredOnOff, Measurement
from gm.io.tables import Table
from gm.maps.axes import EnergyAxis


@dataclass(frozen=True, eq=False, kw_only=True)
class CountsDataset(Dataset):
    """Counts in bins of energy, and of position for maps, and the responses that predict them.

    counts : in the shape of the masks; exposure : (n_energy_true, ...) [cm2 s]; edisp : None where energies are
    measured exactly; livetime [s].
    """

    energy: EnergyAxis
    energy_true: EnergyAxis
    counts: MapArray
    exposure: MapArray
    edisp: Any = None
    gti: Table | None = None
    livetime: float | None = None

    @property
    def good_time(self) -> Table | None:
        return self.gti

    @abstractmethod
    def dispersion(self) -> NDArray[Any] | None:
        """The values of the energy dispersion, (n_energy_true, ...)."""

    def counts_in(self, bins: BoolArray) -> float:
        return float(self.counts[bins].sum(dtype=np.float64))

    def energies(self) -> Array:
        return self.energy.center

    def energy_range(self) -> tuple[float, float]:
        return self.energies_of(0, self.energy.n_bins)

    def energies_of(self, first: int, last: int) -> tuple[float, float]:
        return float(self.energy.edges[first]), float(self.energy.edges[last])

    def nearest_bins(self, energies: Array) -> IntArray:
        """Nearest in ln E."""
        own = self.energy.edges
        return np.rint(np.interp(np.log(energies), np.log(own), np.arange(own.size))).astype(np.intp)

    def energy_mask(self, e_min: float | None = None, e_max: float | None = None) -> BoolArray:
        return self.energy.mask(e_min, e_max)

    def lost_energies(self) -> tuple[float, float] | None:
        edisp = self.dispersion()
        if edisp is None:
            return None
        axis, counted = self.energy_true, self.energy.edges
        inside = (axis.center > counted[0]) & (axis.center < counted[-1])
        exposed = self.exposure.reshape(axis.n_bins, -1).any(axis=1)
        lost = np.flatnonzero(inside & exposed & ~edisp.reshape(axis.n_bins, -1).any(axis=1))
        return (float(axis.lo[lost[0]]), float(axis.hi[lost[-1]])) if lost.size else None

    def sees_nothing(self) -> bool:
        return not self.exposure.any() and bool(self.mask.any())

    def summary(self) -> dict[str, Any]:
        mask = self.mask
        low, high = self.energy_range()
        return {
            **super().summary(),
            "bins_in_all": mask.size,
            "true_energy_bins": self.energy_true.n_bins,
            "e_min": low,
            "e_max": high,
            "livetime": self.livetime,
            "counts": self.counts_in(mask),
            **self._background_in(mask),
        }

    @abstractmethod
    def _background_in(self, mask: BoolArray) -> dict[str, float]:
        """What a summary says of the background in some bins."""


@dataclass(frozen=True, eq=False, kw_only=True)
class KnownBackground(CountsDataset):
    """Counts with a known background, or with none: Cash statistic. background : as counts, or None."""

    background: MapArray | None = None

    stat_type: ClassVar[str] = "cash"

    @property
    def known_background(self) -> MapArray | None:
        return self.background

    def unusable(self) -> Sequence[tuple[str, BoolArray]]:
        return ()

    def measurement(self) -> Measurement:
        return MeasuredCounts(self.counts.ravel())

    def bare(self, *, keep_background: bool) -> Self:
        bare = super().bare(keep_background=keep_background)
        return bare if keep_background else bare.with_(background=None)

    def _background_in(self, mask: BoolArray) -> dict[str, float]:
        return {} if self.background is None else {"background": float(self.background[mask].sum(dtype=np.float64))}


@dataclass(frozen=True, eq=False, kw_only=True)
class MeasuredBackground(CountsDataset):
    """Counts with a background measured elsewhere: W statistic. counts_off, acceptance, acceptance_off : as counts.

    Without an acceptance on and off the profiled background is undefined; by convention such a bin adds nothing.
    """

    counts_off: MapArray
    acceptance: MapArray
    acceptance_off: MapArray

    stat_type: ClassVar[str] = "wstat"

    def unusable(self) -> Sequence[tuple[str, BoolArray]]:
        return (
            ("without off acceptance", ~(self.acceptance_off > 0)),
            ("without on acceptance", ~(self.acceptance > 0)),
        )

    def measurement(self) -> Measurement:
        parts = self.counts, self.counts_off, self.acceptance, self.acceptance_off
        return MeasuredOnOff(*(part.ravel() for part in parts))

    def alpha(self) -> MapArray:
        """Acceptance ON / OFF: 0 where both are 0, the largest number of its precision where only OFF is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.acceptance / self.acceptance_off)

    def expected_background(self) -> Array:
        """``alpha N_off``, in double precision; 0 without an off acceptance."""
        known = np.asarray(self.acceptance_off, dtype=np.float64)
        expected = np.multiply(self.acceptance, self.counts_off, dtype=np.float64)
        return np.divide(expected, known, out=np.zeros_like(known), where=known > 0)

    def bare(self, *, keep_background: bool) -> Self:
        ones = np.ones_like(self.acceptance)  # bins without acceptance would not enter
        bare = super().bare(keep_background=keep_background)
        return bare.with_(acceptance=ones, acceptance_off=ones)

    def _background_in(self, mask: BoolArray) -> dict[str, float]:
        return {"counts_off": float(self.counts_off[mask].sum(dtype=np.float64))}
