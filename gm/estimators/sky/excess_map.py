"""Excess maps: counts in a circle around every pixel, compared with those expected there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from gm.arrays import Array, BoolArray, MapArray, distinct
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.map_dataset import SkyMap
from gm.errors import UsageError
from gm.estimators.sky.bands import Bands
from gm.estimators.sky.result import SkyMaps, signed_root, with_fluxes
from gm.estimators.sky.significance import Excess, KnownExcess, MeasuredExcess
from gm.estimators.sky.sources import default_kernel, exposed_counts
from gm.estimators.sky.ts_map import reference_fluxes
from gm.estimators.upper_limits import check_levels
from gm.likelihood import Engine, JointLikelihood
from gm.maps.geometry import WcsGeometry
from gm.models import Models, SkyModel
from gm.values import read_only

_LEAST = 1e-300
Sums = Callable[[str], Array]
_MANY_ROWS = 64  # of a circle, above which a transform takes less than sums of rows
_OBLONG, _UNEVEN = 0.01, 0.1  # relative: of the sides of a pixel, of the areas of all
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
        check_levels(sigma=self.sigma, sigma_ul=self.sigma_ul)
        object.__setattr__(self, "conventions", Conventions(self.conventions))

    def n_pixels(self, geometry: WcsGeometry) -> int:
        """Of the circle."""
        return int(disk_of(geometry, self.correlation_radius, Conventions(self.conventions)).sum())

    def run(self, datasets: Datasets, models: Models) -> SkyMaps:
        """The maps of each band, NaN in pixels where nothing enters.

        Raises `DataError` for datasets that are no maps on the same pixels, or of both statistics.
        """
        conventions = Conventions(self.conventions)
        bands = Bands.of(datasets, self.energy_edges, one_kind=True)
        likelihood = JointLikelihood(datasets, models, conventions, counts_alone=True, engine=self.engine)
        predicted = likelihood.predicted(likelihood.layout.start)
        exposed = [exposed_counts(dataset, self.spectrum, conventions, models) for dataset in bands.datasets]
        disk = disk_of(bands.geometry, self.correlation_radius, conventions)
        found = []
        for ranges in bands.ranges:
            parts = [
                Part(dataset, part, signal, first, last)
                for dataset, part, signal, (first, last) in zip(bands.datasets, predicted, exposed, ranges, strict=True)
            ]
            found.append(self._band(parts, disk, known=bands.datasets[0].has_known_background))
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
            (*bands.told, *told_of_circles(bands.geometry, conventions), *likelihood.remarks()),
            {"correlation_radius": self.correlation_radius},
        )

    def _band(self, parts: Sequence[Part], disk: Array, *, known: bool) -> dict[str, Array]:
        """The images of one band."""
        mask = np.any([part.mask.any(axis=0) for part in parts], axis=0)

        def circle(name: str) -> Array:
            """Sums of a part of the datasets over the circle, in the pixels that enter, (n,)."""
            return around(np.sum([part.summed(name) for part in parts], axis=0), disk)[mask]

        with np.errstate(divide="ignore", invalid="ignore"):
            excess = excess_of(circle, self._off(circle, mask, parts), known=known)
            exposure = circle("exposed") / around(mask.astype(np.float64), disk)[mask]
            exposure = np.where(exposure > 0, exposure, np.nan)
            ts, value = excess.ts(), excess.excess
            found = {
                "counts": excess.counts,
                "npred_background": excess.counts - value,
                "npred_excess": value,
                **excess.more(),
                "ts": ts,
                "sqrt_ts": signed_root(ts, value),
                "norm": value / exposure,
                "norm_err": self.sigma * excess.error() / exposure,
            }
            if self.intervals:
                names = "norm_errn", "norm_errp", "norm_ul"
                ends = excess.intervals(self.sigma, self.sigma_ul)
                found |= {name: end / exposure for name, end in zip(names, ends, strict=True)}
        images = {name: np.full(mask.shape, np.nan) for name in found}
        for name, values in found.items():
            images[name][mask] = values
        return images

    def _off(self, circle: Sums, mask: BoolArray, parts: Sequence[Part]) -> Sums:
        """Sums of off counts and their acceptance over the circle, or those of its middle."""
        if self.correlate_off:
            return circle
        return lambda name: np.asarray(np.sum([part.summed(name) for part in parts], axis=0)[mask])


def excess_of(sums: Sums, off: Sums, *, known: bool) -> Excess:
    """Excess counts from sums, (n,), of what datasets hold, by name; ``off`` : those of off counts."""
    counts, predicted = _whole(sums("counts")), sums("predicted")
    if known:
        return KnownExcess(counts, np.maximum(predicted, 0.0))
    counts_off, acceptance_off = _whole(off("counts_off")), off("acceptance_off")
    plain = sums("acceptance") / np.where(acceptance_off > 0, acceptance_off, np.nan)
    mean = sums("background") / np.where(counts_off > 0, counts_off, 1.0)
    alpha = np.where(counts_off > 0, mean, plain) if sums is off else plain
    return MeasuredExcess(counts, counts_off, np.maximum(alpha, _LEAST), predicted)


@dataclass(frozen=True, eq=False)
class Part:
    """One dataset in one band: bins ``first`` to ``last`` of its energies. Arrays : (n_energy, n_y, n_x)."""

    dataset: SkyMap
    predicted: Array
    exposed: Array
    first: int
    last: int

    @property
    def mask(self) -> BoolArray:
        return self.dataset.mask[self.first : self.last]

    def summed(self, name: str) -> Array:
        """Over the energies that enter, (n_y, n_x): counts, off counts, acceptances, what is expected of them, what is
        predicted, and the counts of the flux that norms refer to."""
        whole: MapArray | None
        match name:
            case "predicted" | "exposed":
                whole = getattr(self, name)
            case "background":
                whole = self.dataset.expected_background()
            case _:
                whole = getattr(self.dataset, name)
        values = np.asarray(whole)[self.first : self.last]
        return np.asarray(values.sum(axis=0, where=self.mask, dtype=np.float64))


def _whole(counts: Array) -> Array:
    """Sums of counts, which a transform has left near them; of expected counts a millionth is kept."""
    return np.asarray(np.round(counts, 6) + 0.0)


def disk_of(geometry: WcsGeometry, radius: float, conventions: Conventions) -> Array:
    """1 in the pixels whose centre is within a radius [deg] of the middle one, (k, k), no further than a map reaches.

    Whether a pixel at the radius itself is inside is a matter of rounding in Gammapy, and its choice is kept; so is its
    radius in pixels of mean size where these are no squares, unless ``conventions`` are exact.
    """
    scales = np.array(geometry.pixel_scales())
    mean = float(np.mean(scales))
    size = radius / mean
    if not size > 0:
        raise UsageError(f"correlation_radius {radius} deg is not above 0")
    size += _SAME if conventions.is_exact else 0.0
    unit = scales / mean if conventions.is_exact else np.ones(2)
    half = min(ceil(size / float(unit.min()) - _SAME), max(geometry.shape))
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    return np.where((x * unit[0]) ** 2 + (y * unit[1]) ** 2 <= size**2, 1.0, 0.0)


def told_of_circles(geometry: WcsGeometry, conventions: Conventions) -> tuple[str, ...]:
    """What to say of circles that are none on the sky, or not everywhere of one size."""
    width, height = geometry.pixel_scales()
    area = geometry.solid_angle()
    told = []
    if abs(width - height) > _OBLONG * height and not conventions.is_exact:
        told.append(
            f"pixels are {width:g} x {height:g} deg: circles have a radius in pixels of mean size, as in Gammapy; "
            "with conventions: exact they are circles on the sky"
        )
    if np.nanmin(area) < (1.0 - _UNEVEN) * np.nanmax(area):
        ratio = float(np.nanmin(area) / np.nanmax(area))
        told.append(f"pixels cover down to {ratio:.2g} of the largest one: circles are as many pixels everywhere")
    return tuple(told)


def around(image: Array, disk: Array) -> Array:
    """Sums over the disk (k, k) around each pixel, in the shape of the image; nothing beyond the border."""
    if len(disk) > _MANY_ROWS:
        from scipy.signal import fftconvolve

        return np.asarray(fftconvolve(image, disk, mode="same"))
    n_y, n_x = image.shape
    half, widths = len(disk) // 2, np.count_nonzero(disk, axis=1)
    before = np.zeros((n_y, n_x + 2 * half + 2))  # the sum of all pixels to the left, beyond both ends too
    np.cumsum(image, axis=1, out=before[:, half + 1 : half + 1 + n_x])
    before[:, half + 1 + n_x :] = before[:, half + n_x, None]
    total, in_row = np.zeros(image.shape), np.empty(image.shape)
    for width in distinct(widths[widths > 0]).tolist():
        left = half - width // 2
        np.subtract(before[:, left + width : left + width + n_x], before[:, left : left + n_x], out=in_row)
        for dy in range(max(-half, 1 - n_y), min(half, n_y - 1) + 1):
            if widths[dy + half] == width:
                total[max(-dy, 0) : n_y - max(dy, 0)] += in_row[max(dy, 0) : n_y - max(-dy, 0)]
    return total
