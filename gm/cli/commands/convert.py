"""``gm convert``."""

from __future__ import annotations

import click

from gm.cli.options import Display, YamlPath, display_options

SED_TYPES = ("likelihood", "dnde", "e2dnde", "flux", "eflux")


@click.command("convert")
@click.argument("points", type=click.Path(), metavar="POINTS")
@click.option(
    "-o", "--output", metavar="FILE", required=True, help="A file that ends in .fits, .fits.gz, .ecsv or .yaml."
)
@click.option("--sed-type", type=click.Choice(SED_TYPES), help="What the table is to hold. Default: likelihood, norms.")
@click.option(
    "--reference", type=YamlPath(), metavar="MODELS", help="The models with the spectrum that fluxes refer to."
)
@click.option("--source", metavar="NAME", help="The component of these models, where there are several.")
@click.option("--force", is_flag=True, help="Replace a file.")
@display_options
def command(
    points: str, output: str, sed_type: str | None, reference: str | None, source: str | None, force: bool,
    display: Display,
) -> int:  # fmt: skip
    """Flux points of gm, Gammapy, fermipy or a catalogue as a table of another SED type, or as a result of gm."""
    from gm.cli.rendering.converted import render_converted
    from gm.pipeline.commands.convert import convert

    render_converted(convert(points, output, sed_type or "likelihood", reference, source, force=force), display)
    return 0
