"""Off counts from other phases of a pulsar or a binary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias, final

from gm.datasets import SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError
from gm.makers.on_off import on_off_dataset
from gm.makers.on_region import OnRegion, histogram
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

    def run(self, dataset: SpectrumDataset, observation: Observation) -> tuple[SpectrumDatasetOnOff, None]:
        """The dataset with an off measurement instead of a background; there is no component. Raises `DataError`."""
        inside = OnRegion.of(dataset, observation).select(observation.events, observation)
        phase = inside.column(self.phase_column_name)
        on, off = wrapped(self.on_phase), wrapped(self.off_phase)
        counts, counts_off = (histogram(dataset.energy, inside.select(in_phases(phase, part))) for part in (on, off))
        made = on_off_dataset(dataset, counts_off, _width(on), _width(off), dataset.region, counts)
        return made, None


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
