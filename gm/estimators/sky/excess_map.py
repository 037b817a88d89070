"""Excess maps: counts in a circle around every pixel, compared with those expected there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import ceil

import numpy as np

from gm.arrays import Array, BoolArray, MapArray
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.map_dataset import SkyMap
from gm.errors import DataError, UsageError
from gm.estimators.sky.bands import Bands
from gm.estimators.sky.result import SkyMaps, signed_root, with_fluxes
from gm.estimators.sky.significance import Excess, KnownExcess, MeasuredExcess
from gm.estimators.sky.sources import default_kernel, exposed_counts
from gm.estimators.sky.ts_map import reference_fluxes
from gm.likelihood import Engine, JointLikelihood
from gm.maps.geometry import WcsGeometry
from gm.models import Models, SkyModel
from gm.values import read_only

_SAME = 1e-6  # pixels: a pixel at the radius is inside, whatever the rounding


@read_only("make another ExcessMapEstimator")
@dataclass(frozen=True, kw_only=True)
class ExcessMapEstimator:
    """Counts, excess, significance, errors and limits in a circle around every pixel, of all datasets together.

    Without off counts the expected counts are those that the global model predicts, sources included (Cash). With off
    counts they are ``alpha`` times these, and the counts that the sources predict (W; the significance without sources
    is that of Li & Ma, 1983, eq. 17), where ``alpha`` is the mean over the off counts of the circle.

    correlation_radius : [deg] of the circle: a pixel is in it when its centre is
    energy_edges : as of a `TSMapEstimator`
    spectrum : that fluxes have, of which the excess is a multiple; sigma, sigma_ul : of errors and upper limits
    intervals : whether asymmetric errors and upper limits are computed
    correlate_off : whether off counts are summed over the circle too; not where neighbours have the same off counts
    """

    correlation_radius: float = 0.1
    energy_edges: Sequence[object] | None = None
    spectrum: SkyModel = field(default_factory=default_kernel)
    sigma: float = 1.0
    sigma_ul: float = 2.0
    intervals: bool = True
    correlate_off: bool = True
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "conventions", Conventions(self.conventions))

    def n_pixels(self, geometry: WcsGeometry) -> int:
        """Of the circle."""
        return int(_disk(geometry, self.correlation_radius, Conventions(self.conventions)).sum())

    def run(self, datasets: Datasets, models: Models) -> SkyMaps:
        """The maps of each band, NaN in pixels where nothing enters.

        Raises `DataError` for datasets that are no maps on the same pixels, or of both statistics.
        """
        conventions = Conventions(self.conventions)
        bands = Bands.of(datasets, self.energy_edges)
        kinds = {dataset.has_known_background for dataset in bands.datasets}
        if len(kinds) > 1:
            raise DataError(
                "maps with and without off counts do not sum up\n    select those of one kind with 'datasets'"
            )
        likelihood = JointLikelihood(datasets, models, conventions, engine=self.engine)
        predicted = likelihood.predicted(likelihood.layout.start)
        exposed = [exposed_counts(dataset, self.spectrum, conventions) for dataset in bands.datasets]
        circle = partial(summed_around, disk=_disk(bands.geometry, self.correlation_radius, conventions))
        found = []
        for ranges in bands.ranges:
            parts = [
                _Part(dataset, part, signal, first, last)
                for dataset, part, signal, (first, last) in zip(bands.datasets, predicted, exposed, ranges, strict=True)
            ]
            found.append(self._band(parts, circle, known=kinds == {True}))
        data = {name: np.stack([maps[name] for maps in found]) for name in found[0]}
        fluxes = reference_fluxes(self.spectrum, bands, conventions)
        return SkyMaps(
            "excess",
            bands.geometry,
            bands.energy,
            with_fluxes(data, fluxes),
            tuple(dataset.name for dataset in datasets),
            self.sigma,
            self.sigma_ul,
            fluxes,
            tuple(likelihood.remarks()),
        )

    def _band(self, parts: Sequence[_Part], circle: Callable[[Array], Array], *, known: bool) -> dict[str, Array]:
        """The images of one band."""
        mask = np.any([part.mask.any(axis=0) for part in parts], axis=0)
        counts = np.rint(circle(np.sum([part.summed(part.counts) for part in parts], axis=0)))
        predicted = circle(np.sum([part.summed(part.predicted) for part in parts], axis=0))
        excess = (
            KnownExcess(counts, np.maximum(predicted, 0.0))
            if known
            else self._measured(parts, circle, counts, predicted)
        )
        seen = np.sum([part.summed(part.exposed) for part in parts], axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            exposure = circle(seen) / circle(mask.astype(np.float64))
            exposure = np.where(exposure > 0, exposure, np.nan)
            ts, value = excess.ts(), excess.excess
            images = {
                "counts": counts,
                "npred_background": counts - value,
                "npred_excess": value,
                "ts": ts,
                "sqrt_ts": signed_root(ts, value),
                "norm": value / exposure,
                "norm_err": self.sigma * excess.error() / exposure,
            }
            if self.intervals:
                ends = excess.intervals(self.sigma, self.sigma_ul)
                images |= {
                    name: end / exposure for name, end in zip(("norm_errn", "norm_errp", "norm_ul"), ends, strict=True)
                }
        if isinstance(excess, MeasuredExcess):
            images |= {"counts_off": excess.counts_off, "alpha": excess.alpha}
        return {name: np.where(mask, image, np.nan) for name, image in images.items()}

    def _measured(
        self, parts: Sequence[_Part], circle: Callable[[Array], Array], counts: Array, signal: Array
    ) -> Excess:
        off, background, acceptance, acceptance_off = (
            np.sum([part.summed(part.off(name)) for part in parts], axis=0)
            for name in ("counts_off", "expected", "acceptance", "acceptance_off")
        )
        if self.correlate_off:
            n_off = np.rint(circle(off))
            plain = circle(acceptance) / np.maximum(circle(acceptance_off), 1e-300)
            alpha = np.where(n_off > 0, circle(background) / np.where(n_off > 0, n_off, 1.0), plain)
        else:
            n_off = off
            alpha = circle(acceptance) / np.where(acceptance_off > 0, acceptance_off, np.nan)
        return MeasuredExcess(counts, n_off, np.maximum(alpha, 1e-300), signal)


@dataclass(frozen=True, eq=False)
class _Part:
    """One dataset in one band: bins ``first`` to ``last`` of its energies. Arrays : (n_energy, n_y, n_x)."""

    dataset: SkyMap
    whole_predicted: Array
    whole_exposed: Array
    first: int
    last: int

    def _cut(self, values: MapArray) -> MapArray:
        return values[self.first : self.last]

    @property
    def mask(self) -> BoolArray:
        return self.dataset.mask[self.first : self.last]

    @property
    def counts(self) -> MapArray:
        return self._cut(self.dataset.counts)

    @property
    def predicted(self) -> MapArray:
        return self._cut(self.whole_predicted)

    @property
    def exposed(self) -> MapArray:
        return self._cut(self.whole_exposed)

    def off(self, name: str) -> MapArray:
        """Off counts, acceptances, or the background that these let expect."""
        values = self.dataset.expected_background() if name == "expected" else getattr(self.dataset, name)
        return self._cut(np.asarray(values))

    def summed(self, values: MapArray) -> Array:
        """Over the energies that enter, (n_y, n_x)."""
        return np.asarray(values.sum(axis=0, where=self.mask, dtype=np.float64))


def _disk(geometry: WcsGeometry, radius: float, conventions: Conventions) -> Array:
    """1 in the pixels whose centre is within a radius [deg] of the middle one, (k, k).

    Whether a pixel at the radius itself is inside is a matter of rounding in Gammapy, and its choice is kept.
    """
    size = radius / float(np.mean(geometry.pixel_scales()))
    if not size > 0:
        raise UsageError(f"correlation_radius {radius} deg is not above 0")
    size += _SAME if conventions.is_exact else 0.0
    half = ceil(size - _SAME)
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    return np.where(x**2 + y**2 <= size**2, 1.0, 0.0)


def summed_around(image: Array, disk: Array) -> Array:
    """Sums over the disk around each pixel, nothing beyond the border."""
    from scipy.signal import fftconvolve

    return np.asarray(fftconvolve(image, disk, mode="same"))
