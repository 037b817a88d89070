"""How large a source is: a size with errors or a limit, against a point at the same place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import sqrt

import numpy as np

from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets
from gm.datasets.kinds import is_map
from gm.errors import DataError, UsageError, suggest
from gm.estimators.sky.bands import Bands
from gm.estimators.sky.extension_result import Extension, Size
from gm.estimators.sky.size_limits import LIMIT, SizeLimit, Widening
from gm.estimators.sky.sources import position_of, sky_source
from gm.fit import Fit, FitResult
from gm.likelihood import Engine
from gm.models import Models, SpatialModel
from gm.models.parameter import Parameter
from gm.models.spatial.disks import DiskSpatialModel
from gm.models.spatial.gaussians import GaussianSpatialModel
from gm.models.spatial.point import PointSpatialModel
from gm.values import read_only

Progress = Callable[[str, float], None]
SHAPES: dict[str, tuple[type[SpatialModel], str]] = {
    "gauss": (GaussianSpatialModel, "sigma"),
    "disk": (DiskSpatialModel, "r_0"),
}
"""Shapes, and the parameter that is the size of each."""
_DETECTED = 4.0
_LARGEST = 10.0  # deg
_CLOSE = 1e-4  # of a size
_AS_GOOD = 1e-6  # of -2 ln L


@read_only("make another ExtensionEstimator")
@dataclass(frozen=True, kw_only=True)
class ExtensionEstimator:
    """The size of ``source`` as a Gaussian (``sigma``) or a disk (``r_0``), always with ``exact`` conventions, in which
    a size of 0 is a point.

    All that is free in the model is fitted again at each size. In each of the bands between ``energy_edges`` only the
    size and the amplitude of the source are free, at the best fit of all energies.

    n : sizes of the profile, from 0 to three errors or twice the limit; ul : a `SizeLimit` or its name, what the
    limit of 95 % confidence is
    """

    source: str
    shape: str = "gauss"
    energy_edges: Sequence[object] | None = None
    n: int = 15
    ul: SizeLimit | str = SizeLimit.MARGINAL
    engine: Engine | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "ul", SizeLimit(self.ul))
        if self.shape not in SHAPES:
            raise UsageError(f"'{self.shape}' is no shape; {suggest(self.shape, SHAPES, 'shapes')}")

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> Extension:
        """Over all energies, and in each band.

        Raises `UsageError` for a source without a position, `DataError` without maps, and what a fit raises.
        """
        maps = Datasets(dataset for dataset in datasets if is_map(dataset))
        if not len(maps):
            raise DataError(f"the size of '{self.source}' needs maps, and no dataset has pixels")
        position_of(models, self.source)
        steps = Sizes(self, datasets, models, progress)
        whole, names = steps.measured(*_energies(maps)), tuple(dataset.name for dataset in datasets)
        bands = () if whole.models is None else tuple(self._bands(maps, datasets, steps.alone(whole.models), progress))
        return Extension(self.source, self.shape, SHAPES[self.shape][1], whole, bands, names)

    def _bands(self, maps: Datasets, datasets: Datasets, models: Models, progress: Progress | None) -> Iterator[Size]:
        """The size in each band, around ``models`` of which the source alone is free."""
        if self.energy_edges is None:
            return
        bands = Bands.of(maps[:1], self.energy_edges)
        for e_min, e_max in zip(bands.energy.lo.tolist(), bands.energy.hi.tolist(), strict=True):
            inside = Datasets(_within(dataset, e_min, e_max) for dataset in datasets)
            if any(dataset.n_bins() for dataset in inside if is_map(dataset)):
                yield Sizes(self, inside, models, progress).measured(e_min, e_max)
            else:
                yield Size(e_min, e_max, "failed", "no bin of a map enters here")


def _energies(maps: Datasets) -> tuple[float, float]:
    ranges = [dataset.energy_range() for dataset in maps if is_map(dataset)]
    return min(low for low, _ in ranges), max(high for _, high in ranges)


def _within(dataset: Dataset, e_min: float, e_max: float) -> Dataset:
    """The bins between two energies [TeV]."""
    mask = dataset.energy_mask(e_min, e_max)
    mask = mask.reshape(-1, *(1,) * (len(dataset.shape) - 1)) & np.ones(dataset.shape, dtype=np.bool_)
    return dataset.with_(mask_fit=mask if dataset.mask_fit is None else dataset.mask_fit & mask)


class Sizes:
    """-2 ln L as a function of the size [deg] of a source, everything else fitted again."""

    def __init__(
        self, estimator: ExtensionEstimator, datasets: Datasets, models: Models, progress: Progress | None
    ) -> None:
        self.source, self.progress = estimator.source, progress
        self.shape, self.parameter = SHAPES[estimator.shape]
        self.n, self.fit = estimator.n, Fit(datasets, Conventions.EXACT, estimator.engine)
        self.models, self.known, self.method = models, dict[float, FitResult](), SizeLimit(estimator.ul)

    def alone(self, models: Models) -> Models:
        """Only size and amplitude free."""
        component = sky_source(models, self.source)
        amplitude = component.spectral_model.amplitude_position()
        if amplitude is None:
            raise UsageError(f"the spectrum of '{self.source}' has no amplitude to be fitted in bands")
        free = models.slots()[self.source, "spectral"].start + amplitude
        flat = [replace(p, frozen=k != free) for k, p in enumerate(models.parameters)]
        return models.with_flat(flat)

    @cached_property
    def best(self) -> tuple[float, FitResult] | FitResult:
        """The best size and the fit there; a fit that failed alone."""
        point, free = self._fitted(0.0), self._free_fit()
        if not (point.success and free.success):
            return free if point.success else point
        size, best = (
            (0.0, point) if point.statistic <= free.statistic + _AS_GOOD else (self._size_of(free.models), free)
        )
        self.known[size] = best
        return size, best

    def limit(self) -> float | None:
        """The size [deg] that is too large at 95 % confidence; None where there is none."""
        found = self.best
        return None if isinstance(found, FitResult) else self._limit(*found)[0]

    def holds(self, size: float, method: SizeLimit | None = None) -> bool | None:
        """Whether a size [deg] is not above the limit, which takes less than to find that; None where there is none."""
        found = self.best
        if isinstance(found, FitResult):
            return None
        wider = self._widening(found[0], method).at(size) or 0.0
        return size <= found[0] or self._rise(size, found[1]) - wider <= LIMIT

    def _rise(self, size: float, best: FitResult) -> float:
        """Of -2 ln L from the best fit to a size [deg]."""
        return self._fitted(float(size)).statistic - best.statistic

    def measured(self, e_min: float, e_max: float) -> Size:
        """The best size, its errors, its limit and its profile."""
        found = self.best
        if isinstance(found, FitResult):
            return Size(e_min, e_max, "failed", f"the fit did not converge: {found.message}")
        size, best = found
        missing: dict[str, str] = {}
        (ul, widening), upper = self._limit(size, best), self._risen(size, best, 1.0)
        for name, end, rise in (("ul", ul, LIMIT), ("errp", upper, 1.0)):
            if end is None:
                missing[name] = f"-2 ln L rises by less than {rise:.3g} up to {_LARGEST:g} deg"
        if self.method is SizeLimit.MARGINAL and widening.reason:
            missing["marginal"] = widening.reason
        errn = self._lower(size, best, missing)
        sizes = np.linspace(0.0, max(2.0 * (ul or 0.0), size + 3.0 * ((upper or size) - size)), self.n)
        stats = np.array([self._fitted(float(one)).statistic for one in sizes])
        stat_point = self.known[0.0].statistic
        ts = stat_point - best.statistic
        is_seen = ts >= _DETECTED
        return Size(
            e_min=e_min,
            e_max=e_max,
            status="ok" if is_seen else "upper_limit",
            reason=None if is_seen else f"TS {max(ts, 0.0):.3g} of an extension is below {_DETECTED:g}",
            stat_point=stat_point,
            stat=best.statistic,
            size=size,
            errn=errn,
            errp=None if upper is None else upper - size,
            ul=ul,
            ul_method=widening.method,
            sizes=sizes,
            stats=stats,
            missing=missing,
            models=best.models,
        )

    def _free_fit(self) -> FitResult:
        """From the size that the model has, else from that of a pixel."""
        own = sky_source(self.models, self.source).spatial_model
        names = () if own is None else [parameter.name for parameter in own.parameters]
        start = self._pixel()
        if own is not None and self.parameter in names:
            start = float(own.values()[list(names).index(self.parameter)]) or start
        tried = [self.fit.run(self._shaped(size, frozen=False)) for size in (start, 3.0 * start)]
        return min(tried, key=lambda result: (not result.success, result.statistic))

    def _pixel(self) -> float:
        return min(max(dataset.geometry.pixel_scales()) for dataset in self.fit.datasets if is_map(dataset))

    def _size_of(self, models: Models) -> float:
        shape = sky_source(models, self.source).spatial_model
        return 0.0 if shape is None else float(shape.values()[[p.name for p in shape.parameters].index(self.parameter)])

    def _fitted(self, size: float) -> FitResult:
        """The fit at a size [deg], a point for 0; from the nearest that is known."""
        if size not in self.known:
            if self.progress is not None:
                self.progress(f"size {size:.3g} deg", 0.0)
            near = min(self.known, key=lambda other: abs(other - size), default=None)
            start = self.models if near is None else self.known[near].models
            self.known[size] = self.fit.optimize(self._shaped(size, frozen=True, models=start), check=False)
        return self.known[size]

    def _shaped(self, size: float, *, frozen: bool, models: Models | None = None) -> Models:
        """The model with the source in its shape."""
        models = models or self.models
        component = sky_source(models, self.source)
        old = component.spatial_model
        assert old is not None
        place = {p.name: p for p in old.parameters if p.name in ("lon_0", "lat_0")}
        if size == 0.0:
            shape: SpatialModel = PointSpatialModel(frame=old.frame, **place)
        else:
            given = Parameter(self.parameter, size, "deg", min=0.0, max=_LARGEST, frozen=frozen)
            shape = self.shape(frame=old.frame, **place, **{self.parameter: given})
        other = replace(component, spatial_model=shape)
        parts = [other if part.name == self.source else part for part in models]
        return Models(parts).with_links(models.links)

    def _step(self, size: float, best: FitResult) -> float:
        """About an error."""
        address = next((row for row in best.parameters if row.name.endswith(f".{self.parameter}") and row.error), None)
        return float(address.error) if address is not None and address.error else max(0.3 * size, self._pixel())

    def _widening(self, size: float, method: SizeLimit | None = None) -> Widening:
        """From the best size on."""

        def fitted(other: float) -> FitResult:
            return self.fit.run(self._shaped(other, frozen=True, models=self._fitted(other).models))

        return Widening(self.source, size, fitted, method or self.method)

    def _limit(self, size: float, best: FitResult) -> tuple[float | None, Widening]:
        """The limit, None where there is none, and what it is."""
        widening = self._widening(size)
        method = widening.method
        limit = self._risen(size, best, LIMIT, widening)
        return (limit if widening.method == method else self._risen(size, best, LIMIT)), widening

    def _risen(self, size: float, best: FitResult, rise: float, widening: Widening | None = None) -> float | None:
        """The larger size at which -2 ln L has risen, less what the position has more room for."""
        from scipy.optimize import brentq

        def missing(other: float) -> float:
            return self._rise(other, best) - rise - ((widening.at(other) if widening else None) or 0.0)

        low, high = size, size + self._step(size, best) * sqrt(rise)
        while missing(high) < 0:
            if high >= _LARGEST:
                return None
            low, high = high, min(size + 2.0 * (high - size), _LARGEST)
        return float(brentq(missing, low, high, xtol=_CLOSE * high))

    def _lower(self, size: float, best: FitResult, missing: dict[str, str]) -> float | None:
        """The lower error."""
        from scipy.optimize import brentq

        def risen(other: float) -> float:
            return self._rise(other, best) - 1.0

        if size == 0.0 or risen(0.0) < 0:
            missing["errn"] = "a point is within one standard deviation" if size else "a point fits best"
            return None
        return size - float(brentq(risen, 0.0, size, xtol=_CLOSE * size))
