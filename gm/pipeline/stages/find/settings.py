"""The ``find:`` section as frozen settings."""

from __future__ import annotations

from dataclasses import dataclass, field

from gm.models import SkyModel
from gm.pipeline.analysis.blocks import read_source
from gm.pipeline.analysis.sections import Section, patterns
from gm.units import UnitError, convert


@dataclass(frozen=True)
class FindSettings:
    """What is looked for; kernel_width in deg."""

    threshold: float
    iterations: int
    kernel: SkyModel | None = field(compare=False)
    datasets: tuple[str, ...]
    kernel_width: float | None
    stem: str


def read_find(section: Section) -> FindSettings:
    """The settings; what the schema cannot see goes to the section."""
    data, width = section.resolved, None
    if data["kernel_width"] is not None:
        try:
            width = float(convert(data["kernel_width"], "deg"))
        except UnitError as error:
            section.add(("kernel_width",), str(error), "an angle with a unit: 1 deg")
    return FindSettings(
        threshold=float(data["threshold"]),
        iterations=data["iterations"],
        kernel=read_source(section, (), "kernel", {"spectral": data["spectral"], "spatial": "point"}),
        datasets=patterns(data["datasets"]),
        kernel_width=width,
        stem=data["stem"],
    )
