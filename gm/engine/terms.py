"""The sum of the terms of many shards, which live elsewhere: the same sum, in the same order, as of terms that live
here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.engine.crew import Crew, Question, Tell
from gm.engine.recipes import Derived, Recipe
from gm.engine.shard import Facts, Rows
from gm.engine.shards import Shard
from gm.likelihood.by_dataset import ByDataset
from gm.likelihood.contract import Block, PredictedBins
from gm.likelihood.dark import DarkBins
from gm.likelihood.flux_plan import FluxPlan
from gm.likelihood.lattice import Lattice
from gm.likelihood.line import Line
from gm.likelihood.report import EnergyReport, TermReport
from gm.likelihood.terms import Terms

T = TypeVar("T")
D = TypeVar("D", PredictedBins, DarkBins)


@final
@dataclass(frozen=True, eq=False)
class Part:
    """A shard that is compiled, and which columns of the whole flux vector its own are."""

    shard: Shard
    facts: Facts
    columns: IntArray

    def own(self, by_component: Mapping[str, Array]) -> dict[str, Array]:
        """Of flux vectors (n_columns,) by component those of its own components, in its own columns."""
        there = {name for block in self.facts.plan.blocks.values() for name in block.components}
        return {name: whole[self.columns] for name, whole in by_component.items() if name in there}

    def placed(self, report: EnergyReport, components: Iterable[str]) -> EnergyReport:
        """With positions among all datasets, and nothing predicted by the components that it does not know."""
        nothing, positions = np.zeros(report.bin.size), self.shard.positions
        return replace(
            report,
            dataset=positions[report.dataset],
            components={name: report.components.get(name, nothing) for name in components},
            images={int(positions[k]): image for k, image in report.images.items()},
        )

    def told(self, report: TermReport, components: Iterable[str]) -> TermReport:
        """The same of one dataset in all."""
        own = report.components
        position = int(self.shard.positions[report.dataset])
        return replace(report, dataset=position, components={name: own.get(name, 0.0) for name in components})

    def keys(self) -> list[tuple[bool, int]]:
        """Where its terms are among all: maps first, then by the first dataset of each."""
        return [(not self.shard.is_of_maps, int(self.shard.positions[first])) for first in self.facts.firsts]


@final
class ShardedTerms(Terms):
    """Terms that ``recipe`` has made of shards."""

    def __init__(self, crew: Crew, recipe: Recipe, parts: Sequence[Part], n_columns: int) -> None:
        self.crew, self.recipe, self.parts, self.n_columns = crew, recipe, list(parts), n_columns
        places = [(key, k, number) for k, part in enumerate(parts) for number, key in enumerate(part.keys())]
        self._order = [(k, number) for _, k, number in sorted(places)]
        self._rank = {place: rank for rank, place in enumerate(self._order)}

    @classmethod
    def compiled(
        cls, crew: Crew, recipe: Recipe, shards: Sequence[Shard], tell: Tell | None
    ) -> tuple[FluxPlan, ShardedTerms]:
        """The columns of the flux vector, and the terms."""
        facts: list[Facts] = crew.ask([Question(recipe, shard, "facts") for shard in shards], tell)
        plan, columns = FluxPlan.joined([(its.plan, shard.positions) for its, shard in zip(facts, shards, strict=True)])
        parts = [Part(*row) for row in zip(shards, facts, columns, strict=True)]
        return plan, cls(crew, recipe, parts, plan.n_columns)

    def _ask(self, name: str, arguments: Callable[[Part], Sequence[Any]]) -> list[Any]:
        """What each shard says."""
        return self.crew.ask([Question(self.recipe, part.shard, name, arguments(part)) for part in self.parts])

    def _at(self, name: str, flux: Array) -> list[Any]:
        """What each shard says of a flux vector."""
        return self._ask(name, lambda part: (flux[part.columns],))

    def _in_order(self, answers: Sequence[Sequence[T]]) -> list[T]:
        """What all terms say, in the order of the sum."""
        return [answers[k][number] for k, number in self._order]

    def _along(self, answers: Sequence[Sequence[tuple[int, *tuple[Any, ...]]]]) -> list[tuple[int, Any]]:
        """What terms share, with the number of its shard, in the order in which it comes first."""
        rows = [(self._rank[k, row[0]], k, row[1:]) for k, rows in enumerate(answers) for row in rows]
        return [(k, row) for _, k, row in sorted(rows, key=lambda one: one[0])]

    @property
    def n_bins(self) -> int:
        return sum(sum(part.facts.n_bins) for part in self.parts)

    def energy_bins(self) -> list[tuple[int, IntArray]]:
        terms = [[self._placed(part, pairs) for pairs in part.facts.energy_bins] for part in self.parts]
        return [pair for pairs in self._in_order(terms) for pair in pairs]

    @staticmethod
    def _placed(part: Part, pairs: Sequence[tuple[int, IntArray]]) -> list[tuple[int, IntArray]]:
        return [(int(part.shard.positions[dataset]), bins) for dataset, bins in pairs]

    def value(self, flux: Array) -> float:
        values: list[float] = self._in_order(self._at("value", flux))
        return sum(values)

    def pullback(self, flux: Array) -> tuple[float, Array]:
        answers = self._at("pullback", flux)
        value, d_flux = 0.0, np.zeros(self.n_columns)
        for k, number in self._order:
            its_value, its_flux = answers[k][0][number]
            value += its_value
            d_flux[self.parts[k].columns[its_flux.used]] += its_flux.values
        for k, (columns, along) in self._along([shared for _, shared in answers]):
            np.add.at(d_flux, self.parts[k].columns[columns], along)
        return value, d_flux

    def information(self, flux: Array, flux_jacobian: Array, *, expected: bool = False) -> list[Block]:
        def arguments(part: Part) -> Sequence[Any]:
            return flux[part.columns], Rows.of(flux_jacobian[part.columns]), expected

        return self._in_order(self._ask("information", arguments))

    @property
    def knows_second_derivatives(self) -> bool:
        return all(part.facts.knows_second_derivatives for part in self.parts)

    def second_derivatives(self, flux: Array, flux_jacobian: Array, steps: Array) -> list[Block] | None:
        if not self.knows_second_derivatives:
            return None

        def arguments(part: Part) -> Sequence[Any]:
            return flux[part.columns], Rows.of(flux_jacobian[part.columns]), steps[part.columns]

        answers = self._ask("second_derivatives", arguments)
        if any(answer is None for answer in answers):
            return None
        own = self._in_order([blocks for blocks, _ in answers])
        return own + [block for _, (block,) in self._along([shared for _, shared in answers])]

    def values_by_dataset(self, flux: Array) -> tuple[IntArray, Array]:
        answers = self._at("values_by_dataset", flux)
        rows = [(self.parts[k].shard.positions[answers[k][n][0]], answers[k][n][1]) for k, n in self._order]
        datasets, values = (np.concatenate(column) for column in zip(*rows, strict=True))
        return datasets, values

    def information_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, *, expected: bool = False
    ) -> ByDataset:
        def arguments(part: Part) -> Sequence[Any]:
            return flux[part.columns], Rows.of(flux_jacobian[part.columns]), n_shared, expected

        answers = self._ask("information_by_dataset", arguments)
        return self._together(answers, n_shared, flux_jacobian.shape[1])

    def second_derivatives_by_dataset(
        self, flux: Array, flux_jacobian: Array, n_shared: int, steps: Array
    ) -> tuple[ByDataset, Array | None] | None:
        def arguments(part: Part) -> Sequence[Any]:
            return flux[part.columns], Rows.of(flux_jacobian[part.columns]), n_shared, steps[part.columns]

        answers = self._ask("second_derivatives_by_dataset", arguments)
        if any(answer is None for answer in answers):
            return None
        total = self._together([own for own, _, _ in answers], n_shared, flux_jacobian.shape[1])
        for _, (block,) in self._along([shared for _, shared, _ in answers]):
            block.add_to(total.shared)
        return total, self._rises([rises for _, _, rises in answers])

    def _rises(self, answers: Sequence[Array | None]) -> Array | None:
        """What shards say of curved spectra of their own, (n_places, n_columns)."""
        known = [(part, rises) for part, rises in zip(self.parts, answers, strict=True) if rises is not None]
        if not known:
            return None
        found = np.zeros((max(len(rises) for _, rises in known), self.n_columns))
        for part, rises in known:
            found[: len(rises), part.columns[part.facts.free]] = rises
        return found

    def _together(self, answers: Sequence[Sequence[ByDataset]], n_shared: int, width: int) -> ByDataset:
        """The sum over all terms, by positions among all datasets."""
        parts = (
            replace(answers[k][n], datasets=self.parts[k].shard.positions[answers[k][n].datasets])
            for k, n in self._order
        )
        return ByDataset.summed(parts, n_shared, width)

    def n_cut_off(self, flux: Array) -> int:
        return sum(self._at("n_cut_off", flux))

    def dark(self, flux: Array) -> list[DarkBins]:
        return self._of_datasets(self._at("dark", flux))

    def report(self, flux: Array, by_component: dict[str, Array]) -> list[TermReport]:
        def arguments(part: Part) -> Sequence[Any]:
            return flux[part.columns], part.own(by_component)

        answers = self._ask("report", arguments)
        return [self.parts[k].told(row, by_component) for k, number in self._order for row in answers[k][number]]

    def by_energy(self, flux: Array, background: Array, by_component: Mapping[str, Array]) -> list[EnergyReport]:
        def arguments(part: Part) -> Sequence[Any]:
            return flux[part.columns], background[part.columns], part.own(by_component)

        answers = self._ask("by_energy", arguments)
        return [self.parts[k].placed(answers[k][number], by_component) for k, number in self._order]

    def predicted(self, flux: Array) -> list[PredictedBins]:
        return self._of_datasets(self._at("predicted", flux))

    def _of_datasets(self, answers: Sequence[Sequence[Sequence[D]]]) -> list[D]:
        """What terms say of datasets, by the positions of these among all."""
        return [
            replace(row, dataset=int(self.parts[k].shard.positions[row.dataset]))
            for k, number in self._order
            for row in answers[k][number]
        ]

    def left_behind(self, flux: Array) -> list[str]:
        names = self._in_order(self._at("left_behind", flux))
        return list(dict.fromkeys(name for some in names for name in some))

    def is_current(self, flux: Array) -> bool:
        return all(self._at("is_current", flux))

    def forget(self) -> None:
        self._ask("forget", lambda _: ())

    @property
    def has_integrals(self) -> bool:
        return any(part.facts.has_integrals for part in self.parts)

    def lattices(self) -> list[Lattice]:
        return [
            replace(lattice, column=int(self.parts[k].columns[lattice.column]))
            for k, number in self._order
            for lattice in self.parts[k].facts.lattices[number]
        ]

    def lines(self, rest: Array, signal: Array) -> list[Line]:
        columns = {part.shard.number: part.columns for part in self.parts}

        def arguments(shard: Shard) -> Sequence[Any]:
            own = columns[shard.number]
            return rest[own], signal[own]

        recipe = self.crew.keep(Derived(self.crew.number(), self.recipe, "lines", arguments))
        lines = ShardedLines(self.crew, recipe, [part.shard for part in self.parts], self._order)
        return [OneLine(lines, rank) for rank in range(len(self._order))]

    def cut(self, ranges: IntArray) -> ShardedTerms | None:
        recipe = self.crew.keep(
            Derived(self.crew.number(), self.recipe, "cut", lambda shard: (ranges[shard.positions],))
        )
        found = self.crew.ask([Question(recipe, part.shard, "facts") for part in self.parts])
        left = [replace(part, facts=facts) for part, facts in zip(self.parts, found, strict=True) if facts.firsts]
        return ShardedTerms(self.crew, recipe, left, self.n_columns) if left else None


@final
class ShardedLines:
    """All terms along one norm. Each question goes to all shards at once, and its answer is kept until the next one."""

    def __init__(self, crew: Crew, recipe: Recipe, shards: Sequence[Shard], order: Sequence[tuple[int, int]]) -> None:
        self._crew, self._recipe, self._shards, self._order = crew, recipe, shards, order
        self._last: dict[str, tuple[Any, list[Any]]] = {}

    def ask(self, name: str, rank: int, key: Any = None, *arguments: Any) -> Any:
        """What one term says, by its place in the sum."""
        last = self._last.get(name)
        if last is None or last[0] != key:
            answers = self._crew.ask([Question(self._recipe, shard, name, arguments) for shard in self._shards])
            last = self._last[name] = key, [answers[k][number] for k, number in self._order]
        return last[1][rank]


@final
class OneLine(Line):
    """One term of several."""

    def __init__(self, lines: ShardedLines, rank: int) -> None:
        self._ask = lines.ask
        self._rank = rank

    def signal_size(self) -> float:
        return float(self._ask("signal_size", self._rank))

    def domain(self) -> tuple[float, float]:
        lower, upper = self._ask("domain", self._rank)
        return lower, upper

    def values(self, norms: Array) -> Array:
        return np.asarray(self._ask("values", self._rank, norms.tobytes(), norms))

    def slope(self, norm: float) -> float:
        return float(self._ask("slope", self._rank, norm, norm))

    def curvature(self, norm: float) -> float:
        return float(self._ask("curvature", self._rank, norm, norm))

    def expected_curvature(self, norm: float) -> float:
        return float(self._ask("expected_curvature", self._rank, norm, norm))

    def expected_ts(self, norm: float) -> float | None:
        found = self._ask("expected_ts", self._rank, norm, norm)
        return None if found is None else float(found)

    def expected_rise(self, norm: float) -> float | None:
        found = self._ask("expected_rise", self._rank, norm, norm)
        return None if found is None else float(found)
