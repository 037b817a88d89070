"""From checked documents to science objects: the global model with its edits, the datasets with their fit masks."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from gm.config_schemas.reader import Document
from gm.datasets import Datasets, dataset_entries
from gm.datasets.files.reading import read_all
from gm.errors import GmError, JsonPath
from gm.models import Models
from gm.models.documents.covariance import SHARED, WHOLE, named_covariance
from gm.pipeline.analysis.documents import Documents, Part
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.paths import expand
from gm.pipeline.analysis.settings import Settings


def build_models(documents: Documents, settings: Settings | None, findings: Findings) -> Models | None:
    """One global model from all models documents; None when one of them has a problem."""
    built, file = list[Models](), None if settings is None else named_file(documents.config, settings.covariance)
    for part in documents.models:
        document = replace(part.document, data=_without_covariance(part.document.data))
        models, problems = Models.from_document(document)
        findings.extend(problems)
        if models is not None and settings is not None and file is None:
            its = covariance_file(part, documents.config, settings.covariance)
            models = _with_covariance(models, its, part.document, findings)
        built += [models] if models is not None else []
    if len(built) < len(documents.models) or not built:
        return None
    try:
        joined = built[0] if len(built) == 1 else _joined(built)
    except GmError as error:
        findings.add(documents.config, ("models",), str(error))
        return None
    return _with_covariance(joined, file, documents.config, findings)


def _joined(built: Sequence[Models]) -> Models:
    """Models of several documents as one. Parameters of different documents have nothing in common."""
    joined = Models(built[0])
    for models in built[1:]:
        joined.extend(models)
    links = [link for models in built for link in models.links]
    n_par, start = len(joined.parameters), 0
    if n_par > WHOLE or all(models.covariance is None for models in built):  # of many their errors alone
        return Models(joined, links)
    matrix = np.diag(np.square([parameter.error for parameter in joined.parameters]))
    for models in built:
        own = slice(start, start + len(models.parameters))
        start = own.stop
        if models.covariance is not None:
            matrix[own, own] = models.covariance
    return Models(joined, links, matrix)


def _without_covariance(data: Any) -> Any:
    """Which covariance counts is for the config to say."""
    keys = ("covariance", SHARED)
    return {key: value for key, value in data.items() if key not in keys} if isinstance(data, dict) else data


def _with_covariance(models: Models, file: Path | None, document: Document, findings: Findings) -> Models | None:
    """The models with the covariance of a file, if there is one, that a document names."""
    if file is None:
        return models
    if not os.path.isfile(file):
        findings.add_missing(document, ("covariance",), f"no such file: {file}")
        return None
    try:
        return models.with_covariance_file(file)
    except GmError as error:
        findings.add(document, ("covariance",), str(error), "covariance: false in the config goes without")
        return None


def edit_models(
    models: Models, documents: Documents, settings: Settings, findings: Findings, to_come: Collection[str] = ()
) -> Models | None:
    """The models with the ``parameters:`` and ``links:`` of the config; None when these have problems.

    to_come : patterns of parameters that a stage will add; what is said of these is left for `edit_added`
    """
    later = _later(models, settings, to_come)
    now = {key: edit for key, edit in settings.parameters.items() if key not in later}
    numbers = [k for k, link in enumerate(settings.links) if not later & _named(link)]
    return _edited(models, documents, now, {k: settings.links[k] for k in numbers}, findings)


def edit_added(
    models: Models,
    documents: Documents,
    settings: Settings,
    findings: Findings,
    before: Models,
    to_come: Collection[str],
) -> Models | None:
    """The models with what the config says of parameters that were not there ``before``, by patterns too."""
    later = _later(before, settings, to_come)
    edits = {key: edit for key, edit in settings.parameters.items() if key in later or _is_pattern(key)}
    links = {k: link for k, link in enumerate(settings.links) if later & _named(link)}
    return _edited(models, documents, edits, links, findings)


def _edited(
    models: Models, documents: Documents, edits: Mapping[str, Any], links: Mapping[int, Any], findings: Findings
) -> Models | None:
    """links : by their positions in the config."""
    before, positions = len(findings.problems), list(links)
    config, report = documents.config, findings.reporter(documents.config, ("links",))

    def report_link(path: JsonPath, message: str, hint: str = "") -> None:
        report((positions[int(path[0])], *path[1:]) if path else path, message, hint)

    models = models.with_parameters(edits, findings.key_reporter(config, ("parameters",)))
    models = models.with_links(tuple(links.values()), report_link)
    return models if len(findings.problems) == before else None


def _later(models: Models, settings: Settings, to_come: Collection[str]) -> set[str]:
    """The addresses in edits and links that no parameter has, but one to come may have."""
    named = {*settings.parameters, *(name for link in settings.links for name in _named(link))}
    there = models.addresses()
    return {
        name
        for name in named
        if any(fnmatchcase(name, address) or _is_pattern(name) for address in to_come)
        and name not in there
        and not there.match(name)
    }


def _named(link: Mapping[str, Any]) -> set[str]:
    """The parameters that a link names."""
    return {name for name in (link.get("parameter"), link.get("equals")) if isinstance(name, str)}


def _is_pattern(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def named_file(config: Document, covariance: str | None) -> Path | None:
    """The covariance file that the config names, which is that of all models; None where it names none."""
    return None if covariance in (None, "auto") else config.directory / expand(str(covariance))


def covariance_file(part: Part, config: Document, covariance: str | None) -> Path | None:
    """The covariance file of a models document as the config wants it: named, or beside it when there."""
    if covariance is None:
        return None
    if (file := named_file(config, covariance)) is not None:
        return file
    named = named_covariance(part.document.data)
    if named is not None:
        return part.document.directory / expand(named[1])
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
