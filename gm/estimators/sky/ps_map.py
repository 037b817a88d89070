"""PS maps: how unlikely the spectrum of counts around every pixel is, whatever the shape of the deviation.

Around each pixel, counts ``n`` and predicted counts ``m`` are summed in a circle as large as the PSF of each energy,
and ``L = sum over energies of -ln P(n | m)``, with the Poisson probability P, is compared with what it is for counts
drawn from ``m``. PS is ``-log10`` of the probability of an ``L`` as large, with the sign of the sum of ``(n - m) /
sqrt(m)``.
Source: Bruel, 2021, A&A 656, A81.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log

import numpy as np

from gm.arrays import Array, BoolArray, IntArray
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.map_dataset import SkyMap
from gm.estimators.sky.bands import Bands
from gm.estimators.sky.excess_map import around, disk_of
from gm.estimators.sky.result import SkyMaps
from gm.likelihood import Engine, JointLikelihood
from gm.models import Models
from gm.parallel import side_by_side
from gm.values import read_only

CONTAINMENT = 0.68
_TILT = 0.7  # of the distribution, exp(0.7 x): its tail becomes as well known as its middle
_STEP, _N = 0.05, 2048  # of x, in which distributions are summed
_LONGEST = 90.0  # x, beyond which the tail goes on as exp(-x)
_FINE = 200  # values of m in a factor e
_FEW = 20.0  # counts, below which ties matter more than a quarter of a percent of them
_NONE = -(1 << 30)
_LEAST = 1e-6  # predicted counts: of less nothing is expected
_AT_A_TIME = 2048  # pixels


@read_only("make another PSMapEstimator")
@dataclass(frozen=True, kw_only=True)
class PSMapEstimator:
    """The deviation of the counts around every pixel from what the global model predicts, of all datasets together.

    radius : [deg] of the circle; None: at each energy that which holds 68 % of the PSF, at least the pixel itself
    energy_edges : bands, each with a map of its own; None: one band over all energies
    """

    radius: float | None = None
    energy_edges: Sequence[object] | None = None
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models) -> SkyMaps:
        """Maps of ``ps``, of the significance of the same probability in both tails of a normal distribution
        (``sqrt_ts``), of counts and of predicted counts; NaN where no bin enters.

        Raises `DataError` for datasets that are no maps with a known background on the same pixels.
        """
        conventions = Conventions(self.conventions)
        bands = Bands.of(datasets, self.energy_edges, needs_background=True)
        likelihood = JointLikelihood(datasets, models, conventions, counts_alone=True, engine=self.engine)
        predicted = likelihood.predicted(likelihood.layout.start)
        found = [self._band(bands, predicted, ranges) for ranges in bands.ranges]
        return SkyMaps(
            "ps",
            bands.geometry,
            bands.energy,
            {name: np.stack([images[name] for images in found]) for name in found[0]},
            tuple(dataset.name for dataset in datasets),
            remarks=(*bands.told, *likelihood.remarks()),
        )

    def _band(self, bands: Bands, predicted: Sequence[Array], ranges: IntArray) -> dict[str, Array]:
        counts, expected = list[Array](), list[Array]()
        mask = np.zeros(bands.geometry.shape, dtype=np.bool_)
        for dataset, part, (first, last) in zip(bands.datasets, predicted, ranges.tolist(), strict=True):
            radii = self._radii(dataset)
            for k in range(first, last):
                inside: BoolArray = dataset.mask[k]
                mask |= inside
                disk = disk_of(bands.geometry, radii[k], Conventions.EXACT)
                both = dataset.counts[k].astype(np.float64), part[k]
                sums = (around(np.where(inside, values, 0.0), disk) for values in both)
                n, m = (np.maximum(one, 0.0) for one in sums)
                counts.append(np.asarray(np.round(n, 6)))
                expected.append(np.asarray(m))
        n, m = (np.stack(images)[:, mask] for images in (counts, expected))
        ln_p = log_probability(n, m)
        with np.errstate(divide="ignore", invalid="ignore"):
            sign = np.sign(np.sum(np.where(m > _LEAST, (n - m) / np.sqrt(m), 0.0), axis=0))
        values = {
            "ps": -sign * ln_p / log(10.0),
            "sqrt_ts": sign * _sigmas(ln_p),
            "counts": n.sum(axis=0),
            "npred": m.sum(axis=0),
        }
        images = {name: np.full(mask.shape, np.nan) for name in values}
        for name, value in values.items():
            images[name][mask] = value
        return images

    def _radii(self, dataset: SkyMap) -> Array:
        """Of each energy, (n_energy,) [deg]."""
        pixel = 0.5 * max(dataset.geometry.pixel_scales())
        energy = dataset.energy.center
        if self.radius is not None or dataset.psf is None:
            return np.full(energy.size, self.radius or pixel)
        center = dataset.geometry.center()
        radii = dataset.psf.containment_radius(CONTAINMENT, energy, *center, dataset.geometry.frame)
        return np.maximum(radii, pixel)


def log_probability(counts: Array, expected: Array) -> Array:
    """The logarithm of the probability that counts drawn from those expected are as unlikely as these, (n,).

    To some hundredths of a decade; to two tenths for a single bin, whose probabilities are far apart.

    counts, expected : (n_energy, n); bins that expect less than a millionth of a count do not count.
    """
    if not counts.size:
        return np.zeros(counts.shape[1])
    kinds = _kinds(expected)
    places, tables = _tables(kinds)
    near = np.where(expected < _FEW, np.exp(kinds / _FINE), expected)  # the same ties as in the distribution
    above = _STEP * np.rint(_deviation(counts, near, places >= 0) / _STEP)

    def probability(chunk: slice) -> Array:
        return _tail(above[:, chunk].sum(axis=0), places[:, chunk], *tables)

    chunks = [slice(k, k + _AT_A_TIME) for k in range(0, counts.shape[1], _AT_A_TIME)]
    return np.concatenate([np.empty(0), *side_by_side(probability, chunks)])


def _deviation(counts: Array, expected: Array, counted: BoolArray) -> Array:
    """``ln P`` of the likeliest counts less that of those that there are."""
    from scipy.special import gammaln

    def log_poisson(n: Array) -> Array:
        return np.asarray(n * np.log(expected) - expected - gammaln(n + 1.0))

    expected = np.maximum(expected, _LEAST)
    return np.where(counted, np.maximum(log_poisson(np.floor(expected)) - log_poisson(counts), 0.0), 0.0)


def _kinds(expected: Array) -> IntArray:
    """Means so near that their distributions are one, by number; `_NONE` where nothing is expected."""
    kinds = np.full(expected.shape, _NONE, dtype=np.intp)
    is_some = expected > _LEAST
    kinds[is_some] = np.rint(_FINE * np.log(expected[is_some])).astype(np.intp)
    return kinds


def _tables(kinds: IntArray) -> tuple[IntArray, tuple[Array, Array]]:
    """Which distribution each bin has (-1: none), and of each the transform, (n_kinds, _N // 2 + 1), and the logarithm
    of its sum before it was normalised."""
    values, places = np.unique(kinds, return_inverse=True)
    has_none = int(values[0] == _NONE)
    made = [_tilted(float(np.exp(value / _FINE))) for value in values[has_none:].tolist()]
    transforms = np.array([np.fft.rfft(weights) for weights, _ in made]).reshape(len(made), _N // 2 + 1)
    return places.reshape(kinds.shape) - has_none, (transforms, np.array([total for _, total in made]))


def _tilted(mean: float) -> tuple[Array, float]:
    """The distribution of ``x = ln P(likeliest) - ln P(n)`` times ``exp(_TILT x)``, on the grid and with the sum 1; and
    the logarithm of the sum."""
    from scipy.special import gammaln

    width = np.sqrt(mean)
    n = np.arange(max(int(mean - 16.0 * width), 0), int(mean + 16.0 * width) + 60, dtype=np.float64)
    logs = n * np.log(mean) - mean - gammaln(n + 1.0)
    x = logs[int(np.floor(mean) - n[0])] - logs
    x -= x.min()
    weights = np.exp(logs + _TILT * x)
    at = np.rint(x / _STEP).astype(np.intp)
    grid = np.bincount(at[at < _N], weights[at < _N], _N)
    total = float(grid.sum())
    return grid / total, log(total)


def _tail(above: Array, places: IntArray, transforms: Array, sums: Array) -> Array:
    """``ln P(x >= above)``, (n,), of the sum of the distributions at ``places`` (n_energy, n)."""
    product = np.ones((above.size, _N // 2 + 1), dtype=np.complex128)
    total = np.zeros(above.size)
    for row in places:
        some = row >= 0
        product[some] *= transforms[row[some]]
        total[some] += sums[row[some]]
    density = np.maximum(np.fft.irfft(product, _N, axis=1), 0.0)
    x = _STEP * np.arange(_N)
    at = np.minimum(above, _LONGEST)
    first = np.rint(at / _STEP).astype(np.intp)
    tail = np.cumsum((density * np.exp(-_TILT * x))[:, ::-1], axis=1)[:, ::-1]
    with np.errstate(divide="ignore"):
        logs = np.log(tail[np.arange(above.size), first]) + total
    return np.asarray(np.minimum(logs, 0.0) - np.maximum(above - _LONGEST, 0.0))


def _sigmas(ln_p: Array) -> Array:
    """Standard deviations with the same probability in both tails of a normal distribution, (n,)."""
    from scipy.special import ndtri_exp

    return np.asarray(-ndtri_exp(ln_p - log(2.0)))
