"""Absorption of gamma rays by the extragalactic background light (EBL)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.errors import DataError
from gm.io.fits import Extension
from gm.models.errors import ModelError
from gm.models.parametric import Default
from gm.models.spectral.base import SpectralModel
from gm.models.templates.files import read_template
from gm.units import factor

BUILTIN = (
    "ebl_franceschini.fits.gz",
    "ebl_dominguez11.fits.gz",
    "frd_abs.fits.gz",
    "ebl_franceschini_2017.fits.gz",
    "ebl_saldana-lopez_2021.fits.gz",
)
_SAME = 1e-6  # redshifts are in single precision
_TINY = float(np.finfo(np.float64).tiny)


class EBLAbsorptionNormSpectralModel(SpectralModel):
    """Transmission from a source at ``redshift``, to the power ``alpha_norm``: a factor between 0 and 1.

    From a table of transmissions, linear in redshift, in ln E and in ln transmission, continued beyond its ends.
    ``filename``: a file as XSPEC has them, read on first use; or ``energy``, ``param`` (redshifts), ``values`` (one
    row for each redshift) as ``{"data": [...], "unit": "..."}``. Source: Gammapy 2.1.
    """

    tags = ("EBLAbsorptionNormSpectralModel", "ebl-norm")
    setting_names = ("filename", "energy", "param", "values")
    redshift = Default(0.1, frozen=True)
    alpha_norm = Default(1.0, frozen=True)
    amplitude_name = None
    is_norm: ClassVar[bool] = True

    def __init__(self, **settings: object) -> None:
        self.settings = {name: _with_unit(settings[name]) for name in self.setting_names if name in settings}
        super().__init__(**{name: value for name, value in settings.items() if name not in self.setting_names})
        if "filename" not in self.settings:
            self._table = _inline(self.settings)

    @cached_property
    def _table(self) -> tuple[Array, Array, NDArray[Any]]:
        """Redshifts, ln energies [TeV], and logarithms of the transmission (n_z, n_energy)."""
        file = read_template(str(self.settings["filename"]))
        energies, spectra = file.get("ENERGIES"), file.get("SPECTRA")
        listed = _first_row(file.get("PARAMETERS"), "VALUE")
        own = spectra.numbers("PARAMVAL") if spectra.find("PARAMVAL") else listed  # of the rows, in any order
        redshift, first = np.unique(own, return_index=True)
        energy = np.sqrt(energies.numbers("ENERG_LO", "TeV", "keV") * energies.numbers("ENERG_HI", "TeV", "keV"))
        rows = spectra.column("INTPSPEC")
        rows = rows if rows.dtype.kind == "f" else spectra.floats("INTPSPEC")
        if rows.ndim != 2 or rows.shape[1] != len(energy) or len(rows) <= first.max():
            spectra.fail(f"spectra of shape {rows.shape}, expected {len(redshift)} of {len(energy)} energies")
        return _checked(redshift.astype(np.float64), energy, rows[first], str(file.path))

    def remarks(self) -> tuple[str, ...]:
        redshift, (first, *_, last) = float(self.values()[0]), self._table[0].tolist()
        if first * (1.0 - _SAME) <= redshift <= last * (1.0 + _SAME):
            return ()
        return (f"redshift {redshift:g} lies outside of the table, {first:g} to {last:g}, which is continued",)

    def evaluate(self, energy: Array, values: Array) -> Array:
        transmission, _ = self._transmission(energy, float(values[0]))
        return np.asarray(transmission ** values[1])

    def gradient(self, energy: Array, values: Array) -> Array:
        transmission, by_redshift = self._transmission(energy, float(values[0]))
        f = transmission ** values[1]
        return np.stack([values[1] * f * by_redshift, f * np.log(np.maximum(transmission, _TINY))])

    def kinks(self, values: Array) -> Array:
        return np.asarray(np.exp(self._table[1]))

    def unabsorbed(self) -> None:
        """Nothing but a factor of 1."""

    def _transmission(self, energy: Array, redshift: float) -> tuple[Array, Array]:
        """Transmission, and the derivative of its logarithm by redshift."""
        z, log_energy, table = self._table
        row = int(np.clip(np.searchsorted(z, redshift, side="right") - 1, 0, len(z) - 2))
        width = z[row + 1] - z[row]
        share = (redshift - z[row]) / width
        x = np.log(energy)
        node = np.clip(np.searchsorted(log_energy, x, side="right") - 1, 0, len(log_energy) - 2)
        weight = (x - log_energy[node]) / (log_energy[node + 1] - log_energy[node])
        low, high = (table[k][node] * (1.0 - weight) + table[k][node + 1] * weight for k in (row, row + 1))
        log_t = low * (1.0 - share) + high * share
        slope = np.where(log_t < 0, (high - low) / width, 0.0)
        return np.exp(np.minimum(log_t, 0.0)), slope


def builtin_file(name: str) -> Path | None:
    """The table in ``$GAMMAPY_DATA/ebl`` that a path names which does not exist here; None when it is none of them."""
    folder = os.environ.get("GAMMAPY_DATA")
    for builtin in sorted(BUILTIN, key=len, reverse=True):
        if builtin.removesuffix(".gz") in name and folder and (Path(folder) / "ebl" / builtin).is_file():
            return Path(folder) / "ebl" / builtin
    return None


def _with_unit(setting: Any) -> Any:
    """A table as documents have it."""
    return {**setting, "unit": setting.get("unit") or ""} if isinstance(setting, Mapping) else setting


def _first_row(table: Extension, name: str) -> NDArray[Any]:
    """The numbers (n,) in the first row of a column."""
    rows = table.heap_column(name)
    if not rows or rows[0].dtype.kind not in "iuf" or not rows[0].size:
        table.fail(f"column {name} has no numbers")
    return rows[0].ravel()


def _inline(settings: Mapping[str, Any]) -> tuple[Array, Array, NDArray[Any]]:
    columns = []
    for name, unit in (("param", ""), ("energy", "TeV"), ("values", "")):
        table = settings.get(name)
        if not isinstance(table, Mapping) or "data" not in table:
            raise ModelError("absorption needs a filename, or energy, param and values as {data: [...], unit: ...}")
        columns.append(np.array(table["data"], dtype=np.float64) * factor(str(table.get("unit") or ""), unit))
    try:
        return _checked(columns[0], columns[1], columns[2], "absorption table")
    except DataError as error:
        raise ModelError(str(error)) from error


def _checked(z: Array, energy: Array, rows: NDArray[Any], source: str) -> tuple[Array, Array, NDArray[Any]]:
    if rows.shape != (len(z), len(energy)) or min(rows.shape) < 2:
        raise DataError(f"{source}: {len(z)} redshifts, {len(energy)} energies, values of shape {rows.shape}")
    if not np.isfinite(rows).all() or (np.diff(z) <= 0).any() or (np.diff(energy) <= 0).any() or energy[0] <= 0:
        raise DataError(f"{source}: redshifts and energies must increase, and all values be finite")
    return z, np.log(energy), np.log(np.maximum(rows, np.finfo(rows.dtype).tiny))
