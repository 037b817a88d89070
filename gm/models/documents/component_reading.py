"""Components from plain data."""

from __future__ import annotations

from typing import Any

from gm.errors import JsonPath, suggest
from gm.models.components.base import Component, find_kind, kinds
from gm.models.documents.block_reading import BlockReader
from gm.models.documents.plain import mapping


def read_component(reader: BlockReader, data: Any, path: JsonPath) -> Component | None:
    """One entry of ``components``, or None; what is wrong with it is reported."""
    found = mapping(data)
    if found is None:
        reader.report(path, f"expected a component, found {data!r}", "")
        return None
    tag = found.get("type")
    kind = find_kind(tag)
    if kind is not None:
        return kind.read(reader, found, path)
    message = "key 'type' is missing" if tag is None else f"{tag!r} is not a component type"
    tags = [tag for kind in kinds() for tag in kind.tags]
    reader.report(path if tag is None else (*path, "type"), message, suggest(tag, tags, "types"))
    return None
