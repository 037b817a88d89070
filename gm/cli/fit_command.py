"""``gm fit``."""

from __future__ import annotations

import click

from gm.cli.options import Display, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("fit")
@analysis_options
def command(request: Request, display: Display) -> int:
    """Fit all datasets with the global model; runs the stages before it when needed."""
    from gm.cli.screen import Screen, show_outcome
    from gm.pipeline.run import fit

    with Screen(display) as screen:
        outcome = fit(request, screen)
    return show_outcome(outcome, display)
