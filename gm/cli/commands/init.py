"""``gm init``."""

from __future__ import annotations

from collections.abc import Iterator

import click

from gm.cli.completion import example_names
from gm.cli.options import Display, display_options
from gm.cli.rendering.init import show_examples, show_written

_FROM = "--from"
_DRAFT = (
    "Draft an analysis of these files instead, in DIR or here: spectra, maps, flux points, DL3 observations, "
    "models.yaml, datasets.yaml; or of a config of Gammapy, asgardpy or fermipy."
)


class _Init(click.Command):
    """``--from`` takes all arguments up to the next option, as a shell gives them for a pattern."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, list(_repeated(args)))


def _repeated(args: list[str]) -> Iterator[str]:
    """``--from a b`` as ``--from a --from b``."""
    is_taking = False
    for position, argument in enumerate(args):
        if argument.startswith("-"):
            is_taking = argument == _FROM
        elif is_taking and args[position - 1] != _FROM:
            yield _FROM
        yield argument


@click.command("init", cls=_Init)
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(file_okay=False))
@click.option(
    "--example",
    metavar="NAME",
    shell_complete=example_names,
    default="crab",
    show_default=True,
    help="Which example to start from.",
)
@click.option("--list", "listing", is_flag=True, help="List the examples.")
@click.option(_FROM, "files", metavar="FILE...", multiple=True, help=_DRAFT)
@display_options
def command(folder: str | None, example: str, listing: bool, files: tuple[str, ...], display: Display) -> int:
    """Write a complete, runnable analysis into the folder DIR. Never overwrites a file."""
    from gm.pipeline.commands.examples import examples, write_example

    if listing:
        return show_examples(examples(), display)
    if files:
        from gm.pipeline.commands.scaffold.scaffold import scaffold

        folder = folder or "."
        written, notes = scaffold(files, folder)
        return show_written(written, folder, display, notes)
    if folder is None:
        raise click.UsageError("missing argument DIR, the folder to write into", click.get_current_context())
    return show_written(write_example(example, folder), folder, display)
