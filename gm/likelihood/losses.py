"""What PSF kernels that are empty or cut short do to the predicted counts of a component."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gm.arrays import Array

_LOST = 1e-4
_DISPLACED = 5e-3  # every kernel is cut where 0.999 are inside


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
        if self.displaced > _DISPLACED:
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
        """From the exposure (n_energy_true,) at the source, the energy dispersion (n_energy_true, n_energy), 1 for the
        energy bins that enter (n_energy,), and the part that the kernel of each energy lacks, 1 when it is empty.
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


def _percent(part: float) -> str:
    return f"{100 * part:.2g} %"
