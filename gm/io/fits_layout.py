"""What the header of a FITS extension says of its data: how many bytes they are, and where in a row each column is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import prod
from typing import Any, final

import numpy as np

from gm.io.fits_header import Header

DTYPES = {"L": "S1", "X": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8",
          "C": ">c8", "M": ">c16", "P": ">i4", "Q": ">i8"}  # fmt: skip

_LONGEST = (1 << 31) - 1  # bytes of a row

_TFORM = re.compile(r"(\d*)([LXBIJKAEDCMPQ])([LXBIJKAEDCM]?)")


@final
class NoLayout(ValueError):
    """The cards cannot be those of an extension: what is wrong, and a hint."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message, self.hint = message, hint


@final
@dataclass(frozen=True, slots=True)
class ColumnLayout:
    """Where a column is: a cell of each row, from ``offset`` bytes on.

    number : by which cards name the column; heap_code : the type of what is elsewhere, where the code is P or Q;
    dtype, native : of values as stored, and in this machine's byte order; shape, strides [bytes] : of the whole
    column, a row for each of the table; end : where it ends [bytes]
    """

    code: str
    heap_code: str
    repeat: int
    offset: int
    number: int
    unit: str
    dtype: np.dtype[Any]
    native: np.dtype[Any]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    end: int
    is_scaled: bool


def whole(header: Header, name: str) -> int:
    """An integer card. Raises `NoLayout`."""
    value = header.whole(name)
    if value is None:
        raise NoLayout(f"card {name} is {header.get(name)!r}, expected an integer")
    return value


def data_size(header: Header) -> int:
    """Bytes of data behind a header. Raises `NoLayout`."""
    n_axes = whole(header, "NAXIS")
    if n_axes <= 0:
        return 0
    if n_axes > 999 or header.get("BITPIX") not in (8, 16, 32, 64, -32, -64):
        raise NoLayout(f"BITPIX {header.get('BITPIX')!r}, NAXIS {n_axes}: not FITS", "the file is damaged")
    sizes = [whole(header, f"NAXIS{axis}") for axis in range(1, n_axes + 1)]
    extra = whole(header, "PCOUNT") if "PCOUNT" in header else 0
    groups = whole(header, "GCOUNT") if "GCOUNT" in header else 1
    if min(*sizes, extra, groups) < 0:
        raise NoLayout("a size in the header is negative", "the file is damaged")
    return abs(whole(header, "BITPIX")) // 8 * groups * (extra + prod(sizes))


def column_layouts(header: Header) -> dict[str, ColumnLayout]:
    """The columns of a binary table by their names as in the file. Raises `NoLayout`."""
    if header.text("XTENSION") != "BINTABLE":
        raise NoLayout(f"is a {header.text('XTENSION', 'PRIMARY')}, expected a binary table")
    forms, offset = dict[str, tuple[int, str, str, int, int]](), 0
    for number in range(1, whole(header, "TFIELDS") + 1):
        form = _TFORM.match(header.text(f"TFORM{number}"))
        if form is None:
            raise NoLayout(f"column {number} has the format {header.get(f'TFORM{number}')!r}, unknown to FITS")
        repeat, code = int(form[1] or 1), form[2]
        forms.setdefault(header.text(f"TTYPE{number}"), (number, code, form[3], repeat, offset))
        offset += _width(code, repeat)
    if offset != whole(header, "NAXIS1"):
        raise NoLayout(f"the columns need {offset} bytes per row, NAXIS1 is {whole(header, 'NAXIS1')}")
    if offset > _LONGEST:
        raise NoLayout(f"a row has {offset} bytes, expected {_LONGEST} at most")
    return {name: _layout(header, *form) for name, form in forms.items()}


def _layout(header: Header, number: int, code: str, heap_code: str, repeat: int, offset: int) -> ColumnLayout:
    cell = (_width("X", repeat),) if code == "X" else _cell(header, number, repeat)
    if code == "A":  # the fastest axis counts the characters of one string
        dtype, cell = np.dtype(f"S{(cell or (1,))[-1] or 1}"), cell[:-1]
    else:
        dtype = np.dtype(DTYPES[code])
    n_rows, width = whole(header, "NAXIS2"), whole(header, "NAXIS1")
    return ColumnLayout(
        code=code,
        heap_code=heap_code,
        repeat=repeat,
        offset=offset,
        number=number,
        unit=header.text(f"TUNIT{number}"),
        dtype=dtype,
        native=dtype.newbyteorder("="),
        shape=(n_rows, *cell),
        strides=(width, *(dtype.itemsize * prod(cell[axis + 1 :]) for axis in range(len(cell)))),
        end=offset + (n_rows - 1) * width + prod(cell) * dtype.itemsize,
        is_scaled=any(f"{card}{number}" in header for card in ("TSCAL", "TZERO", "TNULL")),
    )


def _width(code: str, repeat: int) -> int:
    """Bytes of a column in a row."""
    if code == "A":
        return repeat
    if code == "X":
        return -(-repeat // 8)
    return repeat * np.dtype(DTYPES[code]).itemsize * (2 if code in "PQ" else 1)


def _cell(header: Header, number: int, repeat: int) -> tuple[int, ...]:
    """NumPy shape of one cell: ``TDIMn`` counts the fastest axis first."""
    dim = header.text(f"TDIM{number}")
    cell = tuple(int(size) for size in reversed(re.findall(r"\d+", dim)))
    if dim and prod(cell) == repeat:
        return cell
    return () if repeat == 1 else (repeat,)
