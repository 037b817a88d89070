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
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from io import BytesIO
from math import isfinite, prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.io.fits_bytes import Buffer, BytesInMemory, FileBytes, open_bytes
from gm.io.fits_header import CARD, Header
from gm.io.tables import Column, Table
from gm.units import UnitError, factor

BLOCK = 2880
HEADER_LIMIT = 1 << 22
_KEYWORD = 8  # characters

_TFORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([LXBIJKAEDCM]?)")
_STRUCTURE = re.compile(
    r"(XTENSION|BITPIX|NAXIS\d*|PCOUNT|GCOUNT|TFIELDS|THEAP|(TTYPE|TFORM|TUNIT|TDIM|TSCAL|TZERO|TNULL|TDISP)\d+"
    r"|EXTNAME|CREATOR|CREATED|DATE|CHECKSUM|DATASUM|COMMENT|HISTORY)$"
)
_DTYPES = {"L": "S1", "X": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8",
           "C": ">c8", "M": ">c16", "P": ">i4", "Q": ">i8"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Column:
    code: str
    heap_code: str
    repeat: int
    offset: int
    number: int


def _width(code: str, repeat: int) -> int:
    """Bytes of a column in a row."""
    if code == "A":
        return repeat
    if code == "X":
        return -(-repeat // 8)
    return repeat * np.dtype(_DTYPES[code]).itemsize * (2 if code in "PQ" else 1)


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

    @cached_property
    def size(self) -> int:
        """Bytes of data that the header declares."""
        return _data_size(self)

    @cached_property
    def data(self) -> Buffer:
        """Everything between this header and the next, without the padding."""
        return self.content.read(self.start, self.size)

    @cached_property
    def columns(self) -> dict[str, _Column]:
        """Layout of the row: column name as in the file -> where and what."""
        if not self.is_table:
            self.fail(f"is a {self.header.text('XTENSION', 'PRIMARY')}, expected a binary table")
        layout: dict[str, _Column] = {}
        offset = 0
        for number in range(1, self.integer("TFIELDS") + 1):
            form = _TFORM.match(self.header.text(f"TFORM{number}"))
            if form is None:
                self.fail(f"column {number} has the format {self.header.get(f'TFORM{number}')!r}, unknown to FITS")
            repeat, code = int(form[1] or 1), form[2]
            layout.setdefault(self.header.text(f"TTYPE{number}"), _Column(code, form[3], repeat, offset, number))
            offset += _width(code, repeat)
        if offset != self.integer("NAXIS1"):
            self.fail(f"the columns need {offset} bytes per row, NAXIS1 is {self.integer('NAXIS1')}")
        return layout

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
        rows, width = self.integer("NAXIS2"), self.integer("NAXIS1")
        cell = (_width("X", column.repeat),) if column.code == "X" else self._cell(column)
        if column.code == "A":  # the fastest axis counts the characters of one string
            dtype, cell = np.dtype(f"S{(cell or (1,))[-1] or 1}"), cell[:-1]
        else:
            dtype = np.dtype(_DTYPES[column.code])
        strides = tuple(dtype.itemsize * prod(cell[axis + 1 :]) for axis in range(len(cell)))
        values: NDArray[Any] = np.empty((0, *cell), dtype)  # a table without rows may begin where the file ends
        if rows:
            self._check_end(name, column.offset + (rows - 1) * width + prod(cell) * dtype.itemsize)
            values = np.ndarray((rows, *cell), dtype, self.data, column.offset, (width, *strides))
        if column.code == "X":
            return np.unpackbits(values, axis=-1, count=column.repeat).astype(np.bool_)
        if column.code == "A":
            return np.char.rstrip(np.char.decode(values, "latin-1"))
        if column.code == "L":
            return np.asarray(values == b"T")
        return self._scaled(values.astype(dtype.newbyteorder("=")), column.number)

    def _check_end(self, name: str, end: int) -> None:
        if end > len(self.data):
            self.fail(f"column {name} ends behind the {len(self.data)} bytes of the data")

    def _cell(self, column: _Column) -> tuple[int, ...]:
        """NumPy shape of one cell: ``TDIMn`` counts the fastest axis first."""
        dim = self.header.text(f"TDIM{column.number}")
        cell = tuple(int(size) for size in reversed(re.findall(r"\d+", dim)))
        if dim and prod(cell) == column.repeat:
            return cell
        return () if column.repeat == 1 else (column.repeat,)

    def _scaled(self, values: NDArray[Any], number: int) -> NDArray[Any]:
        cards = f"TSCAL{number}", f"TZERO{number}", f"TNULL{number}"
        if not any(card in self.header for card in cards):
            return values
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
        if column.heap_code not in _DTYPES or column.heap_code in "XL":
            self.fail(f"column {name} has the format {self.header.get(f'TFORM{column.number}')!r}, not read here")
        self._check_end(name, column.offset + (rows - 1) * width + (8 if column.code == "P" else 16))
        pairs = np.ndarray((rows, 2), _DTYPES[column.code], self.data, column.offset,
                           (width, 4 if column.code == "P" else 8)).astype(np.int64)  # fmt: skip
        dtype = np.dtype(_DTYPES[column.heap_code])
        theap = self.header.whole("THEAP")
        begin = rows * width if theap is None else theap
        end = rows * width + self.integer("PCOUNT")
        last = begin + pairs[:, 1] + pairs[:, 0] * dtype.itemsize
        if begin < 0 or (pairs < 0).any() or (rows and last.max() > end):
            self.fail(f"column {name} points outside its heap of {self.integer('PCOUNT')} bytes", "the file is damaged")
        native = dtype.newbyteorder("=")
        return [
            self._scaled(np.ndarray((count,), dtype, self.data, begin + offset).astype(native), column.number)
            for count, offset in pairs.tolist()
        ]

    def table(self) -> Table:
        """Everything in a table of fixed-length columns: columns in order, and the cards that are not its layout."""
        names = self.columns
        names_of_cards = (name for name in self.header if len(name) <= _KEYWORD and not _STRUCTURE.match(name))
        cards = {name: self.header[name] for name in names_of_cards}
        return Table(self.name, tuple(Column(name, self.column(name), self.unit(name)) for name in names), cards)

    def unit(self, name: str) -> str:
        """The unit of a column as written, empty when none is."""
        key = self.find(name)
        return self.header.text(f"TUNIT{self.columns[key].number}") if key is not None else ""

    def floats(self, name: str, unit: str | None = None, default: str = "") -> Array:
        """A numeric column as ``float64``, in ``unit`` when given (``default``: the unit of a column without one).

        Returns (n_rows, ...). Raises `DataError`.
        """
        values = self.column(name)
        if values.dtype.kind not in "iufb":
            self.fail(f"column {name} is not numeric")
        numbers = values.astype(np.float64)
        if unit is None:
            return numbers
        try:
            return numbers * factor(self.unit(name) or default, unit)
        except UnitError as error:
            raise DataError(
                f"{self.path}: HDU {self.name}: column {name} is in '{self.unit(name)}', expected a unit of '{unit}'"
            ) from error


@dataclass(frozen=True, eq=False)
class FitsFile:
    """The extensions of one FITS file, primary first."""

    path: Path
    extensions: tuple[Extension, ...]
    content: FileBytes

    def check_unchanged(self) -> None:
        """Raise `DataError` when another program has changed the file since it was opened."""
        self.content.check_unchanged()

    def find(self, name: str) -> Extension | None:
        """The first extension of that name, without regard to case."""
        wanted = name.upper()
        return next((extension for extension in self.extensions if extension.name == wanted), None)

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
    path = Path(path)
    if "\0" in str(path):  # from a card of another file
        raise DataError(f"{path}: no file can be called that")
    try:
        if path.is_dir():
            raise DataError(f"{path}: is a directory, expected a FITS file")
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: is not a regular file, expected a FITS file")
        with path.open("rb") as file:
            content = open_bytes(path, file)
            if not content.has(CARD) or bytes(content.read(0, 9)) != b"SIMPLE  =":
                empty = "" if content.size else "; it is empty"
                what = "the gzip file does not hold" if content.is_compressed else "not"
                raise DataError(f"{path}: {what} a FITS file{empty}")
            opened = FitsFile(path, tuple(_walk(content)), content)
        opened.check_unchanged()
        _check_number(opened)
        return opened
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
        name = header.text("EXTNAME").upper() or ("PRIMARY" if position == 0 else "")
        extension = Extension(path, name, header, start, content)
        size = extension.size
        if size > content.limit - start or not content.has(start + size):
            there = max(content.size - start, 0)
            extension.fail(f"truncated: needs {size} bytes, {there} are there", "copy the file again")
        yield extension
        position = start + -(-size // BLOCK) * BLOCK


def _read_header(content: FileBytes, position: int) -> tuple[Header, int]:
    """The header that begins at a position, and where it ends."""
    blocks, end = list[bytes](), position
    while end - position < HEADER_LIMIT:
        if not content.has(end + BLOCK):
            raise DataError(f"{content.path}: truncated inside a header, {content.size} bytes found")
        blocks.append(bytes(content.read(end, BLOCK)))
        end += BLOCK
        if re.match(rb"(?:.{80})*?END {77}", blocks[-1], re.DOTALL):
            return Header(b"".join(blocks)), end
    raise DataError(f"{content.path}: a header has no END within {HEADER_LIMIT} bytes\n    the file is damaged")


def _data_size(extension: Extension) -> int:
    n_axes = extension.integer("NAXIS")
    if n_axes <= 0:
        return 0
    if n_axes > 999 or extension.header.get("BITPIX") not in (8, 16, 32, 64, -32, -64):
        extension.fail(f"BITPIX {extension.header.get('BITPIX')!r}, NAXIS {n_axes}: not FITS", "the file is damaged")
    sizes = [extension.integer(f"NAXIS{axis}") for axis in range(1, n_axes + 1)]
    extra = extension.integer("PCOUNT") if "PCOUNT" in extension.header else 0
    groups = extension.integer("GCOUNT") if "GCOUNT" in extension.header else 1
    if min(*sizes, extra, groups) < 0:
        extension.fail("a size in the header is negative", "the file is damaged")
    return abs(extension.integer("BITPIX")) // 8 * groups * (extra + prod(sizes))
