"""What the shell completes: examples, paths of the config, names of parameters, figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

_DEPTH = 4
_EDITS = ("value=", "min=", "max=", "frozen=", "error=", "prior=")
_ITEM = re.compile(r"^(\[\d+\]|\.\d+)")


def example_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The examples of ``gm init``."""
    from gm.pipeline.commands.examples import examples

    return [CompletionItem(name, help=what) for name, what in examples().items() if name.startswith(incomplete)]


def figure_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The figures of ``gm plot``."""
    from gm.figures.names import figure_files

    return [CompletionItem(name) for name in figure_files() if name.startswith(incomplete)]


def config_paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The keys of a config as ``--set`` takes them, ``fit.minos=``; after a whole key its words, where it has some.

    Under ``parameters`` the addresses in the config's models.
    """
    from gm.config_schemas.schema_files import load_schema

    schema = load_schema("config")
    found = list(_paths(schema, schema, "", incomplete))
    if incomplete.startswith("parameters."):
        given = ctx.params.get("config") or next((word for word in ctx.args if word.endswith((".yaml", ".yml"))), "")
        addresses = _addresses(str(given))
        found += [(f"parameters.{address}.{edit}", "") for address in addresses for edit in _EDITS]
    return [CompletionItem(path, help=what) for path, what in found if path.startswith(incomplete)]


def _paths(schema: Any, whole: Any, prefix: str, typed: str) -> Iterator[tuple[str, str]]:
    """All below ``prefix``; of a list those of the entry that is ``typed``, else of the first."""
    for name, part in (schema.get("properties") or {}).items():
        part = _resolved(part, whole)
        path, what = f"{prefix}{name}", str(part.get("description", ""))
        if part.get("properties") and path.count(".") < _DEPTH:
            yield from _paths(part, whole, f"{path}.", typed)
        entry = _resolved(part.get("items") or {}, whole)
        if entry.get("properties") and path.count(".") < _DEPTH:
            number = _ITEM.match(typed[len(path) :]) if typed.startswith(path) else None
            yield from _paths(entry, whole, f"{path}{number[0] if number else '[0]'}.", typed)
        for word in part.get("enum") or ():
            if isinstance(word, str):
                yield f"{path}={word}", what
        if not part.get("enum") and not part.get("properties"):
            yield f"{path}=", what


def _resolved(part: Any, whole: Any) -> Any:
    """A part of the schema with what it refers to."""
    while "$ref" in part:
        part = {
            **whole["definitions"][part["$ref"].rpartition("/")[2]],
            **{k: v for k, v in part.items() if k != "$ref"},
        }
    return part


def _addresses(config: str) -> list[str]:
    """Short addresses of the parameters in the models of a config; none where these cannot be read."""
    from gm.config_schemas.reader import read_document
    from gm.errors import GmError

    try:
        document = read_document(config)
        models = document.data.get("models") or []
        listed = models if isinstance(models, list) else [models]
        held = [read_document(document.directory / m).data if isinstance(m, str) else m for m in listed]
        return [address for models in held for one in models["components"] for address in _of_component(one)]
    except (GmError, AttributeError, KeyError, TypeError, OSError):  # completion never fails
        return []


def _of_component(component: Any) -> Iterator[str]:
    names = component.get("datasets_names") or []
    name = component.get("name") or f"{names if isinstance(names, str) else names[0]}-bkg"
    for section in ("spectral", "spatial", "temporal"):
        for parameter in (component.get(section) or {}).get("parameters") or ():
            yield f"{name}.{parameter['name']}"
