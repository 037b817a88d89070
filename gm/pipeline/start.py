"""What a stage starts from: datasets and the global model, and the files that they come from.

The config's own files, then what each stage that makes datasets or models has written: a chain, of which every link is
read at most once, when it is first asked for.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.models import Models
from gm.pipeline.analysis.documents import Part
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.inputs import dataset_files, document_files

Parts = tuple[Part, ...]


class Start(ABC):
    """One point of the chain."""

    @abstractmethod
    def parts(self) -> Parts:
        """The datasets documents; none before a stage has written them."""

    @abstractmethod
    def data_files(self) -> list[Path]:
        """The files of the datasets, with the documents that list them."""

    @abstractmethod
    def model_files(self) -> list[Path]:
        """The files that the global model comes from."""

    @abstractmethod
    def datasets(self) -> Datasets:
        """All datasets. Raises `DataError` and `InvalidInput` for files that cannot be used."""

    @abstractmethod
    def models(self) -> Models:
        """The global model. Raises `InvalidInput`."""

    def is_there(self) -> bool:
        """Whether the datasets can be had: not before a simulation has run."""
        return bool(self.parts())

    def unfitted(self) -> Start:
        """The same datasets with the global model as it was before the fit."""
        return self


class _Listed(Start):
    """Datasets that documents list, read by ``read``."""

    def __init__(self, read: Callable[[Parts], Datasets]) -> None:
        self._read = read
        self._datasets: Datasets | None = None
        self._data_files: list[Path] | None = None

    def data_files(self) -> list[Path]:
        if self._data_files is None:
            self._data_files = [*document_files(self.parts()), *dataset_files(self.parts())]
        return self._data_files

    def datasets(self) -> Datasets:
        if self._datasets is None:
            self._datasets = self._read(self.parts())
        return self._datasets


@final
class Given(_Listed):
    """What the config names: datasets documents, and the global model with the config's edits."""

    def __init__(
        self,
        parts: Parts,
        models: Models,
        find_model_files: Callable[[], list[Path]],
        read: Callable[[Parts], Datasets],
    ) -> None:
        super().__init__(read)
        self._parts, self._models, self._find_model_files = parts, models, find_model_files

    def parts(self) -> Parts:
        return self._parts

    def model_files(self) -> list[Path]:
        return self._find_model_files()

    def models(self) -> Models:
        return self._models


@final
class Written(_Listed):
    """The datasets that a stage has written into a folder, and the global model as it was before."""

    def __init__(self, folder: Path, before: Start, read: Callable[[Parts], Datasets]) -> None:
        super().__init__(read)
        self._folder, self._before = folder, before
        self._parts: Parts | None = None

    def parts(self) -> Parts:
        if self._parts is None:
            self._parts = written_parts(self._folder)
        return self._parts

    def model_files(self) -> list[Path]:
        return self._before.model_files()

    def models(self) -> Models:
        return self._before.models()


class _Same(Start):
    """Another point of the chain, but for what a subclass says."""

    def __init__(self, before: Start) -> None:
        self._before = before

    def parts(self) -> Parts:
        return self._before.parts()

    def data_files(self) -> list[Path]:
        return self._before.data_files()

    def model_files(self) -> list[Path]:
        return self._before.model_files()

    def datasets(self) -> Datasets:
        return self._before.datasets()

    def models(self) -> Models:
        return self._before.models()

    def is_there(self) -> bool:
        return self._before.is_there()


@final
class Masked(_Same):
    """The same datasets with the fit masks that ``mask`` gives them."""

    def __init__(self, before: Start, mask: Callable[[Datasets], Datasets]) -> None:
        super().__init__(before)
        self._mask = mask
        self._datasets: Datasets | None = None

    def datasets(self) -> Datasets:
        if self._datasets is None:
            self._datasets = self._mask(super().datasets())
        return self._datasets


@final
class Remodelled(_Same):
    """The same datasets, and the global model that a stage has written.

    files : all that the model comes from
    check : whether later stages find in the model what they are asked about
    is_fit : whether the model differs from the one before in values and errors alone
    """

    def __init__(
        self,
        before: Start,
        file: Path,
        files: list[Path],
        check: Callable[[Models], None] | None = None,
        *,
        is_fit: bool = False,
    ) -> None:
        super().__init__(before)
        self._file, self._files, self._check, self._is_fit = file, files, check, is_fit
        self._models: Models | None = None

    def model_files(self) -> list[Path]:
        return self._files

    def models(self) -> Models:
        if self._models is None:
            self._models = Models.read(self._file)
            if self._check is not None:
                self._check(self._models)
        return self._models

    def unfitted(self) -> Start:
        return self._before if self._is_fit else self


@final
class InMemory(_Same):
    """Datasets and models that a stage would make, computed without writing them."""

    def __init__(self, before: Start, datasets: Datasets, models: Models) -> None:
        super().__init__(before)
        self._datasets, self._models = datasets, models

    def datasets(self) -> Datasets:
        return self._datasets

    def models(self) -> Models:
        return self._models


@dataclass(frozen=True)
class Preview:
    """What a stage would make, without a file written; ``rows``: what it would do, as plain data."""

    start: Start
    rows: Sequence[dict[str, Any]] = ()


def written_parts(folder: Path) -> Parts:
    """The datasets document that a stage has written; none before it has run. Raises `InvalidInput`."""
    file = folder / "datasets.yaml"
    if not file.is_file():
        return ()
    document = read_document(file)
    findings = Findings()
    findings.extend(check(document, "datasets"))
    findings.stop_if_any()
    return (Part(document, file),)
