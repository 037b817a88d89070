"""``gm show``."""

from __future__ import annotations

import sys

import click

from gm.cli.options import Display, display_options
from gm.cli.terminal.output import print_json, print_result
from gm.cli.terminal.room import room_of_terminal


@click.command("show")
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@display_options
def command(files: tuple[str, ...], display: Display) -> int:
    """Print any files that gm knows: a config, models, datasets, results, spectra; of a folder all results in it."""
    from gm.cli.rendering.show import text_of
    from gm.pipeline.commands.show import describe, unfold

    found = [describe(file) for file in unfold(files)]
    if display.json:
        one = len(files) == len(found) == 1
        every = [{"file": each.source, "kind": each.kind, "data": each.data} for each in found]
        print_json(found[0].data if one else every)
    else:
        with room_of_terminal(every_row=bool(display.verbose), stream=sys.stdout):
            text = "\n\n".join(text_of(each, display.painted_results) for each in found)
        print_result(text)
    return 0
