"""``--set PATH=VALUE``: one value of the config changed on the command line.

A path is keys joined by dots, with indices in brackets: ``fit.minos``, ``flux_points[0].reoptimize``. Keys that hold
dots themselves, such as ``parameters.crab.index.value``, are matched as a whole. The path must exist in the config as
resolved with its defaults, or be one that the schema knows; under ``parameters`` any address may be named, and is
checked against the model later. A section is taken out by null: ``fit=null``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

from gm.config_schemas.navigation import known_keys
from gm.config_schemas.reader import Document, Place, read_document
from gm.errors import InvalidInput, JsonPath, UsageError, format_path, suggest

_SOURCE = "--set"
EDITS = ("value", "min", "max", "frozen", "error", "prior", "unit")
_INDEX = re.compile(r"\[(\d+)\]|\.(\d+)(?=[.\[]|$)")


def apply_overrides(
    document: Document, texts: Sequence[str], resolve: Callable[[Mapping[str, Any]], dict[str, Any]]
) -> Document:
    """The document with every override in it; the values have their places in the arguments, one argument a line.

    ``resolve`` fills what of a config's data can be used with its defaults. Raises `UsageError` with every override
    that cannot be.
    """
    if not isinstance(document.data, dict):
        return document
    wrong: list[str] = []
    for number, text in enumerate(texts, 1):
        where, equals, value = text.partition("=")
        try:
            if not equals or not where.strip():
                raise UsageError(f"--set {text}: expected PATH=VALUE, such as fit.minos=[crab.index]")
            path = find_path(where.strip(), resolve(document.data))
            document = _with_value(document, path, _read_value(text, value, number))
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise UsageError("\n".join(wrong))
    return document


def find_path(text: str, data: Any) -> JsonPath:
    """The keys and indices that ``text`` names in ``data``. Raises `UsageError` with the nearest names."""
    path: list[str | int] = []
    rest, here = text, data
    while rest:
        if path == ["parameters"]:
            return (*path, *_parameter_path(rest.removeprefix("."), here))
        keys = known_keys("config", path)
        here = {} if here is None and keys else here
        if isinstance(here, list):
            match = _INDEX.match(rest)
            if match is None or int(match[1] or match[2]) >= len(here):
                raise UsageError(
                    f"--set {text}: {format_path(tuple(path))} has {len(here)} entries, written [0], [1], ..."
                )
            index = int(match[1] or match[2])
            path.append(index)
            rest, here = rest[match.end() :], here[index]
        elif isinstance(here, dict):
            rest = rest.removeprefix(".")
            key = _longest_key(rest, [*here, *keys], text, path)
            path.append(key)
            rest, here = rest[len(key) :], here.get(key)
        else:
            raise UsageError(f"--set {text}: {format_path(tuple(path))} holds a single value")
    return tuple(path)


def _longest_key(rest: str, known: Sequence[str], text: str, path: list[str | int]) -> str:
    keys = [key for key in known if rest == key or rest.startswith((f"{key}.", f"{key}["))]
    if not keys:
        word = re.split(r"[.\[]", rest, maxsplit=1)[0]
        hint = suggest(word, known, "keys") or "it is empty"
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


def _read_value(text: str, value: str, number: int) -> Document:
    """The value of an override, read where it stands in the argument of that ``number``."""
    before = "\n" * (number - 1)
    if not value.strip():
        return Document(None, _SOURCE, Path("."), Place(number, 1))
    if "\n" not in value:
        before += " " * (len(text) - len(value))
    try:
        return read_document(_SOURCE, before + value, _SOURCE, Path("."))
    except InvalidInput as error:
        problem = error.problems[0]
        raise UsageError(
            f"--set {text}: {problem.message}" + (f"\n    {problem.hint}" if problem.hint else "")
        ) from error


def _with_value(document: Document, path: JsonPath, value: Document) -> Document:
    """A copy of the document with ``value`` at ``path``; mappings on the way that are not there yet are made.

    A section of the config that becomes null is taken out.
    """
    data, root = deepcopy(document.data), deepcopy(document.root)
    if len(path) == 1 and value.data is None:
        data.pop(path[0], None)
        return replace(document, data=data)
    here, place = data, root
    for step in path[:-1]:
        if isinstance(here, dict) and here.get(str(step)) is None:
            here[str(step)] = {}
            place.inside[step] = Place(value.root.line, 1, source=_SOURCE)
        here, place = here[step], place.inside[step]
    here[path[-1]] = value.data
    place.inside[path[-1]] = replace(value.root, source=_SOURCE)
    return replace(document, data=data, root=root)
