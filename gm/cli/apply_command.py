"""``gm apply``."""

from __future__ import annotations

import click

from gm.cli.options import Display, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("apply")
@analysis_options
def command(request: Request, display: Display) -> int:
    """Run the dataset operations; write the new datasets, the edited models, and the list of the edits."""
    from gm.cli.screen import Screen, show_outcome
    from gm.pipeline.run import apply

    with Screen(display) as screen:
        outcome = apply(request, screen)
    return show_outcome(outcome, display)
