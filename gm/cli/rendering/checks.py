"""What ``gm validate`` says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from gm.cli.failures import count_text, problem_lines
from gm.cli.options import Display
from gm.cli.terminal.output import paint, print_json, print_text
from gm.cli.terminal.tables import fitted

if TYPE_CHECKING:
    from gm.pipeline.commands.validate import Checked


def show_checks(checks: Sequence[Checked], display: Display) -> int:
    """Every problem of every config; the exit code of the worst, where an invalid file is worse than unusable data."""
    problems = [problem for check in checks for problem in check.problems]
    for check in checks:
        if check.problems:
            print_text("\n".join(problem_lines(check.problems, display.color)))
        elif check.exit_code:
            print_text(check.message)
        elif not display.quiet:
            print_text(
                "\n".join(fitted([f"{check.config}: {paint('valid', 'green', display.color)}: {check.message}"]))
            )
    bad = sum(max(len(check.problems), 1) for check in checks if check.exit_code)
    if bad:
        print_text(paint(count_text(bad), "red", display.color) + "      gm schema config | models | datasets")
    exit_code = min((check.exit_code for check in checks if check.exit_code), default=0)
    if display.json:
        document = {"status": "error" if bad else "ok", "exit_code": exit_code, "problems": list(map(asdict, problems))}
        print_json({**document, "configs": [asdict(check) for check in checks]})
    return exit_code
