"""Response tables of GADF files: axes from ``X_LO`` and ``X_HI``, values from the one row of the table.

Source: gamma-astro-data-formats 0.2 and 0.3, IRFs; where files differ from it, as Gammapy 2.1 reads them. Everything
wrong is a `DataError` that names the file, the extension, the column or card, and what was expected.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.io.fits import Extension
from gm.maps.axes import Axis, EnergyAxis, NodeAxis
from gm.units import UnitError, factor, parse_unit

log = logging.getLogger(__name__)

_SAME = 1e-8, 1e-5  # absolute and relative: edges that are one node
_GAP = 1e-3  # of the narrowest bin
_AXES = {
    "THETA": ("offset", "deg"),
    "ENERG": ("energy_true", "TeV"),
    "ETRUE": ("energy_true", "TeV"),
    "RAD": ("rad", "deg"),
    "DETX": ("fov_lon", "deg"),
    "DETY": ("fov_lat", "deg"),
    "MIGRA": ("migra", ""),
}
"""Prefix of the columns -> name and unit of the axis."""


def read_axes(extension: Extension, names: Sequence[str]) -> tuple[Axis, ...]:
    """The axes of these names, all problems at once; both kinds of energy are in ``ENERG`` (or ``ETRUE``)."""
    axes, problems = [], []
    for name in names:
        try:
            axes.append(_read_axis(extension, name))
        except DataError as error:
            problems.append(str(error))
    if problems:
        raise DataError("\n".join(problems))
    return tuple(axes)


def _read_axis(extension: Extension, name: str) -> Axis:
    wanted = "energy_true" if name == "energy" else name
    prefixes = [prefix for prefix, (axis, _) in _AXES.items() if axis == wanted]
    prefix = next((p for p in prefixes if extension.find(f"{p}_LO") and extension.find(f"{p}_HI")), None)
    if prefix is None:
        columns = " or ".join(f"{p}_LO and {p}_HI" for p in prefixes)
        extension.fail(
            f"no columns {columns}, needed for the axis {name}", suggest(columns, extension.columns, "found")
        )
    unit = _AXES[prefix][1]
    lo, hi = (row(extension, f"{prefix}_{end}", unit).ravel() for end in ("LO", "HI"))
    try:
        return build_axis(name, lo, hi, unit)
    except DataError as error:
        extension.fail(f"columns {prefix}_LO, {prefix}_HI: {error}")


def build_axis(name: str, lo: Array, hi: Array, unit: str) -> Axis:
    """Nodes where all lower edges are the upper ones, else bins: all lower edges and the last upper one.

    lo, hi : (n_bins,)
    """
    if lo.shape != hi.shape or not lo.size:
        raise DataError(f"axis {name}: {lo.size} lower and {hi.size} upper edges")
    if not (np.isfinite(lo).all() and np.isfinite(hi).all()):
        raise DataError(f"axis {name}: edges that are not finite")
    is_energy = name.startswith("energy")
    if (np.abs(hi - lo) <= _SAME[0] + _SAME[1] * np.abs(lo)).all():
        return NodeAxis.from_nodes(name, hi, unit, "log" if is_energy else "lin")
    edges = np.append(lo, hi[-1])
    narrowest = np.diff(edges).min()
    if narrowest > 0 and (np.abs(hi[:-1] - lo[1:]) > _GAP * narrowest).any():
        raise DataError(f"axis {name}: bins leave gaps or overlap, expected each to begin where the one before it ends")
    if is_energy and edges[0] > 0.0:
        return EnergyAxis(edges, name)
    return NodeAxis.from_edges(name, edges, unit, "log" if is_energy else "lin")


def row(extension: Extension, column: str, unit: str | None, default: str = "") -> Array:
    """The cell of a column in the first row, (..., n), slowest axis first, in ``unit`` (None: as stored).

    default : the unit of a column that says none, if it is not ``unit``
    """
    usual = default or unit or ""
    if usual and not extension.unit(column) and extension.find(column):
        tell_unit(extension, column, usual)
    values = extension.floats(column, unit, default=usual)
    if len(values) != 1:
        extension.fail(f"{len(values)} rows, expected one row with the whole table")
    return np.asarray(values[0])


def read_cell(extension: Extension, column: str, axes: Sequence[Axis], unit: str | None, default: str = "") -> Array:
    """Values over ``axes``, in the shape of their lengths, as the cell of a column holds them. Raises `DataError` for
    NaN."""
    values = row(extension, column, unit, default)
    shape = tuple(axis.n_bins for axis in axes)
    if values.size != np.prod(shape):
        names = " x ".join(f"{axis.name} {axis.n_bins}" for axis in axes)
        extension.fail(f"column {column} has {values.size} values, expected {np.prod(shape)}: {names}")
    if values.ndim > 1 and tuple(n for n in values.shape if n > 1) != tuple(n for n in shape if n > 1):
        extension.fail(
            f"column {column} has the shape {values.shape}, expected {shape}", "TDIM counts the fastest axis first"
        )
    values = values.reshape(shape)
    check_finite(extension, column, values, axes)
    return values


def check_finite(extension: Extension, column: str, values: Array, axes: Sequence[Axis]) -> None:
    """Raise `DataError` that names the first bin of ``values``, of any shape, that is NaN or infinite."""
    bad = ~np.isfinite(values)
    if bad.any():
        at = ", ".join(f"{a.name} {i}" for a, i in zip(axes, np.argwhere(bad)[0].tolist(), strict=True))
        extension.fail(
            f"column {column} is {values[bad][0]} in bin {at}; {int(bad.sum())} of {bad.size} values are not finite"
        )


def known_factor(extension: Extension, column: str, target: str, default: str) -> float:
    """Factor of a column to ``target``; of one without a unit, or with one that nobody knows, that of ``default``.

    It is said then. Raises `DataError` for a unit of something else.
    """
    unit = extension.unit(column)
    try:
        return factor(unit, target)
    except UnitError:
        with suppress(UnitError):
            if unit and parse_unit(unit):
                extension.fail(f"column {column} is in '{unit}', expected a unit of '{target}'")
    tell_unit(extension, column, default)
    return factor(default, target)


def tell_unit(extension: Extension, column: str, unit: str) -> None:
    """Say what a column is taken for that has no unit, or one that nobody knows."""
    own = extension.unit(column)
    log.warning("%s: HDU %s: unit %r of %s, taken for %s", extension.path, extension.name, own, column, unit)


def is_pointlike(extension: Extension) -> bool:
    """Whether the responses hold for events within ``RAD_MAX`` of a point source."""
    return extension.header.text("HDUCLAS3").upper() == "POINT-LIKE"


def optional_real(extension: Extension, card: str) -> float | None:
    """A card that is a finite number, or None without it."""
    return extension.real(card, 0.0) if card in extension.header else None
