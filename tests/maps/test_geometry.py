"""Pixel grids: coordinates, sizes and cutouts as Gammapy has them, and the laws of sub-grids.

``golden_maps.json`` is what Gammapy 2.1 gives (``make_golden_maps.py``). Tolerances: 1e-9 deg and 1e-9 pixel are
rounding of both sides' trigonometry; solid angles lose digits in differences of position angles, hence 1e-8.
"""

from __future__ import annotations

import copy
import hashlib
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import DataError
from gm.maps.geometry import WcsGeometry
from gm.maps.projection import Projection, celestial_cards
from gm.maps.shapes import SkyShape
from gm.maps.sky_region import SkyRegion
from gm.maps.sphere import lon_lat, separation, unit_vectors

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden_maps.json").read_text())


def grid_of(entry: dict[str, Any]) -> WcsGeometry:
    return WcsGeometry(tuple(entry["shape"]), entry["cards"])


def numbers(values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, dtype=np.float64)  # null -> NaN


@pytest.fixture(params=GOLDEN, scope="module")
def golden(request: pytest.FixtureRequest) -> tuple[WcsGeometry, dict[str, Any]]:
    entry = GOLDEN[request.param]
    return grid_of(entry), entry


def test_coordinates(golden: tuple[WcsGeometry, dict[str, Any]]) -> None:
    grid, entry = golden
    ny, nx = grid.shape
    x, y = np.meshgrid(np.arange(0, nx, entry["step"]) + 0.3, np.arange(0, ny, entry["step"]) - 0.2)
    lon, lat = grid.sky(x, y)
    expected_lon, expected_lat = numbers(entry["lon"]), numbers(entry["lat"])
    assert np.array_equal(np.isnan(lat), np.isnan(expected_lat))
    there = np.isfinite(lat)
    assert separation(lon, lat, expected_lon, expected_lat)[there].max() < 1e-9
    back = np.array(grid.pixel(lon, lat))
    assert np.abs(back - [x, y])[:, there].max() < 1e-9
    assert grid.frame == entry["frame"]
    assert np.allclose(np.array(grid.position(*entry["source"])), entry["pixel"], atol=1e-9, rtol=0)


def test_sizes(golden: tuple[WcsGeometry, dict[str, Any]]) -> None:
    grid, entry = golden
    assert grid.pixel_scales() == pytest.approx(entry["scales"], rel=1e-12)
    assert grid.width() == pytest.approx(entry["width"], rel=1e-12)
    assert separation(*grid.center(), *entry["center"]) < 1e-9
    step = entry["step"]
    expected = numbers(entry["solid_angle"])
    assert np.allclose(grid.solid_angle()[::step, ::step], expected, rtol=1e-8, atol=0, equal_nan=True)
    lon, lat, frame = entry["source"]
    distances = grid.separation(lon, lat, frame)[::step, ::step]
    assert np.allclose(distances, numbers(entry["separation"]), atol=1e-9, rtol=0, equal_nan=True)


def test_cutouts(golden: tuple[WcsGeometry, dict[str, Any]]) -> None:
    grid, entry = golden
    lon, lat, frame = entry["source"]
    for width, odd, shape, first in entry["cuts"]:
        cut = grid.cutout(lon, lat, width, frame, odd=odd)
        if shape is None:
            assert cut is None
            continue
        assert cut is not None
        assert ([*cut.geometry.shape], [cut.x.start, cut.y.start]) == (shape, first), (width, odd)
        assert (cut.y.stop - cut.y.start, cut.x.stop - cut.x.start) == cut.geometry.shape


def test_region_masks(golden: tuple[WcsGeometry, dict[str, Any]]) -> None:
    grid, entry = golden
    (lon, lat), one = entry["own"], entry["scale"]
    d = one / np.cos(np.radians(lat))
    shapes = {
        "circle": SkyShape("circle", grid.frame, (lon,), (lat,), (one,)),
        "annulus": SkyShape("annulus", grid.frame, (lon,), (lat,), (0.5 * one, one)),
        "ellipse": SkyShape("ellipse", grid.frame, (lon,), (lat,), (2.0 * one, 0.7 * one), 35.0),
        "rectangle": SkyShape("rectangle", grid.frame, (lon,), (lat,), (1.6 * one, 0.9 * one), -20.0),
        "polygon": SkyShape("polygon", grid.frame, (lon - d, lon + d, lon), (lat, lat + 0.2 * one, lat - one)),
        "point": SkyShape("point", grid.frame, (lon,), (lat,)),
    }
    for kind, (count, digest) in entry["masks"].items():
        mask = SkyRegion((shapes[kind],)).contains(grid)
        assert int(mask.sum()) == count, kind
        assert hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16] == digest, kind


def pixels_of(grid: WcsGeometry) -> np.ndarray[Any, Any]:
    """Unit vectors of the pixel centres, to compare positions near the poles and across 0 deg."""
    return unit_vectors(*grid.grid())


@pytest.mark.parametrize("name", ["fermi", "oblong", "pole"])
def test_other_grids(name: str) -> None:
    grid = grid_of(GOLDEN[name])
    k = 2
    fine = grid.upsample(k)
    assert np.allclose(fine.vectors(), grid.vectors(k), atol=1e-13)
    assert fine.downsample(k).same_as(grid)
    if name != "pole":  # where the two plane triangles that make a pixel's area are no good
        parts = fine.solid_angle().reshape(grid.shape[0], k, grid.shape[1], k).sum(axis=(1, 3))
        assert np.allclose(parts, grid.solid_angle(), rtol=1e-4)
    padded = grid.pad(3, 2)
    assert padded.shape == (grid.shape[0] + 4, grid.shape[1] + 6)
    assert np.allclose(pixels_of(padded)[:, 2:-2, 3:-3], pixels_of(grid), atol=1e-13)
    assert grid.offset_in(padded) == (2, 3)
    window = grid.window(slice(4, 11), slice(7, 9))
    assert window.shape == (7, 2)
    assert np.allclose(pixels_of(window), pixels_of(grid)[:, 4:11, 7:9], atol=1e-13)
    assert window.offset_in(grid) == (4, 7)
    assert not window.same_as(grid)
    moved = grid.center_on(*grid.center(), (9, 9))
    assert separation(*moved.center(), *grid.center()) < 1e-9
    assert moved.pixel_scales() == pytest.approx((max(grid.pixel_scales()),) * 2, rel=1e-12)


def test_grids_that_do_not_coincide() -> None:
    grid = grid_of(GOLDEN["fermi"])
    cards = dict(grid.cards)
    assert WcsGeometry(grid.shape, cards | {"CRPIX1": float(cards["CRPIX1"]) + 0.3}).offset_in(grid) is None
    assert WcsGeometry(grid.shape, cards | {"CDELT1": -0.051}).offset_in(grid) is None
    assert grid_of(GOLDEN["hawc"]).offset_in(grid) is None
    with pytest.raises(DataError, match="does not divide by 3"):
        grid.downsample(3)


def test_a_grid_wider_than_the_sky_is_the_same_as_itself() -> None:
    """As it is after padding: some directions are in two of its pixels."""
    whole = WcsGeometry.create(77.0, 0.0, 6.0, shape=(30, 60), frame="galactic").pad(3)
    again = WcsGeometry(whole.shape, dict(whole.cards))
    assert again.same_as(whole)
    assert not whole.window(slice(0, 36), slice(1, 67)).same_as(whole)


def test_a_grid_is_a_value() -> None:
    grid = grid_of(GOLDEN["hawc"])
    grid.solid_angle()
    for other in (pickle.loads(pickle.dumps(grid)), copy.deepcopy(grid)):
        assert other.same_as(grid)
        assert other.key == grid.key
    assert len({grid.key, grid.pad(1).key, grid_of(GOLDEN["hawc"]).key}) == 2
    with pytest.raises(TypeError):
        grid.cards["CRPIX1"] = 3.0  # type: ignore[index]


def test_positions_on_the_grid() -> None:
    grid = grid_of(GOLDEN["hawc"])
    y, x = grid.index([83.60, 0.0], [22.04, 0.0])
    assert (y.tolist(), x.tolist()) == ([60, -1], [60, -1])
    assert grid.contains(83.0, 22.0).tolist() == [True]
    assert grid.contains(184.55, -5.78, "galactic").tolist() == [True]
    assert grid.cutout(263.63, -22.01, 1.0) is None
    whole = grid.cutout(83.63, 22.01, 30.0)
    assert whole is not None
    assert whole.geometry.same_as(grid)


HEADERS = st.fixed_dictionaries(
    {
        "code": st.sampled_from(["CAR", "TAN", "SIN", "ZEA", "AIT", "MOL", "STG", "ARC", "MER"]),
        "axes": st.sampled_from([("RA---", "DEC--"), ("GLON-", "GLAT-")]),
        "lon": st.floats(0, 360),
        "lat": st.sampled_from([-90.0, -59.0, -20.0, 0.0, 22.01, 45.0, 90.0]),
        "step": st.floats(0.01, 3.0),
        "extra": st.sampled_from([{}, {"CROTA2": 30.0}, {"LONPOLE": 180.0}, {"LONPOLE": 0.0, "LATPOLE": -90.0},
                                  {"CD1_1": -0.1, "CD1_2": 0.02, "CD2_1": 0.01, "CD2_2": 0.12},
                                  {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8},
                                  {"PC001001": 0.8, "PC001002": -0.6, "PC002001": 0.6, "PC002002": 0.8}]),
    }
)  # fmt: skip


@given(HEADERS)
def test_every_projection_agrees_with_wcslib(parts: dict[str, Any]) -> None:
    header = fits.Header()
    for axis in (0, 1):
        header[f"CTYPE{axis + 1}"] = parts["axes"][axis] + parts["code"]
        header[f"CRPIX{axis + 1}"] = (30.5, 20.5)[axis]
        header[f"CRVAL{axis + 1}"] = (parts["lon"], parts["lat"])[axis]
        if "CD1_1" not in parts["extra"]:
            header[f"CDELT{axis + 1}"] = (-parts["step"], parts["step"])[axis]
    header.update(parts["extra"])
    x, y = (value.ravel() for value in np.meshgrid(np.linspace(-3, 63, 9), np.linspace(-3, 43, 7)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # astropy's remarks on headers
        try:
            judge = WCS(header)
            lon, lat = judge.wcs_pix2world(x, y, 0)
        except Exception:
            with pytest.raises(DataError):
                Projection(celestial_cards(dict(header))).sky(0.0, 0.0)
            return
        pixels = np.array(judge.wcs_world2pix(lon, lat, 0))
    projection = Projection(celestial_cards(dict(header)))
    mine = np.array(projection.sky(x, y))
    there = np.isfinite(lat)
    assert np.array_equal(np.isfinite(mine[1]), there)
    if there.any():
        assert separation(*mine[:, there], lon[there], lat[there]).max() < 1e-9
        assert np.allclose(
            np.array(projection.pixel(lon, lat))[:, there], pixels[:, there], atol=1e-7, rtol=0, equal_nan=True
        )


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"CTYPE1": "LINEAR"}, "CTYPE1 'LINEAR'"),
        ({"CTYPE1": "DEC--CAR", "CTYPE2": "RA---CAR"}, "expected a celestial longitude"),
        ({"CDELT1": 0.0}, "step of zero"),
        ({"CRVAL1": float("nan")}, "not finite"),
        ({"CRPIX1": "five"}, "CRPIX1 is 'five', expected a number"),
        ({"CUNIT1": "m"}, "CUNIT is 'm'"),
        ({"PC1_1": 0.0}, "all pixels to a line"),
        ({"CTYPE1": "GLON-XXX", "CTYPE2": "GLAT-XXX"}, "cannot be used"),
        ({"CTYPE1": "GLON-SIN", "CTYPE2": "GLAT-TAN"}, "cannot be used|expected"),
        ({"A_ORDER": 2, "A_2_0": 1e-4}, "card A_2_0: the pixels are distorted"),
        ({"EQUINOX": "J2000"}, "EQUINOX is 'J2000', expected a number"),
    ],
)
def test_headers_that_describe_no_grid(change: dict[str, Any], match: str) -> None:
    cards = dict(grid_of(GOLDEN["hawc" if "EQUINOX" in change else "fermi"]).cards)
    with pytest.raises(DataError, match=match):
        WcsGeometry((4, 4), cards | change).position(0.0, 0.0, "galactic")


@pytest.mark.parametrize("shape", [(0, 4), (4, -1), (1 << 20, 1 << 20)])
def test_sizes_that_are_none(shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="pixels"):
        WcsGeometry(shape, grid_of(GOLDEN["fermi"]).cards)


def test_frames_by_header() -> None:
    cards = dict(grid_of(GOLDEN["hawc"]).cards)
    del cards["RADESYS"]
    for extra, frame in (
        ({}, "icrs"),
        ({"EQUINOX": 2000.0}, "fk5"),
        ({"RADESYS": "FK5"}, "fk5"),
        ({"EQUINOX": 1950.0}, "fk4"),
        ({"EPOCH": 1950.0}, "fk4"),
        ({"EPOCH": 2017.5}, "icrs"),
        ({"RADECSYS": "FK4"}, "fk4"),
    ):
        assert WcsGeometry((4, 4), cards | extra).frame == frame
    with pytest.raises(DataError, match="equinox 1975"):
        _ = WcsGeometry((4, 4), cards | {"RADESYS": "FK5", "EQUINOX": 1975.0}).frame


@given(st.floats(0, 360), st.floats(-90, 90), st.floats(0, 360), st.floats(-90, 90))
def test_spherical_formulae(lon: float, lat: float, other_lon: float, other_lat: float) -> None:
    vectors = unit_vectors([lon, other_lon], [lat, other_lat])
    assert np.allclose((vectors**2).sum(axis=0), 1.0, atol=1e-15 * 8)
    back_lon, back_lat = lon_lat(vectors)
    assert separation(back_lon, back_lat, [lon, other_lon], [lat, other_lat]).max() < 1e-12
    chord = float(np.linalg.norm(vectors[:, 0] - vectors[:, 1]))
    angle = np.degrees(2 * np.arcsin(min(chord / 2, 1.0)))  # loses half the digits near 180 deg
    assert separation(lon, lat, other_lon, other_lat) == pytest.approx(angle, abs=1e-6)


@pytest.mark.parametrize("by", [180.0, 179.9, -178.0, 100.0])
@pytest.mark.parametrize("lat", [0.0, 30.0])
def test_pixels_beyond_the_end_of_the_plane_are_those_of_its_next_copy(by: float, lat: float) -> None:
    """wcslib has no sky there; a grid that lies around the end is described by its cards all the same."""
    plain = WcsGeometry.create(10.0, lat, 0.5, shape=(6, 20), frame="galactic")
    away = WcsGeometry(plain.shape, {**plain.cards, "CRPIX1": float(plain.cards["CRPIX1"]) + by / 0.5})
    x, y = np.meshgrid(np.arange(20), np.arange(6))
    lon_x, lat_x = away.sky(x, y)
    np.testing.assert_allclose(away.pixel(lon_x, lat_x), np.stack([x, y]), atol=1e-8)
    if lat == 0.0:
        beyond = (lon_x - plain.sky(x, y)[0] - by + 180.0) % 360.0 - 180.0
        np.testing.assert_allclose(beyond, 0.0, atol=1e-9)
        np.testing.assert_allclose(away.solid_angle(), plain.solid_angle(), rtol=1e-9)


@pytest.mark.parametrize("projection", ["AIT", "MOL", "SFL"])
def test_pixels_at_the_end_of_the_sky_have_their_solid_angle(projection: str) -> None:
    """Without those that have a corner off the sky 2 % of it were missing."""
    grid = WcsGeometry.create(0.0, 0.0, 2.0, shape=(90, 180), frame="galactic", projection=projection)
    area = grid.solid_angle()
    assert np.array_equal(np.isfinite(area), np.isfinite(grid.grid()[0]))
    assert np.nansum(area) == pytest.approx(4 * np.pi, rel=2e-3)


@pytest.mark.parametrize("first", [-180.0, 0.0, 77.3])
@pytest.mark.parametrize(("n_x", "n_y"), [(361, 180), (360, 181), (361, 181), (364, 183)])
def test_what_goes_on_beyond_a_pole_or_twice_around_the_sky_is_there_once(n_x: int, n_y: int, first: float) -> None:
    """As maps of the whole sky have it whose outermost centres lie on the poles, and at l = -180 and 180 deg."""
    cards = {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRPIX1": 1.0, "CRPIX2": (n_y + 1) / 2}
    grid = WcsGeometry((n_y, n_x), {**cards, "CRVAL1": first, "CRVAL2": 0.0, "CDELT1": 1.0, "CDELT2": 1.0})
    area = grid.solid_angle()
    assert np.nansum(area) == pytest.approx(4 * np.pi, rel=1e-4)
    lon, lat = grid.grid()
    np.testing.assert_array_equal(np.isnan(area), np.isnan(lon))
    top, step = np.radians(np.clip(lat + 0.5, -90, 90)), np.radians(1.0)
    exact = step * (np.sin(top) - np.sin(np.radians(np.clip(lat - 0.5, -90, 90))))
    inside = slice(3, -3)
    np.testing.assert_allclose(area[:, inside], exact[:, inside], rtol=2e-4)
    on_sky = grid.columns_on_sky()
    assert (on_sky is None) == (n_x == 360)
    if on_sky is not None:
        assert on_sky.sum() == pytest.approx(360.0, rel=1e-12)
