"""Spectrum datasets: counts per energy bin, and the responses that predict them."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets.base import OneDimensional, Seen
from gm.datasets.counts import ODD_EDISP, CountsDataset, KnownBackground, MeasuredBackground, converted
from gm.errors import DataError
from gm.irf.edisp import overlap_matrix
from gm.irf.totals import strange_total
from gm.maps.joined_bins import all_safe, summed
from gm.maps.regions import Region
from gm.values import read_only


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Spectrum(CountsDataset, OneDimensional, ABC):
    """What both kinds share. Sizes and values are checked when made: `DataError`."""

    counts: Array
    exposure: Array
    edisp: Array | None = None
    region: Region | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    responses: ClassVar[tuple[str, ...]] = ("exposure", "edisp")

    def __post_init__(self) -> None:
        n_energy, n_true = self.energy.n_bins, self.energy_true.n_bins
        for name in ("mask_safe", "mask_fit"):
            mask = getattr(self, name)
            if mask is not None and mask.shape != (n_energy,):
                raise DataError(f"dataset {self.name}: {name} has {mask.size} bins, expected {n_energy}")
        self._check("counts", (n_energy,))
        self._check("exposure", (n_true,))
        if self.edisp is not None:
            self._check("edisp", (n_true, n_energy))

    def _check(self, name: str, shape: tuple[int, ...]) -> None:
        """Shape, finite and not negative in safe bins, else the message names the first bin that is wrong.

        Elsewhere values do not count, and become 0 when they are no such numbers.
        """
        values: Array = getattr(self, name)
        if values.shape != shape:
            raise DataError(f"dataset {self.name}: {name} has the shape {values.shape}, expected {shape}")
        bad = ~np.isfinite(values) | (values < 0.0)
        if not bad.any():
            return
        safe = np.True_ if self.mask_safe is None else self.mask_safe.any() if name == "exposure" else self.mask_safe
        wrong = bad & safe
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            number = ", ".join(map(str, at))
            raise DataError(
                f"dataset {self.name}: {name} is {values[at]:g} in bin {number}, expected a number that is not negative"
                f"\n    {int(wrong.sum())} of {bad.size} values are bad; set them to 0 and mask their bins"
            )
        object.__setattr__(self, name, np.where(bad, 0.0, values))

    @property
    def region_off(self) -> Region | None:
        """Where off counts are from."""
        return None

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.energy.n_bins,)

    def dispersion(self) -> Array | None:
        return self.edisp

    def _strange_totals(self) -> Sequence[tuple[str, float | None]]:
        total = None if self.edisp is None else strange_total(self.edisp.sum(axis=1), is_whole=False)
        return ((ODD_EDISP, total),)

    def matrix(self) -> Array:
        """Energy dispersion ``(n_energy_true, n_energy)``: the overlap of bins where energies are measured exactly."""
        return overlap_matrix(self.energy_true, self.energy) if self.edisp is None else self.edisp

    def response(self) -> Array:
        """Exposure times energy dispersion, ``(n_energy_true, n_energy) [cm2 s]``: fluxes per true bin to counts."""
        return self.exposure[:, None] * self.matrix()

    def _shared_parts(self, keep: Callable[[Hashable, Any], Any]) -> dict[str, Any]:
        edisp = self.edisp
        if edisp is not None:
            edisp = keep((edisp.shape, hash(edisp.tobytes()), float(edisp.sum())), edisp)
        return {**super()._shared_parts(keep), "edisp": edisp}

    def without_data(self) -> SpectrumDataset:
        return converted(self, SpectrumDataset, **self._blank_parts(np.zeros(self.energy.n_bins)))

    def with_off(self, **off: Any) -> SpectrumDatasetOnOff:
        return converted(self, SpectrumDatasetOnOff, **off)

    def _sliced_edisp(self, part: slice) -> Array | None:
        return None if self.edisp is None else self.edisp[:, part]

    def _joined_edisp(self, groups: IntArray) -> Array | None:
        """None stays None where nothing is masked, since the overlap of joined bins is the sum."""
        if self.edisp is None and all_safe(self.mask_safe, groups):
            return None
        return np.asarray(summed(self.matrix(), self.mask_safe, groups, axis=1))

    def seen(self, through: Collection[str]) -> Seen:
        exposure = self.exposure if "exposure" in through else None
        edisp = self.matrix() if "edisp" in through else overlap_matrix(self.energy_true, self.energy)
        return Seen("integral", self.energy_true.edges, exposure, edisp)


@final
@read_only("with_ makes another dataset")
@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SpectrumDataset(Spectrum, KnownBackground):
    """Counts with a known background: Cash statistic.

    counts, background : (n_energy,); exposure : (n_energy_true,) [cm2 s]; edisp : (n_energy_true, n_energy), or None
    where energies are measured exactly; masks : (n_energy,) or None; livetime [s].
    """

    background: Array | None = None

    type: ClassVar[str] = "SpectrumDataset"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.background is not None:
            self._check("background", (self.energy.n_bins,))


@final
@read_only("with_ makes another dataset")
@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SpectrumDatasetOnOff(Spectrum, MeasuredBackground):
    """Counts with a background measured elsewhere: W statistic.

    As `SpectrumDataset`, with counts_off, acceptance, acceptance_off : (n_energy,) instead of a background.
    Bins without an acceptance on and off do not enter.
    """

    counts_off: Array
    acceptance: Array
    acceptance_off: Array
    region_off: Region | None = None

    type: ClassVar[str] = "SpectrumDatasetOnOff"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("counts_off", "acceptance", "acceptance_off"):
            self._check(name, (self.energy.n_bins,))
