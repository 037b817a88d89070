"""Maps in files: real ones against astropy, written ones against themselves, bad ones with a message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from scipy.integrate import trapezoid

from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.fits_image import is_image
from gm.io.fits_writer import fits_bytes, write_fits
from gm.io.gtpsf import gtpsf_tables, is_gtpsf, read_gtpsf
from gm.io.tables import CardValue, Column, Image, Table
from gm.maps.axes import Axis, EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.healpix import HealpixGeometry
from gm.maps.map import Map
from gm.maps.reading import converted, read_geometry, read_livetime, read_map, read_psf_and_exposure
from gm.maps.regions import RegionGeometry
from gm.maps.sky_region import SkyRegion
from gm.maps.sphere import separation
from gm.maps.writing import map_hdus, write_map

GRID = WcsGeometry.create(83.63, 22.01, 0.1, shape=(4, 5))
ENERGY = EnergyAxis(np.geomspace(0.1, 10.0, 4))
TRUE = EnergyAxis(np.geomspace(0.05, 20.0, 3), "energy_true")
RAD = NodeAxis.from_edges("rad", np.linspace(0.0, 0.66, 7), "deg")
NODES = NodeAxis.from_nodes("energy_true", [0.1, 1.0, 3.0], "TeV", "log")
CIRCLE = SkyRegion.from_mapping({"type": "circle", "center": [83.63, 22.01], "radius": "0.11 deg"}).to_file_region()

FILES = [
    "reference/fermi-3fhl-crab/Fermi-LAT.fits.gz",
    "reference/fermi-3fhl-gc/fermi-3fhl-gc.fits.gz",
    "reference/fermi-3fhl-gc/iem.fits.gz",
    "reference/cta1dc-gc-stacked/diffuse_image.fits.gz",
    "reference/cta1dc-gc-joint/obs110380.fits.gz",
    "reference/hess-msh1552-runs/run20136.fits.gz",
    "data/hawc/DL4/nHit-5.fits.gz",
    "data/fermi-3fhl-gc/fermi-3fhl-gc-background-cube.fits.gz",
    "data/fermi-3fhl-gc/fermi-3fhl-gc-counts-cube.fits.gz",
    "data/fermi-3fhl-gc/fermi-3fhl-gc-counts.fits.gz",
    "data/fermi-3fhl-gc/fermi-3fhl-gc-exposure-cube.fits.gz",
    "data/fermi-3fhl-gc/gll_iem_v06_gc.fits.gz",
    "data/fermi-3fhl-crab/Fermi-LAT-3FHL_iem.fits",
    "data/joint-crab/exclusion/exclusion_mask_crab.fits.gz",
]
TABLES = ("GTI", "META_TABLE", "EBOUNDS", "ENERGIES")


@pytest.mark.parametrize("name", FILES)
def test_real_maps_are_what_astropy_reads(shared: Path, name: str) -> None:
    file = read_fits(shared / name)
    seen = 0
    with fits.open(shared / name) as hdus:
        for extension, hdu in zip(file.extensions, hdus, strict=True):
            if extension.name in TABLES or extension.name.endswith(("_BANDS", "_REGION")) or hdu.data is None:
                continue
            sky_map = read_map(file, extension.name)
            expected = hdu.data if is_image(extension) else hdu.data["DATA"].reshape(sky_map.data.shape)
            if sky_map.data.dtype.kind == "b":
                expected = expected != 0
            assert sky_map.data.dtype == expected.dtype.newbyteorder("=")
            assert np.array_equal(sky_map.data, expected, equal_nan=expected.dtype.kind == "f")
            geometry, axes = read_geometry(file, extension.name)
            assert type(geometry) is type(sky_map.geometry)
            assert all(mine.same_as(theirs) for mine, theirs in zip(axes, sky_map.axes, strict=True))
            seen += 1
    assert seen


@pytest.mark.parametrize(
    ("name", "hdu", "axes", "unit", "first"),
    [
        ("fermi-3fhl-gc-counts-cube.fits.gz", None, ("energy",), "", 0.01),
        ("fermi-3fhl-gc-background-cube.fits.gz", None, ("energy",), "", 0.01),
        ("fermi-3fhl-gc-exposure-cube.fits.gz", None, ("energy_true",), "cm2 s", 0.01),
        ("gll_iem_v06_gc.fits.gz", None, ("energy_true",), "cm-2 s-1 MeV-1 sr-1", 5.8475e-5),
    ],
)
def test_fermi_cubes(shared: Path, name: str, hdu: str | None, axes: tuple[str, ...], unit: str, first: float) -> None:
    sky_map = read_map(shared / "data/fermi-3fhl-gc" / name, hdu)
    assert (sky_map.axis_names, sky_map.unit) == (axes, unit)
    axis = sky_map.axes[0]
    assert (axis.center if isinstance(axis, NodeAxis) else axis.edges)[0] == pytest.approx(first, rel=1e-4)
    assert sky_map.grid().frame == "galactic"


def test_gtpsf(shared: Path, tmp_path: Path) -> None:
    path = shared / "data/fermi-3fhl-gc/fermi-3fhl-gc-psf-cube.fits.gz"
    psf, exposure = read_psf_and_exposure(path)
    assert psf.axis_names == exposure.axis_names == ("energy_true", "rad")
    assert (psf.data.shape, psf.unit, exposure.unit) == ((11, 300, 1, 1), "sr-1", "cm2 s")
    energy, rad = psf.axes
    assert energy.center[[0, -1]] == pytest.approx([0.01, 0.5], rel=1e-9)
    assert rad.center[0] == 0.0
    # nearly all of the PSF lies in the table: its integral over the angles is 1 to the sampling of the table
    angles = np.radians(rad.center)
    total = trapezoid(psf.data[:, :, 0, 0] * 2 * np.pi * np.sin(angles), angles, axis=1)
    assert total == pytest.approx(np.ones(11), abs=0.05)
    held = read_gtpsf(read_fits(path))
    write_fits(tmp_path / "psf.fits", gtpsf_tables(*held))
    assert is_gtpsf(read_fits(tmp_path / "psf.fits"))
    again, exposure_again = read_psf_and_exposure(tmp_path / "psf.fits")
    assert again.same_as(psf)
    assert exposure_again.same_as(exposure)


def test_livetime(shared: Path) -> None:
    exposure = read_fits(shared / "reference/hess-msh1552-runs/run20136.fits.gz").get("EXPOSURE")
    assert read_livetime(exposure) == 1521.0268800705694
    assert read_livetime(read_fits(shared / "reference/fermi-3fhl-gc/fermi-3fhl-gc.fits.gz").get("EXPOSURE")) is None


def random_map(geometry: Any, axes: tuple[Axis, ...], kind: str = "f4", unit: str = "") -> Map:
    random = np.random.default_rng(5)
    shape = (*(axis.n_bins for axis in axes), *geometry.shape)
    values = random.normal(size=shape) * (random.uniform(size=shape) > 0.5)
    data = values > 0 if kind == "b1" else (10 * values).astype(kind)
    return Map(geometry, axes, data, unit, {"livetime": "10.0 s", "note": "it's"})


GEOMETRIES = {
    "wcs": GRID,
    "tan": WcsGeometry.create(0.0, 0.0, (0.2, 0.1), shape=(6, 3), frame="galactic", projection="TAN"),
    "region": RegionGeometry(CIRCLE),
    "region-none": RegionGeometry(None),
    "healpix": HealpixGeometry(4, nested=False, frame="galactic"),
    "healpix-part": HealpixGeometry(8, pixels=np.array([3, 7, 8, 200])),
}
AXES = {"none": (), "energy": (ENERGY,), "two": (TRUE, RAD), "three": (TRUE, RAD, ENERGY), "nodes": (NODES,)}


@pytest.mark.parametrize("kind", ["f4", "f8", "i2", "i4", "i8", "b1"])
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_maps_come_back(tmp_path: Path, geometry: str, axes: str, kind: str) -> None:
    sky_map = random_map(GEOMETRIES[geometry], AXES[axes], kind, "cm2 s")
    name = "MASK_SAFE" if kind == "b1" else "COUNTS"
    path = tmp_path / "map.fits.gz"
    write_map(path, sky_map, name)
    back = read_map(path, name)
    expected = sky_map
    if kind == "b1" and geometry.startswith("healpix"):
        expected = sky_map.with_(data=sky_map.data.astype(back.data.dtype))  # only images and regions know masks
    assert back.same_as(expected)
    assert back.meta == sky_map.meta
    content = path.read_bytes()
    write_map(path, sky_map, name)
    assert path.read_bytes() == content
    with fits.open(path) as hdus:
        hdus.verify("exception")


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("geometry", ["wcs", "tan", "healpix"])
def test_sparse_maps_come_back(tmp_path: Path, geometry: str, axes: str) -> None:
    sky_map = random_map(GEOMETRIES[geometry], AXES[axes])
    write_map(tmp_path / "map.fits", sky_map, "COUNTS", sparse=True)
    assert read_map(tmp_path / "map.fits", "COUNTS").same_as(sky_map)


def test_units() -> None:
    values = np.ones(2, dtype=np.float32)
    assert converted(values, "m2 s", "cm2 s", "x").dtype == np.float32
    assert converted(values, "m2 s", "cm2 s", "x")[0] == 1e4
    assert converted(values, "cm2 s", "cm2 s", "x") is values
    with pytest.raises(DataError, match="EXPOSURE is in 'TeV', expected a unit of 'cm2 s'"):
        converted(values, "TeV", "cm2 s", "EXPOSURE")


def change(header: dict[str, CardValue | None], data: Any = None) -> Callable[[Any], list[Image | Table]]:
    """A map file in which some cards, or the values, are others; None drops a card."""

    def make(sky_map: Map) -> list[Image | Table]:
        first, *rest = map_hdus(sky_map, "COUNTS")
        assert isinstance(first, Image)
        cards = {name: value for name, value in {**first.header, **header}.items() if value is not None}
        return [Image("COUNTS", first.data if data is None else data, cards), *rest]

    return make


def bands(**columns: Any) -> Callable[[Any], list[Image | Table]]:
    def make(sky_map: Map) -> list[Image | Table]:
        image, table = map_hdus(sky_map, "COUNTS")
        assert isinstance(table, Table)
        changed = [Column(c.name, columns.get(c.name, c.values), columns.get("unit", c.unit)) for c in table.columns]
        extra = [Column(name, value) for name, value in columns.items() if name not in (*table.names, "unit")]
        return [image, Table(table.name, (*changed, *extra), table.header)]

    return make


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (change({"CTYPE1": "LINEAR"}), r"bad.fits: HDU COUNTS: CTYPE1 'LINEAR'"),
        (change({"RADESYS": "FALSE"}), r"bad.fits: HDU COUNTS: coordinates RA---CAR in FALSE are not supported"),
        (change({"WCSSHAPE": "__import__('os').getcwd()"}), "WCSSHAPE is"),
        (change({"WCSSHAPE": "(4,4,3)"}), r"WCSSHAPE begins with \(4, 4\), the image has \(5, 4\)"),
        (change({"BANDSHDU": "NOWHERE"}), "no HDU NOWHERE"),
        (change({"META": "[1, 2]"}), "META is not a JSON object"),
        (change({"META": "{" * 5000}), "META is not a JSON object"),
        (change({}, np.zeros((2, 4, 5))), r"shape \(2, 4, 5\), its axes before the sky are: energy \(3\)"),
        (change({"BANDSHDU": None}, np.zeros((3, 3, 4, 5))), "energy"),
        (change({"BSCALE": "one"}), "BSCALE is 'one', expected a number"),
        (bands(E_MIN=np.array([0.1, np.nan, 1.0])), "not finite"),
        (bands(E_MIN=np.array([1.0, 0.5, 0.1])), "does not increase"),
        (bands(E_MIN=np.array([-1.0, 0.5, 1.0])), "leave gaps or overlap"),
        (bands(unit="s"), "'s' does not convert to 'TeV'"),
        (bands(unit="banana"), "banana"),
        (bands(NPIX=np.array([[5, 4], [5, 4], [9, 9]])), "NPIX differs from bin to bin"),
    ],
)
def test_damaged_maps(tmp_path: Path, make: Callable[[Any], list[Image | Table]], match: str) -> None:
    path = tmp_path / "bad.fits"
    path.write_bytes(fits_bytes(make(random_map(GRID, (ENERGY,)))))
    with pytest.raises(DataError, match=match):
        read_map(path, "COUNTS")


@pytest.mark.parametrize("name", [None, "COUNTS"])
def test_a_file_without_maps(tmp_path: Path, name: str | None) -> None:
    path = tmp_path / "empty.fits"
    path.write_bytes(fits_bytes([]))
    with pytest.raises(DataError, match=r"neither an image nor a table|no HDU COUNTS"):
        read_map(path, name)


def test_bytes_cut_or_flipped_give_data_or_a_message(tmp_path: Path) -> None:
    content = fits_bytes(map_hdus(random_map(GRID, (ENERGY,)), "COUNTS"))
    random = np.random.default_rng(8)
    path = tmp_path / "damaged.fits"
    for _ in range(300):
        damaged = bytearray(content)
        for at in random.integers(2880, len(content), random.integers(1, 6)):
            damaged[at] = random.integers(32, 127)
        path.write_bytes(damaged[: random.integers(2880, len(content)) if random.uniform() < 0.2 else None])
        try:
            sky_map = read_map(path, "COUNTS")
        except DataError:
            continue
        assert sky_map.data.size <= len(content)


HEALPIX: dict[str, CardValue] = {"PIXTYPE": "HEALPIX", "NSIDE": 4, "ORDERING": "RING", "COORDSYS": "GAL"}


def healpix_file(path: Path, cards: dict[str, CardValue | None], **columns: Any) -> Path:
    header = {name: value for name, value in {**HEALPIX, **cards}.items() if value is not None}
    table = Table("SKYMAP", tuple(Column(name, np.asarray(values)) for name, values in columns.items()), header)
    path.write_bytes(fits_bytes([table]))
    return path


def test_a_healpix_map_of_no_frame_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """As healpy writes one where no ``coord`` was given: Galactic or not, nobody knows."""
    found = read_map(healpix_file(tmp_path / "healpix.fits", {"COORDSYS": None}, T=np.ones(192)))
    assert isinstance(found.geometry, HealpixGeometry)
    assert found.geometry.frame == "icrs"
    assert "HDU SKYMAP: no card COORDSYS, positions are taken for ICRS" in caplog.text


def test_schemes_of_healpix(tmp_path: Path) -> None:
    path = tmp_path / "healpix.fits"
    whole = np.arange(192, dtype=np.float32)
    implicit = read_map(healpix_file(path, {}, CHANNEL1=whole))
    assert isinstance(implicit.geometry, HealpixGeometry)
    assert implicit.geometry.pixels is None
    assert (implicit.geometry.frame, implicit.geometry.nested) == ("galactic", False)
    assert np.array_equal(implicit.data, whole)
    packed = read_map(healpix_file(path, {"ORDER": 2, "NSIDE": None}, T=whole.reshape(12, 16)))  # as healpy writes
    assert np.array_equal(packed.data, whole)
    explicit = read_map(healpix_file(path, {"INDXSCHM": "EXPLICIT"}, PIX=[9, 4], CHANNEL1=[1.0, 2.0]))
    assert isinstance(explicit.geometry, HealpixGeometry)
    assert explicit.geometry.pixels is not None
    assert (explicit.geometry.pixels.tolist(), explicit.data.tolist()) == ([4, 9], [2.0, 1.0])
    sparse = read_map(healpix_file(path, {"INDXSCHM": "SPARSE"}, PIX=[9, 4], VALUE=[1.0, 2.0]))
    assert (sparse.data.shape, sparse.data[9], sparse.data[4], sparse.data.sum()) == ((192,), 1.0, 2.0, 3.0)
    disk = "DISK(10.0,20.0,25.0)"
    sky = HealpixGeometry(4, nested=False, frame="galactic")
    inside = np.flatnonzero(separation(*sky.sky(), 10.0, 20.0) <= 25.0)
    values = np.arange(len(inside), dtype=np.float64)
    for scheme, columns in (("IMPLICIT", {}), ("LOCAL", {"PIX": np.arange(len(inside))})):
        part = read_map(healpix_file(path, {"INDXSCHM": scheme, "HPX_REG": disk}, **columns, CHANNEL1=values))
        assert isinstance(part.geometry, HealpixGeometry)
        assert part.geometry.pixels is not None
        assert np.array_equal(part.geometry.pixels, inside)
        assert np.array_equal(part.data, values)


@pytest.mark.parametrize(
    ("cards", "columns", "match"),
    [
        ({"NSIDE": 3, "ORDERING": "NESTED"}, {"CHANNEL1": np.zeros(108)}, "power of two"),
        ({"NSIDE": 1 << 20}, {"CHANNEL1": np.zeros(3)}, "NSIDE is 1048576"),
        ({"ORDERING": "SPIRAL"}, {"CHANNEL1": np.zeros(192)}, "ORDERING is 'SPIRAL'"),
        ({"COORDSYS": "HORIZON"}, {"CHANNEL1": np.zeros(192)}, "COORDSYS is 'HORIZON'"),
        ({"INDXSCHM": "SOMEHOW"}, {"CHANNEL1": np.zeros(192)}, "INDXSCHM is 'SOMEHOW'"),
        ({}, {"CHANNEL1": np.zeros(191)}, "191 pixels, expected 192"),
        ({"INDXSCHM": "EXPLICIT"}, {"PIX": [1, 1], "CHANNEL1": [1.0, 2.0]}, "not different pixels"),
        ({"INDXSCHM": "EXPLICIT"}, {"PIX": [1, 192], "CHANNEL1": [1.0, 2.0]}, "not different pixels"),
        ({"INDXSCHM": "LOCAL"}, {"PIX": [0], "CHANNEL1": [1.0]}, "does not go with HPX_REG"),
        ({"INDXSCHM": "SPARSE"}, {"PIX": [-1], "VALUE": [1.0]}, "outside the map"),
        ({"HPX_REG": "DISK(1,2)"}, {"CHANNEL1": [1.0]}, "is not supported"),
        ({"HPX_REG": "anything"}, {"CHANNEL1": [1.0]}, "expected such as DISK"),
        ({}, {"CHANNEL1": np.array(["a"] * 192)}, "not numeric"),
    ],
)
def test_damaged_healpix(
    tmp_path: Path, cards: dict[str, CardValue | None], columns: dict[str, Any], match: str
) -> None:
    with pytest.raises(DataError, match=match) as caught:
        read_map(healpix_file(tmp_path / "bad.fits", cards, **columns))
    assert "bad.fits" in str(caught.value)


def test_all_pixels_are_there_whatever_region_is_noted(tmp_path: Path) -> None:
    """A map of the whole sky that has values in a region only, which HPX_REG says (as fermipy's are)."""
    values = np.zeros(768)
    values[:5] = 1.0
    file = healpix_file(tmp_path / "sky.fits", {"NSIDE": 8, "HPX_REG": "DISK(0,0,5)"}, CHANNEL0=values)
    held = read_map(file)
    assert held.geometry.shape == (768,)
    assert np.array_equal(held.data, values)
    cards = {"NSIDE": 8, "HPX_REG": "DISK_INC(0,0,5)", "INDXSCHM": "EXPLICIT"}  # a region that is not known here
    assert read_map(healpix_file(tmp_path / "part.fits", cards, PIX=[9, 4], CHANNEL1=[1.0, 2.0])).data.tolist() == [
        2,
        1,
    ]


def test_the_size_of_healpix_pixels_in_the_table_of_axes(tmp_path: Path) -> None:
    """It counts more than that of the header (gamma-astro-data-formats, HEALPix); NPIX may differ from bin to bin."""
    columns = {"PIX": np.array([3, 5, 3]), "CHANNEL": np.array([0, 0, 1], np.int16), "VALUE": np.array([1.0, 2.0, 3.0])}
    cards: dict[str, CardValue] = {
        "PIXTYPE": "HEALPIX",
        "ORDERING": "NESTED",
        "COORDSYS": "GAL",
        "INDXSCHM": "SPARSE",
        "BANDSHDU": "BANDS",
    }
    table = Table("SKYMAP", tuple(Column(name, array) for name, array in columns.items()), cards)
    axis = {"CHANNEL": np.arange(2), "NSIDE": np.array([4, 4]), "NPIX": np.array([2, 1])}
    edges = (Column("E_MIN", np.array([1.0, 2.0]), "TeV"), Column("E_MAX", np.array([2.0, 4.0]), "TeV"))
    about = Table("BANDS", (*(Column(name, array) for name, array in axis.items()), *edges), {"AXCOLS1": "E_MIN,E_MAX"})
    write_fits(tmp_path / "sparse.fits", [table, about])
    held = read_map(tmp_path / "sparse.fits")
    assert held.data.shape == (2, 192)
    assert [(int(e), int(p)) for e, p in np.argwhere(held.data)] == [(0, 3), (0, 5), (1, 3)]
    axis["NSIDE"] = np.array([4, 8])
    about = Table("BANDS", (*(Column(name, array) for name, array in axis.items()), *edges), {"AXCOLS1": "E_MIN,E_MAX"})
    write_fits(tmp_path / "sparse.fits", [table, about])
    with pytest.raises(DataError, match="HDU BANDS: NSIDE differs from bin to bin"):
        read_map(tmp_path / "sparse.fits")


def test_wrong_shapes() -> None:
    with pytest.raises(DataError, match=r"shape \(4, 5\), expected \(3, 4, 5\)"):
        Map(GRID, (ENERGY,), np.zeros((4, 5)))
    sky_map = random_map(GRID, (ENERGY,))
    assert sky_map.axis("energy") is ENERGY
    with pytest.raises(DataError, match="no axis rad"):
        sky_map.axis("rad")
    with pytest.raises(DataError, match="expected an image with pixels"):
        random_map(RegionGeometry(None), ()).grid()
    assert json.loads(json.dumps(dict(sky_map.meta)))["note"] == "it's"


@pytest.mark.parametrize("name", [None, "COMPRESSED_IMAGE"])
def test_compressed_images_are_called_that(tmp_path: Path, name: str | None) -> None:
    """They lie in the rows of a table, which is no sparse map."""
    image = fits.CompImageHDU(np.ones((4, 5), dtype=np.float32))
    fits.HDUList([fits.PrimaryHDU(), image]).writeto(tmp_path / "map.fits.fz")
    with pytest.raises(DataError, match="tile-compressed image, which is not read\n    unpack it first: funpack"):
        read_map(tmp_path / "map.fits.fz", name)
