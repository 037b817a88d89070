"""The options that commands share, flattened into two plain objects: what to do, and how to tell it."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from gm.cli.completion import config_paths
from gm.cli.terminal.output import use_color, visible
from gm.cli.terminal.room import room_of_terminal
from gm.pipeline.analysis.request import Request

if TYPE_CHECKING:
    from logging import LogRecord


@dataclass(frozen=True)
class Display:
    """How results and progress are told; ``painted_results``: whether standard output takes colours."""

    quiet: bool
    verbose: int
    json: bool
    color: bool
    traceback: bool
    painted_results: bool = False


class YamlPath(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic only since click 8.4
    """A YAML file, or ``-`` for standard input; completes to YAML files and to the folders that may hold them."""

    name = "file"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        folder, _, start = incomplete.rpartition("/")
        try:
            entries = sorted(Path(folder or ("/" if incomplete.startswith("/") else ".")).expanduser().iterdir())
        except OSError:
            return []
        prefix = incomplete[: len(incomplete) - len(start)]
        found = [entry for entry in entries if entry.name.startswith(start) and not entry.name.startswith(".")]
        files = [prefix + entry.name for entry in found if entry.suffix in (".yaml", ".yml")]
        if not files:
            return [CompletionItem(incomplete, type="dir")]
        return [
            CompletionItem(name) for name in files + [f"{prefix}{entry.name}/" for entry in found if entry.is_dir()]
        ]


def display_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add ``-q -v --json --color --traceback``; the command receives them as ``display``."""

    @functools.wraps(function)
    def command(quiet: bool, verbose: int, json: bool, color: str, traceback: bool, **rest: Any) -> int:
        painted = use_color(color, sys.stdout)
        display = Display(quiet, verbose, json, use_color(color), traceback, painted)
        with _logging(display), room_of_terminal(every_row=bool(verbose)):
            return function(display=display, **rest)

    for option in (
        click.option("--traceback", is_flag=True, help="Show Python's traceback with an error."),
        click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True),
        click.option("--json", is_flag=True, help="One JSON document on standard output."),
        click.option("-v", "--verbose", count=True, help="Say more: all rows of tables, steps, log."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but results and errors."),
    ):
        command = option(command)
    return command


def analysis_options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the options of commands on a config; the command receives ``request`` beside ``display``."""

    @functools.wraps(function)
    def command(
        config: str, sets: tuple[str, ...], output: str | None, workers: int | None, engine: str | None,
        scheduler: str | None, force: bool, **rest: Any,
    ) -> int:  # fmt: skip
        line = ("gm", *without_address(click.get_current_context().obj))
        request = Request(config, sets, output, workers, engine, scheduler, force, command=line)
        return function(request=request, **rest)

    decorated: Callable[..., int] = display_options(command)
    for option in (
        click.option("--force", is_flag=True, help="Run also what is up to date."),
        click.option("--scheduler", metavar="ADDRESS", help="Address or file of Dask's scheduler."),
        click.option("--engine", type=click.Choice(["local", "dask"]), help="Where the likelihood is computed."),
        click.option("--workers", type=click.IntRange(min=1), metavar="N", help="How many threads, or processes."),
        click.option("-o", "--output", metavar="DIR", help="The folder of the results."),
        click.option(
            "-s", "--set", "sets", multiple=True, metavar="PATH=VALUE", shell_complete=config_paths,
            help="Change a value of the config, such as 'fit.minos=[crab.index]'; repeatable.",
        ),
        click.argument("config", type=YamlPath(), metavar="CONFIG"),
    ):  # fmt: skip
        decorated = option(decorated)
    return decorated


def without_address(arguments: Sequence[str]) -> list[str]:
    """Arguments as results record them: where a scheduler was is no part of how they were made."""
    kept = list[str]()
    for argument in arguments:
        if kept and kept[-1] == "--scheduler":
            kept.pop()
        elif not argument.startswith("--scheduler="):
            kept.append(argument)
    return kept


def _made_visible(record: LogRecord) -> bool:
    """A log record without characters that steer a terminal; all are wanted."""
    record.msg, record.args = visible(record.getMessage()), None
    return True


class _logging:
    """Log records and warnings of libraries go to standard error while a command runs, when they are wanted."""

    def __init__(self, display: Display) -> None:
        self.level = "ERROR" if display.quiet else ("WARNING", "INFO", "DEBUG")[min(display.verbose, 2)]

    def __enter__(self) -> None:
        import logging
        import warnings

        self.warnings = warnings.catch_warnings()
        self.warnings.__enter__()
        if self.level != "DEBUG":
            warnings.simplefilter("ignore")
        self.handler = logging.StreamHandler()
        self.handler.addFilter(_made_visible)
        self.handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        logger = logging.getLogger("gm")
        logger.addHandler(self.handler)
        self.level_before = logger.level
        logger.setLevel(self.level)

    def __exit__(self, *error: object) -> None:
        import logging

        logger = logging.getLogger("gm")
        logger.removeHandler(self.handler)
        logger.setLevel(self.level_before)
        self.warnings.__exit__(None, None, None)
