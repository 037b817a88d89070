"""The libraries of the extra ``sample``, imported when somebody draws."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from gm.errors import UsageError


def needed(name: str) -> ModuleType:
    """A module of the extra. Raises `UsageError` where it is not installed."""
    try:
        return import_module(name)
    except ImportError as error:
        package = name.partition(".")[0].replace("_", "-")
        text = f'draws from the posterior need {package}\n    pip install "gamma-global-model[sample]"'
        raise UsageError(text) from error
