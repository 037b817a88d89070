"""ECSV tables: a YAML header in comment lines, then CSV; and CSV alone. Source: astropy APE 6 (ECSV 1.0).

They are read by astropy, which is imported only then, and written here, so that the same table gives the same bytes.
"""

from __future__ import annotations

import csv
import json
import re
import warnings
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.errors import DataError
from gm.io.files import write_atomic
from gm.io.tables import Column, Table

MAGIC = "# %ECSV"
SIZE_LIMIT = 1 << 23
BITS_LIMIT = 1 << 31
MESSAGE_LIMIT = 200
_TYPES = re.compile(r"""(?:data|sub)type\s*:\s*('[^']*'|"[^"]*"|[^\s,}]*)""")
_NAME_AND_UNIT = re.compile(r"\s*(?P<name>\w+)\s*[\[(](?P<unit>[^\])]*)[\])]\s*")
_QUOTED = re.compile(r'[ "\r\n]')
_PLAIN = re.compile(r"[A-Za-z_][\w.-]*")
_MAGIC = re.compile(rb"(?:\xef\xbb\xbf)?#\s*%ECSV\b")


def read_ecsv(path: str | Path) -> Table:
    """An ECSV table, read by astropy; a masked or missing number is NaN. Raises `DataError`.

    Columns that are no plain arrays (times, positions) are left out.
    """
    path = Path(path)
    return _table(path, _lines(path))


def read_csv(path: str | Path) -> Table:
    """A table of values between commas below a line of names, which may say a unit: ``e_ref [TeV]``. Lines that begin
    with # are passed over, a missing number is NaN. Raises `DataError`."""
    path = Path(path)
    table = _table(path, [line for line in _lines(path) if not line.startswith("#")], "csv")
    parts = [_NAME_AND_UNIT.fullmatch(column.name) for column in table.columns]
    named = zip(table.columns, parts, strict=True)
    columns = [one if part is None else replace(one, name=part["name"], unit=part["unit"]) for one, part in named]
    return Table("", tuple(columns), table.header)


def ecsv_in_memory(name: str, text: bytes) -> Table:
    """A table that is nowhere but in memory, called ``name``. Raises `DataError`."""
    return _table(Path(name), text.decode("utf-8").split("\n"))


def _table(path: Path, lines: list[str], kind: str = "ecsv") -> Table:
    if kind == "ecsv" and not is_ecsv(lines[0].encode()):
        raise DataError(f"{path}: no ECSV header\n    the first line of an ECSV file is '{MAGIC} 1.0'")
    from astropy.table import Column as AstropyColumn
    from astropy.table import Table as AstropyTable
    from astropy.utils.masked import Masked

    try:
        _refuse_bombs_and_doubles(lines)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of units and of old versions: a unit is asked for where it is needed
            table = AstropyTable.read(lines, format=f"ascii.{kind}")
    except Exception as error:  # whatever astropy, PyYAML or csv make of a file that is none
        raise DataError(f"{path}: not a valid {kind.upper()} table: {_first_line(error)}") from error
    columns = [
        Column(name, _filled(table[name]), str(table[name].unit or ""))
        for name in table.colnames
        if isinstance(table[name], AstropyColumn | Masked)
    ]
    return Table("", tuple(columns), dict(table.meta))


def is_ecsv(start: bytes) -> bool:
    """Whether a file that begins like this is an ECSV table."""
    return _MAGIC.match(start) is not None


def is_text_table(path: Path, start: bytes) -> bool:
    """Whether a file that begins like this is an ECSV table, or a CSV one by its name."""
    return is_ecsv(start) or path.suffix == ".csv"


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise DataError(f"{path}: {path.stat().st_size} bytes, more than any table of flux points")
        return path.read_text("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: neither FITS nor ECSV") from error
    except OSError as error:
        raise DataError(f"{path}: {'no such file' if not path.exists() else error.strerror}") from error


def _refuse_bombs_and_doubles(lines: list[str]) -> None:
    """Raise `ValueError` where astropy would make huge arrays of short texts, or call the second of two names anew."""
    is_header = [line.startswith("#") for line in lines]
    header = "\n".join(line.lstrip("# ") for line, inside in zip(lines, is_header, strict=True) if inside)
    for kind in _TYPES.findall(header):
        if prod(int(number) for number in re.findall(r"\d+", kind)) * len(lines) > BITS_LIMIT:
            raise ValueError(f"{kind[:40]} in {len(lines)} lines are more values than any table of flux points has")
    first = next((line for line, inside in zip(lines, is_header, strict=True) if line.strip() and not inside), "")
    names = next(csv.reader([first], delimiter="," if "," in first else " "))
    if twice := [name for name in names if name and names.count(name) > 1]:
        raise ValueError(f"two columns are called {twice[0]!r}")


def _first_line(error: Exception) -> str:
    """What an exception says, in one line of bounded length."""
    text = " ".join((str(error) or type(error).__name__).split())
    return text if len(text) <= MESSAGE_LIMIT else text[:MESSAGE_LIMIT] + " ..."


def _filled(column: Any) -> NDArray[Any]:
    """The values with NaN where they are masked; flags are not set there, and texts are empty."""
    values, mask = np.asarray(getattr(column, "unmasked", column)), np.asarray(getattr(column, "mask", False))
    values = np.asarray(getattr(values, "data", values)) if isinstance(values, np.ma.MaskedArray) else values
    if not mask.any():
        return values
    if values.dtype.kind in "iuf":
        return np.where(mask, np.nan, values.astype(np.result_type(values, np.float32)))
    return np.where(mask, np.zeros((), values.dtype), values)


def write_ecsv(path: str | Path, table: Table) -> None:
    """Write the table; the same table gives the same bytes. Raises `DataError` when it cannot be written."""
    write_atomic(path, ecsv_text(table))


def ecsv_text(table: Table) -> str:
    """The text of an ECSV file, as astropy reads it."""
    lines = [f"{MAGIC} 1.0", "# ---", "# datatype:"]
    for column in table.columns:
        values = np.asarray(column.values)
        kind = {"b": "bool", "U": "string"}.get(values.dtype.kind, values.dtype.name)
        unit = f", unit: {_scalar(column.unit)}" if column.unit else ""
        if values.ndim > 1:
            shape = ",".join(map(str, values.shape[1:]))
            lines.append(f"# - {{name: {_name(column.name)}{unit}, datatype: string, subtype: '{kind}[{shape}]'}}")
        else:
            lines.append(f"# - {{name: {_name(column.name)}{unit}, datatype: {kind}}}")
    if table.header:
        lines.append("# meta: !!omap")
        lines += [f"# - {{{name}: {_scalar(value)}}}" for name, value in table.header.items()]
    lines += ["# schema: astropy-2.0"]
    rows = zip(*(map(_cell, np.asarray(column.values)) for column in table.columns), strict=True)
    lines += [" ".join(map(_field, row)) for row in (table.names, *rows)]
    return "\n".join(lines) + "\n"


def _field(text: str) -> str:
    """A field of a line; an empty one is quoted too, else two blanks would be one."""
    return text if text and not _QUOTED.search(text) else '"' + text.replace('"', '""') + '"'


def _name(name: str) -> str:
    """A name as YAML: quoted where it holds more than a plain word may."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name)


def _scalar(value: Any) -> str:
    """A header value as YAML: strings quoted as JSON, which YAML reads."""
    if isinstance(value, float):
        text = repr(value)
        return text if "." in text or "e" not in text else text.replace("e", ".0e")
    return json.dumps(value)


def _cell(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return json.dumps(value.tolist(), separators=(",", ":"))
    return str(value) if isinstance(value, np.bool_ | str) else repr(value.item())
