"""The files that an analysis starts from: what its config names, and what these files name in turn."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gm.pipeline.analysis.build import covariance_file
from gm.pipeline.analysis.declaration import Declaration
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.inputs import document_files


def loaded_files(analysis: Analysis) -> set[Path]:
    """The files that were read when the analysis was loaded: it does not matter to it if they change afterwards."""
    parts = (*analysis.documents.models, *analysis.documents.datasets)
    return {part.file for part in parts if part.file is not None} | set(_covariances(analysis))


def read_files(analysis: Analysis) -> list[Path]:
    """The files that are read when the analysis is loaded, or may be: what is in them is in its models and settings."""
    config = [Path(analysis.request.config)] if analysis.request.config != "-" else []
    sections = [(stage, analysis.sections.get(stage.name)) for stage in analysis.stages]
    named = [file for stage, section in sections if section is not None for file in stage.read_files(section)]
    return list(dict.fromkeys([*config, *sorted(loaded_files(analysis)), *model_files(analysis), *named]))


def model_files(analysis: Analysis) -> list[Path]:
    """The files that the global model comes from: documents, what their components read, covariances."""
    return [*document_files(analysis.documents.models), *_covariances(analysis)]


def _covariances(analysis: Analysis) -> list[Path]:
    parts, config = analysis.documents.models, analysis.config
    files = [covariance_file(part, config, analysis.settings.covariance) for part in parts]
    return [file for file in files if file is not None]


def named_files(analysis: Analysis, stages: Iterable[Declaration[Any]]) -> list[Path]:
    """The files that the sections of these stages name."""
    sections = [(stage, analysis.sections.get(stage.name)) for stage in stages]
    return [file for stage, section in sections if section is not None for file in stage.files(section)]


def source_files(analysis: Analysis) -> list[Path]:
    """All of them but the datasets, the config first where it is a file."""
    config = [Path(analysis.request.config)] if analysis.request.config != "-" else []
    return [*config, *model_files(analysis), *named_files(analysis, reversed(analysis.stages))]
