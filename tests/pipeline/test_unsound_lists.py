"""Items of lists in a config that depart from its schema are problems, whatever the list is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.schema_files import load_schema
from gm.datasets import write_dataset
from gm.io.yaml_writer import dump_yaml
from gm.pipeline.analysis.request import Request
from gm.pipeline.commands.validate import validate
from tests.map_samples import cube

MODELS = """\
components:
  - name: crab
    type: SkyModel
    spectral: {type: PowerLawSpectralModel}
    spatial: {type: PointSpatialModel, frame: icrs}
"""
GIVEN = ("datasets", "models", "covariance")
ITEMS: dict[str, list[Any]] = {"twice": ["crab", "crab"], "numbers": [1, 1], "no item": [None]}
SCHEMA: Any = load_schema("config")


def lists(
    schema: Any, path: tuple[str | int, ...], seen: frozenset[str] = frozenset()
) -> Iterator[tuple[str | int, ...]]:
    """Where a document of a schema may have lists; 0 stands for their items."""
    if not isinstance(schema, dict):
        return
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        if name not in seen:
            yield from lists(SCHEMA["definitions"][name], path, seen | {name})
        return
    for part in (part for word in ("oneOf", "anyOf", "allOf") for part in schema.get(word, ())):
        yield from lists(part, path, seen)
    if "array" in (schema.get("type") if isinstance(schema.get("type"), list) else [schema.get("type")]):
        yield path
        yield from lists(schema.get("items"), (*path, 0), seen)
    for key, part in schema.get("properties", {}).items():
        yield from lists(part, (*path, key), seen)


def nested(path: tuple[str | int, ...], value: Any) -> Any:
    """A document with a value at a path, and a source in the entries of stages that have one."""
    for key in reversed(path):
        value = [value] if key == 0 else {key: value}
    entry = value[path[0]][0] if len(path) > 1 and path[1] == 0 else None
    if isinstance(entry, dict) and "source" in str(SCHEMA["definitions"].get(str(path[0]).rstrip("s"), "")):
        entry.setdefault("source", "crab")
    return value


@pytest.mark.parametrize("items", ITEMS)
def test_no_list_makes_validate_stumble(items: str, tmp_path: Path) -> None:
    write_dataset(cube("map"), tmp_path / "map.fits")
    (tmp_path / "models.yaml").write_text(MODELS)
    datasets = {"datasets": [{"name": "map", "type": "MapDataset", "filename": "map.fits"}]}
    usual = {"version": 1, "datasets": datasets, "models": "models.yaml"}
    places = dict.fromkeys(lists(SCHEMA, ()))
    assert len(places) > 100
    for path in places:
        if path[0] not in GIVEN:
            config = tmp_path / "config.yaml"
            config.write_text(dump_yaml({**usual, **nested(path, ITEMS[items])}))
            (checked,) = validate(Request(str(config)))
            assert checked.exit_code in (0, 3, 4), path
