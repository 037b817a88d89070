"""A result as figures see it: its document, and the files that lie beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gm.errors import DataError
from gm.io.ecsv import ecsv_in_memory, read_ecsv
from gm.io.fits import FitsFile, fits_in_memory, read_fits
from gm.io.netcdf import Group, read_draws
from gm.io.tables import Table


@final
@dataclass(frozen=True, eq=False)
class Result:
    """A document of a ``kind`` such as ``fit``, and the ``folder`` that it lies in.

    held : files that would be beside it, by name, of a result that is in no folder
    """

    kind: str
    document: Mapping[str, Any]
    folder: Path
    held: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.document.get("name") or self.kind)

    @cached_property
    def tables(self) -> FitsFile | None:
        """The file that the document names; None where it names none. Raises `DataError` when it is gone."""
        name = self.document.get("tables")
        return self.fits(name, "gm fit") if name else None

    def fits(self, name: str, command: str) -> FitsFile:
        """A file beside the document. Raises `DataError` when it is gone, and names the ``command`` that makes it."""
        if name in self.held:
            return fits_in_memory(name, self.held[name])
        return read_fits(self._there(name, command))

    def ecsv(self, name: str, command: str) -> Table:
        """A table beside the document. Raises `DataError` when it is gone."""
        if name in self.held:
            return ecsv_in_memory(name, self.held[name])
        return read_ecsv(self._there(name, command))

    def _there(self, name: str, command: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise DataError(f"{path}: is gone, and the figure is drawn from it\n    run {command} again")
        return path

    def draws(self, name: str, group: str) -> Group:
        """Arrays over chains and draws of a file beside the document. Raises `DataError` and `UsageError`."""
        return read_draws(BytesIO(self.held[name]) if name in self.held else self.folder / name, group)

    def table(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Columns of a table, (n_rows, ...), by name; None where there is none."""
        found = None if self.tables is None else self.tables.find(name)
        if found is None or not found.is_table:
            return None
        return {column: _stripped(found.column(column)) for column in found.columns}


def _stripped(values: NDArray[Any]) -> NDArray[Any]:
    return np.char.strip(values) if values.dtype.kind in "US" else values
