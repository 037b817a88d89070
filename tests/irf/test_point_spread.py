"""Exact PSF integrals against slow sums over small parts of pixels, and against differences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.interpolate import PchipInterpolator

from gm.io.fits import read_fits
from gm.irf.point_spread import PixelQuadrature, PointSpread
from gm.irf.psf import PsfMap
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.reading import read_map
from gm.maps.sphere import separation

RAD = NodeAxis.from_edges("rad", np.linspace(0, 0.66, 67), "deg")
WIDTHS = np.array([0.12, 0.07, 0.03])
FLAT = 1 / (2 * np.pi * np.radians(WIDTHS) ** 2)
PROFILES = FLAT[:, None] * np.exp(-0.5 * (RAD.center / WIDTHS[:, None]) ** 2)
SPREAD = PointSpread.from_profiles(RAD, PROFILES)
MAP = WcsGeometry.create(228.5, -59.1, 0.04, shape=(41, 41))
TILTED = WcsGeometry((41, 41), {**MAP.cards, "PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8})
PLACES = st.tuples(st.floats(228.3, 228.7), st.floats(-59.2, -59.0))


def test_the_profile_between_its_nodes() -> None:
    """It follows a Gaussian with three nodes per sigma to 5e-3 of its peak, and its integral is 1."""
    r = np.linspace(0, 0.2, 500)
    expected = np.exp(-0.5 * (r / WIDTHS[:, None]) ** 2) * FLAT[:, None] / 0.999
    np.testing.assert_allclose(SPREAD.density(r), expected, rtol=0, atol=5e-3 * FLAT[:, None].max())
    r = np.linspace(0, 0.7, 200001)
    rings = SPREAD.density(r) * 2 * np.pi * np.sin(np.radians(r))
    np.testing.assert_allclose(trapezoid(rings, np.radians(r), axis=1), 1, rtol=1e-8)
    assert (SPREAD.density(np.array([0.67, 1.0, 90.0])) == 0).all()


def test_the_cut_is_at_the_radius_of_the_energy() -> None:
    expected = WIDTHS * np.sqrt(-2 * np.log(1e-3))
    assert (np.abs(SPREAD.radii - expected) <= 0.02).all()


def test_cubics_as_in_scipy() -> None:
    """Between the nodes: `scipy.interpolate.PchipInterpolator`, which has the same slopes inside."""
    chord, values = SPREAD.chord, SPREAD.values[0]
    inside = slice(2, int(np.flatnonzero(values == 0)[0]) - 1)
    reference = PchipInterpolator(chord, values)
    r = np.degrees(2 * np.arcsin(0.5 * np.sqrt(np.linspace(chord[inside][0], chord[inside][-1], 999))))
    np.testing.assert_allclose(SPREAD.density(r)[0], reference(4 * np.sin(np.radians(r) / 2) ** 2), rtol=1e-9)


def slow_integral(geometry: WcsGeometry, y: int, x: int, lon: float, lat: float, n: int = 300) -> np.ndarray:
    """Midpoint sum over n x n parts of a pixel, with separations and solid angles by other formulae."""
    part = geometry.window(slice(y, y + 1), slice(x, x + 1)).upsample(n)
    distance = separation(lon, lat, *part.grid())
    return np.asarray((SPREAD.density(distance.ravel()) * part.solid_angle().ravel()).sum(axis=1))


@pytest.mark.parametrize("geometry", [MAP, TILTED], ids=["upright", "turned"])
@pytest.mark.parametrize("place", [(228.5, -59.1), (228.5313, -59.0874), (228.52, -59.12)])
def test_pixel_integrals(geometry: WcsGeometry, place: tuple[float, float]) -> None:
    """1e-6 of the flux in every pixel; sources on a pixel's centre, anywhere, and near a corner."""
    kernel = SPREAD.kernel_at(geometry, *place)
    x, y = (round(float(value)) for value in geometry.position(*place, None))
    for d_y, d_x in [(0, 0), (0, 1), (1, 1), (-2, 1), (3, -4), (7, 2)]:
        expected = slow_integral(geometry, y + d_y, x + d_x, *place)
        got = kernel.data[:, y + d_y - kernel.y.start, x + d_x - kernel.x.start]
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(kernel.data.sum(axis=(1, 2)), 1, rtol=0, atol=1e-5)


@settings(max_examples=15, deadline=None)
@given(place=PLACES, frame=st.sampled_from(["icrs", "galactic"]))
def test_gradient(place: tuple[float, float], frame: str) -> None:
    """Against central differences with the same points: 1e-5 of the largest derivative."""
    lon, lat = place if frame == "icrs" else (320.3 + 0.2 * (place[0] - 228.5), -1.2 + 0.2 * (place[1] + 59.1))
    y, x = (axis.ravel() for axis in np.mgrid[10:30, 10:30])
    points = SPREAD.points(MAP, y, x, lon, lat, frame)
    gradient = SPREAD.gradient(points, lon, lat, frame)
    step = 2e-5
    for i, (d_lon, d_lat) in enumerate([(step, 0.0), (0.0, step)]):
        above = SPREAD.at(points, lon + d_lon, lat + d_lat, frame)
        below = SPREAD.at(points, lon - d_lon, lat - d_lat, frame)
        largest = np.abs(gradient[i]).max(axis=1, keepdims=True)
        np.testing.assert_allclose((above - below) / (2 * step) / largest, gradient[i] / largest, rtol=0, atol=1e-5)


def test_a_moving_source_keeps_its_flux_and_is_smooth() -> None:
    y, x = (axis.ravel() for axis in np.mgrid[:41, :41])
    points = SPREAD.points(MAP, y, x, 228.5, -59.1)
    lon = 228.5 + np.linspace(-0.04, 0.04, 41)
    values = np.array([SPREAD.at(points, float(place), -59.1) for place in lon])
    np.testing.assert_allclose(values.sum(axis=2), 1, rtol=0, atol=2e-5)
    centre = values[:, :, 20 * 41 + 20]
    curvature = np.diff(centre, 2, axis=0)
    assert np.abs(np.diff(curvature, axis=0)).max() < 0.2 * np.abs(curvature).max()


def test_weights_are_solid_angles() -> None:
    y, x = (axis.ravel() for axis in np.mgrid[:5, :5])
    points = PixelQuadrature.of(TILTED, y, x)
    np.testing.assert_allclose(points.weights.sum(axis=1), TILTED.solid_angle()[:5, :5].ravel(), rtol=1e-5)
    wide = WcsGeometry.create(0.0, 0.0, 1.0, shape=(180, 360), frame="galactic")
    y, x = (axis.ravel() for axis in np.mgrid[:180, :360])
    assert PixelQuadrature.of(wide, y, x).weights.sum() == pytest.approx(4 * np.pi, rel=1e-9)


def test_pixels_beyond_the_sky_get_nothing() -> None:
    wide = WcsGeometry.create(0.0, 0.0, 10.0, shape=(24, 40), frame="galactic")
    y, x = (axis.ravel() for axis in np.mgrid[:24, :40])
    points = PixelQuadrature.of(wide, y, x)
    assert np.isfinite(points.weights).all()
    assert points.weights.sum() == pytest.approx(4 * np.pi, rel=1e-6)


def test_energies_without_a_psf() -> None:
    spread = PointSpread.from_profiles(RAD, np.concatenate([PROFILES[:1], np.zeros((1, 66))]))
    kernel = spread.kernel(MAP, 228.5, -59.1)
    assert kernel.fraction_lost.tolist() == [0, 1]
    assert kernel.is_empty.tolist() == [False, True]
    nothing = PointSpread.from_profiles(RAD, np.zeros((2, 66)))
    assert nothing.kernel(MAP, 228.5, -59.1).shape == (1, 1)


def test_a_source_outside_the_map() -> None:
    kernel = SPREAD.kernel_at(MAP, 229.9, -59.1)
    assert kernel.data.shape[1:] == (41, 0) or 0 <= kernel.data.sum(axis=(1, 2)).max() < 1


@pytest.mark.parametrize(
    ("file", "place", "frame"),
    [
        ("reference/hess-msh1552-runs/run20136.fits.gz", (228.5533, -59.1693), "icrs"),
        ("reference/fermi-3fhl-crab/Fermi-LAT.fits.gz", (83.6331, 22.0199), "icrs"),
    ],
)
def test_measured_profiles(shared: Path, file: str, place: tuple[float, float], frame: str) -> None:
    """Profiles of real instruments, noisy and with narrow cores: 1e-6 of the flux against many more points."""
    fits = read_fits(shared / file)
    psf, exposure = PsfMap.from_map(read_map(fits, "PSF")), read_map(fits, "EXPOSURE")
    geometry = exposure.grid()
    spread = psf.spread(exposure.axes[0].center, *place, frame)
    x, y = (round(float(value)) for value in geometry.position(*place, frame))
    rows, columns = (axis.ravel() for axis in np.mgrid[y - 4 : y + 5, x - 4 : x + 5])
    points = spread.points(geometry, rows, columns, *place, frame)
    dense = PixelQuadrature.of(geometry, rows, columns, 64)
    expected = spread.at(type(points)(geometry.frame, len(rows), ((np.arange(len(rows)), dense),)), *place, frame)
    np.testing.assert_allclose(spread.at(points, *place, frame), expected, rtol=0, atol=1e-6)
