"""``gm init``: the embedded examples."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import gm
from gm.errors import DataError, UsageError, suggest
from gm.io.files import write_atomic

_MAKEFILE = """GM ?= gm

results/fit/fit.yaml: config.yaml
\t$(GM) run config.yaml

-include deps.mk    # written by: gm deps config.yaml > deps.mk
"""


def examples() -> dict[str, str]:
    """The examples and what they show: the first line of each README."""
    return {folder.name: _description(folder) for folder in _folders()}


def write_example(name: str, target: str) -> list[Path]:
    """Copy an example into a folder, which is made when needed; returns the files written.

    Raises `UsageError` for an unknown example, `DataError` when a file is in the way: nothing is overwritten.
    """
    folders = {folder.name: folder for folder in _folders()}
    if name not in folders:
        raise UsageError(f"no example '{name}'\n    {suggest(name, folders, 'examples')}")
    source = folders[name]
    contents = {file.relative_to(source): file.read_bytes() for file in sorted(source.rglob("*")) if file.is_file()}
    contents.setdefault(Path("Makefile"), _MAKEFILE.encode())
    folder = Path(target)
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file, expected a folder to write into")
    existing = [folder / file for file in contents if (folder / file).exists()]
    if existing:
        raise DataError(f"{existing[0]}: exists already; nothing was written\n    choose another folder, or remove it")
    for file, content in contents.items():
        write_atomic(folder / file, content)
    return [folder / file for file in contents]


def _folders() -> list[Path]:
    """Inside an installed package, or beside it in a working copy."""
    inside = Path(str(files("gm"))) / "example_configs"
    root = inside if inside.is_dir() else Path(gm.__file__).resolve().parents[1] / "example_configs"
    if not root.is_dir():
        raise DataError("this installation of gm has no examples")
    return sorted(folder for folder in root.iterdir() if (folder / "config.yaml").is_file())


def _description(folder: Path) -> str:
    readme = folder / "README.md"
    if not readme.is_file():
        return ""
    first = readme.read_text("utf-8").partition("\n")[0]
    return first.lstrip("# ").partition(": ")[2]
