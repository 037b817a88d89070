"""From checked documents to science objects: the global model with its edits, the datasets with their fit masks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gm.config_schemas.reader import Document
from gm.datasets import Datasets, dataset_entries
from gm.datasets.files.reading import read_all
from gm.errors import GmError
from gm.models import Models
from gm.pipeline.analysis.documents import Documents, Part
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.paths import expand
from gm.pipeline.analysis.settings import Settings


def build_models(documents: Documents, settings: Settings | None, findings: Findings) -> Models | None:
    """One global model from all models documents; None when one of them has a problem."""
    built: list[Models] = []
    for part in documents.models:
        document = replace(part.document, data=_without_covariance(part.document.data))
        models, problems = Models.from_document(document)
        findings.extend(problems)
        if models is not None and settings is not None and len(documents.models) == 1:
            models = _with_covariance(models, part, documents, settings, findings)
        built += [models] if models is not None else []
    if len(built) < len(documents.models) or not built:
        return None
    if len(built) == 1:
        return built[0]
    links = [link for models in built for link in models.links]
    try:
        return Models([component for models in built for component in models], links)
    except GmError as error:
        findings.add(documents.config, ("models",), str(error))
        return None


def _without_covariance(data: Any) -> Any:
    """Which covariance counts is for the config to say."""
    return {key: value for key, value in data.items() if key != "covariance"} if isinstance(data, dict) else data


def _with_covariance(
    models: Models, part: Part, documents: Documents, settings: Settings, findings: Findings
) -> Models | None:
    file = covariance_file(part, documents.config, settings.covariance)
    if file is None:
        return models
    named_in_config = settings.covariance != "auto"
    document = documents.config if named_in_config else part.document
    if not file.is_file():
        findings.add_missing(document, ("covariance",), f"no such file: {file}")
        return None
    try:
        return models.with_covariance_file(file)
    except GmError as error:
        findings.add(document, ("covariance",), str(error), "covariance: false in the config goes without")
        return None


def edit_models(models: Models, documents: Documents, settings: Settings, findings: Findings) -> Models | None:
    """The models with the ``parameters:`` and ``links:`` of the config; None when these have problems."""
    before = len(findings.problems)
    config = documents.config
    models = models.with_parameters(settings.parameters, findings.key_reporter(config, ("parameters",)))
    models = models.with_links(settings.links, findings.reporter(config, ("links",)))
    return models if len(findings.problems) == before else None


def covariance_file(part: Part, config: Document, covariance: str | None) -> Path | None:
    """The covariance file of a models document as the config wants it: named, or beside it when there."""
    if covariance is None:
        return None
    if covariance != "auto":
        return config.directory / expand(covariance)
    named = part.document.data.get("covariance")
    if named is not None:
        return part.document.directory / expand(named)
    file = part.file.with_name(f"{part.file.stem}_covariance.dat") if part.file is not None else None
    return file if file is not None and file.is_file() else None


def read_parts(
    parts: Iterable[Part], workers: int | None, progress: Callable[[int, int], None] | None = None
) -> Datasets:
    """All datasets of all documents.

    ``progress`` hears how many of how many files are read. Raises `InvalidInput`, and `DataError` for files that cannot
    be used.
    """
    findings, entries = Findings(), []
    for part in parts:
        entries += dataset_entries(part.document.data, part.document.directory, findings.reporter(part.document))
    findings.stop_if_any()
    return Datasets(read_all(entries, workers, progress))
