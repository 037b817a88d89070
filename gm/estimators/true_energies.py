"""Bands of true energy: the spectrum is the reference times a norm in each, and all data see all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import final

import numpy as np

from gm.arrays import Array
from gm.estimators.fitted_norms import FittedNorms, null_statistics
from gm.estimators.flux_points import Progress
from gm.estimators.joint_measurement import Group, JointMeasurement, Told
from gm.estimators.norm import NormEstimate
from gm.estimators.norms_objective import NormsObjective, Part
from gm.estimators.point_datasets import reports_of
from gm.estimators.result import PointDataset
from gm.estimators.scaled_signals import ScaledSignals
from gm.estimators.smoothness import Smoothness
from gm.likelihood import TermReport

_OUTSIDE = 0.01  # of the counts predicted of a source, from beyond all bands, that are told


@final
class TrueEnergies(JointMeasurement):
    """Bands of true energy: all data see all of them."""

    _told: tuple[Array, Sequence[TermReport]] | None = None

    def groups(self) -> Iterator[Group]:
        edges, n, bank = self.bands.edges, len(self.sources) * self.n_bands, self.likelihood.bank
        parts = [
            reference.sign * bank.by_energy(self.values, name, edges)
            for name, reference in zip(self.sources, self.references, strict=True)
        ]
        self.parts = np.concatenate(parts)
        self.outside = np.sum(self.signals, axis=0) - self.parts.sum(axis=0)
        yield Group(np.arange(n), self._objective(self._penalties()))

    def _objective(self, penalties: Sequence[Smoothness]) -> NormsObjective:
        n = len(self.parts)
        return NormsObjective(
            self.likelihood,
            [Part(self.likelihood.terms, np.arange(n), self.parts)],
            self.sources,
            [self.label(number) for number in range(n)],
            self.outside,
            reoptimize=self.asked.reoptimize,
            smoothness=penalties,
        )

    def _penalties(self) -> list[Smoothness]:
        if not self.asked.smoothness:
            return []
        middle = np.sqrt(self.bands.edges[1:] * self.bands.edges[:-1])
        norms = np.arange(len(self.parts)).reshape(-1, self.n_bands)
        return [Smoothness(self.asked.smoothness, its, middle) for its in norms]

    def fit(self, group: Group, progress: Progress | None) -> FittedNorms:
        """Where the spectrum is smoothed TS is that of the fit without a penalty, and so is the statistic."""
        fitted = super().fit(group, progress)
        if not self.asked.smoothness:
            return fitted
        stat, nulls = null_statistics(self._objective([]))
        pairs = zip(fitted.estimates, nulls.tolist(), strict=True)
        return replace(fitted, estimates=tuple(_with_statistic(one, stat, null) for one, null in pairs))

    def told(self, number: int, estimate: NormEstimate, vector: Array, group: Group) -> Told:
        low, high = self.asked_edges(number)
        found = {}
        for report in self._reports(vector, group.objective):
            dataset, counts = self.likelihood.datasets[report.dataset], report.components[_band(number)]
            excess = estimate.norm * counts if dataset.is_binned else None
            if counts:
                found[dataset.name] = PointDataset(low, high, None, None, excess)
        return Told((low, high), found)

    def _reports(self, vector: Array, objective: NormsObjective) -> Sequence[TermReport]:
        """What is predicted of each band, and of each source beyond all bands."""
        if self._told is None or not np.array_equal(self._told[0], vector):
            [part] = objective.parts
            best = objective.flux_of(part, vector, objective.other_flux(vector))
            parts = objective.signals_of(part, vector)
            fluxes = {_band(number): self.shapes + signal for number, signal in enumerate(parts)}
            wholes = ScaledSignals(self.likelihood, self.sources, np.array(self.signals)).at(objective.values(vector))
            by_source = np.split(parts, len(self.sources))
            for name, whole, its in zip(self.sources, wholes, by_source, strict=True):
                fluxes[_beyond(name)] = self.shapes + whole - its.sum(axis=0)
            self._told = vector, reports_of(part.terms, best, fluxes)
        return self._told[1]

    def warnings(self, source: int) -> list[str]:
        if self._told is None:
            return []
        name, reports = self.sources[source], self._told[1]
        numbers = range(source * self.n_bands, (source + 1) * self.n_bands)
        inside = sum(report.components[_band(k)] for report in reports for k in numbers)
        outside = sum(report.components[_beyond(name)] for report in reports)
        if not abs(outside) > _OUTSIDE * abs(inside + outside):
            return []
        share = 100 * outside / (inside + outside)
        where = "from true energies outside of all bands, and stays that of the reference"
        return [f"{share:.2g} % of what is seen of {name} is {where}"]


def _band(number: int) -> str:
    return f"band {number}"


def _beyond(source: str) -> str:
    return f"beyond {source}"


def _with_statistic(estimate: NormEstimate | None, stat: float, null: float) -> NormEstimate | None:
    if estimate is None:
        return None
    return replace(estimate, stat=stat, stat_null=null, stat_scan=estimate.stat_scan - estimate.stat + stat)
