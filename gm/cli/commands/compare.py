"""``gm compare``."""

from __future__ import annotations

import sys

import click

from gm.cli.options import Display, display_options
from gm.cli.terminal.output import print_json, print_result
from gm.cli.terminal.room import room_of_terminal


@click.command("compare")
@click.argument("results", type=click.Path(), metavar="A B [C ...]", nargs=-1, required=True)
@display_options
def command(results: tuple[str, ...], display: Display) -> int:
    """Results side by side: parameters and fluxes with differences in sigma, nested TS, AIC, BIC, what has changed.

    Each is a result file or a folder of results; differences are from the first.
    """
    from gm.cli.rendering.compare import lines
    from gm.pipeline.commands.compare import compare

    compared = compare(results)
    if display.json:
        print_json(compared)
    else:
        with room_of_terminal(every_row=bool(display.verbose), stream=sys.stdout):
            text = "\n".join(lines(compared, display.painted_results, verbose=bool(display.verbose)))
        print_result(text)
    return 0
