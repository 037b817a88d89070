"""From a request to a checked analysis: all documents read, all problems found together, the global model built."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import Document
from gm.config_schemas.validator import unsound_keys
from gm.pipeline.analysis.build import build_models, edit_added, edit_models
from gm.pipeline.analysis.checks import (
    check_datasets_names,
    check_files,
    check_instruments,
    named_components,
    named_datasets,
    sky_and_other,
    written_names,
)
from gm.pipeline.analysis.declaration import Declaration, S
from gm.pipeline.analysis.documents import Documents, read_documents
from gm.pipeline.analysis.engine import EngineSettings, check_engine, engine_settings
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.paths import expand, folder_name
from gm.pipeline.analysis.request import Request
from gm.pipeline.analysis.sections import Known, Names, Section
from gm.pipeline.analysis.settings import Settings, build_settings, resolve

if TYPE_CHECKING:
    from gm.models import Models

Stages = Sequence[Declaration[Any]]


@dataclass(frozen=True, eq=False)
class Analysis:
    """A valid analysis.

    models : the global model with the config's edits and links in it
    stages : all that there are, declared or not, in the order in which they run
    sections : those of the config that stages own, and `own` what these have made of them, by the stage's name
    dataset_names : of the datasets that the models of the config speak of, as far as they are known before a run
    """

    request: Request
    documents: Documents
    resolved: dict[str, Any]
    settings: Settings
    models: Models
    stages: Stages
    sections: Mapping[str, Section]
    own: Mapping[str, Any]
    dataset_names: tuple[str, ...]

    @property
    def config(self) -> Document:
        return self.documents.config

    def of(self, stage: Declaration[S]) -> S | None:
        """The settings of a stage; None where the config has no such section."""
        settings: S | None = self.own.get(stage.name)
        return settings

    def declares(self, stage: Declaration[Any]) -> bool:
        """Whether the config has the section, with something in it where it is a list."""
        return bool(self.own.get(stage.name))


def load(request: Request, stages: Stages) -> Analysis:
    """Read and check an analysis without opening its data. Raises `InvalidInput` with every problem."""
    findings = Findings()
    documents = read_documents(request, findings, partial(resolve, stages=stages))
    config = documents.config
    resolved = resolve(documents.sound, stages)
    settings = build_settings(resolved, documents.stem, config.directory, findings.reporter(config))
    check_engine(resolved["engine"], config, findings)
    sections = _sections(documents, stages, resolved, findings)
    _check_there_are_datasets(documents, stages, sections, findings)
    own, names, spoken_of = _read_sections(documents, stages, sections, findings)
    check_files(documents.datasets, findings)
    models = build_models(documents, settings, findings)
    parts = documents.models if models is not None else [part.sound("models") for part in documents.models]
    if spoken_of is not None:
        check_datasets_names(parts, spoken_of, findings)
    if models is not None:
        check_instruments(documents.models, documents.datasets, models, spoken_of or (), findings)
        models = edit_models(models, documents, settings, findings, _to_come(stages, sections, own))
    known = Known(datasets=names)
    if "models" not in documents.unread:
        sky, others = named_components(parts)
        if models is None:  # what is wrong with a component has been told: that it is there is known
            sky += [name for name in written_names(documents.models) if name not in (*sky, *others)]
        is_edited = any(own.get(stage.name) and stage.edits_models for stage in stages)
        known = Known(names, sky, None, None, models) if is_edited else Known(names, sky, others, models, models)
    for stage in stages:
        if stage.name in sections:
            stage.check(sections[stage.name], known)
    findings.stop_if_any()
    engine = engine_settings(resolved["engine"], config.directory, request)
    if models is None:  # every way to get here has left a problem
        raise AssertionError("an invalid analysis without a problem")
    return Analysis(
        request=request,
        documents=documents,
        resolved=_recorded(resolved, documents, stages, request, engine),
        settings=_requested(settings, request, engine),
        models=models,
        stages=stages,
        sections=sections,
        own=own,
        dataset_names=tuple(spoken_of or ()),
    )


def edited(analysis: Analysis, models: Models) -> Models:
    """Models that a stage has added components to, with what the config says of these. Raises `InvalidInput`."""
    findings = Findings()
    to_come = _to_come(analysis.stages, analysis.sections, analysis.own)
    made = edit_added(models, analysis.documents, analysis.settings, findings, analysis.models, to_come)
    findings.stop_if_any()
    return models if made is None else made


def check_edited(analysis: Analysis, models: Models) -> None:
    """What sections ask of the global model is in the one that a stage has made of it. Raises `InvalidInput`."""
    findings = Findings()
    known = Known(None, *sky_and_other(models), models, models)
    for stage in analysis.stages:
        if stage.name in analysis.sections:
            stage.check(replace(analysis.sections[stage.name], findings=findings), known)
    findings.stop_if_any()


def _sections(
    documents: Documents, stages: Stages, resolved: Mapping[str, Any], findings: Findings
) -> dict[str, Section]:
    """The sections that the config has, as far as they agree with the schema, by the names of their stages."""
    given, sound = documents.config.data, documents.sound
    unsound = set() if sound is given else unsound_keys(given, "config")
    return {
        stage.name: Section(
            name=stage.section,
            data=sound[stage.section],
            resolved=resolved[stage.section],
            is_whole=stage.section not in unsound,
            config=documents.config,
            findings=findings,
        )
        for stage in stages
        if stage.section in sound
    }


def _check_there_are_datasets(
    documents: Documents, stages: Stages, sections: Mapping[str, Section], findings: Findings
) -> None:
    """The config has datasets, or a stage that makes some."""
    for stage in stages:
        section = sections.get(stage.name)
        is_hidden = not section.is_whole if section is not None else stage.section in documents.config.data
        if stage.makes_datasets and (is_hidden or (section is not None and stage.has_own_datasets(section))):
            return
    if documents.config.data.get("datasets") is None:
        hint = "add 'datasets: datasets.yaml', or 'simulate:' with datasets of its own"
        findings.add(documents.config, (), "no datasets", hint)


def _read_sections(
    documents: Documents, stages: Stages, sections: Mapping[str, Section], findings: Findings
) -> tuple[dict[str, Any], Names, Names]:
    """The settings of all sections; the names of the datasets after all stages, and those that models speak of."""
    names: Names = named_datasets(documents.datasets, findings)
    if "datasets" in documents.unread:
        names = None
    own, spoken_of = dict[str, Any](), names
    for stage in stages:
        section = sections.get(stage.name)
        if section is not None:
            own[stage.name] = stage.read(section)
            names = stage.dataset_names(section, own[stage.name], names)
        elif stage.makes_datasets and stage.section in documents.config.data:
            names = None
        if stage.makes_datasets and not stage.renames_datasets:
            spoken_of = names
    return own, names, spoken_of


def _to_come(stages: Stages, sections: Mapping[str, Section], own: Mapping[str, Any]) -> list[str]:
    """Patterns of the parameters that stages will add to the global model."""
    declared = [stage for stage in stages if own.get(stage.name) is not None]
    return [name for stage in declared for name in stage.parameters_to_come(sections[stage.name], own[stage.name])]


def _requested(settings: Settings, request: Request, engine: EngineSettings) -> Settings:
    """The settings with what the command line says instead."""
    output = settings.output if request.output is None else Path(expand(folder_name(request.output)))
    return replace(settings, output=output, workers=None if engine.is_dask else engine.workers, engine=engine)


def _recorded(
    resolved: dict[str, Any],
    documents: Documents,
    stages: Iterable[Declaration[Any]],
    request: Request,
    engine: EngineSettings,
) -> dict[str, Any]:
    """The config with its defaults, as the record of a run shows it."""
    given = documents.config.data
    left_out = {stage.section for stage in stages if not stage.is_list and stage.section not in given}
    recorded = {key: value for key, value in resolved.items() if key not in left_out}
    recorded["name"] = resolved["name"] or documents.stem
    recorded["engine"] = engine.recorded()
    recorded["output"] = request.output or resolved["output"] or f"{documents.stem}-results"
    return recorded
