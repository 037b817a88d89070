"""Sensitivity: the smallest flux of a source that the data would show, by band and above each energy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from statistics import NormalDist

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets
from gm.datasets.kinds import is_map
from gm.errors import UsageError, suggest
from gm.estimators.bands import EnergyBands, band_edges, moved_edges, told_moved
from gm.estimators.reference import Reference
from gm.estimators.sensitivity_result import Criteria, Criterion, Sensitivity, SensitivityBand
from gm.estimators.upper_limits import check_levels
from gm.likelihood import Engine, JointLikelihood, Terms
from gm.likelihood.line import Line
from gm.maps.axes import SAME_ENERGY
from gm.models import Models, SkyModel

Progress = Callable[[str, float], None]
_LEAST = 1e-100  # counts: less has no square
_NORMAL = NormalDist()
_ROUNDING = 1e-12
_FEW = 5.0  # counts, of which the significance of Asimov data is not the median of what is measured


def detection(significance: float, sigma: float) -> float:
    """The probability that a source is found at ``sigma`` that is expected to have a significance.

    The root of TS scatters by 1 around the one of Asimov data. Source: Cowan et al. 2011, EPJC 71, 1554.
    """
    return _NORMAL.cdf(significance - sigma)


@dataclass(frozen=True, kw_only=True)
class SensitivityEstimator:
    """The smallest norm of ``source``'s spectrum for which three things hold on Asimov data of all datasets together.

    Its TS against no source is ``sigma`` squared, or so much more that it is found with ``probability``; it gives
    ``min_counts`` counts; and they are ``background_systematic`` of the background. Asimov data hold what all other
    components predict, and where the background is measured what the off counts let expect. In each band the whole
    spectrum is scaled, as flux points do.

    energy_edges : numbers in TeV, or quantities with a unit; None for the bins of the datasets, which must be the same
    """

    source: str
    energy_edges: Sequence[object] | None = None
    sigma: float = 5.0
    min_counts: float = 10.0
    background_systematic: float = 0.05
    probability: float = 0.5
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def __post_init__(self) -> None:
        check_levels(sigma=self.sigma)
        if not 0 < self.probability < 1:
            raise UsageError(f"probability is {self.probability}, expected one between 0 and 1")
        for name in ("min_counts", "background_systematic"):
            if not 0 <= getattr(self, name) < inf:
                raise UsageError(f"{name} is {getattr(self, name)}, expected a number that is not negative")

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> Sensitivity:
        """The sensitivity around ``models``, which stay as they are. Raises `UsageError`."""
        if not len(datasets):
            raise UsageError(f"sensitivity to '{self.source}': no dataset was given")
        component, edges = self._component(models), self._edges(datasets)
        by_energy = Datasets(dataset.by_energy() for dataset in datasets)
        likelihood = JointLikelihood(by_energy, models, self.conventions, engine=self.engine)
        bands = _Asimov(self, likelihood, component, EnergyBands(likelihood, edges))
        above = [
            _Asimov(self, likelihood, component, EnergyBands(likelihood, edges[[k, -1]])) for k in range(edges.size - 1)
        ]
        rows = []
        for k in range(edges.size - 1):
            if progress is not None:
                progress(f"{edges[k]:.4g} - {edges[k + 1]:.4g} TeV", k / (edges.size - 1))
            rows.append(bands.row(k))
        integral = tuple(one.row(0) for one in above)
        return Sensitivity(
            source=self.source,
            reference_model=bands.reference.model,
            bands=tuple(rows),
            integral=integral,
            datasets=tuple(dataset.name for dataset in datasets),
            criteria=Criteria(self.sigma, self.probability, self.min_counts, self.background_systematic),
            warnings=(
                *bands.reference.warnings(),
                *told_moved((edge, its) for _, edge, its in moved_edges(by_energy, edges)),
                *_told_few([*rows, *integral]),
                *likelihood.remarks(),
            ),
        )

    def _component(self, models: Models) -> SkyModel:
        sky = {component.name: component for component in models.sources()}
        if self.source not in sky:
            raise UsageError(f"no source is called '{self.source}'; {suggest(self.source, sky, 'sources')}")
        return sky[self.source]

    def _edges(self, datasets: Datasets) -> Array:
        """(n_bands + 1,) [TeV]."""
        return _common_edges(datasets) if self.energy_edges is None else band_edges(self.energy_edges)


def _told_few(rows: Sequence[SensitivityBand]) -> Iterator[str]:
    """Bands whose flux is significant by so few counts that a TS is not distributed as it is taken to be."""
    few = [row for row in rows if row.criterion == "significance" and row.excess is not None and row.excess < _FEW]
    if few:
        least = min(few, key=lambda row: row.excess or 0.0)
        yield (
            f"{len(few)} of {len(rows)} fluxes, those above an energy included, are significant by less than {_FEW:g} "
            f"expected counts, where the expected TS says little: {least.excess:.2g} from {least.e_min:.4g} to "
            f"{least.e_max:.4g} TeV; with min_counts there are as many"
        )


def _common_edges(datasets: Datasets) -> Array:
    """The edges that all datasets with bins have. Raises `UsageError`."""
    axes = [_edges_of(dataset) for dataset in datasets if dataset.is_binned]
    if not axes or any(
        axis.shape != axes[0].shape or not np.allclose(axis, axes[0], rtol=SAME_ENERGY) for axis in axes
    ):
        raise UsageError("the datasets have no energy bins in common: give energy_edges")
    return axes[0]


def _edges_of(dataset: Dataset) -> Array:
    low, high = dataset.energy_edges()
    return np.append(low, high[-1])


class _Asimov:
    """Expected data without the source, and with some of it."""

    def __init__(
        self, settings: SensitivityEstimator, likelihood: JointLikelihood, component: SkyModel, bands: EnergyBands
    ) -> None:
        self.settings, self.likelihood, self.bands, self.name = settings, likelihood, bands, component.name
        layout, bank = likelihood.layout, likelihood.bank
        values = layout.expand(layout.start)
        self.reference = Reference(component, values[layout.slots(component.name)], likelihood.conventions)
        self.shapes = bank.fluxes(values, [])
        self.signal = self.reference.sign * (bank.fluxes(values, [component.name]) - self.shapes)
        self.rest = bank.fluxes(values, [c.name for c in likelihood.models if c.name != component.name])
        sky = (c.name for c in likelihood.models if c.role.is_sky and c.name != component.name)
        self.others = {name: bank.fluxes(values, [name]) for name in sky}

    def row(self, k: int) -> SensitivityBand:
        """Band ``k``; whatever is missing has a reason."""
        e_min, e_max = self.bands.edges[k : k + 2].tolist()
        terms = self.bands.terms(k)
        if terms is None:
            return SensitivityBand(e_min, e_max, "no_data", self.bands.why_none(k))
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # told by what is not finite
            return self._measured(e_min, e_max, terms, k)

    def _measured(self, e_min: float, e_max: float, terms: Terms, k: int) -> SensitivityBand:
        lines = terms.lines(self.rest, self.signal)
        signal, background, seeing = self._counts(terms, self.bands.ranges[k])
        if not signal > _LEAST:
            return SensitivityBand(e_min, e_max, "no_data", f"no dataset with bins here sees {self.name}")
        e_min, e_max = self.bands.energies(k, seeing) or (e_min, e_max)
        [reference] = self.reference.fluxes(np.array([[e_min, e_max]]))
        if not reference.dnde > 0:
            return SensitivityBand(e_min, e_max, "failed", "the reference spectrum is not above 0 here")
        settings = self.settings
        wanted = settings.sigma + _NORMAL.inv_cdf(settings.probability)
        significant = _norm_of(lines, wanted**2, signal) if wanted > 0 else 0.0
        if significant is None:
            why = "no flux is significant: what the data are compared with knows no counts to expect"
            return SensitivityBand(e_min, e_max, "failed", why, reference)
        norms: dict[Criterion, float] = {
            "significance": significant,
            "min_counts": settings.min_counts / signal,
            "background_systematic": settings.background_systematic * background / signal,
        }
        criterion = max(norms, key=lambda name: norms[name])
        norm = norms[criterion]
        own = sqrt(max(_expected_ts(lines, 1.0) or 0.0, 0.0))
        return SensitivityBand(
            e_min=e_min,
            e_max=e_max,
            status="ok",
            reason=None,
            reference=reference,
            norm=norm,
            criterion=criterion,
            norms={str(name): value for name, value in norms.items()},
            excess=norm * signal,
            background=background,
            significance=own,
            probability=detection(own, settings.sigma),
        )

    def _counts(self, terms: Terms, ranges: IntArray) -> tuple[float, float, list[int]]:
        """Expected counts of the source with norm 1 and of all else, and the datasets that see the source.

        Flux points, which have no counts, are left out.
        """
        parts = {**self.others, self.name: self.shapes + self.signal}
        signal = background = 0.0
        seeing = []
        for report in sorted(terms.report(self.rest, parts), key=lambda report: report.dataset):
            dataset = self.likelihood.datasets[report.dataset]
            if report.components[self.name] != 0:
                seeing.append(report.dataset)
            if dataset.counts_in(np.zeros_like(dataset.mask)) is None:
                continue
            signal += report.components[self.name]
            if is_map(dataset):
                background += self._under(report.dataset, ranges, report.components[self.name])
                continue
            measured = _measured_background(dataset, ranges[report.dataset])
            others = sum(report.components[name] for name in self.others if name in report.components)
            background += report.predicted if measured is None else measured + others
        return signal, background, seeing

    def _under(self, dataset: int, ranges: IntArray, signal: float) -> float:
        """What lies under the source on a map, not elsewhere: ``(sum s)^2 / sum(s^2 / b)``, which is as significant in
        one bin as all pixels are together."""
        alone = np.zeros_like(ranges)
        alone[dataset] = ranges[dataset]
        terms = self.likelihood.terms.cut(alone)
        curvature = (
            0.0 if terms is None else sum(x.expected_curvature(0.0) for x in terms.lines(self.rest, self.signal))
        )
        return 2.0 * signal**2 / curvature if curvature > 0 else 0.0


def _measured_background(dataset: Dataset, bins: IntArray) -> float | None:
    """What off counts let expect in a range of bins; None where the background is known."""
    expected = None if dataset.known_background is not None else dataset.expected_background()
    if expected is None:
        return None
    inside = np.zeros_like(dataset.mask)
    inside[bins[0] : bins[1]] = dataset.mask[bins[0] : bins[1]]
    return float(np.sum(expected, where=inside, dtype=np.float64))


def _expected_ts(lines: Sequence[Line], norm: float) -> float | None:
    """Of a norm against none; None where a part of the data has no counts to expect."""
    parts = [line.expected_ts(norm) for line in lines]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _norm_of(lines: Sequence[Line], ts: float, signal: float) -> float | None:
    """The norm with this expected TS, which rises with it; None where there is none."""
    from scipy.optimize import brentq

    def above(log_norm: float) -> float:
        found = _expected_ts(lines, float(np.exp(log_norm)))
        return -np.inf if found is None or not isfinite(found) else found - ts

    low = high = float(np.log(1.0 / signal))
    for _ in range(200):
        if above(high) > 0:
            break
        low, high = high, high + 1.0
    else:
        return None
    while above(low) > 0:
        low, high = low - 1.0, low
    return float(np.exp(brentq(above, low, high, xtol=_ROUNDING, rtol=1e-14)))
