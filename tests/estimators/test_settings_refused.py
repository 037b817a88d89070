"""Settings that mean nothing are refused in Python as the schema refuses them in a config."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, nan

import pytest

from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators import ProfileEstimator, SensitivityEstimator
from gm.estimators.joint_points import JointFluxPointsEstimator
from gm.fit import Fit
from gm.likelihood.drawing import simulate
from gm.models import Models
from tests.samples import power_law, spectrum

DATASETS, MODELS = Datasets([spectrum()]), Models([power_law()])
PAIR = [["source.index", "source.amplitude"]]


def unfolded(smoothness: float) -> object:
    return JointFluxPointsEstimator(
        sources=["source"], method="unfold", smoothness=smoothness, energy_edges=["1 TeV", "3 TeV"]
    )


@pytest.mark.parametrize("number", [-1.0, nan, inf])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda x: SensitivityEstimator(source="source", min_counts=x), "min_counts is "),
        (lambda x: SensitivityEstimator(source="source", background_systematic=x), "background_systematic is "),
        (unfolded, "smoothness is a weight above 0"),
        (lambda x: ProfileEstimator(parameters="source.index", levels=[x]), "expected a number of standard deviations"),
        (lambda x: Fit(DATASETS).run(MODELS, contours=PAIR, contour_levels=[x]), "a contour level is "),
    ],
)
def test_a_number(make: Callable[[float], object], message: str, number: float) -> None:
    with pytest.raises(UsageError, match=message):
        make(number)


def test_whole_numbers() -> None:
    with pytest.raises(UsageError, match="n is 0, expected at least one value"):
        ProfileEstimator(parameters="source.index", n=0)
    with pytest.raises(UsageError, match="seed is -1, expected"):
        simulate(DATASETS, MODELS, seed=-1)
