"""Spectra given as maps whose further axes are parameters."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.errors import DataError
from gm.maps.axes import Axis
from gm.maps.reading import read_map
from gm.models.parameter import Parameter
from gm.models.spectral.base import SpectralModel, flux_unit
from gm.models.templates.axis_interpolation import (
    ENERGY,
    axis_limits,
    axis_parameters,
    collapse,
    given_defaults,
    in_axis_order,
    parameter_axes,
)
from gm.models.templates.files import read_template
from gm.units import UnitError, factor

_TINY = float(np.finfo(np.float64).tiny)


class SpectrumTable:
    """A region map with an axis of true energy, read on first use. Raises `DataError` when it is something else."""

    def __init__(self, filename: str) -> None:
        self.filename = filename

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """Axes, slowest first; one is energy."""
        return self._loaded[0]

    @property
    def unit(self) -> str:
        """Internal unit of the values; empty for a factor."""
        return self._loaded[2]

    @property
    def remarks(self) -> tuple[str, ...]:
        """How many values are no numbers, or negative."""
        return self._loaded[3]

    @property
    def logs(self) -> NDArray[Any]:
        """Logarithms of the values in internal units, (*axes,)."""
        return self._loaded[1]

    @cached_property
    def _loaded(self) -> tuple[tuple[Axis, ...], NDArray[Any], str, tuple[str, ...]]:
        found = read_map(read_template(self.filename))
        shape = tuple(axis.n_bins for axis in found.axes)
        if not any(axis.name in ENERGY for axis in found.axes) or found.data.size != np.prod(shape):
            raise DataError(f"{self.filename}: expected the map of one region with an axis of energy")
        try:
            unit = flux_unit(found.unit) if found.unit.strip() else ""
        except UnitError as error:
            raise DataError(f"{self.filename}: {error}") from error
        data = found.data.reshape(shape)
        bad = int(np.count_nonzero(~(data >= 0) | (data == np.inf)))
        remarks = (f"{self.filename}: {bad} of {data.size} values are negative or no numbers, and taken for 0",)
        data = (
            np.where(np.isfinite(data), data, 0.0).astype(data.dtype) if data.dtype.kind == "f" else data.astype(float)
        )
        logs = np.log(np.maximum(data, np.finfo(data.dtype).tiny))
        scale = np.log(factor(found.unit, unit)) if unit else 0.0
        return found.axes, logs + scale, unit, remarks if bad else ()


class TemplateNDSpectralModel(SpectralModel):
    """A spectrum from a map of one region; one parameter for each axis that is not energy.

    Linear in the logarithm of the values and in the scale of each axis, continued beyond the ends. Where the document
    gives no parameters they are read from the file: the middle of each axis, with its bounds as limits.
    """

    tags = ("TemplateNDSpectralModel", "templateND")
    setting_names = ("filename", "unit")
    any_unit = True
    amplitude_name = None

    def __init__(self, **settings: object) -> None:
        self.table = SpectrumTable(str(settings.get("filename") or ""))
        given = {name: value for name, value in settings.items() if name not in self.setting_names}
        self.defaults = given_defaults(self.tags[0], given.values()) or axis_parameters(self.table.axes)
        self.settings = {name: settings[name] for name in self.setting_names if name in settings}
        super().__init__(**given)

    @classmethod
    def named_by_document(cls, name: str) -> Parameter | None:
        return Parameter(name, 1.0)

    def natural_limits(self) -> dict[str, tuple[float, float]]:
        return axis_limits(self.table.axes)

    @property
    def is_norm(self) -> bool:  # type: ignore[override]  # the file decides whether the values have a unit
        return not self.table.unit

    def evaluate(self, energy: Array, values: Array) -> Array:
        table, _ = self._collapsed(values)
        f = np.exp(np.minimum(self._along_energy(table, energy), 300.0))
        return np.where(f <= 2 * _TINY, 0.0, f)

    def kinks(self, values: Array) -> Array:
        return np.asarray(next(axis for axis in self.table.axes if axis.name in ENERGY).center, dtype=np.float64)

    def gradient(self, energy: Array, values: Array) -> Array:
        f = self.evaluate(energy, values)
        _, slopes = self._collapsed(values)
        axes = parameter_axes(self.table.axes)
        rows = {axis.name: f * self._along_energy(slope, energy) for axis, slope in zip(axes, slopes, strict=True)}
        return np.stack([rows[name] for name in self.paths]) if rows else np.empty((0, *np.shape(energy)))

    def result_unit(self) -> str:
        return self.table.unit

    def remarks(self) -> tuple[str, ...]:
        return self.table.remarks

    def _collapsed(self, values: Array) -> tuple[NDArray[Any], list[NDArray[Any]]]:
        axes = self.table.axes
        return collapse(self.table.logs, axes, in_axis_order(axes, self.paths, values, self.table.filename))

    def _along_energy(self, table: NDArray[Any], energy: Array) -> Array:
        axis = next(axis for axis in self.table.axes if axis.name in ENERGY)
        pixel = axis.pixel(energy)
        node = np.clip(np.floor(pixel), 0, max(axis.n_bins - 2, 0)).astype(np.intp)
        share = pixel - node if axis.n_bins > 1 else np.zeros_like(pixel)
        return np.asarray(table[node] * (1.0 - share) + table[np.minimum(node + 1, axis.n_bins - 1)] * share)
