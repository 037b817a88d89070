"""The ``operations:`` section, and ``gm apply``: new datasets, the edited global model, and the list of its edits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import MODELS, Ran, Stage, Task, folder_of, rewritten

if TYPE_CHECKING:
    from gm.likelihood import Engine
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Names, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.apply.settings import OperationSettings
    from gm.pipeline.start import Preview, Start


@final
class Applying(Stage["tuple[OperationSettings, ...]"]):
    """The dataset operations, in order."""

    name = command = "apply"
    section = "operations"
    kind = "edits"
    phase = Phase.OPERATIONS
    help = "Run the dataset operations; write the new datasets, the edited models, and the list of the edits."
    is_list = True
    is_always_shown = True
    makes_datasets = edits_models = renames_datasets = True

    def read(self, section: Section) -> tuple[OperationSettings, ...]:
        from gm.pipeline.stages.apply.settings import read_operations

        return read_operations(section)

    def dataset_names(self, section: Section, settings: tuple[OperationSettings, ...], names: Names) -> Names:
        from gm.pipeline.stages.apply.settings import names_after_all

        return names_after_all(section, settings, names) if names is not None else None

    def files(self, section: Section) -> Iterable[Path]:
        from gm.pipeline.stages.apply.settings import region_files

        return region_files(section)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return [ApplyTask(self, analysis)]

    def made(self, session: Session, task: Task) -> Start:
        return rewritten(session, task)

    def preview(self, analysis: Analysis, start: Start, made: Start, engine: Engine | None = None) -> Preview:
        from gm.pipeline.stages.apply.run import preview_operations

        if not start.is_there():
            return super().preview(analysis, start, made, engine)
        return preview_operations(self, analysis, start, engine)

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        return self.preview(analysis, start, start).start


APPLY = Applying()


@final
class ApplyTask(Task):
    """``edits.yaml``, with ``datasets.yaml``, ``datasets/`` and ``models.yaml`` beside it."""

    @property
    def result(self) -> Path:
        return folder_of(self.stage, self.analysis) / "edits.yaml"

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(name) for name in ("datasets.yaml", *MODELS))]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        document = super().document(record)
        return None if document is None else {**document, "inputs": record.get("inputs")}

    def about(self, start: Start) -> str:
        from gm.readable import plural

        made = f", {plural(len(start.datasets()), 'dataset')}" if start.is_there() else ""
        operations = self.analysis.of(APPLY)
        return f"{plural(len(operations or ()), 'operation')}{made}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.apply.run import run_operations

        return run_operations(session, self, inputs)
