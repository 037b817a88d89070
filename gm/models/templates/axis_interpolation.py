"""Straight lines along the axes of a table that stand for parameters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.maps.axes import Axis
from gm.models.errors import ModelError
from gm.models.parameter import Parameter

ENERGY = ("energy_true", "energy")


def parameter_axes(axes: Sequence[Axis]) -> tuple[Axis, ...]:
    """The axes that are not energy."""
    return tuple(axis for axis in axes if axis.name not in ENERGY)


def axis_parameters(axes: Sequence[Axis]) -> tuple[Parameter, ...]:
    """A parameter for each axis that is not energy, the fastest first: in the middle of its bounds, the limits."""
    rows = []
    for axis in reversed(parameter_axes(axes)):
        low, high = (axis.edges if getattr(axis, "has_edges", True) else axis.center)[[0, -1]].tolist()
        rows.append(Parameter(axis.name, 0.5 * (low + high), axis.unit, min=low, max=high))
    return tuple(rows)


def axis_limits(axes: Sequence[Axis]) -> dict[str, tuple[float, float]]:
    """Between which values of the axes that are not energy a table is known, by name."""
    return {parameter.name: (parameter.min, parameter.max) for parameter in axis_parameters(axes)}


def given_defaults(model: str, given: Collection[object]) -> tuple[Parameter, ...]:
    """What stands for parameters that were given, where the model itself does not know its parameters. `ModelError`."""
    parameters = [p for p in given if isinstance(p, Parameter)]
    if len(parameters) < len(given):
        raise ModelError(f"the parameters of {model} are given as Parameter objects")
    return tuple(Parameter(p.name, 0.0, p.unit) for p in parameters)


def in_axis_order(axes: Sequence[Axis], names: tuple[str, ...], values: Array, source: str) -> Array:
    """Values of parameters, (n_axes,), in the order of the axes. Raises `DataError` when both differ in names."""
    found = [axis.name for axis in parameter_axes(axes)]
    if sorted(found) != sorted(names):
        wrong = next((name for name in names if name not in found), ", ".join(names) or "none")
        raise DataError(f"{source}: parameter {wrong} is no axis of the map\n    {suggest(wrong, found, 'axes')}")
    return np.array([values[names.index(name)] for name in found])


def collapse(table: NDArray[Any], axes: Sequence[Axis], values: Array) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """The table at values (n_axes,) of the axes that are not energy, without these axes, and its derivatives by each.

    ``axes``: the leading ones of ``table``. Linear in the axes' own scale, the end segments continued.
    """
    slopes: list[NDArray[Any]] = []
    names = [axis.name for axis in axes]
    for axis, value in zip(parameter_axes(axes), values, strict=True):
        along = names.index(axis.name)
        names.pop(along)
        pixel = float(axis.pixel(np.array([value]))[0])
        node = int(np.clip(np.floor(pixel), 0, max(axis.n_bins - 2, 0)))
        ends, share = (node, min(node + 1, axis.n_bins - 1)), pixel - node
        step = 1e-6 * float(axis.edges[-1] - axis.edges[0])
        per_unit = float(np.diff(axis.pixel(np.array([value - step, value + step])))[0]) / (2 * step)
        lower, upper = (np.take(table, k, axis=along) for k in ends)
        slopes = [_between(slope, ends, share, along) for slope in slopes]
        slopes.append((upper - lower) * per_unit)
        table = _between(table, ends, share, along)
    return table, slopes


def _between(table: NDArray[Any], ends: tuple[int, int], share: float, axis: int) -> NDArray[Any]:
    lower, upper = (np.take(table, k, axis=axis) for k in ends)
    return np.asarray(lower * (1.0 - share) + upper * share)
