"""Models that a section describes, briefly or as models.yaml does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.errors import JsonPath
from gm.models import Models, SkyModel
from gm.models.parameter import split_quantity
from gm.models.registry import find_model
from gm.pipeline.analysis.sections import Section
from gm.units import UnitError


def read_source(section: Section, path: JsonPath, name: str, blocks: Mapping[str, Any]) -> SkyModel | None:
    """A source of the blocks ``spectral`` and ``spatial``; None with a problem, which goes to the section.

    A block is a type (``point``), a type with values of its parameters (``{type: pl, index: 2}``, ``{type: gauss,
    sigma: 0.2 deg}``), or what models.yaml has.
    """
    found = {key: _block(section, (*path, key), key, value) for key, value in blocks.items()}
    if None in found.values():
        return None

    def report(inside: JsonPath, message: str, hint: str) -> None:
        section.add((*path, *_as_written(inside[2:], blocks, found)), message, hint)

    document = {"components": [{"name": name, "type": "SkyModel", **found}]}
    models = Models.from_dict(document, report, section.directory)
    return None if models is None else models.sources()[0]


def _as_written(inside: JsonPath, blocks: Mapping[str, Any], found: Mapping[str, Any]) -> JsonPath:
    """The place in the section of one in the component that was made of it."""
    if not inside:
        return ()
    kind = str(inside[0])
    if isinstance(blocks[kind], str):
        return (kind,)
    if "parameters" in blocks[kind] or len(inside) < 3:
        return inside
    return kind, found[kind]["parameters"][inside[2]]["name"]


def _block(section: Section, path: JsonPath, kind: str, value: Any) -> dict[str, Any] | None:
    """As models.yaml has it; None with a problem."""
    given = {"type": value} if isinstance(value, str) else dict(value)
    model = find_model(kind, given.get("type"))
    if model is None or "parameters" in given:
        return given  # what is wrong is told by who reads it
    units = {default.name: default.unit for default in model.defaults}
    block, parameters = {key: given.pop(key) for key in ("type", *model.setting_names) if key in given}, []
    for key, text in given.items():
        try:
            number, unit = split_quantity(text)
        except UnitError as error:
            section.add((*path, key), str(error), "a number, or a number with a unit: 0.2 deg")
            return None
        parameters.append({"name": key, "value": number, "unit": units.get(key, "") if unit is None else unit})
    return {**block, "parameters": parameters}
