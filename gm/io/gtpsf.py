"""Point spread functions of one direction, from the Fermi tool ``gtpsf``.

HDU PSF: Energy [MeV], Exposure [cm2 s], Psf [sr-1] (one row per energy, one value per angle); HDU THETA: Theta [deg].
"""

from __future__ import annotations

import numpy as np

from gm.errors import DataError
from gm.io.fits import FitsFile
from gm.io.gadf import GadfAxis
from gm.io.map_fits import FileMap
from gm.io.tables import Column, Table


def is_gtpsf(file: FitsFile) -> bool:
    """Whether the file has the two tables that ``gtpsf`` writes."""
    psf = file.find("PSF")
    return file.find("THETA") is not None and psf is not None and psf.is_table and psf.find("Psf") is not None


def read_gtpsf(file: FitsFile) -> tuple[FileMap, FileMap]:
    """The PSF ``(n_energy_true, n_rad, 1, 1)`` [sr-1] and the exposure ``(n_energy_true, 1, 1, 1)`` [cm2 s].

    Raises `DataError`.
    """
    table = file.get("PSF")
    rad = GadfAxis("rad", np.empty(0), "deg", "lin", file.get("THETA").floats("Theta", "deg", "deg"))
    energy = GadfAxis("energy_true", np.empty(0), "MeV", "log", table.floats("Energy", "MeV", "MeV"))
    values, exposure = table.floats("Psf", "sr-1", "sr-1"), table.floats("Exposure", "cm2 s", "cm2 s")
    if values.shape != (energy.n_bins, rad.n_bins):
        table.fail(
            f"Psf has the shape {values.shape}, expected ({energy.n_bins}, {rad.n_bins}) as Energy and Theta say"
        )
    if rad.nodes is None or not (rad.nodes.size > 1 and (np.diff(rad.nodes) > 0).all()):
        raise DataError(f"{file.path}: HDU THETA: angles must increase")
    squashed = GadfAxis("rad", rad.nodes[[0, -1]], "deg", "lin")
    return (
        FileMap(values[..., None, None], (energy, rad), "sr-1"),
        FileMap(exposure[:, None, None, None], (energy, squashed), "cm2 s"),
    )


def gtpsf_tables(psf: FileMap, exposure: FileMap) -> list[Table]:
    """The two tables; energies in MeV, angles in deg, values in the units that `read_gtpsf` gives."""
    energy, rad = (axis.nodes if axis.nodes is not None else np.empty(0) for axis in psf.axes)
    columns = (
        Column("Energy", energy, "MeV"),
        Column("Exposure", exposure.data.reshape(-1), "cm2 s"),
        Column("Psf", psf.data.reshape(len(energy), -1), "sr-1"),
    )
    return [Table("PSF", columns), Table("THETA", (Column("Theta", rad, "deg"),))]
