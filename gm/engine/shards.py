"""Shards: parts of the datasets that are compiled and evaluated in one place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets import Dataset
from gm.datasets.kinds import has_counts, is_map
from gm.likelihood.blocks import blocks
from gm.likelihood.treatment import Treatment
from gm.models import Layout, Models


@final
@dataclass(frozen=True, eq=False)
class Shard:
    """Some datasets, all maps or none; ``positions`` : among all, in order."""

    number: int
    positions: IntArray
    datasets: Sequence[Dataset]

    @cached_property
    def key(self) -> str:
        """The same for datasets of the same names."""
        return sha256("\n".join(dataset.name for dataset in self.datasets).encode()).hexdigest()

    @cached_property
    def is_of_maps(self) -> bool:
        return is_map(self.datasets[0])

    @cached_property
    def memory(self) -> float:
        """Predicted [bytes], from the sizes of axes alone."""
        return sum(map(_memory, self.datasets))

    def of(self, datasets: Sequence[Dataset]) -> Shard:
        """The same positions in other datasets."""
        return Shard(self.number, self.positions, [datasets[int(k)] for k in self.positions])

    def __str__(self) -> str:
        names = [dataset.name for dataset in self.datasets]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def shards_of(datasets: Sequence[Dataset], models: Models, layout: Layout, treatment: Treatment) -> list[Shard]:
    """The smallest shards that change no bit of a sum, whatever the number of workers."""
    return [
        Shard(number, positions, [datasets[int(k)] for k in positions])
        for number, positions in enumerate(blocks(datasets, models, layout, treatment))
    ]


def _memory(dataset: Dataset) -> float:
    """Arrays of a dataset, and as much again for what is folded from them."""
    if is_map(dataset):
        n_pixels = float(prod(dataset.geometry.shape))
        return n_pixels * (26.0 * dataset.energy.n_bins + 24.0 * dataset.energy_true.n_bins)
    if has_counts(dataset):
        return 8.0 * dataset.energy.n_bins * (2 * dataset.energy_true.n_bins + 20)
    return 100.0 * dataset.n_bins()


def spread(memory: Array, n_workers: int) -> IntArray:
    """Which of some equal workers gets each shard, (n_shards,): the largest first, to whoever has least."""
    load, found = np.zeros(n_workers), np.zeros(memory.size, dtype=np.intp)
    for number in np.argsort(-memory, kind="stable"):
        found[number] = np.argmin(load)
        load[found[number]] += memory[number]
    return found
