"""``gm simulate``."""

from __future__ import annotations

import click

from gm.cli.options import Display, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("simulate")
@click.option("--asimov", is_flag=True, help="Expected counts instead of random ones.")
@analysis_options
def command(request: Request, display: Display) -> int:
    """Draw datasets from models and responses."""
    from gm.cli.screen import Screen, show_outcome
    from gm.pipeline.run import simulate

    with Screen(display) as screen:
        outcome = simulate(request, screen)
    return show_outcome(outcome, display)
