"""What no schema can see in models and datasets documents: names in one file that must match names in another.

All of them are given without what departs from their schemas.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gm.config_schemas.source import nearest_file
from gm.errors import JsonPath, suggest
from gm.pipeline.analysis.documents import Part
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.paths import data_file
from gm.pipeline.analysis.sections import texts

if TYPE_CHECKING:
    from gm.models import Models

_GUESSED = 8  # missing files that a name like theirs is looked for
_BACKGROUND_TYPES = ("FoVBackgroundModel", "fov-bkg", "BackgroundIRFModel")
_INSTRUMENT_TYPES = ("InstrumentModel",)


def named_datasets(parts: Iterable[Part], findings: Findings) -> list[str]:
    """The names in all datasets documents; a name that occurs twice is a problem."""
    names: dict[str, str] = {}
    for part in parts:
        for path, entry in _rows(part, "datasets"):
            name = entry["name"]
            if name in names:
                message = f"a dataset '{name}' is already in {names[name]}"
                findings.add(part.document, (*path, "name"), message, "names are unique")
            names.setdefault(name, part.document.source)
    return list(names)


def check_files(parts: Iterable[Part], findings: Findings) -> None:
    """Every data file that a datasets document names exists."""
    missing = 0
    for part in parts:
        for path, entry in _rows(part, "datasets"):
            file = data_file(part.document.directory, entry["filename"])
            if not os.path.exists(file):
                missing += 1
                near = nearest_file(file) if missing <= _GUESSED else ""
                findings.add_missing(part.document, (*path, "filename"), f"no such file: {file}{near}")
            elif not file.is_file():
                message = f"{file} is a directory, expected a data file"
                findings.add_missing(part.document, (*path, "filename"), message)


def check_datasets_names(parts: Iterable[Part], names: Sequence[str], findings: Findings) -> None:
    """Every ``datasets_names`` entry of a component names a dataset."""
    known = set(names)
    for part in parts:
        for path, component in _rows(part, "components"):
            for place, name in texts(component.get("datasets_names"), (*path, "datasets_names")):
                if name not in known:
                    hint = suggest(name, names, "datasets")
                    findings.add(part.document, place, f"no dataset is called '{name}'", hint)


def check_instruments(
    parts: Iterable[Part], datasets: Iterable[Part], models: Models, names: Sequence[str], findings: Findings
) -> None:
    """No nuisance parameter of an instrument is for a dataset of a type that it cannot act on.

    Where the types are known before anything runs: those of the entries of datasets documents.
    """
    from gm.datasets.kinds import class_of

    if not models.instruments():
        return
    types = {entry["name"]: entry.get("type") for part in datasets for _, entry in _rows(part, "datasets")}
    acting = {component.name: component.response.told() for component in models.instruments()}
    for part in parts:
        for path, component in _rows(part, "components"):
            if component["type"] not in _INSTRUMENT_TYPES:
                continue
            named = [name for _, name in texts(component.get("datasets_names"), path)] or list(names)
            first = {types.get(name): name for name in reversed(named)}
            refused = [(name, kind.refused_nuisances) for word, name in first.items() if (kind := class_of(word))]
            for index, row in enumerate(component["parameters"]):
                for which, reasons in refused if row["name"] in acting[component["name"]] else ():
                    if row["name"] in reasons:
                        message, hint = reasons[row["name"]]
                        place = (*path, "parameters", index, "name")
                        findings.add(
                            part.document, place, f"{row['name']} cannot act on dataset '{which}': {message}", hint
                        )


def named_components(parts: Iterable[Part]) -> tuple[list[str], list[str]]:
    """The names of the sky components, and those of all others, as far as the documents say them."""
    sky, others = list[str](), list[str]()
    for part in parts:
        for path, component in _rows(part, "components"):
            if component["type"] in _BACKGROUND_TYPES:
                others += [f"{owner}-bkg" for _, owner in texts(component.get("datasets_names"), path)]
            elif "name" in component:
                (others if component["type"] in _INSTRUMENT_TYPES else sky).append(component["name"])
    return sky, others


def written_names(parts: Iterable[Part]) -> Iterator[str]:
    """The names of all components as they are written, of those too that something is wrong with."""
    for part in parts:
        listed = part.document.data.get("components") if isinstance(part.document.data, dict) else None
        for component in listed if isinstance(listed, list) else ():
            if isinstance(component, dict) and isinstance(component.get("name"), str):
                yield component["name"]


def sky_and_other(models: Models) -> tuple[list[str], list[str]]:
    """The names of the sky components, and those of all others, of models that are there."""
    others = [component.name for component in models if component.tags[0] in (*_BACKGROUND_TYPES, *_INSTRUMENT_TYPES)]
    known = set(others)
    return [component.name for component in models if component.name not in known], others


def _rows(part: Part, key: str) -> Iterator[tuple[JsonPath, Mapping[str, Any]]]:
    """The mappings in a list of a document, with their places."""
    for index, row in enumerate(part.document.data.get(key) or ()):
        if row is not None:
            yield (key, index), row
