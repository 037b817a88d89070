"""Axes of binned quantities: energy bins, and axes of any other quantity (offset, migration, energy nodes)."""

from __future__ import annotations

from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, TypeAlias, final

import numpy as np
from numpy.typing import ArrayLike

from gm.arrays import Array, BoolArray, IntArray
from gm.errors import DataError
from gm.units import convert

SAME_ENERGY = 1e-6  # relative; single precision keeps 6e-8


_Scale: TypeAlias = Callable[[Array], Array]
_SCALES: dict[str, tuple[_Scale, _Scale]] = {
    "lin": (np.asarray, np.asarray),
    "log": (np.log, np.exp),
    "sqrt": (np.sqrt, np.square),
}


class _Bins(ABC):
    """Contiguous bins. ``edges : (n_bins + 1,)``, ``lo``, ``hi``, ``width : (n_bins,)`` in the unit of the axis."""

    edges: Array

    @property
    def n_bins(self) -> int:
        return len(self.edges) - 1

    @property
    def lo(self) -> Array:
        return self.edges[:-1]

    @property
    def hi(self) -> Array:
        return self.edges[1:]

    @cached_property
    def width(self) -> Array:
        return np.diff(self.edges)


@final
@dataclass(frozen=True, eq=False)
class EnergyAxis(_Bins):
    """Contiguous energy bins. ``edges : (n_bins + 1,) [TeV]``, positive and increasing, else `DataError`.

    ``nodes : (n_bins,) [TeV]`` : the energies that the edges were put between, of an axis that was given by them;
    ``interp``: log, lin or sqrt, the scale in which centres are half-way and values between them are interpolated.
    """

    edges: Array
    name: str = "energy"
    nodes: Array | None = None
    interp: str = "log"
    unit: ClassVar[str] = "TeV"

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
        if self.interp not in _SCALES:
            raise DataError(f"axis {self.name}: interpolation '{self.interp}', expected one of {', '.join(_SCALES)}")
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

    @cached_property
    def center(self) -> Array:
        """The nodes, or the middle of bins in the scale, ``sqrt(lo hi)`` if it is log, ``(n_bins,) [TeV]``."""
        if self.nodes is not None:
            return self.nodes
        if self.interp == "log":
            return np.sqrt(self.lo * self.hi)
        forward, back = _SCALES[self.interp]
        return np.asarray(back(0.5 * (forward(self.lo) + forward(self.hi))))

    @property
    def has_edges(self) -> bool:
        """Whether the edges are what the axis was made from."""
        return self.nodes is None

    def pixel(self, energy: ArrayLike) -> Array:
        """Fractional bin index of energies [TeV], linear in ln E if the scale is log: 0 at the first centre, -0.5 at
        the first edge."""
        forward = _SCALES[self.interp][0]
        return _bin_coordinate(forward(self.edges), forward(np.asarray(energy, dtype=np.float64))) - 0.5

    def same_as(self, other: Axis) -> bool:
        """Whether both have the same name and exactly the same edges."""
        return self is other or (
            isinstance(other, EnergyAxis)
            and (self.name, self.has_edges, self.interp) == (other.name, other.has_edges, other.interp)
            and np.array_equal(self.edges, other.edges)
        )

    def content(self) -> tuple[str, str, bytes, bytes | None]:
        """What differs where two axes differ in anything."""
        nodes = None if self.nodes is None else self.nodes.tobytes()
        return self.name, self.interp, self.edges.tobytes(), nodes

    def squashed(self) -> EnergyAxis:
        """One bin over the whole range."""
        return EnergyAxis(self.edges[[0, -1]], self.name, interp=self.interp)

    def sliced(self, part: slice) -> EnergyAxis:
        """The bins ``part.start`` to ``part.stop``."""
        return EnergyAxis(self.edges[part.start : part.stop + 1], self.name, interp=self.interp)

    def joined(self, groups: IntArray) -> EnergyAxis:
        """With some of its edges, by number."""
        return EnergyAxis(self.edges[groups], self.name, interp=self.interp)

    def mask(self, e_min: object = None, e_max: object = None) -> BoolArray:
        """``(n_bins,)``: bins that lie between two energies as a whole, as `within` compares them.

        Numbers in TeV, ``"30 GeV"`` or quantities; None: no bound. Raises `UnitError`.
        """
        low, high = (None if end is None else convert(end, "TeV") for end in (e_min, e_max))
        return within(self.lo, self.hi, low, high)


def within(lo: Array, hi: Array, e_min: float | None = None, e_max: float | None = None) -> BoolArray:
    """``(n,)``: which bins ``lo`` to ``hi`` [TeV] lie between two energies as a whole; None: no bound.

    Energies that agree to `SAME_ENERGY` are equal: files hold 10 GeV as 0.00999999978 TeV, or as exp(ln 0.01).
    """
    keep = np.ones(lo.shape, dtype=np.bool_)
    if e_min is not None:
        keep &= lo >= e_min * (1.0 - SAME_ENERGY)
    if e_max is not None:
        keep &= hi <= e_max * (1.0 + SAME_ENERGY)
    return keep


@final
@dataclass(frozen=True, eq=False)
class NodeAxis(_Bins):
    """An axis of any quantity: nodes at bin centres, and the edges between them.

    ``center : (n_bins,)``, ``edges : (n_bins + 1,)`` in ``unit`` (TeV, deg or none), increasing; ``interp``: lin, log
    or sqrt, the scale in which values between nodes are interpolated; ``has_edges``: whether the edges are what the
    axis was made from, else they lie half-way between the nodes in that scale. Build with `from_edges`, `from_nodes`.
    """

    name: str
    center: Array
    edges: Array
    unit: str = ""
    interp: str = "lin"
    has_edges: bool = True

    @classmethod
    def from_edges(cls, name: str, edges: ArrayLike, unit: str = "", interp: str = "lin") -> NodeAxis:
        """Bins between edges, (n + 1,) in ``unit``; nodes half-way in the scale. Raises `DataError`."""
        edges = _checked(name, edges, interp, 2)
        forward, back = _SCALES[interp]
        scaled = forward(edges)
        return cls(name, back(0.5 * (scaled[:-1] + scaled[1:])), edges, unit, interp)

    @classmethod
    def from_nodes(cls, name: str, nodes: ArrayLike, unit: str = "", interp: str = "lin") -> NodeAxis:
        """Nodes; edges half-way in the scale, extrapolated at the ends. Raises `DataError`."""
        nodes = _checked(name, nodes, interp, 1)
        forward, back = _SCALES[interp]
        scaled = forward(nodes)
        if len(nodes) == 1:
            return cls(name, nodes, back(scaled[0] + np.array([-0.5, 0.5])), unit, interp, has_edges=False)
        middle = 0.5 * (scaled[:-1] + scaled[1:])
        ends = 2.0 * scaled[[0, -1]] - middle[[0, -1]]
        return cls(name, nodes, back(np.concatenate([ends[:1], middle, ends[1:]])), unit, interp, has_edges=False)

    def squashed(self) -> NodeAxis:
        """One bin over the whole range."""
        return NodeAxis.from_edges(self.name, self.edges[[0, -1]], self.unit, self.interp)

    def pixel(self, values: ArrayLike) -> Array:
        """Fractional node index of values, linear between nodes in the scale; extrapolated with the end segments."""
        forward = _SCALES[self.interp][0]
        scaled = forward(np.asarray(values, dtype=np.float64))
        if self.has_edges:
            return _bin_coordinate(forward(self.edges), scaled) - 0.5
        return _bin_coordinate(forward(self.center), scaled)

    def same_as(self, other: Axis) -> bool:
        """Whether both have the same name, unit and scale, and exactly the same nodes and edges."""
        return self is other or (
            isinstance(other, NodeAxis)
            and (self.name, self.unit, self.interp, self.has_edges)
            == (other.name, other.unit, other.interp, other.has_edges)
            and np.array_equal(self.center, other.center)
            and np.array_equal(self.edges, other.edges)
        )


Axis: TypeAlias = EnergyAxis | NodeAxis


def _checked(name: str, values: ArrayLike, interp: str, at_least: int) -> Array:
    values = np.ascontiguousarray(values, dtype=np.float64)
    if interp not in _SCALES:
        raise DataError(f"axis {name}: interpolation '{interp}', expected one of {', '.join(_SCALES)}")
    if values.ndim != 1 or len(values) < at_least or not np.isfinite(values).all():
        raise DataError(f"axis {name}: needs at least {at_least} finite values, found {values.size}")
    if (np.diff(values) <= 0).any():
        raise DataError(f"axis {name}: values must increase")
    if (interp == "log" and values[0] <= 0) or (interp == "sqrt" and values[0] < 0):
        raise DataError(f"axis {name}: {values[0]:g} cannot be on a scale of type {interp}")
    return values


def _bin_coordinate(nodes: Array, values: Array) -> Array:
    """Fractional index of values among increasing nodes, extrapolated with the first and the last segment."""
    if len(nodes) == 1:
        return np.zeros_like(values)
    at = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    return np.asarray(at + (values - nodes[at]) / (nodes[at + 1] - nodes[at]))
