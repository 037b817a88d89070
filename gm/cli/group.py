"""The ``gm`` command itself: finds a command's file on first use, and turns every ending into an exit code."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, NoReturn

import click

from gm.cli.commands.stage import stage_command
from gm.cli.failures import Manner, exit_code_of
from gm.errors import suggest
from gm.pipeline.stages.registry import STAGES
from gm.version import __version__

_BEFORE_STAGES = ("init", "validate", "plan")
_AFTER_STAGES = ("run", "show", "plot", "convert", "models", "compare", "verify", "schema", "deps")

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

HELP = """Fit gamma-ray data with one global model.

An analysis is described in YAML; a command writes a result file and prints its path. Results go to standard output,
everything else to standard error.

\b
  gm init crab           a complete, runnable analysis in the folder 'crab'
  gm validate CONFIG     every problem at once, with line and column
  gm fit CONFIG          the joint fit

Exit codes: 0 done, 1 not converged or failed entries, 2 wrong command line, 3 invalid YAML file, 4 unusable data,
5 engine failure, 70 a bug in gm, 130 interrupted.

Shell completion: eval "$(_GM_COMPLETE=bash_source gm)", with zsh_source or fish_source for the other shells.
"""


def command_names() -> list[str]:
    """All commands, those of the stages in the order in which they run."""
    return [*_BEFORE_STAGES, *(stage.command for stage in STAGES), *_AFTER_STAGES]


class Gm(click.Group):
    """The group of commands: one of each stage, the others in ``gm/cli/commands/<command>.py`` as ``command``."""

    def __init__(self) -> None:
        super().__init__(name="gm", help=HELP, context_settings={"help_option_names": ["-h", "--help"]})
        self.params.append(_version_option())

    def list_commands(self, ctx: click.Context) -> list[str]:
        return command_names()

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        stage = next((stage for stage in STAGES if cmd_name in (stage.command, *stage.aliases)), None)
        if stage is not None:
            return stage_command(stage)
        if cmd_name not in command_names():
            return None
        command: click.Command = import_module(f"gm.cli.commands.{cmd_name.replace('-', '_')}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """All of them with their whole first sentence."""
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        rows = [(name, command.get_short_help_str(limit=1000)) for name, command in commands if command is not None]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = [*command_names(), *(alias for stage in STAGES for alias in stage.aliases)]
        if args and not args[0].startswith("-") and args[0] not in known:
            raise click.UsageError(f"no command '{args[0]}'\n    {suggest(args[0], known, 'commands')}", ctx)
        return super().resolve_command(ctx, args)

    def main(  # type: ignore[override]  # always standalone: endings are exit codes, never exceptions
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        # Before NumPy is imported: BLAS reads these once. Its threads wait for each other in a busy loop, which on
        # shared cores made the small products of a fit 100 times slower; gm has threads of its own, over datasets.
        for name in _THREADS:
            os.environ.setdefault(name, "1")
        _open_standard_streams()
        arguments = list(sys.argv[1:] if args is None else args)
        try:
            with _interrupt_on_termination():
                code = super().main(arguments, prog_name or "gm", standalone_mode=False, obj=tuple(arguments), **extra)
        except SystemExit:
            raise
        except BaseException as error:
            sys.exit(exit_code_of(error, Manner.of(arguments)))
        sys.exit(code or 0)


def _version_option() -> click.Option:
    def show(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
        if wanted and not ctx.resilient_parsing:
            click.echo(f"gm {__version__}")
            ctx.exit()

    return click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=show, help="Print the version."
    )


def _open_standard_streams() -> None:
    """A closed one becomes ``/dev/null``: else the next file to be opened has its number, and what libraries print."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


@contextmanager
def _interrupt_on_termination() -> Iterator[None]:
    """SIGTERM, and SIGHUP of a terminal that is closed, end a command as Ctrl-C does: temporary files are removed, what
    is finished is kept. A signal that the caller ignores, as ``nohup`` does, stays ignored.
    """

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals: those of the caller stay
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
