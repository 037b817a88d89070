"""PS maps against simulated counts, and probabilities that are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import poisson

from gm.arrays import Array
from gm.datasets import Datasets
from gm.estimators.sky.ps_map import PSMapEstimator, log_probability
from gm.models import Models
from tests.map_samples import background, cube

SPECTRA = [[5.3, 1.2, 0.3, 0.01], [300.0, 80.0, 20.0, 4.0], [1e4, 100.0, 10.0, 3.0, 1.0, 0.3, 0.1]]


def unlikely(counts: Array, expected: Array) -> Array:
    return np.asarray(-poisson.logpmf(counts, expected[:, None]).sum(axis=0))


@pytest.mark.parametrize("expected", SPECTRA)
def test_probability_is_the_share_of_simulations_that_are_as_unlikely(expected: list[float]) -> None:
    """To 0.05 in log10, where 100 000 simulations tell."""
    means = np.array(expected)
    drawn = np.random.default_rng(1).poisson(means[:, None], (means.size, 100_000)).astype(float)
    simulated, some = unlikely(drawn, means), drawn[:, :300]
    found = np.exp(log_probability(some, np.repeat(means[:, None], 300, axis=1)))
    shares = np.array([(simulated >= one - 1e-9).mean() for one in unlikely(some, means)])
    known = shares > 1e-3
    assert np.abs(np.log10(found / shares))[known].max() < 0.05


def test_far_tails() -> None:
    """A single bin of many counts: both tails of the Poisson distribution; very far the tail goes on as exp(-x)."""
    for counts in (100.0, 140.0):
        [found] = log_probability(np.array([[counts]]), np.array([[60.0]]))
        least = poisson.logpmf(counts, 60.0)
        n = np.arange(0, 2000)
        logs = poisson.logpmf(n, 60.0)
        expected = np.logaddexp.reduce(logs[logs <= least + 1e-9])
        assert found == pytest.approx(expected, abs=0.2 * np.log(10.0))
    [found] = log_probability(np.array([[60.0]]), np.array([[5.0]]))
    assert found == pytest.approx(poisson.logsf(59, 5.0), rel=0.02)


def test_nothing_expected_nothing_said() -> None:
    assert log_probability(np.zeros((2, 3)), np.zeros((2, 3))) == pytest.approx(0.0)
    assert log_probability(np.zeros((2, 0)), np.zeros((2, 0))).size == 0


def test_map_of_the_truth_and_of_a_source() -> None:
    """Without the source the highest PS is at it; the model that the counts were drawn from deviates as chance does."""
    maps = PSMapEstimator().run(Datasets([cube()]), Models([background(norm=1.0, tilt=0.0)]))
    y, x = np.unravel_index(np.nanargmax(maps["ps"][0]), (23, 27))
    assert abs(y - 11) <= 2
    assert abs(x - 13) <= 2
    flat = np.full((3, 23, 27), 2.0)
    random = np.random.default_rng(2)
    true = cube().with_(counts=random.poisson(flat).astype(float), background=flat, mask_safe=None)
    found = PSMapEstimator(radius=0.15).run(Datasets([true]), Models())["ps"][0]
    assert (np.abs(found) > 1.0).mean() == pytest.approx(0.1, abs=0.05)
    assert np.abs(found).max() < 5.0
