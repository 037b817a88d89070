"""What PyYAML says about broken syntax, in words that help."""

from __future__ import annotations

import re

import yaml

from gm.errors import Problem

_HINTS = (
    ("mapping values are not allowed", "a value that contains ': ' must be in quotes; or the indentation is wrong"),
    ("could not find expected ':'", "a key without ':' or with wrong indentation, here or on the line above"),
    ("did not find expected key", "the indentation does not match the lines above, or a quote is not closed"),
    ("did not find expected '-' indicator", "the indentation of this list item does not match the items above"),
    ("did not find expected ',' or", "a comma or the closing bracket is missing"),
    ("unexpected end of stream", "a quote is opened and not closed"),
    ("unknown escape character", "in double quotes a backslash starts an escape: use single quotes"),
)
_NO_SPACE = re.compile("[\u00a0\u2000-\u200b\u202f\u3000\ufeff]")  # look like a space, or like nothing


def syntax_problem(error: yaml.YAMLError, source: str, text: str) -> Problem:
    """The problem, with its place, that a parser error is about."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    message = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    if mark is None:
        position = getattr(error, "position", 0)
        before = text.encode("utf-8", "surrogatepass")[:position].decode("utf-8", "ignore")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return Problem(source, line, column, "$", f"not YAML: {message}", "the file holds a control character")
    line, column = mark.line + 1, mark.column + 1
    lines = text.splitlines()
    at = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    hint = next((hint for part, hint in _HINTS if part in message), "")
    if "cannot start any token" in message:
        hint = "indent with spaces, not tabs" if at == "\t" else f"put the value that starts with {at!r} in quotes"
    near = lines[max(mark.line - 1, 0) : mark.line + 1]
    if any(_NO_SPACE.search(one) for one in near):
        hint = "a no-break space, as web pages and word processors have, is not a space to YAML: type it anew"
    context = getattr(error, "context_mark", None)
    if context is not None and context.line + 1 != line:
        message += f" ({getattr(error, 'context', '')}, from line {context.line + 1})"
    return Problem(source, line, column, "$", f"not YAML: {message}", hint)
