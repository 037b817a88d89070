"""What every model has: type tags, parameters with defaults, and settings that are not parameters."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from math import inf, isfinite
from typing import Any, ClassVar, Self

from gm.errors import suggest
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.units import UnitError, factor


class ParametricModel:
    """Base of all models: a tuple of parameters in YAML order. A value: ``with_parameters`` returns a new one.

    tags : names of the type in YAML, the one that is written first
    defaults : the class's parameters when nothing is given
    natural : between which values a parameter means something, by its name and in its default's unit
    settings : what the YAML block holds beside ``type`` and ``parameters``, as plain data
    factors : (n_par,) own unit -> internal unit, one per parameter
    paths : names of the parameters inside the block, such as ``index`` or ``model1.index``
    """

    section: ClassVar[str]
    tags: ClassVar[tuple[str, ...]]
    setting_names: ClassVar[tuple[str, ...]] = ()
    natural: ClassVar[Mapping[str, tuple[float, float]]] = {}

    defaults: tuple[Parameter, ...] = ()
    parameters: tuple[Parameter, ...]
    factors: tuple[float, ...]
    paths: tuple[str, ...]
    settings: Mapping[str, Any] = {}

    def __init__(self, **parameters: object) -> None:
        names = [default.name for default in self.defaults]
        for name in parameters:
            if name not in names:
                raise ModelError(f"'{name}' is not a parameter of {self.tags[0]}", suggest(name, names, "parameters"))
        self._set_parameters(
            [
                default.given(parameters[default.name]) if default.name in parameters else default
                for default in self.defaults
            ]
        )

    def _set_parameters(self, parameters: Sequence[Parameter]) -> None:
        self.parameters = tuple(parameters)
        self.paths = tuple(parameter.name for parameter in parameters)
        self.factors = tuple(
            factor(parameter.unit, self.internal_unit(default, parameter.unit))
            for default, parameter in zip(self.defaults, parameters, strict=True)
        )

    def remarks(self) -> tuple[str, ...]:
        """What of the model's files is not used as it stands there."""
        return ()

    def with_parameters(self, parameters: Sequence[Parameter]) -> Self:
        """The same model with other parameters, in the same order. Raises `UnitError`."""
        changed = copy.copy(self)
        changed._set_parameters(parameters)
        return changed

    @classmethod
    def internal_unit(cls, default: Parameter, unit: str) -> str:
        """The internal unit that a parameter's unit converts to. Raises `UnitError`."""
        try:
            factor(unit, default.unit)
        except UnitError as error:
            expected = f"does not convert to '{default.unit}'" if default.unit else "should be empty: no unit is needed"
            raise UnitError(f"'{unit}' {expected}") from error
        return default.unit

    def limits(self) -> list[tuple[float, float]]:
        """Between which values a fit keeps every parameter, in own units.

        Its own limits; where it has none the natural ones, which make room for the value that it starts from.
        """
        return [self._limits(p, f) for p, f in zip(self.parameters, self.factors, strict=True)]

    def _limits(self, parameter: Parameter, factor: float) -> tuple[float, float]:
        low, high = parameter.limits()
        if parameter.frozen or (isfinite(low) and isfinite(high)):
            return low, high
        least, most = (limit / factor for limit in self.natural_limits().get(parameter.name, (-inf, inf)))
        low = low if isfinite(low) else min(least, parameter.value)
        return low, high if isfinite(high) else max(most, parameter.value)

    def natural_limits(self) -> Mapping[str, tuple[float, float]]:
        """`natural`; what a file says of its axes is read here."""
        return self.natural

    def blocks(self) -> Iterator[ParametricModel]:
        """The models that own the parameters, in order: itself, or the members of a compound."""
        yield self

    def __getattr__(self, name: str) -> Parameter:
        for parameter in self.__dict__.get("parameters", ()):
            if parameter.name == name:
                found: Parameter = parameter
                return found
        raise AttributeError(f"{type(self).__name__} has no attribute or parameter '{name}'")

    def __repr__(self) -> str:
        values = ", ".join(f"{p.name}={p.value!r} {p.unit}".rstrip() for p in self.parameters)
        return f"{type(self).__name__}({values})"
