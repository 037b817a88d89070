"""``gm deps``: results and the files that they are made from, as Makefile rules without recipes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gm.errors import DataError
from gm.pipeline.analysis.load import Analysis, load
from gm.pipeline.analysis.request import Request
from gm.pipeline.inputs import dataset_files, document_files
from gm.pipeline.run import usual_tasks
from gm.pipeline.sources import source_files
from gm.pipeline.stages.base import Task
from gm.pipeline.stages.registry import STAGES

_REFUSED = re.compile(r"[;=|\\\x00-\x1f\x7f]|\)$|[& ]$|^[~-]")  # make reads these as its own, however they are escaped
_PATTERN = re.compile(r"[*?\[]")
_HINT = "rename what holds ; = | \\ or a control character, begins with ~ or -, ends in ) or &; results with * ? or ["

Rule = dict[str, Any]
"""``target``: a result file; ``inputs``: the files that it is made from."""


def dependencies(request: Request) -> list[Rule]:
    """One rule per result of the declared stages (of the fit, when none is declared)."""
    analysis = load(request, STAGES)
    tasks, inputs = usual_tasks(analysis), _inputs(analysis)
    return [
        {"stage": task.label, "target": task.result.as_posix(), "inputs": [*inputs, *_before(task, tasks)]}
        for task in tasks
    ]


def makefile(rules: Iterable[Rule]) -> str:
    """The rules as text to include; a recipe for the same targets is the user's own.

    Raises `DataError` for names of files that a Makefile cannot hold: make would run what is behind a ``;``.
    """
    rules = list(rules)
    targets = [rule["target"] for rule in rules]
    refused = [name for name in targets if _PATTERN.search(name)]  # make reads an escape only where the file is there
    refused += [name for rule in rules for name in (rule["target"], *rule["inputs"]) if _REFUSED.search(name)]
    if refused:
        raise DataError("\n    ".join(["a Makefile cannot hold these names of files:", *dict.fromkeys(refused), _HINT]))
    lines = []
    for rule in rules:
        inputs = " \\\n  ".join(_escaped(file) for file in rule["inputs"])
        lines.append(f"{_escaped(rule['target'], target=True)}: {inputs}")
    return "\n".join(lines)


def _inputs(analysis: Analysis) -> list[str]:
    datasets = analysis.documents.datasets
    files = [*source_files(analysis), *document_files(datasets), *dataset_files(datasets)]
    return list(dict.fromkeys(file.as_posix() for file in files))


def _before(task: Task, tasks: Iterable[Task]) -> list[str]:
    """Results of earlier stages that a task starts from."""
    return [other.result.as_posix() for other in tasks if other.stage.phase < task.stage.phase]


def _escaped(path: str, *, target: bool = False) -> str:
    """A path as make reads it."""
    text = re.sub(r"([ #:*?\[])", r"\\\1", path).replace("$", "$$")
    return text.replace("%", "\\%") if target else text
