"""``gm models``."""

from __future__ import annotations

import click

from gm.cli.options import Display, YamlPath, display_options


@click.command("models")
@click.argument("action", type=click.Choice(["convert"]), metavar="convert")
@click.argument("models", type=YamlPath(), metavar="MODELS")
@click.option("--to", type=click.Choice(["gammapy"]), required=True, help="The program that is to read them.")
@click.option("-o", "--output", metavar="FILE", required=True, help="A file that ends in .yaml.")
@click.option("--force", is_flag=True, help="Replace a file.")
@display_options
def command(action: str, models: str, to: str, output: str, force: bool, display: Display) -> int:
    """Models for another program, without components that it cannot read; each of these is told."""
    from gm.cli.rendering.converted import render_converted
    from gm.pipeline.commands.convert_models import convert_models

    render_converted(convert_models(models, output, force=force), display)
    return 0
