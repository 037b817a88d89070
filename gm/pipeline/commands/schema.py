"""The JSON Schemas of the file kinds, as text."""

from __future__ import annotations

from gm.config_schemas.schema_files import schema_names
from gm.config_schemas.schema_files import schema_text as text_of
from gm.errors import UsageError, suggest


def list_schemas() -> list[str]:
    """The names of the file kinds that have a schema."""
    return schema_names()


def schema_text(name: str) -> str:
    """The schema, with the types of models that there are. Raises `UsageError` for an unknown name."""
    if name not in schema_names():
        raise UsageError(f"no schema is called '{name}'\n    {suggest(name, schema_names(), 'schemas')}")
    return text_of(name)
