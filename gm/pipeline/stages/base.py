"""What a stage is: a section of the config, a command, and tasks that each make one result.

Nothing here, and nothing that a stage declares, imports what computes: the command line looks at all stages to tell
what commands there are. A stage's ``run`` and what reads its data are imported when they are called.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, Self, TypeVar

from gm.errors import DataError, GmError
from gm.pipeline.analysis.declaration import Declaration, S

if TYPE_CHECKING:
    from gm.datasets import Datasets
    from gm.likelihood import Engine
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.start import Preview, Start

Ran = tuple[dict[str, Any], dict[str, float]]
"""The result's document, and the wall times of its parts."""

MODELS = ("models.yaml", "models_covariance.dat")
_SHARED = ("conventions", "covariance", "parameters", "links")
_BAD = ("not_converged", "failed", "incomplete")


class Stage(Declaration[S]):
    """One kind of step of an analysis; a class attribute or a method for everything that the program asks about it."""

    command: ClassVar[str]
    """The name of its command."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names of its command, which no list shows."""
    help: ClassVar[str]
    """What the command does, in one line."""
    flags: ClassVar[Mapping[str, str]] = {}
    """Options of the command alone, without values, and their help; `Request.flags` has those given."""
    shortcuts: ClassVar[Mapping[str, str]] = {}
    """Options with a value, for a key of the section, and their help: ``--n 100`` means ``--set toys.n=100``."""
    kind: ClassVar[str] = ""
    """The kind of the document that is its result, which is the name of its schema; empty: there is none."""
    needs_section: ClassVar[bool] = True
    """Whether the command can do nothing where the config does not declare the stage."""

    @property
    def schema(self) -> str:
        """What its documents call their format."""
        return f"gm/{self.kind}/1" if self.kind else ""

    @abstractmethod
    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        """The results that are asked for, in order."""

    def seen(self, analysis: Analysis, start: Start) -> Start:
        """What the stage starts from, as it and all later stages see it."""
        return start

    def made(self, session: Session, task: Task) -> Start:
        """What later stages start from once a task is done: as before, unless the stage makes datasets or models."""
        return session.start

    def preview(self, analysis: Analysis, start: Start, made: Start, engine: Engine | None = None) -> Preview:
        """What `made` would be, from ``start`` and without running; ``made``: as it is from an earlier run; ``engine``:
        where a likelihood is computed for it, by default in this process."""
        from gm.pipeline.start import Preview

        return Preview(start)

    def select(self, analysis: Analysis, datasets: Datasets) -> Datasets:
        """Those of the ``datasets`` that the model is fitted to; all, unless the stage is the one that chooses."""
        return datasets

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        """Refuse data that cannot be used, as `run` would; return what the later stages can be checked with.

        Raises `DataError` and `InvalidInput`. None: nothing, before the stage has run.
        """
        return start

    def exit_code(self, document: Mapping[str, Any]) -> int:
        """1 for a result that is not what was asked for."""
        return int(document.get("status") in _BAD)

    def why_stop(self, document: Mapping[str, Any]) -> str:
        """Why nothing later can be computed from this result; empty where it can."""
        return ""


class Task(ABC):
    """One result of a stage: what it is made from, where it lies, how it is made.

    entry : the name of the result, where the section is a list
    index : its position in the list
    """

    def __init__(self, stage: Stage[Any], analysis: Analysis, entry: str = "", index: int | None = None) -> None:
        self.stage, self.analysis, self.entry, self.index = stage, analysis, entry, index

    @property
    def label(self) -> str:
        """How people call it."""
        return f"{self.stage.name} {self.entry}".strip()

    @property
    def key(self) -> str:
        """How the record of the run calls it."""
        return f"{self.stage.name}/{self.entry}".rstrip("/")

    @property
    def result(self) -> Path:
        """The file that stands for the result."""
        return self.analysis.settings.output / self.stage.name / f"{self.entry or self.stage.name}.yaml"

    def outputs(self) -> list[Path]:
        """The files that it may write, as far as that is known before it runs."""
        return [self.result]

    def inputs(self, session: Session) -> Inputs:
        """The hashes of what it is made from, as that is now."""
        from gm.pipeline.inputs import stage_inputs

        return stage_inputs(self.config(), session.hashes(self.files(session.start)))

    def config(self) -> dict[str, Any]:
        """The part of the resolved config that the result depends on: its own, and what shapes models and datasets."""
        resolved = self.analysis.resolved
        documents = {"models": self.analysis.documents.models, "datasets": self.analysis.documents.datasets}
        inline = {key: resolved[key] for key, parts in documents.items() if any(part.file is None for part in parts)}
        part = {key: resolved.get(key) for key in (*_SHARED, *(stage.section for stage in self._shaping()))}
        own = resolved.get(self.stage.section)
        return {**part, self.stage.section: own if self.index is None or own is None else own[self.index], **inline}

    def files(self, start: Start) -> list[Path]:
        """The files that it is made from: models, datasets, and what the sections name that it depends on."""
        from gm.pipeline.sources import named_files

        return [*start.model_files(), *start.data_files(), *named_files(self.analysis, [*self._shaping(), self.stage])]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of an earlier run, if it can be read; ``record`` is what the record of the run says of it."""
        from gm.pipeline.results import read_result

        return read_result(self.result, self.stage.schema)

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs, asked: bool) -> str:
        """Why a result from ``recorded`` inputs does not count any more; empty when it does.

        asked : whether the stage itself was asked for, not one that starts from it
        """
        from gm.pipeline.inputs import why_stale

        return why_stale(recorded, inputs)

    @property
    def origin(self) -> str:
        """Which models it starts from, in words."""
        is_fitted = any(self.analysis.of(stage) is not None for stage in self._shaping())
        return "the best fit" if is_fitted else "the models as given"

    @abstractmethod
    def about(self, start: Start) -> str:
        """What it would do, in a few words, with the datasets and models that are there after it."""

    @abstractmethod
    def run(self, session: Session, inputs: Inputs) -> Ran:
        """Compute, then `Session.begin`, then write."""

    def speaking_of(self, error: GmError) -> GmError:
        """The error as it is told: one of many entries says which one it is of."""
        return error

    def _shaping(self) -> list[Declaration[Any]]:
        """The earlier stages whose sections say how this one sees the datasets."""
        return [stage for stage in self.analysis.stages if stage.shapes_later and stage.phase < self.stage.phase]


class Entry(Protocol):
    """The settings of one entry of a section that is a list."""

    @property
    def name(self) -> str:
        """What its result is called."""


E = TypeVar("E", bound=Entry)


class EntryTask(Task, Generic[E]):
    """The result of one entry of a section that is a list, with the ``settings`` of that entry."""

    def __init__(self, stage: Stage[tuple[E, ...]], analysis: Analysis, settings: E, index: int) -> None:
        super().__init__(stage, analysis, settings.name, index)
        self.settings = settings

    def speaking_of(self, error: GmError) -> GmError:
        """No entry of a config is a wrong command line."""
        is_named = re.search(rf"(?<!\w){re.escape(self.settings.name)}(?!\w)", str(error)) is not None
        return DataError(str(error) if is_named else f"{self.label}: {error}")

    @classmethod
    def each(cls, stage: Stage[tuple[E, ...]], analysis: Analysis) -> list[Self]:
        """One for each entry, in order."""
        entries: tuple[E, ...] | None = analysis.of(stage)
        return [cls(stage, analysis, entry, index) for index, entry in enumerate(entries or ())]


def rewritten(session: Session, task: Task) -> Start:
    """What later stages start from, where a task has written datasets and the global model beside its result."""
    from gm.pipeline.analysis.load import check_edited
    from gm.pipeline.start import Remodelled, Written

    folder, files = task.result.parent, session.written(task.key, besides=task.result)
    datasets = Written(folder, session.start, session.read)
    return Remodelled(datasets, folder / "models.yaml", files, partial(check_edited, session.analysis))


def folder_of(stage: Declaration[Any], analysis: Analysis) -> Path:
    """Where a stage writes datasets: the folder of the results, unless an earlier stage does, then one of its own."""
    makers = [other for other in analysis.stages if other.makes_datasets and analysis.declares(other)]
    output = analysis.settings.output
    return output if stage in makers[:1] else output / stage.section
