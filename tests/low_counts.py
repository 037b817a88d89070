"""Random analyses with 0 to 30 counts, and the slow, obvious computation of what they say.

The statistics are written out here once more, from their definitions, on what is predicted in every bin; norms, errors
and limits are found by bisection of the profile that is made of these alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import Any

import numpy as np
from scipy.optimize import brentq, minimize

from gm.arrays import Array
from gm.datasets import Datasets, MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from gm.likelihood import JointLikelihood
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.models import (
    BackgroundIRFModel,
    Component,
    GaussianPrior,
    GaussianSpatialModel,
    Layout,
    Link,
    Models,
    Parameter,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    SpatialModel,
    UniformPrior,
)
from tests.map_samples import psf_map

KINDS = ("cash", "no background", "wstat", "joint", "map", "map on/off")
UNIT = "cm-2 s-1 TeV-1"
_MOST = 30  # counts of a dataset
_RANDOM, _ENDS = 200, 20  # where a slow profile starts from, and where it ended before
_GRID = WcsGeometry.create(83.63, 22.01, 0.2, shape=(9, 9))


@dataclass(frozen=True, eq=False)
class Analysis:
    """Data, and models as a fit starts with them; edges [TeV] of flux points."""

    kind: str
    datasets: Datasets
    models: Models
    edges: Array


def analysis(seed: int) -> Analysis:
    """One of the kinds in turn, everything else at random."""
    random = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    makers = {"wstat": (_on_off,), "joint": (_spectrum, _on_off), "map": (_map,), "map on/off": (_map_on_off,)}
    bare = [make(f"d{k}", random) for k, make in enumerate(makers.get(kind, (_spectrum,)))]
    if kind == "no background":
        bare = [dataset.with_(background=None) for dataset in bare]
    models = _models(random, bare)
    truth = 10 ** random.uniform(-1, 0.5) if random.random() < 0.8 else 0.0
    drawn = [_drawn(random, dataset, models, truth) for dataset in bare]
    inner = bare[0].energy.edges[1:-1]
    chosen = np.sort(random.choice(inner, size=int(random.integers(0, min(3, inner.size + 1))), replace=False))
    # A little beside the edges of one dataset: between two of another no rounding decides which is nearer.
    edges = np.array([bare[0].energy.edges[0], *chosen * 1.00001, bare[0].energy.edges[-1]])
    return Analysis(kind, Datasets(drawn), models, edges)


def _axes(random: np.random.Generator, n_bins: int) -> dict[str, Any]:
    edges = np.geomspace(1.0, 30.0, n_bins + 1)
    return {"energy": EnergyAxis(edges), "energy_true": EnergyAxis(edges, "energy_true")}


def _exposure(random: np.random.Generator, edges: Array) -> float:
    """For 0.03 to 30 expected counts of 1e-12 (E / TeV)^-2 [cm2 s]."""
    return float(10 ** random.uniform(-1.5, 1.5) / (1e-12 * (1 / edges[0] - 1 / edges[-1])))


def _spectrum(name: str, random: np.random.Generator) -> SpectrumDataset:
    n_bins = int(random.integers(1, 8))
    axes = _axes(random, n_bins)
    known = 10 ** random.uniform(-2, 1) * random.dirichlet(np.ones(n_bins))
    exposure = np.full(n_bins, _exposure(random, axes["energy"].edges))
    return SpectrumDataset(name=name, counts=np.zeros(n_bins), background=known, exposure=exposure, **axes)


def _on_off(name: str, random: np.random.Generator) -> SpectrumDatasetOnOff:
    n_bins = int(random.integers(1, 8))
    axes = _axes(random, n_bins)
    alpha = 10 ** random.uniform(-1.5, 0.3)
    off = random.poisson(10 ** random.uniform(-2, 1) * random.dirichlet(np.ones(n_bins)) / alpha)
    return SpectrumDatasetOnOff(
        name=name,
        counts=np.zeros(n_bins),
        counts_off=np.minimum(off, _MOST).astype(float),
        acceptance=np.ones(n_bins),
        acceptance_off=np.full(n_bins, 1 / alpha),
        exposure=np.full(n_bins, _exposure(random, axes["energy"].edges)),
        **axes,
    )


def _map_parts(random: np.random.Generator) -> dict[str, Any]:
    axes = _axes(random, int(random.integers(1, 3)))
    exposure = np.full((axes["energy_true"].n_bins, *_GRID.shape), _exposure(random, axes["energy"].edges))
    return {"geometry": _GRID, "exposure": exposure, "psf": psf_map(axes["energy_true"], single_pixel=True), **axes}


def _map(name: str, random: np.random.Generator) -> MapDataset:
    parts = _map_parts(random)
    shape = (parts["energy"].n_bins, *_GRID.shape)
    level = 10 ** random.uniform(-2, 1) / float(np.prod(shape))
    return MapDataset(name=name, counts=np.zeros(shape), background=np.full(shape, level), **parts)


def _map_on_off(name: str, random: np.random.Generator) -> MapDatasetOnOff:
    parts = _map_parts(random)
    shape = (parts["energy"].n_bins, *_GRID.shape)
    off = random.poisson(10 ** random.uniform(-1, 1.5) / float(np.prod(shape)), shape).astype(float)
    ones = np.ones(shape)
    return MapDatasetOnOff(
        name=name, counts=0 * ones, counts_off=off, acceptance=ones, acceptance_off=ones * 5.0, **parts
    )


def _parameter(random: np.random.Generator, name: str, value: float, unit: str = "", low: float = -inf) -> Parameter:
    """Free, with a lower limit, a prior, or neither."""
    prior: GaussianPrior | UniformPrior | None = None
    if random.random() < 0.2:
        prior = GaussianPrior(mu=value, sigma=0.3 * abs(value))
    elif random.random() < 0.05:
        prior = UniformPrior(min=0.2 * value, max=5.0 * value)
    return Parameter(name, value, unit, min=low if random.random() < 0.4 else -inf, prior=prior)


def _models(random: np.random.Generator, datasets: list[Any]) -> Models:
    """A source, often with a free index, sometimes another one, and factors of the backgrounds."""
    is_map = isinstance(datasets[0], MapDataset | MapDatasetOnOff)

    def sky(name: str, linked: str = "") -> SkyModel:
        start = 1e-12 * 10 ** random.uniform(-1, 1)
        index = _parameter(random, "index", random.uniform(1.5, 3.0), low=0.0)
        amplitude = _parameter(random, "amplitude", start, UNIT, low=0.0)
        if random.random() < 0.6 or linked == "index":
            index = Parameter("index", index.value, frozen=True)
        if linked == "amplitude":
            amplitude = Parameter("amplitude", start, UNIT)
        spectrum = PowerLawSpectralModel(index=index, amplitude=amplitude)
        return SkyModel(name=name, spectral_model=spectrum, spatial_model=_shape(random) if is_map else None)

    components: list[Component] = [sky("source")]
    links = []
    if random.random() < 0.25:
        linked = str(random.choice(["index", "amplitude", "", ""]))
        components.append(sky("other", linked))
        if linked:
            links.append(Link(f"other.{linked}", f"source.{linked}", scale=0.5 if linked == "amplitude" else 1.0))
    for dataset in datasets:
        if getattr(dataset, "background", None) is not None and random.random() < 0.5:
            norm = _parameter(random, "norm", 10 ** random.uniform(-0.3, 0.3), low=0.0)
            tilt = Parameter("tilt", 0.0, frozen=random.random() < 0.8)
            spectrum = PowerLawNormSpectralModel(norm=norm, tilt=tilt)
            components.append(BackgroundIRFModel(spectral_model=spectrum, dataset_name=dataset.name))
    return Models(components).with_links(links)


def _shape(random: np.random.Generator) -> SpatialModel:
    place = {"lon_0": f"{83.63 + random.normal(0, 0.15)} deg", "lat_0": f"{22.01 + random.normal(0, 0.15)} deg"}
    shape: SpatialModel = PointSpatialModel(**place)
    if random.random() < 0.5:
        shape = GaussianSpatialModel(sigma=f"{random.uniform(0.1, 0.4)} deg", **place)
    return shape.with_parameters([Parameter(p.name, p.value, p.unit, frozen=True) for p in shape.parameters])


def _drawn(random: np.random.Generator, dataset: Any, models: Models, truth: float) -> Any:
    """The dataset with counts of the model, with its amplitude as ``truth`` 1e-12, and at most 30 of them."""
    values: dict[str, object] = {"source.amplitude": {"value": truth * 1e-12, "min": -inf, "prior": None}}
    [expected] = predicted(Datasets([dataset]), models.with_parameters(values))
    if hasattr(dataset, "counts_off"):
        expected = expected + dataset.counts_off.mean() * dataset.acceptance / dataset.acceptance_off
    counts = random.poisson(np.maximum(expected, 0.0)).astype(float)
    while counts.sum() > _MOST:
        counts = random.binomial(counts.astype(int), 0.5).astype(float)
    return dataset.with_(counts=counts)


def unlinked(models: Models) -> Models:
    """The same values, and no links."""
    layout = Layout(models)
    values = layout.expand(layout.start) / np.array(models.factors())
    components = []
    for component in models:
        slots = layout.slots(component.name)
        own = zip(component.parameters, values[slots], strict=True)
        components.append(component.with_parameters([replace(p, value=float(value)) for p, value in own]))
    return Models(components)


def _nearest(edges: Array, e_min: float, e_max: float) -> Array:
    """The bins between the edges nearest to a band's, (n_bins,)."""
    first, last = (int(np.argmin(np.abs(np.log(edges / energy)))) for energy in (e_min, e_max))
    return (np.arange(edges.size - 1) >= first) & (np.arange(edges.size - 1) < last)


def predicted(datasets: Datasets, models: Models) -> list[Array]:
    """What the models predict in every bin, without the profiled background of off counts."""
    likelihood = JointLikelihood(datasets, models)
    return likelihood.predicted(likelihood.layout.start)


def cash(counts: Array, mu: Array) -> float:
    """``2 (mu - n ln mu)``, infinite where counts are predicted to be impossible; nothing below 0 without counts."""
    some = counts > 0
    if (mu[some] <= 0).any():
        return inf
    return 2 * np.sum(np.maximum(mu, 0)) - 2 * np.sum(counts[some] * np.log(mu[some]))


def wstat(on: Array, off: Array, alpha: Array, signal: Array) -> float:
    """Both Poisson likelihoods at the background ``b`` of the off region that makes their product largest."""
    # The positive root of the derivative by b, or the least b that predicts nothing negative.
    c = alpha * (on + off) - (1 + alpha) * signal
    b = (c + np.sqrt(np.maximum(c * c + 4 * alpha * (1 + alpha) * off * signal, 0))) / (2 * alpha * (1 + alpha))
    cancels = c < 0
    root = np.sqrt(np.maximum(c * c + 4 * alpha * (1 + alpha) * off * signal, 0))
    b = np.where(cancels, 2 * off * signal / np.where(cancels, root - c, 1.0), b)
    b = np.maximum(b, np.maximum(-signal / alpha, 0.0))
    value = 0.0
    for n, mu in ((on, signal + alpha * b), (off, b)):
        some = n > 0
        value += 2 * np.sum(np.maximum(mu, 0)) - 2 * np.sum(n)
        value += 2 * np.sum(n[some] * np.log(n[some] / np.maximum(mu[some], 1e-300)))
    return value


def measured(dataset: Any, bins: Array | None = None) -> tuple[Array, Callable[[Array], float]]:
    """Which bins of a dataset enter, of some of its energies, and -2 ln L as a function of what is predicted there."""
    chosen = dataset.mask if bins is None else dataset.mask & bins.reshape(-1, *(1,) * (dataset.mask.ndim - 1))
    counts = dataset.counts[chosen].astype(float)
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        alpha, off = (dataset.acceptance / dataset.acceptance_off)[chosen], dataset.counts_off[chosen].astype(float)
        return chosen, lambda mu: wstat(counts, off, alpha, mu)
    return chosen, lambda mu: cash(counts, mu)


@dataclass(frozen=True)
class Direct:
    """What the slow computation says about the norm of a band; None: it does not exist."""

    norm: float
    stat: float
    stat_null: float
    norm_errn: float | None
    norm_errp: float | None
    norm_ul: float | None


class Band:
    """-2 ln L of a band as a function of the norm of ``source``, all else at its values."""

    def __init__(self, found: Analysis, e_min: float, e_max: float, models: Models | None = None) -> None:
        models = found.models if models is None else models
        nothing: dict[str, object] = {"source.amplitude": {"value": 0.0, "min": -inf, "prior": None}}
        alone = unlinked(models)  # norms scale the source alone
        self.rest = predicted(found.datasets, alone.with_parameters(nothing))
        bare = [d if getattr(d, "background", None) is None else d.with_(background=None) for d in found.datasets]
        self.signal = predicted(Datasets(bare), Models([alone["source"]]))
        layout = Layout(models)
        self._priors = layout.prior_value(layout.start)
        edges = [dataset.energy.edges for dataset in found.datasets]  # type: ignore[union-attr]
        bins = [_nearest(its, e_min, e_max) for its in edges]
        self.measured = [measured(dataset, its) for dataset, its in zip(found.datasets, bins, strict=True)]
        self.rest = [rest[chosen] for rest, (chosen, _) in zip(self.rest, self.measured, strict=True)]
        self.signal = [signal[chosen] for signal, (chosen, _) in zip(self.signal, self.measured, strict=True)]
        data = zip(found.datasets, self.measured, strict=True)
        self.n_counts = sum(float(d.counts[chosen].sum()) for d, (chosen, _) in data)  # type: ignore[union-attr]
        self.n_signal = sum(float(signal.sum()) for signal in self.signal)

    def value(self, norm: float) -> float:
        """-2 ln L with the priors, which are constant."""
        rows = zip(self.measured, self.rest, self.signal, strict=True)
        return self._priors + sum(value(rest + norm * signal) for (_, value), rest, signal in rows)


def direct(value: Callable[[float], float], scale: float) -> Direct:
    """Minimum, errors and limit of a convex function of a norm, of which 1 / scale is about one count."""
    unit = 1.0 / scale
    inside = next(x for x in (0.0, *(unit * 2.0**k for k in range(-20, 60))) if value(x) < inf)
    low, high = map(np.longdouble, _around(value, inside, unit))  # values of a parabola tell half of their digits
    for _ in range(300):  # golden section would do; thirds are plainer
        a, b = low + (high - low) / 3, high - (high - low) / 3
        if value(a) >= value(b):  # of all norms that are as good the largest
            low = a
        else:
            high = b
        if high - low < 1e-12 * max(abs(low), abs(high)):
            break
    norm = float(0.5 * (low + high))
    stat = value(norm)

    def risen(rise: float, sign: float) -> float | None:
        """The norm at which it has: from the minimum on, and from 0 where that is far away on this side."""

        def above(x: float) -> float:
            return min(value(x), 1e300) - stat - rise

        near, far = norm, norm + sign * unit
        if sign * norm < 0 and above(0.0) < 0:
            near, far = 0.0, sign * unit
        step = unit
        while above(far) < 0 and step < 1e14 * unit:
            step *= 2
            near, far = far, far + sign * step
        return float(brentq(above, near, far, xtol=1e-13 * unit, rtol=1e-14)) if above(far) >= 0 else None

    low, high, limit = risen(1.0, -1.0), risen(1.0, 1.0), risen(4.0, 1.0)
    errors = (None if low is None else norm - low, None if high is None else high - norm)
    return Direct(norm, stat, value(0.0), *errors, limit)


def _around(value: Callable[[float], float], inside: float, unit: float) -> tuple[float, float]:
    """Norms to both sides of the minimum."""
    here = value(inside)
    low, high, step = inside - unit, inside + unit, unit
    while value(high) < here or value(high) <= value(0.5 * (high + inside)):
        step *= 2
        high += step
    step = unit
    while value(low) < here and step < 1e18 * unit:  # in tails of a PSF next to nothing may be a signal
        step *= 2
        low -= step
    return low, high


class Reoptimized:
    """-2 ln L of a band as a function of the norm of ``source``, all other free parameters fitted by a simplex."""

    def __init__(self, found: Analysis, e_min: float, e_max: float) -> None:
        self.band = Band(found, e_min, e_max)
        models = unlinked(found.models)
        held: dict[str, object] = {link.parameter: {"frozen": True} for link in found.models.links}
        held |= {f"source.{name}": {"frozen": True} for name in ("index", "amplitude")}
        nothing: dict[str, object] = {"source.amplitude": {"value": 0.0, "min": -inf, "prior": None}}
        self.likelihood = JointLikelihood(found.datasets, models.with_parameters(held).with_parameters(nothing))
        self.layout = self.likelihood.layout
        self.prior = Layout(models).prior_value(Layout(models).start) - self.layout.prior_value(self.layout.start)
        self.size = np.where(self.layout.start != 0, np.abs(self.layout.start), 1.0)
        self.is_linear = np.array([a.endswith(("amplitude", "norm")) for a in self.layout.free_addresses], dtype=bool)
        self.ends: list[Array] = []

    def value(self, norm: float, vector: Array) -> float:
        """-2 ln L of a norm and values of the other parameters, infinite beyond their limits."""
        if (vector < self.layout.lower).any() or (vector > self.layout.upper).any():
            return inf
        band, total = self.band, self.prior + self.layout.prior_value(vector)
        rests = self.likelihood.predicted(vector)
        for (chosen, value), rest, signal in zip(band.measured, rests, band.signal, strict=True):
            total += value(rest[chosen] + norm * signal)
        return total if np.isfinite(total) else inf

    def profiled(self, norm: float) -> float:
        """The lowest over the others: from where they ended before, from their start times some factors, and from the
        best of many at random, with backgrounds and sources of either sign and spectra of any shape."""
        near = [*self.ends, *(self.layout.start * factor for factor in (1.0, 0.1, 10.0, 100.0))]
        starts = [start for some in (near, self._random()) for start in sorted(some, key=partial(self.value, norm))[:2]]
        found = [self._simplex(norm, start, 300) for start in starts if self.value(norm, start) < inf]
        if not found:
            return inf
        value, end = min(found, key=lambda pair: pair[0])
        for _ in range(3):
            value, end = self._simplex(norm, end, 2000)
        self.ends = [*self.ends[-_ENDS:], end]
        return value

    def _random(self) -> list[Array]:
        random, start = np.random.default_rng(1), self.layout.start
        shape = (_RANDOM, start.size)
        factors = random.choice([-1.0, 1.0], shape) * 10 ** random.uniform(-3, 5, shape)
        return list(np.where(self.is_linear, start * factors, start + self.size * random.normal(0, 4, shape)))

    def _simplex(self, norm: float, start: Array, most: int) -> tuple[float, Array]:
        lowest = minimize(
            lambda x: min(self.value(norm, x * self.size), 1e30),
            start / self.size,
            method="Nelder-Mead",
            options={"xatol": 1e-9, "fatol": 1e-12, "maxfev": most},
        )
        return float(lowest.fun), lowest.x * self.size
