"""``gm flux-points``."""

from __future__ import annotations

import click

from gm.cli.options import Display, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("flux-points")
@analysis_options
def command(request: Request, display: Display) -> int:
    """Spectral energy distributions with errors, upper limits, TS and profiles."""
    from gm.cli.screen import Screen, show_outcome
    from gm.pipeline.run import flux_points

    with Screen(display) as screen:
        outcome = flux_points(request, screen)
    return show_outcome(outcome, display)
