"""Results as documents in files, whatever their kind."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gm.config_schemas.reader import read_document
from gm.errors import GmError
from gm.io.file_names import distinct, file_stem
from gm.io.files import write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.values import finite as finite


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write a result as YAML, whole or not at all."""
    write_atomic(path, dump_yaml(dict(document)))


def files_of_datasets(folder: Path, names: Sequence[str]) -> dict[str, Path]:
    """The files of datasets among the results in a folder, by the datasets' names."""
    stems = distinct(map(file_stem, names))
    return {name: folder / "datasets" / f"{stem}.fits" for name, stem in zip(names, stems, strict=True)}


def read_result(path: Path, schema: str) -> dict[str, Any] | None:
    """A result of an earlier run, or None when there is none that can be read."""
    if not os.path.isfile(path):
        return None
    try:
        data = read_document(path).data
    except GmError:
        return None
    return data if as_mapping(data).get("schema") == schema else None


def as_mapping(data: Any) -> dict[str, Any]:
    """Plain data from a file that nothing has checked: a mapping as it is, an empty one for anything else."""
    return data if isinstance(data, dict) else {}
