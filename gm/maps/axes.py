"""Energy axes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from gm.arrays import Array, BoolArray
from gm.errors import DataError


@dataclass(frozen=True, eq=False)
class EnergyAxis:
    """Contiguous energy bins. ``edges : (n_bins + 1,) [TeV]``, positive and increasing, else `DataError`."""

    edges: Array
    name: str = "energy"

    def __post_init__(self) -> None:
        edges = np.ascontiguousarray(self.edges, dtype=np.float64)
        if edges.ndim != 1 or len(edges) < 2:
            raise DataError(f"axis {self.name}: needs at least two edges, found {edges.size}")
        if not np.isfinite(edges).all() or edges[0] <= 0:
            raise DataError(f"axis {self.name}: energies must be finite and above 0, found {edges.min():g} TeV")
        if not (np.diff(edges) > 0).all():
            at = int(np.argmin(np.diff(edges) > 0))
            raise DataError(
                f"axis {self.name}: energies must increase, found {edges[at]:g} TeV and then {edges[at + 1]:g} TeV"
            )
        object.__setattr__(self, "edges", edges)

    @classmethod
    def from_bounds(
        cls, lo: float, hi: float, n_bins: int | None = None, per_decade: float | None = None, name: str = "energy"
    ) -> EnergyAxis:
        """Logarithmic bins from ``lo`` to ``hi`` [TeV]: ``n_bins`` of them, or ``per_decade`` rounded up."""
        if n_bins is None:
            if per_decade is None:
                raise ValueError("give n_bins or per_decade")
            n_bins = max(1, int(np.ceil(np.log10(hi / lo) * per_decade - 1e-9)))
        return cls(np.geomspace(lo, hi, n_bins + 1), name)

    @property
    def n_bins(self) -> int:
        return len(self.edges) - 1

    @property
    def lo(self) -> Array:
        """Lower edges ``(n_bins,) [TeV]``."""
        return self.edges[:-1]

    @property
    def hi(self) -> Array:
        """Upper edges ``(n_bins,) [TeV]``."""
        return self.edges[1:]

    @cached_property
    def center(self) -> Array:
        """Geometric centres ``sqrt(lo hi)``, ``(n_bins,) [TeV]``."""
        centers: Array = np.sqrt(self.lo * self.hi)
        return centers

    @cached_property
    def width(self) -> Array:
        """Widths ``(n_bins,) [TeV]``."""
        return np.diff(self.edges)

    def same_as(self, other: EnergyAxis) -> bool:
        """Whether both have the same name and exactly the same edges."""
        return self is other or (self.name == other.name and np.array_equal(self.edges, other.edges))

    def mask(self, e_min: float | None = None, e_max: float | None = None) -> BoolArray:
        """``(n_bins,)``: bins with lower edge >= ``e_min`` and upper edge <= ``e_max`` [TeV], compared exactly."""
        keep = np.ones(self.n_bins, dtype=np.bool_)
        if e_min is not None:
            keep &= self.lo >= e_min
        if e_max is not None:
            keep &= self.hi <= e_max
        return keep
