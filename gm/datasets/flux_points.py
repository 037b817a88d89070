"""Published or estimated flux points as a dataset."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, final

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.datasets.sed import SedTable, sed_columns, sed_from_table
from gm.errors import DataError
from gm.io.fits_writer import write_fits
from gm.io.sed_table import read_sed, write_sed
from gm.io.tables import Column, Table

STAT_TYPES = ("chi2", "distrib", "profile")


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class FluxPointsDataset:
    """Flux points and how they are compared with a model.

    stat_type: ``chi2`` (symmetric errors, no upper limits), ``distrib`` (asymmetric errors, upper limits) or
    ``profile`` (the likelihood profile of each point); masks : (n,) or None. Raises `DataError` when sizes or columns
    do not fit.
    """

    name: str
    points: SedTable
    mask_safe: BoolArray | None = None
    mask_fit: BoolArray | None = None
    stat_type: str = "chi2"

    type: ClassVar[str] = "FluxPointsDataset"

    def __post_init__(self) -> None:
        if self.stat_type not in STAT_TYPES:
            raise DataError(f"dataset {self.name}: stat_type '{self.stat_type}', expected {', '.join(STAT_TYPES)}")
        if self.stat_type == "profile" and self.points.stat_scan is None:
            raise DataError(f"dataset {self.name}: stat_type 'profile' needs the columns stat_scan and norm_scan")
        for name in ("mask_safe", "mask_fit"):
            mask = getattr(self, name)
            if mask is not None and mask.shape != (self.points.n_points,):
                raise DataError(f"dataset {self.name}: {name} has {mask.size} values, expected {self.points.n_points}")

    def unusable(self) -> list[tuple[str, BoolArray]]:
        """What the statistic has no use for, whatever the masks say: the reason, and which points, ``(n,)``."""
        points = self.points
        if self.stat_type == "profile":
            return [("without a likelihood profile", ~points.has_profile())]
        if self.stat_type == "chi2":
            limits = points.is_ul & (np.isfinite(points.dnde_ul) | np.isfinite(points.dnde))
            reason, measured, errors = "upper limits, which chi2 has no use for", ~limits, _positive(points.error())
        else:
            low, high = points.errors()
            limits = points.is_ul & ~_positive(points.dnde_ul)
            reason, measured, errors = (
                "upper limits without a value above 0", ~points.is_ul, _positive(low) & _positive(high)
            )  # fmt: skip
        return [
            (reason, np.asarray(limits)),
            ("without a flux", np.asarray(measured & ~np.isfinite(points.dnde))),
            ("without an error above 0", np.asarray(measured & ~errors)),
        ]

    def valid(self) -> BoolArray:
        """``(n,)``: points that the masks keep and that have what the statistic needs.

        chi2: a finite flux with an error, no upper limit. distrib: the same, or an upper limit with a finite limit.
        profile: a finite profile.
        """
        usable = np.ones(self.points.n_points, dtype=np.bool_)
        for _, left_out in self.unusable():
            usable &= ~left_out
        for mask in (self.mask_safe, self.mask_fit):
            if mask is not None:
                usable &= mask
        return usable

    @property
    def mask(self) -> BoolArray:
        """The points that enter the statistic, as `valid`."""
        return self.valid()

    def write(self, path: str | Path) -> None:
        """Write the file that Gammapy reads; one that is there is replaced. Raises `DataError`."""
        from gm.datasets.reading import write_dataset

        write_dataset(self, path)

    def with_(self, **changes: Any) -> FluxPointsDataset:
        """A copy with some fields replaced."""
        return replace(self, **changes)

    def take(self, rows: BoolArray | IntArray) -> FluxPointsDataset:
        """Some of the points with their masks, as a mask (n,) or as positions in the order wanted."""
        safe, wanted = (None if mask is None else mask[rows] for mask in (self.mask_safe, self.mask_fit))
        return replace(self, points=self.points.take(rows), mask_safe=safe, mask_fit=wanted)


def _positive(values: Array) -> BoolArray:
    return np.isfinite(values) & (values > 0)


def read_flux_points(path: Path, name: str, stat_type: str = "chi2") -> FluxPointsDataset:
    """Flux points from a FITS or ECSV table, with or without the columns mask_fit and mask_safe. Raises `DataError`."""
    table = read_sed(path)
    try:
        return FluxPointsDataset(
            name=name,
            points=sed_from_table(table),
            mask_safe=table.flags("mask_safe"),
            mask_fit=table.flags("mask_fit"),
            stat_type=stat_type,
        )
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def write_flux_points(dataset: FluxPointsDataset, path: Path) -> None:
    """Write the table with its masks, as Gammapy's FluxPointsDataset reads it. Raises `DataError`."""
    columns, meta = sed_columns(dataset.points)
    n_points = dataset.points.n_points
    safe = np.ones(n_points, dtype=np.bool_) if dataset.mask_safe is None else dataset.mask_safe
    wanted = safe if dataset.mask_fit is None else dataset.mask_fit
    columns += [Column("mask_fit", wanted.reshape(-1, 1, 1)), Column("mask_safe", safe.reshape(-1, 1, 1))]
    if path.suffix == ".ecsv":
        write_sed(path, columns, meta, "ecsv")
    else:
        write_fits(path, [Table("", tuple(columns), meta)])
