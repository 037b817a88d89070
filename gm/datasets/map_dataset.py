"""Map datasets: counts per energy bin and pixel, and the responses that predict them."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from gm.arrays import BoolArray, MapArray
from gm.datasets.deferred import Deferrable, Deferred
from gm.datasets.finer_bins import FinerBins
from gm.errors import DataError
from gm.io.tables import Table
from gm.irf.edisp_map import EdispKernelMap, EdispMap
from gm.irf.psf import PsfMap
from gm.maps.axes import Axis, EnergyAxis
from gm.maps.geometry import WcsGeometry

ON_OFF = ("counts_off", "acceptance", "acceptance_off")
ARRAYS = ("counts", "exposure", "background", *ON_OFF)
MASKS = ("mask_safe", "mask_fit")
_NOISE = 1e-9  # of the largest value: what a Fourier transform leaves below 0
_SAME_ENERGY = 1e-5  # files before Gammapy 2.0 hold energies in single precision


@dataclass(frozen=True, eq=False, kw_only=True)
class _Map(ABC):
    """What both kinds share. Sizes and values are checked when made, or when read: `DataError`."""

    name: str
    geometry: WcsGeometry
    energy: EnergyAxis
    energy_true: EnergyAxis
    counts: Deferrable[MapArray] = Deferrable()
    exposure: Deferrable[MapArray] = Deferrable()
    psf: Deferrable[PsfMap | None] = Deferrable(None)
    edisp: Deferrable[EdispMap | None] = Deferrable(None)
    mask_safe: Deferrable[BoolArray | None] = Deferrable(None)
    mask_fit: Deferrable[BoolArray | None] = Deferrable(None)
    gti: Deferrable[Table | None] = Deferrable(None)
    meta: Deferrable[Table | None] = Deferrable(None)
    finer: Deferrable[FinerBins | None] = Deferrable(None)
    livetime: float | None = None

    type: ClassVar[str]
    stat_type: ClassVar[str]

    def __post_init__(self) -> None:
        given = {name: value for name, value in self.__dict__.items() if not isinstance(value, Deferred)}
        changed = check_parts(self._label, self.energy, self.energy_true, self.geometry.shape, given)
        self.__dict__.update(changed)

    def _label(self, part: str) -> str:
        return f"dataset {self.name}: {part}"

    @property
    def mask(self) -> BoolArray:
        """``(n_energy, n_y, n_x)``: bins that are safe and wanted."""
        parts = [part for part in (self.mask_safe, self.mask_fit) if part is not None]
        if not parts:
            return np.ones((self.energy.n_bins, *self.geometry.shape), dtype=np.bool_)
        return parts[0] if len(parts) == 1 else parts[0] & parts[1]

    def write(self, path: str | Path) -> None:
        """Write the file that Gammapy reads; one that is there is replaced. Raises `DataError`."""
        from gm.datasets.reading import write_dataset

        write_dataset(self, path)  # type: ignore[arg-type]  # every final class is a dataset

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced; what is still in the file stays there."""
        given = {field.name: self.__dict__[field.name] for field in fields(self)}
        return type(self)(**{**given, **changes})

    def release(self) -> None:
        """Forget the arrays that were read from the file; the next use reads them again."""
        for value in self.__dict__.values():
            if isinstance(value, Deferred):
                value.loader.release()


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MapDataset(_Map):
    """Counts on the sky with a known background: Cash statistic.

    counts, background : (n_energy, n_y, n_x); exposure : (n_energy_true, n_y, n_x) [cm2 s]; masks : as counts, or None;
    psf : None where directions, edisp : None where energies are measured exactly; livetime [s]; finer : the bins that
    it was made from, and sources are predicted in. Arrays have the precision of the file.
    """

    background: Deferrable[MapArray | None] = Deferrable(None)

    type: ClassVar[str] = "MapDataset"
    stat_type: ClassVar[str] = "cash"


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class MapDatasetOnOff(_Map):
    """Counts on the sky with a background measured elsewhere: W statistic.

    As `MapDataset`, with counts_off, acceptance, acceptance_off : (n_energy, n_y, n_x) instead of a background.
    """

    counts_off: Deferrable[MapArray] = Deferrable()
    acceptance: Deferrable[MapArray] = Deferrable()
    acceptance_off: Deferrable[MapArray] = Deferrable()

    type: ClassVar[str] = "MapDatasetOnOff"
    stat_type: ClassVar[str] = "wstat"

    @property
    def mask(self) -> BoolArray:
        """``(n_energy, n_y, n_x)``: bins that are safe, wanted, and have an acceptance on and off.

        Without one the profiled background is undefined; by convention such a bin adds nothing.
        """
        return np.asarray(super().mask & (self.acceptance > 0) & (self.acceptance_off > 0))

    def alpha(self) -> MapArray:
        """Acceptance ON / OFF: 0 where both are 0, the largest number of its precision where only OFF is 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(self.acceptance / self.acceptance_off)


def check_parts(
    label: Callable[[str], str],
    energy: EnergyAxis,
    energy_true: EnergyAxis,
    shape: tuple[int, int],
    parts: Mapping[str, Any],
) -> dict[str, Any]:
    """Arrays and responses of a dataset, checked; returns those that had to change.

    Where ``mask_safe`` leaves a bin out its values do not count, and become 0 when they are no counts at all; so do
    values that rounding has left below 0. Raises `DataError` for a size that does not fit, and for values in safe bins
    that are negative or not finite; its message calls a part by its ``label``.
    """
    by_energy, by_true = (energy.n_bins, *shape), (energy_true.n_bins, *shape)
    for key in MASKS:
        mask = parts.get(key)
        if mask is not None and mask.shape != by_energy:
            raise DataError(f"{label(key)} has the shape {mask.shape}, expected {by_energy}")
    safe: BoolArray | None = parts.get("mask_safe")
    changed: dict[str, Any] = {}
    for key in ARRAYS:
        values = parts.get(key)
        if values is None:
            continue
        used = np.asarray(safe.any(axis=0)) if key == "exposure" and safe is not None else safe
        checked = _checked(label(key), values, by_true if key == "exposure" else by_energy, used)
        if checked is not values:
            changed[key] = checked
    edisp = parts.get("edisp")
    if edisp is not None:
        check_axis(f"{label('edisp')}: the true energies", edisp.energy_true, energy_true, "the exposure")
    if isinstance(edisp, EdispKernelMap) and not edisp.energy.same_as(energy):
        check_axis(f"{label('edisp')}: the energies", edisp.energy, energy, "the counts")
        changed["edisp"] = replace(edisp, energy=energy)
    return changed


def _checked(what: str, values: MapArray, shape: tuple[int, ...], used: BoolArray | None) -> MapArray:
    """The values, when all that are used are finite and not negative; the others made so."""
    if values.shape != shape:
        raise DataError(f"{what} has the shape {values.shape}, expected {shape}")
    if values.min() >= 0.0 and values.max() < np.inf:  # neither holds with a NaN anywhere
        return values
    finite = np.isfinite(values)
    noise = -_NOISE * values.max(where=finite, initial=0.0)
    bad = ~finite | (values < 0.0)
    wrong = (~finite | (values < noise)) & (True if used is None else used)
    if wrong.any():
        at = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(
            f"{what} is {values[at]:g} in bin {', '.join(map(str, at))}, expected a number that is not negative"
            f"\n    {int(wrong.sum())} of {bad.size} values are bad; set them to 0 and mask their bins"
        )
    return np.where(bad, values.dtype.type(0), values)


def check_axis(what: str, axis: Axis, expected: EnergyAxis, of: str) -> None:
    """Raise `DataError` unless both have the same edges."""
    if axis.n_bins != expected.n_bins:
        raise DataError(f"{what} have {axis.n_bins} bins, those of {of} {expected.n_bins}")
    if not np.allclose(axis.edges, expected.edges, rtol=_SAME_ENERGY, atol=0.0):
        at = int(np.argmax(np.abs(axis.edges / expected.edges - 1.0)))
        raise DataError(f"{what} have an edge at {axis.edges[at]:g} TeV, those of {of} at {expected.edges[at]:g} TeV")
