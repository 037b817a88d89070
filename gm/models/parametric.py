"""What every model has: type tags, parameters with defaults, and settings that are not parameters."""

from __future__ import annotations

from abc import ABC
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import inf, isfinite
from typing import TYPE_CHECKING, Any, ClassVar, Self, overload

from gm.errors import suggest
from gm.model_types import ModelType, declare
from gm.models.errors import AddressError, ModelError
from gm.models.parameter import Parameter
from gm.units import UnitError, factor
from gm.values import refuse_to_set


class Default:
    """A parameter that a class of models declares: ``index = Default(2.0)``. Of a model it is the `Parameter`."""

    def __init__(
        self, value: float, unit: str = "", *, min: float = -inf, max: float = inf, frozen: bool = False
    ) -> None:
        self.parameter = Parameter("", value, unit, min=min, max=max, frozen=frozen)

    def __set_name__(self, owner: type, name: str) -> None:
        if self.parameter.name not in ("", name):  # one for several classes has one name in all of them
            raise TypeError(f"'{name}' of {owner.__name__} is '{self.parameter.name}' elsewhere")
        self.parameter = replace(self.parameter, name=name)

    @overload
    def __get__(self, model: None, owner: type) -> Self: ...
    @overload
    def __get__(self, model: ParametricModel, owner: type) -> Parameter: ...
    def __get__(self, model: ParametricModel | None, owner: type) -> Self | Parameter:
        return self if model is None else model.parameter(self.parameter.name)


class ParametricModel(ABC):
    """Base of all models: a tuple of parameters in YAML order. A value: ``with_parameters`` returns a new one.

    A class declares its parameters as attributes, ``index = Default(2.0)``, in YAML order.

    tags : names of the type in YAML, the name of the class first, which is written
    defaults : the parameters when nothing is given
    writes_defaults : False when parameters are written only where they differ from the defaults
    any_unit : True when parameters have whatever unit a document gives them, as axes of a file do
    natural : between which values a parameter means something, by its name and in its default's unit
    settings : what the YAML block holds beside ``type`` and ``parameters``, as plain data
    factors : (n_par,) own unit -> internal unit, one per parameter
    paths : names of the parameters inside the block, such as ``index`` or ``model1.index``
    """

    section: ClassVar[str]
    tags: ClassVar[tuple[str, ...]]
    setting_names: ClassVar[tuple[str, ...]] = ()
    writes_defaults: ClassVar[bool] = True
    any_unit: ClassVar[bool] = False
    natural: ClassVar[Mapping[str, tuple[float, float]]] = {}

    defaults: tuple[Parameter, ...] = ()
    parameters: tuple[Parameter, ...]
    factors: tuple[float, ...]
    paths: tuple[str, ...]
    settings: Mapping[str, Any] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        declared: dict[str, Default] = {}
        for base in reversed(cls.__mro__):
            declared |= {name: value for name, value in vars(base).items() if isinstance(value, Default)}
        if declared:
            cls.defaults = tuple(default.parameter for default in declared.values())
        if "tags" in vars(cls):
            declare(cls.section, ModelType(cls.__name__, cls.tags, cls.__module__))
            CLASSES.update(dict.fromkeys(((cls.section, tag) for tag in cls.tags), cls))

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
        before = vars(self).get("parameters")
        if before and [(p.name, p.unit) for p in before] == [(p.name, p.unit) for p in parameters]:
            self._set(parameters=tuple(parameters))  # paths and factors stay
            return
        factors = tuple(
            factor(parameter.unit, self.internal_unit(default, parameter.unit))
            for default, parameter in zip(self.defaults, parameters, strict=True)
        )
        self._set(parameters=tuple(parameters), paths=tuple(p.name for p in parameters), factors=factors)

    def _set(self, **attributes: Any) -> None:
        """Of a model that is being made."""
        vars(self).update(attributes)

    def __setattr__(self, name: str, value: object) -> None:
        if "parameters" in vars(self) and not name.startswith("_"):  # its parameters make it whole
            refuse_to_set(self, name, (*self.paths, *vars(self)), "with_parameters makes another model")
        super().__setattr__(name, value)

    def parameter(self, name: str) -> Parameter:
        """The first parameter of that name; as an attribute it is there too. Raises `AddressError`."""
        for parameter in self.parameters:
            if parameter.name == name:
                return parameter
        hint = suggest(name, [p.name for p in self.parameters], "parameters")
        raise AddressError(f"'{name}' is not a parameter of {self.tags[0]}", hint)

    def remarks(self) -> tuple[str, ...]:
        """What of the model's files is not used as it stands there."""
        return ()

    def with_parameters(self, parameters: Sequence[Parameter]) -> Self:
        """The same model with other parameters, in the same order. Raises `UnitError`."""
        changed = object.__new__(type(self))
        vars(changed).update(vars(self))
        changed._set_parameters(parameters)
        return changed

    def is_like(self, other: ParametricModel) -> bool:
        """Whether both are one function of their values: all that they hold beside parameters is one and the same."""
        members, its_members = self.members(), other.members()
        mine, its = (
            {
                name: part
                for name, part in vars(model).items()
                if name not in {*members, "parameters", "factors", "paths"}
            }
            for model in (self, other)
        )
        if type(self) is not type(other) or mine.keys() != its.keys():
            return False
        same_parts = all(its[name] is part for name, part in mine.items())
        return same_parts and all(member.is_like(its_members[name]) for name, member in members.items())

    @classmethod
    def named_by_document(cls, name: str) -> Parameter | None:
        """The default of a parameter that the class does not know but a document may name; None: it may not."""
        return None

    @classmethod
    def internal_unit(cls, default: Parameter, unit: str) -> str:
        """The internal unit that a parameter's unit converts to. Raises `UnitError`."""
        try:
            factor(unit, default.unit)
        except UnitError as error:
            expected = f"does not convert to '{default.unit}'" if default.unit else "should be empty: no unit is needed"
            raise UnitError(f"'{unit}' {expected}") from error
        return default.unit

    def leaves_out(self, parameter: Parameter) -> bool:
        """Whether a document need not tell a parameter, since it is what it is when nothing is said of it."""
        return False

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

    def members(self) -> Mapping[str, ParametricModel]:
        """The models that a compound is made of, which own its parameters, in order; others have none."""
        return {}

    def blocks(self) -> Iterator[ParametricModel]:
        """The models that own the parameters, in order: itself, or the members of a compound."""
        for member in self.members().values():
            yield from member.blocks()
        if not self.members():
            yield self

    if not TYPE_CHECKING:  # parameters that a document names; for type checkers an unknown attribute is an error

        def __getattr__(self, name: str) -> Parameter:
            for parameter in vars(self).get("parameters", ()):
                if parameter.name == name:
                    return parameter
            hint = suggest(name, vars(self).get("paths", ()), "parameters")
            raise AttributeError(f"{type(self).__name__} has no attribute or parameter '{name}'; {hint}")

    def __repr__(self) -> str:
        values = ", ".join(f"{p.name}={p.value!r} {p.unit}".rstrip() for p in self.parameters)
        return f"{type(self).__name__}({values})"


CLASSES: dict[tuple[str, str], type[ParametricModel]] = {}
"""The classes that have been made, by section and tag."""
