"""Maps of the sky as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.estimators.told import Told, numbers
from gm.io.file_names import file_stem
from gm.io.fits import read_fits
from gm.io.fits_writer import fits_bytes
from gm.io.tables import CardValue
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.maps.writing import map_hdus
from gm.values import finite

FLUX = "cm-2 s-1"
UNITS = {"flux": FLUX, "flux_err": FLUX, "flux_errn": FLUX, "flux_errp": FLUX, "flux_ul": FLUX}

KINDS = ("ts", "excess", "residual", "ps")
"""Of maps; profiles and peaks are no maps."""
_OF_ALL = {
    *("schema", "name", "type", "status", "message", "warnings", "file", "datasets"),
    *("geometry", "confidence", "quantities", "bands", "inputs"),
}


@final
@dataclass(frozen=True, eq=False, repr=False)
class SkyMaps(Told):
    """Quantities on one grid of pixels, in bands of energy.

    energy : the bands [TeV]; data : (n_bands, n_y, n_x) of each quantity, NaN in pixels that have none; reference_flux
    : (n_bands,) [cm-2 s-1] that norms refer to, empty where there are none; remarks : what predictions leave out;
    kind : ``ts``, ``excess``, ``residual`` or ``ps``; about : what a document of this kind tells besides
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
    about: Mapping[str, Any] = field(default_factory=dict)

    told_as: ClassVar[str] = "maps"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        bands = [_band(self, k) for k in range(self.energy.n_bins)]
        best = max((band for band in bands if band["maximum"]), key=_highest, default=None)
        n_pixels = sum(band["pixels"] for band in bands)
        top = "" if best is None else f", highest significance {_highest(best):.2f}"
        return {
            "schema": "gm/maps/1",
            "name": name or self.kind,
            "type": self.kind,
            "status": "ok" if n_pixels else "failed",
            "message": f"{n_pixels} pixels{top}" if n_pixels else "nothing is expected in any pixel that enters",
            "warnings": list(self.remarks),
            "file": f"{file_stem(name or self.kind)}.fits",
            "datasets": list(self.datasets),
            "geometry": _geometry(self),
            "confidence": {"sigma": self.sigma, "sigma_ul": self.sigma_ul},
            "quantities": {quantity: _quantity(quantity, values) for quantity, values in self.data.items()},
            "bands": bands,
            **self.about,
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """The quantities are in the file that the document names."""
        if data["type"] not in KINDS:
            reader = "gm.SkyProfile.read reads it" if data["type"] == "profile" else "gm.Models.read reads its sources"
            raise DataError(f"a result of type '{data['type']}' has no maps\n    {reader}")
        file = read_fits(directory / data["file"])
        maps = {name: read_map(file, name.upper()) for name in data["quantities"]}
        first, bands = next(iter(maps.values())), data["bands"]
        edges = numbers([*(band["e_min"] for band in bands), bands[-1]["e_max"]])
        fluxes = [band["reference_flux"] for band in bands]
        if not isinstance(first.geometry, WcsGeometry):
            raise DataError(f"{file.path}: holds no image of the sky")
        return cls(
            kind=data["type"],
            geometry=first.geometry,
            energy=EnergyAxis(edges, "energy"),
            data={name: sky_map.data for name, sky_map in maps.items()},
            datasets=tuple(data["datasets"]),
            sigma=data["confidence"]["sigma"],
            sigma_ul=data["confidence"]["sigma_ul"],
            reference_flux=np.empty(0) if None in fluxes else numbers(fluxes),
            remarks=tuple(data["warnings"]),
            about={key: value for key, value in data.items() if key not in _OF_ALL},
        )

    def beside(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """The file of all quantities, as Gammapy's ``FluxMaps`` and ds9 read it."""
        extensions = [hdu for name, sky_map in self.maps() for hdu in map_hdus(sky_map, name.upper())]
        cards: dict[str, CardValue] = {"SED_TYPE": "flux"} if len(self.reference_flux) else {}
        return {document["file"]: fits_bytes(extensions, cards)}

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


def _geometry(maps: SkyMaps) -> dict[str, Any]:
    geometry = maps.geometry
    return {
        "frame": geometry.frame,
        "projection": geometry.projection.code,
        "center": list(geometry.center()),
        "pixels": list(reversed(geometry.shape)),
        "pixel_size": list(geometry.pixel_scales()),
    }


def _quantity(name: str, values: Any) -> dict[str, Any]:
    known = np.isfinite(values)
    ends = (float(values[known].min()), float(values[known].max())) if known.any() else (None, None)
    return {"unit": UNITS.get(name, ""), "pixels": int(known.sum()), "min": ends[0], "max": ends[1]}


def _band(maps: SkyMaps, k: int) -> dict[str, Any]:
    significance = maps["sqrt_ts"][k]
    known = np.isfinite(significance)
    row: dict[str, Any] = {
        "e_min": float(maps.energy.lo[k]),
        "e_max": float(maps.energy.hi[k]),
        "energy_unit": "TeV",
        "reference_flux": finite(maps.reference_flux[k]) if len(maps.reference_flux) else None,
        "pixels": int(known.sum()),
        "maximum": None,
    }
    if known.any():
        y, x = np.unravel_index(int(np.argmax(np.where(known, significance, -np.inf))), significance.shape)
        lon, lat = maps.geometry.sky(float(x), float(y))
        row["maximum"] = {
            "lon": float(lon),
            "lat": float(lat),
            "pixel": [int(x), int(y)],
            **{name: finite(values[k, y, x]) for name, values in maps.data.items()},
        }
    return row


def _highest(band: Mapping[str, Any]) -> float:
    return float(band["maximum"]["sqrt_ts"])
