"""Paths in YAML documents: relative to their document, with ``$VAR`` and ``~``."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gm.config_schemas.file_patterns import unset_variables
from gm.errors import UsageError


def expand(path: str) -> str:
    """``$VAR`` and ``~`` in a path replaced by what they stand for."""
    return os.path.expanduser(os.path.expandvars(path))


def with_file(data: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping with ``$VAR`` and ``~`` replaced in the name of its file, if it has one."""
    return {**data, "filename": expand(data["filename"])} if "filename" in data else dict(data)


def folder_name(text: str) -> str:
    """The name of a folder for results. Raises `UsageError` where it, or a variable in it, is empty."""
    if unset := unset_variables(text):
        raise UsageError(f"the folder of the results is '{text}', and ${unset[0]} is not set")
    if not text.strip():
        raise UsageError("the folder of the results has an empty name, expected '.' for this one")
    return text


def data_file(directory: Path, name: str) -> Path:
    """Where a file name in a document points: beside the document, else as it is."""
    return beside(directory, Path(expand(name)))


def beside(directory: Path, path: Path) -> Path:
    """A path in a folder, unless it is only there from the current one."""
    inside = directory / path
    return inside if os.path.exists(inside) or not os.path.exists(path) else path  # of names that are too long, False
