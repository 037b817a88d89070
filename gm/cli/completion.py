"""What the shell completes: examples, and paths of the config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

_DEPTH = 4


def example_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The examples of ``gm init``."""
    from gm.pipeline.commands.examples import examples

    return [CompletionItem(name, help=what) for name, what in examples().items() if name.startswith(incomplete)]


def config_paths(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The keys of a config as ``--set`` takes them, ``fit.minos=``; after a whole key its words, where it has some."""
    from gm.config_schemas.schema_files import load_schema

    found = _paths(load_schema("config"), load_schema("config"), "")
    return [CompletionItem(path, help=what) for path, what in found if path.startswith(incomplete)]


def _paths(schema: Any, whole: Any, prefix: str) -> Iterator[tuple[str, str]]:
    for name, part in (schema.get("properties") or {}).items():
        while "$ref" in part:
            part = {
                **whole["definitions"][part["$ref"].rpartition("/")[2]],
                **{k: v for k, v in part.items() if k != "$ref"},
            }
        path, what = f"{prefix}{name}", str(part.get("description", ""))
        if part.get("properties") and path.count(".") < _DEPTH:
            yield from _paths(part, whole, f"{path}.")
        for word in part.get("enum") or ():
            if isinstance(word, str):
                yield f"{path}={word}", what
        if not part.get("enum") and not part.get("properties"):
            yield f"{path}=", what
