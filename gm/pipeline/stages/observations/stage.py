"""The ``observations:`` section, and ``gm reduce``: DL3 observations to datasets and background components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import MODELS, Ran, Stage, Task, folder_of, rewritten

if TYPE_CHECKING:
    from gm.likelihood import Engine
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Names, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.observations.settings import Entry
    from gm.pipeline.start import Preview, Start


@final
class Reducing(Stage["tuple[Entry, ...]"]):
    """The reduction of all sets of observations."""

    name = "reduce"
    command = "reduce"
    section = kind = "observations"
    phase = Phase.REDUCTION
    help = "Reduce DL3 observations to datasets and their background components."
    flags: ClassVar[Mapping[str, str]] = {"retry-failed": "Do those again that did not give a dataset, and no others."}
    is_list = True
    makes_datasets = edits_models = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "required": "all-optional",
        "containment_correction": False,
        "use_region_center": True,
        "exclude": [],
        "background": {"type": "irf"},
        "safe_mask": [],
        "cutout": False,
        "stack": False,
    }

    def read(self, section: Section) -> tuple[Entry, ...]:
        from gm.pipeline.stages.observations.settings import read_entries

        return read_entries(section) if section.is_whole else ()

    def has_own_datasets(self, section: Section) -> bool:
        return bool(section.data)

    def dataset_names(self, section: Section, settings: tuple[Entry, ...], names: Names) -> Names:
        """Not known before the data are opened, unless all are stacked."""
        if (
            names is None
            or not section.is_whole
            or not all(entry.stacked and entry.time_bins is None for entry in settings)
        ):
            return None
        return [*names, *(entry.name for entry in settings)]

    def parameters_to_come(self, section: Section, settings: tuple[Entry, ...]) -> tuple[str, ...]:
        from gm.pipeline.stages.observations.settings import patterns_to_come

        if not section.is_whole:
            return ("*",)
        return tuple(pattern for entry in settings for pattern in patterns_to_come(entry))

    def files(self, section: Section) -> Iterable[Path]:
        from gm.pipeline.stages.observations.jobs import data_files
        from gm.pipeline.stages.observations.settings import named_files

        return [*named_files(section), *data_files(section)]

    def read_files(self, section: Section) -> Iterable[Path]:
        from gm.pipeline.stages.observations.settings import named_files

        return named_files(section)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return [ReductionTask(self, analysis)]

    def made(self, session: Session, task: Task) -> Start:
        return rewritten(session, task)

    def preview(self, analysis: Analysis, start: Start, made: Start, engine: Engine | None = None) -> Preview:
        """What is there from an earlier run, if it is."""
        from gm.pipeline.start import Preview

        return Preview(made if made.is_there() else start)

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        from gm.pipeline.stages.observations.jobs import find_jobs

        entries = analysis.of(self)
        find_jobs(analysis.sections[self.name], entries or ())
        return None

    def exit_code(self, document: Mapping[str, Any]) -> int:
        return int(document["status"] != "done")

    def why_stop(self, document: Mapping[str, Any]) -> str:
        return "no observation gave a dataset" if document["status"] == "failed" else ""


REDUCE = Reducing()


@final
class ReductionTask(Task):
    """``observations.yaml``, with ``datasets.yaml``, ``datasets/``, ``edits.yaml`` and ``models.yaml`` beside it."""

    @property
    def result(self) -> Path:
        return folder_of(self.stage, self.analysis) / "observations.yaml"

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(name) for name in ("datasets.yaml", "edits.yaml", *MODELS))]

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs, asked: bool) -> str:
        reason = super().why_stale(recorded, inputs, asked)
        if reason or not asked or "retry-failed" not in self.analysis.request.flags:
            return reason
        document = self.document({})
        return "not all observations gave datasets" if document is not None and document["status"] != "done" else ""

    def about(self, start: Start) -> str:
        from gm.readable import plural

        entries = self.analysis.of(REDUCE)
        return f"{plural(len(entries or ()), 'set')} of observations"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.observations.run import run_reduction

        return run_reduction(session, self, inputs)
