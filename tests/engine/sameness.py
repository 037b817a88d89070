"""What engines are asked to compute, and whether two results are the same bit by bit."""

from __future__ import annotations

import numpy as np

import gm
from gm.fit import FitResult
from gm.models import Models, Parameter
from tests.map_samples import background, cube, edged, held, on_off_cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum

MAPS = [cube("one"), on_off_cube("two")]
DATASETS = gm.Datasets([*MAPS, on_off("run"), spectrum("flat"), flux_points("old")])
SKY = Models([source("star", point()), background("one"), power_law("other", datasets_names=["run", "flat", "old"])])
DISK = Models([source("disk", edged()["disk"], index=Parameter("index", 2.3, frozen=True)), background("one")])
DISK = DISK.with_parameters({f"disk.{name}": {"frozen": True} for name in ("e", "phi", "edge_width", "r_0")})
SMOOTH = Models([source("star", held(point())), *list(SKY)[1:]])
"""Of everything, without kinks: few steps."""


def many_spectra(n: int) -> gm.Datasets:
    """More than one block of them; a few responses are shared by all."""
    few = [on_off(f"run-{k}", seed=k, n_energy=3, n_true=4) for k in range(5)]
    return gm.Datasets(few[k % 5].with_(name=f"run-{k}") for k in range(n))


def assert_same_fit(one: FitResult, other: FitResult) -> None:
    """Everything that a result tells."""
    assert (one.status, one.statistic, one.statistic_start) == (other.status, other.statistic, other.statistic_start)
    assert (one.parameters, one.datasets, one.warnings) == (other.parameters, other.datasets, other.warnings)
    assert one.covariance is not None
    assert other.covariance is not None
    np.testing.assert_array_equal(one.covariance[1], other.covariance[1])
