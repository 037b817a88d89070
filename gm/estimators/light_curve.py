"""Light curves: the norm of a component in bins of time, and in bands of energy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import inf

import numpy as np

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.fitted_flux import (
    FluxFit,
    fitted_point,
    fitted_values,
    free_models,
    in_band,
    left_out,
    summaries_of,
)
from gm.estimators.flux_points import DEFAULT_SCAN, FluxPointsEstimator
from gm.estimators.joint_light_curve import joint_fit
from gm.estimators.light_curve_result import LightCurve
from gm.estimators.light_curve_rows import LightCurveRow
from gm.estimators.points import FluxPoints
from gm.estimators.quantity import Quantity
from gm.estimators.result import FluxPoint
from gm.estimators.time_bins import BayesianBlocks, Binned, GoodTimes, TimeBin, TimeBinning, time_binning
from gm.estimators.upper_limits import check_levels
from gm.fit import NothingToFit
from gm.likelihood import Engine
from gm.models import Models
from gm.models.temporal.intervals import DAY
from gm.values import read_only

Progress = Callable[[str, float], None]


@read_only("make another LightCurveEstimator")
@dataclass(frozen=True, kw_only=True)
class LightCurveEstimator:
    """The light curve of ``source``: in each bin of time what `FluxPointsEstimator` finds on the datasets that lie in
    it as a whole.

    time_bins : ``per-observation`` (a bin for each dataset), ``gti``, ``bayesian_blocks``; ``{"width": "1 d", "start":
    "2004-01-01"}``, ``{"edges": [...]}``, ``{"intervals": [[t0, t1], ...]}``, dates or MJD on the ``"scale"`` (UTC);
    or a `TimeBinning`
    energy_edges : two of them, or several bands; all else as for flux points
    free : addresses of further parameters of the source that are fitted in each bin; the norm is that of its flux then
    joint : all bins are one fit, with a flux for each and all else as free as in the global model and shared by them

    Norms are relative to the global model, with its variation in time where it has one.
    """

    source: str
    time_bins: object = "per-observation"
    energy_edges: Sequence[object] = ("1 TeV", "10 TeV")
    free: Sequence[str] = ()
    reoptimize: bool = False
    joint: bool = False
    sigma: float = 1.0
    sigma_ul: float = 2.0
    sigma_sensitivity: float = 5.0
    norm_scan: Sequence[float] = DEFAULT_SCAN
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def __post_init__(self) -> None:
        check_levels(sigma=self.sigma, sigma_ul=self.sigma_ul, sigma_sensitivity=self.sigma_sensitivity)
        object.__setattr__(self, "conventions", Conventions(self.conventions))
        object.__setattr__(self, "time_bins", time_binning(self.time_bins))

    def run(
        self,
        datasets: Datasets,
        models: Models,
        progress: Progress | None = None,
        wanted: Collection[int] | None = None,
    ) -> LightCurve:
        """The light curve around ``models``, which stay as they are; of the bins with numbers ``wanted`` alone.

        Raises `UsageError` as flux points do, for datasets longer than a bin, and where no dataset lies in any.
        """
        if not len(datasets):
            raise UsageError(f"light curve of '{self.source}': no dataset was given")
        binned = self.binned(datasets, models)
        if not any(one.datasets for one in binned.bins):
            raise UsageError(f"light curve of '{self.source}': no dataset lies in any time bin")
        every = Datasets(dataset for dataset in datasets if dataset.name not in binned.outside)
        constant, told = self._flux_points().run(every, models), list[str]()
        if self.joint:
            curve = self._joint(binned, every, models, constant, told)
        else:
            rows = self._rows(binned, datasets, models, told, progress, wanted)
            curve = LightCurve(tuple(rows), constant, tuple(self.free), False, binned.outside, binned.n_empty)
        return replace(curve, warnings=tuple(dict.fromkeys([*_remarks(binned), *constant.warnings, *told])))

    def _rows(
        self,
        binned: Binned,
        datasets: Datasets,
        models: Models,
        told: list[str],
        progress: Progress | None,
        wanted: Collection[int] | None,
    ) -> Iterator[LightCurveRow]:
        """One bin after the other."""
        for k, one in enumerate(binned.bins):
            if progress is not None:
                progress(f"bin {k + 1} of {len(binned.bins)}", k / len(binned.bins))
            inside = Datasets(datasets[name] for name in one.datasets)
            points = self._measured(inside, models, told) if wanted is None or k in wanted else None
            yield LightCurveRow(one, livetime(inside), points)

    def _joint(
        self, binned: Binned, datasets: Datasets, models: Models, constant: FluxPoints, told: list[str]
    ) -> LightCurve:
        """All bins in one fit. Raises `UsageError` for several bands of energy, or further free parameters."""
        flux_points = self._flux_points()
        edges = flux_points.requested_edges()
        if edges.size != 2 or self.free:
            raise UsageError("a joint light curve has one band of energy, and what is free is free in the global model")
        inside = [Datasets(datasets[name] for name in one.datasets) for one in binned.bins]
        found = joint_fit(inside, models, self.source, edges, flux_points.reference(models), self._fit)
        told += found.warnings
        rows = []
        for one, members, point in zip(binned.bins, inside, found.points, strict=True):
            without = flux_points.unmeasured(models, "no_data", "no dataset of this time bin sees the source here")
            rows.append(LightCurveRow(one, livetime(members), without if point is None else (point,)))
        outcome = found.covariance, found.parameters, (found.stat, found.stat_constant)
        return LightCurve(tuple(rows), constant, (), True, binned.outside, binned.n_empty, (), *outcome)

    def _fit(self, datasets: Datasets, models: Models) -> FluxFit:
        limits = self.sigma, self.sigma_ul, self.norm_scan
        return FluxFit(datasets, models, *limits, Conventions(self.conventions), self.engine)

    def binned(self, datasets: Datasets, models: Models) -> Binned:
        """The bins with their datasets; Bayesian blocks are joined from the measured bins of single datasets."""
        binning = self.time_bins
        assert isinstance(binning, TimeBinning)
        found = binning.bins(GoodTimes.of(datasets))
        if not isinstance(binning, BayesianBlocks):
            return found
        known, norms, errors = list[TimeBin](), list[float](), list[float]()
        for one in found.bins:
            [point, *_] = self._measured(Datasets(datasets[name] for name in one.datasets), models, [])
            if point.estimate is not None:
                error = point.estimate.norm_err
                known, norms = [*known, one], [*norms, point.estimate.norm]
                errors.append(inf if error is None else error / self.sigma)
        left = {name for one in found.bins for name in one.datasets} - {name for one in known for name in one.datasets}
        return Binned(tuple(binning.blocks(known, norms, errors)), tuple(sorted(left)), why="without a flux")

    def _flux_points(self) -> FluxPointsEstimator:
        return FluxPointsEstimator(
            source=self.source,
            energy_edges=self.energy_edges,
            reoptimize=self.reoptimize,
            sigma=self.sigma,
            sigma_ul=self.sigma_ul,
            sigma_sensitivity=self.sigma_sensitivity,
            norm_scan=self.norm_scan,
            conventions=self.conventions,
            engine=self.engine,
        )

    def _measured(self, inside: Datasets, models: Models, told: list[str]) -> tuple[FluxPoint, ...]:
        """The points of a bin; without datasets they say so."""
        estimator = self._flux_points()
        if not len(inside):
            return estimator.unmeasured(models, "no_data", "no dataset lies in this time bin")
        try:
            if self.free:
                return tuple(self._free_points(inside, models, told))
            points = estimator.run(inside, models)
        except (DataError, NothingToFit) as error:  # of this bin alone, such as a source that is dark in all of it
            return estimator.unmeasured(models, "failed", str(error).splitlines()[0])
        told += points.warnings
        return points.points

    def _free_points(self, inside: Datasets, models: Models, told: list[str]) -> Iterator[FluxPoint]:
        """One fit for each band of energy."""
        flux_points, fitted = self._flux_points(), free_models(models, self.source, self.free, self.reoptimize)
        told += left_out(models, self.source)
        reference = flux_points.reference(models)
        nothing = flux_points.unmeasured(
            models, "no_data", "no bin of the band enters, of a dataset that sees the source"
        )
        for k, (low, high) in enumerate(pairwise(flux_points.requested_edges().tolist())):
            datasets, energies = in_band(inside, models[self.source], low, high)
            if energies is None:
                yield nothing[k]
                continue
            [flux], quantity = reference.fluxes(np.array([energies])), Quantity("flux", self.source, energies)
            run, [estimate] = self._fit(datasets, fitted).run([quantity], [flux.flux])
            told += run.warnings
            point = fitted_point(run, quantity, estimate, flux, self.sigma_ul, summaries_of(run))
            yield replace(point, parameters=fitted_values(run, self.free))


def livetime(datasets: Datasets) -> float | None:
    """Summed [s]; of a dataset that has none its good time. None where neither is known of one of them."""
    total = 0.0
    times = GoodTimes.of(datasets)
    for dataset, its in zip(datasets, times.intervals, strict=True):
        seconds = dataset.live_time
        if seconds is None and its is not None:
            seconds = its.total * DAY
        if seconds is None:
            return None
        total += seconds
    return total


def _remarks(binned: Binned) -> list[str]:
    """What a reader should know of bins."""
    told = []
    if binned.outside:
        names = ", ".join(binned.outside[:8]) + (", ..." if len(binned.outside) > 8 else "")
        told.append(f"{binned.why}, and left out: {names}")
    if binned.n_empty:
        told.append(f"{binned.n_empty} time bins without datasets are left out")
    if unknown := [one.datasets[0] for one in binned.bins if one.start is None]:
        names = ", ".join(unknown[:8]) + (", ..." if len(unknown) > 8 else "")
        told.append(f"the times of {names} are not known (no GTI): to other programs that is no light curve")
    return told
