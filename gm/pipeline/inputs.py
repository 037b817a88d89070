"""What a stage is made from, as hashes: equal hashes mean that its result is up to date."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gm.errors import DataError
from gm.io.files import sha256
from gm.io.ogip import named_files
from gm.io.threads import in_threads
from gm.pipeline.analysis.documents import Part
from gm.pipeline.analysis.paths import beside, data_file
from gm.pipeline.results import as_mapping
from gm.version import __version__

Inputs = dict[str, Any]
"""``gm``: version; ``config``: hash of the stage's part of the config; ``files``: hash of every file by its path."""

_THREADS, _CHUNK = 4, 16  # that wait for files, and how many each takes at once


def fingerprint(data: Any) -> str:
    """The SHA-256 of plain data, whatever its layout and comments in YAML were."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def with_companions(file: Path) -> list[Path]:
    """A data file and the OGIP response and background files that its header names, as far as they exist."""
    try:
        names = named_files(file)
    except DataError:
        return [file]
    found = [beside(file.parent, Path(name)) for name in names]
    return [file, *(path for path in found if path.is_file())]


def dataset_files(parts: Iterable[Part]) -> list[Path]:
    """The files of all datasets, each once, with the companions of on/off spectra: no other type has any."""
    files = [
        (data_file(part.document.directory, str(entry["filename"])), entry["type"] == "SpectrumDatasetOnOff")
        for part in parts
        for entry in part.document.data["datasets"]
    ]
    groups = in_threads(lambda file: with_companions(file[0]) if file[1] else [file[0]], files, _THREADS, _CHUNK)
    return list(dict.fromkeys(path for group in groups for path in group))


def document_files(parts: Iterable[Part]) -> list[Path]:
    """The YAML files among models or datasets documents, and the files that components read."""
    found = []
    for part in parts:
        found += [part.file] if part.file is not None else []
        paths = [data_file(part.document.directory, name) for name in _filenames(part.document.data.get("components"))]
        found += [path for path in paths if path.is_file()]
    return found


def hash_files(files: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of every file. Raises `DataError`."""
    files = list(dict.fromkeys(files))
    return dict(zip(files, in_threads(sha256, files, _THREADS, _CHUNK), strict=True))


def stage_inputs(config: Any, files: Mapping[str, str]) -> Inputs:
    """The inputs of a stage; ``config`` is its part of the resolved config."""
    return {"gm": __version__, "config": fingerprint(config), "files": dict(files)}


def why_stale(recorded: Any, current: Inputs) -> str:
    """What changed between the inputs that a result records and those of now; empty when nothing did."""
    recorded = as_mapping(recorded)
    if as_mapping(recorded.get("files")) is not recorded.get("files"):
        return "the result does not say what it was made from"
    if recorded.get("gm") != current["gm"]:
        return f"made by gm {recorded.get('gm')}, this is {current['gm']}"
    before, now = recorded["files"], current["files"]
    reasons = ["config changed"] if recorded.get("config") != current["config"] else []
    reasons += [f"{name} {'changed' if name in before else 'is new'}" for name in now if before.get(name) != now[name]]
    reasons += [f"{name} is gone" for name in before if name not in now]
    if len(reasons) > 3:
        return f"{reasons[0]}, {reasons[1]} and {len(reasons) - 2} more changes"
    return ", ".join(reasons)


def labels(files: Iterable[Path], output: Path, directory: Path) -> list[str]:
    """Each file's path relative to the results, else to the config, as far as the config names it so: the same
    anywhere.

    What the config names by an absolute path outside both stays absolute.
    """
    bases = [os.path.join(os.path.abspath(base), "") for base in (output, directory)]
    return [_label(file, bases, directory) for file in files]


def _label(file: Path, bases: Sequence[str], directory: Path) -> str:
    whole = os.path.abspath(file)
    for base in bases:
        if whole.startswith(base):
            return Path(whole[len(base) :]).as_posix()
    with contextlib.suppress(ValueError):
        return Path(os.path.normpath(file.relative_to(directory))).as_posix()
    return file.as_posix()


def _filenames(data: Any) -> Iterable[str]:
    if isinstance(data, dict):
        for key, value in data.items():
            if key == "filename" and isinstance(value, str):
                yield value
            else:
                yield from _filenames(value)
    elif isinstance(data, list):
        for value in data:
            yield from _filenames(value)
