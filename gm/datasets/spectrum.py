"""Spectrum datasets: counts per energy bin, and the responses that predict them."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError
from gm.io.tables import Table
from gm.irf.edisp import overlap_matrix
from gm.maps.axes import EnergyAxis
from gm.maps.regions import Region


@dataclass(frozen=True, eq=False, kw_only=True)
class _Spectrum(ABC):
    """What both kinds share. Sizes and values are checked when made: `DataError`."""

    name: str
    energy: EnergyAxis
    energy_true: EnergyAxis
    counts: Array
    exposure: Array
    edisp: Array | None = None
    mask_safe: BoolArray | None = None
    mask_fit: BoolArray | None = None
    livetime: float | None = None
    gti: Table | None = None
    region: Region | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)

    type: ClassVar[str]
    stat_type: ClassVar[str]

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
    def mask(self) -> BoolArray:
        """``(n_energy,)``: bins that enter the statistic."""
        return self.kept

    @property
    def kept(self) -> BoolArray:
        """``(n_energy,)``: bins that are safe and wanted."""
        safe, wanted = self.mask_safe, self.mask_fit
        if safe is None:
            return np.ones(self.energy.n_bins, dtype=np.bool_) if wanted is None else wanted
        return safe if wanted is None else safe & wanted

    def response(self) -> Array:
        """Exposure times energy dispersion, ``(n_energy_true, n_energy) [cm2 s]``: fluxes per true bin to counts."""
        edisp = overlap_matrix(self.energy_true, self.energy) if self.edisp is None else self.edisp
        return self.exposure[:, None] * edisp

    def write(self, path: str | Path) -> None:
        """Write the file that Gammapy reads; one that is there is replaced. Raises `DataError`."""
        from gm.datasets.reading import write_dataset

        write_dataset(self, path)  # type: ignore[arg-type]  # every final class is a dataset

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced."""
        return replace(self, **changes)


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SpectrumDataset(_Spectrum):
    """Counts with a known background: Cash statistic.

    counts, background : (n_energy,); exposure : (n_energy_true,) [cm2 s]; edisp : (n_energy_true, n_energy), or None
    where energies are measured exactly; masks : (n_energy,) or None; livetime [s].
    """

    background: Array | None = None

    type: ClassVar[str] = "SpectrumDataset"
    stat_type: ClassVar[str] = "cash"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.background is not None:
            self._check("background", (self.energy.n_bins,))


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class SpectrumDatasetOnOff(_Spectrum):
    """Counts with a background measured elsewhere: W statistic.

    As `SpectrumDataset`, with counts_off, acceptance, acceptance_off : (n_energy,) instead of a background; measured :
    bins with an acceptance on and off, None where all have. Without one the profiled background is undefined, and by
    convention such a bin adds nothing.
    """

    counts_off: Array
    acceptance: Array
    acceptance_off: Array
    region_off: Region | None = None
    measured: BoolArray | None = field(init=False, repr=False)

    type: ClassVar[str] = "SpectrumDatasetOnOff"
    stat_type: ClassVar[str] = "wstat"

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("counts_off", "acceptance", "acceptance_off"):
            self._check(name, (self.energy.n_bins,))
        measured = (self.acceptance > 0) & (self.acceptance_off > 0)
        object.__setattr__(self, "measured", None if measured.all() else measured)

    @property
    def mask(self) -> BoolArray:
        """``(n_energy,)``: bins that are safe, wanted, and `measured`."""
        return self.kept if self.measured is None else self.kept & self.measured

    def alpha(self) -> Array:
        """Acceptance ON / OFF, ``(n_energy,)``: 0 where both are 0, the largest float where only OFF is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.acceptance / self.acceptance_off)
