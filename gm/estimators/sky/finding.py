"""Sources that a model misses: the strongest peak of a TS map is added, fitted and localised, again and again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.kinds import is_map
from gm.errors import DataError
from gm.estimators.sky.finding_result import FoundSource, FoundSources, PeakPlace
from gm.estimators.sky.localization_result import Ellipse
from gm.estimators.sky.peaks import Peak, candidates, find_peaks
from gm.estimators.sky.sources import default_kernel, position_of
from gm.estimators.sky.ts_map import TSMapEstimator
from gm.fit import Fit, FitResult
from gm.likelihood import Engine
from gm.models import Models, SkyModel
from gm.readable import plural
from gm.values import read_only

Progress = Callable[[str, float], None]


@read_only("make another SourceFinder")
@dataclass(frozen=True, kw_only=True)
class SourceFinder:
    """Peaks above ``threshold`` standard deviations of a TS map of all energies, one at a time, at most ``iterations``.

    A peak becomes a source with the spectrum and shape of ``kernel``. Its position is fitted with ``exact`` conventions
    and then held, its spectrum and all that is free in the model with those of ``conventions``. It stays where the fit
    with it is better by the square of the threshold.

    sum_over_energy, kernel_width : as of a `TSMapEstimator`; the energies are fitted as they are by default
    stem : names are ``stem-1`` and so on
    """

    threshold: float = 5.0
    iterations: int = 10
    kernel: SkyModel = field(default_factory=default_kernel)
    sum_over_energy: bool = False
    kernel_width: float | None = None
    stem: str = "found"
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> FoundSources:
        """Around ``models``, which stay as they are. Raises `DataError` without maps, and what a fit raises."""
        maps = Datasets(dataset for dataset in datasets if is_map(dataset))
        if not len(maps):
            raise DataError("sources are looked for in maps, and no dataset has pixels")
        fit = Fit(datasets, self.conventions, self.engine).run(models)
        start, steps, stopped = fit.statistic, list[FoundSource](), "no more were asked for"
        for k in range(self.iterations):
            if progress is not None:
                progress(plural(len(steps), "source"), k / self.iterations)
            peak, frame = self._strongest(maps, fit.models)
            if peak is None:
                stopped = f"no peak above {self.threshold:g} sigma is left"
                break
            step, after = self._added(datasets, fit, peak, frame)
            steps.append(step)
            if not step.kept:
                stopped = f"the strongest peak is no source: {step.reason}"
                break
            fit = after
        names = tuple(dataset.name for dataset in datasets)
        failure, asked = "" if fit.success else fit.message, (self.threshold, self.iterations)
        return FoundSources(fit.models, start, fit.statistic, failure, tuple(steps), stopped, *asked, names, fit)

    def _strongest(self, maps: Datasets, models: Models) -> tuple[Peak | None, str]:
        """The highest peak above the threshold, and the frame of the map."""
        found = TSMapEstimator(
            kernel=self.kernel,
            sum_over_energy=self.sum_over_energy,
            kernel_width=self.kernel_width,
            intervals=False,
            conventions=self.conventions,
            engine=self.engine,
        ).run(maps, models)
        peaks = find_peaks(found.geometry, found["sqrt_ts"][0], self.threshold, norm=found["norm"][0])
        return (peaks[0] if peaks else None), found.geometry.frame

    def _added(self, datasets: Datasets, fit: FitResult, peak: Peak, frame: str) -> tuple[FoundSource, FitResult]:
        """The step, and the fit with the source."""
        [source] = candidates([peak], self.kernel, frame, fit.models.names, self.stem).sources()
        shape = source.spatial_model
        own_frame = frame if shape is None else shape.frame
        step = FoundSource(source.name, PeakPlace(peak.lon, peak.lat, peak.sqrt_ts), own_frame, False, "")
        both = _joined(fit.models, source)
        placed = Fit(datasets, Conventions.EXACT, self.engine).run(both)
        if not placed.success:
            return replace(step, reason=f"the fit of its position did not converge: {placed.message}"), fit
        place = position_of(placed.models, source.name)
        held = placed.models.with_parameters({address: {"frozen": True} for address in place.addresses})
        after = Fit(datasets, self.conventions, self.engine).run(held)
        ts = fit.statistic - after.statistic
        step = replace(step, ts=ts, lon=place.lon, lat=place.lat, ellipse=_ellipse(placed, place.addresses, place.lat))
        if not after.success:
            return replace(step, reason=f"the fit with it did not converge: {after.message}"), fit
        if ts < self.threshold**2:
            return replace(step, reason=f"the fit is better by {ts:.3g} only, less than {self.threshold**2:g}"), fit
        why = f"a peak of {peak.sqrt_ts:.2f} sigma in the TS map; the fit with it is better by {ts:.1f}"
        return replace(step, kept=True, reason=why), after


def _joined(models: Models, source: SkyModel) -> Models:
    """The models with one more, whose position is free."""
    joined = Models([*models, source]).with_links(models.links)
    place = position_of(joined, source.name)
    return joined.with_parameters({address: {"frozen": False} for address in place.addresses})


def _ellipse(fit: FitResult, addresses: Sequence[str], lat: float) -> Ellipse | None:
    names, matrix = fit.covariance or ((), np.zeros((0, 0)))
    if not set(addresses) <= set(names):
        return None
    at = np.array([names.index(address) for address in addresses])
    covariance: Array = matrix[at[:, None], at]
    return Ellipse.of(covariance, lat)
