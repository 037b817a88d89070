"""What no schema can see: names and patterns in one file that must match names in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gm.errors import JsonPath, suggest
from gm.pipeline.analysis.documents import Part
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.paths import data_file

if TYPE_CHECKING:
    from gm.models import Models

_BACKGROUND_TYPES = ("FoVBackgroundModel", "fov-bkg", "BackgroundIRFModel")


def named_datasets(parts: Iterable[Part], findings: Findings) -> list[str]:
    """The names in all datasets documents; a name that occurs twice is a problem."""
    names: dict[str, str] = {}
    for part in parts:
        for index, entry in enumerate(_rows(part.document.data, "datasets")):
            name = entry.get("name")
            if not isinstance(name, str):
                continue
            if name in names:
                path = ("datasets", index, "name")
                findings.add(part.document, path, f"a dataset '{name}' is already in {names[name]}", "names are unique")
            names.setdefault(name, part.document.source)
    return list(names)


def check_files(parts: Iterable[Part], findings: Findings) -> None:
    """Every data file that a datasets document names exists."""
    for part in parts:
        for index, entry in enumerate(_rows(part.document.data, "datasets")):
            name = entry.get("filename")
            if not isinstance(name, str):
                continue
            file = data_file(part.document.directory, name)
            if not file.exists():
                findings.add_missing(part.document, ("datasets", index, "filename"), f"no such file: {file}")
            elif not file.is_file():
                message = f"{file} is a directory, expected a data file"
                findings.add_missing(part.document, ("datasets", index, "filename"), message)


def check_datasets_names(parts: Iterable[Part], names: Sequence[str], findings: Findings) -> None:
    """Every ``datasets_names`` entry of a component names a dataset."""
    for part in parts:
        for index, component in enumerate(_rows(part.document.data, "components")):
            given = component.get("datasets_names")
            path: JsonPath = ("components", index, "datasets_names")
            entries = [(path, given)] if isinstance(given, str) else []
            if isinstance(given, list):
                entries = [((*path, number), name) for number, name in enumerate(given)]
            for place, name in entries:
                if isinstance(name, str) and name not in names:
                    hint = suggest(name, names, "datasets")
                    findings.add(part.document, place, f"no dataset is called '{name}'", hint)


def named_components(parts: Iterable[Part]) -> tuple[list[str], list[str]]:
    """The names of the sky components, and those of all others, as far as the documents say them."""
    sky, others = [], []
    for part in parts:
        for component in _rows(part.document.data, "components"):
            name, datasets = component.get("name"), component.get("datasets_names")
            if component.get("type") in _BACKGROUND_TYPES:
                owners = [datasets] if isinstance(datasets, str) else datasets
                others += [f"{owner}-bkg" for owner in owners or [] if isinstance(owner, str)]
            elif isinstance(name, str):
                sky.append(name)
    return sky, others


def sky_and_other(models: Models) -> tuple[list[str], list[str]]:
    """The names of the sky components, and those of all others, of models that are there."""
    others = [component.name for component in models if component.tags[0] in _BACKGROUND_TYPES]
    return [component.name for component in models if component.name not in others], others


def _rows(data: Any, key: str) -> list[Mapping[str, Any]]:
    """The mappings in a list that may not be one: problems of shape are the schema's."""
    rows = data.get(key) if isinstance(data, dict) else None
    return [row if isinstance(row, dict) else {} for row in rows] if isinstance(rows, list) else []
