"""What is measured on maps alone, asked before it runs: ``gm validate`` refuses it where no dataset has pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gm.datasets.kinds import is_map
from gm.errors import InvalidInput, JsonPath
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
