"""Profiles on the sky: excess counts and fluxes in rings around a position, or in boxes along a line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import final

import numpy as np

from gm.arrays import Array, IntArray
from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.sky.bands import Bands
from gm.estimators.sky.excess_map import Part, excess_of
from gm.estimators.sky.profile_result import SkyProfile
from gm.estimators.sky.result import signed_root
from gm.estimators.sky.sources import default_kernel, exposed_counts, sky_source
from gm.estimators.sky.ts_map import reference_fluxes
from gm.likelihood import Engine, JointLikelihood
from gm.maps.geometry import WcsGeometry
from gm.maps.rotation import rotate
from gm.maps.sphere import unit_vectors
from gm.models import Models, SkyModel
from gm.values import read_only

Position = tuple[float, float]
_SR = (180.0 / np.pi) ** 2  # deg2


class ProfileBins(ABC):
    """Parts of the sky in a row. edges : (n_bins + 1,) [deg]; frame : of positions."""

    edges: Array
    frame: str

    @abstractmethod
    def distance(self, geometry: WcsGeometry) -> Array:
        """Of pixel centres along the profile [deg], (n_y, n_x); NaN beside it."""

    def places(self, geometry: WcsGeometry) -> IntArray:
        """The bin that each pixel centre lies in, (n_y, n_x); -1 for none."""
        at = self.distance(geometry)
        found = np.searchsorted(self.edges, at, side="right") - 1
        return np.where((at >= self.edges[0]) & (at < self.edges[-1]), found, -1)


def places_of(bins: ProfileBins, geometry: WcsGeometry) -> IntArray:
    """The bin that each pixel centre lies in, (n_y, n_x); -1 for none. Raises `DataError` where all lie beside them."""
    places = bins.places(geometry)
    if not (places >= 0).any():
        raise DataError("no pixel of the map lies in the profile")
    return places


@final
@dataclass(frozen=True, eq=False)
class RadialBins(ProfileBins):
    """Rings around a position [deg]."""

    center: Position
    edges: Array
    frame: str = "icrs"

    def distance(self, geometry: WcsGeometry) -> Array:
        return geometry.separation(*self.center, self.frame)


@final
@dataclass(frozen=True, eq=False)
class LineBins(ProfileBins):
    """Boxes along the great circle from one position [deg] towards another, ``width`` [deg] across."""

    start: Position
    stop: Position
    width: float
    edges: Array
    frame: str = "icrs"

    def distance(self, geometry: WcsGeometry) -> Array:
        first, second = (unit_vectors(*at) for at in (self.start, self.stop))
        pole = np.cross(first, second)
        if not np.linalg.norm(pole) > 0:
            raise UsageError("a line leads from one position to another")
        pole /= np.linalg.norm(pole)
        pixels = unit_vectors(*rotate(*geometry.grid(), geometry.frame, self.frame))
        across = np.degrees(np.arcsin(np.clip(np.einsum("i,iyx->yx", pole, pixels), -1.0, 1.0)))
        ahead = np.einsum("i,iyx->yx", np.cross(pole, first), pixels), np.einsum("i,iyx->yx", first, pixels)
        return np.where(np.abs(across) <= 0.5 * self.width, np.degrees(np.arctan2(*ahead)), np.nan)


@read_only("make another SkyProfileEstimator")
@dataclass(frozen=True, kw_only=True)
class SkyProfileEstimator:
    """Counts in ``bins`` of the sky above what the global model predicts there without ``source``, and as a flux.

    source : its excess is measured, beside which stands what the model predicts of it (``predicted``); empty: what the
    whole model leaves. spectrum : that fluxes have. Pixels belong to the bin that their centre is in; the PSF is not
    undone. energy_edges, sigma, sigma_ul : as of an `ExcessMapEstimator`
    """

    bins: ProfileBins
    source: str = ""
    energy_edges: Sequence[object] | None = None
    spectrum: SkyModel = field(default_factory=default_kernel)
    sigma: float = 1.0
    sigma_ul: float = 2.0
    conventions: Conventions | str = Conventions.GAMMAPY
    engine: Engine | None = None

    def run(self, datasets: Datasets, models: Models) -> SkyProfile:
        """Raises `DataError` for datasets that are no maps on the same pixels or of both statistics, and for a profile
        beside the map; `UsageError` for a source that is not there."""
        conventions = Conventions(self.conventions)
        bands = Bands.of(datasets, self.energy_edges)
        kinds = {dataset.has_known_background for dataset in bands.datasets}
        if len(kinds) > 1:
            raise DataError(
                "maps with and without off counts do not sum up\n    select those of one kind with 'datasets'"
            )
        if self.source:
            sky_source(models, self.source)
        whole = self._predicted(datasets, models)
        rest = self._predicted(datasets, models.without(self.source)) if self.source else whole
        exposed = [exposed_counts(dataset, self.spectrum, conventions, models) for dataset in bands.datasets]
        places = places_of(self.bins, bands.geometry)
        found = []
        for ranges in bands.ranges:
            every = zip(bands.datasets, rest, whole, exposed, ranges, strict=True)
            pairs = [
                (Part(dataset, without, seen, *span), Part(dataset, all_of_it, seen, *span))
                for dataset, without, all_of_it, seen, span in every
            ]
            found.append(self._band(pairs, places, bands.geometry, known=kinds == {True}))
        fluxes = reference_fluxes(self.spectrum, bands, conventions)
        data = {name: np.stack([band[name] for band in found]) for name in found[0]}
        for name in [name for name in data if name.startswith("norm")]:
            data[name.replace("norm", "flux")] = data[name] * fluxes[:, None]
        names = tuple(dataset.name for dataset in datasets)
        settings = (self.source, self.sigma, self.sigma_ul, bands.told)
        return SkyProfile(self.bins.edges, bands.energy, data, fluxes, names, *settings)

    def _predicted(self, datasets: Datasets, models: Models) -> list[Array]:
        likelihood = JointLikelihood(datasets, models, self.conventions, counts_alone=True, engine=self.engine)
        return likelihood.predicted(likelihood.layout.start)

    def _band(
        self, pairs: Sequence[tuple[Part, Part]], places: IntArray, geometry: WcsGeometry, *, known: bool
    ) -> dict[str, Array]:
        rest, whole = (list(parts) for parts in zip(*pairs, strict=True))
        mask = np.any([part.mask.any(axis=0) for part in rest], axis=0)
        n, inside = self.bins.edges.size - 1, (places >= 0) & mask

        def of_image(image: Array) -> Array:
            return np.asarray(np.bincount(places[inside], image[inside], n), dtype=np.float64)

        def sums(name: str) -> Array:
            return of_image(np.sum([part.summed(name) for part in rest], axis=0))

        area = of_image(geometry.solid_angle()) * _SR
        with np.errstate(divide="ignore", invalid="ignore"):
            excess = excess_of(sums, sums, known=known)
            pixels = of_image(np.ones(mask.shape))
            exposure = sums("exposed") / pixels  # counts of the flux, all of it in one place: a mean over pixels
            exposure = np.where(exposure > 0, exposure, np.nan)
            errn, errp, ul = excess.intervals(self.sigma, self.sigma_ul)
            data = {
                "pixels": pixels,
                "area": area,
                "counts": excess.counts,
                "npred_background": excess.counts - excess.excess,
                "excess": excess.excess,
                "excess_err": self.sigma * excess.error(),
                "excess_errn": errn,
                "excess_errp": errp,
                "excess_ul": ul,
                "predicted": of_image(np.sum([part.summed("predicted") for part in whole], axis=0)) - sums("predicted"),
                "sqrt_ts": signed_root(excess.ts(), excess.excess),
                "excess_per_area": excess.excess / area,
                "excess_per_area_err": self.sigma * excess.error() / area,
                **excess.more(),
            }
            norms = {"norm": "excess", "norm_err": "excess_err", "norm_ul": "excess_ul"}
            data |= {name: data[other] / exposure for name, other in norms.items()}
        return {name: np.where(pixels > 0, values, np.nan) for name, values in data.items()}
