"""The stage of the dataset operations: new datasets, the edited global model, and the list of its edits as files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from gm.pipeline.inputs import Inputs, dataset_files, document_files, stage_inputs
from gm.pipeline.results import EDITS_SCHEMA, read_result, write_document
from gm.pipeline.settings import expand, plural
from gm.pipeline.stages import Ran, Stage

if TYPE_CHECKING:
    from gm.datasets import Datasets
    from gm.pipeline.operations import Step
    from gm.pipeline.session import Session


@final
class Applying(Stage):
    """The operations: ``datasets.yaml`` with ``datasets/``, ``models.yaml`` and ``edits.yaml``."""

    name = "apply"

    @property
    def result(self) -> Path:
        return self.analysis.applied / "edits.yaml"

    def inputs(self, session: Session) -> Inputs:
        parts = session.source_parts()
        files = [*self.source_model_files(), *document_files(parts), *dataset_files(parts), *self.region_files()]
        return stage_inputs(self.config_part("operations"), session.hashes(files))

    def region_files(self) -> Iterator[Path]:
        """The files that the operations take regions from."""
        for entry in self.analysis.config.data.get("operations") or ():
            for arguments in entry.values():
                region = arguments.get("region")
                if isinstance(region, dict) and isinstance(region.get("filename"), str):
                    yield self.analysis.config.directory / expand(region["filename"])

    def recorded(self) -> dict[str, Any] | None:
        record, document = self.record(), read_result(self.result, EDITS_SCHEMA)
        return None if record is None or document is None else {**document, "inputs": record.get("inputs")}

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.operations import apply_operations, step_document

        start = time.perf_counter()
        before = session.source_datasets()
        steps = apply_operations(self.analysis, before)
        document = {
            "schema": EDITS_SCHEMA,
            "name": self.analysis.settings.name,
            "operations": [step_document(step) for step in steps],
        }
        outputs = self._write(session, before, steps[-1])
        write_document(self.result, document)
        session.forget_datasets()
        seconds = time.perf_counter() - start
        written = plural(len(steps[-1].outcome.datasets), "dataset")
        session.reporter.step("apply", f"{plural(len(steps), 'operation')}, {written}", seconds)
        folder = self.analysis.applied.relative_to(self.output)
        files = [(folder / file).as_posix() for file in (*outputs, self.result.name)]
        return {**document, "inputs": inputs}, files, {"apply": seconds}

    def _write(self, session: Session, before: Datasets, last: Step) -> list[str]:
        """Datasets, the document that lists them, and models; returns the files in the folder of the result.

        Datasets that no operation has touched are listed where they are.
        """
        import os

        from gm.datasets import FluxPointsDataset, write_dataset
        from gm.io.files import write_atomic
        from gm.io.yaml_writer import dump_yaml
        from gm.models.writing import unwritten_maps
        from gm.pipeline.simulating import file_stem

        folder, files, rows = self.analysis.applied, ["datasets.yaml", "models.yaml"], []
        sources = session.source_entries()
        untouched = {dataset.name for dataset in before if any(dataset is other for other in last.outcome.datasets)}
        for dataset in last.outcome.datasets:
            row: dict[str, Any] = {"name": dataset.name, "type": dataset.type}
            if dataset.name in untouched:
                row["filename"] = Path(os.path.relpath(sources[dataset.name], folder)).as_posix()
            else:
                row["filename"] = f"datasets/{file_stem(dataset.name)}.fits"
                write_dataset(dataset, folder / row["filename"])
                files.append(row["filename"])
            if isinstance(dataset, FluxPointsDataset) and dataset.stat_type != "chi2":
                row["stat_type"] = dataset.stat_type
            rows.append(row)
        covariance = folder / "models_covariance.dat"
        covariance.unlink(missing_ok=True)  # one of an earlier run would be taken for that of these models
        last.outcome.models.write(folder / "models.yaml", overwrite=True)
        files += [covariance.name] if covariance.is_file() else []
        files += unwritten_maps(last.outcome.models)
        write_atomic(folder / "datasets.yaml", dump_yaml({"datasets": rows}))
        return files
