"""What a template makes of values that are no light, of energies beyond its own, and of cubes in several forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from gm.arrays import Array
from gm.errors import DataError
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.healpix import HealpixGeometry
from gm.maps.map import Map
from gm.maps.pixel_grid import PixelGrid
from gm.maps.projection import celestial_cards
from gm.maps.reading import read_map
from gm.maps.sphere import unit_vectors
from gm.maps.writing import write_map
from gm.models import TemplateNDSpatialModel, TemplateNDSpectralModel, TemplateSpatialModel, TemplateSpectralModel

GRID = WcsGeometry.create(0.0, 0.0, 0.5, shape=(8, 10))
ENERGY = NodeAxis.from_nodes("energy_true", [1.0, 2.0, 4.0], "TeV", "log")
UNSEEN = -1.6375e30


def image() -> Array:
    return np.random.default_rng(1).uniform(1.0, 2.0, GRID.shape)


def template(path: Path, data: Array, geometry: Any = GRID, axes: Any = (), **settings: Any) -> TemplateSpatialModel:
    write_map(path, Map(geometry, axes, data, "sr-1"))
    return TemplateSpatialModel(filename=str(path), **settings)


@pytest.mark.parametrize("bad", [-0.5, np.nan, np.inf])
@pytest.mark.parametrize("normalize", [True, False])
def test_values_that_are_no_light_are_0_and_told(tmp_path: Path, bad: float, normalize: bool) -> None:
    """They are no part of the sum either: what is left is normalised."""
    data, clean = image(), image()
    data[:2], clean[:2] = bad, 0.0
    path = tmp_path / "t.fits"
    model = template(path, data, normalize=normalize)
    expected = template(tmp_path / "clean.fits", clean, normalize=normalize)
    place = unit_vectors(*GRID.grid())
    found = model.evaluate(place, model.values())
    np.testing.assert_array_equal(found, expected.evaluate(place, expected.values()))
    if normalize:
        np.testing.assert_allclose((found * GRID.solid_angle()).sum(), 1.0, rtol=1e-12)
    what = "negative" if bad < 0 else "no numbers"
    assert model.remarks() == (f"{path}: 20 of 80 values are {what}, and taken for 0",)
    assert expected.remarks() == ()


def test_a_map_without_light(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the map has no value above 0"):
        template(tmp_path / "t.fits", -image()).remarks()


def test_pixels_of_a_healpix_map_without_a_value(tmp_path: Path) -> None:
    """HEALPix's own sign for that is a number, by which its neighbours must not be pulled down."""
    sky = HealpixGeometry(8)
    data = np.ones(sky.shape)
    data[100:120] = UNSEEN
    model = template(tmp_path / "t.fits", data, sky, normalize=False)
    data[100:120] = 0.0
    clean = template(tmp_path / "c.fits", data, sky, normalize=False)
    place = unit_vectors(*np.random.default_rng(2).uniform(-80, 80, (2, 500)))
    np.testing.assert_array_equal(model.evaluate(place, model.values()), clean.evaluate(place, clean.values()))
    assert "20 of 768 values are no numbers" in model.remarks()[0]


@pytest.mark.parametrize("geometry", [GRID, HealpixGeometry(8)])
def test_energies_beyond_the_last_node(tmp_path: Path, geometry: Any) -> None:
    """A power law goes on for half a bin, whatever the pixels; further out there is nothing."""
    data = ENERGY.center[:, None] ** -2.7 * np.ones(int(np.prod(geometry.shape)))
    model = template(tmp_path / "t.fits", data.reshape(3, *geometry.shape), geometry, (ENERGY,), normalize=False)
    energy = np.array([0.5, 0.75, 1.0, 4.0, 4.5, 5.6, 5.7, 20.0])
    found = model.evaluate(unit_vectors(np.array([0.1, -0.7]), np.array([0.1, 0.9])), model.values(), energy)
    inside = (energy >= 1 / np.sqrt(2)) & (energy < 4 * np.sqrt(2))
    np.testing.assert_allclose(found, np.where(inside, energy**-2.7, 0.0)[:, None] * [1, 1], rtol=1e-10)
    assert model.template.covers(energy).tolist() == inside.tolist()


@pytest.mark.parametrize("geometry", [GRID, HealpixGeometry(4)])
def test_the_slope_along_an_axis_that_is_a_parameter(tmp_path: Path, geometry: Any) -> None:
    """Logarithms are interpolated on a pixel grid, values on HEALPix; between nodes both are smooth."""
    axes = (NodeAxis.from_nodes("width", [1.0, 2.0, 4.0]), ENERGY)
    data = np.random.default_rng(4).uniform(1.0, 2.0, (3, 3, *geometry.shape))
    write_map(tmp_path / "t.fits", Map(geometry, axes, data, "sr-1"))
    model = TemplateNDSpatialModel(filename=str(tmp_path / "t.fits"))
    place, energy = unit_vectors(np.array([0.1, 1.2]), np.array([0.3, -0.8])), np.array([1.5, 3.0])
    _, (slope,) = model.evaluate_with_gradient(place, np.array([2.7]), energy)
    up, down = (model.evaluate(place, np.array([2.7 + step]), energy) for step in (1e-5, -1e-5))
    np.testing.assert_allclose(slope, (up - down) / 2e-5, rtol=1e-7)


@pytest.mark.parametrize(("unit", "scale"), [("MeV", 1e6), ("GeV", 1e3), ("TeV", 1.0), (None, 1e6)])
def test_the_energies_of_a_fermi_cube_are_in_their_unit(tmp_path: Path, unit: str | None, scale: float) -> None:
    """Without one they are in MeV, as the science tools write them."""
    header = fits.Header()
    header.update(dict(GRID.cards))
    column = fits.Column("Energy", "D", unit=unit, array=ENERGY.center * scale)
    table = fits.BinTableHDU.from_columns([column], name="ENERGIES")
    path = tmp_path / "cube.fits"
    fits.HDUList([fits.PrimaryHDU(np.ones((3, *GRID.shape)), header), table]).writeto(path)
    (axis,) = read_map(path).axes
    np.testing.assert_allclose(axis.center, ENERGY.center, rtol=1e-14)


def test_a_cube_in_several_extensions_is_not_read_as_its_first(tmp_path: Path) -> None:
    header = fits.Header()
    header.update(dict(GRID.cards))
    planes = [fits.ImageHDU(image(), header, name=f"E{k}") for k in range(3)]
    path = tmp_path / "cube.fits"
    fits.HDUList([fits.PrimaryHDU(), *planes]).writeto(path)
    with pytest.raises(DataError, match=r"cube\.fits: 3 extensions hold a map of the same size: E0, E1, E2"):
        read_map(path)
    assert read_map(path, "E1").data.shape == GRID.shape
    small = fits.ImageHDU(np.ones((2, 2)), header, name="THUMBNAIL")
    fits.HDUList([fits.PrimaryHDU(), planes[0], small]).writeto(path, overwrite=True)
    assert read_map(path).data.shape == GRID.shape


def test_tables_of_a_spectrum_with_values_that_are_no_flux(tmp_path: Path) -> None:
    plain = TemplateSpectralModel(energy=[1.0, 2.0], values=[1e-11, -1e-12])
    assert plain.remarks() == ("1 of its values are negative, and taken for 0",)
    assert TemplateSpectralModel(energy=[1.0, 2.0], values=[1e-11, 0.0]).remarks() == ()
    from gm.maps.regions import RegionGeometry

    axes = (NodeAxis.from_nodes("index", [1.0, 2.0]), ENERGY)
    data = np.ones((2, 3, 1, 1))
    data[0, 0], data[1, 1] = np.nan, -1.0
    path = tmp_path / "nd.fits"
    write_map(path, Map(RegionGeometry(None), axes, data, "TeV-1 s-1 cm-2"))
    model = TemplateNDSpectralModel(filename=str(path))
    assert model.remarks() == (f"{path}: 2 of 6 values are negative or no numbers, and taken for 0",)


@pytest.mark.parametrize("axes", [(), (ENERGY,)])
@pytest.mark.parametrize("shift", [0.0, 0.7, 3.0])
@pytest.mark.parametrize("projection", ["CAR", "TAN"])
def test_lines_between_pixels_along_both_axes_are_those_at_each_position(
    tmp_path: Path, axes: Any, shift: float, projection: str
) -> None:
    """To rounding; where rows and columns of both are parallels and meridians, and elsewhere."""
    data = np.random.default_rng(5).uniform(0.0, 2.0, (*(axis.n_bins for axis in axes), *GRID.shape))
    model = template(tmp_path / "t.fits", data, axes=axes, normalize=False)
    values = model.values() + np.array([shift, -0.3 * shift])
    grid = PixelGrid(WcsGeometry.create(0.4, -0.2, 0.13, shape=(50, 44), projection=projection))
    energy = np.array([0.1, 0.9, 1.0, 1.7, 3.9, 5.0, 60.0]) if axes else None
    expected = model.evaluate(unit_vectors(*grid.geometry.grid()), values, energy) * grid.solid_angle
    found = model.integrate(grid, values, energy)
    assert found.any()
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_lines_between_pixels_of_an_axis_that_is_a_parameter(tmp_path: Path) -> None:
    size = NodeAxis.from_nodes("size", [1.0, 2.0, 3.0], "", "lin")
    data = np.random.default_rng(6).uniform(0.5, 2.0, (3, *GRID.shape))
    write_map(tmp_path / "t.fits", Map(GRID, (size,), data, "sr-1"))
    model, grid = TemplateNDSpatialModel(filename=str(tmp_path / "t.fits")), PixelGrid(GRID.upsample(3))
    expected = model.evaluate(unit_vectors(*grid.geometry.grid()), np.array([1.3])) * grid.solid_angle
    np.testing.assert_allclose(model.integrate(grid, np.array([1.3])), expected, rtol=1e-11)


SKY = HealpixGeometry(4, nested=False, frame="galactic")
NODES = np.array([1.0, 10.0])  # TeV


def healpix_cube(path: Path, unit: str | None = None, bunit: str | None = None, prefix: str = "ENERGY") -> Array:
    """A map of two energies whose columns stand in the wrong order, without its units; its values (2, n_pixels)."""
    values: Array = np.random.default_rng(2).uniform(1.0, 2.0, (2, *SKY.shape)) * NODES[:, None] ** -2
    columns = [fits.Column(f"{prefix}{k + 1}", "D", array=values[k], unit=unit) for k in (1, 0)]
    table = fits.BinTableHDU.from_columns(columns, name="SKYMAP")
    table.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 4, "COORDSYS": "GAL"})
    if bunit is not None:
        table.header["BUNIT"] = bunit
    energies = fits.Column("ENERGY", "D", array=NODES * 1e6, unit="MeV")
    hdus = [fits.PrimaryHDU(), table, fits.BinTableHDU.from_columns([energies], name="ENERGIES")]
    fits.HDUList(hdus).writeto(path)
    return values


@pytest.mark.parametrize(
    ("units", "scale"),
    [
        ({"unit": "cm-2 s-1 GeV-1 sr-1"}, 1e3),
        ({"bunit": "cm-2 s-1 GeV-1 sr-1"}, 1e3),
        ({"prefix": "Bin"}, 1e6),  # as in Fermi's cubes
    ],
)
def test_units_of_healpix_maps(tmp_path: Path, units: dict[str, str], scale: float) -> None:
    path = tmp_path / "cube.fits"
    expected = scale * healpix_cube(path, **units)
    model = TemplateSpatialModel(filename=str(path), normalize=False)
    found = model.evaluate(unit_vectors(*SKY.sky()), model.values(), NODES)
    np.testing.assert_allclose(found, expected, rtol=1e-10)
    assert model.template.unit == "TeV-1 cm-2 s-1 sr-1"


def test_columns_of_a_healpix_map_in_different_units(tmp_path: Path) -> None:
    healpix_cube(tmp_path / "cube.fits", "cm-2 s-1 GeV-1 sr-1")
    with fits.open(tmp_path / "cube.fits", mode="update") as hdus:
        hdus[1].header["TUNIT1"] = "sr-1"
    with pytest.raises(DataError, match=r"columns of values are in .*, expected one unit"):
        read_map(tmp_path / "cube.fits")


def test_a_part_of_the_sky_as_healpy_writes_it(tmp_path: Path) -> None:
    columns = [fits.Column("PIXEL", "J", array=[9, 3, 5]), fits.Column("SIGNAL", "D", array=[1.0, 2.0, 3.0])]
    table = fits.BinTableHDU.from_columns(columns)
    cards = {"PIXTYPE": "HEALPIX", "ORDERING": "RING", "NSIDE": 4, "COORDSYS": "C", "INDXSCHM": "EXPLICIT"}
    table.header.update(cards)
    table.writeto(tmp_path / "map.fits")
    found = read_map(tmp_path / "map.fits")
    assert isinstance(found.geometry, HealpixGeometry)
    assert found.geometry.pixels is not None
    assert found.geometry.pixels.tolist() == [3, 5, 9]
    assert found.data.tolist() == [2.0, 3.0, 1.0]


def test_a_map_without_a_unit_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.fits"
    write_map(path, Map(GRID, (), image(), ""))
    assert "without a unit" in TemplateSpatialModel(filename=str(path), normalize=False).remarks()[0]
    assert TemplateSpatialModel(filename=str(path)).remarks() == ()


@pytest.mark.parametrize("step", [1.0, 0.3])
@pytest.mark.parametrize(("reference", "sign"), [(0.0, -1), (0.0, 1), (180.0, 1), (83.63, 1)])
def test_the_ends_of_a_map_around_the_sky_are_one_place(
    tmp_path: Path, reference: float, sign: int, step: float
) -> None:
    """A column of a dataset that lies there, a digit of rounding to either side, saw nothing of a template."""
    n_x = round(360 / step)
    cards = {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRPIX1": 0.5 + n_x / 2, "CRPIX2": 4.5, "CRVAL1": reference}
    geometry = WcsGeometry((8, n_x), celestial_cards({**cards, "CRVAL2": 0.0, "CDELT1": sign * step, "CDELT2": step}))
    end = (reference + 180.0) % 360.0
    lon = np.array([end, end + 360.0, end - 360.0, np.nextafter(end, 400.0), np.nextafter(end, -400.0)])
    model = template(tmp_path / "t.fits", np.full(geometry.shape, 2.0), geometry, normalize=False)
    found = model.template.evaluate(lon, np.full(5, 0.1), None)
    np.testing.assert_allclose(found, 2.0, rtol=1e-12)
    rows = model.template.integrate(lon, np.array([0.1]), np.ones((1, 5)), None)
    assert rows is not None
    np.testing.assert_allclose(rows, 2.0, rtol=1e-12)
    assert geometry.contains(lon, np.full(5, 0.1)).all()
    assert set(geometry.index(lon, 0.1)[1].tolist()) <= {0, n_x - 1}


def test_pixels_of_different_size_are_told_of_a_normalised_map(tmp_path: Path) -> None:
    """Plate carree at declinations of 30 to 50 deg: pixels cover 0.87 to 0.64 of their square."""
    high = WcsGeometry.create(80.0, 0.0, 1.0, shape=(101, 20), frame="icrs").window(slice(80, 101), slice(0, 20))
    (said,) = template(tmp_path / "t.fits", np.ones(high.shape), high).remarks()
    assert said.endswith(
        "its pixels differ in size, by a factor of up to 1.35: "
        "normalize takes values for parts of the whole in each pixel, not for brightnesses"
    )
    assert template(tmp_path / "t.fits", np.ones(high.shape), high, normalize=False).remarks() == ()
    dark = np.where(np.arange(21)[:, None] < 3, 1.0, 1e-3) * np.ones(high.shape)
    assert template(tmp_path / "t.fits", dark, high).remarks() == ()


def test_images_with_axes_of_one_plane(tmp_path: Path) -> None:
    """As radio maps have them: a frequency and a polarisation."""
    write_map(tmp_path / "t.fits", Map(GRID, (), image(), "sr-1"))
    with fits.open(tmp_path / "t.fits") as hdus:
        header = {name: value for name, value in hdus[1].header.items() if name[:2] in ("CT", "CR", "CD", "CU")}
        fits.PrimaryHDU(hdus[1].data[None, None], fits.Header(header)).writeto(tmp_path / "radio.fits")
    found = read_map(tmp_path / "radio.fits")
    np.testing.assert_array_equal(found.data, image())
    assert found.axes == ()
    with fits.open(tmp_path / "radio.fits", mode="update") as hdus:
        hdus[0].data = np.repeat(hdus[0].data, 2, axis=0)
    with pytest.raises(DataError, match=r"an image of shape \(2, 1, 8, 10\), its axes before the sky are: none"):
        read_map(tmp_path / "radio.fits")


def test_a_table_that_is_no_map(tmp_path: Path) -> None:
    fits.BinTableHDU.from_columns([fits.Column("T", "D", array=np.ones(12))], name="X").writeto(tmp_path / "t.fits")
    with pytest.raises(DataError, match=r"t.fits: HDU X: a table that is no map"):
        read_map(tmp_path / "t.fits")


@pytest.mark.parametrize("projection", ["AIT", "MOL", "SFL"])
def test_the_rim_of_a_map_of_the_whole_sky(tmp_path: Path, projection: str) -> None:
    """Next to pixels that are off the sky a template fell to nothing: a strip as wide as a pixel, at the anticentre."""
    geometry = WcsGeometry.create(0.0, 0.0, 2.0, shape=(92, 184), frame="galactic", projection=projection)
    lon, lat = geometry.grid()
    on_sky = np.isfinite(lat)
    bright = np.where(on_sky, 2.0 + np.cos(np.radians(lat)) * np.cos(np.radians(lon - 40.0)), 0.0)
    write_map(tmp_path / "t.fits", Map(geometry, (), bright, "sr-1"))
    model = TemplateSpatialModel(filename=str(tmp_path / "t.fits"), normalize=False)
    places = np.linspace(179.2, 180.8, 33)[:, None], np.linspace(-60.0, 60.0, 41)
    expected = 2.0 + np.cos(np.radians(places[1])) * np.cos(np.radians(places[0] - 40.0))
    found = model.template.evaluate(*np.broadcast_arrays(*places), None)
    np.testing.assert_allclose(found, expected, rtol=0.03)
    assert model.remarks() == ()
    bad = np.where(on_sky, bright, np.nan)
    bad[46, 92] = np.nan
    write_map(tmp_path / "n.fits", Map(geometry, (), bad, "sr-1"))
    (said,) = TemplateSpatialModel(filename=str(tmp_path / "n.fits"), normalize=False).remarks()
    assert f"1 of {bad.size} values are no numbers" in said
    value, by_lon, by_lat = model.template.evaluate_with_slopes(np.array([179.5]), np.array([10.0]), None)
    np.testing.assert_allclose(value, 2.0 + np.cos(np.radians(10.0)) * np.cos(np.radians(139.5)), rtol=0.03)
    assert max(abs(by_lon[0]), abs(by_lat[0])) < 0.1


def test_a_cube_of_live_times_is_called_that(tmp_path: Path) -> None:
    table = fits.BinTableHDU.from_columns([fits.Column("COSBINS", "4E", array=np.ones((12, 4)))], name="EXPOSURE")
    table.header.update({"PIXTYPE": "HEALPIX", "ORDERING": "NESTED", "NSIDE": 1, "COORDSYS": "EQU"})
    table.writeto(tmp_path / "ltcube.fits")
    with pytest.raises(DataError, match=r"a cube of live times .gtltcube., no map of the sky"):
        read_map(tmp_path / "ltcube.fits")


def shining(lon: Array, lat: Array) -> Array:
    """A bright plane, and a source in it at l = 180 deg."""
    source = 5.0 * np.exp(-0.5 * ((lon % 360.0 - 180.0) / 4.0) ** 2)
    return np.asarray(np.exp(-0.5 * (lat / 5.0) ** 2) * (1.0 + source))


@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("first", [-180.0, 0.0])
@pytest.mark.parametrize(("n_x", "n_y"), [(360, 180), (361, 180), (361, 181), (363, 181)])
def test_columns_that_are_there_twice_count_once(
    tmp_path: Path, n_x: int, n_y: int, first: float, normalize: bool
) -> None:
    """The integral over the sky by sums on a finer grid, for maps whose outermost columns are the same sky."""
    cards = {"CTYPE1": "GLON-CAR", "CTYPE2": "GLAT-CAR", "CRPIX1": 1.0, "CRPIX2": (n_y + 1) / 2}
    start = first - (n_x // 361) * (n_x - 361) / 2
    grid = WcsGeometry((n_y, n_x), {**cards, "CRVAL1": start, "CRVAL2": 0.0, "CDELT1": 1.0, "CDELT2": 1.0})
    lon = (start + np.arange(n_x)) * np.ones((n_y, 1))
    lat = (np.arange(n_y) - (n_y - 1) / 2)[:, None] * np.ones(n_x)
    data = shining(lon, lat) * (np.cos(np.radians(lat)) if normalize else 1.0)
    model = template(tmp_path / "t.fits", data, grid, normalize=normalize)
    fine_lon, fine_lat = np.meshgrid(np.arange(0.1, 360.0, 0.2), np.arange(-89.9, 90.0, 0.2))
    area = np.cos(np.radians(fine_lat)) * np.radians(0.2) ** 2
    exact = shining(fine_lon, fine_lat)
    values = model.evaluate(unit_vectors(fine_lon, fine_lat), model.values())
    total = float((exact * area).sum())
    np.testing.assert_allclose(model.total(model.values(), np.ones(1)), 1.0 if normalize else total, rtol=1e-3)
    scale = total if normalize else 1.0
    bright = exact > 0.1
    np.testing.assert_allclose((values * scale)[bright], exact[bright], rtol=0.02)
    np.testing.assert_allclose((values * area).sum() * scale, total, rtol=5e-3)
