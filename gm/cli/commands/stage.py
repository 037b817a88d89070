"""The commands of the stages, each made from what its stage declares."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from gm.cli.options import Display, analysis_options

if TYPE_CHECKING:
    from gm.pipeline.analysis.request import Request
    from gm.pipeline.stages.base import Stage


def stage_command(stage: Stage[Any]) -> click.Command:
    """The command that runs a stage, and those before it that are not up to date."""

    @analysis_options
    def command(request: Request, display: Display, **options: Any) -> int:
        from gm.cli.screen import Screen, show_outcome
        from gm.pipeline.run import run

        values = [
            f"{stage.section}.{key}={value}" for key in stage.shortcuts if (value := options.pop(key)) is not None
        ]
        given = frozenset(name.replace("_", "-") for name, is_given in options.items() if is_given)
        with Screen(display) as screen:
            outcome = run(replace(request, flags=given, overrides=(*request.overrides, *values)), screen, stage)
        return show_outcome(outcome, display)

    for flag, text in stage.flags.items():
        command = click.option(f"--{flag}", is_flag=True, help=text)(command)
    for key, text in stage.shortcuts.items():
        command = click.option(f"--{key}", metavar=key.upper(), help=text)(command)
    return click.command(stage.command, help=stage.help)(command)
