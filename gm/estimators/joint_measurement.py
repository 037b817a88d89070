"""Norms of sources in bands, fitted together in groups: from what is fitted to flux points with their covariance."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from gm.arrays import Array, IntArray
from gm.estimators.bands import EnergyBands
from gm.estimators.fitted_norms import FittedNorms, Levels, fit_norms
from gm.estimators.flux_points import Progress
from gm.estimators.joint_result import JointFluxPoints
from gm.estimators.norm import NoMinimum, NormEstimate
from gm.estimators.norms_objective import NormsObjective
from gm.estimators.point_covariance import between_bands
from gm.estimators.points import FluxPoints
from gm.estimators.points_method import PointsMethod
from gm.estimators.reference import Reference
from gm.estimators.result import FluxPoint, PointDataset, PointStatus, ReferenceFlux
from gm.estimators.verdict import verdict
from gm.likelihood import JointLikelihood


@dataclass(frozen=True)
class Asked:
    """What is measured, and how: see `JointFluxPointsEstimator`; ``told`` : what a reader should know of that."""

    sources: Sequence[str]
    method: PointsMethod
    smoothness: float
    reoptimize: bool
    nuisance_prior: float | None
    deabsorbed: bool
    levels: Levels
    told: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Told:
    """The edges of a point [TeV], and what its datasets hold."""

    edges: tuple[float, float]
    datasets: dict[str, PointDataset]


@dataclass(frozen=True, eq=False)
class Group:
    """Norms that are fitted together: their numbers among all, and the fit."""

    numbers: IntArray
    objective: NormsObjective


class JointMeasurement(ABC):
    """All norms, by number: source after source, with all bands of each."""

    def __init__(
        self,
        asked: Asked,
        likelihood: JointLikelihood,
        bands: EnergyBands,
        references: Sequence[Reference],
    ) -> None:
        self.asked, self.likelihood, self.bands, self.references = asked, likelihood, bands, references
        self.n_bands, self.sources = bands.edges.size - 1, list(asked.sources)
        values, bank = likelihood.layout.expand(likelihood.layout.start), likelihood.bank
        self.values, self.shapes = values, bank.fluxes(values, [])
        self.signals = [
            reference.sign * (bank.fluxes(values, [name]) - self.shapes)
            for name, reference in zip(self.sources, references, strict=True)
        ]
        self.reasons: dict[int, tuple[PointStatus, str]] = {}

    @abstractmethod
    def groups(self) -> Iterator[Group]:
        """What is fitted."""

    @abstractmethod
    def told(self, number: int, estimate: NormEstimate, vector: Array, group: Group) -> Told:
        """The edges of a point, and what its datasets hold, where a fit of a group ended at ``vector`` (n_free,)."""

    def warnings(self, source: int) -> list[str]:
        """What a reader should know of a source beside what concerns the likelihood."""
        return []

    def label(self, number: int) -> str:
        """Of a norm."""
        source, k = divmod(number, self.n_bands)
        low, high = self.bands.edges[k : k + 2].tolist()
        return f"{self.sources[source]} in {low:.4g} - {high:.4g} TeV"

    def measured(self, progress: Progress | None) -> JointFluxPoints:
        """Every outcome has a status and a reason."""
        n = len(self.sources) * self.n_bands
        estimates: list[NormEstimate | None] = [None] * n
        told: dict[int, Told] = {}
        blocks = []
        for group in self.groups():
            try:
                with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # told by what is not finite
                    fitted = self.fit(group, progress)
            except NoMinimum as error:
                self.reasons |= dict.fromkeys(group.numbers.tolist(), ("failed", str(error)))
                continue
            except (ArithmeticError, np.linalg.LinAlgError) as error:
                why: tuple[PointStatus, str] = "failed", f"the computation broke down: {error}"
                self.reasons |= dict.fromkeys(group.numbers.tolist(), why)
                continue
            blocks.append((group.numbers, fitted.covariance))
            for number, estimate in zip(group.numbers.tolist(), fitted.estimates, strict=True):
                if estimate is not None:
                    estimates[number], told[number] = estimate, self.told(number, estimate, fitted.vector, group)
        covariance = between_bands(estimates)
        for numbers, block in blocks:
            covariance[np.ix_(numbers, numbers)] = block
        return self._results(estimates, told, covariance)

    def fit(self, group: Group, progress: Progress | None) -> FittedNorms:
        """All norms of a group. Raises `NoMinimum`."""

        def hear(norm: int) -> None:
            if progress is not None:
                number = int(group.numbers[norm])
                progress(self.label(number), number / (len(self.sources) * self.n_bands))

        return fit_norms(group.objective, self.asked.levels, hear)

    def _results(
        self, estimates: Sequence[NormEstimate | None], told: Mapping[int, Told], covariance: Array
    ) -> JointFluxPoints:
        tables = []
        for source, reference in enumerate(self.references):
            numbers = np.arange(source * self.n_bands, (source + 1) * self.n_bands)
            edges = [told[k].edges if k in told else self.asked_edges(k) for k in numbers.tolist()]
            fluxes = reference.fluxes(np.array(edges))
            intrinsic = reference.intrinsic() if self.asked.deabsorbed else None
            bare = [None] * len(edges) if intrinsic is None else intrinsic.fluxes(np.array(edges))
            points = [
                replace(self._point(k, estimates[k], told.get(k), its, flux), asked=self.asked_edges(k), intrinsic=one)
                for k, its, flux, one in zip(numbers.tolist(), edges, fluxes, bare, strict=True)
            ]
            tables.append(self._table(source, reference, points, covariance[np.ix_(numbers, numbers)]))
        return JointFluxPoints(tuple(tables), covariance)

    def asked_edges(self, number: int) -> tuple[float, float]:
        """The band of a norm as it was asked for [TeV]."""
        low, high = self.bands.edges[number % self.n_bands :][:2].tolist()
        return low, high

    def _point(
        self,
        number: int,
        estimate: NormEstimate | None,
        told: Told | None,
        edges: tuple[float, float],
        flux: ReferenceFlux,
    ) -> FluxPoint:
        if estimate is None or told is None:
            source = self.sources[number // self.n_bands]
            status, reason = self.reasons.get(number, ("no_data", f"no dataset that is fitted sees {source} here"))
            return FluxPoint(*edges, status, reason, flux)
        if not flux.dnde > 0:
            return FluxPoint(*edges, "failed", "the reference spectrum is not above 0 here", flux)
        status, why = verdict(estimate, self.asked.levels.sigma_ul)
        return FluxPoint(*edges, status, why, flux, estimate, told.datasets)

    def _table(self, source: int, reference: Reference, points: Sequence[FluxPoint], covariance: Array) -> FluxPoints:
        levels = self.asked.levels
        return FluxPoints(
            source=reference.model.name,
            reference_model=reference.model,
            points=tuple(points),
            norm_scan=levels.scan,
            sigma=levels.sigma,
            sigma_ul=levels.sigma_ul,
            ul=levels.limit,
            sigma_sensitivity=levels.sensitivity,
            reoptimize=self.asked.reoptimize,
            datasets=tuple(dataset.name for dataset in self.likelihood.datasets),
            nuisance_prior=self.asked.nuisance_prior,
            method=self.asked.method,
            smoothness=self.asked.smoothness,
            warnings=(*reference.warnings(), *self.asked.told, *self.warnings(source), *self.likelihood.remarks()),
            covariance=covariance,
        )
