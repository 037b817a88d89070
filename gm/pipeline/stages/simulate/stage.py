"""The ``simulate:`` section, and ``gm simulate``: datasets drawn from the global model."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import MODELS, Ran, Stage, Task, folder_of
from gm.pipeline.stages.simulate.document import ASIMOV, simulation_document

if TYPE_CHECKING:
    from gm.datasets.simulation import Simulation
    from gm.likelihood import Engine
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Names, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.start import Preview, Start


@final
class Simulating(Stage["Simulation | None"]):
    """Datasets of its own, or those that are there drawn again."""

    name = section = command = "simulate"
    phase = Phase.SIMULATION
    help = "Draw datasets from models and responses."
    flags: ClassVar[Mapping[str, str]] = {ASIMOV: "Expected counts instead of random ones."}
    makes_datasets = True
    defaults: ClassVar[Mapping[str, Any]] = {"seed": 0, "asimov": False}

    def read(self, section: Section) -> Simulation | None:
        from gm.pipeline.stages.simulate.reading import simulation_from_dict

        if self.has_own_datasets(section) and section.config.data.get("datasets") is not None:
            message = "datasets and simulate.datasets cannot be there together"
            section.findings.add(section.config, ("datasets",), message, "remove one of them", key=True)
        return simulation_from_dict(section.data, section.directory, section.add) if section.is_whole else None

    def has_own_datasets(self, section: Section) -> bool:
        return section.data.get("datasets") is not None

    def dataset_names(self, section: Section, settings: Simulation | None, names: Names) -> Names:
        from gm.pipeline.stages.simulate.reading import expand_names

        if not section.is_whole:
            return None
        recipes = section.data.get("datasets")
        if recipes is None:
            return names
        return [name for recipe in recipes for name in expand_names(recipe["name"], recipe.get("copies", 1))]

    def files(self, section: Section) -> Iterable[Path]:
        """The files whose responses it takes, those of on/off spectra with their companions."""
        from gm.pipeline.stages.simulate.reading import response_files

        return response_files(section)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return [SimulationTask(self, analysis)]

    def made(self, session: Session, task: Task) -> Start:
        from gm.pipeline.start import Written

        return Written(task.result.parent, session.start, session.read)

    def preview(self, analysis: Analysis, start: Start, made: Start, engine: Engine | None = None) -> Preview:
        from gm.pipeline.start import Preview

        return Preview(made)

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        """Datasets that are drawn again are what later stages can be checked with."""
        from gm.datasets.simulation import build_templates

        simulation = analysis.of(self)
        if simulation is None or simulation.recipes is None:
            return start
        build_templates(simulation)
        return None


SIMULATE = Simulating()


@final
class SimulationTask(Task):
    """``datasets.yaml`` with ``datasets/``, and the models they were drawn from as ``models.yaml``."""

    @property
    def result(self) -> Path:
        return folder_of(self.stage, self.analysis) / "datasets.yaml"

    def inputs(self, session: Session) -> Inputs:
        inputs = super().inputs(session)
        return {**inputs, "options": {ASIMOV: True}} if ASIMOV in self.analysis.request.flags else inputs

    def outputs(self) -> list[Path]:
        from gm.pipeline.results import files_of_datasets

        files = files_of_datasets(self.result.parent, self.analysis.dataset_names)
        return [self.result, *(self.result.with_name(name) for name in MODELS), *files.values()]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        files = [self.analysis.settings.output / str(name) for name in record["outputs"]]
        return (
            simulation_document(self.analysis.dataset_names, files) if all(file.is_file() for file in files) else None
        )

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs, asked: bool) -> str:
        """``--asimov`` counts only when it is the simulation itself that was asked for: a fit takes what is there."""
        if asked and recorded.get("options") != inputs.get("options"):
            return "--asimov given" if "options" in inputs else "made with --asimov"
        return super().why_stale(recorded, inputs, asked)

    def about(self, start: Start) -> str:
        from gm.readable import plural

        return plural(len(self.analysis.dataset_names), "dataset")

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.simulate.run import run_simulation

        start = time.perf_counter()
        document = run_simulation(session, self)
        return document, {"simulate": time.perf_counter() - start}
