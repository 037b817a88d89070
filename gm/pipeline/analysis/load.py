"""From a request to a checked analysis: all documents read, all problems found together, the global model built."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import Document
from gm.errors import EngineError, UsageError
from gm.pipeline.analysis.build import build_models, edit_models
from gm.pipeline.analysis.checks import (
    check_datasets_names,
    check_files,
    check_flux_points,
    check_parameters,
    check_patterns,
    check_references,
    named_components,
    named_datasets,
    sky_and_other,
)
from gm.pipeline.analysis.documents import Documents, read_documents
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.request import Request
from gm.pipeline.analysis.settings import Settings, build_settings, expand, folder_name, resolve
from gm.pipeline.stages.operations_settings import OperationSettings, check_operations, read_operations

if TYPE_CHECKING:
    from gm.datasets.simulation import Simulation
    from gm.models import Models


@dataclass(frozen=True, eq=False)
class Analysis:
    """A valid analysis. ``models`` is the global model with the config's edits and links in it.

    ``dataset_names`` are those that a simulation makes, or the config names; ``operations`` then make others.
    """

    request: Request
    documents: Documents
    resolved: dict[str, Any]
    settings: Settings
    models: Models
    simulation: Simulation | None
    dataset_names: tuple[str, ...]
    operations: tuple[OperationSettings, ...] = ()

    @property
    def config(self) -> Document:
        return self.documents.config

    @property
    def applied(self) -> Path:
        """The folder of what the operations make: that of the results, unless a simulation writes there."""
        return self.settings.output / "operations" if self.simulation is not None else self.settings.output


def load(request: Request) -> Analysis:
    """Read and check an analysis without opening its data. Raises `InvalidInput` with every problem."""
    _check_engine(request)
    findings = Findings()
    documents = read_documents(request, findings)
    config, report = documents.config, findings.reporter(documents.config)
    settings = None
    if documents.config_is_valid:
        settings = build_settings(config.data, documents.stem, config.directory, report)
    simulation, names = _datasets(documents, findings)
    check_files(documents.datasets, findings)
    operations = _operations(documents, findings)
    if "datasets" not in documents.unread:
        check_datasets_names(documents.models, names, findings)
        after = check_operations(operations, names, config, findings) if operations else names
        if after is not None:
            check_patterns(documents, after, findings)
    if "models" not in documents.unread and not operations:
        sources, others = named_components(documents.models)
        check_flux_points(documents, sources, others, findings)
    models = build_models(documents, settings, findings)
    if models is not None and settings is not None:
        models = edit_models(models, documents, settings, findings)
    if models is not None and not operations:
        check_parameters(documents, models, findings)
        check_references(documents, models, findings)
    findings.stop_if_any()
    if settings is None or models is None:  # every way to get here has left a problem
        raise AssertionError("an invalid analysis without a problem")
    return Analysis(
        request=request,
        documents=documents,
        resolved=_resolved(documents, request),
        settings=_requested(settings, request),
        models=models,
        simulation=simulation,
        dataset_names=tuple(names),
        operations=tuple(operations),
    )


def _operations(documents: Documents, findings: Findings) -> list[OperationSettings]:
    if not documents.config_is_valid:
        return []
    config = documents.config
    return read_operations(config.data.get("operations"), config.directory, config, findings)


def check_edited(analysis: Analysis, models: Models) -> None:
    """What the stages after the operations are asked about is in the models that the operations make.

    Raises `InvalidInput`.
    """
    findings = Findings()
    check_parameters(analysis.documents, models, findings)
    check_flux_points(analysis.documents, *sky_and_other(models), findings)
    check_references(analysis.documents, models, findings)
    findings.stop_if_any()


def _check_engine(request: Request) -> None:
    if request.engine == "dask" or (request.engine is None and request.scheduler is not None):
        raise EngineError(
            "the engine 'dask' is not part of this version of gm\n    leave --engine out to compute locally"
        )
    if request.scheduler is not None:
        raise UsageError("--scheduler belongs to --engine dask")


def _datasets(documents: Documents, findings: Findings) -> tuple[Simulation | None, Sequence[str]]:
    """The simulation, if the config has one, and the names of the datasets that are fitted."""
    config = documents.config
    given = named_datasets(documents.datasets, findings)
    section = config.data.get("simulate")
    has_recipes = isinstance(section, dict) and section.get("datasets") is not None
    if has_recipes and config.data.get("datasets") is not None:
        message = "datasets and simulate.datasets cannot be there together"
        findings.add(config, ("datasets",), message, "remove one of them", key=True)
    if not has_recipes and config.data.get("datasets") is None:
        findings.add(
            config, (), "no datasets", "add 'datasets: datasets.yaml', or 'simulate:' with datasets of its own"
        )
    if not documents.config_is_valid or "simulate" not in config.data:
        return None, _simulated_names(section) if has_recipes else given
    from gm.pipeline.stages.simulation_reading import simulation_from_dict

    report = findings.reporter(config, ("simulate",))
    simulation = simulation_from_dict(section or {}, config.directory, report)
    if simulation is None or simulation.recipes is None:
        return simulation, _simulated_names(section) if has_recipes else given
    return simulation, simulation.names


def _simulated_names(section: Any) -> list[str]:
    """The names in a section that has other problems, as far as they can be told."""
    from gm.pipeline.stages.simulation_reading import expand_names

    rows = section.get("datasets") if isinstance(section, dict) else None
    names: list[str] = []
    for row in rows if isinstance(rows, list) else []:
        copies = row.get("copies", 1) if isinstance(row, dict) else 1
        if isinstance(row, dict) and isinstance(row.get("name"), str):
            names += expand_names(row["name"], copies if isinstance(copies, int) and 1 <= copies < 10**6 else 1)
    return names


def _requested(settings: Settings, request: Request) -> Settings:
    """The settings with what the command line says instead."""
    output = settings.output if request.output is None else Path(expand(folder_name(request.output)))
    workers = settings.workers if request.workers is None else request.workers
    return replace(settings, output=output, workers=workers)


def _resolved(documents: Documents, request: Request) -> dict[str, Any]:
    """The config with its defaults, as the record of a run shows it."""
    resolved = resolve(documents.config.data)
    resolved["name"] = resolved["name"] or documents.stem
    resolved["output"] = request.output or resolved["output"] or f"{documents.stem}-results"
    if "fit" not in documents.config.data:
        del resolved["fit"]
    return resolved
