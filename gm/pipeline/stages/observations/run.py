"""Observations reduced one after the other, and what becomes of them as files."""

from __future__ import annotations

import os
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gm.datasets import read_dataset, write_dataset
from gm.datasets.operations.backgrounds import described, values_of
from gm.errors import DataError
from gm.io.allocator import keep_freed_memory
from gm.io.file_names import distinct, file_stem
from gm.io.files import write_atomic
from gm.io.processes import can_fork, in_processes
from gm.io.yaml_writer import dump_yaml
from gm.makers.reduction import Reduced, stack
from gm.models import BackgroundIRFModel, Models
from gm.models.documents.writing import ModelsWriter
from gm.pipeline.analysis.load import edited
from gm.pipeline.analysis.paths import data_file
from gm.pipeline.inputs import Inputs
from gm.pipeline.journal import Journal, Row
from gm.pipeline.results import files_of_datasets, read_result, write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import MODELS, Ran, Task
from gm.pipeline.stages.observations.jobs import Job, find_jobs
from gm.pipeline.stages.observations.rows import component_of, reduce_job, still_valid
from gm.readable import plural

RETRY = "retry-failed"
_UNFINISHED = ".reduction"
"""Folder beside the datasets of what a run has done so far; gone when it has finished."""


@dataclass(frozen=True, eq=False)
class _Written:
    """A dataset that is there: its file, its component, and the observations that it is of."""

    name: str
    type: str
    file: Path
    component: BackgroundIRFModel | None
    inputs: list[str]


def run_reduction(session: Session, task: Task, inputs: Inputs) -> Ran:
    """Reduce all observations that are not up to date; write the documents after the datasets."""
    start, folder = time.perf_counter(), task.result.parent
    analysis = session.analysis
    entries = [replace(entry, reduction=entry.reduction.prepared()) for entry in analysis.of(task.stage) or ()]
    jobs = find_jobs(analysis.sections[task.stage.name], entries)
    _check_free(jobs, session)
    files = files_of_datasets(folder, list(dict.fromkeys(job.dataset for job in jobs if job.obs_id is not None)))
    documents = [task.result, *(task.result.with_name(name) for name in ("datasets.yaml", "edits.yaml", *MODELS))]
    before = _rows_before(session, task)
    session.begin(task.key, [*documents, *files.values()])
    rows = _reduce(session, task, jobs, files, before)
    made = _stacked(jobs, rows, files, folder) + _single(jobs, rows, files)
    made.sort(key=lambda one: list(files).index(one.name))
    models, kept = _joined(session.start.models(), made)
    models = edited(analysis, models)
    for row in rows:
        if row.get("component") is not None:
            row["component"]["kept"] = row["component"]["name"] in kept
    writer = ModelsWriter(models, folder / "models.yaml", session.own_files(task.key))
    session.begin(task.key, [*documents[:3], *writer.files, *(one.file for one in made)])
    writer.write()
    _write_list(session, folder, made)
    name = analysis.settings.name
    write_document(folder / "edits.yaml", _edits(name, made, kept))
    document = {"schema": task.stage.schema, "name": name, **_verdict(rows), "observations": rows, "inputs": inputs}
    write_document(task.result, document)
    shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
    seconds = time.perf_counter() - start
    session.reporter.step("reduce", f"{plural(len(rows), 'observation')}, {plural(len(made), 'dataset')}", seconds)
    return document, {"reduce": seconds}


def _check_free(jobs: Sequence[Job], session: Session) -> None:
    """Raise `DataError` where a dataset of the config has the name of one that is made."""
    given = {entry["name"] for part in session.start.parts() for entry in part.document.data["datasets"]}
    taken = next((job.dataset for job in jobs if job.dataset in given), None)
    if taken is not None:
        raise DataError(f"a dataset of the config is called '{taken}' already\n    give the observations another name")


def _rows_before(session: Session, task: Task) -> list[Row]:
    """The rows of an earlier run; none where somebody has changed them."""
    if not session.is_as_written(task.key, task.result):
        return []
    return (read_result(task.result, task.stage.schema) or {}).get("observations") or []


def _reduce(
    session: Session, task: Task, jobs: Sequence[Job], files: Mapping[str, Path], before: Sequence[Row]
) -> list[Row]:
    """The row of every job; those of an earlier run that still count, ``before`` or stopped, are not done again."""
    unfinished = task.result.parent / _UNFINISHED
    unfinished.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()
    stems = distinct([file_stem(job.part) for job in jobs])
    places = [
        unfinished / f"{stem}.fits" if job.entry.stacked or job.obs_id is None else files[job.dataset]
        for job, stem in zip(jobs, stems, strict=True)
    ]
    journal = Journal(unfinished / "rows.jsonl")
    pairs = list(zip(jobs, places, strict=True))
    found = still_valid([*before, *journal.rows()], pairs, retry=RETRY in session.analysis.request.flags)
    left = [(job, place) for job, place in pairs if job not in found]
    if found and left:
        session.reporter.say(f"  {plural(len(found), 'observation')} from before, {len(left)} to do")
    for number, (row, (job, _)) in enumerate(zip(_rows(session, left), left, strict=True)):
        found[job] = row
        journal.add(row)
        session.reporter.progress("reduce", number + 1, len(left), job.part)
    return [found[job] for job in jobs]


def _rows(session: Session, left: Sequence[tuple[Job, Path]]) -> Iterator[Row]:
    workers = session.analysis.settings.workers or 1
    if workers > 1 and len(left) > 1 and can_fork():
        return in_processes(_row, left, workers, 1)
    return map(_row, left)


def _row(pair: tuple[Job, Path]) -> Row:
    return reduce_job(*pair)


def _single(jobs: Sequence[Job], rows: Sequence[Row], files: Mapping[str, Path]) -> list[_Written]:
    pairs = [(j, row) for j, row in zip(jobs, rows, strict=True) if row["status"] == "ok" and not j.entry.stacked]
    return [
        _Written(j.dataset, row["type"], files[j.dataset], component_of(j, row), [str(j.obs_id)]) for j, row in pairs
    ]


def _stacked(jobs: Sequence[Job], rows: Sequence[Row], files: Mapping[str, Path], folder: Path) -> list[_Written]:
    """The stack of every entry that wants one, its parts read one after the other."""
    made = []
    stems = distinct([file_stem(job.part) for job in jobs])
    usable = [t for t in zip(jobs, rows, stems, strict=True) if t[1]["status"] == "ok" and t[0].entry.stacked]
    for entry in dict.fromkeys(job.entry for job, _, _ in usable):
        own = [(job, row, stem) for job, row, stem in usable if job.entry is entry]
        parts = (
            (_part(row, folder / _UNFINISHED / f"{stem}.fits", job), component_of(job, row)) for job, row, stem in own
        )
        result = stack(parts, entry.reduction.target, entry.name)
        assert result is not None  # there are parts
        dataset, component = result
        write_dataset(dataset, files[entry.name])
        numbers = [str(job.obs_id) for job, _, _ in own]
        made.append(_Written(entry.name, dataset.type, files[entry.name], component, numbers))
    return made


def _part(row: Row, file: Path, job: Job) -> Reduced:
    return read_dataset(row["type"], file, job.part)  # type: ignore[return-value]  # no flux points


def _joined(models: Models, made: Sequence[_Written]) -> tuple[Models, set[str]]:
    """The global model with the components of the datasets; those of the config stay, and are named."""
    joined, kept = Models(models), set[str]()
    for component in (one.component for one in made if one.component is not None):
        if component.name not in models:
            joined.append(component)
            continue
        if models.backgrounds().get(component.dataset_name) is not models[component.name]:
            raise DataError(f"the models have a component '{component.name}' that is no background of its dataset")
        kept.add(component.name)
    return joined, kept


def _write_list(session: Session, folder: Path, made: Sequence[_Written]) -> None:
    """``datasets.yaml``: those of the config where they are, and those that were made."""
    rows = []
    for part in session.start.parts():
        for entry in part.document.data["datasets"]:
            file = data_file(part.document.directory, entry["filename"])
            rows.append({**entry, "filename": Path(os.path.relpath(file, folder)).as_posix()})
    rows += [{"name": one.name, "type": one.type, "filename": one.file.relative_to(folder).as_posix()} for one in made]
    write_atomic(folder / "datasets.yaml", dump_yaml({"datasets": rows}))


def _edits(name: str, made: Sequence[_Written], kept: set[str]) -> dict[str, Any]:
    """What joined the global model, as the operations tell it."""
    operations = []
    for one in made:
        component = one.component
        edits = []
        if component is not None and component.name not in kept:
            row = {"action": "new", "component": component.name, "text": described(component), "dataset": one.name}
            edits.append({**row, **values_of(component)})
        operations.append(
            {"operation": "reduce", "results": [{"name": one.name, "inputs": one.inputs}], "edits": edits}
        )
    return {"schema": "gm/edits/1", "name": name, "operations": operations}


def _verdict(rows: Sequence[Row]) -> dict[str, str]:
    n = Counter(row["status"] for row in rows)
    status = "done" if n["ok"] == len(rows) else "incomplete" if n["ok"] else "failed"
    told = [f"{n['ok']} of {plural(len(rows), 'observation')} reduced"]
    told += [f"{n[kind]} {kind}" for kind in ("empty", "failed") if n[kind]]
    return {"status": status, "message": ", ".join(told)}
