"""``--set PATH=VALUE``: one value of the config changed on the command line.

A path is keys joined by dots, with indices in brackets: ``fit.minos``, ``flux_points[0].reoptimize``. Keys that hold
dots themselves, such as ``parameters.crab.index.value``, are matched as a whole. The path must exist in the config as
resolved with its defaults; under ``parameters`` any address may be named, and is checked against the model later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from gm.config_schemas.reader import Document, Place, read_document
from gm.errors import InvalidInput, JsonPath, Problem, UsageError, format_path, suggest

EDITS = ("value", "min", "max", "frozen", "error", "prior", "unit")
_INDEX = re.compile(r"\[(\d+)\]|\.(\d+)(?=[.\[]|$)")


def apply_overrides(
    document: Document, texts: Iterable[str], resolve: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> tuple[Document, tuple[JsonPath, ...]]:
    """The document with every override in it, and the paths that were set. Raises `UsageError`.

    ``resolve`` fills a config's data with its defaults: it says which paths exist.
    """
    paths: list[JsonPath] = []
    if not isinstance(document.data, dict):
        return document, ()
    for text in texts:
        where, equals, value = text.partition("=")
        if not equals or not where.strip():
            raise UsageError(f"--set {text}: expected PATH=VALUE, such as fit.minos=[crab.index]")
        path = find_path(where.strip(), resolve(document.data))
        document = _with_value(document, path, _read_value(text, where, value))
        paths.append(path)
    return document, tuple(paths)


def relabel(problems: Iterable[Problem], source: str, paths: Iterable[JsonPath]) -> list[Problem]:
    """Problems inside values that came from the command line name ``--set`` as their file."""
    set_paths = [format_path(path) for path in paths]

    def from_command_line(problem: Problem) -> bool:
        return problem.file == source and any(
            problem.path == path or problem.path.startswith((f"{path}.", f"{path}[")) for path in set_paths
        )

    return [replace(p, file="--set", line=1) if from_command_line(p) else p for p in problems]


def find_path(text: str, data: Any) -> JsonPath:
    """The keys and indices that ``text`` names in ``data``. Raises `UsageError` with the nearest names."""
    path: list[str | int] = []
    rest, here = text, data
    while rest:
        if path == ["parameters"]:
            return (*path, *_parameter_path(rest.removeprefix("."), here))
        if isinstance(here, list):
            match = _INDEX.match(rest)
            if match is None or int(match[1] or match[2]) >= len(here):
                raise UsageError(
                    f"--set {text}: {format_path(tuple(path))} has {len(here)} entries, written [0], [1], ..."
                )
            key: str | int = int(match[1] or match[2])
            rest = rest[match.end() :]
        elif isinstance(here, dict):
            rest = rest.removeprefix(".")
            key = _longest_key(rest, here, text, path)
            rest = rest[len(key) :]
        else:
            raise UsageError(f"--set {text}: {format_path(tuple(path))} holds a single value")
        path.append(key)
        here = here[key]
    return tuple(path)


def _longest_key(rest: str, here: Mapping[str, Any], text: str, path: list[str | int]) -> str:
    keys = [key for key in here if rest == key or rest.startswith((f"{key}.", f"{key}["))]
    if not keys:
        word = re.split(r"[.\[]", rest, maxsplit=1)[0]
        hint = suggest(word, here, "keys") or "it is empty"
        raise UsageError(
            f"--set {text}: no key '{word}' in {format_path(tuple(path))}" + (f"\n    {hint}" if hint else "")
        )
    return max(keys, key=len)


def _parameter_path(rest: str, edits: Mapping[str, Any]) -> JsonPath:
    """``crab.index.value`` as address and key; ``crab.index`` alone takes a mapping as its value."""
    if rest in edits:
        return (rest,)
    address, _, key = rest.rpartition(".")
    if key in EDITS and "." in address:
        return (address, key)
    return (rest,)


def _read_value(text: str, where: str, value: str) -> Document:
    if not value.strip():
        return Document(None, "--set", Path("."))
    try:
        return read_document("--set", value, "--set", Path("."))
    except InvalidInput as error:
        problem = error.problems[0]
        raise UsageError(
            f"--set {text}: {problem.message}" + (f"\n    {problem.hint}" if problem.hint else "")
        ) from error


def _with_value(document: Document, path: JsonPath, value: Document) -> Document:
    """A copy of the document with ``value`` at ``path``; mappings on the way that only defaults have are made."""
    data, root = deepcopy(document.data), deepcopy(document.root)
    here, place = data, root
    for step in path[:-1]:
        if isinstance(here, dict) and here.get(str(step)) is None:
            here[str(step)] = {}
        here = here[step]
        place.keys.setdefault(step, (1, 1))
        place = place.inside.setdefault(step, Place(1, 1))
    here[path[-1]] = value.data
    place.keys[path[-1]] = (value.root.line, value.root.column)
    place.inside[path[-1]] = value.root
    return replace(document, data=data, root=root)
