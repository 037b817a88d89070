"""Regions on the sky, as FITS files hold them: shapes in the pixels of a small world coordinate system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from gm.io.gadf import parse_wcs_shape
from gm.io.tables import CardValue, Column, Table


@dataclass(frozen=True, eq=False)
class Region:
    """Union of shapes, one per row.

    ``columns`` : SHAPE (``circle``, ...), X and Y (pixels, counted from 0 as Gammapy does), R (pixels), ROTANG (deg),
    else as in the FITS region convention; ``wcs`` : the header cards of the pixel grid; ``wcs_shape`` : (n_x, n_y).
    """

    columns: tuple[Column, ...]
    wcs: Mapping[str, CardValue]
    wcs_shape: tuple[int, ...]

    @classmethod
    def from_table(cls, table: Table) -> Region:
        """From a ``*_REGION`` table. Raises `DataError`."""
        shape = parse_wcs_shape(str(table.header["WCSSHAPE"])) if "WCSSHAPE" in table.header else ()
        return cls(table.columns, {name: card for name, card in table.header.items() if name != "WCSSHAPE"}, shape)

    def to_table(self, name: str) -> Table:
        """The table that `from_table` reads."""
        shape: dict[str, CardValue] = {"WCSSHAPE": f"({','.join(map(str, self.wcs_shape))})"} if self.wcs_shape else {}
        return Table(name, self.columns, {**self.wcs, **shape})

    @property
    def shapes(self) -> tuple[str, ...]:
        """Shape of each row in lower case."""
        column = next((column for column in self.columns if column.name == "SHAPE"), None)
        return tuple(str(shape).lower() for shape in np.asarray(column.values)) if column is not None else ()


@dataclass(frozen=True, eq=False)
class RegionGeometry:
    """One bin on the sky, of any shape; ``region``: None where the file does not say which."""

    region: Region | None
    shape: tuple[int, int] = (1, 1)
    pixel_grid: ClassVar[None] = None

    def same_as(self, other: RegionGeometry) -> bool:
        """Whether both are the same region, as files hold it."""
        if self.region is None or other.region is None:
            return self.region is other.region
        return self.region.to_table("").same_as(other.region.to_table(""))
