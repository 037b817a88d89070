"""Errors become text and exit codes here, and nowhere else."""

from __future__ import annotations

import contextlib
import json
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import singledispatch

import click

from gm.cli.terminal.output import paint, print_result, print_text, use_color
from gm.errors import DataError, GmError, Interrupted, InvalidInput, Problem

_SHOWN = 100


@dataclass(frozen=True)
class Manner:
    """How a failure is told. Read from the bare arguments, since a wrong command line has no parsed ones."""

    json: bool
    traceback: bool
    color: bool

    @classmethod
    def of(cls, arguments: Sequence[str]) -> Manner:
        given = list(arguments[: arguments.index("--")] if "--" in arguments else arguments)
        mode = "auto"
        for position, argument in enumerate(given):
            if argument == "--color" and position + 1 < len(given):
                mode = given[position + 1]
            elif argument.startswith("--color="):
                mode = argument.removeprefix("--color=")
        return cls("--json" in given, "--traceback" in given, use_color(mode))


def error_lines(error: BaseException, color: bool) -> list[str]:
    """What an error says, for eyes."""
    _, text, problems = _describe(error)
    return [*problem_lines(problems, color), text]


def exit_code_of(error: BaseException, manner: Manner) -> int:
    """Tell ``error`` on standard error (and as a JSON document on standard output); return its exit code."""
    code, text, problems = _describe(error)
    if manner.traceback or code == 70:
        print_text("".join(traceback.format_exception(error)).rstrip())
    print_text("\n".join(error_lines(error, manner.color)))
    if manner.json:
        document = {"status": "error", "exit_code": code, "message": text, "problems": [asdict(p) for p in problems]}
        with contextlib.suppress(OSError):  # standard error has told it
            print_result(json.dumps(document, indent=2, ensure_ascii=False))
    return code


_Description = tuple[int, str, list[Problem]]
"""Exit code, one message, and the problems with a place that an error carries."""


def _bug(error: BaseException) -> _Description:
    return 70, f"gm: this is a bug in gm: {type(error).__name__}: {error}", []


_describe = singledispatch(_bug)


@_describe.register
def _(error: click.exceptions.ClickException) -> _Description:
    return 2, _usage_text(error), []


@_describe.register(click.Abort)
@_describe.register(KeyboardInterrupt)
@_describe.register(Interrupted)
def _(error: BaseException) -> _Description:
    return 130, "interrupted; everything finished before is kept", []


@_describe.register
def _(error: InvalidInput) -> _Description:
    return error.exit_code, count_text(len(error.problems)), error.problems


@_describe.register
def _(error: GmError) -> _Description:
    return _bug(error) if error.exit_code == GmError.exit_code else (error.exit_code, f"gm: {error}", [])


@_describe.register
def _(error: MemoryError) -> _Description:
    return DataError.exit_code, "gm: the data do not fit into memory", []


@_describe.register
def _(error: OSError) -> _Description:
    place = f": {error.filename}" if error.filename else ""
    return DataError.exit_code, f"gm: {error.strerror or error}{place}", []


def _usage_text(error: click.exceptions.ClickException) -> str:
    context = getattr(error, "ctx", None)
    message = error.format_message()
    message = message[:1].lower() + message[1:]
    if context is None:
        return f"gm: {message}"
    usage = context.get_usage().replace("Usage: ", "usage: ")
    return f"gm: {message}\n{usage}\n{context.command_path} --help says more"


def problem_lines(problems: Sequence[Problem], color: bool) -> list[str]:
    """Problems as ``file:line:column: path: message`` with their hints indented; the first hundred of them."""
    lines = []
    for problem in problems[:_SHOWN]:
        place = paint(f"{problem.file}:{problem.line}:{problem.column}:", "bold", color)
        lines.append(f"{place} {paint(problem.path, 'cyan', color)}: {problem.message}")
        if problem.hint:
            lines.extend(f"    {line}" for line in problem.hint.splitlines())
    if len(problems) > _SHOWN:
        lines.append(f"... {len(problems) - _SHOWN} more problems; --json gives all of them")
    return lines


def count_text(count: int) -> str:
    """``3 problems; nothing was run.``"""
    return f"{count} problem{'' if count == 1 else 's'}; nothing was run."
