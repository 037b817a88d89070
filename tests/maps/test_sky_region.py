"""Regions from YAML, DS9 and FITS, and the masks they make. Masks against Gammapy's are in ``test_geometry.py``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import DataError
from gm.io.fits import read_fits
from gm.maps.axes import EnergyAxis
from gm.maps.exclusion import resample_mask
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.maps.regions import Region
from gm.maps.rotation import rotate
from gm.maps.sky_region import SkyRegion, read_ds9
from gm.maps.sphere import separation, unit_vectors

CENTER = {"center": [83.63, 22.01], "frame": "icrs"}
MAPPINGS: dict[str, dict[str, Any]] = {
    "circle": {"type": "circle", **CENTER, "radius": "0.3 deg"},
    "annulus": {"type": "annulus", **CENTER, "inner_radius": "6 arcmin", "outer_radius": 0.3},
    "ellipse": {"type": "ellipse", **CENTER, "width": 0.8, "height": 0.3, "angle": "30 deg"},
    "rectangle": {"type": "rectangle", **CENTER, "width": 0.8, "height": 0.3, "angle": -15},
    "polygon": {"type": "polygon", "frame": "icrs", "vertices": [[83.2, 21.8], [84.1, 21.9], [83.6, 22.4]]},
    "point": {"type": "point", **CENTER},
    "galactic": {"type": "circle", "center": [184.557, -5.784], "frame": "galactic", "radius": 0.3},
}
GRID = WcsGeometry.create(83.63, 22.01, 0.02, width=2.0, projection="TAN")


@pytest.mark.parametrize("name", MAPPINGS)
def test_regions_come_back_from_fits(name: str) -> None:
    region = SkyRegion.from_mapping(MAPPINGS[name])
    table = region.to_file_region().to_table("REGION")
    back = SkyRegion.from_file_region(Region.from_table(table))
    (mine,), (theirs,) = region.shapes, back.shapes
    assert (mine.kind, mine.frame) == (theirs.kind, theirs.frame)
    # 1e-6: sizes and angles pass through the scale at the centre, which is measured over one arcsecond
    assert (*theirs.lon, *theirs.lat) == pytest.approx((*mine.lon, *mine.lat), abs=1e-9)
    assert (*theirs.sizes, theirs.angle) == pytest.approx((*mine.sizes, mine.angle), rel=1e-6, abs=1e-6)
    assert np.array_equal(back.contains(GRID), region.contains(GRID))


@pytest.mark.parametrize("name", ["circle", "ellipse", "polygon", "galactic"])
def test_masks_are_areas(name: str) -> None:
    areas = {
        "circle": np.pi * 0.09,
        "galactic": np.pi * 0.09,
        "ellipse": np.pi * 0.4 * 0.15,
        "polygon": 0.25 * np.cos(np.radians(22.03)),
    }
    region = SkyRegion.from_mapping(MAPPINGS[name])
    area = float((region.contains(GRID) * GRID.solid_angle()).sum()) * np.degrees(1.0) ** 2
    assert area == pytest.approx(areas[name], rel=0.02)  # pixels at the rim
    weighted = float((region.weights(GRID) * GRID.solid_angle()).sum()) * np.degrees(1.0) ** 2
    assert weighted == pytest.approx(areas[name], rel=2e-3)
    grid = region.grid(binsz=0.01)
    assert region.contains(grid).sum() == region.contains(grid.pad(9)).sum()


def test_a_circle_is_a_separation() -> None:
    mask = SkyRegion.from_mapping(MAPPINGS["galactic"]).contains(GRID)
    distance = GRID.separation(184.557, -5.784, "galactic")
    assert mask[distance < 0.299].all()
    assert not mask[distance > 0.301].any()


def test_angles_are_those_of_the_frame_of_the_region() -> None:
    """A band along the Galactic plane on a map in ICRS, and a turned ellipse: by offsets along Galactic axes."""
    grid = WcsGeometry.create(*rotate(10.0, 0.0, "galactic", "icrs"), 0.1, width=8.0, projection="TAN")
    lon, lat = rotate(*grid.grid(), "icrs", "galactic")
    _, *flat = unit_vectors(lon - 10.0, lat) / unit_vectors(lon - 10.0, lat)[0]  # gnomonic, as the map
    west, north = -np.degrees(flat[0]), np.degrees(flat[1])
    common = {"center": [10.0, 0.0], "frame": "galactic", "width": "6 deg", "height": "1 deg"}
    band = SkyRegion.from_mapping({"type": "rectangle", **common}).contains(grid)
    assert np.array_equal(band, (np.abs(west) < 3.0) & (np.abs(north) < 0.5))
    along, across = (west + north) / np.sqrt(2.0), (north - west) / np.sqrt(2.0)
    turned = SkyRegion.from_mapping({"type": "ellipse", **common, "angle": "45 deg"}).contains(grid)
    distance = (along / 3.0) ** 2 + (across / 0.5) ** 2
    assert turned[distance < 0.99].all()
    assert not turned[distance > 1.01].any()


BENT = {
    "far from the equator": ("CAR", 0.5, (30.0, 60.0), (360, 720)),
    "near the pole": ("CAR", 0.5, (200.0, -86.0), (360, 720)),
    "near the rim": ("AIT", 0.5, (120.0, 45.0), (360, 720)),
    "oblong": ("TAN", (0.1, 0.3), (1.0, 1.0), (60, 160)),
}


@pytest.mark.parametrize("case", BENT)
def test_on_the_sky_a_circle_is_a_separation_where_pixels_are_no_squares(case: str) -> None:
    projection, step, (lon, lat), shape = BENT[case]
    grid = WcsGeometry.create(0.0, 0.0, step, shape=shape, frame="galactic", projection=projection)
    distance = separation(lon, lat, *grid.grid())
    circle = SkyRegion.from_mapping({"type": "circle", "center": [lon, lat], "frame": "galactic", "radius": 3.0})
    assert circle.bent(grid) == list(circle.shapes)
    assert np.array_equal(circle.contains(grid, on_sky=True), distance < 3.0)
    assert not np.array_equal(circle.contains(grid), distance < 3.0)  # as Gammapy, see test_geometry.py
    ring = {"type": "annulus", "center": [lon, lat], "frame": "galactic", "inner_radius": 1.0, "outer_radius": 3.0}
    inside = SkyRegion.from_mapping(ring).contains(grid, on_sky=True)
    assert np.array_equal(inside, (distance < 3.0) & (distance >= 1.0))
    box = {"type": "rectangle", "center": [lon, lat], "frame": "galactic", "width": 6.0, "height": 1.0, "angle": 90.0}
    inside = SkyRegion.from_mapping(box).contains(grid, on_sky=True)
    assert np.ptp(grid.grid()[1][inside]) > 4.0  # the width along north
    assert separation(lon, lat, *(axis[inside] for axis in grid.grid())).max() < np.hypot(3.0, 0.5)
    assert SkyRegion.from_mapping(MAPPINGS["circle"]).bent(GRID) == []
    assert circle.bent(GRID) == []  # nowhere near


@pytest.mark.parametrize("projection", ["CAR", "AIT"])
@pytest.mark.parametrize("lon", [180.0, 0.0, 175.0, -179.9])
def test_polygons_that_go_beyond_the_rim_of_a_map_come_again(projection: str, lon: float) -> None:
    """They are what lies between their meridians, and no band around the rest of the sky."""
    grid = WcsGeometry.create(0.0, 0.0, 1.0, shape=(180, 360), frame="galactic", projection=projection)
    corners = [[lon - 10.0, -5.0], [lon + 10.0, -5.0], [lon + 10.0, 5.0], [lon - 10.0, 5.0]]
    region = SkyRegion.from_mapping({"type": "polygon", "frame": "galactic", "vertices": corners})
    lons, lats = grid.grid()
    away = np.abs((lons - lon + 180.0) % 360.0 - 180.0)
    inside = region.contains(grid)
    assert inside[(away < 9.9) & (np.abs(lats) < 4.9)].all()
    assert not inside[(away > 10.1) | (np.abs(lats) > 5.1)].any()


def test_points() -> None:
    region = SkyRegion.from_mapping(MAPPINGS["point"])
    assert region.is_point
    assert int(region.contains(GRID).sum()) == 4  # between the four pixels in the middle
    assert region.grid().shape == (1, 1)


def test_real_regions(shared: Path) -> None:
    file = read_fits(shared / "reference/hess-crab-1d/pha_obs23523.fits.gz")
    on = SkyRegion.from_file_region(Region.from_table(file.get("COUNTS_REGION").table()))
    off = SkyRegion.from_file_region(Region.from_table(file.get("COUNTS_OFF_REGION").table()))
    assert on.center() == pytest.approx((83.63, 22.01), abs=1e-9)
    assert on.shapes[0].sizes == pytest.approx((0.11,), rel=1e-4)
    pointing = (83.633333333333, 21.514444444444)  # the OFF regions are the ON region turned around the pointing
    offset = separation(*on.center(), *pointing)
    for shape in off.shapes:
        assert separation(shape.lon[0], shape.lat[0], *pointing) == pytest.approx(offset, abs=1e-3)
        assert shape.sizes == pytest.approx((0.11,), rel=1e-3)


DS9 = """# Region file format: DS9
global color=green
galactic
circle(184.557,-5.784,0.3)
-circle(184.557,-5.784,0.1)
fk5
ellipse(83.9,22.3,0.2,0.1,20)
icrs
box(83.2,21.7,0.3,0.1,10)
polygon(83.2,21.8,84.1,21.9,83.6,22.4)
point(83.63,22.01)
"""


def test_ds9(tmp_path: Path) -> None:
    (tmp_path / "on.reg").write_text(DS9)
    region = SkyRegion.from_mapping({"type": "file", "filename": "on.reg"}, tmp_path)
    kinds = [(shape.kind, shape.frame, shape.include) for shape in region.shapes]
    assert kinds == [
        ("circle", "galactic", True),
        ("circle", "galactic", False),
        ("ellipse", "fk5", True),
        ("rectangle", "icrs", True),
        ("polygon", "icrs", True),
        ("point", "icrs", True),
    ]
    assert region.shapes[2].sizes == pytest.approx((0.4, 0.2))  # DS9 gives half axes
    mask = region.contains(GRID)
    distance = GRID.separation(184.557, -5.784, "galactic")
    assert not mask[distance < 0.09].any()
    assert mask[(distance > 0.11) & (distance < 0.29)].all()


@pytest.mark.parametrize(
    "text",
    [
        "fk5;circle(83.6,22,0.5) || -circle(84,22,0.2) # color=red\n",
        "fk5;circle(83.6,22,0.5);-circle(84,22,0.2)\r\n",
        "fk5\n# composite(83,22,0) || composite=1\ncircle(83.6,22,0.5) || # text={a circle}\n-circle(84,22,0.2)\n",
    ],
)
def test_several_shapes_on_a_line(tmp_path: Path, text: str) -> None:
    """Of a line joined by bars the first was read, and the others left out without a word."""
    (tmp_path / "on.reg").write_text(text)
    found = [(shape.sizes, shape.include) for shape in read_ds9(tmp_path / "on.reg").shapes]
    assert found == [((pytest.approx(0.5),), True), ((pytest.approx(0.2),), False)]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "holds no shape"),
        ("image\ncircle(5,5,2)\n", "CirclePixelRegion is not supported"),
        ("icrs\ncircle(83,22)\n", "not a DS9 region file|holds no shape"),
        ("icrs\nellipse(83,22,1,2,3,4,0)\n", "is not supported|not a DS9"),
        ("some words that are no region\n", "not a DS9 region file|holds no shape"),
        ("icrs\n-circle(83,22,1)\n", "holds no shape"),
        ("icrs\ncircle(83,22,1) -circle(83,22,0.2)\n", "line 2 holds several shapes"),
        ("icrs;circle(83,22,1) & box(83,22,1,1,0)\n", "line 1 holds several shapes"),
    ],
)
def test_bad_ds9(tmp_path: Path, text: str, match: str) -> None:
    path = tmp_path / "bad.reg"
    path.write_text(text)
    with pytest.raises(DataError, match=match) as caught:
        read_ds9(path)
    assert "bad.reg" in str(caught.value)
    with pytest.raises(DataError, match="cannot be read"):
        read_ds9(tmp_path / "none.reg")
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="cannot be read"):
        read_ds9(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"type": "blob"}, "'blob' is not known"),
        ({"radius": None}, "no radius"),
        ({"radius": "wide"}, "'wide'"),
        ({"radius": "1 TeV"}, "does not convert to 'deg'"),
        ({"radius": -1.0}, "not negative"),
        ({"center": [83.63]}, "circle"),
        ({"center": [83.63, 95.0]}, "no point of the sky"),
        ({"center": [float("nan"), 2.0]}, "nan is not finite"),
        ({"type": "annulus", "inner_radius": 2, "outer_radius": 1}, "inner radius 2 is above"),
        ({"type": "polygon", "vertices": [[1, 2], [2, 3]]}, "2 positions, expected 3"),
    ],
)
def test_bad_mappings(change: dict[str, Any], match: str) -> None:
    data = {key: value for key, value in {**MAPPINGS["circle"], **change}.items() if value is not None}
    with pytest.raises(DataError, match=match):
        SkyRegion.from_mapping(data)


def test_far_regions_are_empty() -> None:
    far = SkyRegion.from_mapping({"type": "circle", "center": [263.63, -22.01], "radius": 1})
    assert not far.contains(GRID).any()  # the gnomonic projection has no other side
    with pytest.raises(DataError, match="too far"):
        SkyRegion.from_mapping({"type": "circle", "center": [0, 0], "radius": 80}).grid()


@given(st.floats(0.05, 0.9), st.floats(0.05, 0.9), st.floats(-180, 180))
def test_an_ellipse_lies_in_its_rectangle(width: float, height: float, angle: float) -> None:
    sizes = {**CENTER, "width": width, "height": height, "angle": angle}
    ellipse = SkyRegion.from_mapping({"type": "ellipse", **sizes}).contains(GRID)
    rectangle = SkyRegion.from_mapping({"type": "rectangle", **sizes}).contains(GRID)
    assert not (ellipse & ~rectangle).any()
    turned = SkyRegion.from_mapping({"type": "ellipse", **sizes, "angle": angle + 180.0}).contains(GRID)
    assert int((ellipse ^ turned).sum()) <= 4  # pixels on the rim, by rounding


def test_exclusion_masks(shared: Path) -> None:
    exclusion = read_map(shared / "data/joint-crab/exclusion/exclusion_mask_crab.fits.gz")
    mask = resample_mask(exclusion, exclusion.grid())
    assert np.array_equal(mask, exclusion.data != 0)
    fine = resample_mask(exclusion, exclusion.grid().upsample(2).window(slice(0, 40), slice(0, 60)))
    assert np.array_equal(fine, np.kron(exclusion.data[:20, :30] != 0, np.ones((2, 2))) != 0)
    galactic = WcsGeometry.create(184.557, -5.784, 0.05, width=8.0, frame="galactic")
    inside, outside = (resample_mask(exclusion, galactic, outside) for outside in (False, True))
    beyond = ~exclusion.grid().contains(*galactic.grid(), "galactic").reshape(galactic.shape)
    assert np.array_equal(inside ^ outside, beyond)
    assert beyond.any()
    cube = Map(GRID, (EnergyAxis(np.array([1.0, 2.0, 3.0])),), np.ones((2, *GRID.shape), dtype=bool))
    with pytest.raises(DataError, match="expected an image"):
        resample_mask(cube, GRID)


@pytest.mark.parametrize(
    "region",
    [
        {"type": "circle", "center": [179.5, 3.0], "frame": "galactic", "radius": "25 deg"},
        {"type": "rectangle", "center": [181.0, 0.0], "frame": "galactic", "width": "30 deg", "height": "9 deg"},
        {"type": "point", "center": [180.1, 0.2], "frame": "galactic"},
    ],
)
def test_a_region_at_the_ends_of_a_map_around_the_sky(region: dict[str, Any]) -> None:
    """As on the map that is cut on the other side."""
    whole, turned = (WcsGeometry.create(lon, 0.0, 2.0, shape=(40, 180), frame="galactic") for lon in (0.0, 180.0))
    shape = SkyRegion.from_mapping(region)
    expected = shape.contains(turned)
    assert expected.any()
    assert np.array_equal(np.roll(shape.contains(whole), 90, axis=1), expected)
