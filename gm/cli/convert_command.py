"""``gm convert``."""

from __future__ import annotations

import click

from gm.cli.options import Display, YamlPath, display_options
from gm.cli.output import print_json, print_result

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
    from gm.cli.tables import fitted
    from gm.pipeline.commands.convert import convert

    told = convert(points, output, sed_type or "likelihood", reference, source, force=force)
    if display.json:
        print_json(told)
    else:
        if not display.quiet:
            from gm.cli.output import print_text

            for text in told["warnings"]:
                print_text("\n".join(fitted([f"warning: {text}"])))
        print_result(told["file"])
    return 0
