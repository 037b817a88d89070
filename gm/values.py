"""Values: objects that stay as they are, and say how another one is made when somebody sets an attribute."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import fields
from typing import NoReturn, TypeVar

from gm.errors import ReadOnlyError, suggest

T = TypeVar("T")


def read_only(made_by: str) -> Callable[[type[T]], type[T]]:
    """Of a frozen dataclass: who sets an attribute reads ``made_by``, and which name was probably meant."""

    def decorate(cls: type[T]) -> type[T]:
        names = [field.name for field in fields(cls)]  # type: ignore[arg-type]  # a dataclass

        def refuse(self: object, name: str, value: object) -> None:
            refuse_to_set(self, name, names, made_by)

        cls.__setattr__ = refuse  # type: ignore[method-assign]  # in place of the dataclass's, without a hint
        return cls

    return decorate


def refuse_to_set(owner: object, name: str, names: Iterable[str], made_by: str) -> NoReturn:
    """Raises `ReadOnlyError`; ``names`` are the attributes that there are."""
    known = list(names)
    hint = "" if name in known else f"; {suggest(name, known, 'attributes')}"
    raise ReadOnlyError(f"'{name}' of {type(owner).__name__} cannot be set: {made_by}{hint}")


def finite(value: float | None) -> float | None:
    """A number that YAML and JSON can hold, or None."""
    return float(value) if value is not None and math.isfinite(value) else None
