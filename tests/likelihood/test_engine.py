"""Terms that live in another process: what is asked of them and what they answer is plain, and changes no bit."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import gm
from gm.errors import DataError
from gm.fit import FitResult
from gm.likelihood import JointLikelihood, predict_component, predicted_counts
from gm.models import ExpDecayTemporalModel, Models, Parameter
from tests.likelihood.other_process import OtherProcess
from tests.map_samples import background, cube, edged, on_off_cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum

MAPS = [cube("one"), on_off_cube("two")]
DATASETS = gm.Datasets([*MAPS, on_off("run"), spectrum("flat"), flux_points("old")])
SKY = Models([source("star", point()), background("one"), power_law("other", datasets_names=["run", "flat", "old"])])
DISK = Models([source("disk", edged()["disk"], index=Parameter("index", 2.3, frozen=True)), background("one")])
DISK = DISK.with_parameters({f"disk.{name}": {"frozen": True} for name in ("e", "phi", "edge_width", "r_0")})


@pytest.fixture(scope="module")
def there() -> Iterator[OtherProcess]:
    with OtherProcess() as process:
        yield process


def assert_same(one: FitResult, other: FitResult) -> None:
    """Bit by bit."""
    assert (one.status, one.statistic, one.statistic_start) == (other.status, other.statistic, other.statistic_start)
    assert (one.parameters, one.datasets, one.warnings) == (other.parameters, other.datasets, other.warnings)
    assert one.covariance is not None
    assert other.covariance is not None
    np.testing.assert_array_equal(one.covariance[1], other.covariance[1])


def test_a_fit_of_everything(there: OtherProcess) -> None:
    """Maps with kinks, spectra and flux points."""
    here = gm.Fit(DATASETS).run(SKY, minos=["star.amplitude"])
    assert here.success
    assert_same(gm.Fit(DATASETS, engine=there).run(SKY, minos=["star.amplitude"]), here)
    for name in ("compile", "value", "pullback", "information", "lattices", "left_behind", "report"):
        assert there.asked[name] > 0, name


def test_a_fit_of_a_shape_with_edges(there: OtherProcess) -> None:
    """With exact second derivatives, and the likelihood at its end under the conventions."""
    here = gm.Fit(gm.Datasets(MAPS)).run(DISK)
    assert here.success
    before = there.asked["compile"]
    assert_same(gm.Fit(gm.Datasets(MAPS), engine=there).run(DISK), here)
    assert there.asked["second_derivatives"] > 0
    assert there.asked["compile"] > before + 1


@pytest.mark.parametrize("reoptimize", [False, True])
def test_flux_points(there: OtherProcess, reoptimize: bool) -> None:
    """Bands are cut, and lines asked, over there."""
    asked = {"source": "star", "energy_edges": [1.0, 3.0, 10.0], "reoptimize": reoptimize}
    here = gm.FluxPointsEstimator(**asked).run(gm.Datasets(MAPS), SKY)
    found = gm.FluxPointsEstimator(**asked, engine=there).run(gm.Datasets(MAPS), SKY)
    assert [point.status for point in found.points] == ["ok", "ok"]
    assert repr(found) == repr(here)
    assert there.asked["cut"] > 0
    assert there.asked["curvature"] > 0


def test_predictions(there: OtherProcess) -> None:
    bound = gm.Datasets(DATASETS)
    bound.set_models(SKY)
    here, found = predicted_counts(bound), predicted_counts(bound, engine=there)
    for name, counts in here.items():
        np.testing.assert_array_equal(found[name], counts)
    component = predict_component(MAPS[0], SKY["star"], engine=there)
    np.testing.assert_array_equal(component, predict_component(MAPS[0], SKY["star"]))


def test_errors_come_back(there: OtherProcess) -> None:
    varying = Models([power_law(temporal_model=ExpDecayTemporalModel())])
    with pytest.raises(DataError, match="no good time intervals"):
        JointLikelihood(gm.Datasets([spectrum("flat")]), varying, engine=there)
