"""The settings that all stages share, and a whole config with its defaults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gm.conventions import Conventions
from gm.errors import UsageError
from gm.pipeline.analysis.declaration import Declaration, filled
from gm.pipeline.analysis.engine import ENGINE, EngineSettings
from gm.pipeline.analysis.findings import Report
from gm.pipeline.analysis.paths import expand, folder_name

SHARED: dict[str, Any] = {
    "version": 1,
    "name": None,
    "output": None,
    "datasets": None,
    "models": None,
    "covariance": "auto",
    "conventions": "gammapy",
    "parameters": {},
    "links": [],
}


@dataclass(frozen=True)
class Settings:
    """What a config says to all stages.

    covariance : a path, ``auto``, or None for none; workers : that read files, None for one for each processor
    """

    name: str
    output: Path
    covariance: str | None
    conventions: Conventions
    parameters: Mapping[str, Mapping[str, Any]]
    links: tuple[Mapping[str, Any], ...]
    workers: int | None = None
    engine: EngineSettings = field(default_factory=EngineSettings)


def resolve(data: Mapping[str, Any], stages: Iterable[Declaration[Any]]) -> dict[str, Any]:
    """The config's data with every default written out, sections that are not there only if they are always shown."""
    stages = list(stages)
    always = {stage.section: None for stage in stages if stage.is_always_shown}
    resolved = filled(data, {**SHARED, **always, "engine": ENGINE})
    for key in ("parameters", "links"):
        resolved[key] = resolved[key] or type(SHARED[key])()
    for stage in stages:
        if stage.section in resolved:
            resolved[stage.section] = stage.resolve(data.get(stage.section))
    return resolved


def build_settings(resolved: Mapping[str, Any], stem: str, directory: Path, report: Report) -> Settings:
    """Settings from resolved data that agree with the schema; what the schema cannot see goes to ``report``."""
    output = directory / f"{stem}-results"
    if resolved["output"] is not None:
        try:
            output = directory / expand(folder_name(resolved["output"]))
        except UsageError as error:
            report(("output",), str(error), "")
    return Settings(
        name=str(resolved["name"] or stem),
        output=output,
        covariance=resolved["covariance"] or None,
        conventions=Conventions(resolved["conventions"]),
        parameters=resolved["parameters"],
        links=() if None in resolved["links"] else tuple(resolved["links"]),
    )
