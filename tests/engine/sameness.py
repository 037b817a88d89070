"""Results of two engines, bit by bit."""

from __future__ import annotations

import numpy as np

from gm.fit import FitResult


def assert_same_fit(one: FitResult, other: FitResult) -> None:
    """Everything that a result tells."""
    assert (one.status, one.statistic, one.statistic_start) == (other.status, other.statistic, other.statistic_start)
    assert (one.parameters, one.datasets, one.warnings) == (other.parameters, other.datasets, other.warnings)
    assert one.covariance is not None
    assert other.covariance is not None
    np.testing.assert_array_equal(one.covariance[1], other.covariance[1])
