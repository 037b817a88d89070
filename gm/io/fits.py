"""FITS binary tables: the part of the standard that spectra and flux points need, read lazily and checked strictly.

Why not ``astropy.io.fits``: a GADF spectrum file holds 28 small extensions of which nine are needed. ``astropy`` takes
21 ms to open such a file and hand out those nine (the same work here: 1.6 ms), and importing it costs 0.25 s at the
start of every command. A thousand runs are read at that difference. Astropy remains the judge: the tests compare this
reader with it on every real file.

Layout of a FITS file: blocks of 2880 bytes; per extension a header of 80-character cards ended by ``END``, then the
data. A table is ``NAXIS2`` rows of ``NAXIS1`` bytes, big-endian, columns in the order of ``TFORMn``; variable-length
columns (``P``, ``Q``) hold (count, offset) into a heap behind the rows. Source: FITS standard 4.0, sections 4 and 7.3.

Everything wrong with a file is a `DataError` that names the file, the extension and the column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from math import isfinite
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Any, NoReturn, TypeVar

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.io.fits_bytes import Buffer, BytesInMemory, FileBytes, open_bytes
from gm.io.fits_header import CARD, Header
from gm.io.fits_layout import DTYPES, ColumnLayout, NoLayout, column_layouts, data_size
from gm.io.tables import CardValue, Column, Table
from gm.units import UnitError, factor

BLOCK = 2880
HEADER_LIMIT = 1 << 22
_KEYWORD = 8  # characters
_END = b"END" + 77 * b" "

T = TypeVar("T")

_STRUCTURE = re.compile(
    r"(XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|(TTYPE|TFORM|TUNIT|TDIM|TSCAL|TZERO|TNULL|TDISP)\d+"
    r"|EXTNAME|CREATOR|CREATED|DATE|CHECKSUM|DATASUM|COMMENT|HISTORY)$"
)


@dataclass(frozen=True, eq=False)
class Extension:
    """One extension (HDU): its header, and its table columns on demand. ``start`` is where its data begin."""

    path: Path
    name: str
    header: Header
    start: int
    content: FileBytes = field(repr=False)

    @property
    def is_table(self) -> bool:
        return self.header.text("XTENSION") == "BINTABLE"

    def fail(self, message: str, hint: str = "") -> NoReturn:
        """Raise `DataError` with this file and extension in front."""
        raise DataError(f"{self.path}: HDU {self.name or '(unnamed)'}: {message}" + (f"\n    {hint}" if hint else ""))

    def integer(self, name: str) -> int:
        """An integer card; `DataError` when it is missing or something else."""
        value = self.header.whole(name)
        if value is None:
            self.fail(f"card {name} is {self.header.get(name)!r}, expected an integer")
        return value

    def real(self, name: str, default: float) -> float:
        """A card that is a finite number; `DataError` when it is something else."""
        value = self.header.number(name) if name in self.header else default
        if value is None or not isfinite(value):
            self.fail(f"card {name} is {self.header.get(name)!r}, expected a number")
        return float(value)

    def scaling(self, scale: str, zero: str) -> tuple[float, float]:
        """Values of the two cards by which stored numbers are multiplied and raised."""
        factor, summand = self.real(scale, 1.0), self.real(zero, 0.0)
        if factor == 0.0:
            self.fail(f"card {scale} is 0, which leaves nothing of the values")
        return factor, summand

    @property
    def size(self) -> int:
        """Bytes of data that the header declares."""
        return self._known(data_size)

    @cached_property
    def data(self) -> Buffer:
        """Everything between this header and the next, without the padding."""
        return self.content.read(self.start, self.size)

    @property
    def columns(self) -> Mapping[str, ColumnLayout]:
        """Column name as in the file -> where it is in a row, and what."""
        return self._known(column_layouts)

    def _known(self, find: Callable[[Header], T]) -> T:
        """What is found in the header; `DataError` where nothing can be."""
        try:
            return self.header.known(find)
        except NoLayout as error:
            self.fail(error.message, error.hint)

    def once(self, read: Callable[[Extension], T]) -> T:
        """What a function reads in a short extension: asked once for extensions with the same header and data, of
        whatever files. Nobody may change what it returns. Raises what it raises."""
        return self.header.known_of(read, bytes(self.data), lambda: read(self))

    def find(self, name: str) -> str | None:
        """The name of a column as the file spells it, found without regard to case."""
        lower = name.lower()
        return next((column for column in self.columns if column.lower() == lower), None)

    def column(self, name: str) -> NDArray[Any]:
        """A column in native byte order, ``(n_rows, *cell)``; strings as ``str``, logicals and bits as ``bool``.

        ``TSCALn``, ``TZEROn`` and ``TNULLn`` are applied (null -> NaN).
        """
        layout = self.columns
        key = name if name in layout else self.find(name)
        if key is None:
            self.fail(f"no column {name}", suggest(name, layout, "found"))
        column = layout[key]
        if column.code in "PQ":
            self.fail(f"column {name} has variable length, expected a fixed one")
        values: NDArray[Any]
        if column.shape[0]:
            self._check_end(name, column.end)
            values = np.ndarray(column.shape, column.dtype, self.data, column.offset, column.strides)
        else:  # the table may begin where the file ends
            values = np.empty(column.shape, column.dtype)
        if column.code == "X":
            return np.unpackbits(values, axis=-1, count=column.repeat).astype(np.bool_)
        if column.code == "A":
            return np.char.rstrip(np.char.decode(values, "latin-1"))
        if column.code == "L":
            return np.asarray(values == b"T")
        native = values.astype(column.native)
        return self._scaled(native, column.number) if column.is_scaled else native

    def _check_end(self, name: str, end: int) -> None:
        if end > len(self.data):
            self.fail(f"column {name} ends behind the {len(self.data)} bytes of the data")

    def _scaled(self, values: NDArray[Any], number: int) -> NDArray[Any]:
        cards = f"TSCAL{number}", f"TZERO{number}", f"TNULL{number}"
        scale, zero = self.scaling(*cards[:2])
        scaled: NDArray[Any] = values if (scale, zero) == (1.0, 0.0) else values * scale + zero
        if cards[2] not in self.header or values.dtype.kind not in "iu":
            return scaled
        null = self.integer(cards[2])
        return np.where(values == null, np.nan, scaled.astype(np.float64))

    def heap_column(self, name: str) -> list[NDArray[Any]]:
        """A column of variable length, an array (n of the row,) for each row; a fixed column gives its rows.

        Scaled as `column` does.
        """
        layout = self.columns
        key = self.find(name)
        if key is None or layout[key].code not in "PQ":
            return [np.atleast_1d(row) for row in self.column(name)]
        column, rows, width = layout[key], self.integer("NAXIS2"), self.integer("NAXIS1")
        if column.heap_code not in DTYPES or column.heap_code in "XL":
            self.fail(f"column {name} has the format {self.header.get(f'TFORM{column.number}')!r}, not read here")
        self._check_end(name, column.offset + (rows - 1) * width + (8 if column.code == "P" else 16))
        pairs = np.ndarray((rows, 2), DTYPES[column.code], self.data, column.offset,
                           (width, 4 if column.code == "P" else 8)).astype(np.int64)  # fmt: skip
        dtype = np.dtype(DTYPES[column.heap_code])
        theap = self.header.whole("THEAP")
        begin = rows * width if theap is None else theap
        end = rows * width + self.integer("PCOUNT")
        last = begin + pairs[:, 1] + pairs[:, 0] * dtype.itemsize
        if begin < 0 or (pairs < 0).any() or (rows and last.max() > end):
            self.fail(f"column {name} points outside its heap of {self.integer('PCOUNT')} bytes", "the file is damaged")
        return self._heap_rows(column, begin, pairs, dtype)

    def _heap_rows(
        self, column: ColumnLayout, begin: int, pairs: NDArray[np.int64], dtype: np.dtype[Any]
    ) -> list[NDArray[Any]]:
        """Of (count, offset) for each row, (n_rows, 2): rows that fill a part of the heap are read at once."""

        def read(count: int, offset: int) -> NDArray[Any]:
            values = np.ndarray((count,), dtype, self.data, begin + offset).astype(dtype.newbyteorder("="))
            return self._scaled(values, column.number) if column.is_scaled else values

        counts, ends = pairs[:, 0], np.cumsum(pairs[:, 0])
        starts, first = ends - counts, int(pairs[0, 1]) if len(pairs) else 0
        if not np.array_equal(pairs[:, 1], first + starts * dtype.itemsize):
            return [read(count, offset) for count, offset in pairs.tolist()]
        values = read(int(counts.sum()), first)
        return [values[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def table(self) -> Table:
        """Everything in a table of fixed-length columns: columns in order, and the cards that are not its layout."""
        columns = tuple(Column(name, self.column(name), one.unit) for name, one in self.columns.items())
        return Table(self.name, columns, dict(self._known(_cards)))

    def unit(self, name: str) -> str:
        """The unit of a column as written, empty when none is."""
        key = self.find(name)
        return self.columns[key].unit if key is not None else ""

    def floats(self, name: str, unit: str | None = None, default: str = "") -> Array:
        """A numeric column as ``float64``, in ``unit`` when given (``default``: the unit of a column without one).

        Returns (n_rows, ...). Raises `DataError`.
        """
        values = self.column(name)
        if values.dtype.kind not in "iufb":
            self.fail(f"column {name} is not numeric")
        numbers = values.astype(np.float64, copy=False)
        if unit is None:
            return numbers
        try:
            return numbers * factor(self.unit(name) or default, unit)
        except UnitError:
            self.fail(f"column {name} is in '{self.unit(name)}', expected a unit of '{unit}'")

    def numbers(self, name: str, unit: str | None = None, default: str = "") -> Array:
        """As `floats`, of a column that has one number in each row, (n_rows,)."""
        values = self.floats(name, unit, default)
        if values.ndim != 1:
            self.fail(f"column {name} is not one number in each row")
        return values


def _cards(header: Header) -> dict[str, CardValue]:
    """Those that are not the layout of a table."""
    return {name: header[name] for name in header if len(name) <= _KEYWORD and not _STRUCTURE.match(name)}


@dataclass(frozen=True, eq=False)
class FitsFile:
    """The extensions of one FITS file, primary first."""

    path: Path
    extensions: tuple[Extension, ...]
    content: FileBytes

    def check_unchanged(self) -> None:
        """Raise `DataError` when another program has changed the file since it was opened."""
        self.content.check_unchanged()

    @cached_property
    def _by_name(self) -> Mapping[str, Extension]:
        """The first extension of each name."""
        return {extension.name: extension for extension in reversed(self.extensions)}

    def find(self, *names: str) -> Extension | None:
        """The first extension with one of these names, without regard to case."""
        return self._by_name.get(names[0].upper()) if len(names) == 1 else _first(self.extensions, names)

    def get(self, name: str) -> Extension:
        """The extension of that name; `DataError` lists those that exist."""
        extension = self.find(name)
        if extension is None:
            names = [extension.name for extension in self.extensions if extension.name]
            raise DataError(f"{self.path}: no HDU {name}\n    {suggest(name, names, 'found') or 'no named HDU found'}")
        return extension

    def single(self, name: str) -> Extension:
        """As `get`, and `DataError` where several have that name, so that the first would stand for all of them."""
        if (n_there := sum(extension.name == name.upper() for extension in self.extensions)) > 1:
            self.get(name).fail(f"is there {n_there} times, expected once", "write the one that is meant into a file")
        return self.get(name)


def read_fits(path: str | Path) -> FitsFile:
    """Open a FITS file, plain or gzip. Headers are walked, columns are read when asked for. Raises `DataError`."""
    with _opened(Path(path)) as content:
        opened = FitsFile(content.path, tuple(_walk(content)), content)
    opened.check_unchanged()
    _check_number(opened)
    return opened


def first_extension(path: Path, *names: str) -> Extension | None:
    """The first extension of a file with one of these names, for its header: the file is read no further.

    Raises `DataError`.
    """
    with _opened(path) as content:
        return _first(_walk(content), names)


def _first(extensions: Iterable[Extension], names: Sequence[str]) -> Extension | None:
    wanted = {name.upper() for name in names}
    return next((extension for extension in extensions if extension.name in wanted), None)


@contextmanager
def _opened(path: Path) -> Iterator[FileBytes]:
    """The bytes of what begins as a FITS file does. Raises `DataError`."""
    if "\0" in str(path):  # from a card of another file
        raise DataError(f"{path}: no file can be called that")
    try:
        kind = path.stat().st_mode
        if not S_ISREG(kind):
            what = "a directory" if S_ISDIR(kind) else "not a regular file"
            raise DataError(f"{path}: is {what}, expected a FITS file")
        with path.open("rb") as file:
            content = open_bytes(path, file)
            if not content.has(CARD) or bytes(content.read(0, 9)) != b"SIMPLE  =":
                empty = "" if content.size else "; it is empty"
                what = "the gzip file does not hold" if content.is_compressed else "not"
                raise DataError(f"{path}: {what} a FITS file{empty}")
            yield content
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def fits_in_memory(name: str, data: bytes) -> FitsFile:
    """A FITS file that is nowhere but in memory, called ``name``. Raises `DataError`."""
    content = BytesInMemory(Path(name), (len(data), 0, 0), BytesIO(data))
    return FitsFile(content.path, tuple(_walk(content)), content)


def _check_number(file: FitsFile) -> None:
    """Files that say how many extensions they have, as those written here do, cannot lose the last ones unseen."""
    there, promised = len(file.extensions) - 1, file.extensions[0].header.whole("NEXTEND")
    if promised is not None and there < promised:
        file.extensions[0].fail(f"card NEXTEND is {promised}, {there} extensions are there", "copy the file again")


def _walk(content: FileBytes) -> Iterator[Extension]:
    """The extensions, each with its whole data there, and nothing behind them."""
    path, position = content.path, 0
    while not position or content.has(position + 1):
        if position and bytes(content.read(position, 8)) != b"XTENSION":
            raise DataError(
                f"{path}: after {position} bytes of extensions, something follows that is none\n"
                "    the file is damaged: copy it again"
            )
        header, start = _read_header(content, position)
        name = header.known(_name) or ("PRIMARY" if position == 0 else "")
        extension = Extension(path, name, header, start, content)
        size = extension.size
        if size > content.limit - start or not content.has(start + size):
            there = max(content.size - start, 0)
            extension.fail(f"truncated: needs {size} bytes, {there} are there", "copy the file again")
        yield extension
        position = start + -(-size // BLOCK) * BLOCK


def _name(header: Header) -> str:
    return header.text("EXTNAME").upper()


def _has_end(block: bytes) -> bool:
    """Whether a card of a block is that of the end."""
    at = block.find(_END)
    while at % CARD and at >= 0:
        at = block.find(_END, at + 1)
    return at >= 0


def _read_header(content: FileBytes, position: int) -> tuple[Header, int]:
    """The header that begins at a position, and where it ends."""
    end = position
    while end - position < HEADER_LIMIT:
        if not content.has(end + BLOCK):
            raise DataError(f"{content.path}: truncated inside a header, {content.size} bytes found")
        ends = _has_end(bytes(content.read(end, BLOCK)))
        end += BLOCK
        if ends:
            return Header.of(bytes(content.read(position, end - position))), end
    raise DataError(f"{content.path}: a header has no END within {HEADER_LIMIT} bytes\n    the file is damaged")
