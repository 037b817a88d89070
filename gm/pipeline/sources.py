"""The files that an analysis starts from: what its config names, and what these files name in turn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from gm.pipeline.analysis.build import covariance_file
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.analysis.settings import expand
from gm.pipeline.inputs import document_files, with_companions
from gm.pipeline.stages import sky_masks


def loaded_files(analysis: Analysis) -> set[Path]:
    """The files that were read when the analysis was loaded: it does not matter to it if they change afterwards."""
    parts = (*analysis.documents.models, *analysis.documents.datasets)
    return {part.file for part in parts if part.file is not None} | set(_covariances(analysis))


def model_files(analysis: Analysis) -> list[Path]:
    """The files that the global model comes from: documents, what their components read, covariances."""
    return [*document_files(analysis.documents.models), *_covariances(analysis)]


def _covariances(analysis: Analysis) -> list[Path]:
    parts, config = analysis.documents.models, analysis.config
    files = [covariance_file(part, config, analysis.settings.covariance) for part in parts]
    return [file for file in files if file is not None]


def mask_files(analysis: Analysis) -> list[Path]:
    """The files that say which part of the sky is fitted."""
    fit = analysis.config.data.get("fit") or {}
    return list(sky_masks.mask_files(fit.get("mask"), analysis.config.directory))


def region_files(analysis: Analysis) -> Iterator[Path]:
    """The files that the operations take regions from."""
    for entry in analysis.config.data.get("operations") or ():
        for arguments in entry.values():
            region = arguments.get("region")
            if isinstance(region, dict) and isinstance(region.get("filename"), str):
                yield analysis.config.directory / expand(region["filename"])


def response_files(analysis: Analysis) -> list[Path]:
    """The files whose responses a simulation takes, those of on/off spectra with their companions."""
    filenames = analysis.simulation.filenames if analysis.simulation is not None else ()
    return [path for file in filenames for path in with_companions(file)]


def source_files(analysis: Analysis) -> list[Path]:
    """All of them but the datasets, the config first where it is a file."""
    config = [Path(analysis.request.config)] if analysis.request.config != "-" else []
    others = (*mask_files(analysis), *region_files(analysis), *response_files(analysis))
    return [*config, *model_files(analysis), *others]
