"""Map datasets: counts per energy bin and pixel, and the responses that predict them."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.conventions import Conventions
from gm.datasets.base import Position
from gm.datasets.counts import (
    ODD_EDISP,
    ODD_PSF,
    SHORT_PSF,
    CountsDataset,
    KnownBackground,
    MeasuredBackground,
    converted,
)
from gm.datasets.deferred import deferrable, deferred
from gm.datasets.finer_bins import FinerBins
from gm.datasets.origin import followed
from gm.datasets.spectrum import Spectrum, SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.io.tables import Table
from gm.irf.edisp_map import EdispMap
from gm.irf.psf import PsfMap
from gm.irf.response_masks import interpolated_mask
from gm.irf.totals import short_total, strange_total
from gm.maps.axes import Axis, EnergyAxis
from gm.maps.exclusion import resample_mask
from gm.maps.geometry import WcsGeometry
from gm.maps.joined_bins import all_safe, places
from gm.maps.map import Map
from gm.maps.sky_region import SkyRegion
from gm.values import read_only

ON_OFF = ("counts_off", "acceptance", "acceptance_off")
ARRAYS = ("counts", "exposure", "background", *ON_OFF)
MASKS = ("mask_safe", "mask_fit")
_GRID = {"geometry", "energy", "energy_true"}
_NOISE = 1e-9  # of the largest value: what a Fourier transform leaves below 0
_SAME_ENERGY = 1e-5  # files before Gammapy 2.0 hold energies in single precision


NO_ENERGY_SCALE = {
    "energy_scale": (
        "energies of maps are not scaled",
        "remove energy_scale, or leave maps out of datasets_names; to_spectrum_dataset makes a spectrum of one",
    )
}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class SkyMap(CountsDataset, ABC):
    """What both kinds share. Sizes and values are checked when made, or when read: `DataError`."""

    geometry: WcsGeometry
    counts: MapArray = deferrable()
    exposure: MapArray = deferrable()
    psf: PsfMap | None = deferrable(None)
    edisp: EdispMap | None = deferrable(None)
    mask_safe: BoolArray | None = deferrable(None)
    mask_fit: BoolArray | None = deferrable(None)
    gti: Table | None = deferrable(None)
    meta: Table | None = deferrable(None)
    finer: FinerBins | None = deferrable(None)

    responses: ClassVar[tuple[str, ...]] = ("exposure", "psf", "edisp")
    spectrum_type: ClassVar[Callable[..., Spectrum]]
    """What the sum over a region is."""

    def __post_init__(self) -> None:
        self._check(self.__dict__)

    def _check(self, parts: Mapping[str, Any]) -> None:
        """Check parts, but for those that are still in a file, and put what had to change in their place."""
        given = {name: parts[name] for name in parts.keys() - deferred(self).keys()}
        changed = check_parts(self._label, self.energy, self.energy_true, self.geometry.shape, given)
        self.__dict__.update(changed)

    def _label(self, part: str) -> str:
        return f"dataset {self.name}: {part}"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(n_energy, n_y, n_x)``."""
        return (self.energy.n_bins, *self.geometry.shape)

    def dispersion(self) -> NDArray[Any] | None:
        return None if self.edisp is None else self.edisp.data

    def _strange_totals(self) -> Sequence[tuple[str, float | None]]:
        edisp, psf = self.edisp, np.ones(1) if self.psf is None else self.psf.totals()
        return (
            (ODD_PSF, strange_total(psf)),
            (SHORT_PSF, short_total(psf)),
            (ODD_EDISP, None if edisp is None else edisp.strange_total()),
        )

    def _sliced_parts(self, part: slice) -> dict[str, Any]:
        kept = places(self.energy.n_bins, np.arange(part.start, part.stop + 1))
        finer = None if self.finer is None else self.finer.energies_to(kept)
        psf = {} if self.psf is None or not self.psf.is_reco else {"psf": self.psf.sliced(part, self.energy)}
        return {**super()._sliced_parts(part), "finer": finer, **psf}

    def _sliced_edisp(self, part: slice) -> EdispMap | None:
        return None if self.edisp is None else self.edisp.sliced(part)

    def _joined_parts(self, groups: IntArray) -> dict[str, Any]:
        """Also the bins that were summed, where these make a difference to sources.

        What is safe in some pixels only has no place in the energy dispersion, and a PSF of each bin none in that of
        joined bins, so that sources are still predicted in the bins as they were.
        """
        finer, safe = None, self.mask_safe
        own_psf = self.psf is not None and self.psf.is_reco and bool((np.diff(groups) > 1).any())
        if self.finer is not None or own_psf or not all_safe(safe, groups):
            finer = FinerBins.of(self).within(safe).energies_to(places(self.energy.n_bins, groups))
        return {**super()._joined_parts(groups), "finer": finer}

    def _joined_edisp(self, groups: IntArray) -> EdispMap | None:
        if self.edisp is None or not self.edisp.is_binned:
            return self.edisp
        safe = self.mask_safe
        seen = None if safe is None else interpolated_mask(safe, self.geometry, self.edisp.geometry)
        return self.edisp.joined(groups, seen)

    def _shared_parts(self, keep: Callable[[Hashable, Any], Any]) -> dict[str, Any]:
        return {**super()._shared_parts(keep), "geometry": keep(("geometry", self.geometry.key), self.geometry)}

    def sky_mask(
        self,
        include: SkyRegion | None = None,
        exclude: SkyRegion | None = None,
        exclusion: Map | None = None,
        *,
        on_sky: bool = False,
    ) -> BoolArray:
        image = np.ones(self.geometry.shape, dtype=np.bool_)
        if include is not None:
            image &= include.contains(self.geometry, on_sky=on_sky)
        if exclude is not None:
            image &= ~exclude.contains(self.geometry, on_sky=on_sky)
        if exclusion is not None:
            image &= resample_mask(exclusion, self.geometry, outside=True)
        return image

    def same_responses(self, here: Position, there: Position, frame: str, conventions: Conventions) -> bool:
        if here == there:
            return True
        seen = self if self.finer is None else self.finer
        halves = [np.floor(np.multiply(2.0, seen.geometry.position(*place, frame))) for place in (here, there)]
        if not np.array_equal(halves[0], halves[1]):  # of pixels, which place the windows that sources are predicted in
            return False
        psf, edisp = seen.psf, seen.edisp
        if psf is not None and not _agree(psf.profiles(*here, frame), psf.profiles(*there, frame)):
            return False
        if edisp is None:
            return True
        return _agree(*(edisp.kernel(seen.energy, *place, frame, conventions) for place in (here, there)))

    def without_data(self) -> MapDataset:
        return converted(self, MapDataset, **self._blank_parts(no_counts(self.energy, self.geometry)))

    def with_off(self, **off: Any) -> MapDatasetOnOff:
        return converted(self, MapDatasetOnOff, **off)

    def stored(self, counts: Array) -> MapArray:
        return stored(counts)

    def exposed(self, times: float, livetime: float) -> Self:
        exposed = super().exposed(times, livetime)
        return exposed if self.finer is None else exposed.with_(finer=self.finer.exposed(times))

    def _bare_parts(self, keep_background: bool) -> dict[str, Any]:
        """Without counts too, so that no bin takes part that need not."""
        return super()._bare_parts(keep_background) | {"counts": np.zeros_like(self.counts)}

    def pictures(self) -> dict[str, list[Any]]:
        from gm.figures.residual_map import ResidualImage

        background = self.expected_background()
        if background is None or not isinstance(self.geometry, WcsGeometry):
            return super().pictures()
        counts, known = (
            np.where(self.mask, part, 0).sum(axis=0, dtype=np.float64) for part in (self.counts, background)
        )
        return {**super().pictures(), "residual-map": [ResidualImage(self.name, self.geometry, counts, known)]}

    def summary(self) -> dict[str, Any]:
        """Also where the pixels are, and which responses there are."""
        geometry = self.geometry
        return {
            **super().summary(),
            "pixels": list(reversed(geometry.shape)),
            "pixel_size": list(geometry.pixel_scales()),
            "frame": geometry.frame,
            "center": list(geometry.center()),
            "psf": None if self.psf is None else "reconstructed energy" if self.psf.is_reco else "true energy",
            "edisp": None if self.edisp is None else type(self.edisp).__name__,
        }

    def with_(self, **changes: Any) -> Self:
        """A copy with some fields replaced; what is still in the file stays there.

        On the same pixels and energies what is not replaced has been checked.
        """
        given = {field.name: self.__dict__[field.name] for field in fields(self)}
        if not changes.keys() <= given.keys() - _GRID:
            return followed(type(self)(**{**given, **changes}), self, changes)
        made = object.__new__(type(self))
        made.__dict__.update({**given, **changes})
        made._check({"mask_safe": made.__dict__["mask_safe"], **changes})
        return followed(made, self, changes)

    def release(self) -> None:
        """Forget the arrays that were read from the file; the next use reads them again."""
        for value in deferred(self).values():
            value.loader.release()


@final
@read_only("with_ makes another dataset")
@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MapDataset(SkyMap, KnownBackground):
    """Counts on the sky with a known background: Cash statistic.

    counts, background : (n_energy, n_y, n_x); exposure : (n_energy_true, n_y, n_x) [cm2 s]; masks : as counts, or None;
    psf : None where directions, edisp : None where energies are measured exactly; livetime [s]; finer : the bins that
    it was made from, and sources are predicted in. Arrays have the precision of the file.
    """

    background: MapArray | None = deferrable(None)

    type: ClassVar[str] = "MapDataset"
    refused_nuisances: ClassVar[Mapping[str, tuple[str, str]]] = NO_ENERGY_SCALE
    spectrum_type: ClassVar[Callable[..., Spectrum]] = SpectrumDataset


@final
@read_only("with_ makes another dataset")
@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class MapDatasetOnOff(SkyMap, MeasuredBackground):
    """Counts on the sky with a background measured elsewhere: W statistic.

    As `MapDataset`, with counts_off, acceptance, acceptance_off : (n_energy, n_y, n_x) instead of a background.
    """

    counts_off: MapArray = deferrable()
    acceptance: MapArray = deferrable()
    acceptance_off: MapArray = deferrable()

    type: ClassVar[str] = "MapDatasetOnOff"
    refused_nuisances: ClassVar[Mapping[str, tuple[str, str]]] = {
        **MeasuredBackground.refused_nuisances,
        **NO_ENERGY_SCALE,
    }
    spectrum_type: ClassVar[Callable[..., Spectrum]] = SpectrumDatasetOnOff


def stored(counts: Array) -> MapArray:
    """Counts as files hold them, in the same shape: in single precision, which is exact up to 16 million."""
    return counts.astype(np.float32 if counts.max(initial=0.0) < 1 << 24 else np.float64)


def no_counts(energy: EnergyAxis, geometry: WcsGeometry) -> MapArray:
    """Zeros, as `stored` has them."""
    return np.zeros((energy.n_bins, *geometry.shape), dtype=np.float32)


def _agree(a: Array, b: Array) -> bool:
    """Up to the rounding of a mean of equal numbers."""
    return np.allclose(a, b, rtol=1e-12, atol=0.0)


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
        if edisp.is_binned and not edisp.energy.same_as(energy):
            check_axis(f"{label('edisp')}: the energies", edisp.energy, energy, "the counts")
            changed["edisp"] = edisp.on(energy)
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
