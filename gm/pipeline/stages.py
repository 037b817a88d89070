"""The stages: what each is made from, where its result lies, and how it runs."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, final

from gm.pipeline.inputs import Inputs, document_files, stage_inputs, why_stale
from gm.pipeline.load import Analysis
from gm.pipeline.results import FIT_SCHEMA, FLUX_POINTS_SCHEMA, read_result
from gm.pipeline.session import Session
from gm.pipeline.settings import FluxPointsSettings
from gm.pipeline.sky_masks import mask_files

Ran = tuple[dict[str, Any], list[str], dict[str, float]]
"""The result's document, its files relative to the folder of the results, and the wall times of its parts."""


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
    def recorded(self) -> dict[str, Any] | None:
        """The result of an earlier run, if there is one; its ``inputs`` say what it was made from."""

    @abstractmethod
    def run(self, session: Session, inputs: Inputs) -> Ran:
        """Compute and write the result."""

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs) -> str:
        """Why an earlier result does not count any more; empty when it does."""
        return why_stale(recorded.get("inputs"), inputs)

    def record(self) -> dict[str, Any] | None:
        """What the record of the run says of the stage, if all files that it has written are there."""
        from gm.pipeline.provenance import read_stages

        record = read_stages(self.output).get(self.key)
        if not isinstance(record, dict) or not isinstance(record.get("outputs"), list):
            return None
        return record if all((self.output / str(file)).is_file() for file in record["outputs"]) else None

    def config_part(self, *keys: str) -> dict[str, Any]:
        """The named sections of the resolved config, and those that shape the global model."""
        shared = ("conventions", "covariance", "parameters", "links")
        resolved = self.analysis.resolved
        inline = {key: resolved[key] for key in ("models", "datasets") if isinstance(resolved[key], dict)}
        return {**{key: resolved.get(key) for key in (*shared, *keys)}, **inline}

    def model_files(self) -> list[Path]:
        """The files that the fitted model comes from: those that the operations have written, where there are some."""
        if not self.analysis.operations:
            return self.source_model_files()
        files = [self.analysis.applied / name for name in ("models.yaml", "models_covariance.dat")]
        return [file for file in files if file.is_file()]

    def source_model_files(self) -> list[Path]:
        """The files that the global model of the config comes from."""
        from gm.pipeline.build import covariance_file

        parts, config = self.analysis.documents.models, self.analysis.config
        covariances = [covariance_file(part, config, self.analysis.settings.covariance) for part in parts]
        return [*document_files(parts), *(file for file in covariances if file is not None)]

    def mask_files(self) -> list[Path]:
        """The files that say which part of the sky is fitted."""
        fit = self.analysis.config.data.get("fit") or {}
        return list(mask_files(fit.get("mask"), self.analysis.config.directory))


def reason_to_run(stage: Stage, recorded: Mapping[str, Any] | None, inputs: Inputs, force: bool) -> str:
    """Why a stage runs, in words; empty when its result is up to date."""
    if recorded is None:
        return "no result that can be read" if stage.result.exists() else "no result yet"
    return "forced" if force else stage.why_stale(recorded, inputs)


@final
class Fitting(Stage):
    """The joint fit: ``fit/fit.yaml``, and the best-fit models beside it."""

    name = "fit"

    @property
    def result(self) -> Path:
        return self.output / "fit" / "fit.yaml"

    @property
    def models_file(self) -> Path:
        """The best-fit global model."""
        return self.output / "fit" / "models.yaml"

    def inputs(self, session: Session) -> Inputs:
        files = session.hashes([*self.model_files(), *session.dataset_files(), *self.mask_files()])
        return stage_inputs({"name": self.analysis.settings.name, **self.config_part("fit")}, files)

    def recorded(self) -> dict[str, Any] | None:
        return read_result(self.result, FIT_SCHEMA) if self.models_file.is_file() else None

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.fitting import run_fit

        return run_fit(session, self.result, self.models_file, inputs)


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
        models = self.model_files() if self.start is None else [self.start] if self.start.is_file() else []
        return stage_inputs(config, session.hashes([*models, *session.dataset_files(), *self.mask_files()]))

    def recorded(self) -> dict[str, Any] | None:
        tables = [self.result.with_name(f"{self.settings.name}.{suffix}") for suffix in ("fits", "ecsv")]
        if not all(table.is_file() for table in tables):
            return None
        return read_result(self.result, FLUX_POINTS_SCHEMA)

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.flux_points import run_flux_points

        return run_flux_points(session, self.settings, self.start, self.result, inputs)


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
        from gm.pipeline.inputs import dataset_files

        simulation, documents = self.analysis.simulation, self.analysis.documents
        assert simulation is not None
        data = dataset_files(documents.datasets) if simulation.recipes is None else []
        files = [*self.source_model_files(), *document_files(documents.datasets), *data, *simulation.filenames]
        inputs = stage_inputs(self.config_part("simulate"), session.hashes(files))
        return {**inputs, "options": {"asimov": True}} if self.analysis.request.asimov else inputs

    def recorded(self) -> dict[str, Any] | None:
        from gm.pipeline.simulating import simulation_document

        record = self.record()
        if record is None:
            return None
        return {**simulation_document(self.analysis, record["outputs"]), "inputs": record.get("inputs")}

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs) -> str:
        """``--asimov`` counts only when it is the simulation itself that was asked for: a fit takes what is there."""
        before = recorded.get("inputs")
        changed = isinstance(before, dict) and before.get("options") != inputs.get("options")
        if self.asked and changed:
            return "--asimov given" if self.analysis.request.asimov else "made with --asimov"
        return super().why_stale(recorded, inputs)

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.simulating import run_simulation

        start = time.perf_counter()
        document, outputs = run_simulation(session)
        session.forget_datasets()
        return document, outputs, {"simulate": time.perf_counter() - start}
