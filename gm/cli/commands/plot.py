"""``gm plot``."""

from __future__ import annotations

import click

from gm.cli.completion import figure_names
from gm.cli.options import Display, display_options
from gm.cli.terminal.output import print_json, print_result


@click.command("plot")
@click.argument("results", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option("-o", "--output", metavar="FILE", help="A pdf, svg or png file. Default: FILE-KIND.pdf, here.")
@click.option(
    "-k", "--kind", metavar="KIND", shell_complete=figure_names,
    help="Which figure, such as sed, counts, contours or residual-map. Default: the first there is.",
)  # fmt: skip
@click.option("--style", metavar="FILE", help="A style file of Matplotlib, or the name of one.")
@click.option("--scheme", type=click.Choice(["light", "dark"]), default="light", show_default=True)
@click.option("--energy-unit", metavar="UNIT", default="TeV", show_default=True, help="Of energies.")
@click.option("--flux-unit", metavar="UNIT", default="erg cm-2 s-1", show_default=True, help="Of E^2 dN/dE.")
@click.option("--radius", type=float, metavar="DEG", default=0.1, show_default=True, help="Of disks in residual maps.")
@click.option("--datasets", multiple=True, metavar="PATTERN", help="The datasets that are drawn; repeatable.")
@click.option("--components", multiple=True, metavar="PATTERN", help="The components that are drawn; repeatable.")
@click.option("--force", is_flag=True, help="Replace a file that gm has not written.")
@display_options
def command(
    results: tuple[str, ...], output: str | None, kind: str | None, style: str | None, scheme: str, energy_unit: str,
    flux_unit: str, radius: float, datasets: tuple[str, ...], components: tuple[str, ...], force: bool,
    display: Display,
) -> int:  # fmt: skip
    """Draw a figure of results or datasets; several in one. Folders stand for all results in them."""
    from gm.figures.look import Look
    from gm.pipeline.commands.plot import write_plot

    everything = ("*",)
    look = Look(scheme, style, energy_unit, flux_unit, radius, datasets or everything, components or everything)
    drawn = write_plot(results, output, kind, look, force=force)
    if display.json:
        print_json(drawn)
    else:
        print_result(drawn["file"])
    return 0
