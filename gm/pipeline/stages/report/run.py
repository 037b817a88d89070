"""The report stage: results are read from their files, and become a page."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from gm.errors import DataError
from gm.figures.look import check_matplotlib
from gm.figures.results import Result
from gm.io.files import write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.pipeline.provenance import SCHEMA
from gm.pipeline.results import read_result
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Task
from gm.readable import plural
from gm.report.page import build_page


def run_report(session: Session, task: Task, told: Iterable[Task], title: str | None) -> tuple[list[Path], float]:
    """Build the page of the results of tasks, and write it after its figures: these, and the seconds it took.

    Raises `UsageError` without Matplotlib, and `DataError` where no stage has left a result, or one is damaged.
    """
    check_matplotlib()
    began, analysis = time.perf_counter(), session.analysis
    results = []
    for other in told:
        document = read_result(other.result, other.stage.schema)
        if document is None:
            raise DataError(f"{other.result}: cannot be read\n    gm {other.stage.command} --force makes it again")
        results.append(Result(other.stage.kind, document, other.result.parent))
    if not results:
        raise DataError("no result to report of\n    declare what is to be computed in the config, such as fit: {}")
    provenance = read_result(session.record.file, SCHEMA) or {}
    stages = {key: record for key, record in (provenance.get("stages") or {}).items() if key != task.key}
    config = dump_yaml(task.config(), allow_nan=True)
    page = build_page(title or analysis.settings.name, results, config, stages)
    figures = {task.result.with_name("figures") / name: text for name, text in page.figures.items()}
    session.begin(task.key, [task.result, *figures])
    for file, text in figures.items():
        write_atomic(file, text)
    write_atomic(task.result, page.text)
    seconds = time.perf_counter() - began
    session.reporter.step("report", f"{plural(len(results), 'result')}, {plural(len(figures), 'figure')}", seconds)
    return list(figures), seconds
