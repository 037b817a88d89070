"""``gm verify``: whether results are what they were, whether they are made from the same bytes, and are made again."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from gm.errors import DataError, GmError
from gm.io.files import sha256
from gm.pipeline.analysis.load import load
from gm.pipeline.analysis.request import Request
from gm.pipeline.inputs import Inputs
from gm.pipeline.provenance import Record, versions
from gm.pipeline.reporter import Reporter, Silent
from gm.pipeline.results import as_mapping
from gm.pipeline.run import build_tasks, run
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Stage
from gm.pipeline.stages.registry import STAGES

Status = Literal["same", "changed", "gone", "unknown"]


@dataclass(frozen=True)
class Check:
    """One thing that was compared with the record of a stage.

    what : ``output``, a result as it was written; ``input``, a file that it was made from; ``config``, its part of the
    config; ``rerun``, a result that was made again; ``record``, whether there is one
    """

    stage: str
    what: Literal["output", "input", "config", "rerun", "record"]
    name: str
    status: Status
    reason: str = ""


@dataclass(frozen=True)
class Verification:
    """All checks; ``versions``: packages that are not those on record, with both."""

    folder: Path
    checks: tuple[Check, ...]
    versions: tuple[dict[str, str | None], ...]

    @property
    def is_same(self) -> bool:
        """Nothing has changed, nothing is gone, and nothing is unknown."""
        return all(check.status == "same" for check in self.checks)

    def document(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "folder": str(self.folder),
            "status": "same" if self.is_same else "changed",
            "checks": [
                {"stage": c.stage, "what": c.what, "name": c.name, "status": c.status, "reason": c.reason or None}
                for c in self.checks
            ],
            "versions": list(self.versions),
        }


def verify(result: str, reporter: Reporter, *, config: str | None = None, rerun: bool = False) -> Verification:
    """Check a result, or all of a folder, against ``provenance.yaml`` beside it.

    config : where the config is now, if not where it was; rerun : compute again, into a folder that is removed
    Raises `DataError` where there is no record, and with ``rerun`` whatever the stages raise.
    """
    folder, keys, record = _recorded(Path(result))
    checks, others = list[Check](), dict[str, dict[str, str | None]]()
    for key in keys:
        entry = record.finished(key)
        if entry is None:
            checks.append(Check(key, "record", "provenance.yaml", "unknown", "it was stopped while it wrote"))
            continue
        own = _config_of(entry, folder, config)
        checks += _output_checks(key, entry, folder)
        checks += _made_from(key, entry, folder, own)
        others |= {row["package"] or "": row for row in _other_versions(entry)}
    if rerun:
        checks += _made_again(record, keys, folder, config, reporter)
    return Verification(folder, tuple(checks), tuple(others.values()))


def _recorded(result: Path) -> tuple[Path, list[str], Record]:
    """The folder of results, the stages that are asked about, and the record."""
    if not result.exists():
        raise DataError(f"{result}: no such file or folder")
    whole = Path(os.path.abspath(result))
    folders = [whole, *whole.parents] if whole.is_dir() else whole.parents
    folder = next((folder for folder in folders if (folder / "provenance.yaml").is_file()), None)
    if folder is None:
        raise DataError(
            f"{result}: no provenance.yaml beside it or above\n    gm writes one into its folder of results"
        )
    record = Record(folder)
    if not record.is_readable:
        raise DataError(f"{folder / 'provenance.yaml'}: not a record of gm's")
    name = whole.relative_to(folder).as_posix()
    if whole.is_file() and name != "provenance.yaml":
        keys = [key for key in record.stages() if name in record.files(key)]
    else:
        inside = "" if whole.is_file() or name == "." else f"{name}/"
        keys = [key for key in record.stages() if any(file.startswith(inside) for file in record.files(key))]
    if not keys:
        raise DataError(f"{result}: gm has not written it, says {folder / 'provenance.yaml'}")
    return folder, keys, record


def _config_of(entry: Mapping[str, Any], folder: Path, config: str | None) -> Path | None:
    """The config file of a stage; None where it came from standard input, or is not on record."""
    if config is not None:
        return Path(config)
    name = as_mapping(entry.get("request")).get("config")
    return Path(os.path.normpath(folder / name)) if isinstance(name, str) else None


def _output_checks(key: str, entry: Mapping[str, Any], folder: Path) -> Iterator[Check]:
    for name, expected in entry["outputs"].items():
        yield Check(key, "output", name, _status(folder / name, expected))


def _made_from(key: str, entry: Mapping[str, Any], folder: Path, config: Path | None) -> Iterator[Check]:
    """The config and the files: what the stage would be made from now, or where the config is of no use the files."""
    name = "config" if config is None else config.name
    now, status, reason = _now(key, entry, folder, config)
    if now is None:
        yield Check(key, "config", name, status, reason)
        yield from _files_found(key, entry, [folder, *([] if config is None else [config.parent])])
        return
    yield Check(key, "config", name, "same" if now["config"] == entry["inputs"].get("config") else "changed")
    for file, expected in as_mapping(entry["inputs"].get("files")).items():
        found = now["files"].get(file)
        yield Check(key, "input", file, "gone" if found is None else "same" if found == expected else "changed")


def _now(key: str, entry: Mapping[str, Any], folder: Path, config: Path | None) -> tuple[Inputs | None, Status, str]:
    """What a stage would be made from now; or None, and what is the matter with its config."""
    if config is None:
        return None, "unknown", "the record does not say where it is: --config FILE"
    if not config.is_file():
        return None, "gone", ""
    try:
        now = _inputs_now(key, _request(entry, config, folder))
    except GmError as error:
        return None, "unknown", str(error).splitlines()[0]
    return now, "changed", "" if now is not None else "it does not declare the stage"


def _inputs_now(key: str, request: Request) -> Inputs | None:
    """What a stage would be made from; None where the config does not declare it. Raises what loading raises."""
    analysis = load(request, STAGES)
    session = Session(analysis, Silent())
    stage = next((stage for stage in STAGES if _is_of(stage, key)), None)
    for task in [] if stage is None else build_tasks(analysis, [stage]):
        session.start = task.stage.seen(analysis, session.start)
        if task.key == key:
            return task.inputs(session)
        session.start = task.stage.made(session, task)
    return None


def _files_found(key: str, entry: Mapping[str, Any], bases: Sequence[Path]) -> Iterator[Check]:
    """Files by their names, which are relative to the results or to the config: one that is the same is enough."""
    for name, expected in as_mapping(entry["inputs"].get("files")).items():
        found = {_status(base / name, expected) for base in bases}
        status: Status = next(status for status in ("same", "changed", "gone") if status in found)
        yield Check(key, "input", name, status)


def _status(file: Path, expected: str) -> Status:
    if not file.is_file():
        return "gone"
    return "same" if sha256(file) == expected else "changed"


def _request(entry: Mapping[str, Any], config: Path, output: Path) -> Request:
    """What was asked for when the stage ran, with the results somewhere."""
    request = as_mapping(entry.get("request"))
    return Request(
        str(config),
        tuple(map(str, request.get("set") or ())),
        str(output),
        flags=frozenset(map(str, request.get("flags") or ())),
        command=tuple(map(str, entry.get("command") or ())),
    )


def _other_versions(entry: Mapping[str, Any]) -> Iterator[dict[str, str | None]]:
    now, before = versions(), as_mapping(entry.get("versions"))
    for package in {**before, **now}:
        if now.get(package) != before.get(package):
            yield {"package": package, "recorded": before.get(package), "now": now.get(package)}


def _made_again(
    record: Record, keys: Iterable[str], folder: Path, config: str | None, reporter: Reporter
) -> list[Check]:
    """The results compared with those of the same commands now, in a folder beside: relative paths are the same."""
    wanted = [stage for stage in STAGES if any(_is_of(stage, key) for key in keys)]
    last = max((stage.phase for stage in wanted), default=0)
    again = Path(tempfile.mkdtemp(prefix=f".{folder.name}-verify-", dir=folder.parent))
    try:
        for stage in STAGES:
            entry = next((e for key in record.stages() if _is_of(stage, key) and (e := record.finished(key))), None)
            if entry is None or not (stage in wanted or stage.phase < last):
                continue
            file = _config_of(entry, folder, config)
            if file is None or not file.is_file():
                raise DataError(f"the config of '{stage.name}' is not there\n    say where it is: --config FILE")
            run(_request(entry, file, again), reporter, stage)
        return [check for key in keys for check in _compared(key, record, Record(again))]
    finally:
        shutil.rmtree(again, ignore_errors=True)


def _is_of(stage: Stage[Any], key: str) -> bool:
    return key.partition("/")[0] == stage.name


def _compared(key: str, record: Record, again: Record) -> Iterator[Check]:
    before, now = record.finished(key), again.finished(key)
    if before is None:
        return
    made = {} if now is None else now["outputs"]
    for name, expected in before["outputs"].items():
        status: Status = "gone" if name not in made else "same" if made[name] == expected else "changed"
        yield Check(key, "rerun", name, status)
