"""What can be wrong with models that are put together in Python; in a document the same is reported with its place."""

from __future__ import annotations

from gm.errors import GmError


class ModelError(GmError, ValueError):
    """A model, component or parameter cannot be as described."""

    exit_code = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}; {hint}" if hint else message)
        self.message, self.hint = message, hint


class AddressError(ModelError, LookupError):
    """No parameter has this address, or several have."""


class LinkError(ModelError):
    """Links are circular, bind a parameter twice, or join units that do not convert; ``position`` tells which link."""

    def __init__(self, message: str, hint: str = "", position: int = 0) -> None:
        super().__init__(message, hint)
        self.position = position
