"""Maps of the sky as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np

from gm.arrays import Array
from gm.html import Shown
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map

FLUX = "cm-2 s-1"
UNITS = {"flux": FLUX, "flux_err": FLUX, "flux_errn": FLUX, "flux_errp": FLUX, "flux_ul": FLUX}


@final
@dataclass(frozen=True, eq=False, repr=False)
class SkyMaps(Shown):
    """Quantities on one grid of pixels, in bands of energy.

    energy : the bands [TeV]; data : (n_bands, n_y, n_x) of each quantity, NaN in pixels that have none; reference_flux
    : (n_bands,) [cm-2 s-1] that norms refer to, empty where there are none; remarks : what predictions leave out
    """

    kind: str
    geometry: WcsGeometry
    energy: EnergyAxis
    data: Mapping[str, Array]
    datasets: tuple[str, ...]
    sigma: float = 1.0
    sigma_ul: float = 2.0
    reference_flux: Array = field(default_factory=lambda: np.empty(0))
    remarks: tuple[str, ...] = ()

    def told(self) -> str:
        n_bands, *shape = next(iter(self.data.values()), np.empty((0, 0, 0))).shape
        return f"{self.kind}, {' x '.join(map(str, shape))} pixels, {n_bands} bands: {', '.join(self.data)}"

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The quantities, of all bands together."""
        for name, values in self.data.items():
            known = values[np.isfinite(values)]
            ends = {"min": float(known.min()), "max": float(known.max())} if known.size else {"min": None, "max": None}
            yield {"quantity": name, "unit": UNITS.get(name, ""), "pixels": known.size, **ends}

    def __getitem__(self, quantity: str) -> Array:
        return self.data[quantity]

    def maps(self) -> Iterator[tuple[str, Map]]:
        """Every quantity with its name, as a map in its unit."""
        for name, values in self.data.items():
            yield name, Map(self.geometry, (self.energy,), values, UNITS.get(name, ""))


def with_fluxes(data: Mapping[str, Array], reference: Array) -> dict[str, Array]:
    """Quantities with the fluxes that norms stand for; ``reference`` (n_bands,) [cm-2 s-1]."""
    norms = {name: values for name, values in data.items() if name.startswith("norm")}
    fluxes = {name.replace("norm", "flux"): values * reference[:, None, None] for name, values in norms.items()}
    return {**data, **fluxes}


def signed_root(ts: Array, excess: Array) -> Array:
    """The significance, in the same shape: the root of a TS, with the sign of the excess."""
    return np.where(excess > 0, 1.0, -1.0) * np.sqrt(np.maximum(ts, 0.0))
