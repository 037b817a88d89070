"""How the ends of commands that write files for others look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.options import Display
from gm.cli.terminal.output import print_json, print_result, print_text
from gm.cli.terminal.tables import fitted


def render_converted(told: Mapping[str, Any], display: Display) -> None:
    """The file that was written, and what is not in it as a warning each."""
    if display.json:
        print_json(told)
        return
    if not display.quiet:
        for text in told["warnings"]:
            print_text("\n".join(fitted([f"warning: {text}"])))
    print_result(told["file"])
