"""``gm show``."""

from __future__ import annotations

import click

from gm.cli.options import Display, display_options
from gm.cli.output import print_json, print_result


@click.command("show")
@click.argument("file", type=click.Path(), metavar="FILE")
@display_options
def command(file: str, display: Display) -> int:
    """Print any file that gm knows: a config, models, datasets, a result, a spectrum."""
    from gm.cli.render_show import text_of
    from gm.pipeline.commands.show import describe

    description = describe(file)
    if display.json:
        print_json(description.data)
    else:
        print_result(text_of(description))
    return 0
