"""``provenance.yaml``: which programs made the results, from what, when and how long it took.

The only result file with times in it. It names no host and no user.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gm import __version__
from gm.config_schemas.reader import read_document
from gm.errors import GmError
from gm.io.files import write_atomic
from gm.io.yaml_writer import dump_yaml

SCHEMA = "gm/provenance/1"
_PACKAGES = ("numpy", "scipy", "astropy", "iminuit", "PyYAML", "click")


def read_stages(output: Path) -> dict[str, Any]:
    """What is recorded of each stage so far; nothing when there is no readable record."""
    file = output / "provenance.yaml"
    if not file.is_file():
        return {}
    try:
        data = read_document(file).data
    except GmError:
        return {}
    stages = data.get("stages") if isinstance(data, dict) and data.get("schema") == SCHEMA else None
    return stages if isinstance(stages, dict) else {}


def stage_record(
    inputs: Mapping[str, Any], outputs: Sequence[str], seconds: Mapping[str, float], command: Sequence[str]
) -> dict[str, Any]:
    """The record of one stage that has just been run; ``outputs`` relative to the folder of the results."""
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "seconds": {name: round(value, 4) for name, value in seconds.items()},
        "command": list(command),
        "versions": {"gm": __version__, "python": platform.python_version(), **_versions()},
        "inputs": dict(inputs),
        "outputs": list(outputs),
    }


def write_provenance(output: Path, config: Mapping[str, Any], stages: Mapping[str, Any]) -> None:
    """Write the record: the resolved config, and all stages, those of earlier commands included."""
    document = {"schema": SCHEMA, "config": dict(config), "stages": dict(stages)}
    write_atomic(output / "provenance.yaml", dump_yaml(document, allow_nan=True))


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
