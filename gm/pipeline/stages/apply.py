"""The stage of the dataset operations: new datasets, the edited global model, and the list of its edits as files."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from gm.pipeline.analysis.settings import plural
from gm.pipeline.inputs import Inputs, stage_inputs
from gm.pipeline.results import EDITS_SCHEMA, files_of_datasets, read_result, write_document
from gm.pipeline.sources import model_files, region_files
from gm.pipeline.stages.base import MODELS, Ran, Stage

if TYPE_CHECKING:
    from gm.datasets import Datasets
    from gm.datasets.operations import Outcome
    from gm.pipeline.session import Session


@final
class Applying(Stage):
    """The operations: ``datasets.yaml`` with ``datasets/``, ``models.yaml`` and ``edits.yaml``."""

    name = "apply"

    @property
    def result(self) -> Path:
        return self.analysis.applied / "edits.yaml"

    def inputs(self, session: Session) -> Inputs:
        data = session.files_of(session.source_parts())
        files = [*model_files(self.analysis), *data, *region_files(self.analysis)]
        return stage_inputs(self.config_part("operations"), session.hashes(files))

    def outputs(self) -> list[Path]:
        return [self.result, *(self.analysis.applied / name for name in ("datasets.yaml", *MODELS))]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        document = read_result(self.result, EDITS_SCHEMA)
        return None if document is None else {**document, "inputs": record.get("inputs")}

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.operations import apply_operations, step_document

        start = time.perf_counter()
        before = session.source_datasets()
        steps = apply_operations(self.analysis, before)
        document = {
            "schema": EDITS_SCHEMA,
            "name": self.analysis.settings.name,
            "operations": [step_document(step) for step in steps],
        }
        self._write(session, before, steps[-1].outcome)
        write_document(self.result, document)
        session.forget_datasets()
        seconds = time.perf_counter() - start
        written = plural(len(steps[-1].outcome.datasets), "dataset")
        session.reporter.step("apply", f"{plural(len(steps), 'operation')}, {written}", seconds)
        return {**document, "inputs": inputs}, {"apply": seconds}

    def _write(self, session: Session, before: Datasets, last: Outcome) -> None:
        """Datasets, the document that lists them, and models.

        Datasets that no operation has touched are listed where they are.
        """
        from gm.datasets import dataset_entry, write_dataset
        from gm.io.files import write_atomic
        from gm.io.yaml_writer import dump_yaml
        from gm.models.documents.writing import ModelsWriter

        folder = self.analysis.applied
        untouched = {id(dataset) for dataset in before}
        files = files_of_datasets(folder, [d.name for d in last.datasets if id(d) not in untouched])
        models = ModelsWriter(last.models, folder / "models.yaml", session.own_files(self.key))
        session.begin(self.key, [folder / "datasets.yaml", *models.files, *files.values(), self.result])
        sources, rows = session.source_entries(), []
        for dataset in last.datasets:
            file = files.get(dataset.name)
            if file is not None:
                write_dataset(dataset, file)
            rows.append(dataset_entry(dataset, os.path.relpath(file or sources[dataset.name], folder)))
        models.write()
        write_atomic(folder / "datasets.yaml", dump_yaml({"datasets": rows}))
