"""Observations to datasets: makers one after the other, and datasets of many observations as one."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, final

import numpy as np

from gm.datasets import MapDataset, MapDatasetOnOff, SpectrumDataset, SpectrumDatasetOnOff
from gm.datasets.operations.backgrounds import corrected, neutral
from gm.datasets.operations.stacking import stacked
from gm.makers.maker import Maker, NothingLeft, safe_bins
from gm.makers.maps import MapDatasetMaker
from gm.makers.pixels import Pixels
from gm.makers.remarks import remarks
from gm.makers.rings import on_off_map
from gm.makers.safe_mask import SafeMaskMaker
from gm.makers.spectra import SpectrumDatasetMaker
from gm.makers.target import cut_target
from gm.models import BackgroundIRFModel
from gm.observations import Observation

log = logging.getLogger(__name__)

Target: TypeAlias = SpectrumDataset | MapDataset
Reduced: TypeAlias = SpectrumDataset | SpectrumDatasetOnOff | MapDataset | MapDatasetOnOff


@final
@dataclass(frozen=True, eq=False)
class Reduction:
    """How observations are reduced. target : the empty dataset that says which bins are wanted; makers : in order, at
    first that of counts and exposure; cutout : full width [deg] around the pointing that is kept of a map, None for all
    of it."""

    target: Target
    makers: tuple[Maker, ...]
    cutout: float | None = None

    def run(self, observation: Observation, name: str) -> tuple[Reduced, BackgroundIRFModel | None]:
        """The dataset of one observation, and the component that corrects its background, where there is one.

        Raises `NothingLeft` where nothing of the observation is wanted, and `DataError`.
        """
        if not observation.events.n:
            raise NothingLeft(f"observation {observation.obs_id}: no event is left")
        observation.check_times()
        dataset: Reduced = self._around(observation).with_(name=name)
        component: BackgroundIRFModel | None = None
        for k, maker in enumerate(self.makers):
            dataset, made = maker.run(dataset, observation)
            component = made or component
            if k == 0 and not np.any(dataset.exposure > 0.0):
                raise NothingLeft(f"observation {observation.obs_id}: no exposure, the field of view is elsewhere")
            if not safe_bins(dataset).any():
                raise NothingLeft(f"observation {observation.obs_id}: {_named(maker)} leaves no safe bin")
        is_corrected = any(isinstance(m, SpectrumDatasetMaker) and m.containment_correction for m in self.makers)
        for remark in remarks(dataset, observation, is_corrected=is_corrected):
            log.warning(remark)
        return dataset, component

    def prepared(self) -> Reduction:
        """The same, with the pixels of a map made once for all observations."""
        if not isinstance(self.target, MapDataset):
            return self
        pixels = Pixels.of(self.target.geometry)
        makers = (
            replace(m, pixels=pixels) if isinstance(m, MapDatasetMaker | SafeMaskMaker) else m for m in self.makers
        )
        return replace(self, makers=tuple(makers))

    def _around(self, observation: Observation) -> Target:
        if self.cutout is None or not isinstance(self.target, MapDataset):
            return self.target
        part = cut_target(self.target, *observation.pointing_icrs(), self.cutout)
        if part is None:
            raise NothingLeft(f"observation {observation.obs_id}: no overlap of its field of view with the geometry")
        return part


def _named(maker: Maker) -> str:
    return f"the safe mask {', '.join(maker.methods)}" if isinstance(maker, SafeMaskMaker) else type(maker).__name__


def stack(
    parts: Iterable[tuple[Reduced, BackgroundIRFModel | None]], target: Target, name: str
) -> tuple[Reduced, BackgroundIRFModel | None] | None:
    """One dataset of several, one in memory at a time; None of none.

    Corrected backgrounds are summed, and the component of the whole is a neutral one. A map has all the pixels of
    ``target``. See `gm.datasets.operations.stacking`; raises `Refused`.
    """
    whole: Any = None
    component: BackgroundIRFModel | None = None
    for part, own in parts:
        if own is not None:
            spectrum = neutral([own], name, part.energy.n_bins)
            component = component or BackgroundIRFModel(dataset_name=name, spectral_model=spectrum)
        dataset: Any = corrected(part, own)
        if whole is None and isinstance(target, MapDataset):
            whole = _without_bins(target, dataset)
        whole = stacked([dataset] if whole is None else [whole, dataset], name)
    return None if whole is None else (whole, component)


def _without_bins(target: MapDataset, like: MapDataset | MapDatasetOnOff) -> MapDataset | MapDatasetOnOff:
    """The target as a dataset of the kind of ``like`` of which no bin is safe."""
    safe = np.zeros(target.counts.shape, dtype=np.bool_)
    target = target.with_(psf=_without_values(target.psf, like.psf), edisp=_without_values(target.edisp, like.edisp))
    if isinstance(like, MapDatasetOnOff):
        return on_off_map(target, target.counts, target.counts, target.counts, safe)
    return target.with_(mask_safe=safe)


def _without_values(target: Any, like: Any) -> Any:
    """The response of the target, with other axes where those of a response on the sky stayed its own."""
    if (
        target is None
        or like is None
        or all(mine.same_as(own) for mine, own in zip(target.axes, like.axes, strict=True))
    ):
        return target
    sizes = [axis.n_bins for axis in like.axes]
    data, seen = (np.broadcast_to(np.float32(0.0), (*n, *target.geometry.shape)) for n in (sizes, sizes[:1]))
    return replace(like, geometry=target.geometry, data=data, exposure=None if like.exposure is None else seen)
