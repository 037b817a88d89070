"""PSF files of the Fermi science tools: what is accepted, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from gm.errors import DataError
from gm.irf.gtpsf import read_gtpsf
from gm.maps.reading import read_psf_and_exposure

DEG2 = np.radians(1.0) ** 2

ENERGIES, ANGLES = np.array([1e4, 1e5]), np.array([0.0, 0.1, 0.3])


def write(path: Path, psf: np.ndarray, angles: np.ndarray = ANGLES) -> Path:
    n = psf.shape[1]
    columns = [
        fits.Column("Energy", "D", unit="MeV", array=ENERGIES),
        fits.Column("Exposure", "D", unit="cm2 s", array=[1e11, 2e11]),
        fits.Column("Psf", f"{n}D", unit="sr-1", array=psf),
    ]
    tables = [fits.BinTableHDU.from_columns(columns, name="PSF")]
    tables.append(fits.BinTableHDU.from_columns([fits.Column("Theta", "D", unit="deg", array=angles)], name="THETA"))
    fits.HDUList([fits.PrimaryHDU(), *tables]).writeto(path)
    return path


def test_units_and_shapes(tmp_path: Path) -> None:
    psf = read_gtpsf(write(tmp_path / "psf.fits", np.arange(6.0).reshape(2, 3)))
    np.testing.assert_allclose(psf.energy.center, [0.01, 0.1], rtol=1e-12)
    assert psf.rad.center.tolist() == [0.0, 0.1, 0.3]
    assert psf.exposure is not None
    assert psf.exposure.ravel().tolist() == [1e11, 2e11]
    assert psf.profiles(10.0, 20.0, "galactic").tolist() == [[0, 1, 2], [3, 4, 5]]


def test_maps_of_it_have_the_units_of_its_columns(tmp_path: Path) -> None:
    """GeV, arcmin, m2 s and deg-2 in place of what the tool writes: the same maps."""
    usual = read_psf_and_exposure(write(tmp_path / "psf.fits", np.arange(6.0).reshape(2, 3)))
    with fits.open(tmp_path / "psf.fits") as file:
        for hdu, column, unit, factor in (
            ("PSF", "Energy", "GeV", 1e-3), ("PSF", "Exposure", "m2 s", 1e-4), ("PSF", "Psf", "deg-2", DEG2),
            ("THETA", "Theta", "arcmin", 60.0),
        ):  # fmt: skip
            file[hdu].data[column] *= factor
            file[hdu].columns[column].unit = unit
        file.writeto(tmp_path / "other.fits")
    for found, expected in zip(read_psf_and_exposure(tmp_path / "other.fits"), usual, strict=True):
        np.testing.assert_allclose(found.data, expected.data, rtol=1e-12)
        for axis, own in zip(found.axes, expected.axes, strict=True):
            np.testing.assert_allclose(axis.center, own.center, rtol=1e-12)


def test_sizes_that_do_not_match(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Psf has the shape \(2, 4\), expected \(2, 3\)"):
        read_gtpsf(write(tmp_path / "psf.fits", np.ones((2, 4))))


def test_angles_out_of_order(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"psf\.fits: axis rad: values must increase"):
        read_gtpsf(write(tmp_path / "psf.fits", np.ones((2, 3)), ANGLES[::-1]))
