"""What ``gm init`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gm.cli.options import Display
from gm.cli.terminal.output import print_json, print_result, print_text


def show_examples(examples: Mapping[str, str], display: Display) -> int:
    """The names of the examples and what they show."""
    if display.json:
        print_json([{"name": name, "description": text} for name, text in examples.items()])
    else:
        width = max(map(len, examples), default=0)
        print_result("\n".join(f"{name:<{width}}  {text}" for name, text in examples.items()))
    return 0


def show_written(paths: Sequence[Path], folder: str, display: Display, notes: Sequence[str] = ()) -> int:
    """The files that were written, what to look at in them, and what to do next."""
    if display.json:
        print_json({"files": [str(path) for path in paths], **({"notes": list(notes)} if notes else {})})
    else:
        print_result("\n".join(map(str, paths)))
    for note in notes:
        print_text(f"note: {note}")
    if not display.quiet:
        there = "" if folder == "." else f"cd {folder} && "
        print_text(f"next: {there}gm {'validate' if notes else 'run'} config.yaml")
    return 0
