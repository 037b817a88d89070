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
from gm.pipeline.inputs import dataset_files, document_files, hash_files, label
from gm.pipeline.load import Analysis
from gm.pipeline.reporter import Reporter

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
    _files: list[Path] | None = None
    _hashes: dict[Path, str] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def parts(self) -> tuple[Part, ...]:
        """The datasets documents: the config's, or the one that the simulation has written."""
        if self.analysis.simulation is None:
            return self.analysis.documents.datasets
        if self._simulated is None:
            self._simulated = simulated_parts(self.analysis.settings.output)
        return self._simulated

    def datasets(self) -> Datasets:
        """All datasets, with the fit masks of the config. Raises `DataError` for files that cannot be used."""
        if self._datasets is None:
            start = time.perf_counter()
            datasets = read_parts(self.parts(), self.analysis.settings.workers)
            self._datasets = fit_masks(datasets, self.analysis.settings.fit)
            self.seconds["read"] = time.perf_counter() - start
            kinds = "dataset" if len(datasets) == 1 else "datasets"
            self.reporter.step("read", f"{len(datasets)} {kinds}", self.seconds["read"])
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
        self._datasets = self._files = self._simulated = None
        self._hashes.clear()

    def models(self) -> Models:
        """The global model as the config edits it."""
        return self.analysis.models


def simulated_parts(output: Path) -> tuple[Part, ...]:
    """The datasets document of the simulation; none before it has run."""
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
