"""What kind of YAML file a document is, by its keys: those of gm, and those of other programs that people try."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from gm.config_schemas.reader import Document
from gm.errors import InvalidInput

_INIT = "gm init DIR --from {file} drafts a config that does the same"
_FOREIGN: tuple[tuple[Set[str], str], ...] = (
    (frozenset({"dataset1d", "dataset3d"}), "a config of asgardpy"),
    (frozenset({"gtlike", "binning"}), "a config of fermipy"),
    (frozenset({"general", "excess_map", "light_curve"}), "an AnalysisConfig of Gammapy"),
)


def document_kind(data: Any) -> str | None:
    """``config``, ``models`` or ``datasets``; None where none of their keys is there."""
    if not isinstance(data, dict):
        return None
    if "components" in data:
        return "models"
    if "version" in data or "models" in data:
        return "config"
    return "datasets" if "datasets" in data else None


def foreign_kind(data: Any) -> str:
    """Whose config it is where it is one of another program; empty where it is not."""
    keys = set(data) if isinstance(data, dict) else set()
    if "version" in keys:
        return ""
    found = next((kind for marks, kind in _FOREIGN if marks & keys), "")
    if found or not keys & {"general", "observations", "datasets"}:
        return found
    reduced, observed = data.get("datasets", {}), data.get("observations", [])
    has_own = isinstance(observed, dict) or (isinstance(reduced, dict) and "general" in keys)
    is_typed = isinstance(reduced, dict) and isinstance(reduced.get("type"), str)
    return "an AnalysisConfig of Gammapy" if has_own or is_typed else ""


def check_is_config(document: Document) -> None:
    """Raises `InvalidInput` with one problem where a document is plainly of another kind."""
    data = document.data
    if foreign := foreign_kind(data):
        hint = _INIT.format(file=document.source)
        raise InvalidInput([document.problem((), f"is {foreign}, expected a config of gm", hint)])
    kind = document_kind(data)
    if isinstance(data, dict) and isinstance(data.get("schema"), str) and data["schema"].startswith("gm/"):
        message, hint = f"is a result ({data['schema']}), expected a config", f"gm show {document.source}"
    elif kind in ("models", "datasets") and not {"version", "models", "fit"} & set(data):
        message = f"is a file of {kind}, expected a config"
        hint = f"a config names it: '{kind}: {document.source}'; gm init DIR --from FILE... drafts one"
    else:
        return
    raise InvalidInput([document.problem((), message, hint)])
