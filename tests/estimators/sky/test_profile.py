"""Profiles on the sky against sums over pixels that are written out."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.sky.profile import LineBins, RadialBins, SkyProfileEstimator
from gm.likelihood import JointLikelihood, predict_component
from gm.models import Models
from tests.map_samples import LAT, LON, background, cube, gauss, held, on_off_cube, source

EDGES = np.array([0.0, 0.25, 0.5, 0.9])


def test_rings_around_a_source() -> None:
    """Counts, what all else predicts, and what the model predicts of the source, ring by ring."""
    dataset, shape = cube(), held(gauss())
    models = Models([source("x", shape), background()])
    found = SkyProfileEstimator(bins=RadialBins((LON, LAT), EDGES), source="x").run(Datasets([dataset]), models)
    likelihood = JointLikelihood(Datasets([dataset]), models.without("x"))
    [rest] = likelihood.predicted(likelihood.layout.start)
    own = predict_component(dataset, models.sources()[0]) * dataset.mask
    away = dataset.geometry.separation(LON, LAT, "icrs")
    for k, (low, high) in enumerate(itertools.pairwise(EDGES)):
        ring = (away >= low) & (away < high)
        counts = float((dataset.counts * dataset.mask)[:, ring].sum())
        assert found.data["counts"][0, k] == pytest.approx(counts)
        assert found.data["excess"][0, k] == pytest.approx(counts - rest[:, ring].sum(), rel=1e-9)
        assert found.data["predicted"][0, k] == pytest.approx(own[:, ring].sum(), rel=1e-6)
        area = np.degrees(np.degrees(dataset.geometry.solid_angle()))[ring & dataset.mask.any(axis=0)].sum()
        assert found.data["area"][0, k] == pytest.approx(area, rel=1e-9)
    per_norm = found.data["norm"] / found.data["excess"]
    assert found.data["flux"] == pytest.approx(found.data["excess"] * per_norm * found.reference_flux[:, None])


def test_boxes_along_a_line() -> None:
    """A line to the north: distances are differences of latitude, and the width is across it."""
    dataset = cube().with_(mask_safe=None)
    bins = LineBins((LON, LAT - 0.53), (LON, LAT + 0.47), 0.42, np.linspace(0.0, 1.0, 3))
    found = SkyProfileEstimator(bins=bins).run(Datasets([dataset]), Models())
    lon, lat = dataset.geometry.grid()
    across = (lon - LON) * np.cos(np.radians(lat))
    for k in range(2):
        box = (np.abs(across) < 0.21) & (lat >= LAT - 0.53 + 0.5 * k) & (lat < LAT - 0.03 + 0.5 * k)
        assert found.data["counts"][0, k] == dataset.counts[:, box].sum()
    assert found.data["predicted"] == pytest.approx(0.0)


def test_off_counts_and_bins_beside_the_map() -> None:
    rings = RadialBins((LON, LAT), np.array([0.0, 0.5, 1.0, 5.0, 6.0]))
    found = SkyProfileEstimator(bins=rings).run(Datasets([on_off_cube()]), Models())
    on, off, alpha = (found.data[name][0, 0] for name in ("counts", "counts_off", "alpha"))
    assert found.data["excess"][0, 0] == pytest.approx(on - alpha * off)
    assert np.isnan(found.data["excess"][0, 3])
    far = RadialBins((LON + 90.0, LAT), EDGES)
    with pytest.raises(DataError, match="no pixel of the map lies in the profile"):
        SkyProfileEstimator(bins=far).run(Datasets([cube()]), Models())
    with pytest.raises(UsageError, match="no source is called 'y'"):
        SkyProfileEstimator(bins=rings, source="y").run(Datasets([cube()]), Models())
