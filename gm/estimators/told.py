"""Results as documents: written, read, drawn and shown in a notebook as what a command writes of the same kind."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from gm.arrays import Array
from gm.config_schemas.result_documents import belonging_together, read_result_document
from gm.errors import DataError
from gm.html import UNITS, Shown
from gm.io.files import refuse_existing, write_atomic
from gm.io.yaml_writer import dump_yaml

if TYPE_CHECKING:
    from astropy.table import Table
    from matplotlib.axes import Axes

_YAML = (".yaml", ".yml")


class Told(Shown):
    """A result that is told as a document of a kind, ``told_as``: ``light-curve`` of ``gm/light-curve/1``."""

    told_as: ClassVar[str]

    @abstractmethod
    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The document; numbers that do not exist are None.

        name : of the result, by default that of what it is of; inputs : hashes of what it was made from, None from
        Python
        """

    @classmethod
    @abstractmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """The result that a document of its kind holds; what no document tells is None or empty.

        directory : what names of files are relative to. Raises `DataError` for a file that is not there, and what
        Python raises for numbers that do not belong together.
        """

    @classmethod
    def read(cls, path: str | Path) -> Self:
        """A result that `write` or a command has written, with the files beside it.

        Raises `InvalidInput`, for a result of another kind too, and `DataError`.
        """
        data = read_result_document(path, cls.told_as)
        with belonging_together(path):
            return cls.from_dict(data, Path(path).parent)

    def beside(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """Files that the document names, by their names; most results have none."""
        return {}

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the document (``.yaml``) as the command does, after the files beside it.

        Raises `DataError`, where a file is there too unless ``overwrite``.
        """
        path = self._document_path(path)
        document = self.to_dict(path.stem)
        files = {path.with_name(name): content for name, content in self.beside(document).items()}
        refuse_existing([path, *files], overwrite)
        for file, content in files.items():
            write_atomic(file, content)
        write_atomic(path, dump_yaml(document))

    def _document_path(self, path: str | Path) -> Path:
        """Raises `DataError` for what is no name of a document."""
        if Path(path).suffix not in _YAML:
            raise DataError(f"{path}: a {self.told_as.replace('-', ' ')} is a document, .yaml")
        return Path(path)

    def plot(self, figure: str | None = None, **look: Any) -> Axes:
        """Draw with pyplot what ``gm plot`` draws of the result's files; the first axes.

        figure : its kind, by default the first that there is anything for; ``look`` : as for `gm.plot`. Raises
        `UsageError`, and for a result without anything to draw.
        """
        from gm.figures.registry import show
        from gm.figures.results import Result

        document = self.to_dict()
        return show([Result(self.told_as, document, Path(), self.beside(document))], figure, **look)

    def to_table(self) -> Table:
        """The rows that a notebook shows as an astropy table, with units; a number that does not exist is NaN."""
        from astropy.table import Table

        rows = list(self.shown_rows())
        table = Table(meta={"kind": self.told_as})
        for name in dict.fromkeys(key for row in rows for key in row):
            table[name] = _cells([row.get(name) for row in rows])
            if name in UNITS:
                table[name].unit = UNITS[name]
        return table

    def _repr_html_(self) -> str:
        told = "".join(f"<li>{escape(text)}</li>" for text in getattr(self, "warnings", ()))
        return super()._repr_html_() + (f"<ul>{told}</ul>" if told else "")


def number(value: float | None) -> float:
    """Of a document; NaN for one that does not exist."""
    return np.nan if value is None else float(value)


def numbers(values: Iterable[float | None]) -> Array:
    """Of a column; NaN for a number that does not exist."""
    return np.array([number(value) for value in values], dtype=np.float64)


def _cells(values: list[Any]) -> Any:
    """Of one column: numbers with NaN, texts with nothing, where there is none."""
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, list | tuple) for value in known):
        ends = [(None, None) if value is None else value for value in values]
        return np.array([[np.nan if end is None else end for end in pair] for pair in ends], dtype=np.float64)
    if not known or any(isinstance(value, str) for value in known):
        return np.array(["" if value is None else str(value) for value in values], dtype=str)
    if any(isinstance(value, bool) for value in known):
        return np.array([bool(value) for value in values], dtype=np.bool_)
    if len(known) == len(values) and all(isinstance(value, int) for value in known):
        return np.array(values, dtype=np.int64)
    return numbers(values)
