"""The likelihood of one source as a pyhf workspace: a norm in each band of true energy, for anybody's spectrum.

Format: HistFactory JSON, pyhf's workspace specification 1.0.0.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.datasets import Datasets, SpectrumDatasetOnOff
from gm.datasets.kinds import is_spectrum
from gm.datasets.spectrum import Spectrum
from gm.errors import DataError, UsageError, suggest
from gm.likelihood import ByEnergy, Engine, JointLikelihood
from gm.models import Models, SkyModel
from gm.models.sky_flux import no_flux

_LEAST = 0.1  # counts of the source, fewer than which are beyond the first and the last band, and held by these
_LEAST_OFF = 1.0  # of a bin, in the nominal background: its factor scales that
_SAME = 1e-6  # relative difference of energies that are equal
_FARTHEST = 100.0  # upper bound of a norm


@final
@dataclass(frozen=True, eq=False)
class Workspace:
    """``document``: the workspace, plain data as pyhf reads it; what is told of it beside.

    source : its name; edges : (n_bands + 1,) TeV, beyond which there are fewer than 0.1 counts, held by the outer bands
    reference : (n_bands,) flux of each band for a norm of 1 [cm-2 s-1]; predicted : (n_bands,) counts of all datasets
    datasets : those that are in it; fixed : what the source is not and has no parameter in it; left_out : datasets that
    are no spectra
    """

    source: str
    document: dict[str, Any]
    edges: Array
    reference: Array
    predicted: Array
    datasets: tuple[str, ...]
    fixed: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class WorkspaceBuilder:
    """The likelihood of ``source`` with ``per_decade`` bands of true energy.

    In each bin of each spectrum the source is a sum of bands, each with its own norm on the spectrum that ``models``
    have; other sources are as in ``models``. Off counts are a channel of their own, with a free background in each bin,
    so that the likelihood is that of the W statistic; a known background is fixed.
    """

    source: str
    per_decade: int = 20
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models) -> Workspace:
        """Raises `UsageError` where the source is none, `DataError` where no spectrum sees it."""
        source = self._source(models)
        spectra = [one for one in datasets if is_spectrum(one) and source.applies_to(one.name)]
        if not spectra:
            raise DataError(f"no spectrum sees '{self.source}': maps become spectra by to_spectrum_dataset")
        likelihood = JointLikelihood(Datasets(spectra), models, self.conventions, engine=self.engine)
        by_energy = likelihood.by_energy(likelihood.layout.start)
        edges = self._edges(spectra)
        channels = [_Channel.of(k, one, by_energy, source, edges) for k, one in enumerate(spectra)]
        channels = [channel for channel in channels if channel.counts.size]
        if not channels:
            raise DataError("no bin is left")
        first, last = _ends(np.sum([channel.source.sum(axis=1) for channel in channels], axis=0))
        merged = [channel.merged(first, last) for channel in channels]
        kept = edges[first : last + 2]
        bands = [f"{self.source} {a:.4g}-{b:.4g} TeV" for a, b in itertools.pairwise(kept)]
        others = [c.name for c in models.sources() if c.name != self.source and any(map(c.applies_to, by_energy.names))]
        return Workspace(
            source=self.source,
            document=_document(self.source, merged, bands),
            edges=kept,
            reference=source.spectral_model.integral(kept[:-1], kept[1:]),
            predicted=np.sum([channel.source.sum(axis=1) for channel in merged], axis=0),
            datasets=tuple(channel.name for channel in merged),
            fixed=(*others, *(f"background of {c.name}" for c in merged if c.off is None)),
            left_out=tuple(one.name for one in datasets if not is_spectrum(one)),
        )

    def _source(self, models: Models) -> SkyModel:
        sky = {component.name: component for component in models.sources()}
        if self.source not in sky:
            raise UsageError(f"'{self.source}' is no sky component; {suggest(self.source, sky, 'sky components')}")
        if why := no_flux(sky[self.source]):
            raise UsageError(f"'{self.source}': {why}")
        return sky[self.source]

    def _edges(self, spectra: Sequence[Spectrum]) -> Array:
        """Of bands (n + 1,): a grid of powers of ten between the ends of all true energies."""
        low = min(float(one.energy_true.edges[0]) for one in spectra)
        high = max(float(one.energy_true.edges[-1]) for one in spectra)
        first, last = np.ceil(np.log10(low) * self.per_decade), np.floor(np.log10(high) * self.per_decade)
        grid = 10 ** (np.arange(first, last + 1) / self.per_decade)
        inside = grid[(grid > low * (1 + _SAME)) & (grid < high * (1 - _SAME))]
        return np.concatenate([[low], inside, [high]])


@final
@dataclass(frozen=True, eq=False)
class _Channel:
    """One spectrum. source : (n_bands, n) counts; counts, fixed : (n,); off : counts and ratio on / off, (n,) each."""

    name: str
    counts: Array
    source: Array
    fixed: Array
    off: tuple[Array, Array] | None

    @classmethod
    def of(cls, k: int, dataset: Spectrum, by_energy: ByEnergy, source: SkyModel, edges: Array) -> _Channel:
        """The ``k``-th of the datasets, in the bins that are fitted."""
        rows = np.flatnonzero(by_energy.dataset == k)
        bins = by_energy.bin[rows]
        own = by_energy.components[source.name]
        predicted = np.zeros(by_energy.dataset.size)
        predicted[own.row] = own.predicted
        others = by_energy.predicted[rows] - by_energy.background[rows] - predicted[rows]
        shares = _shares(dataset, source, edges, bins)
        counts, own_counts = by_energy.counts[rows], shares * predicted[rows]
        if isinstance(dataset, SpectrumDatasetOnOff):
            off = dataset.counts_off[bins], np.asarray(dataset.alpha()[bins], dtype=np.float64)
            return cls(dataset.name, counts, own_counts, others, off)
        return cls(dataset.name, counts, own_counts, others + by_energy.background[rows], None)

    def merged(self, first: int, last: int) -> _Channel:
        """Bands up to ``first``, and from ``last`` on, are one each."""
        parts = np.add.reduceat(self.source, [0, *range(first + 1, last + 1)], axis=0)
        return _Channel(self.name, self.counts, parts, self.fixed, self.off)

    def channels(self, bands: Sequence[str]) -> Iterator[tuple[str, Array, list[dict[str, Any]]]]:
        """Name, counts and samples of each channel that it is."""
        samples = [_sample(band, counts, ("normfactor", band)) for band, counts in zip(bands, self.source, strict=True)]
        if self.fixed.any():
            samples.append(_sample("fixed", self.fixed))
        if self.off is None:
            yield self.name, self.counts, samples
            return
        counts_off, alpha = self.off
        background, factor = np.maximum(counts_off, _LEAST_OFF), ("shapefactor", f"background of {self.name}")
        yield self.name, self.counts, [*samples, _sample("background", alpha * background, factor)]
        yield f"{self.name} off", counts_off, [_sample("background", background, factor)]

    def background(self) -> Iterator[dict[str, Any]]:
        """The range of the factor of each bin: as far as all counts, of on and of off, can ask for."""
        if self.off is not None:
            counts_off, _ = self.off
            most = (counts_off + self.counts + 1) / np.maximum(counts_off, _LEAST_OFF)
            bounds = [[1e-10, 2 * float(factor)] for factor in most]
            yield {"name": f"background of {self.name}", "bounds": bounds, "inits": [1.0] * len(bounds)}


def _shares(dataset: Spectrum, source: SkyModel, edges: Array, bins: IntArray) -> Array:
    """Which part of the counts in ``bins`` is of which band, (n_bands, n_bins): sums over bands are 1."""
    true = dataset.energy_true.edges
    cuts = np.union1d(true, edges[(edges > true[0]) & (edges < true[-1])])
    flux = source.spectral_model.integral(cuts[:-1], cuts[1:])
    middle = np.sqrt(cuts[:-1] * cuts[1:])
    counts = np.zeros((edges.size - 1, bins.size))
    seen = flux[:, None] * dataset.response()[np.searchsorted(true, middle) - 1][:, bins]
    np.add.at(counts, np.searchsorted(edges, middle) - 1, seen)
    total = counts.sum(axis=0)
    return np.asarray(np.divide(counts, total, out=np.zeros_like(counts), where=total != 0))


def _ends(predicted: Array) -> tuple[int, int]:
    """The first and the last band that have counts enough of their own, with all beyond."""
    up, down = np.cumsum(predicted), np.cumsum(predicted[::-1])
    first = int(np.searchsorted(up, min(_LEAST, up[-1])))
    last = predicted.size - 1 - int(np.searchsorted(down, min(_LEAST, down[-1])))
    return min(first, last), last


def _sample(name: str, counts: Array, *modifiers: tuple[str, str]) -> dict[str, Any]:
    return {
        "name": name,
        "data": counts.tolist(),
        "modifiers": [{"name": label, "type": kind, "data": None} for kind, label in modifiers],
    }


def _document(source: str, channels: Sequence[_Channel], bands: Sequence[str]) -> dict[str, Any]:
    parts = [part for channel in channels for part in channel.channels(bands)]
    parameters = [{"name": band, "bounds": [[0.0, _FARTHEST]], "inits": [1.0]} for band in bands]
    parameters += [range_ for channel in channels for range_ in channel.background()]
    return {
        "channels": [{"name": name, "samples": samples} for name, _, samples in parts],
        "observations": [{"name": name, "data": counts.tolist()} for name, counts, _ in parts],
        "measurements": [{"name": source, "config": {"poi": bands[0], "parameters": parameters}}],
        "version": "1.0.0",
    }
