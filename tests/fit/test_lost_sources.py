"""Sources that a fit has lost are put where the counts want them."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import Models, Parameter, PointSpatialModel
from tests.map_samples import LAT, LON, background, cube, source

FLUX = "TeV-1 s-1 cm-2"


def models(lon: float, lat: float, amplitude: Parameter) -> Models:
    shape = PointSpatialModel(lon_0=Parameter("lon_0", lon, "deg"), lat_0=Parameter("lat_0", lat, "deg"))
    tilt = Parameter("tilt", 0.0, frozen=True)
    return Models([source(shape=shape, amplitude=amplitude), background(norm=1.0, tilt=tilt)])


@pytest.fixture(scope="module")
def datasets() -> Datasets:
    dataset, truth = cube(exposure=5e13), models(LON + 0.054, LAT - 0.05, Parameter("amplitude", 2e-11, FLUX))
    likelihood = JointLikelihood(Datasets([dataset]), truth)
    expected = np.where(dataset.mask, likelihood.predicted(likelihood.layout.start)[0], 0.0)
    return Datasets([dataset.with_(counts=np.random.default_rng(1).poisson(expected).astype(float))])


@pytest.mark.parametrize("low", [0.0, -np.inf])
def test_a_source_far_from_where_it_is_seen_is_found(datasets: Datasets, low: float) -> None:
    there = Parameter("amplitude", 2e-12, FLUX, min=low)
    near = Fit(datasets).run(models(LON, LAT, there))
    far = Fit(datasets).run(models(LON + 0.6, LAT + 0.7, there))
    assert far.status == "converged"
    assert far.statistic == pytest.approx(near.statistic, abs=0.1)  # responses are taken where a fit starts
    assert any("was put where the counts exceed" in text for text in far.warnings)
    assert not any("was put where" in text for text in near.warnings)
