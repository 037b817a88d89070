"""Which types of models there are, as their sources say: names are wanted before NumPy, which the classes import.

A type is a class in ``gm/models/<section>/`` that gives its names in YAML as ``tags``, on one line, its own name first.
Nothing else lists it. Classes made elsewhere are types too, from when they are made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SECTIONS = ("spectral", "spatial", "temporal")

#: Types that Gammapy's documents may hold and that this version reads but does not evaluate, with their short tags.
NOT_EVALUATED: dict[str, dict[str, str]] = {"spectral": {"ScaleSpectralModel": "scale", "NaimaSpectralModel": "naima"}}

_MODELS = Path(__file__).parent / "models"
_LINES = re.compile(r"^(?:class (?P<name>\w+)\(|    tags = \((?P<tags>.*)\)$)", re.MULTILINE)


@dataclass(frozen=True)
class ModelType:
    """The name of a class, all its tags, and the module that makes it."""

    name: str
    tags: tuple[str, ...]
    module: str


def model_types(section: str) -> list[ModelType]:
    """Every type of a section: by file and in the order of each, then those made elsewhere."""
    return [*_in_sources(section), *_ELSEWHERE.get(section, {}).values()]


def declare(section: str, made: ModelType) -> None:
    """Enter a type whose class has been made. Raises `TypeError` when another one has one of its tags."""
    if made in _in_sources(section):
        return
    for other in model_types(section):
        if (other.name, other.module) != (made.name, made.module) and (shared := {*other.tags} & {*made.tags}):
            raise TypeError(f"{made.name}: the tag '{shared.pop()}' is that of {other.name} in {other.module}")
    _ELSEWHERE.setdefault(section, {})[made.name] = made


_ELSEWHERE: dict[str, dict[str, ModelType]] = {}


@cache
def _in_sources(section: str) -> tuple[ModelType, ...]:
    return tuple(found for file in sorted((_MODELS / section).glob("*.py")) for found in _in_source(file, section))


def _in_source(file: Path, section: str) -> Iterator[ModelType]:
    name = ""
    for found in _LINES.finditer(file.read_text(encoding="utf-8")):
        if found["name"]:
            name = found["name"]
        else:
            yield ModelType(name, tuple(found["tags"].strip('",').split('", "')), f"gm.models.{section}.{file.stem}")
