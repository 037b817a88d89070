"""The datasets and models of one run of a command, read once, when a stage first needs them."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.errors import DataError
from gm.io.files import State, state_of
from gm.pipeline.analysis.build import fit_masks, read_parts
from gm.pipeline.analysis.documents import Part
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.load import Analysis, check_edited
from gm.pipeline.analysis.settings import plural
from gm.pipeline.inputs import data_file, dataset_files, document_files, hash_files, label
from gm.pipeline.outputs import check_outputs
from gm.pipeline.provenance import Record
from gm.pipeline.reporter import Reporter
from gm.pipeline.sources import loaded_files, model_files, source_files

if TYPE_CHECKING:
    from gm.datasets import Datasets
    from gm.models import Models


@dataclass(eq=False)
class Session:
    """What the stages of one command share."""

    analysis: Analysis
    reporter: Reporter
    _datasets: Datasets | None = None
    _simulated: tuple[Part, ...] | None = None
    _applied: tuple[Part, ...] | None = None
    _models: Models | None = None
    _files: dict[tuple[Part, ...], list[Path]] = field(default_factory=dict)
    _hashes: dict[Path, str] = field(default_factory=dict)
    _begun: dict[str, Path] = field(default_factory=dict)
    _states: dict[Path, State | None] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.record = Record(self.analysis.settings.output)
        self._loaded = loaded_files(self.analysis)

    def source_parts(self) -> tuple[Part, ...]:
        """The datasets documents that operations start from: the config's, or the one of the simulation."""
        if self.analysis.simulation is None:
            return self.analysis.documents.datasets
        if self._simulated is None:
            self._simulated = written_parts(self.analysis.settings.output)
        return self._simulated

    def parts(self) -> tuple[Part, ...]:
        """The datasets documents that are fitted: the one that the operations have written, where there are some."""
        if not self.analysis.operations:
            return self.source_parts()
        if self._applied is None:
            self._applied = written_parts(self.analysis.applied)
        return self._applied

    def source_datasets(self) -> Datasets:
        """The datasets that operations start from, as they are in their files. Raises `DataError`."""
        start = time.perf_counter()
        datasets = self._read(self.source_parts())
        self._tell_read(len(datasets), start)
        return datasets

    def source_entries(self) -> dict[str, Path]:
        """The files of the datasets that operations start from, by name."""
        return {
            entry["name"]: data_file(part.document.directory, str(entry["filename"]))
            for part in self.source_parts()
            for entry in part.document.data["datasets"]
        }

    def _read(self, parts: Iterable[Part]) -> Datasets:
        def progress(done: int, total: int) -> None:
            self.reporter.progress("read", done, total)

        return read_parts(parts, self.analysis.settings.workers, progress)

    def _tell_read(self, n_datasets: int, start: float) -> None:
        self.seconds["read"] = time.perf_counter() - start
        self.reporter.step("read", plural(n_datasets, "dataset"), self.seconds["read"])

    def datasets(self) -> Datasets:
        """All datasets, with the fit masks of the config. Raises `DataError` for files that cannot be used."""
        if self._datasets is None:
            start = time.perf_counter()
            datasets = self._read(self.parts())
            self._datasets = fit_masks(datasets, self.analysis.settings.fit)
            self._tell_read(len(datasets), start)
        return self._datasets

    def dataset_files(self) -> list[Path]:
        """The files of all datasets that are fitted, with the document that lists them."""
        return self.files_of(self.parts())

    def model_files(self) -> list[Path]:
        """The files that the fitted model comes from: what the operations have written, where there are some."""
        if not self.analysis.operations:
            return model_files(self.analysis)
        return self.written("apply", besides=self.analysis.applied / "edits.yaml")

    def files_of(self, parts: tuple[Part, ...]) -> list[Path]:
        """The files of datasets, with the documents that list them; looked for once."""
        if parts not in self._files:
            self._files[parts] = [*document_files(parts), *dataset_files(parts)]
        return self._files[parts]

    def check(self, key: str, files: Iterable[Path]) -> None:
        """Whether a stage may write these files, and remove what it wrote before: see `check_outputs`."""
        analysis, given = self.analysis, self.analysis.documents.datasets
        check_outputs(
            analysis,
            [*files, *self.own_files(key)],
            self.record,
            lambda: [*source_files(analysis), *self.files_of(given)],
        )

    def hashes(self, files: Iterable[Path]) -> dict[str, str]:
        """The hash of every file, by its name as seen from the results; a file is read once. Raises `DataError`.

        The state of a file that is still to be read is kept, for `finish` to see whether it was the same to the end.
        """
        output, directory = self.analysis.settings.output, self.analysis.config.directory
        files = list(files)
        new = [file for file in dict.fromkeys(files) if file not in self._hashes]
        self._states |= {file: state_of(file) for file in new if file not in self._loaded}
        self._hashes |= hash_files(new)
        return {label(file, output, directory): self._hashes[file] for file in files}

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

    def touch(self, result: Path) -> None:
        """Make a result newer than its inputs again, so that ``make`` sees what the hashes say."""
        with contextlib.suppress(OSError):
            os.utime(result)
        self._states[result] = state_of(result)

    def begin(self, key: str, files: Iterable[Path]) -> None:
        """A stage is about to write these files: see `Record.begin`. Raises `InvalidInput` when it must not."""
        output = self.analysis.settings.output
        self._begun = {file.relative_to(output).as_posix(): file for file in files}
        self.check(key, self._begun.values())
        for file in self.own_files(key).union(self._begun.values()):
            self._hashes.pop(file, None)
            self._states.pop(file, None)
        self.record.begin(key, list(self._begun), self.analysis.resolved)

    def finish(self, key: str, inputs: Mapping[str, Any], seconds: Mapping[str, float]) -> None:
        """A stage has written its files. Raises `DataError` where its result cannot be trusted."""
        changed = next((file for file, state in self._states.items() if state_of(file) != state), None)
        if changed is not None:
            raise DataError(f"{changed}: was changed while it was used\n    run the command again")
        self.hashes(self._begun.values())
        outputs = {name: self._hashes[file] for name, file in self._begun.items()}
        analysis = self.analysis
        self.record.finish(key, inputs, outputs, seconds, analysis.request.command, analysis.resolved)

    def forget_datasets(self) -> None:
        """The files have just been written anew."""
        self._datasets = self._simulated = self._applied = self._models = None

    def models(self) -> Models:
        """The global model as the config, and then its operations, edit it."""
        if not self.analysis.operations:
            return self.analysis.models
        if self._models is None:
            from gm.models import Models

            self._models = Models.read(self.analysis.applied / "models.yaml")
            check_edited(self.analysis, self._models)
        return self._models


def written_parts(output: Path) -> tuple[Part, ...]:
    """The datasets document that a stage has written; none before it has run."""
    from gm.config_schemas.reader import read_document
    from gm.config_schemas.validator import check

    file = output / "datasets.yaml"
    if not file.is_file():
        return ()
    document = read_document(file)
    findings = Findings()
    findings.extend(check(document, "datasets"))
    findings.stop_if_any()
    return (Part(document, file),)
