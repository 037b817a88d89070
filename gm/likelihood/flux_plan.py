"""What a compilation asks of the flux vector: blocks of columns, each once for all datasets that share it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

import numpy as np

from gm.arrays import Array, IntArray
from gm.likelihood.factors import FactorKey
from gm.models.instrument import Effect
from gm.models.temporal.intervals import TimeIntervals

Kind = Literal["integral", "point", "shape", "spectrum"]
BlockKey = tuple[Kind, tuple[str, ...], bytes, bytes, FactorKey]  # kind, components, energies, times, factors


class Phase(IntEnum):
    """In which order a compilation asks for columns: each phase goes through all datasets."""

    SPECTRA = 0
    SOURCES = 1
    STORED = 2
    BACKGROUNDS = 3


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive columns of the flux vector: the summed spectra of some components on one energy axis.

    ``integral``: integrals over the bins of ``energy`` (n_bins + 1 edges) [cm-2 s-1], or ``point``: values at
    ``energy`` [cm-2 s-1 TeV-1, or dimensionless for a background norm]. ``shape``: the values of one component's
    spatial parameters, which ride along so that a term is a function of one vector, and ``spectrum`` those of its
    spectral parameters, where its fluxes are computed beyond the vector; ``energy`` is empty.
    times : the intervals over which a variable component is averaged, or None; factors : of instruments, by which all
    is multiplied; turn : who has asked for it first, as in `FluxPlan.turn`; parameter : the one of an instrument that a
    ``shape`` carries in place of spatial ones.
    """

    kind: Kind
    components: tuple[str, ...]
    energy: Array
    columns: slice
    times: TimeIntervals | None = None
    turn: tuple[Phase, int] = (Phase.SPECTRA, 0)
    factors: FactorKey = ()
    parameter: str = ""

    def energies(self) -> Array:
        """(n_columns,) [TeV] : of bins the middle of their logarithms."""
        return np.asarray(np.sqrt(self.energy[:-1] * self.energy[1:])) if self.kind == "integral" else self.energy


class FluxPlan:
    """Collects the blocks that datasets ask for; equal requests share one block."""

    def __init__(self) -> None:
        self.blocks: dict[BlockKey, Block] = {}
        self.n_columns = 0
        self._turn = Phase.SPECTRA, 0

    @classmethod
    def joined(cls, parts: Sequence[tuple[FluxPlan, IntArray]]) -> tuple[FluxPlan, list[IntArray]]:
        """The plan that all datasets together would have made, from those of parts of them, with the positions
        (n_datasets,) of these among all; and where the columns of each part are in it, (n_columns of the part,)."""
        asked = [
            (block.turn[0], int(positions[block.turn[1]]), key, block)
            for plan, positions in parts
            for key, block in plan.blocks.items()
        ]
        whole = cls()
        for phase, dataset, key, block in sorted(asked, key=lambda one: one[:2]):
            if key not in whole.blocks:
                columns = whole._next(block.columns.stop - block.columns.start)
                whole._add(key, replace(block, columns=columns, turn=(phase, dataset)))
        return whole, [whole.columns_of(plan.blocks) for plan, _ in parts]

    def turn(self, phase: Phase, dataset: int) -> FluxPlan:
        """Itself: what is asked for from now on is for a dataset, by its position, in a phase of the compilation."""
        self._turn = phase, dataset
        return self

    def block(
        self,
        kind: Kind,
        components: tuple[str, ...],
        energy: Array,
        times: TimeIntervals | None = None,
        factors: FactorKey = (),
    ) -> Block:
        """The block for these components on this axis, averaged over these times, times these factors; made on the
        first request.

        energy : (n + 1,) edges or (n,) energies [TeV]
        """
        key: BlockKey = (kind, components, energy.tobytes(), b"" if times is None else times_key(times), factors)
        if key not in self.blocks:
            columns = self._next(energy.size - (kind == "integral"))
            self._add(key, Block(kind, components, energy, columns, times, self._turn, factors))
        return self.blocks[key]

    def shape(self, component: str, n_parameters: int) -> Block:
        """The block that carries a component's spatial parameters."""
        key: BlockKey = ("shape", (component,), b"", b"", ())
        if key not in self.blocks:
            self._add(key, Block("shape", (component,), np.empty(0), self._next(n_parameters), turn=self._turn))
        return self.blocks[key]

    def nuisance(self, component: str, name: str, effect: Effect) -> Block:
        """The block that carries one parameter of an instrument, as shapes are carried."""
        factors: FactorKey = ((component, effect),)
        key: BlockKey = ("shape", (component,), name.encode(), b"", factors)
        if key not in self.blocks:
            self._add(key, Block("shape", (component,), np.empty(0), self._next(1), None, self._turn, factors, name))
        return self.blocks[key]

    def only(self, components: Collection[str]) -> FluxPlan:
        """The blocks of some components alone, at the same columns."""
        found = FluxPlan()
        found.blocks = {key: block for key, block in self.blocks.items() if set(block.components) <= set(components)}
        found.n_columns = self.n_columns
        return found

    def carrying(self, sizes: Mapping[str, int]) -> FluxPlan:
        """The plan with the spectral parameters of some components, so many of each, in the place of their fluxes,
        which no other component shares and nothing multiplies."""
        found = FluxPlan()
        for key, block in self.blocks.items():
            (name, *others) = block.components
            if name not in sizes:
                found._add(key, replace(block, columns=found._next(block.columns.stop - block.columns.start)))
                continue
            assert not others
            assert not block.factors
            if carried_key(name) not in found.blocks:
                columns = found._next(sizes[name])
                found._add(carried_key(name), Block("spectrum", (name,), np.empty(0), columns, turn=block.turn))
        return found

    def columns_of(self, keys: Iterable[BlockKey]) -> IntArray:
        """Where the columns of some blocks are, (n,), one block after the other."""
        slices = [self.blocks[key].columns for key in keys]
        places = [np.arange(columns.start, columns.stop) for columns in slices]
        return np.concatenate(places) if places else np.empty(0, dtype=np.intp)

    def _next(self, n_columns: int) -> slice:
        return slice(self.n_columns, self.n_columns + n_columns)

    def _add(self, key: BlockKey, block: Block) -> None:
        self.blocks[key] = block
        self.n_columns = block.columns.stop


def carried_key(component: str) -> BlockKey:
    """Of the block that carries a component's spectral parameters."""
    return "spectrum", (component,), b"", b"", ()


def times_key(times: TimeIntervals) -> bytes:
    return times.start.tobytes() + times.stop.tobytes()
