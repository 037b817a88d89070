"""What a simulation tells of itself."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

ASIMOV = "asimov"
"""The flag of ``gm simulate`` that asks for expected counts."""


def simulation_document(names: Iterable[str], files: Iterable[Path]) -> dict[str, Any]:
    """What a simulation has made, as plain data: the datasets' names, and all files."""
    return {"datasets": list(names), "files": [file.as_posix() for file in files]}
