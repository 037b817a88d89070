"""Gradients and information of map datasets with free shapes, against differences and against each other.

The differences are of single-precision images: averages over sub-pixels are rounded as Gammapy stores them, 6e-8 of
each pixel. With steps of 0.03 sigma of a parameter that and the third derivative leave about 1e-4 of a sigma's slope.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Dataset, Datasets
from gm.io.tables import Column, Table
from gm.likelihood import JointLikelihood
from gm.maps.axes import NodeAxis
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import (
    ConstantSpatialModel,
    DiskSpatialModel,
    ExpDecayTemporalModel,
    GaussianSpatialModel,
    GeneralizedGaussianSpatialModel,
    Link,
    Models,
    Parameter,
    PiecewiseNormSpatialModel,
    Shell2SpatialModel,
    ShellSpatialModel,
    SpatialModel,
    TemplateNDSpatialModel,
    TemplateSpatialModel,
)
from gm.models.registry import model_named
from tests.map_samples import (
    GRIDS,
    LAT,
    LON,
    RESPONSES,
    background,
    cube,
    free,
    gauss,
    held,
    on_off_cube,
    point,
    source,
    write_template,
)
from tests.model_samples import FROM_DATA, TYPES

AT = {"lon_0": f"{LON + 0.013} deg", "lat_0": f"{LAT - 0.021} deg"}  # off the pixel centres, where points have kinks
TOLERANCE = 1e-4  # of the slope that one sigma makes
STEP = 0.03  # of a sigma
EDGED = 1e-4  # of a sigma: pixel centres that cross the edge of a shell make kinks
SHAPES: dict[str, tuple[SpatialModel, float]] = {
    "point": (point(LON + 0.013, LAT - 0.021), STEP),
    "wide gauss": (GaussianSpatialModel(**AT, sigma="0.41 deg"), STEP),
    "narrow gauss": (GaussianSpatialModel(**AT, sigma="0.07 deg"), STEP),
    "elongated gauss": (GaussianSpatialModel(**AT, sigma="0.31 deg", e=0.8, phi="30 deg"), STEP),
    "laplace": (GeneralizedGaussianSpatialModel(**AT, r_0="0.15 deg", eta=0.8, e=0.5, phi="20 deg"), STEP),
    "soft disk": (DiskSpatialModel(**AT, r_0="0.47 deg", e=0.5, phi="60 deg", edge_width=0.42), STEP),
    "shell": (ShellSpatialModel(**AT, radius="0.4 deg", width="0.2 deg"), EDGED),
    "shell2": (Shell2SpatialModel(**AT, r_0="0.6 deg", eta=0.3), EDGED),
    "flat sky": (ConstantSpatialModel(value="50 sr-1"), 0.1 * STEP),
}
_SEEN = {*FROM_DATA, *(type(shape).__name__ for shape, _ in SHAPES.values())}
SHAPES |= {name: (model_named(name)(**AT), EDGED) for kind, name in TYPES if kind == "spatial" and name not in _SEEN}


def nodes(**norms: Parameter) -> PiecewiseNormSpatialModel:
    places = {"lon": [81.0, 86.0, 81.0, 86.0, 83.0], "lat": [19.0, 19.0, 25.0, 25.0, 22.0]}
    norms = norms or {f"norm_{k}": Parameter(f"norm_{k}", 0.8 + 0.1 * k) for k in range(5)}
    return PiecewiseNormSpatialModel(**{name: {"data": x, "unit": "deg"} for name, x in places.items()}, **norms)


def sigmas(likelihood: JointLikelihood, vector: Array) -> Array:
    """One conditional sigma of each parameter; parameters without effect have none."""
    diagonal = np.diag(likelihood.information(vector, expected=True))
    return np.sqrt(2.0 / np.where(diagonal > 0, diagonal, np.inf))


def check(likelihood: JointLikelihood, vector: Array, step: float = STEP, tolerance: float = TOLERANCE) -> None:
    """Gradient by the adjoint, and by the slopes that a second call at the same shape uses, and by differences."""
    value, gradient = likelihood.value_and_gradient(vector)
    assert value == pytest.approx(likelihood.value(vector), rel=1e-12)
    again, slopes = likelihood.value_and_gradient(vector)
    assert again == value
    size = np.where(sigmas(likelihood, vector) > 0, sigmas(likelihood, vector), 1.0)
    scale = np.abs(gradient * size).max() + 1.0
    np.testing.assert_allclose(slopes * size, gradient * size, rtol=1e-9, atol=1e-10 * scale)
    for k, h in enumerate(step * np.diag(size)):
        difference = (likelihood.value(vector + h) - likelihood.value(vector - h)) / (2 * h[k])
        name = likelihood.layout.free_addresses[k]
        assert gradient[k] * size[k] == pytest.approx(difference * size[k], rel=tolerance, abs=tolerance * scale), name


def both(response: str = "psf") -> Datasets:
    return Datasets([cube("cube", "icrs", response, 1), on_off_cube("on-off", "galactic", response, 2)])


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("name", SHAPES)
def test_shapes(name: str, response: str) -> None:
    shape, step = SHAPES[name]
    models = Models([source(shape=free(shape)), background(tilt=Parameter("tilt", 0.1, frozen=False))])
    likelihood = JointLikelihood(both(response), models)
    check(likelihood, likelihood.layout.start, step)


@pytest.mark.parametrize("with_energy", [False, True])
@pytest.mark.parametrize("response", ["psf", "reco"])
def test_shifted_templates(tmp_path: Path, response: str, with_energy: bool) -> None:
    """Log-linear between pixel centres: kinks where the shift takes a pixel across one, 2 % of a sigma's slope."""
    path = write_template(tmp_path / "ridge.fits", with_energy=with_energy)
    shape = TemplateSpatialModel(filename=str(path))
    lon, lat = shape.position(shape.values())
    likelihood = JointLikelihood(both(response), Models([source(shape=free(shape, lon_0=lon + 0.011, lat_0=lat))]))
    check(likelihood, likelihood.layout.start, step=1e-3, tolerance=0.02)


def test_templates_with_a_parameter(tmp_path: Path) -> None:
    grid, axis = GRIDS["icrs"], NodeAxis.from_nodes("width", [0.2, 0.4, 0.6], "deg")
    sep = grid.separation(LON, LAT, "icrs")
    values = np.stack([np.exp(-0.5 * (sep / width) ** 2) / width**2 for width in axis.center])
    write_map(tmp_path / "widths.fits", Map(grid, (axis,), 1e3 * values, "sr-1"))
    shape = TemplateNDSpatialModel(filename=str(tmp_path / "widths.fits"))
    likelihood = JointLikelihood(both(), Models([source(shape=free(shape, width=0.33))]))
    check(likelihood, likelihood.layout.start)


def test_a_surface_through_nodes() -> None:
    for response in ("psf", "reco"):
        likelihood = JointLikelihood(
            Datasets([cube(response=response)]),
            Models([source(shape=free(nodes()), amplitude="1e-9 TeV-1 s-1 cm-2")]),
        )
        check(likelihood, likelihood.layout.start)


@pytest.mark.parametrize(("shape", "norm"), [(free(gauss(sigma=1.2)), 3e-3), (free(nodes()), 0.9)])
def test_a_background_with_a_free_factor_of_the_position(shape: SpatialModel, norm: float) -> None:
    """The density of the shape [sr-1] counts as a number: 360 in the middle of a Gaussian of 1.2 deg."""
    tilt = Parameter("tilt", 0.1, frozen=False)
    models = Models([source(shape=free(gauss(84.0))), background(norm=norm, tilt=tilt, spatial_model=shape)])
    likelihood = JointLikelihood(Datasets([cube()]), models)
    check(likelihood, likelihood.layout.start)


def test_a_crowded_field() -> None:
    """Several sources on two datasets, links between positions, a variable source, and a shape for one dataset."""
    gti = Table(
        "GTI",
        (Column("START", np.array([0.0]), "s"), Column("STOP", np.array([86400.0]), "s")),
        {"MJDREFI": 55000, "MJDREFF": 0.0, "TIMESYS": "tt"},
    )
    decay = ExpDecayTemporalModel(t0="2 d", t_ref="55000 d", scale="tt")
    known = Parameter("index", 2.3, frozen=True)
    models = Models(
        [
            source("pulsar", free(point(LON + 0.013, LAT - 0.021))),
            source("nebula", free(gauss(84.0, 21.8)), index=1.9),
            source("flare", free(gauss(83.0, 22.4, 0.12)), temporal_model=decay, datasets_names=["cube"]),
            source("sky", free(ConstantSpatialModel(value="500 sr-1")), index=known, datasets_names=["on-off"]),
            background(tilt=Parameter("tilt", 0.1, frozen=False)),
        ]
    ).with_links([Link("nebula.lat_0", "pulsar.lat_0", offset=0.1), Link("nebula.index", "pulsar.index", scale=0.9)])
    dataset, second = both()
    likelihood = JointLikelihood(Datasets([_on(dataset, gti), second]), models)
    check(likelihood, likelihood.layout.start * 1.0001)


def _on(dataset: Dataset, gti: Table) -> Dataset:
    return dataset.with_(gti=gti)


@pytest.mark.parametrize("name", ["point", "wide gauss", "elongated gauss", "flat sky"])
def test_information_is_the_square_of_the_jacobian(name: str) -> None:
    """Sum over bins of ``(d mu/d theta_i) W'' (d mu/d theta_j)``, derivatives by differences of predicted counts."""
    models = Models([source(shape=free(SHAPES[name][0])), background(tilt=Parameter("tilt", 0.1, frozen=False))])
    dataset = cube()
    likelihood = JointLikelihood(Datasets([dataset]), models)
    vector = likelihood.layout.start
    size = np.where(sigmas(likelihood, vector) > 0, sigmas(likelihood, vector), 1.0)
    predicted = likelihood.predicted(vector)[0]
    steps = 0.01 * np.diag(size)
    jacobian = np.stack(
        [(likelihood.predicted(vector + h)[0] - likelihood.predicted(vector - h)[0]) / 0.02 for h in steps]
    )
    has_counts = dataset.mask & (dataset.counts > 0)
    for expected in (False, True):
        curvature = 2 * dataset.counts[has_counts] / predicted[has_counts] ** 2
        if expected:
            curvature = np.maximum(curvature, 2 / predicted[has_counts])
        rows = jacobian[:, has_counts]
        square = (rows * curvature) @ rows.T
        found = likelihood.information(vector, expected=expected) * np.outer(size, size)
        np.testing.assert_allclose(found, square, rtol=1e-3, atol=1e-4 * np.abs(square).max())


def test_information_counts_links_and_on_off_bins() -> None:
    """At the minimum of a model without curvature of its own the information is the Hessian: amplitudes only."""
    amplitude = Parameter("amplitude", 1.0, "1e-11 TeV-1 s-1 cm-2")
    models = Models(
        [
            source("first", held(point()), index=Parameter("index", 2.3, frozen=True), amplitude=amplitude),
            source("second", held(gauss(84.0)), index=Parameter("index", 2.0, frozen=True), amplitude=amplitude),
            source("third", held(gauss(83.0)), index=Parameter("index", 2.0, frozen=True), amplitude=amplitude),
        ]
    ).with_links([Link("third.amplitude", "first.amplitude", scale=0.5)])
    likelihood = JointLikelihood(both(), models)
    vector = likelihood.layout.start
    assert vector.size == 2
    differences = [(likelihood.gradient(vector + h) - likelihood.gradient(vector - h)) / 2e-4 for h in 1e-4 * np.eye(2)]
    np.testing.assert_allclose(likelihood.information(vector), np.stack(differences), rtol=1e-5)
