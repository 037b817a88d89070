"""OGIP redistribution matrices (RMF): groups of channels, expanded.

F_CHAN counts channels from its TLMIN, else from the first CHANNEL of EBOUNDS, or from below it where that is used.
Accepted beyond the standard: the extension name ``SPECRESP MATRIX``.
Source: OGIP memo CAL/GEN/92-002.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.io.fits import Extension, read_fits
from gm.io.ogip_channels import Channels, edges_of
from gm.units import UnitError, factor

_OTHER_NAME = "SPECRESP MATRIX"
_IMPROBABLE = 10.0  # sum of a row; matrices that are not normalised well stay near 1


@dataclass(frozen=True, eq=False)
class Rmf:
    """Probabilities ``matrix : (n_energy_true, n_channels)`` between ``edges_true`` and the edges of channels [TeV].

    area : (n_energy_true,) [cm2], which responses of the class FULL include, else None.
    """

    edges_true: Array
    channels: Channels
    matrix: Array
    area: Array | None


def read_rmf(path: Path) -> Rmf:
    """The matrix in a file; one that includes the effective area is split into both. Raises `DataError`."""
    file = read_fits(path)
    matrix = file.single("MATRIX" if file.find("MATRIX") or not file.find(_OTHER_NAME) else _OTHER_NAME)
    edges_true = edges_of(matrix, "ENERG_LO", "ENERG_HI")
    channels = Channels.of(file.get("EBOUNDS"))
    values = _expand(matrix, _first_channel(matrix), channels.first or 0, len(edges_true) - 1, channels.n)
    values = values[:, ::-1] if channels.falls else values
    area, unit = values.sum(axis=1, keepdims=True), matrix.unit("MATRIX")
    if matrix.header.text("HDUCLAS3").upper() != "FULL" and not _is_area(unit):
        if area.max(initial=0.0) > _IMPROBABLE:
            matrix.fail(
                f"column MATRIX adds up to {area.max():g} in a row, expected probabilities",
                "a response that includes the effective area has the card HDUCLAS3 = 'FULL'",
            )
        return Rmf(edges_true, channels, values, None)
    shares = np.divide(values, area, out=np.zeros_like(values), where=area > 0)
    return Rmf(edges_true, channels, shares, area[:, 0] * (factor(unit, "cm2") if _is_area(unit) else 1.0))


def _is_area(unit: str) -> bool:
    try:
        return bool(unit) and factor(unit, "cm2") > 0
    except UnitError:
        return False


def _first_channel(matrix: Extension) -> int | None:
    """What F_CHAN calls the first channel; None: nothing says so."""
    column = matrix.find("F_CHAN")
    card = f"TLMIN{matrix.columns[column].number}" if column is not None else ""
    return matrix.integer(card) if card in matrix.header else None


def _expand(extension: Extension, first_channel: int | None, default: int, n_true: int, n_channels: int) -> Array:
    """The dense matrix from its groups of channels; the channels' own ``default`` holds unless F_CHAN goes below it."""
    if "DETCHANS" in extension.header and extension.integer("DETCHANS") != n_channels:
        extension.fail(f"DETCHANS is {extension.integer('DETCHANS')}, EBOUNDS has {n_channels} channels")
    groups = _integers(extension, "N_GRP", [extension.numbers("N_GRP")])[0]
    firsts, sizes = (_integers(extension, name, extension.heap_column(name)) for name in ("F_CHAN", "N_CHAN"))
    for row, (n_groups, first, size) in enumerate(zip(groups, firsts, sizes, strict=True)):
        if n_groups > min(len(first), len(size)):
            extension.fail(f"row {row}: N_GRP is {n_groups}, F_CHAN and N_CHAN hold {min(len(first), len(size))}")
    if first_channel is None:
        rows = zip(groups, firsts, sizes, strict=True)
        used = (channel for n, first, size in rows for channel, count in zip(first[:n], size[:n], strict=True) if count)
        first_channel = min(default, min(used, default=default))
    values = extension.heap_column("MATRIX")
    if any(row.dtype.kind not in "iuf" for row in values):
        extension.fail("column MATRIX is not numeric")
    matrix = np.zeros((n_true, n_channels))
    for row, n_groups in enumerate(groups):
        begin = 0
        for channel, count in zip(firsts[row][:n_groups], sizes[row][:n_groups], strict=True):
            at = channel - first_channel if count else 0
            if at < 0 or count < 0 or at + count > n_channels or begin + count > len(values[row]):
                extension.fail(
                    f"row {row}: {count} values from channel {channel} on do not fit {n_channels} channels",
                    f"channels count from {first_channel}; the card TLMIN of F_CHAN says so, or column CHANNEL",
                )
            matrix[row, at : at + count] = values[row][begin : begin + count]
            begin += count
    if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
        extension.fail("column MATRIX has values that are negative or not finite")
    return matrix


def _integers(extension: Extension, name: str, rows: list[NDArray[Any]]) -> list[list[int]]:
    """The rows of a column of whole numbers, of whatever type."""
    for row in rows:
        if row.dtype.kind not in "iuf" or (row.dtype.kind == "f" and not (row == np.round(row)).all()):
            extension.fail(f"column {name} has values that are not whole numbers")
    return [row.tolist() if row.dtype.kind in "iu" else row.astype(np.int64).tolist() for row in rows]
