"""The flux of a component in a band of energy with parameters of its spectrum fitted too.

The flux stands in the place of the amplitude (`gm.fit.reparametrised`), so that its errors and limits are those of its
own profile, everything else that is free fitted again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets
from gm.errors import UsageError
from gm.estimators.norm import NormEstimate
from gm.estimators.profile_space import ON_A_LINE, Space, derived_of, quantity_space
from gm.estimators.quantity import Quantity
from gm.estimators.result import FittedValue, FluxPoint, PointDataset, PointStatus, ReferenceFlux
from gm.fit import Fit
from gm.fit.profile import LowerMinimum, ProfilePoint
from gm.fit.run import FitRun
from gm.likelihood import DatasetSummary, Engine
from gm.likelihood.times import is_dark
from gm.matrices import along
from gm.models import Component, Models

_LOWER_MINIMA = 5


@dataclass(frozen=True, eq=False)
class FluxFit:
    """What is fitted: the global model with what is free in it, on datasets under the masks of the band.

    sigma, sigma_ul, scan : as of flux points
    """

    datasets: Datasets
    models: Models
    sigma: float
    sigma_ul: float
    scan: Sequence[float]
    conventions: Conventions
    engine: Engine | None

    def run(self, quantities: Sequence[Quantity], references: Sequence[float]) -> tuple[FitRun, list[NormEstimate]]:
        """The fit, and the norm of each flux on that of its reference. Raises what a fit does."""
        fit, models = Fit(self.datasets, self.conventions, self.engine), self.models
        for _ in range(_LOWER_MINIMA):
            run, space = fit.converge(models), None
            try:
                estimates = []
                for quantity, reference in zip(quantities, references, strict=True):
                    space = quantity_space(run, quantity)
                    estimates.append(self._estimate(run, space, quantity.source, reference))
                return run, estimates
            except LowerMinimum as lower:
                models = run.models_at(lower.vector if space is None else space.back(lower.vector))
        raise UsageError("profiles of the flux lead to ever lower minima; start from a better fit")

    def _estimate(self, run: FitRun, space: Space, source: str, reference: float) -> NormEstimate:
        """Raises `LowerMinimum`."""
        status, message = run.verdict()
        best, stat = space.best(0), run.minimum.value
        if status not in ("converged", "at_limit"):
            nothing = np.full(len(self.scan), np.nan)
            why = dict.fromkeys(("norm_err", "norm_errn", "norm_errp", "norm_ul"), message)
            return NormEstimate(best / reference, None, None, None, None, np.nan, np.nan, nothing, None, why)
        error, missing = space.error(0), dict[str, str]()
        one, limit = space.interval(self.sigma**2), space.interval(self.sigma_ul**2)
        ends = {
            "norm_errn": (one.lower, one.why_no_lower),
            "norm_errp": (one.upper, one.why_no_upper),
            "norm_ul": (limit.upper, limit.why_no_upper),
        }
        missing |= {name: why for name, (end, why) in ends.items() if end is None}
        if error is None:
            missing["norm_err"] = run.errors.why_none(space.chosen[0]) or "it has no error"
        return NormEstimate(
            norm=best / reference,
            norm_err=None if error is None else self.sigma * error / reference,
            norm_errn=None if one.lower is None else -one.lower / reference,
            norm_errp=None if one.upper is None else one.upper / reference,
            norm_ul=None if limit.upper is None else (best + limit.upper) / reference,
            stat=stat,
            stat_null=self._null(run, source),
            stat_scan=self._scanned(space, best / reference, reference),
            missing=missing,
        )

    def _scanned(self, space: Space, best: float, reference: float) -> Array:
        """-2 ln L at the norms of the scan, (n_scan,), NaN where it is not known; on both sides from the best outwards,
        each point on along those before. Raises `LowerMinimum`."""
        found = np.full(len(self.scan), np.nan)
        outwards = np.argsort(np.abs(np.array(self.scan) - best), kind="stable").tolist()
        lines: dict[bool, list[ProfilePoint]] = {False: [], True: []}
        for k in outwards:
            line = lines[self.scan[k] > best]
            point = space.at([self.scan[k] * reference], [line[:ON_A_LINE]] if line else ())
            if not point.reason:
                line.insert(0, point)
                found[k] = point.value
        return found

    def _null(self, run: FitRun, source: str) -> float:
        """-2 ln L with no flux, what else is free fitted again, but for priors of the source's own parameters, which
        are those at the minimum: without a source they mean nothing. Raises `LowerMinimum`."""
        layout, active = run.layout, run.objective.active
        position = run.likelihood.models[source].spectral_model.amplitude_position()
        assert position is not None  # `free_models` and `joint_models` see to it
        free = layout.free_position(layout.slots(source, "spectral").start + position)
        if free is None or not active[free]:
            return float("nan")
        k = int(np.count_nonzero(active[:free]))
        point = run.profile().at([k], np.zeros(1), [run.minimum.vector])
        if point.reason:
            return float("nan")
        if is_followed(run.likelihood.models, source):
            return point.value
        best, null = (layout.prior_value(run.objective.full(v), source) for v in (run.minimum.vector, point.vector))
        return point.value + best - null


def is_followed(models: Models, source: str) -> bool:
    """Whether parameters of other components follow some of the source's, so that these mean something without it."""
    own = range(len(models.parameters))[models.slots()[source, None]]
    ends = ((models.resolve(link.parameter), models.resolve(link.equals)) for link in models.links)
    return any(equals in own and follower not in own for follower, equals in ends)


def left_out(models: Models, source: str) -> tuple[str, ...]:
    """What a reader should know of a prior that fluxes of bins do without. Raises `UsageError` as `amplitude_of`."""
    address = amplitude_of(models, source)
    if models.parameters[models.resolve(address)].prior is None:
        return ()
    return (f"the prior of {address} is none of the fluxes of single bins, and left out",)


def amplitude_of(models: Models, source: str) -> str:
    """The address of the amplitude that the spectrum of a component is proportional to. Raises `UsageError`."""
    spectrum = models[source].spectral_model
    position = spectrum.amplitude_position()
    if position is None:
        raise UsageError(f"'{source}' has a spectrum without an amplitude: its flux cannot be free")
    index = models.slots()[source, "spectral"].start + position
    address: str = models.parameters.addresses[index]
    if index in models.roots():
        raise UsageError(f"'{address}' follows another parameter: its flux cannot be free")
    return address


def free_models(models: Models, source: str, free: Iterable[str], reoptimize: bool) -> Models:
    """With the amplitude of the source, without its prior, and some of its parameters free; others as they were, or
    frozen.

    Raises `UsageError` for a parameter that is not one of the source, `AddressError` for one that does not exist.
    """
    amplitude, slots, addresses = amplitude_of(models, source), models.slots()[source, None], models.addresses()
    wanted = {addresses.resolve(amplitude)}
    for address in free:
        k = addresses.resolve(address)
        if k not in range(slots.start, slots.stop):
            raise UsageError(f"'{address}' is no parameter of '{source}'; free names further parameters of the source")
        wanted.add(k)
    edits: dict[str, object] = {}
    roots = models.roots()
    for k, (address, parameter) in enumerate(zip(models.parameters.addresses, models.parameters, strict=True)):
        if k in roots:
            continue
        is_own = slots.start <= k < slots.stop
        frozen = k not in wanted if is_own else parameter.frozen or not reoptimize
        edits[address] = {"frozen": frozen}
    return models.with_parameters(edits | {amplitude: {"frozen": False, "prior": None}})


def in_band(
    datasets: Datasets, component: Component, low: float, high: float
) -> tuple[Datasets, tuple[float, float] | None]:
    """Datasets with the bins nearest to a band as their fit masks, those that have some; and the energies [TeV] of all
    these bins where the datasets see the component, None without any."""
    kept, energies = list[Dataset](), list[tuple[float, float]]()
    for dataset in (one.by_energy() for one in datasets):
        first, last = dataset.nearest_bins(np.array([low, high])).tolist()
        inside = np.zeros(dataset.shape, dtype=np.bool_)
        inside[first:last] = True
        masked = dataset.with_(mask_fit=dataset.kept & inside)
        if masked.mask.any():
            kept.append(masked)
            if component.applies_to(dataset.name) and not (dataset.sees_nothing() or is_dark(component, dataset)):
                energies.append(_entering(masked))
    if not energies:
        return Datasets(), None
    lows, highs = zip(*energies, strict=True)
    return Datasets(kept), (min(lows), max(highs))


def _entering(dataset: Dataset) -> tuple[float, float]:
    """The energies [TeV] of its bins inside the masks."""
    rows = np.flatnonzero(dataset.mask.reshape(dataset.shape[0], -1).any(axis=1))
    return dataset.energies_of(int(rows[0]), int(rows[-1]) + 1)


def fitted_point(
    run: FitRun,
    quantity: Quantity,
    estimate: NormEstimate,
    reference: ReferenceFlux,
    sigma_ul: float,
    summaries: Sequence[DatasetSummary],
) -> FluxPoint:
    """The point of a band, with what the fitted spectrum says there in place of the reference; the datasets in
    numbers."""
    source, (low, high) = quantity.source, quantity.energies
    middle = Quantity("dnde", source, (float(np.sqrt(low * high)),))
    spectrum = {other.kind: _propagated(run, other) for other in (middle, Quantity("eflux", source, (low, high)))}
    fitted = run.likelihood.datasets
    datasets = {
        one.name: PointDataset(*_entering(fitted[one.name]), one.counts, one.predicted, one.components[source])
        for one in summaries
        if source in one.components
    }
    return FluxPoint(low, high, *_verdict(estimate, sigma_ul), reference, estimate, datasets, spectrum)


def summaries_of(run: FitRun) -> list[DatasetSummary]:
    """The datasets in numbers at the minimum."""
    return run.told.summarize(run.objective.full(run.minimum.vector))


def _verdict(estimate: NormEstimate, sigma_ul: float) -> tuple[PointStatus, str | None]:
    """As that of flux points."""
    is_known = np.isfinite([estimate.norm, estimate.stat, estimate.stat_null]).all()
    if not is_known or (estimate.norm_err is None and estimate.norm_errp is None):
        return "failed", estimate.missing.get("norm_err", "the statistic is not known without the source")
    if estimate.ts < sigma_ul**2 or estimate.norm <= 0:
        return "upper_limit", f"norm {estimate.norm:.3g}, TS {estimate.ts:.3g}: TS has to reach {sigma_ul**2:.3g}"
    return "ok", None


def fitted_values(run: FitRun, addresses: Iterable[str]) -> tuple[FittedValue, ...]:
    """Parameters with their errors."""
    best = run.best_models()
    found = [(address, best.parameters[best.resolve(address)]) for address in addresses]
    return tuple(FittedValue(name, p.value, p.error if p.error > 0 else None, str(p.unit)) for name, p in found)


def _propagated(run: FitRun, quantity: Quantity) -> FittedValue:
    """A quantity at the minimum with its error from the covariance."""
    number, slopes = derived_of(run, quantity)(run.minimum.vector)
    covariance = run.errors.whole_covariance()
    variance = 0.0 if covariance is None else float(slopes @ along(covariance, slopes))
    return FittedValue(str(quantity), number, float(np.sqrt(variance)) if variance > 0 else None, quantity.unit)


def flux_covariance(run: FitRun, quantities: Sequence[Quantity]) -> Array:
    """Of some quantities, (n, n), from that of the parameters."""
    slopes = np.array([derived_of(run, quantity)(run.minimum.vector)[1] for quantity in quantities])
    covariance = run.errors.whole_covariance()
    if covariance is None:
        return np.zeros((len(quantities), len(quantities)))
    return np.asarray(slopes @ np.column_stack([along(covariance, own) for own in slopes]))
