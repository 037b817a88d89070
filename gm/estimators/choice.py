"""Settings that are one of a few words."""

from __future__ import annotations

from enum import Enum
from typing import ClassVar, NoReturn

from gm.errors import UsageError, suggest


class Choice(Enum):
    """A word of a setting. Another one raises `UsageError`, which lists those of ``what`` it is to be."""

    _what: ClassVar[str]

    def __init_subclass__(cls, what: str) -> None:
        super().__init_subclass__()
        cls._what = what

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        known = [choice.value for choice in cls]
        raise UsageError(f"'{value}' is no {cls._what}; {suggest(value, known, 'known')}")
