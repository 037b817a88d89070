"""Results replace only what gm has written: asked before anything runs, and again before the first byte."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from gm.errors import DataError, JsonPath
from gm.io.files import kind_of, state_of
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.provenance import Record

_SHOWN = 5
_EFFECTIVE = os.access in os.supports_effective_ids
_HINT = "another folder for the results: output: DIR in the config, or -o DIR"

Sources = Callable[[], Iterable[Path]]
"""The files that the analysis starts from, found when they are needed."""


def check_outputs(analysis: Analysis, files: Iterable[Path], record: Record, sources: Sources) -> None:
    """Whether stages may write ``files``. Raises `InvalidInput` for inputs, and for what others have written."""
    findings, problems = Findings(), list(_taken(files, record, sources))
    more = [f"{len(problems) - _SHOWN} more files that must not be written"] if len(problems) > _SHOWN else []
    for problem in [*problems[:_SHOWN], *more]:
        findings.add(analysis.config, _place(analysis), problem, _HINT)
    findings.stop_if_any()


def check_folder(analysis: Analysis) -> None:
    """Raises `InvalidInput` where the results would be in a file instead of a folder, or in none that can be."""
    findings, output = Findings(), analysis.settings.output.absolute()
    try:
        os.lstat(output)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        findings.add_missing(analysis.config, _place(analysis), f"{output}: {error.strerror}\n{_HINT}")
        findings.stop_if_any()
    there = next(path for path in (output, *output.parents) if os.path.lexists(path))
    if not there.is_dir():
        findings.add_missing(
            analysis.config, _place(analysis), f"{there} is {kind_of(there)}, expected a folder\n{_HINT}"
        )
    findings.stop_if_any()


def _place(analysis: Analysis) -> JsonPath:
    """Where the config says which folder the results go to, if it does."""
    return ("output",) if analysis.request.output is None and "output" in analysis.config.data else ()


def check_writable(files: Iterable[Path]) -> None:
    """Raises `DataError` where a folder that the files are to be in cannot be written to."""
    for folder in dict.fromkeys(file.parent for file in files):
        there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
        if not os.access(there, os.W_OK | os.X_OK, effective_ids=_EFFECTIVE):
            raise DataError(f"{folder}: cannot be written: no permission in '{there}'")


def _taken(files: Iterable[Path], record: Record, sources: Sources) -> Iterator[str]:
    """What is wrong with writing the files, the record included."""
    own = {record.output / name for name in record.files()} | ({record.file} if record.is_readable else set())
    inputs: set[tuple[int, int]] | None = None
    for file in dict.fromkeys([record.file, *files]):
        try:
            found = os.stat(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield f"{file} cannot be written: {error.strerror}"
            continue
        inputs = _identities(sources()) if inputs is None else inputs
        if (found.st_dev, found.st_ino) in inputs:
            yield f"{file} would be replaced, and is an input"
        elif not stat.S_ISREG(found.st_mode):
            yield f"{file} would be replaced, and is no file"
        elif file not in own:
            yield f"{file} is there, and no record says that gm has written it"


def _identities(files: Iterable[Path]) -> set[tuple[int, int]]:
    """What the files are, whatever they are called; those that are not there are left out."""
    return {state[:2] for state in map(state_of, files) if state is not None}
