"""ECSV tables: a YAML header in comment lines, then CSV. Source: astropy APE 6 (ECSV 1.0)."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from gm.errors import DataError
from gm.io.files import write_atomic
from gm.io.tables import Column, Table

MAGIC = "# %ECSV"
SIZE_LIMIT = 1 << 26
_SUBTYPE = re.compile(r"(\w+)\[(\d+(?:,\d+)*)\]")


class _HeaderLoader(yaml.SafeLoader):
    """Plain values only: unknown tags are read as what they wrap, aliases are refused."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not read in an ECSV header")
        return super().compose_node(parent, index)


def _plain(loader: _HeaderLoader, tag: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        mapping = loader.construct_mapping(node, deep=True)
        return mapping.get("unit", mapping)
    return loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else str(node.value)


_HeaderLoader.add_multi_constructor("!", _plain)


def read_ecsv(path: str | Path) -> Table:
    """An ECSV table; a missing number is NaN. Raises `DataError`."""
    path = Path(path)
    try:
        if path.stat().st_size > SIZE_LIMIT:
            raise DataError(f"{path}: {path.stat().st_size} bytes, more than any table of flux points")
        lines = path.read_text("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: neither FITS nor ECSV") from error
    except OSError as error:
        raise DataError(f"{path}: {'no such file' if not path.exists() else error.strerror}") from error
    if not lines or not lines[0].startswith(MAGIC):
        raise DataError(f"{path}: no ECSV header\n    the first line of an ECSV file is '{MAGIC} 1.0'")
    n_header = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
    columns, header, delimiter = _parse_header(path, [line[1:].removeprefix(" ") for line in lines[1:n_header]])
    rows = [row for row in csv.reader(lines[n_header:], delimiter=delimiter, skipinitialspace=True) if row]
    names = [str(column.get("name")) for column in columns]
    if not rows or rows[0] != names:
        raise DataError(f"{path}: the line of column names does not match the header: {', '.join(names)}")
    for number, row in enumerate(rows[1:], start=1):
        if len(row) != len(names):
            raise DataError(f"{path}: row {number} has {len(row)} values, expected {len(names)}\n    is it cut short?")
    parsed = []
    for at, column in enumerate(columns):
        try:
            values = _parse_column(column, [row[at] for row in rows[1:]])
        except (ValueError, TypeError, OverflowError) as error:
            raise DataError(f"{path}: column {names[at]}: {error}") from error
        parsed.append(Column(names[at], values, str(column.get("unit") or "")))
    return Table("", tuple(parsed), header)


def _parse_header(path: Path, lines: list[str]) -> tuple[list[dict[str, Any]], dict[str, Any], str]:
    """Column descriptions, metadata and delimiter."""
    try:
        data = yaml.load("\n".join(lines), _HeaderLoader)
    except (yaml.YAMLError, ValueError) as error:
        raise DataError(f"{path}: the ECSV header is not valid: {str(error).splitlines()[0]}") from error
    columns = data.get("datatype") if isinstance(data, dict) else None
    if not isinstance(columns, list) or not all(isinstance(column, dict) for column in columns):
        raise DataError(f"{path}: the ECSV header has no list 'datatype'")
    meta = data.get("meta") or {}
    delimiter = data.get("delimiter", " ")
    if delimiter not in (" ", ","):
        raise DataError(f"{path}: the delimiter is {delimiter!r}, expected a space or a comma")
    return columns, dict(meta) if isinstance(meta, dict) else _merge(meta), delimiter


def _merge(meta: Any) -> dict[str, Any]:
    """``!!omap``: a list of pairs, or of mappings of one key."""
    pairs: dict[str, Any] = {}
    for entry in meta if isinstance(meta, list) else []:
        pairs.update(entry if isinstance(entry, dict) else [entry])
    return pairs


def _parse_column(column: Mapping[str, Any], cells: Sequence[str]) -> NDArray[Any]:
    kind, subtype = str(column.get("datatype")), _SUBTYPE.fullmatch(str(column.get("subtype", "")))
    if subtype is not None:
        shape = tuple(int(size) for size in subtype[2].split(","))
        nested = [json.loads(cell) if cell else np.full(shape, np.nan).tolist() for cell in cells]
        dtype = np.dtype(bool if subtype[1] == "bool" else subtype[1])
        has_gap = any(not cell or "null" in cell for cell in cells)
        dtype = np.dtype(np.float64) if has_gap and dtype.kind != "f" else dtype
        return np.array(nested, dtype=dtype).reshape(len(cells), *shape)
    if kind == "string":
        return np.array(cells, dtype=str)
    if kind == "bool":
        return np.array([_boolean(cell) for cell in cells], dtype=np.bool_)
    dtype = np.dtype(kind)
    if dtype.kind not in "iuf":
        raise ValueError(f"the datatype {kind} is not read here")
    if dtype.kind != "f" and "" in cells:
        dtype = np.dtype(np.float64)
    if dtype.kind == "f":
        return np.array([float(cell) if cell else np.nan for cell in cells], dtype=dtype)
    return np.array([int(cell) for cell in cells], dtype=dtype)


def _boolean(cell: str) -> bool:
    if cell not in ("True", "False", "1", "0", ""):
        raise ValueError(f"'{cell}' is neither True nor False")
    return cell in ("True", "1")


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
            lines.append(f"# - {{name: {column.name}{unit}, datatype: string, subtype: '{kind}[{shape}]'}}")
        else:
            lines.append(f"# - {{name: {column.name}{unit}, datatype: {kind}}}")
    if table.header:
        lines.append("# meta: !!omap")
        lines += [f"# - {{{name}: {_scalar(value)}}}" for name, value in table.header.items()]
    lines += ["# schema: astropy-2.0"]
    body = io.StringIO()
    writer = csv.writer(body, delimiter=" ", lineterminator="\n")
    writer.writerow(table.names)
    writer.writerows(zip(*(map(_cell, np.asarray(column.values)) for column in table.columns), strict=True))
    return "\n".join(lines) + "\n" + body.getvalue()


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
