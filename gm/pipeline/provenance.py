"""``provenance.yaml``: which programs made the results, from what, when and how long it took.

The only result file with times in it. It names no host and no user.
"""

from __future__ import annotations

import contextlib
import platform
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from textwrap import indent
from typing import Any

from gm.io.files import remove_temporaries, write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.pipeline.results import as_mapping, read_result
from gm.version import __version__

SCHEMA = "gm/provenance/1"
_PACKAGES = ("numpy", "scipy", "astropy", "iminuit", "PyYAML", "click")


class Record:
    """What is recorded of the stages whose results are in one folder.

    A stage that begins to write is recorded as unfinished, with all its files, until these are whole: whatever stops it
    in between, the next run sees that and makes them anew. So results of different settings never mix.
    """

    def __init__(self, output: Path) -> None:
        self.output, self.file = output, output / "provenance.yaml"
        stages = _read_stages(self.file)
        self.is_readable = stages is not None
        self._stages = stages or {}
        self._texts: dict[str, str] = {}  # of stages as they are in the file

    def finished(self, key: str) -> dict[str, Any] | None:
        """The record of a stage whose result is whole: its ``inputs``, and the hashes of its ``outputs``."""
        record = self._stages.get(key, {})
        is_finished = as_mapping(record.get("inputs")) and as_mapping(record.get("outputs"))
        return record if is_finished else None

    def stages(self) -> list[str]:
        """The stages on record, in the order in which they were first begun."""
        return list(self._stages)

    def is_unfinished(self, key: str) -> bool:
        """Whether a stage was stopped while it wrote."""
        return self._stages.get(key, {}).get("unfinished") is True

    def files(self, key: str | None = None) -> set[str]:
        """All files that stages, or one of them, have written, relative to the folder."""
        records = self._stages.values() if key is None else [self._stages.get(key, {})]
        names = {name for record in records for name in _outputs(record)}
        return {name for name in names if not PurePosixPath(name).is_absolute() and ".." not in name.split("/")}

    def begin(self, key: str, outputs: Sequence[str], config: Mapping[str, Any]) -> None:
        """Record that a stage is about to write ``outputs``; remove what it wrote before and will not write again."""
        before = self.files(key)
        self._set(key, {"unfinished": True, "outputs": sorted(before.union(outputs))}, config)
        others = {name for other in self._stages if other != key for name in self.files(other)}
        for name in before - set(outputs) - others:
            with contextlib.suppress(OSError):
                (self.output / name).unlink()
        self._stages[key]["outputs"] = list(outputs)

    def remove_temporaries(self) -> None:
        """Remove what killed processes have left of writing any file on record; nobody may be writing one now."""
        folders = defaultdict[str, list[str]](list)
        for name in (self.file.name, *self.files()):
            folder, _, base = name.rpartition("/")
            folders[folder].append(base)
        for folder, names in folders.items():
            remove_temporaries(self.output / folder, names)

    def finish(
        self,
        key: str,
        inputs: Mapping[str, Any],
        outputs: Mapping[str, str],
        seconds: Mapping[str, float],
        command: Sequence[str],
        request: Mapping[str, Any],
        config: Mapping[str, Any],
    ) -> None:
        """Record a stage whose files are whole: what it was made from, their hashes, how long it took.

        request : the config file, relative to the folder, and what the command line has changed: enough to do it again
        """
        record = {
            "finished": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "seconds": {name: round(value, 4) for name, value in seconds.items()},
            "command": list(command),
            "request": dict(request),
            "versions": versions(),
            "inputs": dict(inputs),
            "outputs": dict(outputs),
        }
        self._set(key, record, config)

    def _set(self, key: str, record: dict[str, Any], config: Mapping[str, Any]) -> None:
        self._stages[key] = record
        self._texts.pop(key, None)
        text = dump_yaml({"schema": SCHEMA, "config": dict(config)}, allow_nan=True)
        write_atomic(self.file, "".join([text, "stages:\n", *map(self._text, self._stages)]))
        self.is_readable = True

    def _text(self, key: str) -> str:
        """A stage's entry in the file; made once, since the hashes of a thousand files take longer than a fit."""
        if key not in self._texts:
            name = dump_yaml({key: None}).removesuffix(" null\n")
            self._texts[key] = indent(f"{name}\n{indent(dump_yaml(self._stages[key], allow_nan=True), '  ')}", "  ")
        return self._texts[key]


def _outputs(record: Mapping[str, Any]) -> list[str]:
    """The files in a stage's record; older ones, which have no hashes, leave covariances out."""
    outputs = record.get("outputs")
    hashes = as_mapping(outputs)
    if hashes:
        return list(hashes)
    names = [str(name) for name in outputs] if isinstance(outputs, list) else []
    if record.get("unfinished") is True:
        return names
    models = [name.removesuffix(".yaml") for name in names if name.endswith("models.yaml")]
    return [*names, *(f"{name}_covariance.dat" for name in models)]


def _read_stages(file: Path) -> dict[str, dict[str, Any]] | None:
    """What is recorded of each stage so far; None when there is no readable record."""
    data = read_result(file, SCHEMA)
    if data is None or as_mapping(data.get("stages")) is not data.get("stages"):
        return None
    return {key: as_mapping(record) for key, record in data["stages"].items()}


def versions() -> dict[str, str]:
    """Those of gm, Python and the packages that compute."""
    found = {"gm": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
