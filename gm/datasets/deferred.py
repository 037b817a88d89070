"""Fields of a dataset that are read from its file when they are first asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, final


class Loader(Protocol):
    """What a dataset's file gives, by the names of the dataset's fields; read once, and kept until released."""

    path: Path

    def load(self, name: str) -> Any: ...

    def release(self) -> None: ...


@final
class Deferred:
    """The value of a field that is still in a file."""

    def __init__(self, loader: Loader, name: str) -> None:
        self.loader, self._name = loader, name

    def get(self) -> Any:
        """The value; reads the file unless it has been read."""
        return self.loader.load(self._name)


def deferred(instance: object) -> dict[str, Deferred]:
    """The fields of an instance that were given as what is in a file, by name."""
    return {name: value for name, value in vars(instance).items() if isinstance(value, Deferred)}


def sources(instance: object) -> set[Path]:
    """The files that values of an instance are still in."""
    return {value.loader.path for value in deferred(instance).values()}


_REQUIRED: Any = object()


@final
class Deferrable:
    """A dataclass field that takes a value or a `Deferred` one, and always gives the value.

    Asking for such an attribute may read a file, the one exception to the rule that attributes do no work: whoever uses
    a dataset need not know where its arrays are. What was given lies in the instance's ``__dict__``.
    """

    def __init__(self, default: Any = _REQUIRED) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: object | None, owner: type | None = None) -> Any:
        value = self._default if instance is None else instance.__dict__[self._name]
        if value is _REQUIRED:
            raise AttributeError(self._name)  # how a dataclass learns that a field has no default
        if isinstance(value, Deferred):
            value = value.get()
        return value

    def __set__(self, instance: object, value: Any) -> None:
        instance.__dict__[self._name] = value


def deferrable(default: Any = _REQUIRED) -> Any:
    """A `Deferrable` field, which its declaration gives the type of its value."""
    return Deferrable(default)
