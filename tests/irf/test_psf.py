"""PSF maps made by hand: interpolation, radii, positions, kernels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm.conventions import Conventions
from gm.errors import DataError
from gm.irf import psf_kernel
from gm.irf.psf import PsfMap
from gm.irf.psf_kernel import KernelGrid, build_kernel, odd_pixels, upsampling
from gm.irf.totals import short_total
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.healpix import HealpixGeometry
from gm.maps.map import Map
from gm.maps.regions import RegionGeometry
from gm.maps.sphere import separation

RAD = NodeAxis.from_edges("rad", np.linspace(0, 0.66, 67), "deg")
ENERGY = EnergyAxis(np.array([0.1, 1.0, 10.0]), "energy_true")
GRID = WcsGeometry.create(30.0, 10.0, 0.5, shape=(3, 5))


def gauss_map(sigma: np.ndarray, geometry: WcsGeometry = GRID, energy: EnergyAxis = ENERGY) -> PsfMap:
    """Gaussians of width sigma (n_energy, n_y, n_x) [deg]."""
    width = np.radians(sigma)[:, None]
    data = np.exp(-0.5 * (np.radians(RAD.center)[:, None, None] / width) ** 2) / (2 * np.pi * width**2)
    return PsfMap.from_map(Map(geometry, (energy, RAD), data, "sr-1"))


def sky(x: float, y: float) -> tuple[float, float]:
    lon, lat = GRID.sky(x, y)
    return float(lon), float(lat)


@pytest.fixture
def gauss() -> PsfMap:
    return gauss_map(np.broadcast_to(np.array([0.1, 0.05])[:, None, None], (2, 3, 5)))


def test_containment_of_a_gaussian(gauss: PsfMap) -> None:
    """1 - exp(-r^2 / 2 sigma^2), to the accuracy of sums over bins of a tenth or a fifth of sigma."""
    expected = 1 - np.exp(-0.5 * (0.1 / np.array([0.1, 0.05])) ** 2)
    np.testing.assert_allclose(gauss.containment(0.1, ENERGY.center, 30.0, 10.0), expected, rtol=5e-3)
    radii = gauss.containment_radius(0.68, ENERGY.center, 30.0, 10.0)
    np.testing.assert_allclose(radii, np.array([0.1, 0.05]) * np.sqrt(-2 * np.log(0.32)), rtol=0.01)
    np.testing.assert_allclose(gauss.containment(5.0, ENERGY.center), 1, rtol=3e-3)


def test_what_is_contained_beyond_the_energies_of_the_axis_is_a_part(gauss: PsfMap) -> None:
    """39 and 86 % at 0.3 and 3 TeV: a straight line is at 133 % at 30 TeV, and at -9 % at 0.03 TeV."""
    found = gauss.containment(0.1, np.array([0.003, 0.03, 1.0, 30.0]))
    np.testing.assert_allclose(found, [0.0, 0.0, 0.629067, 1.0], rtol=5e-3)


def test_between_pixels_and_energies(gauss: PsfMap) -> None:
    """Linear in pixels and in ln E."""
    sigma = np.broadcast_to(np.linspace(0.05, 0.15, 5), (2, 3, 5)) * np.array([1.0, 0.5])[:, None, None]
    psf = gauss_map(sigma)
    between = psf.profiles(*sky(1.25, 1.0))
    np.testing.assert_allclose(between, 0.75 * psf.data[:, :, 1, 1] + 0.25 * psf.data[:, :, 1, 2], rtol=1e-9)
    halfway = psf.profiles_at(between, np.array([1.0]))
    np.testing.assert_allclose(halfway[0], between.mean(axis=0), rtol=1e-12)


def test_energies_off_the_axis_have_the_smallest_radius(gauss: PsfMap) -> None:
    """Gammapy 2.1: the containment is 0 there, so that the first radius is the nearest."""
    assert gauss.containment_radius(0.68, np.array([0.05, 20.0])).tolist() == [0.00025, 0.00025]


def exposed(exposure: np.ndarray) -> Map:
    squashed = NodeAxis.from_edges("rad", RAD.edges[[0, -1]], "deg")
    return Map(GRID, (ENERGY, squashed), exposure[:, None], "cm2 s")


def test_units_and_values_where_nothing_was_observed() -> None:
    data = np.ones((2, 66, 3, 5), dtype=np.float32)
    data[0, 0], data[0, 1] = np.nan, -1
    exposure = np.ones((2, 3, 5))
    exposure[0] = 0
    psf = PsfMap.from_map(Map(GRID, (ENERGY, RAD), data, "deg-2"), exposed(exposure))
    assert psf.data[0].max() == psf.data[0].min() == 0
    assert psf.data.dtype == np.float32
    assert psf.data[1, 1, 1, 1] == pytest.approx((180 / np.pi) ** 2, rel=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
@pytest.mark.parametrize("exposure", [None, np.ones((2, 3, 5)), np.zeros((2, 3, 5))])
def test_values_that_are_no_psf(bad: float, exposure: np.ndarray | None) -> None:
    """With an exposure of 0 everywhere nobody has filled it in."""
    data = np.ones((2, 66, 3, 5))
    data[1, 2, 0, 4] = bad
    with pytest.raises(DataError, match=rf"is {bad:g} in bin energy_true 1, rad 2, y 0, x 4.*\n.*1 of 1980 values"):
        PsfMap.from_map(Map(GRID, (ENERGY, RAD), data, "sr-1"), None if exposure is None else exposed(exposure))


def test_what_rounding_and_extrapolation_leave_below_0_stays() -> None:
    data = np.ones((2, 66, 3, 5))
    data[0, -1] = -1e-6
    assert PsfMap.from_map(Map(GRID, (ENERGY, RAD), data, "sr-1")).data is not None
    with pytest.raises(DataError, match="is -1 in bin"):
        PsfMap.from_map(Map(GRID, (ENERGY, RAD), -np.ones_like(data), "sr-1"))


def test_an_exposure_that_does_not_fit() -> None:
    psf = Map(GRID, (ENERGY, RAD), np.ones((2, 66, 3, 5)), "sr-1")
    with pytest.raises(DataError, match="its exposure has values that are negative or not finite"):
        PsfMap.from_map(psf, exposed(np.full((2, 3, 5), np.nan)))
    one = NodeAxis.from_nodes("energy_true", [1.0], "TeV", "log")
    with pytest.raises(DataError, match=r"its exposure has the shape \(1, 3, 5\)"):
        PsfMap.from_map(psf, Map(GRID, (one,), np.ones((1, 3, 5)), "cm2 s"))


@pytest.mark.parametrize("rad", [RAD, NodeAxis.from_nodes("rad", np.linspace(0, 1, 101), "deg")])
@pytest.mark.parametrize("conventions", list(Conventions))
def test_a_psf_in_its_first_bin(rad: NodeAxis, conventions: Conventions) -> None:
    """What is seen within 0.015 deg is a pixel of 0.05 deg."""
    data = np.zeros((2, rad.n_bins, 1, 1))
    data[:, 0] = 1e5
    psf = PsfMap.from_map(Map(RegionGeometry(None), (ENERGY, rad), data, "sr-1"))
    grid = WcsGeometry.create(30.0, 10.0, 0.05, shape=(9, 9))
    kernel = psf.kernel(grid, ENERGY, *grid.center(), conventions=conventions)
    center = kernel.shape[0] // 2
    np.testing.assert_allclose(kernel.data[:, center, center], 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("psf", "message"),
    [
        (Map(GRID, (RAD,), np.ones((66, 3, 5)), "sr-1"), "found rad"),
        (Map(GRID, (RAD, ENERGY), np.ones((66, 2, 3, 5)), "sr-1"), "slowest first"),
        (Map(GRID, (ENERGY, RAD), np.ones((2, 66, 3, 5)), "m"), "the PSF is in 'm'"),
        (Map(HealpixGeometry(1, False, "icrs"), (ENERGY, RAD), np.ones((2, 66, 12)), "sr-1"), "HealpixGeometry"),
        (
            Map(GRID, (ENERGY, NodeAxis.from_nodes("rad", [0.1], "deg")), np.ones((2, 1, 3, 5)), "sr-1"),
            "one bin of rad",
        ),
    ],
)
def test_maps_that_are_no_psf(psf: Map, message: str) -> None:
    with pytest.raises(DataError, match=message):
        PsfMap.from_map(psf)


def test_the_nearest_pixel_with_a_psf() -> None:
    sigma = np.broadcast_to(np.linspace(0.05, 0.15, 5), (2, 3, 5))
    psf = gauss_map(sigma)
    psf.data[..., :2] = 0.0
    assert psf.locate(*sky(0.2, 1.1)) == (2.0, 1.0)
    assert psf.locate(40.0, 10.0) == (2.0, 1.0)
    assert psf.locate(*sky(3.3, 1.1)) == pytest.approx((3.3, 1.1))
    assert psf.locate(None, None) == (2.0, 1.0)
    psf.data[:] = 0.0
    kernel = psf.kernel(WcsGeometry.create(30.0, 10.0, 0.02, shape=(9, 9)), ENERGY, 30.0, 10.0)
    assert kernel.is_empty.all()
    assert (kernel.fraction_lost == 1).all()


def test_one_pixel_is_everywhere() -> None:
    psf = gauss_map(np.full((2, 1, 1), 0.1), WcsGeometry.create(0.0, 0.0, 0.2, shape=(1, 1)))
    assert psf.has_single_pixel
    assert np.array_equal(psf.profiles(0.0, 0.0), psf.profiles(120.0, -50.0))


def test_more_true_energies_than_nodes(gauss: PsfMap) -> None:
    """Radii are paired by index: the third energy has none. Energies with too small a radius say what they lose."""
    target = EnergyAxis(np.geomspace(0.1, 10.0, 4), "energy_true")
    kernel = gauss.kernel(WcsGeometry.create(30.0, 10.0, 0.02, shape=(9, 9)), target)
    assert kernel.is_empty.tolist() == [False, False, True]
    assert kernel.radii[2] == 0
    assert 1e-3 < kernel.fraction_lost[0] < 3e-3
    assert kernel.fraction_lost[1] > 0.005
    assert kernel.fraction_lost[2] == 1


@given(radius=st.floats(0, 3), scale=st.floats(0.01, 1))
def test_kernels_are_odd_and_cover_the_radius(radius: float, scale: float) -> None:
    n = odd_pixels(radius, scale)
    assert n % 2 == 1
    assert 2 * radius / scale - 1 <= n <= 2 * radius / scale + 2


def test_upsampling() -> None:
    assert upsampling(np.array([1.0, 0.05, 0.03, 1e-4, 0.0]), 0.02) == [1, 3, 4, 4, 4]


@pytest.mark.parametrize("projection", ["CAR", "TAN", "AIT"])
@pytest.mark.parametrize("factor", [1, 2, 3])
def test_a_quadrant_is_enough(projection: str, factor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles = np.exp(-RAD.center / np.array([[0.2], [0.1]]))
    quadrant = KernelGrid(projection, 0.1).images(factor, 9, RAD, profiles)
    monkeypatch.setattr(psf_kernel, "_SYMMETRIC", ())
    grid = KernelGrid(projection, 0.1)
    grid.images(factor, 15, RAD, profiles)  # the small kernel is a part of the large one
    np.testing.assert_allclose(grid.images(factor, 9, RAD, profiles), quadrant, rtol=1e-9)


@pytest.mark.parametrize("scale", [0.02, 0.3])
def test_sums_over_sub_pixels(scale: float) -> None:
    """Against each sub-pixel by itself; profiles that are continued below 0, before the first node and after the last,
    are set to 0 there."""
    profiles = np.stack([np.exp(-RAD.center / 0.2), RAD.center, np.clip(1.0 - 2 * np.abs(RAD.center - 0.3), 0, None)])
    n, factor = 7, 3
    found = KernelGrid("CAR", scale).images(factor, n, RAD, profiles)
    at = (np.arange(n * factor) + 0.5) / factor - n / 2
    geometry = WcsGeometry.create(0.0, 0.0, scale, shape=(n, n), projection="CAR")
    distance = separation(0.0, 0.0, *geometry.sky(at[None] + n // 2, at[:, None] + n // 2))
    position = RAD.pixel(distance)
    first = np.clip(np.floor(position), 0, RAD.n_bins - 2).astype(int)
    assert (position < 0).any() or (position > RAD.n_bins - 1).any()
    for profile, kernel in zip(profiles, found, strict=True):
        values = profile[first] + (position - first) * (profile[first + 1] - profile[first])
        expected = np.maximum(values, 0).reshape(n, factor, n, factor).sum(axis=(1, 3))
        np.testing.assert_allclose(kernel, expected, rtol=1e-11, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(sigma=st.floats(0.02, 0.15), lon=st.floats(0, 360), lat=st.floats(-80, 80), code=st.sampled_from(["CAR", "TAN"]))
def test_kernels_are_normalised_and_symmetric(sigma: float, lon: float, lat: float, code: str) -> None:
    psf = gauss_map(np.full((2, 3, 5), sigma))
    geometry = WcsGeometry.create(lon, lat, 0.03, shape=(9, 9), projection=code)
    for conventions in Conventions:
        kernel = psf.kernel(geometry, ENERGY, conventions=conventions)
        np.testing.assert_allclose(kernel.data.sum(axis=(1, 2)), 1, rtol=1e-5)
        assert (kernel.data >= 0).all()
        assert kernel.data.argmax(axis=-1).max() == kernel.shape[1] // 2
        np.testing.assert_allclose(kernel.data, kernel.data[:, :, ::-1], rtol=0, atol=1e-6)


def test_a_kernel_too_large_for_any_memory() -> None:
    rad = NodeAxis.from_edges("rad", np.array([0.0, 0.1, 1e9]), "deg")
    with pytest.raises(DataError, match=r"the PSF reaches 1e\+09 deg: kernels of .* are too large"):
        build_kernel(KernelGrid("CAR", 0.02), rad, np.ones((1, 2)), np.array([1e9]), np.array([0.1]), np.zeros_like)


@pytest.mark.parametrize(("part", "told"), [(0.6, 0.6), (0.005, None), (0.95, None)])
def test_a_table_that_ends_before_the_psf_does_at_some_energies(part: float, told: float | None) -> None:
    """Of a Gaussian ``1 - exp(-r^2 / 2 sigma^2)`` is inside r; the others are whole."""
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 1.0, 1001), "deg")
    sigma = np.array([0.05, 0.1, np.sqrt(-0.5 / np.log1p(-part))])
    density = np.exp(-0.5 * (rad.center / sigma[:, None]) ** 2) / (2 * np.pi * np.radians(sigma[:, None]) ** 2)
    energy = EnergyAxis(np.geomspace(1.0, 10.0, 4), "energy_true")
    geometry = WcsGeometry.create(0.0, 0.0, 1.0, shape=(1, 1))
    psf = PsfMap(geometry, energy, rad, density[:, :, None, None])
    assert short_total(psf.totals()) == (None if told is None else pytest.approx(told, rel=1e-3))
    assert psf.strange_total() is None
