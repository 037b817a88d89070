"""``gm init``: the embedded examples."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from gm.errors import DataError, UsageError, suggest
from gm.pipeline.commands.scaffold.writing import write_new


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
    return write_new(contents, target)


def _folders() -> list[Path]:
    """Inside an installed package, or beside it in a working copy."""
    package = Path(str(files("gm"))).resolve()
    inside = package / "example_configs"
    root = inside if inside.is_dir() else package.parent / "example_configs"
    if not root.is_dir():
        raise DataError("this installation of gm has no examples")
    return sorted(folder for folder in root.iterdir() if (folder / "config.yaml").is_file())


def _description(folder: Path) -> str:
    readme = folder / "README.md"
    if not readme.is_file():
        return ""
    first = readme.read_text("utf-8").partition("\n")[0]
    return first.lstrip("# ").partition(": ")[2]
