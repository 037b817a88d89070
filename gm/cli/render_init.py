"""What ``gm init`` says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from gm.cli.options import Display
from gm.cli.output import print_json, print_result, print_text


def show_examples(examples: Mapping[str, str], display: Display) -> int:
    """The names of the examples and what they show."""
    if display.json:
        print_json([{"name": name, "description": text} for name, text in examples.items()])
    else:
        width = max(map(len, examples), default=0)
        print_result("\n".join(f"{name:<{width}}  {text}" for name, text in examples.items()))
    return 0


def show_written(paths: Sequence[Path], folder: str, display: Display) -> int:
    """The files that were written, and what to do next."""
    if display.json:
        print_json({"files": [str(path) for path in paths]})
    else:
        print_result("\n".join(map(str, paths)))
    if not display.quiet:
        print_text(f"next: cd {folder} && gm run config.yaml")
    return 0
