"""``gm verify``."""

from __future__ import annotations

import sys

import click

from gm.cli.options import Display, YamlPath, display_options
from gm.cli.terminal.output import print_json, print_result
from gm.cli.terminal.room import room_of_terminal


@click.command("verify")
@click.option("--rerun", is_flag=True, help="Compute again, and compare the bytes of the results.")
@click.option("--config", type=YamlPath(), metavar="CONFIG", help="The config, where it is not where it was.")
@click.argument("result", type=click.Path(), metavar="RESULT")
@display_options
def command(result: str, config: str | None, rerun: bool, display: Display) -> int:
    """Whether a result, or a folder of results, is as it was written, from inputs that are the same bytes.

    Exit codes: 0 all is the same, 1 something has changed or is gone, 4 there is no record.
    """
    from gm.cli.rendering.verify import lines
    from gm.cli.screen import Screen
    from gm.pipeline.commands.verify import verify

    with Screen(display) as screen:
        verification = verify(result, screen, config=config, rerun=rerun)
    if display.json:
        print_json(verification.document())
    else:
        with room_of_terminal(every_row=bool(display.verbose), stream=sys.stdout):
            text = "\n".join(lines(verification.document(), display.painted_results, verbose=bool(display.verbose)))
        print_result(text)
    return 0 if verification.is_same else 1
