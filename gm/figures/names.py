"""Which figures there are, by the files of this package that draw one."""

from __future__ import annotations

from pathlib import Path


def figure_files() -> list[str]:
    """Names of figures: of files with a ``HELP`` of their own; nothing is imported."""
    files = sorted(Path(__file__).parent.glob("*.py"))
    return [file.stem.replace("_", "-") for file in files if "\nHELP = " in file.read_text("utf-8")]
