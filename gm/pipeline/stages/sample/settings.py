"""The ``sample:`` section as frozen settings, and what no schema can see in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gm.errors import DataError, UsageError
from gm.estimators.quantity import Quantity
from gm.pipeline.analysis.sections import Known, Section, texts

Method = Literal["nuts", "nested"]


@dataclass(frozen=True)
class SampleSettings:
    """How the posterior is drawn, and the quantities that are told beside the parameters."""

    method: Method = "nuts"
    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    live_points: int = 500
    seed: int = 1
    quantities: tuple[Quantity, ...] = ()


def read_sample(section: Section) -> SampleSettings:
    """The settings; quantities that mean nothing go to the section."""
    data = section.resolved
    keys = ("method", "draws", "tune", "chains", "live_points", "seed")
    quantities = []
    for place, text in texts(data["quantities"], ("quantities",)):
        try:
            quantities.append(Quantity.parse(text))
        except UsageError as error:
            message, _, hint = str(error).partition("; ")
            section.add(place, message, hint)
    return SampleSettings(**{key: data[key] for key in keys}, quantities=tuple(quantities))


def check_sample(section: Section, known: Known) -> None:
    """Every quantity is that of a sky component."""
    if known.models is None:
        return
    for place, text in texts(section.resolved["quantities"], ("quantities",)):
        try:
            problem = Quantity.parse(text).problem(known.models)
        except (UsageError, DataError):  # told when it is read, or when a template is used
            continue
        if problem is not None:
            section.add(place, *problem)
