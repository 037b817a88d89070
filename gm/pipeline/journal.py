"""Rows of a result while it is being made, so that what has been computed survives whatever stops the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class Journal:
    """The rows that a run has finished, line by line, so that whatever stops it the next one goes on from there."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self) -> list[Row]:
        """Those of an earlier run; a line that was being written counts for nothing."""
        try:
            lines = self._file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []
        found = []
        for line in lines:
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            found += [row] if isinstance(row, dict) and "hash" in row else []
        return found

    def add(self, row: Row) -> None:
        """Write one more row to the end."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
