"""The joint likelihood of all datasets, cut into bands of energy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets import Dataset
from gm.errors import DataError, UsageError
from gm.likelihood import JointLikelihood, Terms
from gm.maps.axes import SAME_ENERGY
from gm.units import convert

_TOLD = 8  # edges that an error lists


def band_edges(energy_edges: Sequence[object]) -> Array:
    """Edges that are numbers in TeV, or quantities with a unit, (n_bands + 1,) [TeV]. Raises `UsageError`."""
    edges = np.array([convert(edge, "TeV") for edge in energy_edges])
    if edges.size < 2 or not (np.diff(edges) > 0).all() or edges[0] <= 0:
        raise UsageError("energy_edges must be at least two positive energies, increasing")
    return edges


def told_moved(moved: Iterable[tuple[float, float]], gone: int = 0) -> tuple[str, ...]:
    """In words which edges [TeV], as asked for, are now where; ``gone`` : bands that hold no bin."""
    apart = {pair: None for pair in moved if abs(pair[0] - pair[1]) > SAME_ENERGY * pair[0]}
    if not apart:
        return ()
    left = f"; bands that hold no bin are left out: {gone}" if gone else ""
    return (f"edges are those of energy bins [TeV]: {', '.join(f'{a:.4g} is {b:.4g}' for a, b in apart)}{left}",)


def moved_edges(datasets: Iterable[Dataset], edges: Array) -> Iterator[tuple[str, float, float]]:
    """Of edges (n,) [TeV] those that are inside a dataset's axis and none of its own: its name, the edge and the
    nearest one there.

    Beyond the ends of an axis there is nothing that an edge could divide, and points have no bins.
    """
    for dataset in datasets:
        if not dataset.is_binned:
            continue
        low, high = dataset.energy_edges()
        own = np.append(low, high[-1])
        inside = edges[(edges > own[0]) & (edges < own[-1])]
        nearest = own[dataset.nearest_bins(inside)]
        for edge, used in zip(inside.tolist(), nearest.tolist(), strict=True):
            if abs(used / edge - 1.0) > SAME_ENERGY:
                yield dataset.name, edge, used


def refuse_moved(datasets: Iterable[Dataset], edges: Array) -> None:
    """Raises `DataError` for edges (n,) [TeV] that are no edges of bins, with the nearest ones that are."""
    moved = list(moved_edges(datasets, edges))
    if moved:
        told = [
            f"{name}: {edge:.6g} TeV is no edge of its bins, {used:.6g} TeV is" for name, edge, used in moved[:_TOLD]
        ]
        more = f"\n    and {len(moved) - _TOLD} more" if len(moved) > _TOLD else ""
        raise DataError("energy_edges are not those of bins\n    " + "\n    ".join(told) + more)


class EnergyBands:
    """Which bins of each dataset lie in which band: whole ones, between the edges nearest to those of the band.

    edges : (n_bands + 1,) [TeV]; asked : (n_datasets, n_bands + 1) numbers of the nearest edges; ranges : (n_bands,
    n_datasets, 2) first and last + 1 of the bins that enter
    """

    def __init__(self, likelihood: JointLikelihood, edges: Array) -> None:
        self.likelihood, self.edges = likelihood, edges
        self.asked = np.stack([dataset.nearest_bins(edges) for dataset in likelihood.datasets])
        entering = zip(self.asked, likelihood.energy_bins(), strict=True)
        self.ranges = np.stack([_that_enter(asked, bins) for asked, bins in entering], axis=1)

    def terms(self, k: int) -> Terms | None:
        """The likelihood of band ``k``; None where no bin enters."""
        return self.likelihood.terms.cut(self.ranges[k])

    def why_none(self, k: int) -> str:
        """Why no bin of band ``k`` enters."""
        has_none = (self.asked[:, k] == self.asked[:, k + 1]).all()
        return "no dataset has bins here" if has_none else "every bin here is outside the masks and energy ranges"

    def energies(self, k: int, seeing: Sequence[int]) -> tuple[float, float] | None:
        """The energies of all bins of band ``k`` of some datasets; None where these have points, and no bins."""
        datasets = self.likelihood.datasets
        energies = [datasets[n].energies_of(*self.ranges[k, n]) for n in seeing]
        if not any(datasets[n].is_binned for n in seeing):
            return None
        lows, highs = zip(*energies, strict=True)
        return _first_close(lows, min(lows)), _first_close(highs, max(highs))


def _first_close(energies: Sequence[float], to: float) -> float:
    """The first that is equal up to rounding."""
    return next(energy for energy in energies if abs(energy / to - 1.0) < SAME_ENERGY)


def _that_enter(numbers: IntArray, bins: IntArray) -> IntArray:
    """First and last + 1 of the ``bins`` (in order) between successive numbers, (n, 2); 0 and 0 where none is."""
    places = np.searchsorted(bins, numbers)
    ranges = np.zeros((numbers.size - 1, 2), dtype=np.intp)
    for k in np.flatnonzero(np.diff(places)):
        ranges[k] = bins[places[k]], bins[places[k + 1] - 1] + 1
    return ranges
