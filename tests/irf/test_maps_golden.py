"""PSF kernels, containments and energy dispersion of real datasets against Gammapy 2.1.

The numbers in ``golden_kernels.json`` were printed by ``make_golden_kernels.py``. Kernels are float32, and so are sums
over their pixels in Gammapy: 1e-6 of the peak is what their rounding allows.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.conventions import Conventions
from gm.io.fits import read_fits
from gm.irf.edisp_map import edisp_from_map
from gm.irf.gtpsf import read_gtpsf
from gm.irf.psf import PsfMap
from gm.irf.psf_kernel import KernelGrids, PsfKernel
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("golden_kernels.json").read_text())
NAMES = [f"{Path(case['file']).name.partition('.')[0]}-{case['position']}" for case in CASES]

HALF_WAY = "run20136-None"  # the centre lies between four pixels, where Gammapy's choice hangs on the last digit


@cache
def maps_of(file: Path) -> dict[str, Map]:
    fits = read_fits(file)
    return {name: read_map(fits, name) for name in ("COUNTS", "EXPOSURE", "PSF", "EDISP")}


def place_of(case: dict[str, Any]) -> tuple[float | None, float | None, str | None]:
    return (*case["position"], case["frame"]) if case["position"] else (None, None, None)


def weighted_sums(data: np.ndarray) -> np.ndarray:
    y, x = np.indices(data.shape[-2:])
    return np.asarray((data.astype(float) * np.cos(0.37 * y + 0.11 * x + 0.5)).sum(axis=(-2, -1)))


def resized(kernel: PsfKernel, size: int) -> np.ndarray:
    """The kernel with zeros around it, or without those that it has."""
    border = (size - kernel.shape[0]) // 2
    if border >= 0:
        return np.pad(kernel.data, ((0, 0), (border, border), (border, border)))
    part = kernel.data[:, -border:border, -border:border]
    assert part.sum(dtype=float) == kernel.data.sum(dtype=float)
    return part


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_kernels_and_containments(shared: Path, case: dict[str, Any]) -> None:
    maps, place, expected = maps_of(shared / case["file"]), place_of(case), case["psf"]
    psf = PsfMap.from_map(maps["PSF"])
    target = maps["COUNTS" if psf.is_reco else "EXPOSURE"]
    kernel = psf.kernel(target.grid(), target.axes[0], *place)
    size, peak = expected["shape"][1], max(expected["centre"])
    # where the PSF ends before 0.999 are inside, or has a hole, the cumulative sum is flat and the last digit decides
    # which radius it is: one step of the grid of radii more or less, or more pixels that are 0
    radii = psf.containment_radius(0.999, psf.energy.center, *place)
    is_flat = radii > 2.5 if psf.is_reco else np.zeros(len(radii), dtype=bool)
    np.testing.assert_allclose(radii[~is_flat], np.array(expected["radii"])[~is_flat], rtol=0, atol=0.0016)
    assert kernel.shape[0] == size or is_flat.any()
    data = resized(kernel, size)
    centre = size // 2
    np.testing.assert_allclose(data[:, centre, centre], expected["centre"], rtol=0, atol=1e-6 * peak)
    rows = data[::5, centre + centre // 8, centre:]
    np.testing.assert_allclose(rows, expected["row"], rtol=0, atol=1e-6 * peak)
    np.testing.assert_allclose(data.sum(axis=(1, 2), dtype=float), expected["sums"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(weighted_sums(data), expected["weighted_sums"], rtol=0, atol=1e-6)
    assert (kernel.is_empty == (np.array(expected["sums"]) == 0)).all()
    assert (kernel.fraction_lost[kernel.is_empty] == 1).all()
    inside = psf.containment(0.2, target.axes[0].center, *place)
    np.testing.assert_allclose(inside, expected["containment"], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("case", [pytest.param(c, id=n) for c, n in zip(CASES, NAMES, strict=True) if n != HALF_WAY])
def test_energy_dispersion(shared: Path, case: dict[str, Any]) -> None:
    maps, expected = maps_of(shared / case["file"]), case["edisp"]
    matrix = edisp_from_map(maps["EDISP"]).kernel(maps["COUNTS"].axes[0], *place_of(case))  # type: ignore[arg-type]
    assert list(matrix.shape) == expected["shape"]
    np.testing.assert_allclose(matrix.sum(axis=1), expected["row_sums"], rtol=1e-12)
    np.testing.assert_allclose(weighted_sums(matrix[None])[0], expected["weighted_sum"], rtol=1e-12)
    np.testing.assert_allclose(matrix[len(matrix) // 2], expected["row"], rtol=0, atol=0)


@pytest.fixture(scope="module")
def fermi(shared: Path) -> tuple[PsfMap, Map]:
    maps = maps_of(shared / "reference/fermi-3fhl-crab/Fermi-LAT.fits.gz")
    return PsfMap.from_map(maps["PSF"]), maps["EXPOSURE"]


CRAB = (83.63310241699219, 22.019899368286133, "icrs")


def test_fermi_crab_kernel(fermi: tuple[PsfMap, Map]) -> None:
    """Published numbers of the 3FHL Crab cube (Gammapy 2.1): size, centre and radii."""
    psf, exposure = fermi
    kernel = psf.kernel(exposure.grid(), exposure.axes[0], *CRAB)
    assert kernel.shape == (47, 47)
    centre = [0.37021133, 0.4859028, 0.4924556, 0.5084533, 0.55554324]
    np.testing.assert_allclose(kernel.data[:, 23, 23], centre, rtol=1e-6)
    np.testing.assert_allclose(kernel.radii, [2.31042, 2.06573, 1.96103, 1.84329, 1.72228], atol=5e-6)


def test_fermi_containment(fermi: tuple[PsfMap, Map]) -> None:
    """Containment in 0.5 deg as Gammapy 2.1 corrects spectra with it."""
    psf, exposure = fermi
    inside = psf.containment(0.5, exposure.axes[0].center, *CRAB)
    np.testing.assert_allclose(inside, [0.93535157, 0.9552166, 0.96779901, 0.97811495, 0.98740651], rtol=1e-8)


def test_radii_belong_to_other_energies(shared: Path) -> None:
    """12 true energies, 11 PSF nodes: with Gammapy's conventions the last kernel is empty, with exact ones not."""
    maps = maps_of(shared / "reference/fermi-3fhl-gc/fermi-3fhl-gc.fits.gz")
    psf, exposure = PsfMap.from_map(maps["PSF"]), maps["EXPOSURE"]
    kernel = psf.kernel(exposure.grid(), exposure.axes[0], 0.0, 0.0, "galactic")
    assert kernel.is_empty.tolist() == [False] * 11 + [True]
    assert kernel.fraction_lost[-1] == 1
    assert (kernel.fraction_lost[:-1] < 0.003).all()
    exact = psf.kernel(exposure.grid(), exposure.axes[0], 0.0, 0.0, "galactic", conventions=Conventions.EXACT)
    assert not exact.is_empty.any()
    assert (exact.fraction_lost == 0).all()
    np.testing.assert_allclose(exact.data.sum(axis=(1, 2)), 1, rtol=1e-6)


def test_datasets_with_equal_pixels_share_their_grid(shared: Path) -> None:
    grids = KernelGrids()
    maps = maps_of(shared / "reference/hess-msh1552-runs/run20136.fits.gz")
    psf, exposure = PsfMap.from_map(maps["PSF"]), maps["EXPOSURE"]
    first = psf.kernel(exposure.grid(), exposure.axes[0], 228.547, -59.174, "icrs", grids=grids)
    elsewhere = WcsGeometry.create(10.0, 40.0, 0.02, shape=(9, 9))
    assert grids.of(elsewhere) is grids.of(exposure.grid())
    again = psf.kernel(elsewhere, exposure.axes[0], 228.547, -59.174, "icrs", grids=grids)
    assert np.array_equal(first.data, again.data)


def test_gtpsf(shared: Path) -> None:
    """The PSF of the Galactic centre as the science tools wrote it, and as Gammapy stored it with the dataset."""
    psf = read_gtpsf(shared / "data/fermi-3fhl-gc/fermi-3fhl-gc-psf-cube.fits.gz")
    assert psf.has_single_pixel
    assert psf.exposure is not None
    assert psf.exposure.shape == (psf.energy.n_bins, 1, 1)
    radius = psf.containment_radius(0.68, np.array([0.01, 0.1]))
    assert 0.05 < radius[1] < radius[0] < 0.4
    np.testing.assert_allclose(psf.containment(30.0, psf.energy.center), 1, atol=0.02)
