"""Off counts from other phases of a pulsar or a binary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

import numpy as np

from gm.datasets import MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.makers.maker import safe_bins
from gm.makers.maps import map_counts
from gm.makers.on_off import on_off_dataset
from gm.makers.on_region import OnRegion, histogram
from gm.makers.rings import on_off_map
from gm.observations import Observation
from gm.observations.events import in_phases

Phases: TypeAlias = Sequence[tuple[float, float]]


@final
@dataclass(frozen=True)
class PhaseBackgroundMaker:
    """Counts of on phases, with those of off phases in the same region as off counts.

    on_phase, off_phase : intervals ``[low, high)``; those that pass 1 go on at 0. The acceptances are their widths; the
    exposure of the dataset stays that of all phases, so that a flux is one averaged over them. Source: Gammapy 2.1,
    ``PhaseBackgroundMaker``, whose datasets lose their name.
    """

    on_phase: Phases
    off_phase: Phases
    phase_column_name: str = "PHASE"

    def run(
        self, dataset: SpectrumDataset | MapDataset, observation: Observation
    ) -> tuple[SpectrumDatasetOnOff | MapDatasetOnOff, None]:
        """The dataset with an off measurement instead of a background; there is no component. Raises `DataError`."""
        events = observation.events
        phase = events.column(self.phase_column_name)
        phases = wrapped(self.on_phase), wrapped(self.off_phase)
        on, off = (events.select(in_phases(phase, part)) for part in phases)
        acceptance, acceptance_off = map(_width, phases)
        if isinstance(dataset, MapDataset):
            selected, shape = dataset.with_(counts=map_counts(dataset, on)), dataset.shape
            own, others = (np.full(shape, width, dtype=np.float32) for width in (acceptance, acceptance_off))
            return on_off_map(selected, map_counts(dataset, off), own, others, safe_bins(dataset)), None
        region = OnRegion.of(dataset, observation)
        counts, counts_off = (histogram(dataset.energy, region.select(part, observation)) for part in (on, off))
        return on_off_dataset(dataset, counts_off, acceptance, acceptance_off, dataset.region, counts), None


def _width(intervals: Phases) -> float:
    return sum(high - low for low, high in intervals)


def wrapped(intervals: Phases) -> tuple[tuple[float, float], ...]:
    """Intervals within 0 to 1; one that passes 1 becomes two. Raises `DataError` when they are empty or overlap."""
    parts: list[tuple[float, float]] = []
    for low, high in intervals:
        if not 0.0 < high - low <= 1.0:
            raise DataError(f"phases {low:g} to {high:g}: expected an interval that is not longer than 1")
        start = low % 1.0
        stop = start + (high - low)
        parts += [(start, stop)] if stop <= 1.0 else [(start, 1.0), (0.0, stop - 1.0)]
    parts.sort()
    if not parts:
        raise DataError("no interval of phases")
    if any(first[1] > second[0] + 1e-12 for first, second in pairwise(parts)):
        raise DataError(f"phases overlap: {', '.join(f'{low:g} to {high:g}' for low, high in parts)}")
    return tuple(parts)
