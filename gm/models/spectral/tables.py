"""Spectra given at nodes: tables, and piecewise corrections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from gm.arrays import Array
from gm.models.errors import ModelError
from gm.models.parameter import Parameter, split_quantity
from gm.models.spectral.base import SpectralModel, flux_unit
from gm.units import UnitError, factor

_TINY = float(np.finfo(np.float64).tiny)


class TemplateSpectralModel(SpectralModel):
    """Table of a spectrum.

    Straight lines in (ln E, ln f) between the nodes, continued beyond both ends; a single node is a constant.
    Values at or below the smallest number of floating point count as zero, as in Gammapy. No parameters.

    ``energy`` and ``values``: ``{"data": [...], "unit": "..."}`` as in YAML, astropy quantities, or arrays in TeV and
    cm-2 s-1 TeV-1.
    """

    tags = ("TemplateSpectralModel", "template")
    setting_names = ("energy", "values")
    amplitude_name = None

    def __init__(self, energy: object, values: object) -> None:
        self.settings = {"energy": _as_table(energy, "TeV"), "values": _as_table(values, "TeV-1 s-1 cm-2")}
        super().__init__()
        self._unit = flux_unit(self.settings["values"]["unit"])
        self._log_energy = np.log(_column(self.settings["energy"], "TeV"))
        values_column = _column(self.settings["values"], self._unit)
        if len(values_column) != len(self._log_energy):
            raise ModelError(f"{len(self._log_energy)} energies and {len(values_column)} values; they go in pairs")
        self._log_values = np.log(np.maximum(values_column, _TINY))

    def evaluate(self, energy: Array, values: Array) -> Array:
        if len(self._log_energy) == 1:
            log_f = np.full(np.shape(energy), self._log_values[0])
        else:
            node, weight = _locate(np.log(energy), self._log_energy)
            log_f = self._log_values[node] * (1 - weight) + self._log_values[node + 1] * weight
        f = np.exp(np.minimum(log_f, 300.0))
        return np.where(f <= 2 * _TINY, 0.0, f)

    def kinks(self, values: Array) -> Array:
        return np.exp(self._log_energy)

    def gradient(self, energy: Array, values: Array) -> Array:
        return np.empty((0, *np.shape(energy)))

    def result_unit(self) -> str:
        return self._unit

    def remarks(self) -> tuple[str, ...]:
        negative = sum(value < 0 for value in self.settings["values"]["data"])
        return (f"{negative} of its values are negative, and taken for 0",) if negative else ()


class PiecewiseNormSpectralModel(SpectralModel):
    """Piecewise correction with a free norm at every energy node, a dimensionless factor.

    Straight lines between ``(E_k, norm_k)``, in (ln E, ln norm) for ``interp: log`` and in (E, norm) for ``interp:
    lin``; constant beyond the end nodes.

    ``energy`` as for `TemplateSpectralModel`; ``norms`` as a list, or as ``norm_0=...``, ``norm_1=...``.
    """

    tags = ("PiecewiseNormSpectralModel", "piecewise-norm")
    setting_names = ("energy", "interp")
    amplitude_name = None
    is_norm: ClassVar[bool] = True

    def __init__(self, energy: object, norms: Sequence[object] = (), interp: str = "log", **parameters: object) -> None:
        if interp not in ("log", "lin"):
            raise ModelError(f"interp is '{interp}'; allowed: log, lin")
        self.settings = {"energy": _as_table(energy, "TeV"), "interp": interp}
        nodes = _column(self.settings["energy"], "TeV")
        if len(nodes) < 2 or (norms and len(norms) != len(nodes)):
            raise ModelError(f"{len(nodes)} energy nodes and {len(norms)} norms; at least two nodes, one norm each")
        self._is_log = interp == "log"
        self._nodes = np.log(nodes) if self._is_log else nodes
        self.defaults = tuple(Parameter(f"norm_{k}", 1.0) for k in range(len(nodes)))
        super().__init__(**{f"norm_{k}": norm for k, norm in enumerate(norms)}, **parameters)

    @classmethod
    def named_by_document(cls, name: str) -> Parameter | None:
        return Parameter(name, 1.0) if name.startswith("norm_") else None

    def evaluate(self, energy: Array, values: Array) -> Array:
        node, weight = self._locate(energy)
        norms = np.log(np.maximum(values, _TINY)) if self._is_log else np.asarray(values)
        f = norms[node] * (1 - weight) + norms[node + 1] * weight
        return np.exp(np.minimum(f, 300.0)) if self._is_log else np.asarray(f)

    def kinks(self, values: Array) -> Array:
        return np.exp(self._nodes) if self._is_log else self._nodes

    def gradient(self, energy: Array, values: Array) -> Array:
        node, weight = self._locate(energy)
        f = self.evaluate(energy, values) if self._is_log else np.ones(np.shape(energy))
        scale = np.maximum(values, _TINY) if self._is_log else np.ones(len(values))
        gradient = np.zeros((len(values), *np.shape(energy)))
        for k in range(len(values)):
            gradient[k] = ((node == k) * (1 - weight) + (node + 1 == k) * weight) * f / scale[k]
        return gradient

    def _locate(self, energy: Array) -> tuple[Any, Array]:
        x = np.log(energy) if self._is_log else energy
        return _locate(np.clip(x, self._nodes[0], self._nodes[-1]), self._nodes)


def _locate(x: Array, nodes: Array) -> tuple[Any, Array]:
    """The segment that x lies in (the end ones continue), and how far along it, 0 to 1 inside."""
    node = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    return node, (x - nodes[node]) / (nodes[node + 1] - nodes[node])


def _as_table(column: object, unit: str) -> dict[str, Any]:
    """A column of numbers as YAML holds it. Raises `ModelError`, `UnitError`."""
    if isinstance(column, Mapping):
        data, unit = column.get("data"), str(column.get("unit") or "")
    elif hasattr(column, "unit") and hasattr(column, "value"):
        data, unit = column.value, str(column.unit)
    else:
        data = column
    try:
        numbers = [split_quantity(number)[0] for number in np.atleast_1d(np.asarray(data, dtype=object)).ravel()]
    except UnitError as error:
        raise ModelError(f"a table is a list of numbers with a unit: {error}") from error
    if not numbers:
        raise ModelError("a table needs at least one number")
    return {"data": numbers, "unit": unit}


def _column(table: Mapping[str, Any], unit: str) -> Array:
    column = np.array(table["data"], dtype=np.float64) * factor(table["unit"], unit)
    if not np.isfinite(column).all():
        raise ModelError("a table holds a number that is not finite")
    if unit == "TeV" and (column[0] <= 0 or (np.diff(column) <= 0).any()):
        raise ModelError("the energies of a table increase and are positive")
    return column
