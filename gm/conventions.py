"""How counts are predicted: as Gammapy does, or as the responses say."""

from __future__ import annotations

from enum import Enum
from typing import NoReturn

from gm.errors import UsageError, suggest


class Conventions(Enum):
    """``Conventions("exact")``, by the word of the config. Raises `UsageError` for any other word."""

    GAMMAPY = "gammapy"
    EXACT = "exact"

    @property
    def is_exact(self) -> bool:
        """Whether predicted counts are what the responses say, instead of what Gammapy computes."""
        return self is Conventions.EXACT

    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        hint = suggest(value, [member.value for member in cls])
        raise UsageError(f"{value!r} is not a convention; {hint}") from None
