"""The sum, difference, product or ratio of two spectra."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.errors import suggest
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.spectral.base import SpectralModel
from gm.units import UnitError

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
}


class CompoundSpectralModel(SpectralModel):
    """Two spectra joined by an operator.

    ``f(E) = f1(E) + f2(E)``, ``f1 - f2``, ``f1 f2`` or ``f1 / f2``, with f1 the ``model1``, f2 the ``model2`` and
    ``operator`` one of ``add``, ``sub``, ``mul``, ``truediv``. Its parameters are those of the first, then
    those of the second.
    """

    tags = ("CompoundSpectralModel", "compound")
    setting_names = ("model1", "model2", "operator")
    amplitude_name = None

    def __init__(self, model1: SpectralModel, model2: SpectralModel, operator: str | Callable[..., Any]) -> None:
        name = operator if isinstance(operator, str) else getattr(operator, "__name__", repr(operator))
        if name not in OPERATORS:
            raise ModelError(f"'{name}' is not an operator", suggest(name, OPERATORS))
        self.model1, self.model2, self.operator = model1, model2, name
        self.settings = {"operator": name}
        self.defaults = model1.defaults + model2.defaults
        self._set_parameters(model1.parameters + model2.parameters)

    def _set_parameters(self, parameters: Sequence[Parameter]) -> None:
        n = len(self.model1.parameters)
        first, second = self.model1.with_parameters(parameters[:n]), self.model2.with_parameters(parameters[n:])
        paths = tuple(f"model{k}.{path}" for k, model in ((1, first), (2, second)) for path in model.paths)
        self._set(model1=first, model2=second, parameters=tuple(parameters), paths=paths)
        self._set(factors=first.factors + second.factors)

    def members(self) -> Mapping[str, SpectralModel]:
        return {"model1": self.model1, "model2": self.model2}

    def remarks(self) -> tuple[str, ...]:
        return self.model1.remarks() + self.model2.remarks()

    def evaluate(self, energy: Array, values: Array) -> Array:
        n = len(self.model1.parameters)
        f1, f2 = self.model1.evaluate(energy, values[:n]), self.model2.evaluate(energy, values[n:])
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(OPERATORS[self.operator](f1, f2))

    def kinks(self, values: Array) -> Array:
        n = len(self.model1.parameters)
        return np.concatenate([self.model1.kinks(values[:n]), self.model2.kinks(values[n:])])

    def fall(self, energy: float, values: Array) -> float:
        n = len(self.model1.parameters)
        return max(0.0, self.model1.fall(energy, values[:n])) + max(0.0, self.model2.fall(energy, values[n:]))

    def gradient(self, energy: Array, values: Array) -> Array:
        return self.evaluate_with_gradient(energy, values)[1]

    def evaluate_with_gradient(self, energy: Array, values: Array) -> tuple[Array, Array]:
        n = len(self.model1.parameters)
        f1, d_f1 = self.model1.evaluate_with_gradient(energy, values[:n])
        f2, d_f2 = self.model2.evaluate_with_gradient(energy, values[n:])
        if self.operator == "mul":
            return f1 * f2, np.concatenate([d_f1 * f2, f1 * d_f2])
        if self.operator == "truediv":
            with np.errstate(divide="ignore", invalid="ignore"):
                ratio = f1 / f2
                return ratio, np.concatenate([d_f1 / f2, -ratio / f2 * d_f2])
        sign = 1 if self.operator == "add" else -1
        return f1 + sign * f2, np.concatenate([d_f1, sign * d_f2])

    def amplitude_position(self) -> int | None:
        if self.operator == "truediv":
            return self.model1.amplitude_position()
        if self.operator != "mul":
            return None
        first, second = self.model1.amplitude_position(), self.model2.amplitude_position()
        if first is not None or second is None:
            return first
        return len(self.model1.parameters) + second

    def unabsorbed(self) -> tuple[SpectralModel, list[int]] | None:
        """Factors that are absorption are left out, at any depth."""
        n, first, second = len(self.model1.parameters), self.model1.unabsorbed(), self.model2.unabsorbed()
        if second is not None:
            second = second[0], [n + k for k in second[1]]
        if first is not None and second is not None:
            return CompoundSpectralModel(first[0], second[0], self.operator), first[1] + second[1]
        return first or second if self.operator == "mul" else super().unabsorbed()

    def result_unit(self) -> str:
        unit1, unit2 = self.model1.result_unit(), self.model2.result_unit()
        if self.operator == "mul":
            if unit1 and unit2:
                raise UnitError(f"the product of two fluxes ('{unit1}' and '{unit2}') is not a flux")
            return unit1 or unit2
        if self.operator == "truediv":
            if unit2 and unit1 != unit2:
                raise UnitError(f"a factor over a flux ('{unit2}') is not a flux")
            return "" if unit2 else unit1
        if unit1 != unit2:
            raise UnitError(f"'{unit1}' and '{unit2}' do not add up")
        return unit1

    def __repr__(self) -> str:
        return f"CompoundSpectralModel({self.model1!r}, {self.model2!r}, '{self.operator}')"
