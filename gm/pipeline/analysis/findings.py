"""Every problem of an analysis, gathered over all of its files before anything runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gm.config_schemas.file_patterns import why_missing
from gm.errors import DataError, InvalidInput, JsonPath, Problem

if TYPE_CHECKING:
    from gm.config_schemas.reader import Document

Report = Callable[[JsonPath, str, str], None]
"""Notes a problem: its place, what is wrong, a hint."""


class Findings:
    """A growing list of problems, which remembers whether they are all of the kind 'a file is missing'."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self._all_missing = True

    def add(self, document: Document, path: JsonPath, message: str, hint: str = "", *, key: bool = False) -> None:
        """Note a problem at a place of a document."""
        self.extend([document.problem(path, message, hint, key=key)])

    def add_missing(self, document: Document, path: JsonPath, message: str) -> None:
        """Note that a file which the document names is not there, or is no such file."""
        first, _, hint = message.partition("\n")
        self.problems.append(document.problem(path, first, hint.strip() or why_missing(first)))

    def extend(self, problems: list[Problem]) -> None:
        self._all_missing = self._all_missing and not problems
        self.problems.extend(problems)

    def reporter(self, document: Document, prefix: JsonPath = ()) -> Report:
        """A function that notes problems of one document, at paths below ``prefix``."""

        def report(path: JsonPath, message: str, hint: str = "") -> None:
            self.add(document, (*prefix, *path), message, hint)

        return report

    def key_reporter(self, document: Document, prefix: JsonPath) -> Report:
        """As `reporter`, but what is wrong with an entry as a whole is at its key, such as an unknown address."""

        def report(path: JsonPath, message: str, hint: str = "") -> None:
            self.add(document, (*prefix, *path), message, hint, key=len(path) == 1)

        return report

    def stop_if_any(self) -> None:
        """Raise everything found as one `InvalidInput`; when only files are missing, with the exit code of that."""
        if self.problems:
            error = InvalidInput(self.problems)
            if self._all_missing:
                error.exit_code = DataError.exit_code
            raise error
