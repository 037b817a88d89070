"""Points without slopes that are no minima: round ellipses, negative curvature; and what is said of flat directions."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets
from gm.fit import Fit
from gm.fit.beside import lowest_beside
from gm.likelihood import JointLikelihood
from gm.models import GaussianSpatialModel, Models, Parameter, SpatialModel
from tests.map_samples import LAT, LON, background, cube, source


def ellipse(e: float, phi: float, **limits: float) -> SpatialModel:
    return GaussianSpatialModel(
        lon_0=f"{LON + 0.054} deg",
        lat_0=f"{LAT - 0.05} deg",
        sigma=Parameter("sigma", 0.4, "deg"),
        e=Parameter("e", e, **limits),
        phi=Parameter("phi", phi, "deg"),
    )


def sky(shape: SpatialModel) -> Models:
    known = background(norm=Parameter("norm", 1.0, frozen=True), tilt=Parameter("tilt", 0.0, frozen=True))
    index = Parameter("index", 2.3, frozen=True)
    return Models([source(shape=shape, index=index, amplitude="2e-11 TeV-1 s-1 cm-2"), known])


@pytest.fixture(scope="module")
def skies() -> Datasets:
    truth, dataset = sky(ellipse(0.8, 30.0)), cube(exposure=5e13)
    likelihood = JointLikelihood(Datasets([dataset]), truth)
    expected = np.where(dataset.mask, likelihood.predicted(likelihood.layout.start)[0], 0.0)
    return Datasets([dataset.with_(counts=np.random.default_rng(1).poisson(expected).astype(float))])


@pytest.mark.parametrize("limits", [{}, {"min": 0.0, "max": 0.95}])
def test_an_ellipse_from_any_orientation(skies: Datasets, limits: dict[str, float]) -> None:
    """Turned the wrong way it becomes round; and one that starts round has no slopes at all."""
    best = Fit(skies).run(sky(ellipse(0.8, 30.0, **limits)))
    assert best.status == "converged"
    for e, phi in ((0.16, 120.0), (0.3, 100.0), (0.0, 0.0), (0.5, 460.0)):
        result = Fit(skies).run(sky(ellipse(e, phi, **limits)))
        values = {p.name: p.value for p in result.parameters}
        assert result.status == "converged", (e, phi, result.message)
        assert result.statistic == pytest.approx(best.statistic, abs=0.1)  # responses are taken at other places
        assert abs(values["source.e"]) == pytest.approx(0.8, abs=0.1)
        assert 0 <= values["source.phi"] < 360


class Bowl:
    """``x^2 + (y^2 - 1)^2 / 4``, and nothing along z: a saddle at the origin, minima at y of 1 and -1."""

    def value(self, vector: Array) -> float:
        x, y, _ = vector
        return float(x**2 + 0.25 * (y**2 - 1) ** 2)


def test_what_lies_beside_a_point() -> None:
    free, origin = np.full(3, np.inf), np.zeros(3)
    value, place = lowest_beside(Bowl(), origin, np.array([0.0, 1.0, 0.0]), -free, free)  # type: ignore[arg-type]
    assert value == 0.0
    assert np.abs(place) == pytest.approx([0.0, 1.0, 0.0])
    value, place = lowest_beside(Bowl(), origin, np.array([0.0, 0.0, 1.0]), -free, free)  # type: ignore[arg-type]
    assert value == 0.25
    assert place == pytest.approx(origin)
