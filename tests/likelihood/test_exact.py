"""Exact conventions against sums over a fine grid of the sky, and what they promise: no kinks, nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.interpolate import CubicHermiteSpline
from scipy.ndimage import map_coordinates

from gm.arrays import Array
from gm.datasets import Datasets, MapDataset
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.likelihood.maps.folding.exact import ExactRecoFolding, ExactTrueFolding
from gm.likelihood.maps.folding.window import MapWindow
from gm.likelihood.prediction import predict_component
from gm.maps.pixel_grid import PixelGrid
from gm.maps.rotation import rotate
from gm.maps.sphere import unit_vectors
from gm.models import (
    ConstantSpatialModel,
    DiskSpatialModel,
    ExpCutoffPowerLawSpectralModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    LogParabolaSpectralModel,
    Models,
    PointSpatialModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SkyModel,
    SpatialModel,
    TemplateSpatialModel,
)
from gm.models.spatial.base import ExtendedModel
from gm.models.spatial.pixel_shares import PixelNodes
from gm.models.spatial.spline_nodes import SplineNodes
from tests.likelihood.dense_maps import edisp_matrix
from tests.likelihood.test_map_gradient import SHAPES, check
from tests.map_samples import (
    LAT,
    LON,
    background,
    cube,
    energies,
    free,
    gauss,
    on_off_cube,
    point,
    source,
    write_template,
)
from tests.samples import read_reference

AT = {"lon_0": f"{LON + 0.037} deg", "lat_0": f"{LAT - 0.041} deg"}
EXTENDED: dict[str, SpatialModel] = {
    "wide gauss": GaussianSpatialModel(**AT, sigma="0.25 deg"),
    "narrow gauss": GaussianSpatialModel(**AT, sigma="0.02 deg"),
    "elongated gauss": GaussianSpatialModel(**AT, sigma="0.2 deg", e=0.95, phi="30 deg"),
    "disk": DiskSpatialModel(**AT, r_0="0.27 deg"),
    "shell": ShellSpatialModel(**AT, radius="0.24 deg", width="0.08 deg"),
    "cusp": GeneralizedGaussianSpatialModel(**AT, r_0="0.08 deg", eta=0.9),
}
EDGED = ("disk", "shell")
NODES, WEIGHTS = np.polynomial.legendre.leggauss(6)
TRUE = energies()[1]
FINE = 24  # parts of a pixel, for the sum over the sky


def fluxes(dataset: MapDataset, component: SkyModel) -> Array:
    """Integrals over the bins of true energy by adaptive quadrature, in ln E."""
    spectrum, edges = component.spectral_model, np.log(dataset.energy_true.edges)

    def per_log(u: float) -> float:
        return float(spectrum(np.array([np.exp(u)]))[0]) * np.exp(u)

    return np.array([quad(per_log, a, b, epsrel=1e-10)[0] for a, b in pairwise(edges)])


def sky(dataset: MapDataset, shape: SpatialModel) -> tuple[Array, Array, Array]:
    """Positions on the sky as unit vectors (3, n), the shape's flux there (n,), the exposure there (n_true, n)."""
    geometry = dataset.geometry
    if isinstance(shape, PointSpatialModel):
        x, y = (np.atleast_1d(a) for a in geometry.position(*shape.position(shape.values()), shape.frame))
        flux = np.ones(1)
    else:
        assert isinstance(shape, ExtendedModel)
        fine = geometry.upsample(FINE)
        lon, lat = fine.grid()
        flux = (shape.at(*rotate(lon, lat, geometry.frame, shape.frame)) * fine.solid_angle()).ravel()
        y, x = ((np.indices(fine.shape) + 0.5) / FINE - 0.5).reshape(2, -1)
        chosen = flux > 1e-9 * flux.max()
        flux, y, x = flux[chosen], y[chosen], x[chosen]
    exposure = np.stack([map_coordinates(row, [y, x], order=1, mode="nearest") for row in dataset.exposure])
    return unit_vectors(*geometry.sky(x, y)), flux, exposure


def slow_counts(dataset: MapDataset, component: SkyModel, y: int, x: int) -> Array:
    """Counts (n_energy,) in one pixel: a sum over the sky and over 6 x 6 points of the pixel."""
    assert dataset.psf is not None
    shape, psf = component.spatial_model, dataset.psf
    assert shape is not None
    at = (*shape.position(shape.values()), shape.frame)
    axis = dataset.energy if psf.is_reco else dataset.energy_true
    spread = psf.spread(axis.center, *at)
    profile = CubicHermiteSpline(spread.chord, spread.values.T, spread.slopes.T)
    vectors, flux, exposure = sky(dataset, shape)
    lon, lat = dataset.geometry.sky(*np.meshgrid(x + NODES / 2, y + NODES / 2))
    area = dataset.geometry.solid_angle()[y, x] * np.outer(WEIGHTS, WEIGHTS).ravel() / 4
    seen = np.zeros((axis.n_bins, len(flux)))
    for target, weight in zip(unit_vectors(lon, lat).reshape(3, -1).T, area, strict=True):
        chord = 2 - 2 * target @ vectors
        seen += weight * np.where(chord < spread.chord[-1], profile(np.minimum(chord, spread.chord[-1])).T, 0)
    true = fluxes(dataset, component)[:, None] * exposure * flux
    matrix = edisp_matrix(dataset, at, True)
    return np.asarray(np.einsum("kn,en,ek->k", seen, true, matrix) if psf.is_reco else matrix.T @ (true * seen).sum(1))


def check_pixels(dataset: MapDataset, component: SkyModel, tolerance: float) -> None:
    """Pixels of the core, of the edge, and of the tails; tolerance of the counts of all pixels."""
    counts = predict_component(dataset, component, "exact")
    assert component.spatial_model is not None
    place = component.spatial_model.position(component.spatial_model.values())
    x0, y0 = (round(float(a)) for a in dataset.geometry.position(*place, component.spatial_model.frame))
    scale = counts.sum(axis=(1, 2))
    for d_y, d_x in [(0, 0), (1, 0), (0, -1), (2, 2), (-3, 1), (4, -5)]:
        slow = slow_counts(dataset, component, y0 + d_y, x0 + d_x)
        difference = np.abs(counts[:, y0 + d_y, x0 + d_x] - slow) / scale
        assert difference.max() < tolerance, (d_y, d_x, difference)


@pytest.mark.parametrize("response", ["psf", "reco", "migra"])
@pytest.mark.parametrize("grid", ["icrs", "galactic"])
def test_points(grid: str, response: str) -> None:
    """2e-6 of the source, in every pixel: also where the PSF is cut, which the sum over 36 points sees as a step."""
    component = source(shape=point(LON + 0.037, LAT - 0.041))
    check_pixels(cube(grid=grid, response=response), component, 2e-6)


@pytest.mark.parametrize("response", ["psf", "reco"])
@pytest.mark.parametrize("name", EXTENDED)
def test_extended_shapes(name: str, response: str) -> None:
    """1e-5 of the source: one kernel serves all of a shape, and pixels shrink by cos(0.7 deg) towards its borders.

    With edges 3e-5: the sum over the sky takes or leaves its fine pixels as a whole.
    """
    component = source(shape=EXTENDED[name])
    check_pixels(cube(response=response), component, 3e-5 if name in EDGED else 1e-5)


SIZED: dict[str, Callable[[float], SpatialModel]] = {
    "gauss": lambda size: GaussianSpatialModel(**AT, sigma=f"{size} deg"),
    "gauss, long": lambda size: GaussianSpatialModel(**AT, sigma=f"{size} deg", e=0.8, phi="30 deg"),
    "gauss-general": lambda size: GeneralizedGaussianSpatialModel(**AT, r_0=f"{size} deg"),
    "disk": lambda size: DiskSpatialModel(**AT, r_0=f"{size} deg"),
    "shell": lambda size: ShellSpatialModel(**AT, radius=f"{size} deg", width=f"{size} deg"),
    "shell2": lambda size: Shell2SpatialModel(**AT, r_0=f"{size} deg"),
}


@pytest.mark.parametrize("response", ["psf", "reco"])
@pytest.mark.parametrize("name", SIZED)
def test_towards_no_size_a_shape_becomes_the_point(name: str, response: str) -> None:
    """In every pixel: 5e-6 of the source; the soft edge of a disk adds 1e-5 to its flux."""
    dataset = cube(response=response)
    expected = predict_component(dataset, source(shape=point(LON + 0.037, LAT - 0.041)), "exact")
    tolerance = 5e-6 * expected.sum(axis=(1, 2))
    for size in (0.0, 1e-9, 1e-5, 1e-4):
        counts = predict_component(dataset, source(shape=SIZED[name](size)), "exact")
        assert (np.abs(counts - expected).max(axis=(1, 2)) < tolerance).all(), size


def test_the_sum_of_all_pixels() -> None:
    """With flat exposure and the source in the middle the counts are flux times exposure, whatever the shape."""
    dataset = cube(response="psf only")
    dataset = dataset.with_(exposure=np.full_like(dataset.exposure, 1e13))
    matrix = edisp_matrix(dataset, (None, None, None), True)
    for shape in [point(LON + 0.037, LAT - 0.041), gauss(sigma=0.01), gauss(sigma=0.1), EXTENDED["elongated gauss"]]:
        component = source(shape=shape)
        counts = predict_component(dataset, component, "exact")
        expected = 1e13 * fluxes(dataset, component) @ matrix
        np.testing.assert_allclose(counts.sum(axis=(1, 2)), expected, rtol=2e-5)


@pytest.mark.parametrize("name", SIZED)
def test_no_size_without_a_psf(name: str) -> None:
    """The counts of a hundredth of a pixel, in the one that holds it: 1e-5."""
    dataset = cube(response="plain")
    small = predict_component(dataset, source(shape=SIZED[name](1e-3)), "exact").sum()
    for size in (0.0, 1e-7):
        counts = predict_component(dataset, source(shape=SIZED[name](size)), "exact")
        assert (counts > 1e-6 * counts.max()).any(axis=0).sum() == 1
        assert counts.sum() == pytest.approx(small, rel=1e-5)


def test_without_a_psf() -> None:
    """Exposure times shape, integrated over pixels as a sum that is good to 3e-5; a point stays on four pixels."""
    dataset, shape = cube(response="plain"), EXTENDED["wide gauss"]
    component = source(shape=shape)
    counts = predict_component(dataset, component, "exact")
    fine = dataset.geometry.upsample(FINE)
    lon, lat = fine.grid()
    assert isinstance(shape, ExtendedModel)
    flux = shape.at(lon, lat) * fine.solid_angle()
    y, x = (np.indices(fine.shape) + 0.5) / FINE - 0.5
    by_pixel = (*dataset.geometry.shape, FINE, FINE)
    exposed = [map_coordinates(row, [y, x], order=1, mode="nearest") * flux for row in dataset.exposure]
    images = np.stack([e.reshape(by_pixel[0], FINE, by_pixel[1], FINE).sum(axis=(1, 3)) for e in exposed])
    true = fluxes(dataset, component)[:, None, None] * images
    expected = np.tensordot(edisp_matrix(dataset, (None, None, None), True).T, true, axes=1)
    np.testing.assert_allclose(counts, expected, rtol=0, atol=3e-5 * expected.max())
    alone = source(shape=point(LON + 0.037, LAT - 0.041))
    np.testing.assert_array_equal(
        predict_component(dataset, alone, "exact") > 0, predict_component(dataset, alone, "gammapy") > 0
    )


@pytest.mark.parametrize("response", ["psf", "reco", "plain"])
def test_without_an_exposure_nothing_is_predicted(response: str) -> None:
    """Around the source, as beyond a field of view, or anywhere; sources without a shape too."""
    dataset = cube(response=response)
    x, _ = dataset.geometry.position(LON, LAT, "icrs")
    beside = np.abs(np.arange(dataset.geometry.shape[1]) - x) > 8
    narrow = source(shape=gauss(sigma=0.02))
    whole = predict_component(dataset, narrow, "exact").max()
    for exposure in (dataset.exposure * beside, 0.0 * dataset.exposure):
        dark = dataset.with_(exposure=exposure)
        assert np.abs(predict_component(dark, narrow, "exact")).max() <= 1e-5 * whole
    assert not predict_component(dark, source(), "exact").any()
    likelihood = JointLikelihood(Datasets([dark]), Models([source(shape=free(gauss())), background()]), "exact")
    without = JointLikelihood(Datasets([dark]), Models([background()]), "exact")
    start, alone = likelihood.layout.start, without.layout.start
    assert likelihood.value(start) == pytest.approx(without.value(alone), rel=1e-12)


@pytest.mark.parametrize(
    "spectrum",
    [
        LogParabolaSpectralModel(alpha=2.2, beta=0.4),
        ExpCutoffPowerLawSpectralModel(index=1.7, lambda_="0.5 TeV-1"),
    ],
)
def test_integrals_over_energy(spectrum: object) -> None:
    """Bins of a third of a decade, up to twenty e-foldings: 1e-6."""
    dataset = cube(response="plain")
    component = SkyModel(spectral_model=spectrum, spatial_model=gauss(), name="source")  # type: ignore[arg-type]
    likelihood = JointLikelihood(Datasets([dataset]), Models([component]), "exact")
    flux = likelihood.bank.fluxes(likelihood.layout.expand(likelihood.layout.start))
    np.testing.assert_allclose(flux[: dataset.energy_true.n_bins], fluxes(dataset, component), rtol=1e-6)


GRADIENTS = product(("point", "wide gauss", "narrow gauss", "soft disk", "flat sky"), ("psf", "reco", "plain"))
ANY = {name: shape for name, (shape, *_) in SHAPES.items()} | {
    "shell": EXTENDED["shell"],
    "shell2": Shell2SpatialModel(**AT, r_0="0.3 deg", eta=0.4),
    "gauss-general": GeneralizedGaussianSpatialModel(**AT, r_0="0.3 deg", eta=0.8, e=0.4),
}
EDGES = product(("shell", "shell2", "gauss-general"), ("psf", "reco"))


@pytest.mark.parametrize(("name", "response"), [*(case for case in GRADIENTS if case != ("point", "plain")), *EDGES])
def test_gradients(name: str, response: str) -> None:
    """Of all but a point without a PSF, which has the kinks of pixels."""
    models = Models([source(shape=free(ANY[name])), background()])
    datasets = Datasets([cube("cube", "icrs", response, 1), on_off_cube("on-off", "galactic", response, 2)])
    likelihood = JointLikelihood(datasets, models, "exact")
    check(likelihood, likelihood.layout.start, step=0.01)


def test_datasets_on_the_same_pixels_share_the_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a shape at some values it is made once for all, and its derivatives once; PSFs may reach differently far."""
    made = []
    real = SplineNodes._images

    def count(self: SplineNodes, *arguments: Any) -> Array:
        made.append(arguments[2].tobytes())
        return real(self, *arguments)

    monkeypatch.setattr(SplineNodes, "_images", count)
    models = Models([source(shape=free(EXTENDED["shell"])), background("a"), background("b")])
    both = JointLikelihood(Datasets([cube("a", "icrs", "psf", 1), cube("b", "icrs", "psf", 2)]), models, "exact")
    value, gradient = both.value_and_gradient(both.layout.start)
    assert len(made) == 2
    alone = [JointLikelihood(Datasets([dataset]), models, "exact") for dataset in both.datasets]
    assert value == pytest.approx(sum(one.value(one.layout.start) for one in alone), rel=1e-12)
    slopes = [one.value_and_gradient(one.layout.start)[1][2:6] for one in alone]
    np.testing.assert_allclose(gradient[2:6], np.sum(slopes, axis=0), rtol=1e-9)


def test_templates(tmp_path: Path) -> None:
    """Nine points in each pixel, against a hundred: 5e-3, as the template ends with a step inside of the map."""
    shape = TemplateSpatialModel(filename=str(write_template(tmp_path / "ridge.fits", with_energy=True)))
    dataset, component = cube(), source(shape=shape)
    nine = PixelNodes(3, is_sampled=True).shares(shape, PixelGrid(dataset.geometry), shape.values(), TRUE.center)
    fine = shape.integrate(PixelGrid(dataset.geometry.upsample(10)), shape.values(), TRUE.center)
    np.testing.assert_allclose(nine.sum(axis=(1, 2, 3)), fine.sum(axis=(1, 2)), rtol=5e-3)
    likelihood = JointLikelihood(Datasets([dataset]), Models([component]), "exact")
    check(likelihood, likelihood.layout.start)


def test_a_point_through_a_pixel_is_smooth() -> None:
    """Counts stay, and the statistic has no kinks where the source crosses centres and borders of pixels."""
    dataset = cube()
    dataset = dataset.with_(exposure=np.full_like(dataset.exposure, 1e13), edisp=None)
    steps = np.linspace(0, 0.2, 81)  # two pixels
    values = {}
    for conventions in ("gammapy", "exact"):
        models = Models([source(shape=free(point(LON - 0.07, LAT + 0.02))), background()])
        likelihood = JointLikelihood(Datasets([dataset]), models, conventions)
        at = list(likelihood.layout.free_addresses).index("source.lon_0")
        vectors = [likelihood.layout.start + np.eye(len(likelihood.layout.start))[at] * step for step in steps]
        values[conventions] = np.diff([likelihood.value(vector) for vector in vectors], 2)
        assert bool(likelihood.lattices()) == (conventions == "gammapy")
        if conventions == "exact":
            holes = dataset.with_(mask_safe=None)
            everywhere = JointLikelihood(Datasets([holes]), models, conventions)
            totals = [everywhere.summarize(vector)[0].components["source"] for vector in vectors[::20]]
            np.testing.assert_allclose(totals, totals[0], rtol=1e-5)
    rough, smooth = (np.abs(np.diff(values[c])).max() for c in ("gammapy", "exact"))
    assert smooth < 0.02 * rough


def test_no_position_is_better_for_its_pixel() -> None:
    """A simulated source in the corner of a pixel is found there, and in its centre."""
    for shift in (0.0, 0.05):
        true = source(shape=point(LON + shift, LAT + shift), amplitude="1e-10 TeV-1 s-1 cm-2")
        counts = predict_component(cube(), true, "exact")
        dataset = cube(background=0.0).with_(counts=counts.astype(np.float32), mask_safe=None)
        start = source(shape=free(point(LON + 0.02, LAT + 0.03)), amplitude="9e-11 TeV-1 s-1 cm-2")
        result = Fit(Datasets([dataset]), "exact").run(Models([start]))
        found = {p.name: p.value for p in result.parameters}
        assert found["source.lon_0"] == pytest.approx(LON + shift, abs=5e-5)
        assert found["source.lat_0"] == pytest.approx(LAT + shift, abs=5e-5)


SHAPE, N_TRUE, N_ENERGY, N_ROWS = (13, 16), 4, 3, 30


def random_window(seed: int) -> MapWindow:
    random = np.random.default_rng(seed)
    n_pixels = SHAPE[0] * SHAPE[1]
    mask = random.random((N_ENERGY, n_pixels)) > 0.2
    energy, pixel = np.divmod(np.sort(random.choice(np.flatnonzero(mask), N_ROWS, replace=False)), n_pixels)
    edisp = random.random((N_TRUE, N_ENERGY))
    edisp[1] = 0.0  # an energy that no bin sees
    exposure = random.uniform(0.5, 2.0, (N_TRUE, *SHAPE))
    return MapWindow(slice(0, SHAPE[0]), slice(0, SHAPE[1]), exposure, edisp, mask, np.arange(N_ROWS), energy, pixel)


@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("kind", ["true", "reco", "none"])
def test_adjoints(kind: str, n: int) -> None:
    """``<w, fold(S)> == <adjoint(w), S>`` for random weights and shares, one image for all energies or one each."""
    random, window, nodes = np.random.default_rng(n), random_window(n), PixelNodes(n)
    kernels = random.random((n * n, N_ENERGY if kind == "reco" else N_TRUE, 5, 5))
    folding = (
        ExactRecoFolding(window, nodes, kernels)
        if kind == "reco"
        else ExactTrueFolding(window, nodes, kernels if kind == "true" else None)
    )
    spectrum, weights, slope = random.random(N_TRUE), random.normal(size=N_ROWS), 2.0
    one = random.random((n * n * SHAPE[0], SHAPE[1]))
    for image in (one, random.random((N_TRUE, *one.shape))):
        response, totals = folding.respond_in_full(image)
        np.testing.assert_allclose(totals.sum(axis=0), response.total, rtol=1e-12)
        counts = folding.counts(image, spectrum)
        rows = counts.reshape(N_ENERGY, -1)[window.energy, window.pixel]
        np.testing.assert_allclose(response.matrix @ spectrum, rows, rtol=1e-10)
        assert response.total @ spectrum == pytest.approx((counts.reshape(N_ENERGY, -1) * window.mask).sum(), rel=1e-10)
        back = folding.pull_back(spectrum, weights, slope, by_energy=image.ndim == 3)
        forward = weights @ rows + slope * float(response.total @ spectrum)
        assert forward == pytest.approx(float(np.sum(back * image)), rel=1e-10)


def test_fermi_crab_with_a_free_position(shared: Path) -> None:
    """Statistic 11.6 better than with Gammapy's conventions (README of the reference), within their kinks and 1."""
    datasets = read_reference(shared, "fermi-3fhl-crab")
    models = Models.read(shared / "reference/fermi-3fhl-crab/models_start_pos.yaml")
    like_gammapy, exact = (Fit(datasets, conventions).run(models) for conventions in ("gammapy", "exact"))
    assert exact.status == like_gammapy.status == "converged"
    assert exact.statistic - like_gammapy.statistic == pytest.approx(-11.6, abs=1.0)


def test_what_is_lost_is_told(shared: Path) -> None:
    """Galactic centre: the PSF has 11 energies, the exposure more; without a kernel the others are lost."""
    datasets = read_reference(shared, "fermi-3fhl-gc")
    models = Models.read(shared / "reference/fermi-3fhl-gc/models_start.yaml")
    like_gammapy, exact = (JointLikelihood(datasets, models, c) for c in ("gammapy", "exact"))
    summary, whole = (likelihood.summarize(likelihood.layout.start)[0] for likelihood in (like_gammapy, exact))
    for name in ("source-gc", "diffuse-iem"):
        missing = 1 - summary.components[name] / whole.components[name]
        assert summary.losses[name].lost == pytest.approx(missing, abs=2e-4)
    told = like_gammapy.warnings(like_gammapy.layout.start)
    assert [text.split()[0] for text in told] == ["source-gc", "diffuse-iem"]
    assert "are lost" in told[0]
    assert not exact.warnings(exact.layout.start)


def test_results_tell_what_is_lost() -> None:
    dataset = cube(response="psf only")
    assert dataset.psf is not None
    data = np.array(dataset.psf.data)
    data[-1] = 0.0
    dataset = dataset.with_(psf=type(dataset.psf)(dataset.psf.geometry, dataset.psf.energy, dataset.psf.rad, data))
    result = Fit(Datasets([dataset])).optimize(Models([source(shape=gauss()), background()]))
    assert any("source on cube" in text and "are lost" in text for text in result.warnings)


def test_a_flat_sky_is_flat() -> None:
    """PSF and flat exposure change nothing away from the border."""
    dataset = cube(response="psf")
    dataset = dataset.with_(exposure=np.full_like(dataset.exposure, 1e13))
    counts = predict_component(dataset, source(shape=ConstantSpatialModel(value="1 sr-1")), "exact")[:, 8:-8, 8:-8]
    angle = dataset.geometry.solid_angle()[8:-8, 8:-8]
    flat = counts / angle
    np.testing.assert_allclose(flat, np.broadcast_to(flat[:, :1, :1], flat.shape), rtol=1e-4)
