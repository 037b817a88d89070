"""Datasets of counts in bins of energy: what spectra and maps have in common, and the two kinds of background."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.datasets.acceptances import joined_acceptance_off, off_background, scaled, stacked_acceptance_off
from gm.datasets.base import Dataset
from gm.datasets.measurement import MeasuredCounts, MeasuredOnOff, Measurement
from gm.io.tables import Table
from gm.maps.axes import EnergyAxis
from gm.maps.joined_bins import any_of, summed

Kind = TypeVar("Kind", bound="CountsDataset")
Reduce: TypeAlias = Callable[[Any], Any]
"""Bins to joined bins."""

ODD_PSF = "the PSF adds up to as much as {:.3g}, expected 1: it is scaled to 1"
SHORT_PSF = "the PSF adds up to {:.3g} at some energies or positions, where its table ends early: it is scaled to 1"
ODD_EDISP = "the energy dispersion adds up to as much as {:.3g}, expected 1: predicted counts are scaled by it"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
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

    has_known_background: ClassVar[bool]
    """Whether its background is given, and can be added to, or is measured by off counts."""
    background_arrays: ClassVar[tuple[str, ...]]
    """The fields that hold the background, each in the shape of the counts."""

    @property
    def good_time(self) -> Table | None:
        return self.gti

    @property
    def live_time(self) -> float | None:
        return self.livetime

    @abstractmethod
    def dispersion(self) -> NDArray[Any] | None:
        """The values of the energy dispersion, (n_energy_true, ...)."""

    def counts_in(self, bins: BoolArray) -> float:
        return float(self.counts[bins].sum(dtype=np.float64))

    def energies(self) -> Array:
        return self.energy.center

    def shared(self, keep: Callable[[Hashable, Any], Any]) -> Self:
        parts = self._shared_parts(keep)
        if all(part is getattr(self, name) for name, part in parts.items()):
            return self
        same = copy(self)
        vars(same).update(parts)  # equal to what it has, and so checked already
        return same

    def _shared_parts(self, keep: Callable[[Hashable, Any], Any]) -> dict[str, Any]:
        axes = {"energy": self.energy, "energy_true": self.energy_true}
        return {name: keep((name, *axis.content()), axis) for name, axis in axes.items()}

    def energy_edges(self) -> tuple[Array, Array]:
        return self.energy.lo, self.energy.hi

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

    def sliced(self, name: str, part: slice) -> Self:
        """The energy bins ``part.start`` to ``part.stop``, by number; true energies stay complete."""
        return self.with_(name=name, **self._sliced_parts(part))

    def _sliced_parts(self, part: slice) -> dict[str, Any]:
        arrays = {key: getattr(self, key) for key in ("counts", "mask_safe", "mask_fit", *self.background_arrays)}
        return {
            **{key: values[part] for key, values in arrays.items() if values is not None},
            "energy": self.energy.sliced(part),
            "edisp": self._sliced_edisp(part),
        }

    @abstractmethod
    def _sliced_edisp(self, part: slice) -> Any: ...

    def joined(self, name: str, groups: IntArray) -> Self:
        """The energy bins between each of the edges ``groups``, by number, and the next summed, safe bins only.

        What lies outside is left out. counts, background : sums; masks : in when any of the bins is; exposure,
        livetime : as they were; edisp : sums over safe bins; acceptance : sum, and the off acceptance such that the
        background stays.
        """
        measured = self.where_measured()
        return measured.with_(name=name, **measured._joined_parts(groups))

    def _joined_parts(self, groups: IntArray) -> dict[str, Any]:
        def total(values: Any) -> Any:
            return summed(values, self.mask_safe, groups)

        return {
            "energy": self.energy.joined(groups),
            "counts": total(self.counts).astype(self.counts.dtype),
            "mask_safe": any_of(self.mask_safe, groups),
            "mask_fit": any_of(self.mask_fit, groups),
            "edisp": self._joined_edisp(groups),
            **self.joined_background(total, total),
        }

    @abstractmethod
    def _joined_edisp(self, groups: IntArray) -> Any: ...

    @abstractmethod
    def joined_background(self, total: Reduce, mean: Reduce) -> dict[str, Any]:
        """The fields of the background where bins are joined: counts by ``total``, acceptances by ``mean``."""

    @classmethod
    @abstractmethod
    def stacked_background(cls, datasets: Sequence[Self], total: Callable[[Sequence[Any]], Any]) -> dict[str, Any]:
        """The fields of the background of a stack; ``total`` sums one array, or None, of each dataset."""

    def exposed(self, times: float, livetime: float) -> Self:
        """Seen ``times`` as long as it was, which is ``livetime`` [s]."""
        known = self.known_background
        background = {} if known is None else {"background": known * times}
        return self.with_(exposure=self.exposure * times, livetime=livetime, **background)

    def stored(self, counts: Array) -> MapArray:
        """Counts as its files hold them."""
        return counts

    @abstractmethod
    def with_off(self, **off: Any) -> CountsDataset:
        """With ``counts_off``, ``acceptance`` and ``acceptance_off`` in place of its background, and other changes."""

    @abstractmethod
    def _drawn_background(self) -> MapArray | None:
        """Background counts to draw from, in the precision of the counts."""

    def _blank_parts(self, counts: MapArray) -> dict[str, Any]:
        return {"counts": counts, "background": self._drawn_background(), "mask_safe": None, "mask_fit": None}

    def lost_energies(self) -> tuple[float, float] | None:
        edisp = self.dispersion()
        if edisp is None:
            return None
        axis, (low, high) = self.energy_true, self.energy_range()
        inside = slice(axis.center.searchsorted(low, "right"), axis.center.searchsorted(high, "left"))
        seen, dispersed = (part.reshape(axis.n_bins, -1)[inside].any(axis=1) for part in (self.exposure, edisp))
        lost = (seen > dispersed).nonzero()[0]  # and not
        return (float(axis.lo[inside][lost[0]]), float(axis.hi[inside][lost[-1]])) if lost.size else None

    def remarks(self) -> Sequence[str]:
        """What responses add up to, where that is not 1."""
        return tuple(text.format(total) for text, total in self._strange_totals() if total is not None)

    @abstractmethod
    def _strange_totals(self) -> Sequence[tuple[str, float | None]]:
        """What is said of responses that do not add up to 1, with the number, or None where they do."""

    def sees_nothing(self) -> bool:
        return not self.exposure.any() and bool(self.mask.any())

    def pictures(self) -> dict[str, list[Any]]:
        from gm.figures.counts import Counts

        (low, high), n = self.energy_edges(), self.energy.n_bins
        bins = np.flatnonzero(self.mask)
        groups = bins // (self.counts.size // n)
        if not bins.size:
            return {}
        expected = self.expected_background()

        def by_energy(values: MapArray) -> Array:
            return np.bincount(groups, values.ravel()[bins], n).astype(np.float64)

        counts = by_energy(self.counts)
        background = np.zeros(n) if expected is None else by_energy(expected)
        joined = self.measurement().statistic(bins).joined(groups, n)
        with np.errstate(divide="ignore", invalid="ignore"):
            residual = joined.residuals(background if self.has_known_background else np.zeros(n))
        residual = np.where((background > 0) & np.isfinite(residual), residual, np.nan)
        inside = slice(int(groups[0]), int(groups[-1]) + 1)
        low, high, counts, known, residual = (of[inside] for of in (low, high, counts, background, residual))
        return {"counts": [Counts(self.name, low, high, counts, known, known, residual, {}, "background")]}

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


def converted(dataset: CountsDataset, kind: type[Kind], **changes: Any) -> Kind:
    """A dataset of another kind with the fields that both have, some of them replaced."""
    shared = {field.name for field in fields(kind)} & {field.name for field in fields(dataset)} - changes.keys()
    return kind(**{name: getattr(dataset, name) for name in shared}, **changes)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class KnownBackground(CountsDataset):
    """Counts with a known background, or with none: Cash statistic. background : as counts, or None."""

    background: MapArray | None = None

    stat_type: ClassVar[str] = "cash"
    has_known_background: ClassVar[bool] = True
    background_arrays: ClassVar[tuple[str, ...]] = ("background",)

    @property
    def known_background(self) -> MapArray | None:
        return self.background

    def unusable(self) -> Sequence[tuple[str, BoolArray]]:
        return ()

    def measurement(self) -> Measurement:
        return MeasuredCounts(self.counts.ravel())

    def _drawn_background(self) -> MapArray | None:
        return self.background

    def joined_background(self, total: Reduce, mean: Reduce) -> dict[str, Any]:
        return {} if self.background is None else {"background": total(self.background)}

    @classmethod
    def stacked_background(cls, datasets: Sequence[Self], total: Callable[[Sequence[Any]], Any]) -> dict[str, Any]:
        backgrounds = [dataset.background for dataset in datasets]
        return {} if all(known is None for known in backgrounds) else {"background": total(backgrounds)}

    def _bare_parts(self, keep_background: bool) -> dict[str, Any]:
        return super()._bare_parts(keep_background) | ({} if keep_background else {"background": None})

    def _background_in(self, mask: BoolArray) -> dict[str, float]:
        return {} if self.background is None else {"background": float(self.background[mask].sum(dtype=np.float64))}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MeasuredBackground(CountsDataset):
    """Counts with a background measured elsewhere: W statistic. counts_off, acceptance, acceptance_off : as counts.

    Without an acceptance on and off the profiled background is undefined; by convention such a bin adds nothing.
    """

    counts_off: MapArray
    acceptance: MapArray
    acceptance_off: MapArray

    stat_type: ClassVar[str] = "wstat"
    has_known_background: ClassVar[bool] = False
    background_arrays: ClassVar[tuple[str, ...]] = ("counts_off", "acceptance", "acceptance_off")
    refused_nuisances: ClassVar[Mapping[str, tuple[str, str]]] = {
        "background_norm": (
            "its off counts measure the background, so that no number of it is known",
            "remove background_norm, or leave datasets with off counts out of datasets_names",
        )
    }

    def unusable(self) -> Sequence[tuple[str, BoolArray]]:
        return (
            ("without off acceptance", ~(self.acceptance_off > 0)),
            ("without on acceptance", ~(self.acceptance > 0)),
        )

    def measurement(self) -> Measurement:
        parts = self.counts, self.counts_off, self.acceptance, self.acceptance_off
        return MeasuredOnOff(*(part.ravel() for part in parts))

    def alpha(self) -> MapArray:
        """Acceptance ON / OFF: 0 where both are 0, the largest number of its precision where only OFF is 0.

        In the shape of the counts.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.acceptance / self.acceptance_off)

    def expected_background(self) -> Array:
        """``alpha N_off``, in double precision; 0 without an off acceptance."""
        return np.asarray(off_background(self.counts_off, self.acceptance, self.acceptance_off))

    def where_measured(self) -> Self:
        known = (self.acceptance > 0) & (self.acceptance_off > 0)
        if known.all():
            return self
        return self.with_(mask_safe=known if self.mask_safe is None else self.mask_safe & known)

    def acceptances(self) -> tuple[MapArray, MapArray]:
        return self.acceptance, self.acceptance_off

    def _drawn_background(self) -> MapArray:
        return scaled(self.counts_off, self.acceptance, self.acceptance_off)

    def joined_background(self, total: Reduce, mean: Reduce) -> dict[str, Any]:
        acceptance, plain = mean(self.acceptance), mean(self.acceptance_off)
        counts_off, background = total(self.counts_off), total(self.expected_background())
        acceptance_off = joined_acceptance_off(acceptance, counts_off, background, plain)
        return {"counts_off": counts_off, "acceptance": acceptance, "acceptance_off": acceptance_off}

    @classmethod
    def stacked_background(cls, datasets: Sequence[Self], total: Callable[[Sequence[Any]], Any]) -> dict[str, Any]:
        acceptance = total([dataset.acceptance for dataset in datasets])
        counts_off = total([dataset.counts_off for dataset in datasets])
        plain = total([dataset.acceptance_off for dataset in datasets])
        background = total([dataset.expected_background() for dataset in datasets])
        acceptance_off = stacked_acceptance_off(acceptance, counts_off, background, plain)
        return {"counts_off": counts_off, "acceptance": acceptance, "acceptance_off": acceptance_off}

    def _bare_parts(self, keep_background: bool) -> dict[str, Any]:
        ones = np.ones_like(self.acceptance)  # bins without acceptance would not enter
        return super()._bare_parts(keep_background) | {"acceptance": ones, "acceptance_off": ones}

    def _background_in(self, mask: BoolArray) -> dict[str, float]:
        return {"counts_off": float(self.counts_off[mask].sum(dtype=np.float64))}
