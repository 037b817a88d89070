"""PSF files of the Fermi science tools (``gtpsf``): one profile per energy, for one position."""

from __future__ import annotations

from pathlib import Path

from gm.errors import DataError
from gm.io.fits import FitsFile, read_fits
from gm.irf.positions import checked
from gm.irf.psf import PsfMap
from gm.maps.axes import NodeAxis
from gm.maps.reading import converted
from gm.maps.regions import RegionGeometry
from gm.units import factor


def read_gtpsf(source: str | Path | FitsFile) -> PsfMap:
    """The PSF in the tables ``PSF`` (Energy, Exposure, Psf) and ``THETA`` (Theta [deg]). Raises `DataError`.

    Energies without a unit are in MeV, PSFs per sr, exposures in cm2 s: what the tools write.
    """
    file = source if isinstance(source, FitsFile) else read_fits(source)
    table, theta = file.get("PSF"), file.get("THETA")
    energies = table.floats("Energy") * factor(table.unit("Energy") or "MeV", "TeV")
    angles = theta.floats("Theta") * factor(theta.unit("Theta") or "deg", "deg")
    try:
        energy = NodeAxis.from_nodes("energy_true", energies, "TeV", "log")
        rad = NodeAxis.from_nodes("rad", angles, "deg")
    except DataError as error:
        raise DataError(f"{file.path}: {error}") from error
    data = table.floats("Psf")
    if data.shape != (energy.n_bins, rad.n_bins) or rad.n_bins < 2:
        table.fail(f"Psf has the shape {data.shape}, expected {(energy.n_bins, rad.n_bins)} for Energy and Theta")
    data = converted(data, table.unit("Psf") or "sr-1", "sr-1", f"{file.path}: Psf")[:, :, None, None]
    exposure = converted(table.floats("Exposure"), table.unit("Exposure") or "cm2 s", "cm2 s", f"{file.path}: Exposure")
    try:
        data = checked(data, exposure[:, None, None], ("Energy", "Theta"))
    except DataError as error:
        table.fail(f"Psf {error}")
    return PsfMap(RegionGeometry(None), energy, rad, data, exposure[:, None, None])
