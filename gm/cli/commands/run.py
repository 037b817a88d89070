"""``gm run``."""

from __future__ import annotations

from dataclasses import replace

import click

from gm.cli.options import Display, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("run")
@click.option("--retry-failed", is_flag=True, help="Do again what failed inside results that are up to date.")
@analysis_options
def command(request: Request, display: Display, retry_failed: bool) -> int:
    """Run every stage that the config declares."""
    from gm.cli.screen import Screen, show_outcome
    from gm.pipeline.run import run

    with Screen(display) as screen:
        outcome = run(replace(request, flags=frozenset({"retry-failed"} if retry_failed else ())), screen)
    return show_outcome(outcome, display)
