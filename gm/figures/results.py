"""A result as figures see it: its document, and the file of tables beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from gm.errors import DataError
from gm.io.fits import FitsFile, read_fits


@final
@dataclass(frozen=True, eq=False)
class Result:
    """A document of a ``kind`` such as ``fit``, and the ``folder`` that it lies in."""

    kind: str
    document: Mapping[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        return str(self.document.get("name") or self.kind)

    @cached_property
    def tables(self) -> FitsFile | None:
        """The file that the document names; None where it names none. Raises `DataError` when it is gone."""
        name = self.document.get("tables")
        if not name:
            return None
        if not (self.folder / name).is_file():
            raise DataError(f"{self.folder / name}: is gone, and the figure is drawn from it\n    run gm fit again")
        return read_fits(self.folder / name)

    def table(self, name: str) -> dict[str, NDArray[Any]] | None:
        """Columns of a table, (n_rows, ...), by name; None where there is none."""
        found = None if self.tables is None else self.tables.find(name)
        if found is None or not found.is_table:
            return None
        return {column: _stripped(found.column(column)) for column in found.columns}


def _stripped(values: NDArray[Any]) -> NDArray[Any]:
    return np.char.strip(values) if values.dtype.kind in "US" else values
