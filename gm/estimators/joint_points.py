"""Flux points of several sources, or of several bands, in one fit, with the covariance between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators.bands import EnergyBands, band_edges, refuse_moved
from gm.estimators.fitted_norms import Levels
from gm.estimators.flux_points import FluxPointsEstimator, PointsSettings, Progress
from gm.estimators.joint_measurement import Asked
from gm.estimators.joint_result import JointFluxPoints
from gm.estimators.measured_energies import MeasuredEnergies
from gm.estimators.nuisances import with_nuisance_priors
from gm.estimators.points_method import PointsMethod
from gm.estimators.reference import Reference
from gm.estimators.true_energies import TrueEnergies
from gm.estimators.upper_limits import LimitMethod, check_levels
from gm.likelihood import JointLikelihood
from gm.models import Models


@dataclass(frozen=True, kw_only=True)
class JointFluxPointsEstimator(PointsSettings):
    """Flux points of ``sources`` between ``energy_edges``, as `FluxPointsEstimator` has them, in one fit.

    method : what is fitted at once, see `PointsMethod`; the norms of all sources always are
    smoothness : of ``unfold``, the weight of the penalty of `Smoothness`; TS is that of the same fit without
    strict, nuisance_prior : of ``bands`` and ``joint``, and of ``bands``
    """

    sources: Sequence[str]
    energy_edges: Sequence[object]
    method: PointsMethod | str = PointsMethod.JOINT
    smoothness: float = 0.0

    def __post_init__(self) -> None:
        check_levels(sigma=self.sigma, sigma_ul=self.sigma_ul, sigma_sensitivity=self.sigma_sensitivity)
        object.__setattr__(self, "method", PointsMethod(self.method))
        object.__setattr__(self, "ul", LimitMethod(self.ul))
        if self.ul is LimitMethod.CLS:
            raise UsageError("CLs limits are those of a norm alone, not of one fit of several; take bounded")
        if not 0 <= self.smoothness < inf or (self.smoothness and self.method is not PointsMethod.UNFOLD):
            raise UsageError("smoothness is a weight above 0, of points with the method unfold")
        object.__setattr__(self, "reoptimize", self.reoptimize or self.nuisance_prior is not None)
        if self.nuisance_prior is not None and self.method is not PointsMethod.BANDS:
            raise UsageError(
                "nuisance_prior is of the method bands: one fit of all bands has what it would tell already"
            )
        if self.strict and self.method is PointsMethod.UNFOLD:
            raise UsageError("strict edges are those of bins, which true energies have none of")
        if len(set(self.sources)) < max(len(self.sources), 1):
            raise UsageError("sources are at least one, and each once")

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> JointFluxPoints:
        """The flux points around ``models``, which stay as they are. Raises `UsageError` as `FluxPointsEstimator`."""
        if not len(datasets):
            raise UsageError(f"flux points of {', '.join(self.sources)}: no dataset was given")
        edges, told = band_edges(self.energy_edges), tuple[str, ...]()
        by_energy = Datasets(dataset.by_energy() for dataset in datasets)
        if self.strict:
            refuse_moved(by_energy, edges)
        if self.nuisance_prior is not None:
            models, told = with_nuisance_priors(models, self.sources, self.nuisance_prior)
        sources = [self.of(name).component(models) for name in self.sources]
        likelihood = JointLikelihood(by_energy, models, Conventions(self.conventions), engine=self.engine)
        bands = EnergyBands(likelihood, edges)
        values = likelihood.layout.expand(likelihood.layout.start)
        references = [
            Reference(one, values[likelihood.layout.slots(one.name)], likelihood.conventions) for one in sources
        ]
        kind = TrueEnergies if self.method is PointsMethod.UNFOLD else MeasuredEnergies
        return kind(self._asked(told), likelihood, bands, references).measured(progress)

    def of(self, source: str) -> FluxPointsEstimator:
        """The same for one source, each band by itself."""
        return FluxPointsEstimator(source=source, energy_edges=self.energy_edges, **self.shared())

    def _asked(self, told: tuple[str, ...]) -> Asked:
        scan, limit = np.asarray(self.norm_scan, dtype=float), LimitMethod(self.ul)
        return Asked(
            sources=self.sources,
            method=PointsMethod(self.method),
            smoothness=self.smoothness,
            reoptimize=self.reoptimize,
            nuisance_prior=self.nuisance_prior,
            deabsorbed=self.deabsorbed,
            levels=Levels(self.sigma, self.sigma_ul, limit, scan, self.sigma_sensitivity),
            told=told,
        )
