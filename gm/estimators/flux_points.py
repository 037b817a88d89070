"""Flux points: the norm of a component in bands of energy, on all datasets together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import UsageError, suggest
from gm.estimators.bands import EnergyBands, band_edges, refuse_moved
from gm.estimators.norm import NoMinimum, NormEstimate, NormProfile
from gm.estimators.nuisances import with_nuisance_priors
from gm.estimators.point_covariance import through_priors
from gm.estimators.point_datasets import point_datasets, reports_of
from gm.estimators.points import FluxPoints
from gm.estimators.reference import Reference
from gm.estimators.reoptimized import estimate_reoptimized
from gm.estimators.result import FluxPoint, PointDataset, PointStatus, ReferenceFlux
from gm.estimators.upper_limits import LimitMethod, check_levels
from gm.estimators.verdict import verdict
from gm.likelihood import Engine, JointLikelihood, Terms
from gm.likelihood.dark import told_without
from gm.likelihood.line import Line
from gm.models import Layout, Models, SkyModel
from gm.values import read_only

Progress = Callable[[str, float], None]
DEFAULT_SCAN = tuple(np.geomspace(0.2, 5.0, 11))
_LEAST = 1e-100  # counts or flux: less has no square


@dataclass(frozen=True, kw_only=True)
class PointsSettings:
    """How flux points are measured, of one source or of several: see `FluxPointsEstimator`."""

    reoptimize: bool = False
    sigma: float = 1.0
    sigma_ul: float = 2.0
    ul: LimitMethod | str = LimitMethod.LIKELIHOOD
    sigma_sensitivity: float = 5.0
    norm_scan: Sequence[float] = DEFAULT_SCAN
    strict: bool = False
    nuisance_prior: float | None = None
    deabsorbed: bool = False
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def shared(self) -> dict[str, Any]:
        """All of it by name."""
        return {setting.name: getattr(self, setting.name) for setting in fields(PointsSettings)}


@read_only("make another FluxPointsEstimator")
@dataclass(frozen=True, kw_only=True)
class FluxPointsEstimator(PointsSettings):
    """Flux points of ``source`` in the bands between ``energy_edges`` (numbers in TeV, or quantities with a unit).

    In each band the whole spectrum of the source is scaled by one norm, fitted to the reconstructed energies of the
    band: ``dnde = norm * reference(e_ref)``. A dataset has whole bins only: those between its edges nearest to the
    band's (in ln E). A point carries the energies of the bins that enter, of each dataset and of all that see the
    source together. With ``reoptimize`` every other free parameter is fitted again in each band, and profiled in
    errors, upper limits and TS; otherwise all stay as the model has them.

    sigma, sigma_ul : ``norm_err*`` and ``norm_ul`` are where -2 ln L has risen by the square of these
    ul : what the limit is, ``likelihood``, ``bounded`` or ``cls``: see `LimitMethod`
    sigma_sensitivity : ``norm_sensitivity`` is the norm that this significance expects
    norm_scan : norms at which the profile is written out
    strict : edges that are inside a dataset's axis and none of its own are refused, and not moved to the nearest
    nuisance_prior : with ``reoptimize``, which it implies, the other parameters have a Gaussian prior in each band: as
    wide as the errors that the models tell, times this factor (`with_nuisance_priors` has the formula)
    deabsorbed : points are told without the absorption in the source's spectrum too
    conventions : how counts are predicted, ``gammapy`` or ``exact``; `UsageError` for another word
    engine : compiles the likelihood, by default in this process
    """

    source: str
    energy_edges: Sequence[object] = ("1 TeV", "10 TeV")

    def __post_init__(self) -> None:
        check_levels(sigma=self.sigma, sigma_ul=self.sigma_ul, sigma_sensitivity=self.sigma_sensitivity)
        object.__setattr__(self, "conventions", Conventions(self.conventions))
        object.__setattr__(self, "ul", LimitMethod(self.ul))
        object.__setattr__(self, "reoptimize", self.reoptimize or self.nuisance_prior is not None)
        if self.ul is LimitMethod.CLS and self.reoptimize:
            raise UsageError("CLs limits are those of a norm alone, not with reoptimize; take bounded")

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> FluxPoints:
        """The flux points around ``models``, which stay as they are.

        Raises `UsageError` when the source is not a sky component or no flux, the edges do not increase or there is no
        dataset, `DataError` for edges that are not those of bins when ``strict``.
        """
        if not len(datasets):
            raise UsageError(f"flux points of '{self.source}': no dataset was given")
        component, edges, told = self.component(models), self.requested_edges(), tuple[str, ...]()
        by_energy = Datasets(dataset.by_energy() for dataset in datasets)
        if self.strict:
            refuse_moved(by_energy, edges)
        if self.nuisance_prior is not None:
            models, told = with_nuisance_priors(models, [self.source], self.nuisance_prior)
        likelihood = JointLikelihood(by_energy, models, self.conventions, engine=self.engine)
        bands = _Bands(self, likelihood, component, edges)
        measured = []
        for k, (e_min, e_max) in enumerate(pairwise(edges.tolist())):
            if progress is not None:
                progress(f"{e_min:.4g} - {e_max:.4g} TeV", k / (edges.size - 1))
            measured.append(bands.measure(k))
        return FluxPoints(
            source=self.source,
            reference_model=bands.reference.model,
            points=tuple(bands.points(measured)),
            norm_scan=np.asarray(self.norm_scan, dtype=float),
            sigma=self.sigma,
            sigma_ul=self.sigma_ul,
            ul=LimitMethod(self.ul),
            sigma_sensitivity=self.sigma_sensitivity,
            reoptimize=self.reoptimize,
            nuisance_prior=self.nuisance_prior,
            covariance=through_priors([band.estimate for band in measured], self.sigma),
            datasets=tuple(dataset.name for dataset in datasets),
            warnings=(*bands.reference.warnings(), *told, *bands.told_dark(), *likelihood.remarks()),
        )

    def unmeasured(self, models: Models, status: PointStatus, why: str) -> tuple[FluxPoint, ...]:
        """The points of all bands where none can be measured. Raises `UsageError` as `run` does."""
        edges = self.requested_edges()
        bands = np.stack([edges[:-1], edges[1:]], axis=1)
        references = self.reference(models).fluxes(bands)
        return tuple(
            FluxPoint(low, high, status, why, reference)
            for (low, high), reference in zip(bands.tolist(), references, strict=True)
        )

    def reference(self, models: Models) -> Reference:
        """The spectrum that norms are relative to. Raises `UsageError` where the source has none."""
        component, layout = self.component(models), Layout(models)
        values = layout.expand(layout.start)[layout.slots(component.name)]
        return Reference(component, values, Conventions(self.conventions))

    def component(self, models: Models) -> SkyModel:
        """The source. Raises `UsageError` where it is no sky component."""
        sky = {component.name: component for component in models.sources()}
        if self.source not in sky:
            if self.source in models:
                problem, hint = f"'{self.source}' is not a sky component", suggest(self.source, sky, "sky components")
            else:
                problem, hint = f"no component is called '{self.source}'", suggest(self.source, sky, "components")
            raise UsageError(f"{problem}; {hint}")
        return sky[self.source]

    def requested_edges(self) -> Array:
        """The edges asked for, (n_bands + 1,) [TeV]."""
        return band_edges(self.energy_edges)


@dataclass(frozen=True)
class _Band:
    """A `FluxPoint` but for its reference."""

    e_min: float
    e_max: float
    status: PointStatus
    reason: str | None
    estimate: NormEstimate | None = None
    datasets: dict[str, PointDataset] = field(default_factory=dict)

    def point(self, reference: ReferenceFlux, intrinsic: ReferenceFlux | None, asked: tuple[float, float]) -> FluxPoint:
        status, reason, estimate = self.status, self.reason, self.estimate
        if estimate is not None and not reference.dnde > 0:  # errors and limits would have the other sign
            status, reason, estimate = "failed", "the reference spectrum is not above 0 here", None
        measured = reference, estimate, self.datasets
        return FluxPoint(self.e_min, self.e_max, status, reason, *measured, asked=asked, intrinsic=intrinsic)


class _Bands:
    """The joint likelihood cut into bands."""

    def __init__(
        self, estimator: FluxPointsEstimator, likelihood: JointLikelihood, component: SkyModel, edges: Array
    ) -> None:
        self.estimator, self.likelihood, self.name = estimator, likelihood, component.name
        layout, bank = likelihood.layout, likelihood.bank
        self.vector = layout.start
        values = layout.expand(self.vector)
        self.reference = Reference(component, values[layout.slots(component.name)], likelihood.conventions)
        self.intrinsic = self.reference.intrinsic() if estimator.deabsorbed else None
        self.shapes = bank.fluxes(values, [])
        self.signal = self.reference.sign * (bank.fluxes(values, [component.name]) - self.shapes)
        self.rest = bank.fluxes(values, [c.name for c in likelihood.models if c.name != component.name])
        self.bands = EnergyBands(likelihood, edges)

    def points(self, measured: Sequence[_Band]) -> Iterator[FluxPoint]:
        """All bands with what their norms refer to."""
        energies, edges = np.array([(band.e_min, band.e_max) for band in measured]), self.bands.edges.tolist()
        references = self.reference.fluxes(energies)
        bare = self.intrinsic.fluxes(energies) if self.intrinsic is not None else [None] * len(measured)
        for band, reference, intrinsic, asked in zip(measured, references, bare, pairwise(edges), strict=True):
            yield band.point(reference, intrinsic, asked)

    def told_dark(self) -> list[str]:
        """What to know of TS where nothing but the source is predicted."""
        terms, names = self.likelihood.terms, self.likelihood.datasets.names
        return told_without(self.name, terms.dark(self.rest), terms.dark(self.rest + self.signal), names)

    def measure(self, k: int) -> _Band:
        """Band ``k``; every outcome has a status and a reason, and none takes the other bands with it."""
        e_min, e_max = self.bands.edges[k : k + 2].tolist()
        terms = self.bands.terms(k)
        if terms is None:
            return _Band(e_min, e_max, "no_data", self.bands.why_none(k))
        try:
            with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # told by what is not finite
                return self._measured(e_min, e_max, terms, k)
        except NoMinimum as error:
            return _Band(e_min, e_max, "failed", str(error))
        except (ArithmeticError, np.linalg.LinAlgError) as error:
            return _Band(e_min, e_max, "failed", f"the computation broke down: {error}")

    def _measured(self, e_min: float, e_max: float, terms: Terms, k: int) -> _Band:
        lines = terms.lines(self.rest, self.signal)
        size = sum(line.signal_size() for line in lines)
        if size < _LEAST:
            return self._without_signal(e_min, e_max, size)
        estimate, rest, signal = self._estimate(terms, lines)
        reports = reports_of(terms, rest + estimate.norm * signal, {self.name: self.shapes + signal})
        seeing = [report.dataset for report in reports if report.components[self.name] != 0]
        edges = self.bands.energies(k, seeing) or (e_min, e_max)
        datasets = point_datasets(self.likelihood, self.bands.ranges[k], reports, self.name, estimate.norm)
        return _Band(*edges, *verdict(estimate, self.estimator.sigma_ul), estimate, datasets)

    def _without_signal(self, e_min: float, e_max: float, size: float) -> _Band:
        [reference] = self.reference.fluxes(np.array([[e_min, e_max]]))
        if size > 0 or not reference.dnde > 0:
            reason = f"the reference spectrum is {reference.dnde:.3g} cm-2 s-1 TeV-1 here, too little for a norm of it"
            return _Band(e_min, e_max, "failed", reason)
        return _Band(e_min, e_max, "no_data", f"no dataset with bins here sees {self.name}")

    def _estimate(self, terms: Terms, lines: Sequence[Line]) -> tuple[NormEstimate, Array, Array]:
        """The norm, and the flux vectors of the other components and of the source that go with it."""
        estimator = self.estimator
        scan = np.asarray(estimator.norm_scan, dtype=float)
        if estimator.reoptimize:
            options = estimator.sigma, estimator.sigma_ul, scan, LimitMethod(estimator.ul)
            found = estimate_reoptimized(self.likelihood, terms, self.name, self.signal, *options)
            if found is not None:
                return found
        profile = NormProfile(lines, self.likelihood.layout.prior_value(self.vector))
        sigmas = estimator.sigma, estimator.sigma_ul
        found_alone = profile.estimate(*sigmas, scan, estimator.sigma_sensitivity, LimitMethod(estimator.ul))
        return found_alone, self.rest, self.signal
