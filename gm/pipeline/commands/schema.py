"""The JSON Schemas of the file kinds, as text."""

from __future__ import annotations

from importlib.resources import files

from gm.config_schemas.validator import schema_names
from gm.errors import UsageError, suggest


def list_schemas() -> list[str]:
    """The names of the file kinds that have a schema."""
    return schema_names()


def schema_text(name: str) -> str:
    """The schema file as it is, byte for byte. Raises `UsageError` for an unknown name."""
    if name not in schema_names():
        raise UsageError(f"no schema is called '{name}'\n    {suggest(name, schema_names(), 'schemas')}")
    return (files("gm.config_schemas") / "schemas" / f"{name}.schema.json").read_text("utf-8")
