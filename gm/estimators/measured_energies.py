"""Bands of reconstructed energy, for several sources or all at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

import numpy as np

from gm.arrays import Array
from gm.estimators.joint_measurement import Group, JointMeasurement, Told
from gm.estimators.norm import NormEstimate
from gm.estimators.norms_objective import NormsObjective, Part
from gm.estimators.point_datasets import point_datasets, reports_of
from gm.estimators.points_method import PointsMethod
from gm.likelihood import Terms
from gm.likelihood.dark import told_without


@final
class MeasuredEnergies(JointMeasurement):
    """Bands of reconstructed energy, one by one or all together."""

    def groups(self) -> Iterator[Group]:
        parts: dict[int, Terms] = {}
        for k in range(self.n_bands):
            terms = self.bands.terms(k)
            if terms is None:
                numbers = range(k, len(self.sources) * self.n_bands, self.n_bands)
                self.reasons |= dict.fromkeys(numbers, ("no_data", self.bands.why_none(k)))
            else:
                parts[k] = terms
        if self.asked.method is PointsMethod.JOINT:
            yield self._group(parts)
        else:
            yield from (self._group({k: terms}) for k, terms in parts.items())

    def warnings(self, source: int) -> list[str]:
        name, bank, terms = self.sources[source], self.likelihood.bank, self.likelihood.terms
        every = [component.name for component in self.likelihood.models]
        with_it, without = (
            bank.fluxes(self.values, names) for names in (every, [other for other in every if other != name])
        )
        return told_without(name, terms.dark(without), terms.dark(with_it), self.likelihood.datasets.names)

    def _group(self, terms: Mapping[int, Terms]) -> Group:
        signals, n = np.array(self.signals), len(self.sources)
        numbers = np.array([source * self.n_bands + k for k in terms for source in range(n)], dtype=np.intp)
        parts = [Part(its, np.arange(place * n, (place + 1) * n), signals) for place, its in enumerate(terms.values())]
        labels, nothing = [self.label(number) for number in numbers.tolist()], np.zeros_like(self.shapes)
        reoptimize = self.asked.reoptimize
        return Group(
            numbers, NormsObjective(self.likelihood, parts, self.sources, labels, nothing, reoptimize=reoptimize)
        )

    def told(self, number: int, estimate: NormEstimate, vector: Array, group: Group) -> Told:
        (source, k), objective = divmod(number, self.n_bands), group.objective
        place = int(np.flatnonzero(group.numbers == number)[0])
        part = next(part for part in objective.parts if place in part.norms)
        name, best = self.sources[source], objective.flux_of(part, vector, objective.other_flux(vector))
        signal = objective.signals_of(part, vector)[int(np.flatnonzero(part.norms == place)[0])]
        reports = reports_of(part.terms, best, {name: self.shapes + signal})
        seeing = [report.dataset for report in reports if report.components[name] != 0]
        edges = self.bands.energies(k, seeing) or self.asked_edges(number)
        return Told(edges, point_datasets(self.likelihood, self.bands.ranges[k], reports, name, estimate.norm))
