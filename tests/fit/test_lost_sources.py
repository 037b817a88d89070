"""Sources that a fit has lost are put where the counts want them."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import DiskSpatialModel, Models, Parameter, PointSpatialModel, SpatialModel
from tests.map_samples import LAT, LON, background, cube, source

FLUX = "TeV-1 s-1 cm-2"


def sky(shape: SpatialModel, amplitude: Parameter, index: float = 2.3, norm: float = 1.0) -> Models:
    tilt = Parameter("tilt", 0.0, frozen=True)
    return Models([source(shape=shape, amplitude=amplitude, index=index), background(norm=norm, tilt=tilt)])


def models(lon: float, lat: float, amplitude: Parameter) -> Models:
    return sky(PointSpatialModel(lon_0=f"{lon} deg", lat_0=f"{lat} deg"), amplitude)


def simulated(truth: Models) -> Datasets:
    dataset = cube(exposure=5e13)
    likelihood = JointLikelihood(Datasets([dataset]), truth)
    expected = np.where(dataset.mask, likelihood.predicted(likelihood.layout.start)[0], 0.0)
    return Datasets([dataset.with_(counts=np.random.default_rng(1).poisson(expected).astype(float))])


@pytest.fixture(scope="module")
def datasets() -> Datasets:
    return simulated(models(LON + 0.054, LAT - 0.05, Parameter("amplitude", 2e-11, FLUX)))


@pytest.mark.parametrize("low", [0.0, -np.inf])
def test_a_source_far_from_where_it_is_seen_is_found(datasets: Datasets, low: float) -> None:
    there = Parameter("amplitude", 2e-12, FLUX, min=low)
    near = Fit(datasets).run(models(LON, LAT, there))
    far = Fit(datasets).run(models(LON + 0.6, LAT + 0.7, there))
    assert far.status == "converged"
    assert far.statistic == pytest.approx(near.statistic, abs=0.1)  # responses are taken where a fit starts
    assert any("was put where the counts exceed" in text for text in far.warnings)
    assert not any("was put where" in text for text in near.warnings)


def disk(lon: float, lat: float, r_0: float) -> DiskSpatialModel:
    return DiskSpatialModel(lon_0=f"{lon} deg", lat_0=f"{lat} deg", r_0=f"{r_0} deg")


@pytest.mark.parametrize(
    ("shape", "amplitude", "index", "norm"),
    [
        pytest.param(disk(83.31, 21.93, 0.04656), 3.805e-11, 3.319, 1.32, id="smallest"),
        pytest.param(disk(83.16, 21.02, 0.202), 1.807e-12, 3.032, 1.171, id="as wide as the map"),
    ],
)
def test_a_disk_that_became_as_small_or_as_large_as_it_may_is_what_it_is(
    shape: DiskSpatialModel, amplitude: float, index: float, norm: float
) -> None:
    truth = sky(disk(LON + 0.054, LAT - 0.05, 0.35), Parameter("amplitude", 2e-11, FLUX))
    seen = simulated(truth)
    near, far = (
        Fit(seen).run(start) for start in (truth, sky(shape, Parameter("amplitude", amplitude, FLUX), index, norm))
    )
    assert far.status == "converged"
    assert far.statistic == pytest.approx(near.statistic, abs=0.1)
