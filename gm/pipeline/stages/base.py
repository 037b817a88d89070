"""The stages: what each is made from, where its result lies, and how it runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, final

from gm.pipeline.analysis.load import Analysis
from gm.pipeline.analysis.settings import FluxPointsSettings
from gm.pipeline.inputs import Inputs, stage_inputs, why_stale
from gm.pipeline.results import FIT_SCHEMA, FLUX_POINTS_SCHEMA, files_of_datasets, read_result, simulation_document
from gm.pipeline.session import Session
from gm.pipeline.sources import mask_files, model_files, response_files

Ran = tuple[dict[str, Any], dict[str, float]]
"""The result's document, and the wall times of its parts."""

FIT = "fit/fit.yaml"
MODELS = ("models.yaml", "models_covariance.dat")


class Stage(ABC):
    """One step of an analysis with a result of its own."""

    name: ClassVar[str]

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.output = analysis.settings.output

    @property
    def label(self) -> str:
        """How people call the stage."""
        return self.name

    @property
    def key(self) -> str:
        """How the record of the run calls the stage."""
        return self.name

    @property
    @abstractmethod
    def result(self) -> Path:
        """The file that stands for the result."""

    @abstractmethod
    def inputs(self, session: Session) -> Inputs:
        """The hashes of what the stage is made from, as it is now."""

    @abstractmethod
    def outputs(self) -> list[Path]:
        """The files that the stage may write, as far as that is known before it runs."""

    @abstractmethod
    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        """The result of an earlier run, if it can be read; ``record`` is what the record of the run says of it."""

    @abstractmethod
    def run(self, session: Session, inputs: Inputs) -> Ran:
        """Compute, then `Session.begin`, then write."""

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs) -> str:
        """Why a result from ``recorded`` inputs does not count any more; empty when it does."""
        return why_stale(recorded, inputs)

    def config_part(self, *keys: str) -> dict[str, Any]:
        """The named sections of the resolved config, and those that shape the global model."""
        shared = ("conventions", "covariance", "parameters", "links")
        resolved = self.analysis.resolved
        inline = {key: resolved[key] for key in ("models", "datasets") if isinstance(resolved[key], dict)}
        return {**{key: resolved.get(key) for key in (*shared, *keys)}, **inline}


def previous(stage: Stage, session: Session, inputs: Inputs, force: bool) -> tuple[dict[str, Any] | None, str]:
    """The result of an earlier run, or else why the stage runs: empty when that result is up to date."""
    record = session.record.finished(stage.key)
    if record is None:
        if session.record.is_unfinished(stage.key):
            return None, "stopped while it wrote its result"
        return None, "no record of how its result was made" if stage.result.exists() else "no result yet"
    reason = "forced" if force else stage.why_stale(record["inputs"], inputs)
    if reason:
        return None, reason
    document = stage.document(record)
    if document is None:
        return None, "no result that can be read" if stage.result.exists() else "no result yet"
    return document, session.why_changed(record["outputs"])


@final
class Fitting(Stage):
    """The joint fit: ``fit/fit.yaml``, and the best-fit models beside it."""

    name = "fit"

    @property
    def result(self) -> Path:
        return self.output / FIT

    @property
    def models_file(self) -> Path:
        """The best-fit global model."""
        return self.output / "fit" / "models.yaml"

    def inputs(self, session: Session) -> Inputs:
        files = session.hashes([*session.model_files(), *session.dataset_files(), *mask_files(self.analysis)])
        return stage_inputs({"name": self.analysis.settings.name, **self.config_part("fit")}, files)

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(name) for name in MODELS)]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        return read_result(self.result, FIT_SCHEMA)

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.fit import run_fit

        return run_fit(session, self.key, self.result, self.models_file, inputs)


@final
class FluxPoints(Stage):
    """The flux points of one source: ``flux_points/NAME.yaml``, and the same as FITS and ECSV tables."""

    name = "flux_points"

    def __init__(self, analysis: Analysis, settings: FluxPointsSettings) -> None:
        super().__init__(analysis)
        self.settings = settings

    @property
    def label(self) -> str:
        return f"flux_points {self.settings.name}"

    @property
    def key(self) -> str:
        return f"flux_points/{self.settings.name}"

    @property
    def result(self) -> Path:
        return self.output / "flux_points" / f"{self.settings.name}.yaml"

    @property
    def start(self) -> Path | None:
        """The models file that the flux points start from; None for the models of the config as they are."""
        return self.output / "fit" / "models.yaml" if self.analysis.settings.fit is not None else None

    def inputs(self, session: Session) -> Inputs:
        index = self.analysis.settings.flux_points.index(self.settings)
        config = {**self.config_part("fit"), "flux_points": self.analysis.resolved["flux_points"][index]}
        models = (
            session.model_files() if self.start is None else session.written(Fitting.name, besides=self.output / FIT)
        )
        files = session.hashes([*models, *session.dataset_files(), *mask_files(self.analysis)])
        return stage_inputs(config, files)

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(f"{self.settings.name}.{kind}") for kind in ("fits", "ecsv"))]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        return read_result(self.result, FLUX_POINTS_SCHEMA)

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.flux_points import run_flux_points

        return run_flux_points(session, self.key, self.settings, self.start, self.outputs(), inputs)


@final
class Simulating(Stage):
    """The simulation: ``datasets.yaml`` with ``datasets/``, and the models they were drawn from as ``models.yaml``."""

    name = "simulate"

    def __init__(self, analysis: Analysis, *, asked: bool) -> None:
        super().__init__(analysis)
        self.asked = asked

    @property
    def result(self) -> Path:
        return self.output / "datasets.yaml"

    def inputs(self, session: Session) -> Inputs:
        simulation, documents = self.analysis.simulation, self.analysis.documents
        assert simulation is not None
        data = session.files_of(documents.datasets) if simulation.recipes is None else response_files(self.analysis)
        files = [*model_files(self.analysis), *data]
        inputs = stage_inputs(self.config_part("simulate"), session.hashes(files))
        return {**inputs, "options": {"asimov": True}} if self.analysis.request.asimov else inputs

    def outputs(self) -> list[Path]:
        files = files_of_datasets(self.output, self.analysis.dataset_names)
        return [self.result, *(self.output / name for name in MODELS), *files.values()]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        files = [self.output / str(name) for name in record["outputs"]]
        return (
            simulation_document(self.analysis.dataset_names, files) if all(file.is_file() for file in files) else None
        )

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs) -> str:
        """``--asimov`` counts only when it is the simulation itself that was asked for: a fit takes what is there."""
        if self.asked and recorded.get("options") != inputs.get("options"):
            return "--asimov given" if self.analysis.request.asimov else "made with --asimov"
        return super().why_stale(recorded, inputs)

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.simulate import run_simulation

        start = time.perf_counter()
        document = run_simulation(session, self.key)
        session.forget_datasets()
        return document, {"simulate": time.perf_counter() - start}
