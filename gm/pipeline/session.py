"""The datasets and models of one run of a command, read once, when a stage first needs them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import DataError
from gm.io.files import sha256, stamp_of
from gm.pipeline.analysis.build import read_parts
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.inputs import hash_files, labels
from gm.pipeline.loading import States, check_unchanged, states_of
from gm.pipeline.outputs import check_outputs
from gm.pipeline.provenance import Record
from gm.pipeline.reporter import Reporter
from gm.pipeline.sources import loaded_files, model_files, source_files
from gm.pipeline.start import Given, Parts, Start
from gm.readable import plural

if TYPE_CHECKING:
    from gm.datasets import Datasets
    from gm.likelihood import Engine


@dataclass(eq=False)
class Session:
    """What the stages of one command share.

    read_states : the files that were read for the analysis, as they were then
    failed : keys of the tasks that could not be done: what is there of them is of an earlier run
    start : what the next stage starts from
    """

    analysis: Analysis
    reporter: Reporter
    read_states: States = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)
    _begun: dict[str, Path] = field(default_factory=dict)
    _stamps: dict[Path, tuple[int, ...] | None] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        analysis = self.analysis
        self.record = Record(analysis.settings.output)
        self._loaded = loaded_files(analysis)
        self.given = Given(analysis.documents.datasets, analysis.models, lambda: model_files(analysis), self.read)
        self.start: Start = self.given

    @cached_property
    def engine(self) -> Engine:
        """Where the likelihood is computed."""
        from gm.pipeline.engines import build_engine

        return build_engine(
            self.analysis.settings.engine, lambda done, all: self.reporter.progress("compile", done, all)
        )

    def close(self) -> None:
        """Let the engine's workers go."""
        if "engine" in vars(self):
            self.engine.close()

    def hash_loaded(self) -> None:
        """The hashes of the documents that were read for the analysis: from now on they may be edited.

        Raises `DataError` where one is another one already.
        """
        self.hashes(sorted(self._loaded))

    def read(self, parts: Parts) -> Datasets:
        """The datasets of documents, as they are in their files. Raises `InvalidInput` and `DataError`."""

        def progress(done: int, total: int) -> None:
            self.reporter.progress("read", done, total)

        start = time.perf_counter()
        datasets = read_parts(parts, self.analysis.settings.workers, progress)
        self.seconds["read"] = time.perf_counter() - start
        self.reporter.step("read", plural(len(datasets), "dataset"), self.seconds["read"])
        return datasets

    def check(self, key: str, files: Iterable[Path]) -> None:
        """Whether a stage may write these files, and remove what it wrote before: see `check_outputs`."""
        analysis = self.analysis
        check_outputs(
            analysis,
            [*files, *self.own_files(key)],
            self.record,
            lambda: [*source_files(analysis), *self.given.data_files()],
        )

    def hashes(self, files: Iterable[Path]) -> dict[str, str]:
        """The hash of every file, by its name as seen from the results; a file is read once. Raises `DataError`.

        The state of a file that is still to be read is kept, for `finish` to see whether it was the same to the end.
        One that was read for the analysis is still as it was then.
        """
        output, directory = self.analysis.settings.output, self.analysis.config.directory
        files = list(files)
        new = [file for file in dict.fromkeys(files) if file not in self._hashes]
        self._stamps |= {file: stamp_of(file) for file in new if file not in self._loaded}
        self._hashes |= hash_files(new)
        check_unchanged(self.read_states, states_of([file for file in new if file in self.read_states]))
        return dict(zip(labels(files, output, directory), (self._hashes[file] for file in files), strict=True))

    def written(self, key: str, besides: Path) -> list[Path]:
        """The files of a stage that has finished, but for one."""
        record = self.record.finished(key) or {"outputs": ()}
        files = [self.analysis.settings.output / name for name in record["outputs"]]
        return [file for file in files if file != besides]

    def own_files(self, key: str) -> set[Path]:
        """All files that a stage has written, now or before."""
        return {self.analysis.settings.output / name for name in self.record.files(key)}

    def why_changed(self, outputs: Mapping[str, str]) -> str:
        """Which results of a stage are no more as it wrote them, in words; empty when all are."""
        files = {name: self.analysis.settings.output / name for name in outputs}
        found = [name for name, file in files.items() if file.is_file()]
        self.hashes(files[name] for name in found)
        reasons = [f"{name} is gone" for name in outputs if name not in found]
        reasons += [f"{name} was changed" for name in found if self._hashes[files[name]] != outputs[name]]
        return ", ".join(reasons[:3])

    def is_as_written(self, key: str, file: Path) -> bool:
        """Whether what is in a result can be gone on from: not where somebody has changed what a stage has finished."""
        record = self.record.finished(key)
        if record is None or not file.is_file():
            return True
        return bool(record["outputs"].get(file.relative_to(self.analysis.settings.output).as_posix()) == sha256(file))

    def touch(self, result: Path) -> None:
        """Make a result newer than its inputs again, so that ``make`` sees what the hashes say."""
        with contextlib.suppress(OSError):
            os.utime(result)
        self._stamps[result] = stamp_of(result)

    def begin(self, key: str, files: Iterable[Path]) -> None:
        """A stage is about to write these files: see `Record.begin`. Raises `InvalidInput` when it must not."""
        output = self.analysis.settings.output
        self._begun = {file.relative_to(output).as_posix(): file for file in files}
        self.check(key, self._begun.values())
        for file in self.own_files(key).union(self._begun.values()):
            self._hashes.pop(file, None)
            self._stamps.pop(file, None)
        self.record.begin(key, list(self._begun), self.analysis.resolved)

    def finish(self, key: str, inputs: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
        """A stage has written its files. Raises `DataError` where its result cannot be trusted."""
        changed = next((file for file in self._stamps if self._is_changed(file)), None)
        if changed is not None:
            raise DataError(f"{changed}: was changed while it was used\n    run the command again")
        self.hashes(self._begun.values())
        outputs = {name: self._hashes[file] for name, file in self._begun.items()}
        analysis = self.analysis
        command, request = analysis.request.command, self._request()
        self.record.finish(key, inputs, outputs, seconds, command, request, analysis.resolved)

    def _is_changed(self, file: Path) -> bool:
        """Whether a file is not what it was when its hash was taken; another mode, or a link more, is no change."""
        before, now = self._stamps[file], stamp_of(file)
        if before is None or now is None or before[:-1] != now[:-1]:
            return before != now
        if before != now and sha256(file) != self._hashes.get(file):
            return True
        self._stamps[file] = now
        return False

    def _request(self) -> dict[str, Any]:
        """What was asked for, as the record keeps it."""
        request, output = self.analysis.request, self.analysis.settings.output
        file = None if request.config == "-" else Path(os.path.relpath(request.config, output)).as_posix()
        return {"config": file, "set": list(request.overrides), "flags": sorted(request.flags)}
