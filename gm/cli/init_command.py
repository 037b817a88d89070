"""``gm init``."""

from __future__ import annotations

import click

from gm.cli.options import Display, display_options
from gm.cli.render_init import show_examples, show_written


@click.command("init")
@click.argument("folder", required=False, metavar="DIR", type=click.Path(file_okay=False))
@click.option("--example", metavar="NAME", default="crab", show_default=True, help="Which example to start from.")
@click.option("--list", "listing", is_flag=True, help="List the examples.")
@display_options
def command(folder: str | None, example: str, listing: bool, display: Display) -> int:
    """Write a complete, runnable analysis into the folder DIR. Never overwrites a file."""
    from gm.pipeline.commands.examples import examples, write_example

    if listing:
        return show_examples(examples(), display)
    if folder is None:
        raise click.UsageError("missing argument DIR, the folder to write into", click.get_current_context())
    return show_written(write_example(example, folder), folder, display)
