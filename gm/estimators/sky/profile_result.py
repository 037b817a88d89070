"""Profiles on the sky, as values, documents and tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, final

import numpy as np

from gm.arrays import Array
from gm.errors import DataError
from gm.estimators.sky.result import UNITS
from gm.estimators.told import Told, numbers
from gm.io.file_names import file_stem
from gm.io.fits_writer import fits_bytes
from gm.io.tables import Column, Table
from gm.maps.axes import EnergyAxis
from gm.values import finite

_UNITS = {**UNITS, "area": "deg2", "excess_per_area": "deg-2", "excess_per_area_err": "deg-2"}
_ENDS = ("min", "max")
_PLACES = ("distance_min", "distance_max")
_OF_A_SOURCE = ", excess of "


@final
@dataclass(frozen=True, eq=False, repr=False)
class SkyProfile(Told):
    """Quantities in each band of energy and bin of the sky, (n_bands, n_bins) each, NaN where there is none.

    edges : (n_bins + 1,) [deg]; reference_flux : (n_bands,) [cm-2 s-1] of norm 1; source : what the excess is of, empty
    for all that the model does not predict; remarks : what a reader should know
    """

    edges: Array
    energy: EnergyAxis
    data: dict[str, Array]
    reference_flux: Array
    datasets: tuple[str, ...]
    source: str
    sigma: float
    sigma_ul: float
    remarks: tuple[str, ...] = ()

    told_as: ClassVar[str] = "maps"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        bands = zip(self.energy.lo.tolist(), self.energy.hi.tolist(), self.reference_flux.tolist(), strict=True)
        return {
            "schema": "gm/maps/1",
            "name": name or "profile",
            "type": "profile",
            "status": "ok",
            "message": self._message(),
            "warnings": list(self.remarks),
            "file": file_stem(name or "profile") + ".fits",
            "datasets": list(self.datasets),
            "confidence": {"sigma": self.sigma, "sigma_ul": self.sigma_ul},
            "bands": [
                {
                    "e_min": low,
                    "e_max": high,
                    "energy_unit": "TeV",
                    "reference_flux": finite(flux),
                    "profile": [self._row(k, j) for j in range(self.edges.size - 1)],
                }
                for k, (low, high, flux) in enumerate(bands)
            ],
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        if data["type"] != "profile":
            raise DataError(f"a result of type '{data['type']}' is no profile\n    gm.SkyMaps.read reads maps")
        bands = data["bands"]
        rows = [band["profile"] for band in bands]
        names = [name for name in rows[0][0] if name not in _PLACES]
        return cls(
            edges=numbers([*(row["distance_min"] for row in rows[0]), rows[0][-1]["distance_max"]]),
            energy=EnergyAxis(numbers([*(band["e_min"] for band in bands), bands[-1]["e_max"]]), "energy"),
            data={name: np.array([numbers(row[name] for row in band) for band in rows]) for name in names},
            reference_flux=numbers(band["reference_flux"] for band in bands),
            datasets=tuple(data["datasets"]),
            source=data["message"].partition(_OF_A_SOURCE)[2],
            sigma=data["confidence"]["sigma"],
            sigma_ul=data["confidence"]["sigma_ul"],
            remarks=tuple(data["warnings"]),
        )

    def beside(self, document: Mapping[str, Any]) -> dict[str, bytes]:
        """A table with a row for each bin of each band."""
        n_bands, n_bins = self.energy.n_bins, self.edges.size - 1
        columns = [
            Column("e_min", np.repeat(self.energy.lo, n_bins), "TeV"),
            Column("e_max", np.repeat(self.energy.hi, n_bins), "TeV"),
            Column("distance_min", np.tile(self.edges[:-1], n_bands), "deg"),
            Column("distance_max", np.tile(self.edges[1:], n_bands), "deg"),
            *(Column(name, values.ravel(), _UNITS.get(name, "")) for name, values in self.data.items()),
        ]
        return {document["file"]: fits_bytes([Table("PROFILE", tuple(columns), {})])}

    def told(self) -> str:
        return self._message()

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The bins of each band."""
        names = ("counts", "excess", "excess_err", "flux", "flux_err", "sqrt_ts")
        for k, (low, high) in enumerate(zip(self.energy.lo.tolist(), self.energy.hi.tolist(), strict=True)):
            for j in range(self.edges.size - 1):
                row = self._row(k, j)
                where = {"e_min": low, "e_max": high, **{f"distance_{end}": row[f"distance_{end}"] for end in _ENDS}}
                yield {**where, **{name: row[name] for name in names if name in row}}

    def _message(self) -> str:
        what = f"{_OF_A_SOURCE}{self.source}" if self.source else ", excess above the model"
        return f"{self.edges.size - 1} bins to {self.edges[-1]:.3g} deg{what}"

    def _row(self, band: int, k: int) -> dict[str, Any]:
        return {
            "distance_min": float(self.edges[k]),
            "distance_max": float(self.edges[k + 1]),
            **{name: finite(values[band, k]) for name, values in self.data.items()},
        }
