"""``gm plan``."""

from __future__ import annotations

import click

from gm.cli.options import Display, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("plan")
@analysis_options
def command(request: Request, display: Display) -> int:
    """What would run, and why; the parameters; the memory it takes. Runs nothing."""
    from gm.cli.rendering.plan import show_plan
    from gm.cli.screen import Screen
    from gm.pipeline.commands.plan import plan

    with Screen(display) as screen:
        planned = plan(request, screen)
    return show_plan(planned, display)
