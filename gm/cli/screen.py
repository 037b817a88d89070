"""What a person sees while the pipeline works, and what is printed when it is done."""

from __future__ import annotations

import shutil
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gm.cli.failures import error_lines
from gm.cli.options import Display
from gm.cli.terminal.output import is_terminal, paint, print_json, print_result, print_text, visible

if TYPE_CHECKING:
    from gm.pipeline.run import Outcome

_WAIT = 1.0
"""Seconds before a progress bar appears."""

_NARROW = 60
"""Columns below which a terminal gets plain text."""


class Screen:
    """The pipeline's reporter on standard error; bars only on a terminal, and only for what takes long."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._bars_allowed = not display.quiet and is_terminal() and shutil.get_terminal_size().columns >= _NARROW
        self._bars: Any = None
        self._tasks: dict[str, Any] = {}
        self._began: dict[str, float] = {}

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._close_bars()

    def say(self, text: str) -> None:
        if not self._display.quiet:
            self._close_bars()
            print_text(text)

    def step(self, name: str, text: str, seconds: float) -> None:
        self.say(f"  {name:<11} {text:<52} {seconds:.2f} s")

    def progress(self, name: str, done: int, total: int, text: str = "") -> None:
        if self._display.verbose and not self._display.quiet and text and done > 1:
            self.say(f"  {name:<11} {done}   {text}")
            return
        if not self._bars_allowed:
            return
        began = self._began.setdefault(name, time.monotonic())
        if time.monotonic() - began < _WAIT and name not in self._tasks:
            return
        if self._bars is None:
            self._bars = _new_bars(self._display.color)
            self._bars.start()
        if name not in self._tasks:
            self._tasks[name] = self._bars.add_task(visible(name), total=total or None, text=visible(text))
        self._bars.update(self._tasks[name], completed=done, total=total or None, text=visible(text))

    def _close_bars(self) -> None:
        if self._bars is not None:
            self._bars.stop()
        self._bars, self._tasks, self._began = None, {}, {}


def show_outcome(outcome: Outcome, display: Display) -> int:
    """Tables for eyes on standard error, the paths (or one JSON document) on standard output."""
    from gm.cli.rendering.results import result_lines, verdict_lines

    for product in outcome.products if not display.quiet else ():
        kind = product.stage.kind
        lines = result_lines(kind, product.document, display.color) if product.ran and kind else []
        if not product.ran and outcome.exit_code:
            lines = verdict_lines(kind, product.document, display.color)
        if lines:
            print_text("\n".join(lines))
    for failure in outcome.failures:
        print_text("\n".join(error_lines(failure.error, display.color)))
    if outcome.message:
        print_text(paint(outcome.message, "yellow", display.color))
    if display.json:
        print_json(outcome.document())
    else:
        for product in outcome.products:
            print_result(str(product.path))
    return outcome.exit_code


def _new_bars(color: bool) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, no_color=not color)
    name, more = TextColumn("  {task.description:<11}", markup=False), TextColumn("{task.fields[text]}", markup=False)
    return Progress(
        name, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), more, console=console, transient=True
    )
