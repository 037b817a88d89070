"""Every way in which a document departs from its JSON Schema, at once, in words.

The schemas are draft-07 and any validator reads them. This one knows the keywords that they use and these annotations:

``x-expected``    what the value is, in words: "a number with a unit, such as '30 GeV'"
``x-planned``     keys or values of the format that this version does not run, with what they are
``x-not-finite``  infinities and NaN are allowed
``x-schema``      the value is a whole document of another kind, given inline

It exists beside ``jsonschema`` because that takes 90 ms to import, and because its errors would have to be taken apart
again: here the branch of an ``anyOf`` that a person meant is known when the message is made. The tests hold the two to
the same verdict on the same documents.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from gm.config_schemas.reader import Document
from gm.config_schemas.scalars import describe, is_number, kind_of
from gm.config_schemas.schema_files import Schema, load_schema
from gm.errors import JsonPath, Problem, suggest

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "a string",
    "number": "a number",
    "integer": "an integer",
    "boolean": "true or false",
    "null": "null",
}
_BOUNDS: tuple[tuple[str, str, Callable[[float, float], bool]], ...] = (
    ("minimum", "at least", lambda value, bound: value >= bound),
    ("maximum", "at most", lambda value, bound: value <= bound),
    ("exclusiveMinimum", "greater than", lambda value, bound: value > bound),
    ("exclusiveMaximum", "less than", lambda value, bound: value < bound),
)
_RESOLVED: dict[int, tuple[Schema, Schema]] = {}  # by the identity of a schema, which stays with it, what it refers to
_OLD_BOOLEANS = {"yes", "no", "on", "off", "y", "n", "true", "false"}


@dataclass(frozen=True, slots=True)
class Finding:
    """A departure from the schema: at the value of ``path``, or at its key; ``taken``: what is worth nothing with it,
    where that is more."""

    path: JsonPath
    message: str
    hint: str = ""
    at_key: bool = False
    taken: JsonPath = ()


def check(document: Document, schema: str) -> list[Problem]:
    """Every problem of a document with the schema of that name, sorted by place, each once."""
    root = load_schema(schema)
    found = _departures(document.data, root, (), root)
    return sorted({document.problem(item.path, item.message, item.hint, key=item.at_key) for item in found})


def sound_part(data: Any, schema: str) -> Any:
    """What of plain data agrees with the schema of that name: other keys are left out, other items of lists are None,
    and lists of so many items, such as positions, count as a whole.

    Keys that are missing at the top stay so; data that are no mapping are an empty one.
    """
    root = load_schema(schema)
    if not _accepts(data, root, root):
        return {}
    found = {item.taken or item.path for item in _departures(data, root, (), root)} - {()}
    if not found:
        return data
    data, done = deepcopy(data), set[JsonPath]()
    while found - done:
        for path in sorted(found - done, key=len, reverse=True):  # what is inside of something before that itself
            _take_out(data, path)
        done |= {path for path in found if isinstance(path[-1], int)}  # None departs from the schema too
        found = {item.taken or item.path for item in _departures(data, root, (), root)} - {()}
    return data


def unsound_keys(data: Any, schema: str) -> set[str | int]:
    """The keys at the top of plain data with something inside that departs from the schema of that name."""
    root = load_schema(schema)
    return {item.path[0] for item in _departures(data, root, (), root) if item.path}


def _take_out(data: Any, path: JsonPath) -> None:
    *before, last = path
    for step in before:
        data = data[step]
    if kind_of(data) == "array":
        data[last] = None
    else:
        data.pop(last, None)


def _departures(value: Any, schema: Schema, path: JsonPath, root: Schema) -> list[Finding]:
    """Departures of one value and of everything inside it."""
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        return _departures_from_any(value, schema, path, root)
    if not _accepts(value, schema, root):
        return [_wrong_type(value, schema, path, root)]
    found = list(_scalar_departures(value, schema, path))
    kind = kind_of(value)
    if kind == "object":
        if "x-schema" in schema:
            other = load_schema(schema["x-schema"])
            return _departures(value, other, path, other)
        found.extend(_mapping_departures(value, schema, path, root))
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for key, item in value.items():
            inside = properties.get(key, extra)
            if kind_of(inside) == "object":
                found.extend(_departures(item, inside, (*path, key), root))
    elif kind == "array":
        found.extend(_list_departures(value, schema, path))
        if "items" in schema:
            is_one = schema.get("minItems") == schema.get("maxItems", "any number")  # a position, a range
            for index, item in enumerate(value):
                inside = _departures(item, schema["items"], (*path, index), root)
                found.extend(replace(finding, taken=path) if is_one else finding for finding in inside)
    return found


def _resolved(schema: Schema, root: Schema) -> Schema:
    """The schema with its ``$ref`` followed; what stands beside the reference (a description) wins."""
    if "$ref" not in schema:
        return schema
    known = _RESOLVED.get(id(schema))
    if known is None:
        known = _RESOLVED[id(schema)] = schema, _followed(schema, root)
    return known[1]


def _followed(schema: Schema, root: Schema) -> Schema:
    while "$ref" in schema:
        target = root["definitions"][schema["$ref"].removeprefix("#/definitions/")]
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        schema = {**target, **beside} if beside else target
    return schema


def _types(schema: Schema, root: Schema) -> list[str]:
    """The JSON types that a schema takes, over all its branches; empty: any."""
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        return list(dict.fromkeys(kind for branch in schema["anyOf"] for kind in _types(branch, root)))
    kinds = schema.get("type", [])
    return [kinds] if kind_of(kinds) == "string" else kinds


def _accepts(value: Any, schema: Schema, root: Schema) -> bool:
    kinds, kind = _types(schema, root), kind_of(value)
    return not kinds or kind in kinds or (kind == "integer" and "number" in kinds)


def _departures_from_any(value: Any, schema: Schema, path: JsonPath, root: Schema) -> list[Finding]:
    """Departures from the branch of an ``anyOf`` that was meant: by JSON type, by ``type`` tag, else the nearest."""
    branches = [_resolved(branch, root) for branch in schema["anyOf"]]
    meant = [branch for branch in branches if _accepts(value, branch, root)]
    if not meant:
        return [_wrong_type(value, schema, path, root)]
    tags = [branch.get("properties", {}).get("type", {}).get("enum") for branch in meant]
    found: list[Finding] = []
    if kind_of(value) == "object" and "type" in value and len(meant) > 1 and all(tags):
        tagged = [branch for branch, tag in zip(meant, tags, strict=True) if value["type"] in tag]
        if not tagged:
            every = {"enum": [name for tag in tags for name in tag], "x-expected": schema.get("x-expected", "a type")}
            found = [_not_in_enum(value["type"], every, (*path, "type"))]
        meant = tagged or [_without_tag(branch) for branch in meant]
    return found + min((_departures(value, branch, path, root) for branch in meant), key=len)


def _without_tag(branch: Schema) -> Schema:
    """The branch with any ``type``."""
    return {**branch, "properties": {**branch["properties"], "type": {}}}


def _scalar_departures(value: Any, schema: Schema, path: JsonPath) -> Iterator[Finding]:
    """Departures of a value by itself: constants, enumerations, bounds, patterns."""
    if "const" in schema and value != schema["const"]:
        expected = schema.get("x-expected", repr(schema["const"]))
        yield Finding(path, f"expected {expected}, found {describe(value)}", _about(schema))
    if "enum" in schema and value not in schema["enum"]:
        yield _not_in_enum(value, schema, path)
    kind = kind_of(value)
    if kind == "string":
        if len(value) < schema.get("minLength", 0):
            yield Finding(path, "must not be empty", _about(schema))
        elif "pattern" in schema and not re.search(schema["pattern"], value):
            hint = _type_hint(value, schema["type"], schema) or _about(schema)
            yield Finding(path, f"expected {schema['x-expected']}, found {describe(value)}", hint)
    elif kind in ("integer", "number"):
        if not math.isfinite(value) and not schema.get("x-not-finite"):
            yield Finding(path, f"must be finite, found {describe(value)}", _about(schema))
            return
        for keyword, words, holds in _BOUNDS:
            if keyword in schema and not holds(value, schema[keyword]):
                yield Finding(path, f"must be {words} {schema[keyword]}, found {value}", _about(schema))


def _mapping_departures(value: dict[str, Any], schema: Schema, path: JsonPath, root: Schema) -> Iterator[Finding]:
    """Missing and unknown keys of one mapping."""
    properties, planned = schema.get("properties", {}), schema.get("x-planned", {})
    for key in schema.get("required", ()):
        if key not in value:
            yield Finding(path, f"key '{key}' is missing", _about(_resolved(properties[key], root)))
    if len(value) < schema.get("minProperties", 0):
        yield Finding(path, "must not be empty", _about(schema))
    if len(value) > schema.get("maxProperties", math.inf):
        found = ", ".join(map(str, value))
        yield Finding(path, f"expected {schema['maxProperties']} key, found {found}", _about(schema))
    for key in value:
        if "minLength" in schema.get("propertyNames", {}) and not key:
            yield Finding((*path, key), "a key must not be empty", at_key=True)
        if key in properties or schema.get("additionalProperties") is not False:
            continue
        if key in planned:
            yield Finding((*path, key), f"this version of gm does not run '{key}' ({planned[key]})", "remove it", True)
        else:
            left = [name for name in properties if name not in value]
            yield Finding(
                (*path, key), f"unknown key '{key}'", suggest(key, left or properties, "keys", parts=True), True
            )


def _list_departures(value: list[Any], schema: Schema, path: JsonPath) -> Iterator[Finding]:
    """Departures in the number of items and in their uniqueness."""
    least, most = schema.get("minItems", 0), schema.get("maxItems", math.inf)
    if not least <= len(value) <= most:
        bound = least if len(value) < least else most
        words = "exactly" if least == most else "at least" if len(value) < least else "at most"
        plural = "" if bound == 1 else "s"
        yield Finding(path, f"expected {words} {bound} item{plural}, found {len(value)}", _about(schema))
    if schema.get("uniqueItems"):
        seen = set()
        for index, item in enumerate(value):
            text = json.dumps(item)
            if text in seen:
                yield Finding((*path, index), f"{describe(item)} is given twice", "keep one of them")
            seen.add(text)


def _not_in_enum(value: Any, schema: Schema, path: JsonPath) -> Finding:
    planned = schema.get("x-planned", {})
    names = ["null" if name is None else str(name) for name in schema["enum"]]
    is_word = kind_of(value) == "string"
    if is_word and value in planned:
        hint = suggest("", names)
        return Finding(path, f"this version of gm does not run '{value}' ({planned[value]})", hint)
    found = f"'{value}'" if is_word else describe(value)
    message = f"{found} is not {schema.get('x-expected', 'allowed here')}"
    return Finding(path, message, suggest(value, names, parts=True))


def _wrong_type(value: Any, schema: Schema, path: JsonPath, root: Schema) -> Finding:
    kinds = _types(schema, root)
    expected = schema.get("x-expected") or " or ".join(_WORDS[kind] for kind in kinds)
    return Finding(
        path, f"expected {expected}, found {describe(value)}", _type_hint(value, kinds, schema) or _about(schema)
    )


def _type_hint(value: Any, kinds: str | list[str], schema: Schema) -> str:
    """What turns the value that was found into one of the kinds that are expected, where that is simple."""
    kind = kind_of(value)
    if kind == "string":
        if "boolean" in kinds and value.lower() in _OLD_BOOLEANS:
            return "write true or false: in YAML 1.2 nothing else is a boolean"
        if ("number" in kinds or "integer" in kinds) and is_number(value):
            return "write it without quotes"
        if "array" in kinds:
            return f"a list is written [{value}]"
    elif "array" in kinds and schema.get("items", {}).get("type") == kind:
        return f"a list is written [{value}]"
    elif "string" in kinds and "pattern" not in schema and kind in ("boolean", "integer", "number"):
        return f"write '{str(value).lower() if kind == 'boolean' else value}' in quotes"
    elif "array" in kinds and kind == "object":
        return "start each item of the list with '- '"
    return ""


def _about(schema: Schema) -> str:
    """The first sentence of what the schema says a value is."""
    description: str = schema.get("description", "")
    return description.split(". ")[0].rstrip(".")
