"""Which files datasets are written to: names that can be file names anywhere, and no two datasets in one file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

_FORBIDDEN = frozenset('/\\ :*?"<>|$~' + "".join(map(chr, (*range(32), 127))))


def file_stem(name: str) -> str:
    """A dataset's name as the stem of a file: what cannot be in one, or would be expanded, becomes ``_``."""
    return "".join("_" if character in _FORBIDDEN else character for character in name).lstrip(".") or "_"


def dataset_file(folder: Path, name: str) -> Path:
    """The file of a dataset among the results in a folder."""
    return folder / "datasets" / f"{file_stem(name)}.fits"


def sharing(files: Mapping[str, Path]) -> dict[str, str]:
    """The names, of all that have files, whose file is that of an earlier one; with the earlier one."""
    first: dict[Path, str] = {}
    return {name: first[file] for name, file in files.items() if first.setdefault(file, name) != name}
