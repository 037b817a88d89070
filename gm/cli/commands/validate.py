"""``gm validate``."""

from __future__ import annotations

import click

from gm.cli.options import Display, YamlPath, analysis_options
from gm.pipeline.analysis.request import Request


@click.command("validate")
@analysis_options
@click.argument("more", nargs=-1, type=YamlPath(), metavar="[CONFIG]...")
def command(request: Request, display: Display, more: tuple[str, ...]) -> int:
    """Check config, models and datasets together; print every problem at once."""
    from gm.cli.rendering.checks import show_checks
    from gm.pipeline.commands.validate import validate

    return show_checks(validate(request, more), display)
