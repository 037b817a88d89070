"""PSF files of the Fermi science tools: what is accepted, and what is said of the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from gm.errors import DataError
from gm.irf.gtpsf import read_gtpsf

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


def test_sizes_that_do_not_match(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Psf has the shape \(2, 4\), expected \(2, 3\)"):
        read_gtpsf(write(tmp_path / "psf.fits", np.ones((2, 4))))


def test_angles_out_of_order(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"psf\.fits: axis rad: values must increase"):
        read_gtpsf(write(tmp_path / "psf.fits", np.ones((2, 3)), ANGLES[::-1]))
