"""What is measured on maps alone, asked before it runs.

``gm validate`` and ``gm plan`` refuse it where no dataset has pixels, and where those that have are on different ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gm.datasets import Datasets
from gm.datasets.kinds import is_map
from gm.errors import DataError, InvalidInput, JsonPath, Problem, UsageError
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.start import Start


class OfDatasets(Protocol):
    """Settings of what is measured on some datasets."""

    @property
    def datasets(self) -> tuple[str, ...]:
        """Patterns of their names."""


def check_pixels(analysis: Analysis, start: Start, entries: Sequence[tuple[JsonPath, OfDatasets]]) -> None:
    """Each entry, with its path in the config, has a map among its datasets. Raises `InvalidInput`."""
    lacking = [
        analysis.config.problem(
            path,
            "needs maps, and no dataset has pixels",
            "datasets of type MapDataset or MapDatasetOnOff",
            key=len(path) == 1,
        )
        for path, settings in entries
        if not any(is_map(dataset) for dataset in start.datasets().select(settings.datasets))
    ]
    if lacking:
        raise InvalidInput(lacking)


def check_maps(
    analysis: Analysis, start: Start, entries: Sequence[tuple[JsonPath, OfDatasets, Callable[[Datasets], object]]]
) -> None:
    """What is measured on the maps of each entry can be: the last of its path, settings and check raises nothing.

    Raises `InvalidInput`.
    """
    problems = list[Problem]()
    for path, settings, check in entries:
        try:
            check(Datasets(one for one in start.datasets().select(settings.datasets) if is_map(one)))
        except (DataError, UsageError) as error:
            message, _, hint = str(error).partition("\n")
            problems.append(analysis.config.problem(path, message, hint.strip(), key=len(path) == 1))
    if problems:
        raise InvalidInput(problems)
