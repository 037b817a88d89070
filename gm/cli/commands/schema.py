"""``gm schema``."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from gm.cli.options import Display, display_options
from gm.cli.terminal.output import print_json, print_result


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    from gm.config_schemas.schema_files import schema_names

    return [CompletionItem(name) for name in schema_names() if name.startswith(incomplete)]


@click.command("schema")
@click.argument("name", required=False, metavar="[NAME]", shell_complete=_complete)
@display_options
def command(name: str | None, display: Display) -> int:
    """Print the JSON Schema of a kind of file; without NAME, list the kinds."""
    from gm.config_schemas.schema_files import schema_names, schema_text

    if name is not None:
        print_result(schema_text(name))
    elif display.json:
        print_json(schema_names())
    else:
        print_result("\n".join(schema_names()))
    return 0
