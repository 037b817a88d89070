"""Shapes from files and between nodes: integrals against Gammapy, gradients against differences, damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.errors import DataError
from gm.maps import writing
from gm.maps.axes import Axis, EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.pixel_grid import PixelGrid
from gm.maps.sphere import unit_vectors
from gm.models import ModelError, Parameter, PiecewiseNormSpatialModel, TemplateNDSpatialModel, TemplateSpatialModel

# Gammapy 2.1's numbers, written by make_golden_templates.py beside this file.
GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_templates.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = GOLDEN["cases"]


def build_grid(case: dict[str, Any]) -> PixelGrid:
    return PixelGrid(WcsGeometry(tuple(case["shape"]), case["cards"]))


def build(case: dict[str, Any], shared: Path) -> TemplateSpatialModel:
    return TemplateSpatialModel(
        filename=str(shared / case["file"]), normalize=case["normalize"], lon_0=case["lon_0"], lat_0=case["lat_0"]
    )


def energies(case: dict[str, Any]) -> Array | None:
    return None if case["energy"] is None else np.array(case["energy"])


@pytest.mark.parametrize("name", CASES)
def test_templates_are_those_of_gammapy(name: str, shared: Path) -> None:
    case = CASES[name]
    model, grid = build(case, shared), build_grid(case)
    assert model.is_energy_dependent == (case["energy"] is not None)
    assert model.evaluation_radius(model.values()) == pytest.approx(case["radius"], rel=1e-12)
    image = model.integrate(grid, model.values(), energies(case))
    expected = np.array(case["values"])
    # Gammapy sums single-precision maps in single precision to normalise them: 4e-8.
    np.testing.assert_allclose(image.ravel()[case["pixels"]], expected, rtol=1e-7, atol=1e-10 * expected.max())
    np.testing.assert_allclose(image.sum(), case["sum"], rtol=5e-8)


@pytest.mark.parametrize("name", CASES)
def test_the_gradient_by_position_is_that_of_differences(name: str, shared: Path) -> None:
    case = CASES[name]
    model, grid, energy = build(case, shared), build_grid(case), energies(case)
    values = model.values()
    image, gradient = model.integrate_gradient(grid, values, energy)
    np.testing.assert_array_equal(image, model.integrate(grid, values, energy))
    for k in range(2):
        shift = np.zeros(2)
        shift[k] = 1e-5
        up, down = (model.integrate(grid, values + sign * shift, energy) for sign in (1, -1))
        expected = (up - down) / 2e-5
        # A pixel whose position crosses a node of the map, or its border, has a kink or a jump there.
        close = np.isclose(gradient[k], expected, rtol=1e-5, atol=1e-7 * np.abs(expected).max())
        assert close.mean() > 0.999


def test_the_position_is_the_middle_of_the_map_until_it_is_given(shared: Path) -> None:
    file = str(shared / CASES["image in icrs"]["file"])
    model = TemplateSpatialModel(filename=file)
    assert np.isnan(model.values()).all()
    assert model.frame == "galactic"
    assert model.position(model.values()) == pytest.approx(model.template.center())
    grid = build_grid(CASES["image in icrs"])
    moved = TemplateSpatialModel(filename=file, lon_0=Parameter("lon_0", float("nan"), "deg"), lat_0=1.0)
    assert moved.lon_0.value == model.template.center()[0]
    np.testing.assert_allclose(model.integrate(grid, model.values()).sum(), CASES["image in icrs"]["sum"], rtol=1e-9)


def write_map(path: Path, case: dict[str, Any]) -> None:
    """The map of ``many_axes`` as a GADF file: two axes of nodes, one row of the table for each combination."""
    from astropy.io import fits
    from astropy.table import Table as AstropyTable

    data = np.array(case["data"])
    header: dict[str, Any] = {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", "CRPIX1": 5.0, "CRPIX2": 4.0, "CRVAL1": 0.0}
    header |= {"CRVAL2": 0.0, "CDELT1": -0.5, "CDELT2": 0.5, "CUNIT1": "deg", "CUNIT2": "deg", "RADESYS": "ICRS"}
    header |= {"BANDSHDU": "PRIMARY_BANDS", "BUNIT": "sr-1"}
    width, age = np.array([1.0, 3.0, 10.0]), np.array([0.0, 1.0, 2.5, 4.0])
    bands = {"CHANNEL": np.arange(12), "WIDTH": np.tile(width, 4), "AGE": np.repeat(age, 3)}
    table = fits.table_to_hdu(AstropyTable(bands, units={"WIDTH": "deg", "AGE": "yr"}))
    table.name = "PRIMARY_BANDS"
    table.header.update({"AXCOLS1": "WIDTH", "AXCOLS2": "AGE", "INTERP1": "log", "INTERP2": "lin"})
    fits.HDUList([fits.PrimaryHDU(data, fits.Header(header)), table]).writeto(path)


def test_maps_with_more_axes_are_those_of_gammapy(tmp_path: Path) -> None:
    case = GOLDEN["many_axes"]
    write_map(tmp_path / "map.fits", case)
    model, grid = TemplateNDSpatialModel(filename=str(tmp_path / "map.fits")), build_grid(case)
    limits = {p.name: (p.value, p.min, p.max, p.unit) for p in model.parameters}
    assert limits == {"width": (5.5, 1.0, 10.0, "deg"), "age": (2.0, 0.0, 4.0, "yr")}
    values = np.array([case["at"][name] for name in model.paths])
    image, gradient = model.integrate_gradient(grid, values)
    np.testing.assert_allclose(image.ravel()[case["pixels"]], case["values"], rtol=1e-9)
    for k in range(2):
        shift = np.zeros(2)
        shift[k] = 1e-5
        expected = (model.integrate(grid, values + shift) - model.integrate(grid, values - shift)) / 2e-5
        np.testing.assert_allclose(gradient[k], expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max())


def test_a_surface_between_nodes_is_that_of_gammapy() -> None:
    case = GOLDEN["piecewise"]
    norms = {f"norm_{k}": Parameter(f"norm_{k}", norm) for k, norm in enumerate(case["norms"])}
    nodes = {name: {"data": case[name], "unit": "deg"} for name in ("lon", "lat")}
    model, grid = PiecewiseNormSpatialModel(**nodes, **norms), build_grid(case)
    vectors = grid.vectors("icrs", grid.everything)
    norm, gradient = model.evaluate_with_gradient(vectors, model.values())
    # The slopes at the nodes are iterated to 1e-6 in Gammapy, to 1e-10 here.
    np.testing.assert_allclose(norm.ravel()[case["pixels"]], case["values"], rtol=2e-6)
    np.testing.assert_allclose(np.tensordot(model.values(), gradient, axes=1), norm, rtol=1e-12)
    in_log = PiecewiseNormSpatialModel(**nodes, **norms, interp="log")
    _, slopes = in_log.evaluate_with_gradient(vectors, in_log.values())
    for k in range(len(norms)):
        shift = np.zeros(len(norms))
        shift[k] = 1e-5
        up, down = (in_log.evaluate(vectors, in_log.values() + sign * shift) for sign in (1, -1))
        np.testing.assert_allclose(slopes[k], (up - down) / 2e-5, rtol=1e-6, atol=1e-8)
    at_nodes = in_log.evaluate(unit_vectors(np.array(case["lon"]), np.array(case["lat"])), in_log.values())
    np.testing.assert_allclose(at_nodes[-1], case["norms"][-1], rtol=1e-9)
    with pytest.raises(ModelError, match="at least four"):
        PiecewiseNormSpatialModel(lon={"data": [0.0, 1.0]}, lat={"data": [0.0, 1.0]})


def test_nodes_without_a_surface_through_them_are_refused() -> None:
    """A triangulation of them ended as a bug; with a node twice one of its norms had no effect."""

    def nodes(lon: list[float], lat: list[float]) -> PiecewiseNormSpatialModel:
        return PiecewiseNormSpatialModel(lon={"data": lon}, lat={"data": lat})

    with pytest.raises(ModelError, match="all nodes lie on one line"):
        nodes([80.0, 82.0, 84.0, 87.0], [20.0, 21.0, 22.0, 23.5])
    with pytest.raises(ModelError, match="the nodes of norm_1 and norm_3 are the same place"):
        nodes([0.0, 359.0, 0.0, -1.0], [0.0, 0.0, 1.0, 0.0])
    square = [80.0, 87.0, 80.5, 87.0], [20.0, 20.0, 24.0, 23.0]
    order, values = [3, 0, 1, 2], np.array([1.0, 2.0, 3.0, 5.0])
    at = unit_vectors(np.array([81.0, 86.0, 90.0]), np.array([21.0, 22.5, 22.0]))
    mixed = nodes(*([column[k] for k in order] for column in square))
    np.testing.assert_allclose(mixed.evaluate(at, values[order]), nodes(*square).evaluate(at, values), rtol=1e-9)
    assert mixed.covers(at).tolist() == [True, True, False]


def test_a_healpix_template(tmp_path: Path) -> None:
    from astropy.io import fits
    from astropy_healpix import HEALPix

    sky = HEALPix(16, order="nested")
    lon, lat = sky.healpix_to_lonlat(np.arange(sky.npix))
    values = 2.0 + np.sin(lon.rad) * np.cos(lat.rad)
    table = fits.BinTableHDU.from_columns([fits.Column("CHANNEL1", "D", array=values)])
    cards = {"PIXTYPE": "HEALPIX", "ORDERING": "NESTED", "NSIDE": 16, "COORDSYS": "GAL", "HPX_CONV": "GADF"}
    table.header.update(cards | {"INDXSCHM": "IMPLICIT", "FIRSTPIX": 0, "LASTPIX": sky.npix - 1, "ORDER": 4})
    table.name = "SKYMAP"
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(tmp_path / "sky.fits")
    model = TemplateSpatialModel(filename=str(tmp_path / "sky.fits"), normalize=False)
    place = np.array([33.0, 100.0, 310.0]), np.array([-20.0, 40.0, 80.0])
    density = model.evaluate(unit_vectors(*place), model.values())
    expected = 2.0 + np.sin(np.radians(place[0])) * np.cos(np.radians(place[1]))
    np.testing.assert_allclose(density, expected, rtol=2e-3)  # the map's own pixels, 3.7 deg wide
    whole = TemplateSpatialModel(filename=str(tmp_path / "sky.fits"), normalize=True)
    np.testing.assert_allclose(whole.evaluate(unit_vectors(*place), whole.values()), density / (8 * np.pi), rtol=1e-9)


RAD, TIME = NodeAxis.from_edges("rad", [0.0, 0.1, 0.2], "deg"), NodeAxis.from_nodes("time", [1.0, 2.0, 3.0], "d")
TRUE = EnergyAxis(np.array([1.0, 3.0, 10.0]), "energy_true")


@pytest.mark.parametrize("axes", [(TIME,), (RAD, TRUE), (TRUE, RAD), (EnergyAxis(TRUE.edges, "energy"), TRUE)])
def test_a_template_with_axes_that_nobody_gives_values_of(tmp_path: Path, axes: tuple[Axis, ...]) -> None:
    """Its slices were taken for pixels."""
    grid = WcsGeometry.create(83.6, 22.0, 0.1, shape=(5, 5))
    values = np.ones((*(axis.n_bins for axis in axes), *grid.shape))
    writing.write_map(tmp_path / "t.fits", Map(grid, axes, values, "sr-1"))
    model = TemplateSpatialModel(filename=str(tmp_path / "t.fits"))
    with pytest.raises(
        DataError, match=r"t.fits: the axes .*, expected none or one of energy\n.*TemplateNDSpatialModel"
    ):
        list(model.remarks())


def test_a_file_that_is_no_map_is_named_when_it_is_used(tmp_path: Path) -> None:
    (tmp_path / "text.fits").write_text("no map")
    model = TemplateSpatialModel(filename=str(tmp_path / "text.fits"))
    with pytest.raises(DataError, match=r"text\.fits: not a FITS file"):
        model.evaluate(unit_vectors(0.0, 0.0), model.values())
    gone = TemplateSpatialModel(filename=str(tmp_path / "gone.fits"))
    with pytest.raises(DataError, match=r"gone\.fits: no such file"):
        gone.evaluate(unit_vectors(0.0, 0.0), gone.values())
    with pytest.raises(ModelError, match="normalize is 'yes'"):
        TemplateSpatialModel(filename="x", normalize="yes")


@pytest.mark.parametrize(
    ("center", "expected"),
    [
        (0.0, [1.6601001292591657, 1.282779869733027, 1.6400011647674262, 1.5873263517801477, 1.367049587642793]),
        (266.4, [1.65776671084744, 1.4754725360547387, 1.62629625685939, 1.7694849536987796, 1.3469371883532644]),
    ],
)
def test_diagonals_of_regular_nodes_are_those_of_gammapy(center: float, expected: list[float]) -> None:
    """Inside of squares, whose diagonals another rounding of the nodes turns: 16 % more at the second position.

    Gammapy 2.1: ``PiecewiseNormSpatialModel(MapCoord.create((lon, lat)), norms=norms, frame="icrs")`` there.
    """
    steps = 0.1 * np.arange(4) - 0.15000000000000002
    lon, lat = (axis.ravel() for axis in np.meshgrid((center + steps) % 360, 22.01 + steps))
    norms = {f"norm_{k}": Parameter(f"norm_{k}", 0.5 + (7 * k % 16) / 10) for k in range(16)}
    model = PiecewiseNormSpatialModel(lon={"data": lon.tolist()}, lat={"data": lat.tolist()}, **norms)
    at = (center + np.array([-0.1, 0.03, 0.07, -0.02, 0.12])) % 360, 22.01 + np.array([0.09, -0.02, -0.12, 0.03, 0.1])
    np.testing.assert_allclose(model.at(*at), expected, rtol=1e-6)
