"""The JSON Schemas.

``"x-types": "spatial"`` in a file stands for the tags of all spatial models that there are, ``"operation"`` for the
names of what makes datasets: the operations of a config, and the reduction of observations.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from textwrap import fill
from typing import Any, TypeAlias

from gm.errors import UsageError, suggest
from gm.model_types import NOT_EVALUATED, SECTIONS, model_types

Schema: TypeAlias = dict[str, Any]

FOLDER = Path(__file__).parent / "schemas"
_SUFFIX = ".schema.json"
_TYPES = re.compile(r'^( *)"x-types": "(\w+)"', re.MULTILINE)


def schema_names() -> list[str]:
    """The kinds of file that have a schema."""
    return sorted(file.name.removesuffix(_SUFFIX) for file in FOLDER.glob("*" + _SUFFIX))


def schema_text(name: str) -> str:
    """A schema as people and editors get it. Raises `UsageError` for an unknown name."""
    return _text(FOLDER, name, _types())


def load_schema(name: str) -> Schema:
    """A schema as a dict, to be left unchanged."""
    return _loaded(FOLDER, name, _types())


_Types: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]


def _types() -> _Types:
    """Section and tags of every type of model, those first that this version evaluates."""
    known = [(section, made.tags) for section in SECTIONS for made in model_types(section)]
    return (*known, *((section, pair) for section, names in NOT_EVALUATED.items() for pair in names.items()))


def _operations(folder: Path) -> _Types:
    config = json.loads((folder / f"config{_SUFFIX}").read_text(encoding="utf-8"))
    return tuple(("operation", (name,)) for name in (*config["definitions"]["operation"]["properties"], "reduce"))


@lru_cache
def _loaded(folder: Path, name: str, types: _Types) -> Schema:
    schema: Schema = json.loads(_text(folder, name, types))
    return schema


def _text(folder: Path, name: str, types: _Types) -> str:
    if name not in schema_names():
        raise UsageError(f"no schema is called '{name}'\n    {suggest(name, schema_names(), 'schemas')}")
    text = (folder / f"{name}{_SUFFIX}").read_text(encoding="utf-8")
    known = (*types, *_operations(folder)) if '"x-types": "operation"' in text else types

    def enum(found: re.Match[str]) -> str:
        """The tags of the types that have no entry of their own in the file."""
        indent, section = found[1], found[2]
        mine = (tags for kind, tags in known if kind == section and f'"{tags[0]}"' not in text)
        tags = [tag for group in mine for tag in group]
        rows = fill(
            json.dumps(tags)[1:-1],
            119,
            initial_indent=f"{indent}  ",
            subsequent_indent=f"{indent}  ",
            break_on_hyphens=False,
        )
        return f'{indent}"enum": [\n{rows}\n{indent}]'

    return _TYPES.sub(enum, text)
