"""``gm run``."""

from __future__ import annotations

import click

from gm.cli.options import Display, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("run")
@analysis_options
def command(request: Request, display: Display) -> int:
    """Run every stage that the config declares."""
    from gm.cli.screen import Screen, show_outcome
    from gm.pipeline.run import run

    with Screen(display) as screen:
        outcome = run(request, screen)
    return show_outcome(outcome, display)
