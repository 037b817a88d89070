"""Sections of a config, made without a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gm.config_schemas.reader import Document
from gm.pipeline.analysis.declaration import Declaration
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.sections import Section


def section(stage: Declaration[Any], data: Any, folder: Path = Path("folder")) -> Section:
    """A section with these data, and findings of its own."""
    document = Document({stage.section: data}, "config.yaml", folder)
    return Section(stage.section, data, stage.resolve(data), True, document, Findings())


def read(stage: Declaration[Any], data: Any, folder: Path = Path("folder")) -> tuple[Any, list[str]]:
    """The settings that a stage makes of its section, and the places of the problems."""
    given = section(stage, data, folder)
    settings = stage.read(given)
    return settings, [problem.path for problem in given.findings.problems]
