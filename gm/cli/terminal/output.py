"""Where words go: results to standard output, everything for eyes to standard error; colours only when allowed."""

from __future__ import annotations

import os
import re
import sys
from typing import TextIO

_CODES = {"bold": "1", "red": "31", "green": "32", "yellow": "33", "cyan": "36", "dim": "2"}
_MARK = "\ufdd0{}\ufdd1"
"""A style inside a line that is not printed yet, between two of Unicode's noncharacters, which no text has."""

_STYLE = re.compile(_MARK.format("([0-9]+)"))
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def use_color(mode: str, stream: TextIO | None = None) -> bool:
    """Whether a stream, by default standard error, takes colours: ``always``, ``never``, or on a terminal without
    ``NO_COLOR``."""
    if mode in ("always", "never"):
        return mode == "always"
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_terminal(stream: TextIO | None = None) -> bool:
    """Whether a person reads a stream, by default standard error."""
    stream = sys.stderr if stream is None else stream
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def paint(text: str, style: str, color: bool) -> str:
    """The text with a terminal style once it is printed, or as it is."""
    return _MARK.format(_CODES[style]) + text + _MARK.format(0) if color and text else text


def visible(text: str) -> str:
    """The text as a terminal may have it: what would steer the terminal is written out, but for the styles of `paint`.

    Names, keys, cards of files and paths come from outside: an escape sequence in one must not erase the line above.
    """
    return _STYLE.sub("\x1b[\\1m", _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text))


def printed_width(line: str) -> int:
    """How many columns a line takes; styles take none."""
    return len(_STYLE.sub("", line))


def print_result(text: str) -> None:
    """Write to standard output at once, `visible`. A reader that has gone away is no error; a full disk is."""
    if sys.stdout is None:
        return
    line = visible(text if text.endswith("\n") else text + "\n")
    try:
        try:
            sys.stdout.write(line)
        except UnicodeEncodeError:
            sys.stdout.write(line.encode("ascii", "backslashreplace").decode())
        sys.stdout.flush()
    except BrokenPipeError:
        _point_at_nothing(sys.stdout.fileno())
    except OSError:
        _point_at_nothing(sys.stdout.fileno())
        raise


def print_text(text: str) -> None:
    """Write a line for eyes to standard error; a standard error that nobody reads is no reason to fail."""
    if sys.stderr is None:
        return
    text = visible(text)
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except UnicodeEncodeError:
        sys.stderr.write(text.encode("ascii", "backslashreplace").decode() + "\n")
    except (OSError, ValueError):
        return


def _point_at_nothing(descriptor: int) -> None:
    """Send what is still buffered nowhere, so that Python's own flush at exit does not complain."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, descriptor)
    os.close(nothing)


def print_json(data: object) -> None:
    """Write one JSON document to standard output; JSON has no infinities, so they are null."""
    import json

    finite = json.loads(json.dumps(data), parse_constant=lambda _: None)
    print_result(json.dumps(finite, indent=2, ensure_ascii=False, allow_nan=False))
