"""What is excluded from the measurement of a background."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.errors import DataError
from gm.io.ecsv import write_ecsv
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Image, Table
from gm.makers.exclusion import Exclusion, read_exclusion
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.shapes import SkyShape
from gm.maps.sky_region import SkyRegion
from gm.maps.writing import map_hdus

GRID = WcsGeometry.create(83.63, 22.01, 0.1, shape=(21, 31), projection="TAN")
CIRCLE = {"type": "circle", "center": [83.63, 22.01], "frame": "icrs", "radius": "0.5 deg"}


def table(**columns: list[float]) -> Table:
    return Table("CATALOGUE", tuple(Column(name, np.array(values)) for name, values in columns.items()))


def test_a_region_is_excluded_and_nothing_else() -> None:
    keep = Exclusion.from_entries([CIRCLE]).keep(GRID)
    np.testing.assert_array_equal(keep, ~SkyRegion.from_mapping(CIRCLE).contains(GRID))
    assert Exclusion().keep(GRID).all()


def test_what_lies_beyond_a_small_image_is_kept(tmp_path: Path) -> None:
    small = WcsGeometry.create(83.63, 22.01, 0.1, shape=(5, 5), projection="TAN")
    data = np.ones((5, 5), dtype=np.int16)
    data[2, 1:4] = 0
    write_fits(tmp_path / "mask.fits", map_hdus(Map(small, (), data), "MASK"))
    keep = Exclusion.from_entries([{"type": "file", "filename": "mask.fits"}], tmp_path).keep(GRID)
    assert (~keep).sum() == 3
    assert not keep[10, 14:17].any()


def test_a_published_mask(shared: Path) -> None:
    path = shared / "data/joint-crab/exclusion/exclusion_mask_crab.fits.gz"
    mask = read_exclusion(path)
    assert isinstance(mask, Map)
    keep = Exclusion(masks=(mask,)).keep(GRID)
    assert 0 < (~keep).sum() < keep.size
    assert not keep[10, 15]


@pytest.mark.parametrize("form", ["ecsv", "fits"])
def test_circles_around_the_positions_of_a_catalogue(tmp_path: Path, form: str) -> None:
    positions = table(RAJ2000=[83.63, 84.4, 266.0], DEJ2000=[22.01, 22.2, -29.0])
    path = tmp_path / f"sources.{form}"
    write_ecsv(path, positions) if form == "ecsv" else write_fits(path, [positions])
    keep = Exclusion.from_entries([{"type": "file", "filename": path.name, "radius": "0.3 deg"}], tmp_path).keep(GRID)
    expected = np.ones(GRID.shape, dtype=bool)
    for lon, lat in ((83.63, 22.01), (84.4, 22.2)):
        expected &= GRID.separation(lon, lat) >= 0.3
    assert (keep != expected).sum() <= 2  # circles are drawn in pixels
    assert (~keep).sum() > 40


def test_galactic_positions(tmp_path: Path) -> None:
    write_ecsv(tmp_path / "crab.ecsv", table(GLON=[184.5575], GLAT=[-5.7843]))
    region = read_exclusion(tmp_path / "crab.ecsv", 0.2)
    there = read_exclusion(_ecsv(tmp_path, RA=[83.633], DEC=[22.0145]), 0.2)
    assert isinstance(region, SkyRegion)
    assert isinstance(there, SkyRegion)
    np.testing.assert_array_equal(Exclusion((region,)).keep(GRID), Exclusion((there,)).keep(GRID))


def _ecsv(folder: Path, **columns: list[float]) -> Path:
    write_ecsv(folder / "some.ecsv", table(**columns))
    return folder / "some.ecsv"


@pytest.mark.parametrize(
    ("columns", "unit"),
    [
        ({"RAJ2000": ["05 34 31.2", "05 37 36"], "DEJ2000": ["+22 00 36", "+22 12 00"]}, ""),
        ({"RA": ["05:34:31.2", "05:37:36"], "DEC": ["22:00:36", "22:12:00"]}, ""),
        ({"RA_ICRS": ["83.63", "84.4"], "DE_ICRS": ["22.01", "22.2"]}, ""),
        ({"_RAJ2000": [83.63, 84.4], "_DEJ2000": [22.01, 22.2], "RAJ2000": ["-", "-"], "DEJ2000": ["-", "-"]}, "deg"),
        ({"ra": [83.63 / 15, 84.4 / 15], "dec": [22.01, 22.2]}, "hourangle"),
    ],
)
def test_positions_as_catalogues_have_them(tmp_path: Path, columns: dict[str, list[str]], unit: str) -> None:
    """Text ended as a bug, as hours and minutes from VizieR do."""
    units = [unit if k == 0 else "deg" if unit else "" for k in range(len(columns))]
    held = tuple(Column(n, np.array(v), u) for (n, v), u in zip(columns.items(), units, strict=True))
    write_fits(tmp_path / "sources.fits", [Table("CATALOGUE", held)])
    entry = {"type": "file", "filename": "sources.fits", "radius": "0.3 deg"}
    expected = ~SkyRegion.from_mapping(CIRCLE | {"radius": "0.3 deg"}).contains(GRID)
    expected &= ~SkyRegion.from_mapping(CIRCLE | {"center": [84.4, 22.2], "radius": "0.3 deg"}).contains(GRID)
    np.testing.assert_array_equal(Exclusion.from_entries([entry], tmp_path).keep(GRID), expected)


def test_text_that_is_no_position(tmp_path: Path) -> None:
    held = Column("RA", np.array(["05 34 31.2", "somewhere"])), Column("DEC", np.array(["22 00 36", "22"]))
    write_fits(tmp_path / "sources.fits", [Table("CATALOGUE", held)])
    with pytest.raises(DataError, match=r"sources.fits: column RA: .*expected degrees, or such as 05 34 31.9"):
        read_exclusion(tmp_path / "sources.fits", 0.3)


def test_a_file_of_regions(tmp_path: Path) -> None:
    (tmp_path / "on.reg").write_text("icrs\ncircle(83.63,22.01,0.5)\n")
    keep = Exclusion.from_entries([{"type": "file", "filename": "on.reg"}], tmp_path).keep(GRID)
    np.testing.assert_array_equal(keep, Exclusion.from_entries([CIRCLE]).keep(GRID))


def test_sources_of_the_whole_sky() -> None:
    random = np.random.default_rng(1)
    lon, lat = random.uniform(0, 360, 3000).tolist(), np.degrees(np.arcsin(random.uniform(-1, 1, 3000))).tolist()
    shapes = tuple(SkyShape("circle", "icrs", (x,), (y,), (1.0,)) for x, y in zip(lon, lat, strict=True))
    keep = Exclusion((SkyRegion(shapes),)).keep(GRID)
    expected = np.all([GRID.separation(x, y) >= 1.0 for x, y in zip(lon, lat, strict=True)], axis=0)
    assert not expected.all()
    assert (keep != expected).sum() <= 2


@pytest.mark.parametrize(
    ("columns", "radius", "message"),
    [
        ({"RA": [1.0], "DEC": [2.0]}, None, "without the radius"),
        ({"X": [1.0], "DEC": [2.0]}, 0.1, "no columns of positions\n.*RAJ2000 and DEJ2000"),
        ({"RA": [1.0, np.nan], "DEC": [2.0, 2.0]}, 0.1, "row 1 has no position"),
    ],
)
def test_bad_catalogues(tmp_path: Path, columns: dict[str, list[float]], radius: float | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_exclusion(_ecsv(tmp_path, **columns), radius)


def test_a_radius_is_for_positions_alone(tmp_path: Path) -> None:
    (tmp_path / "ds9.reg").write_text("icrs\ncircle(83.6, 22.0, 0.5)\n")
    write_fits(tmp_path / "mask.fits", [Image("MASK", np.ones(GRID.shape), GRID.cards)])
    for name, held in (("ds9.reg", "regions"), ("mask.fits", "an image")):
        read_exclusion(tmp_path / name)
        with pytest.raises(DataError, match=f"{name}: holds {held}, for which a radius means nothing"):
            read_exclusion(tmp_path / name, 0.3)


def test_tables_without_positions(tmp_path: Path) -> None:
    write_fits(tmp_path / "table.fits", [Table("T", (Column("X", np.ones(3)),))])
    with pytest.raises(DataError, match=r"no columns of positions\n.*found X"):
        read_exclusion(tmp_path / "table.fits", 0.1)


def test_bad_entries(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_exclusion(tmp_path / "none.fits")
    with pytest.raises(DataError, match=r"radius of x\.fits"):
        Exclusion.from_entries([{"type": "file", "filename": "x.fits", "radius": "3 kg"}], tmp_path)
