"""Free extended shapes in a fit: smooth in size and position, and limited to what the pixels tell apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gm.conventions import Conventions
from gm.datasets import Datasets
from gm.likelihood import JointLikelihood
from gm.likelihood.maps.sources.shape_image import SmoothImage
from gm.maps.pixel_grid import PixelGrid
from gm.models import (
    Models,
    Parameter,
    SpatialModel,
)
from gm.models.spatial.base import RadialModel
from tests.map_samples import GRIDS, LAT, LON, background, cube, edged, gauss, point, source

PIXEL = 0.1  # [deg] of the sample maps


def sky(shape: SpatialModel) -> Models:
    return Models([source(shape=shape), background()])


def position(likelihood: JointLikelihood, name: str) -> int:
    return likelihood.layout.free_addresses.index(f"source.{name}")


def test_the_oversampling_of_a_fit_does_not_jump_with_the_size() -> None:
    """Just below and above a size at which Gammapy cuts pixels anew; both start with Gammapy's own number."""
    datasets, border = Datasets([cube()]), 3 * PIXEL / 2
    models = sky(gauss(LON + 0.033, LAT, sigma=border + 1e-4))
    plain, fit = JointLikelihood(datasets, models), JointLikelihood(datasets, models, for_fit=True)
    start = fit.layout.start
    assert fit.value(start) == pytest.approx(plain.value(start), abs=1e-4)  # plain sums are rounded to single precision
    k = position(fit, "sigma")
    sizes = border + 1e-7 * np.array([-3.0, -1.0, 1.0, 3.0])
    vectors = [np.where(np.arange(start.size) == k, size, start) for size in sizes]
    smooth, jumping = (np.array([likelihood.value(vector) for vector in vectors]) for likelihood in (fit, plain))
    assert np.abs(np.diff(smooth, n=2)).max() < 1e-6
    assert abs(np.diff(jumping)[1]) > 1e-3
    assert fit.is_current(start)
    assert not fit.is_current(vectors[0])
    assert fit.left_behind(vectors[0]) == []


def test_sub_pixels_that_have_become_too_coarse_are_left_behind() -> None:
    fit = JointLikelihood(Datasets([cube()]), sky(gauss(sigma=0.2)), for_fit=True)
    vector = fit.layout.start
    vector[position(fit, "sigma")] = 0.07
    assert fit.left_behind(vector) == ["source"]
    assert JointLikelihood(Datasets([cube()]), sky(gauss(sigma=0.2))).left_behind(vector) == []


@pytest.mark.parametrize(("conventions", "least"), [("gammapy", 0.35), ("exact", 0.02)])
def test_a_fit_stays_where_pixels_tell_sizes_apart(conventions: str, least: float) -> None:
    datasets, shape = Datasets([cube()]), gauss()
    likelihood = JointLikelihood(datasets, sky(shape), conventions, for_fit=True)
    assert likelihood.layout.lower[position(likelihood, "sigma")] == pytest.approx(least * PIXEL, rel=1e-3)
    free = JointLikelihood(datasets, sky(shape), conventions)
    assert free.layout.lower[position(free, "sigma")] == 0
    own = shape.with_parameters([replace(p, min=0.07) if p.name == "sigma" else p for p in shape.parameters])
    limited = JointLikelihood(datasets, sky(own), conventions, for_fit=True)
    assert limited.layout.lower[position(limited, "sigma")] == 0.07


def test_limits_that_leave_no_room_stay() -> None:
    shape = gauss(sigma=0.004)
    tight = [replace(p, min=0.001, max=0.01) if p.name == "sigma" else p for p in shape.parameters]
    likelihood = JointLikelihood(Datasets([cube()]), sky(shape.with_parameters(tight)), for_fit=True)
    k = position(likelihood, "sigma")
    assert (likelihood.layout.lower[k], likelihood.layout.upper[k]) == (0.001, 0.01)


def test_a_needle_is_told_from_a_line() -> None:
    elongated = [replace(p, frozen=False) if p.name == "e" else p for p in gauss().parameters]
    likelihood = JointLikelihood(Datasets([cube()]), sky(gauss().with_parameters(elongated)), for_fit=True)
    assert likelihood.layout.upper[position(likelihood, "e")] == 0.999


def test_smaller_sizes_are_more_and_more_a_point() -> None:
    """Total counts of a shape whose size goes to 0, and those of a point."""
    datasets = Datasets([cube()])
    counts = []
    for sigma in (0.0, 1e-7, 1e-5, 1e-3):
        likelihood = JointLikelihood(datasets, Models([source(shape=gauss(sigma=sigma))]), "exact")
        counts.append(likelihood.predicted(likelihood.layout.start)[0].sum())
    likelihood = JointLikelihood(datasets, Models([source(shape=point())]), "exact")
    np.testing.assert_allclose(counts, likelihood.predicted(likelihood.layout.start)[0].sum(), rtol=1e-4)


def test_parameters_without_an_own_limit_keep_the_given_start() -> None:
    fixed = gauss(sigma=0.0).with_parameters([replace(p, frozen=True) for p in gauss(sigma=0.0).parameters])
    models = Models([source(shape=fixed, amplitude=Parameter("amplitude", 1e-11, "cm-2 s-1 TeV-1"))])
    assert np.isfinite(JointLikelihood(Datasets([cube()]), models, for_fit=True).value(np.array([2.3, 1e-11])))


EDGED = edged()


@pytest.mark.parametrize("name", EDGED)
def test_edges_do_not_make_the_statistic_rough(name: str) -> None:
    """The gradient is that of wide differences, which sums over sub-pixels of some percent of the radius are not."""
    fit = JointLikelihood(Datasets([cube()]), sky(EDGED[name]), for_fit=True)
    start = fit.layout.start
    value, gradient = fit.value_and_gradient(start)
    assert value == fit.value(start)
    for parameter, step in (("lon_0", 0.01), ("lat_0", 0.01), (EDGED[name].parameters[2].name, 0.01)):
        h = step * (np.arange(start.size) == position(fit, parameter))
        near, far = (fit.value(start + k * h) - fit.value(start - k * h) for k in (1, 2))
        expected = (8 * near - far) / (12 * step)
        assert gradient[position(fit, parameter)] == pytest.approx(expected, rel=2e-3, abs=0.05)


@pytest.mark.parametrize("name", EDGED)
def test_smooth_images_are_the_integrals(name: str) -> None:
    """All the flux, and the pixels' integrals to 5 % of the brightest; a shape that has outgrown it has sums."""
    shape, grid = EDGED[name], PixelGrid(GRIDS["icrs"])
    assert isinstance(shape, RadialModel)
    image = SmoothImage(shape, grid, shape.values(), np.ones(len(shape.parameters), dtype=bool))
    found, exact = (
        image.pixels(shape.values()),
        shape.integrate(PixelGrid(GRIDS["icrs"], Conventions.EXACT), shape.values()),
    )
    assert found.sum() == pytest.approx(exact.sum(), abs=1e-4)
    np.testing.assert_allclose(found, exact, rtol=0, atol=0.05 * exact.max())
    values = shape.values()
    values[2] *= 4
    np.testing.assert_array_equal(image.pixels(values), shape.integrate(grid, values))
    np.testing.assert_array_equal(image.pixels_gradient(values), shape.integrate_gradient(grid, values)[1])


@pytest.mark.parametrize(("name", "limits"), [("shell", {"radius": 0.035, "width": 0.035}), ("shell2", {"r_0": 0.07})])
def test_holes_and_sizes_of_shells_stay_visible(name: str, limits: dict[str, float]) -> None:
    likelihood = JointLikelihood(Datasets([cube()]), sky(EDGED[name]), for_fit=True)
    widest = np.hypot(*GRIDS["icrs"].width())
    for parameter, least in limits.items():
        k = position(likelihood, parameter)
        assert likelihood.layout.lower[k] == pytest.approx(least, rel=1e-3)
        assert likelihood.layout.upper[k] == pytest.approx(widest)


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("name", ["gauss", "point", *EDGED])
def test_frozen_shapes_are_the_free_ones_where_they_start(name: str, conventions: str) -> None:
    """Two maps of one sky: the same value and rows, to the precision of folded images, and no derivative by shapes."""
    shape = {"gauss": gauss(LON + 0.033, LAT), "point": point(LON + 0.033, LAT), **EDGED}[name]
    models, datasets = sky(shape), Datasets([cube(), cube(name="other", exposure=2e13)])
    free, frozen = (JointLikelihood(datasets, models, conventions, frozen_shapes=frozen) for frozen in (False, True))
    start = free.layout.start
    assert frozen.layout.free_addresses == free.layout.free_addresses
    assert frozen.value(start) == pytest.approx(free.value(start), rel=1e-10)
    for one, other in zip(frozen.summarize(start), free.summarize(start), strict=True):
        assert one.predicted == pytest.approx(other.predicted, rel=1e-8)
        assert one.components == pytest.approx(other.components, rel=1e-8)
    gradient, expected = frozen.gradient(start), free.gradient(start)
    of_shape = np.array([address.split(".")[1] in shape.paths for address in free.layout.free_addresses])
    assert np.any(expected[of_shape] != 0)
    assert np.all(gradient[of_shape] == 0)
    np.testing.assert_allclose(gradient[~of_shape], expected[~of_shape], rtol=1e-6)
