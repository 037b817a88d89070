"""What PSF kernels that are empty or cut short do to the predicted counts of a component."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array, MapArray
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models import SpatialModel
from gm.models.spatial.base import ExtendedModel

_SAMPLES = 20  # positions along each side of a map
_LOST = 1e-4
DISPLACED = 5e-3  # every kernel is cut where 0.999 are inside


@dataclass(frozen=True)
class FluxLoss:
    """Parts of the predicted counts of a component on a dataset that its PSF kernels lose or put in the wrong place.

    lost : where the kernel is empty; displaced : what lies outside of a kernel, and is added to its inside
    """

    lost: float
    displaced: float

    def describe(self, component: str, dataset: str) -> Iterable[str]:
        """Warnings that are worth it."""
        if self.lost > _LOST:
            yield (
                f"{component} on {dataset}: {_percent(self.lost)} of its counts are lost, "
                "at true energies without a PSF kernel (see docs/conventions.md)"
            )
        if self.displaced > DISPLACED:
            yield (
                f"{component} on {dataset}: {_percent(self.displaced)} of its counts are too close to it, "
                "by PSF kernels that are cut short (see docs/conventions.md)"
            )


@dataclass(frozen=True, eq=False)
class KernelLoss:
    """Counts per unit flux in each true-energy bin (n_energy_true,): all, lost, and displaced."""

    seen: Array
    lost: Array
    displaced: Array

    @classmethod
    def of(cls, exposure: Array, edisp: Array, bins: Array, fraction: Array, *, is_reco: bool) -> KernelLoss:
        """From exposure times shape (n_energy_true,) [cm2 s], the energy dispersion (n_energy_true, n_energy), 1 for
        the energy bins that enter (n_energy,), and the part that the kernel of each energy lacks, 1 when it is empty.
        """
        seen = exposure[:, None] * edisp * bins
        lacking = fraction if is_reco else fraction[:, None]
        empty = lacking >= 1
        return cls(*(np.sum(seen * part, axis=1) for part in (1.0, empty, np.where(empty, 0.0, lacking))))

    def fractions(self, spectrum: Array) -> FluxLoss:
        """For fluxes (n_energy_true,)."""
        total = float(self.seen @ spectrum)
        if not total > 0:
            return FluxLoss(0.0, 0.0)
        return FluxLoss(float(self.lost @ spectrum) / total, float(self.displaced @ spectrum) / total)


def exposed_shape(
    geometry: WcsGeometry, exposure: MapArray, shape: SpatialModel | None, values: Array, energy: Array
) -> Array:
    """Counts per unit flux (n_energy_true,) [cm2 s], about and but for a factor: the exposure where a shape is, which
    has ``values`` (n_par,); ``exposure`` : (n_energy_true, n_y, n_x) [cm2 s]; ``energy`` : (n_energy_true,) [TeV].

    A shape that changes with energy is averaged over the map, like one that has no position.
    """
    n_y, n_x = geometry.shape
    place = None if shape is None else shape.position(values)
    if shape is not None and place is not None and not shape.is_energy_dependent:
        x, y = (np.nan_to_num(float(value)) for value in geometry.position(*place, shape.frame))
        row, column = (int(np.clip(np.rint(at), 0, n - 1)) for at, n in ((y, n_y), (x, n_x)))
        return exposure[:, row, column].astype(np.float64)
    y, x = np.mgrid[: n_y : max(n_y // _SAMPLES, 1), : n_x : max(n_x // _SAMPLES, 1)]
    at = exposure[:, y, x].astype(np.float64)
    if isinstance(shape, ExtendedModel) and shape.is_energy_dependent:
        at *= np.nan_to_num(shape.evaluate(PixelGrid(geometry).sky(shape.frame, x, y), values, energy))
    return np.asarray(at.mean(axis=(1, 2)))


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %"
