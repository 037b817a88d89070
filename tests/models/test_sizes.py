"""Sizes: the limits of a fit, and shapes so small that they are a point."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.conventions import Conventions
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.pixel_grid import _CACHED, PixelGrid, Window
from gm.maps.writing import write_map
from gm.models import (
    DiskSpatialModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    Layout,
    Link,
    Models,
    Parameter,
    PointSpatialModel,
    PowerLawSpectralModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SkyModel,
    SpatialModel,
    TemplateNDSpatialModel,
)
from gm.models.spatial.base import RadialModel
from gm.models.spatial.pixel_shares import PixelNodes

PLACE = {"lon_0": "83.641 deg", "lat_0": "22.027 deg"}  # neither in the centre of a pixel nor at its border
GRID = WcsGeometry.create(83.63, 22.01, 0.05, shape=(21, 21))

SMALL: dict[str, Any] = {
    "gauss": lambda size: GaussianSpatialModel(sigma=size, **PLACE),
    "elongated": lambda size: GaussianSpatialModel(sigma=size, e=0.8, phi=30.0, **PLACE),
    "general": lambda size: GeneralizedGaussianSpatialModel(r_0=size, eta=0.3, **PLACE),
    "disk": lambda size: DiskSpatialModel(r_0=size, **PLACE),
    "shell": lambda size: ShellSpatialModel(radius=size, width=size / 5, **PLACE),
    "ball": lambda size: ShellSpatialModel(radius=0.0, width=size, **PLACE),
    "shell2": lambda size: Shell2SpatialModel(r_0=size, eta=0.3, **PLACE),
}


def free(shape: SpatialModel, **limits: tuple[float, float]) -> Layout:
    """Where a fit of a source with this shape stays; parameters have the limits that are given, and no others."""
    parameters = []
    for p in shape.parameters:
        low, high = limits.get(p.name, (-np.inf, np.inf))
        parameters.append(replace(p, min=low, max=high, frozen=False))
    return Layout(source(shape.with_parameters(parameters)))


def source(shape: SpatialModel) -> Models:
    return Models([SkyModel(name="s", spectral_model=PowerLawSpectralModel(), spatial_model=shape)])


def between(layout: Layout, name: str) -> tuple[float, float]:
    k = layout.free_addresses.index(f"s.{name}")
    return float(layout.lower[k]), float(layout.upper[k])


def test_sizes_have_limits_where_the_user_gives_none() -> None:
    shell = free(ShellSpatialModel(radius="6 arcmin", width="0.1 deg", **PLACE))
    assert between(shell, "radius") == pytest.approx((0, 90 * 60))
    assert between(shell, "width") == (0, 90)
    assert between(shell, "lat_0") == (-90, 90)
    assert between(shell, "lon_0") == (-np.inf, np.inf)
    assert between(free(GaussianSpatialModel(sigma=0.1, e=0.3)), "sigma") == (0, 90)
    assert between(free(GaussianSpatialModel(sigma=0.1, e=0.3)), "e") == (0, 1)
    assert between(free(Shell2SpatialModel(r_0=0.1, eta=0.3)), "eta") == (0.01, 1)
    assert between(free(DiskSpatialModel(r_0=0.1, edge_width=0.3)), "edge_width") == (0, 1)


def test_own_limits_hold_and_are_written_as_they_were(tmp_path: Path) -> None:
    shape = free(ShellSpatialModel(radius=0.2, width=0.1), radius=(-1.0, np.inf), width=(0.05, 0.3))
    assert between(shape, "radius") == (-1, 90)
    assert between(shape, "width") == (0.05, 0.3)
    models = source(ShellSpatialModel(radius=0.2, width=0.1))
    models.write(tmp_path / "models.yaml")
    text = (tmp_path / "models.yaml").read_text()
    assert "90" not in text
    again = Models.read(tmp_path / "models.yaml")
    assert [p.limits() for p in again.parameters] == [p.limits() for p in models.parameters]


def test_a_start_beyond_the_natural_limits_is_not_moved() -> None:
    assert between(free(ShellSpatialModel(radius=-0.2, width=120.0)), "radius") == (-0.2, 90)
    assert between(free(ShellSpatialModel(radius=-0.2, width=120.0)), "width") == (0, 120)


def test_limits_of_a_linked_size_count_for_the_one_that_it_follows() -> None:
    spectrum, first = PowerLawSpectralModel(), GaussianSpatialModel(sigma=Parameter("sigma", 0.2, "deg"))
    second = ShellSpatialModel(radius=0.1, width=Parameter("width", 0.1, "deg", frozen=True))
    shapes = {"s": first, "t": second}
    models = Models([SkyModel(name=n, spectral_model=spectrum, spatial_model=m) for n, m in shapes.items()])
    layout = Layout(models.with_links([Link("t.radius", "s.sigma", scale=1.0, offset=-0.1)]))
    assert between(layout, "sigma") == pytest.approx((0.1, 90.0))


def test_axes_of_a_template_limit_parameters_that_the_document_lists(tmp_path: Path) -> None:
    axis = NodeAxis.from_edges("age", [1.0, 2.0, 4.0, 8.0])
    data = np.random.default_rng(1).random((3, 4, 5))
    write_map(tmp_path / "map.fits", Map(WcsGeometry.create(83.6, 22.0, 0.1, shape=(4, 5)), (axis,), data, "sr-1"))
    file = str(tmp_path / "map.fits")
    shape = TemplateNDSpatialModel(filename=file, age=Parameter("age", 3.0))
    low, high = between(Layout(source(shape)), "age")
    read = TemplateNDSpatialModel(filename=file).parameters[0]
    assert (low, high) == (read.min, read.max)
    assert np.isfinite([low, high]).all()


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("size", [0.0, 1e-8, 1e-6, 1e-4])
def test_a_shape_of_no_size_has_all_its_flux(name: str, size: float) -> None:
    """Exactly a disk has more, what its edge adds: (edge_width / 2.326)^2 / 2. As Gammapy has it, all are the point."""
    model: RadialModel = SMALL[name](size)
    image, gradient = model.integrate_gradient(PixelGrid(GRID), model.values())
    exact = model.integrate(PixelGrid(GRID, Conventions.EXACT), model.values())
    assert exact.sum() == pytest.approx(1.0, abs=1e-5)
    assert exact.max() == pytest.approx(1.0, abs=1e-5)
    if size == 1e-4 and name == "ball":
        return  # which Gammapy, asking for the width of 100 sub-pixels, has not left yet
    point = PointSpatialModel(**PLACE)
    same, slopes = point.integrate_gradient(PixelGrid(GRID), point.values())
    np.testing.assert_array_equal(image, same)
    np.testing.assert_array_equal(gradient[:2], slopes)
    assert not gradient[2:].any()


def test_exactly_a_small_shape_is_the_point() -> None:
    """The shares at the nodes of its pixel have the moments of the point to 1e-4 of a pixel."""
    nodes, grid = PixelNodes(3), PixelGrid(GRID, Conventions.EXACT)
    x, y = GRID.position(83.641, 22.027, "icrs")
    for make in SMALL.values():
        shares = nodes.shares(make(0.0), grid, make(0.0).values())
        row, column = np.mgrid[:21, :21]
        for at, offset, expected in ((column, nodes.x, float(x)), (row, nodes.y, float(y))):
            centroid = float((shares * (at + offset[:, None, None])).sum())
            assert centroid == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("model", [GaussianSpatialModel, DiskSpatialModel, Shell2SpatialModel])
def test_what_is_not_finite_lies_nowhere(model: type[RadialModel]) -> None:
    shape = model(**PLACE)
    for k in range(len(shape.parameters)):
        values = shape.values()
        values[k] = np.nan
        image, gradient = shape.integrate_gradient(PixelGrid(GRID), values)
        assert np.isfinite(image).all()
        assert np.isfinite(gradient).all()


def test_many_sub_pixels_are_evaluated_in_parts() -> None:
    """A thin shell asks for 125 x 125 in every pixel; the sum is that of all at once, and few vectors are kept."""
    shape = ShellSpatialModel(radius=0.22, width=4e-4, **PLACE)
    grid = PixelGrid(GRID)
    window = shape.window(grid, shape.values())
    parts = list(window.divided())
    assert len(parts) > 1
    assert max(part.n_parts for part in parts) <= _CACHED
    image, gradient = shape.integrate_gradient(grid, shape.values())
    np.testing.assert_array_equal(image, shape.integrate(grid, shape.values()))
    row = Window(window.y0 + 3, window.y0 + 4, window.x0, window.x1, window.k)
    density, slopes = shape.evaluate_with_gradient(grid._build("icrs", row), shape.values())
    np.testing.assert_allclose(image[row.slices], grid.average(density, row, single=True), rtol=1e-12)
    np.testing.assert_allclose(gradient[(slice(None), *row.slices)], grid.average(slopes, row), rtol=1e-9, atol=1e-12)


def test_vectors_of_many_oversamplings_are_forgotten() -> None:
    grid = PixelGrid(GRID)
    for size in np.geomspace(0.004, 0.3, 60):
        shape = GaussianSpatialModel(sigma=size, **PLACE)
        shape.integrate(grid, shape.values())
    kept: list[Array] = [vectors for _, vectors in grid._wide.values()] + list(grid._exact.values())
    assert sum(vectors.nbytes for vectors in kept) <= 2 * _CACHED * 3 * 8
