"""Flux points: the norm of a component in bands of energy, on all datasets together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, IntArray
from gm.datasets import Dataset, Datasets, FluxPointsDataset
from gm.errors import UsageError
from gm.estimators.norm import NormEstimate, NormProfile
from gm.estimators.reoptimized import estimate_reoptimized
from gm.estimators.result import TEV_IN_ERG, FluxPoint, FluxPoints, PointDataset, ReferenceFlux
from gm.likelihood import JointLikelihood, TermReport
from gm.likelihood.line import Line
from gm.models import EnergyBins, Models, SkyModel
from gm.units import convert

Progress = Callable[[str, float], None]
DEFAULT_SCAN = tuple(np.geomspace(0.2, 5.0, 11))


@dataclass(frozen=True, kw_only=True)
class FluxPointsEstimator:
    """Flux points of ``source`` in the bands between ``energy_edges`` (numbers in TeV, or quantities with a unit).

    In each band the whole spectrum of the source is scaled by one norm, fitted to the reconstructed energies of the
    band: ``dnde = norm * reference(e_ref)``. With ``reoptimize`` every other free parameter is fitted again in each
    band, and profiled in errors, upper limits and TS; otherwise all stay as the model has them.

    sigma, sigma_ul : ``norm_err*`` and ``norm_ul`` are where -2 ln L has risen by the square of these
    sigma_sensitivity : ``norm_sensitivity`` is the norm that this significance expects
    norm_scan : norms at which the profile is written out
    conventions : how counts are predicted, ``gammapy`` or ``exact``
    """

    source: str
    energy_edges: Sequence[object] = ("1 TeV", "10 TeV")
    reoptimize: bool = False
    sigma: float = 1.0
    sigma_ul: float = 2.0
    sigma_sensitivity: float = 5.0
    norm_scan: Sequence[float] = DEFAULT_SCAN
    conventions: str = "gammapy"

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> FluxPoints:
        """The flux points around ``models``, which stay as they are.

        Raises `UsageError` when the source is not a sky component, the edges do not increase or there is no dataset.
        """
        if not len(datasets):
            raise UsageError(f"flux points of '{self.source}': no dataset was given")
        datasets = Datasets(map(_sorted, datasets))
        component = self._component(models)
        asked, edges = self.requested_edges(), self._edges(datasets)
        likelihood = JointLikelihood(datasets, models, self.conventions)
        bands = _Bands(self, likelihood, component)
        references = bands.references(edges)
        points = []
        for k in range(edges.size - 1):
            if progress is not None:
                progress(f"{edges[k]:.4g} - {edges[k + 1]:.4g} TeV", k / (edges.size - 1))
            band, requested = (float(edges[k]), float(edges[k + 1])), (asked[k], asked[k + 1])
            points.append(bands.point(*band, requested, references[k]))
        return FluxPoints(
            source=self.source,
            reference_model=component,
            points=tuple(points),
            norm_scan=np.asarray(self.norm_scan, dtype=float),
            sigma=self.sigma,
            sigma_ul=self.sigma_ul,
            sigma_sensitivity=self.sigma_sensitivity,
            reoptimize=self.reoptimize,
            datasets=tuple(dataset.name for dataset in datasets),
        )

    def _component(self, models: Models) -> SkyModel:
        sky = [component.name for component in models if isinstance(component, SkyModel)]
        if self.source not in sky:
            raise UsageError(f"'{self.source}' is not a sky component; there are: {', '.join(sky) or 'none'}")
        component = models[self.source]
        assert isinstance(component, SkyModel)
        return component

    def requested_edges(self) -> Array:
        """The edges asked for, (n_bands + 1,) [TeV]."""
        edges = np.array([convert(edge, "TeV") for edge in self.energy_edges])
        if edges.size < 2 or not (np.diff(edges) > 0).all() or edges[0] <= 0:
            raise UsageError("energy_edges must be at least two positive energies, increasing")
        return edges

    def _edges(self, datasets: Datasets) -> Array:
        """The edges that the points carry: those of the datasets' bins where all datasets agree, else as asked for.

        A dataset has whole bins only. Where every dataset in the bands beside an edge has its bins end at the same
        energy, that energy is the true one; where they differ, no common edge exists and the asked one stands.
        """
        asked = self.requested_edges()
        found: list[dict[str, float]] = [{} for _ in asked]  # equal up to rounding: the first dataset's number counts
        for dataset in datasets:
            if isinstance(dataset, FluxPointsDataset):
                continue
            for k in range(asked.size - 1):
                first, last = _bin_range(dataset, asked[k], asked[k + 1])
                if first < last:
                    for edge, number in ((k, first), (k + 1, last)):
                        energy = float(dataset.energy.edges[number])
                        found[edge].setdefault(f"{energy:.9g}", energy)
        agreed = [next(iter(keys.values())) if len(keys) == 1 else None for keys in found]
        edges = np.array([edge if own is None else own for own, edge in zip(agreed, asked, strict=True)])
        return edges if (np.diff(edges) > 0).all() else asked


class _Bands:
    """The joint likelihood cut into bands."""

    def __init__(self, estimator: FluxPointsEstimator, likelihood: JointLikelihood, component: SkyModel) -> None:
        self.estimator, self.likelihood, self.component = estimator, likelihood, component
        layout, bank = likelihood.layout, likelihood.bank
        self.vector = layout.start
        values = layout.expand(self.vector)
        self.shapes = bank.fluxes(values, [])
        self.signal = bank.fluxes(values, [component.name]) - self.shapes
        self.rest = bank.fluxes(values, [c.name for c in likelihood.models if c.name != component.name])

    def point(self, e_min: float, e_max: float, requested: tuple[float, float], reference: ReferenceFlux) -> FluxPoint:
        """One flux point; every outcome is a point with a status and a reason."""
        ranges = np.array([_bin_range(dataset, *requested) for dataset in self.likelihood.datasets])
        terms = self.likelihood.cut(ranges)
        if not terms:
            return FluxPoint(e_min, e_max, "no_data", self._no_data(ranges), reference)
        lines = [term.line(self.rest, self.signal) for term in terms]
        if not any(line.signal_size() > 0 for line in lines):
            reason = f"no counts of {self.component.name} are predicted here"
            return FluxPoint(e_min, e_max, "failed", reason, reference)
        estimate, rest = self._estimate(lines, ranges)
        source = {self.component.name: self.shapes + estimate.norm * self.signal}
        best = rest + estimate.norm * self.signal
        datasets = self._datasets(ranges, [report for term in terms for report in term.report(best, source)])
        if not np.isfinite([estimate.norm, estimate.stat, estimate.stat_null]).all():
            return FluxPoint(e_min, e_max, "failed", "the statistic is not finite", reference, None, datasets)
        if estimate.norm_errp is None and estimate.norm_err is None:
            return FluxPoint(e_min, e_max, "failed", "the norm is not constrained", reference, estimate, datasets)
        threshold = self.estimator.sigma_ul**2
        if estimate.norm <= 0 or estimate.ts < threshold:
            reason = f"norm {estimate.norm:.3g}, TS {estimate.ts:.3g}: not above {threshold:.3g}"
            return FluxPoint(e_min, e_max, "upper_limit", reason, reference, estimate, datasets)
        return FluxPoint(e_min, e_max, "ok", None, reference, estimate, datasets)

    def _no_data(self, ranges: IntArray) -> str:
        if (ranges[:, 0] == ranges[:, 1]).all():
            return "no dataset has bins here"
        return "every bin here is outside the masks and energy ranges"

    def _estimate(self, lines: Sequence[Line], ranges: IntArray) -> tuple[NormEstimate, Array]:
        """The norm, and the flux vector of the other components that goes with it."""
        estimator = self.estimator
        scan = np.asarray(estimator.norm_scan, dtype=float)
        if estimator.reoptimize:
            options = estimator.sigma, estimator.sigma_ul, scan
            found = estimate_reoptimized(self.likelihood, self.component.name, ranges, *options)
            if found is not None:
                return found
        profile = NormProfile(lines, self.likelihood.layout.prior_value(self.vector))
        sigmas = estimator.sigma, estimator.sigma_ul
        return profile.estimate(*sigmas, scan, estimator.sigma_sensitivity), self.rest

    def references(self, edges: Array) -> list[ReferenceFlux]:
        """The reference spectrum in each band; every band is an axis of its own, with its own number of nodes."""
        model, layout = self.component.spectral_model, self.likelihood.layout
        values = layout.expand(self.vector)[layout.slots(self.component.name, "spectral")]
        axes = np.stack([edges[:-1], edges[1:]], axis=1)
        bins = EnergyBins(*axes, conventions=self.estimator.conventions)
        e_ref = np.sqrt(edges[:-1] * edges[1:])
        dnde = model.evaluate(e_ref, values)
        flux, eflux = model.integral(bins, values), model.energy_integral(bins, values) * TEV_IN_ERG
        columns = dnde, flux, eflux, dnde * e_ref**2 * TEV_IN_ERG
        return [ReferenceFlux(*row) for row in np.transpose(columns).tolist()]

    def _datasets(self, ranges: IntArray, reports: Sequence[TermReport]) -> dict[str, PointDataset]:
        """Counts and predicted counts of each dataset that has bins in the band, in the order of the datasets."""
        found = {}
        for report in sorted(reports, key=lambda report: report.dataset):
            dataset, (first, last) = self.likelihood.datasets[report.dataset], ranges[report.dataset]
            if isinstance(dataset, FluxPointsDataset):
                energy = dataset.points.energy[first:last]
                found[dataset.name] = PointDataset(float(energy[0]), float(energy[-1]), None, None, None)
                continue
            edges = dataset.energy.edges
            counts = float(dataset.counts[first:last][dataset.mask[first:last]].sum(dtype=np.float64))
            sums = counts, report.predicted, report.components[self.component.name]
            found[dataset.name] = PointDataset(float(edges[first]), float(edges[last]), *sums)
        return found


def _sorted(dataset: Dataset) -> Dataset:
    """Flux points in the order of their energies, so that a band is a range of rows; other datasets as they are."""
    if not isinstance(dataset, FluxPointsDataset):
        return dataset
    order = np.argsort(dataset.points.energy, kind="stable")
    return dataset if (np.diff(order) > 0).all() else dataset.take(order)


def _bin_range(dataset: Dataset, e_min: float, e_max: float) -> tuple[int, int]:
    """First and last + 1 bin of the dataset in a band: its edges are moved to the nearest bin edges (in ln E)."""
    if isinstance(dataset, FluxPointsDataset):
        inside = np.flatnonzero((dataset.points.energy >= e_min) & (dataset.points.energy < e_max))
        return (int(inside[0]), int(inside[-1]) + 1) if inside.size else (0, 0)
    edges = dataset.energy.edges
    position = np.interp(np.log([e_min, e_max]), np.log(edges), np.arange(edges.size))
    first, last = np.rint(position).astype(int)
    return int(first), int(last)
