"""The datasets and models of one run of a command, read once, when a stage first needs them."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from gm.pipeline.build import fit_masks, read_parts
from gm.pipeline.documents import Part
from gm.pipeline.findings import Findings
from gm.pipeline.inputs import data_file, dataset_files, document_files, hash_files, label
from gm.pipeline.load import Analysis, check_edited
from gm.pipeline.reporter import Reporter
from gm.pipeline.settings import plural

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
    _files: list[Path] | None = None
    _hashes: dict[Path, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

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
        """The files of all datasets, with the document that lists them."""
        if self._files is None:
            self._files = [*document_files(self.parts()), *dataset_files(self.parts())]
        return self._files

    def hashes(self, files: Iterable[Path]) -> dict[str, str]:
        """The hash of every file, by its name as seen from the results; a file is read once."""
        output, directory = self.analysis.settings.output, self.analysis.config.directory
        files = list(files)
        self._hashes |= hash_files(file for file in files if file not in self._hashes)
        return {label(file, output, directory): self._hashes[file] for file in files}

    def forget_datasets(self) -> None:
        """The files have just been written anew."""
        self._datasets = self._files = self._simulated = self._applied = self._models = None
        self._hashes.clear()

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
