"""Results as lines of text: by the file of this folder for their kind where there is one, else by what all have."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import fitted

_COLORS = {"ok": "green", "converged": "green", "done": "green", "failed": "red"}


def result_lines(kind: str, document: Mapping[str, Any], color: bool = False) -> list[str]:
    """A result as a person reads it."""
    module = _module(kind)
    lines: list[str] = module.lines(document, color) if module is not None else _usual_lines(document, color)
    return fitted(lines)


def verdict_lines(kind: str, document: Mapping[str, Any], color: bool = False) -> list[str]:
    """How a result ended that was there before, for those kinds that have something to say about it."""
    told = getattr(_module(kind), "verdict_lines", None)
    lines: list[str] = told(document, color) if told is not None else []
    return lines


def has_lines(kind: str) -> bool:
    """Whether there is a module for the kind."""
    return _module(kind) is not None


def _module(kind: str) -> Any:
    name = f"gm.cli.rendering.{kind.replace('-', '_')}"
    return import_module(name) if kind and find_spec(name) is not None else None


def _usual_lines(document: Mapping[str, Any], color: bool) -> list[str]:
    """Name, status, message and warnings."""
    status = str(document.get("status", ""))
    head = f"{document.get('name', '')}: {paint(status.replace('_', ' '), _COLORS.get(status, 'yellow'), color)}"
    told = [
        *str(document.get("message") or "").splitlines(),
        *(f"warning: {w}" for w in document.get("warnings") or ()),
    ]
    return [head, *[f"  {line}" for line in told]]
