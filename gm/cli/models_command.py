"""``gm models``."""

from __future__ import annotations

import click

from gm.cli.options import Display, YamlPath, display_options
from gm.cli.output import print_json, print_result


@click.command("models")
@click.argument("action", type=click.Choice(["convert"]), metavar="convert")
@click.argument("models", type=YamlPath(), metavar="MODELS")
@click.option("--to", type=click.Choice(["gammapy"]), required=True, help="The program that is to read them.")
@click.option("-o", "--output", metavar="FILE", required=True, help="A file that ends in .yaml.")
@click.option("--force", is_flag=True, help="Replace a file.")
@display_options
def command(action: str, models: str, to: str, output: str, force: bool, display: Display) -> int:
    """Models for another program, without components that it cannot read; each of these is told."""
    from gm.cli.tables import fitted
    from gm.pipeline.commands.convert_models import convert_models

    told = convert_models(models, output, force=force)
    if display.json:
        print_json(told)
    else:
        if not display.quiet:
            from gm.cli.output import print_text

            for text in told["warnings"]:
                print_text("\n".join(fitted([f"warning: {text}"])))
        print_result(told["file"])
    return 0
