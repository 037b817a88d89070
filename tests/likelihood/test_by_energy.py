"""Counts and predictions by energy: what is summed is what every bin predicts."""

from __future__ import annotations

import numpy as np
import pytest

import gm
from gm.likelihood import JointLikelihood
from gm.models import Models
from gm.statistics import Cash, WStat
from tests.map_samples import background, cube, gauss, on_off_cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum

DATASETS = gm.Datasets([flux_points("old"), cube("cube"), on_off("run"), on_off_cube("off"), spectrum("flat")])
MODELS = Models(
    [
        source("star", point(), datasets_names=["cube", "off"]),
        source("cloud", gauss(), datasets_names=["cube"]),
        background("cube"),
        power_law("other", datasets_names=["run", "flat", "old"]),
    ]
)


@pytest.fixture(scope="module")
def likelihood() -> JointLikelihood:
    return JointLikelihood(DATASETS, MODELS)


def test_sums_are_those_of_the_summary(likelihood: JointLikelihood) -> None:
    vector = likelihood.layout.start
    found = likelihood.by_energy(vector)
    assert (np.diff(found.dataset) >= 0).all()
    for k, summary in enumerate(likelihood.summarize(vector)):
        rows = found.dataset == k
        assert found.n_bins[rows].sum() == summary.bins
        if summary.counts is None:
            assert np.isnan(found.counts[rows]).all()
            continue
        assert found.counts[rows].sum() == pytest.approx(summary.counts, rel=1e-12)
        assert found.predicted[rows].sum() == pytest.approx(summary.predicted, rel=1e-10)
        assert found.background[rows].sum() == pytest.approx(summary.background, rel=1e-8)
        for name, predicted in summary.components.items():
            part = found.components[name]
            mine = part.predicted[np.isin(part.row, np.flatnonzero(rows))]
            assert mine.sum() == pytest.approx(predicted, rel=1e-10)


def test_maps_are_predicted_bin_by_bin(likelihood: JointLikelihood) -> None:
    """Against the prediction of every bin, of which W has the signal alone."""
    vector = likelihood.layout.start
    found, bins = likelihood.by_energy(vector), likelihood.predicted(vector)
    signal = bins[1]
    np.testing.assert_allclose(found.predicted[found.dataset == 1], signal.sum(axis=(1, 2)), rtol=1e-10)
    np.testing.assert_allclose(found.images["cube"], signal.sum(axis=0), rtol=1e-9, atol=1e-12)
    dataset = DATASETS["off"]
    mask, expected = dataset.mask, np.zeros(dataset.mask.shape)
    rows = np.flatnonzero(mask)
    statistic = dataset.measurement().statistic(rows)
    expected[mask] = bins[3][mask] + statistic.background(bins[3][mask])
    np.testing.assert_allclose(found.images["off"], expected.sum(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.predicted[found.dataset == 3], expected.sum(axis=(1, 2)), rtol=1e-10)


def test_edges_are_those_of_the_bins(likelihood: JointLikelihood) -> None:
    found = likelihood.by_energy(likelihood.layout.start)
    for k, dataset in enumerate(DATASETS):
        rows = found.dataset == k
        low, high = dataset.energy_edges()
        np.testing.assert_array_equal(found.e_min[rows], low[found.bin[rows]])
        np.testing.assert_array_equal(found.e_max[rows], high[found.bin[rows]])


def test_residuals_of_w_and_points_are_the_statistic(likelihood: JointLikelihood) -> None:
    """W and chi-square are 0 for the best prediction of a bin."""
    vector = likelihood.layout.start
    found, summaries = likelihood.by_energy(vector), likelihood.summarize(vector)
    for k in (0, 2):
        assert found.deviances()[k][0] == pytest.approx(summaries[k].statistic, rel=1e-12)


def test_residuals_have_the_sign_of_the_excess() -> None:
    counts, predicted = np.array([0.0, 9.0, 4.0, 100.0]), np.array([2.0, 4.0, 4.0, 121.0])
    found = Cash(counts).residuals(predicted)
    np.testing.assert_allclose(found[:3], [-2.0, np.sqrt(2 * (4 - 9 + 9 * np.log(9 / 4))), 0.0], atol=1e-12)
    assert found[3] == pytest.approx(-21 / 11, rel=0.05)
    off = WStat(np.array([10.0, 1.0]), np.array([10.0, 30.0]), np.array([0.1, 0.1])).residuals(np.array([2.0, 3.0]))
    assert off[0] > 0 > off[1]


def test_joined_bins() -> None:
    """Counts add up, and so does the background that off counts let expect."""
    on, off, alpha = np.array([3.0, 1.0, 2.0]), np.array([10.0, 0.0, 30.0]), np.array([0.1, 0.5, 0.2])
    joined = WStat(on, off, alpha).joined(np.array([0, 1, 0]), 2)
    np.testing.assert_allclose(joined.n_on, [5, 1])
    np.testing.assert_allclose(joined.alpha * joined.n_off, [7.0, 0.0])
    assert joined.alpha[1] == 0.5
    np.testing.assert_allclose(Cash(on).joined(np.array([0, 1, 0]), 2).counts, [5, 1])
