"""Which keys a schema knows at a place of its documents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gm.config_schemas.schema_files import Schema, load_schema


def known_keys(schema: str, path: Iterable[str | int]) -> list[str]:
    """The keys that a mapping at ``path`` may have, over all branches of the schema of that name, in its order."""
    nodes = _branches(load_schema(schema), load_schema(schema))
    for step in path:
        nodes = [branch for node, root in nodes for branch in _inside(node, root, step)]
    return list(dict.fromkeys(key for node, _ in nodes for key in node.get("properties", ())))


_Nodes = list[tuple[Schema, Schema]]
"""Schemas without references or choices, each with the schema document that it is in."""


def _inside(node: Schema, root: Schema, step: str | int) -> _Nodes:
    if isinstance(step, int):
        inner: Any = node.get("items")
    else:
        inner = node.get("properties", {}).get(step, node.get("additionalProperties"))
    return _branches(inner, root) if isinstance(inner, dict) else []


def _branches(node: Schema, root: Schema) -> _Nodes:
    if "$ref" in node:
        return _branches(root["definitions"][node["$ref"].removeprefix("#/definitions/")], root)
    if "x-schema" in node:
        other = load_schema(node["x-schema"])
        return _branches(other, other)
    if "anyOf" in node:
        return [found for branch in node["anyOf"] for found in _branches(branch, root)]
    return [(node, root)]
