"""``gm compare``."""

from __future__ import annotations

import click

from gm.cli.options import Display, display_options
from gm.cli.output import print_json, print_result


@click.command("compare")
@click.argument("results", type=click.Path(), metavar="A B [C ...]", nargs=-1, required=True)
@display_options
def command(results: tuple[str, ...], display: Display) -> int:
    """Results side by side: parameters and fluxes with differences in sigma, nested TS, AIC, BIC, what has changed.

    Each is a result file or a folder of results; differences are from the first.
    """
    import shutil

    from gm.cli.render_compare import lines
    from gm.pipeline.commands.compare import compare

    compared = compare(results)
    if display.json:
        print_json(compared)
    else:
        print_result("\n".join(lines(compared, shutil.get_terminal_size().columns, verbose=bool(display.verbose))))
    return 0
