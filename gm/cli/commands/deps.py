"""``gm deps``."""

from __future__ import annotations

import click

from gm.cli.options import Display, analysis_options
from gm.cli.terminal.output import print_json, print_result
from gm.pipeline.analysis.request import Request


@click.command("deps")
@analysis_options
def command(request: Request, display: Display) -> int:
    """The inputs and outputs of an analysis as Makefile rules, to include in a Makefile."""
    from gm.pipeline.commands.deps import dependencies, makefile

    rules = dependencies(request)
    if display.json:
        print_json(rules)
    else:
        print_result(makefile(rules))
    return 0
