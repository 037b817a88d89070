"""TS maps: a source of given shape and spectrum, fitted at every pixel beside what the global model predicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

import numpy as np

from gm.arrays import Array, BoolArray, IntArray, MapArray
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.datasets.map_dataset import SkyMap
from gm.estimators.reference import Reference
from gm.estimators.sky.bands import Bands
from gm.estimators.sky.measured_norms import MeasuredPlane, fit_measured_norms
from gm.estimators.sky.norms import QUANTITIES, NormSettings, fit_norms
from gm.estimators.sky.planes import Plane
from gm.estimators.sky.result import SkyMaps, signed_root, with_fluxes
from gm.estimators.sky.sources import default_kernel, exposed_counts, kernels_of
from gm.estimators.upper_limits import check_levels
from gm.likelihood import Engine, JointLikelihood
from gm.models import Models, SkyModel
from gm.readable import plural
from gm.values import read_only

Progress = Callable[[str, float], None]
_KINDS = 1 << 16  # numbers of kinds of pixels, from where those that there are are counted again
_SHARED = (
    "off counts are taken as measured for each bin alone; where neighbours share them, as those of a ring, errors "
    "leave that out"
)


@read_only("make another TSMapEstimator")
@dataclass(frozen=True, kw_only=True)
class TSMapEstimator:
    """At every pixel, the norm of a source ``kernel`` that stands there, with errors, limits and TS.

    In the bins of each band of energy, on all datasets together, ``predicted = background + norm * source``; the
    background is what the global model predicts, sources included, and stays as it is. The norm is the minimum of -2 ln
    L (Cash), at least that with which nothing negative is predicted, and the TS that of the norm against 0. With off
    counts -2 ln L is W, whose background is profiled in each bin, at each norm, and the norm may be anything.

    kernel : its shape on the sky and its spectrum, whose integral over the band is the flux of norm 1
    energy_edges : of the bands, moved to the nearest edges of the first dataset; None: one band over all energies
    sum_over_energy : whether the bins of a band are summed into one image, as Gammapy does by default
    kernel_width : [deg] of the square that a source is seen in; None: as wide as PSF and shape together
    sigma, sigma_ul : of errors and of upper limits
    intervals : whether asymmetric errors and upper limits are computed
    threshold : TS of the first guess up to which it is kept, without a fit
    conventions : with ``gammapy`` a source is spread by the PSF and then seen with the exposure of each pixel, and
        kernels of a sum are means over its energies; with ``exact`` it is seen with the exposure of its own pixel, and
        energies count as much as counts are expected there. Responses are those of the middle of the map in both
    engine : compiles the likelihood, by default in this process

    Source: Stewart, 2009, A&A 495, 989.
    """

    kernel: SkyModel = field(default_factory=default_kernel)
    energy_edges: Sequence[object] | None = None
    sum_over_energy: bool = True
    kernel_width: float | None = None
    sigma: float = 1.0
    sigma_ul: float = 2.0
    intervals: bool = True
    threshold: float | None = None
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def __post_init__(self) -> None:
        check_levels(sigma=self.sigma, sigma_ul=self.sigma_ul)
        object.__setattr__(self, "conventions", Conventions(self.conventions))

    def run(self, datasets: Datasets, models: Models, progress: Progress | None = None) -> SkyMaps:
        """The maps of each band; NaN where no bin enters or nothing is expected.

        Raises `DataError` for datasets that are no maps on the same pixels, or with and without off counts.
        """
        conventions = Conventions(self.conventions)
        bands = Bands.of(datasets, self.energy_edges, one_kind=True)
        likelihood = JointLikelihood(datasets, models, conventions, counts_alone=True, engine=self.engine)
        predicted = likelihood.predicted(likelihood.layout.start)
        sources = [
            _Source(
                exposed_counts(dataset, self.kernel, conventions, models),
                kernels_of(dataset, self.kernel, self.kernel_width, conventions),
            )
            for dataset in bands.datasets
        ]
        fluxes = reference_fluxes(self.kernel, bands, conventions)
        found = []
        for k, ranges in enumerate(bands.ranges):
            if progress is not None:
                progress(bands.label(k), k / len(bands.ranges))
            found.append(self._band(bands, ranges, sources, predicted))
        data = {name: np.stack([maps[name] for maps in found]) for name in found[0]}
        kernel, is_known = Models([self.kernel]).to_dict()["components"][0], bands.datasets[0].has_known_background
        return SkyMaps(
            "ts",
            bands.geometry,
            bands.energy,
            with_fluxes(data, fluxes),
            tuple(dataset.name for dataset in datasets),
            self.sigma,
            self.sigma_ul,
            fluxes,
            (*bands.told, *likelihood.remarks(), *(_without_end(bands, predicted) if is_known else (_SHARED,))),
            {"kernel": {key: kernel[key] for key in ("spectral", "spatial")}},
        )

    def _band(
        self, bands: Bands, ranges: Sequence[tuple[int, int]], sources: Sequence[_Source], predicted: Sequence[Array]
    ) -> dict[str, Array]:
        """The images of one band; ``ranges`` of energy bins, what a source and the model predict, of each dataset."""
        settings = NormSettings(self.sigma, self.sigma_ul, self.intervals, self.threshold)
        parts = [
            (view, dataset, slice(first, last), counts[first:last])
            for dataset, source, counts, (first, last) in zip(bands.datasets, sources, predicted, ranges, strict=True)
            for view in self._views(dataset.mask[first:last], source.cut(first, last))
        ]
        if bands.datasets[0].has_known_background:
            known = [view.known(dataset.counts[part], counts) for view, dataset, part, counts in parts]
            return _fitted(known, fit_norms, bands.geometry.shape, settings)
        off = [view.measured(one.counts[part], counts, _off(one, part)) for view, one, part, counts in parts]
        return _fitted(off, fit_measured_norms, bands.geometry.shape, settings)

    def _views(self, mask: BoolArray, source: _Source) -> Iterator[_View]:
        """The images of one dataset in one band."""
        is_exact = Conventions(self.conventions).is_exact
        if not self.sum_over_energy:
            for k, alone in enumerate(np.eye(len(mask), dtype=np.bool_)):
                yield _View.of(alone, mask[k], source.exposed[k], source.kernels[k], is_exact)
            return
        expected = source.exposed.sum(axis=(1, 2))
        for together, inside in _patterns(mask):
            weights = expected[together] if is_exact else np.ones(np.count_nonzero(together))
            kernel = np.einsum("k,kyx->yx", weights, source.kernels[together])
            kernel /= weights.sum() if not is_exact else expected.sum()
            exposed = (source.exposed if is_exact else source.exposed[together]).sum(axis=0)
            yield _View.of(together, inside, exposed, kernel, is_exact)


@dataclass(frozen=True, eq=False)
class _View:
    """Energies that are summed (n_energy,), the pixels in which all of these enter and no others do, and what a source
    predicts there: see `Plane`."""

    energies: BoolArray
    inside: BoolArray
    exposed: Array
    kernel: Array
    sent: Array | None

    @classmethod
    def of(cls, energies: BoolArray, inside: BoolArray, exposed: Array, kernel: Array, is_exact: bool) -> _View:
        if is_exact:
            return cls(energies, inside, inside.astype(np.float64), kernel, exposed)
        return cls(energies, inside, np.where(inside, exposed, 0.0), kernel, None)

    def summed(self, values: Array | MapArray) -> Array:
        """(n_y, n_x) of (n_energy, n_y, n_x)."""
        return np.where(self.inside, values[self.energies].sum(axis=0, dtype=np.float64), 0.0)

    def known(self, counts: Array | MapArray, predicted: Array) -> Plane:
        """With the counts of a dataset in these energies, and what the model predicts there."""
        return Plane(self.summed(counts), self.summed(predicted), self.exposed, self.kernel, self.sent)

    def measured(self, counts: Array | MapArray, predicted: Array, off: Sequence[MapArray]) -> MeasuredPlane:
        """With off counts, and the acceptances of both; ``alpha`` of a sum keeps the expected background."""
        counts_off, acceptance, acceptance_off = (np.asarray(part, dtype=np.float64) for part in off)
        alpha = np.divide(acceptance, acceptance_off, out=np.zeros(acceptance.shape), where=acceptance_off > 0)
        total, background = self.summed(counts_off), self.summed(alpha * counts_off)
        plain = self.summed(alpha) / np.count_nonzero(self.energies)
        mean = np.divide(background, total, out=np.where(plain > 0, plain, 1.0), where=total > 0)
        seen = self.exposed, self.kernel, self.sent
        return MeasuredPlane(self.summed(counts), total, mean, self.summed(predicted), *seen)


@dataclass(frozen=True, eq=False)
class _Source:
    """``exposed`` : (n_energy, n_y, n_x) counts of the flux at each pixel; ``kernels`` : (n_energy, k, k)."""

    exposed: Array
    kernels: Array

    def cut(self, first: int, last: int) -> _Source:
        return _Source(self.exposed[first:last], self.kernels[first:last])


def _without_end(bands: Bands, predicted: Sequence[Array]) -> Iterator[str]:
    """What to know of a TS where nothing but the source is predicted for some counts, by what else is ``predicted``,
    (n_energy, n_y, n_x) of each dataset."""
    for number, (dataset, other) in enumerate(zip(bands.datasets, predicted, strict=True)):
        is_dark = np.zeros(dataset.geometry.shape, dtype=np.bool_)
        for first, last in (ranges[number] for ranges in bands.ranges):
            counts, expected = (
                np.where(dataset.mask, values, 0.0)[first:last].sum(axis=0) for values in (dataset.counts, other)
            )
            is_dark |= (counts > 0) & (expected <= 0)
        if is_dark.any():
            yield (
                f"{dataset.name}: without a source nothing is predicted for the counts of "
                f"{plural(int(np.count_nonzero(is_dark)), 'pixel')}: the TS of a source that is seen there has no end, "
                "and is told as far as -2 ln L is not cut off, at 1e-25 predicted counts"
            )


def reference_fluxes(component: SkyModel, bands: Bands, conventions: Conventions) -> Array:
    """Integral fluxes of a component in the bands, (n_bands,) [cm-2 s-1]. Raises `UsageError` when it is no flux."""
    blocks = [zip(block.parameters, block.factors, strict=True) for _, block in component.blocks()]
    values = np.array([parameter.value * factor for block in blocks for parameter, factor in block])
    edges = np.array(list(pairwise(bands.energy.edges.tolist())))
    return np.array([band.flux for band in Reference(component, values, conventions).fluxes(edges)])


def _patterns(mask: BoolArray) -> Iterator[tuple[BoolArray, BoolArray]]:
    """Which energies enter together, (n_energy,), and the pixels in which these do and no others, (n_y, n_x)."""
    flat = mask.reshape(len(mask), -1)
    kind: IntArray = np.zeros(flat.shape[1], dtype=np.intp)
    for entering in flat:
        kind = 2 * kind + entering
        if kind.max(initial=0) >= _KINDS:
            kind = (np.cumsum(np.bincount(kind) > 0) - 1)[kind]
    for number in np.flatnonzero(np.bincount(kind)).tolist():
        pixels = kind == number
        energies = flat[:, int(np.argmax(pixels))]
        if energies.any():
            yield energies, pixels.reshape(mask.shape[1:])


def _off(dataset: SkyMap, part: slice) -> list[MapArray]:
    """Off counts and the acceptances on and off in some energies."""
    return [getattr(dataset, name)[part] for name in ("counts_off", "acceptance", "acceptance_off")]


AnyPlane = TypeVar("AnyPlane", Plane, MeasuredPlane)


def _fitted(
    planes: Sequence[AnyPlane],
    fit: Callable[[Sequence[AnyPlane], IntArray, NormSettings], dict[str, Array]],
    shape: tuple[int, int],
    settings: NormSettings,
) -> dict[str, Array]:
    """Images of one band; what no bin enters is not looked at."""
    images = {name: np.full(shape, np.nan) for name in QUANTITIES}
    around = _around(np.any([plane.exposed > 0 for plane in planes], axis=0)) if planes else None
    if around is not None:
        inside = [plane.cut(*around) for plane in planes]
        pixels: IntArray = np.flatnonzero(np.any([plane.enters for plane in inside], axis=0))
        for name, values in (fit(inside, pixels, settings) if pixels.size else {}).items():
            part = np.full(inside[0].exposed.shape, np.nan)
            part.ravel()[pixels] = values
            images[name][around] = part
    images["sqrt_ts"] = np.where(np.isnan(images["ts"]), np.nan, signed_root(images["ts"], images["norm"]))
    return images


def _around(inside: BoolArray) -> tuple[slice, slice] | None:
    """Rows and columns that hold all pixels (n_y, n_x) that are; None where none is."""
    if not inside.any():
        return None
    y, x = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    return slice(int(y[0]), int(y[-1]) + 1), slice(int(x[0]), int(x[-1]) + 1)
