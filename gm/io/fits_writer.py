"""FITS tables and images written: the same data give the same bytes, with no date and no version in them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.io.files import write_atomic
from gm.io.fits import BLOCK
from gm.io.fits_header import CARD
from gm.io.tables import CardValue, Column, Image, Table

_BITPIX = {"u1": 8, "i2": 16, "i4": 32, "i8": 64, "f4": -32, "f8": -64}
_CODES = {"b1": "L", "u1": "B", "i2": "I", "i4": "J", "i8": "K", "f4": "E", "f8": "D"}


def write_fits(
    path: str | Path, extensions: Iterable[Table | Image], primary: Mapping[str, CardValue] | None = None
) -> None:
    """Write an empty primary extension with the cards ``primary``, then the rest; gzip when the name ends in ``.gz``.

    The file is whole or absent. Raises `DataError` when it cannot be written.
    """
    data = fits_bytes(extensions, primary)
    if str(path).endswith(".gz"):
        data = gzip.compress(data, compresslevel=6, mtime=0)
    write_atomic(path, data)


def fits_bytes(extensions: Iterable[Table | Image], primary: Mapping[str, CardValue] | None = None) -> bytes:
    """The bytes of a FITS file with these tables and images."""
    parts = [_extension(extension) for extension in extensions]
    cards: dict[str, CardValue] = {"SIMPLE": True, "BITPIX": 8, "NAXIS": 0, "EXTEND": True, "NEXTEND": len(parts)}
    return b"".join([_header(cards | dict(primary or {})), *parts])


def _extension(extension: Table | Image) -> bytes:
    return _image(extension) if isinstance(extension, Image) else _table(extension)


def _image(image: Image) -> bytes:
    """An image extension; logicals are written as 0 and 1."""
    data = image.data.astype(np.uint8) if image.data.dtype.kind == "b" else image.data
    kind = data.dtype.newbyteorder("=").str[1:]
    if kind not in _BITPIX:
        raise TypeError(f"image {image.name}: FITS has no type for {data.dtype}")
    cards: dict[str, CardValue] = {"XTENSION": "IMAGE", "BITPIX": _BITPIX[kind], "NAXIS": data.ndim}
    cards |= {f"NAXIS{axis}": size for axis, size in enumerate(reversed(data.shape), start=1)}
    cards |= {"PCOUNT": 0, "GCOUNT": 1}
    name: dict[str, CardValue] = {"EXTNAME": image.name} if image.name else {}
    return _header(cards | dict(image.header) | name) + _pad(data.astype(data.dtype.newbyteorder(">")).tobytes(), b"\0")


def _table(table: Table) -> bytes:
    rows = len(table.columns[0].values) if table.columns else 0
    cells, heap = [], bytearray()
    layout: dict[str, CardValue] = {}
    for number, column in enumerate(table.columns, start=1):
        form, dim, cell = _encode(column, heap)
        cells.append(cell)
        layout |= {f"TTYPE{number}": column.name, f"TFORM{number}": form}
        layout |= {f"TUNIT{number}": column.unit} if column.unit else {}
        layout |= {f"TDIM{number}": dim} if dim else {}
    body = np.concatenate(cells, axis=1).tobytes() + bytes(heap) if cells else b""
    cards: dict[str, CardValue] = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": sum(cell.shape[1] for cell in cells),
        "NAXIS2": rows,
        "PCOUNT": len(heap),
        "GCOUNT": 1,
        "TFIELDS": len(cells),
    }
    name: dict[str, CardValue] = {"EXTNAME": table.name} if table.name else {}
    return _header(cards | layout | name | dict(table.header)) + _pad(body, b"\0")


def _encode(column: Column, heap: bytearray) -> tuple[str, str, NDArray[np.uint8]]:
    """TFORM, TDIM and the bytes of each row; values of variable length go to the heap."""
    if isinstance(column.values, list):
        return _encode_heap(column.values, heap)
    values = column.values
    rows, cell = len(values), values.shape[1:]
    if values.dtype.kind in "US":  # in a cell, the characters of a string are its fastest axis
        text = np.char.encode(values.astype(str), "ascii", "replace") if values.size else np.zeros(values.shape, "S1")
        width = max(text.dtype.itemsize, 1)
        length = width * prod(cell)
        dim = _dimensions((*cell, width)) if cell else ""
        return f"{length}A", dim, np.frombuffer(text.tobytes(), np.uint8).reshape(rows, length)
    dim = _dimensions(cell) if cell else ""
    code = _CODES[values.dtype.newbyteorder("=").str[1:]]
    raw: NDArray[Any] = np.where(values, b"T", b"F") if code == "L" else values.astype(values.dtype.newbyteorder(">"))
    repeat = prod(cell)
    body = np.frombuffer(raw.tobytes(), np.uint8).reshape(rows, values.dtype.itemsize * repeat)
    return (code if repeat == 1 else f"{repeat}{code}"), dim, body


def _dimensions(cell: tuple[int, ...]) -> str:
    """The value of ``TDIMn``, fastest axis first."""
    return "(" + ",".join(str(size) for size in reversed(cell)) + ")"


def _encode_heap(rows: list[NDArray[Any]], heap: bytearray) -> tuple[str, str, NDArray[np.uint8]]:
    pairs = np.zeros((len(rows), 2), ">i4")
    for number, row in enumerate(rows):
        pairs[number] = len(row), len(heap)
        heap += row.astype(row.dtype.newbyteorder(">")).tobytes()
    code = _CODES[rows[0].dtype.newbyteorder("=").str[1:]] if rows else "E"
    longest = max((len(row) for row in rows), default=0)
    return f"P{code}({longest})", "", np.frombuffer(pairs.tobytes(), np.uint8).reshape(len(rows), 8)


def _header(cards: Mapping[str, CardValue]) -> bytes:
    text = "".join(map(_card, cards.keys(), cards.values())) + "END".ljust(CARD)
    return _pad(text.encode("ascii", "replace"), b" ")


def _card(name: str, value: Any) -> str:
    """One card, or several when a string is longer than a card holds (``CONTINUE`` convention)."""
    match value:
        case str():
            return _string_card(name, value.replace("'", "''"))
        case bool() | np.bool_():
            text = "T" if value else "F"
        case int() | np.integer():
            text = str(int(value))
        case _:
            text = repr(float(value)).upper()
            text = text if "." in text or "E" not in text else text.replace("E", ".0E")
    return f"{_keyword(name)}= {text:>20}".ljust(CARD)


def _keyword(name: str) -> str:
    return f"{name.upper():8}" if len(name) <= 8 else f"HIERARCH {name.upper()} "


def _string_card(name: str, text: str) -> str:
    if len(text) <= 76 - len(_keyword(name)):
        return f"{_keyword(name)}= {repr_fits(text)}".ljust(CARD)
    size = 66  # even an escaped quote at the cut must not be split
    cut = size - 1 if text[:size].count("'") % 2 else size
    card, rest = f"{name.upper():8}= '{text[:cut]}&'".ljust(CARD), text[cut:]
    while rest:
        cut = len(rest) if len(rest) <= 67 else size - 1 if rest[:size].count("'") % 2 else size
        card += f"CONTINUE  '{rest[:cut]}{'&' if cut < len(rest) else ''}'".ljust(CARD)
        rest = rest[cut:]
    return card


def repr_fits(text: str) -> str:
    """A string value as the standard wants it: quoted, at least eight characters."""
    return f"'{text:8}'"


def _pad(data: bytes, fill: bytes) -> bytes:
    return data + fill * (-len(data) % BLOCK)
