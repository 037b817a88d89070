"""Counts where nothing is predicted: told, since no statistic means anything there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gm.datasets import Datasets, SpectrumDataset
from gm.engine.processes import ProcessEngine
from gm.estimators import FluxPointsEstimator
from gm.estimators.joint_points import JointFluxPointsEstimator
from gm.fit import Fit, FitResult
from gm.models import Models
from gm.statistics.cash import TRUNCATION
from tests.map_samples import cube, held, point, source
from tests.samples import on_off, power_law, spectrum

MODELS = Models([power_law()])


def without_background(name: str = "bare", **changes: object) -> SpectrumDataset:
    known = spectrum(name, 3, exposure=1e12)
    return known.with_(background=np.zeros_like(known.counts), **changes)


def told(result: FitResult, words: str) -> list[str]:
    return [text for text in result.warnings if words in text]


@pytest.mark.parametrize("background", [None, 0.0])
def test_a_ts_without_end_is_told(background: float | None) -> None:
    """Without the source the logarithm of nothing is that of 1e-25: TS = 2 (sum n ln(mu / 1e-25) - sum mu)."""
    dataset = without_background()
    if background is None:
        dataset = dataset.with_(background=None)
    result = Fit(Datasets([dataset, on_off()])).run(MODELS, test=["source"])
    bins, counts = np.count_nonzero(dataset.counts), dataset.counts.sum()
    [text] = told(result, "without it nothing is predicted")
    assert text.startswith(f"source: without it nothing is predicted in {bins} bins with {counts:.0f} counts (bare)")
    assert not told(result, "they tell nothing")


def test_its_number_is_that_of_the_cut_off_statistic() -> None:
    dataset = without_background()
    result = Fit(Datasets([dataset])).run(MODELS, test=["source"])
    null = 2 * np.sum(TRUNCATION - dataset.counts * np.log(TRUNCATION))
    assert result.components[0].ts == pytest.approx(null - result.statistic, rel=1e-9)


def test_counts_that_nothing_can_predict_are_told() -> None:
    """The energy dispersion ends before the last two bins: they add a constant to the statistic, and no more."""
    bare = without_background()
    assert bare.edisp is not None
    ends = np.where(np.arange(bare.counts.size) < 5, bare.edisp, 0.0)
    dark = bare.with_(edisp=ends, counts=np.where(np.arange(bare.counts.size) < 5, bare.counts, 2.0))
    result = Fit(Datasets([dark])).run(MODELS)
    [text] = told(result, "they tell nothing")
    assert text.startswith("bare: nothing is predicted in 2 bins with 4 counts:")
    less = Fit(Datasets([dark.with_(mask_fit=np.arange(bare.counts.size) < 5)])).run(MODELS)
    assert not told(less, "they tell nothing")
    constant = -2 * 4 * np.log(TRUNCATION)
    assert result.statistic == pytest.approx(less.statistic + constant, abs=1e-6)
    assert [p.value for p in result.parameters] == pytest.approx([p.value for p in less.parameters], rel=1e-6)


def test_where_a_background_is_known_nothing_is_told() -> None:
    result = Fit(Datasets([spectrum(), on_off()])).run(MODELS, test=["source"])
    assert not told(result, "nothing is predicted")


@pytest.mark.parametrize("method", ["", "joint"])
def test_flux_points(method: str) -> None:
    edges = without_background().energy.edges[[0, 3, 7]].tolist()
    datasets = Datasets([without_background("one"), without_background("two"), spectrum()])
    if method:
        joint = JointFluxPointsEstimator(sources=["source"], energy_edges=edges, method=method)
        points = joint.run(datasets, MODELS).tables[0]
    else:
        points = FluxPointsEstimator(source="source", energy_edges=edges).run(datasets, MODELS)
    [text] = [text for text in points.warnings if "its TS has no end" in text]
    assert text.startswith("source: without it nothing is predicted in 8 bins with 56 counts (one, two):")


def test_on_maps() -> None:
    """A map without background: with the source alone, in its PSF; the counts beyond tell nothing."""
    full = cube()
    bare = replace(full, background=np.zeros_like(full.counts))
    result = Fit(Datasets([bare])).run(Models([source(shape=held(point()))]), test=["source"])
    inside = bare.mask & (bare.counts > 0)
    [lost], [endless] = told(result, "they tell nothing"), told(result, "its TS has no end")
    words = lost.split()
    bins, counts = int(words[words.index("in") + 1]), int(words[words.index("with") + 1])
    assert 0 < bins < np.count_nonzero(inside)
    more = endless.split()
    assert bins + int(more[more.index("in") + 1]) == np.count_nonzero(inside)
    assert counts + int(more[more.index("with") + 1]) == bare.counts[inside].sum()


def test_in_other_processes() -> None:
    datasets = Datasets([without_background(f"run-{k}") for k in range(3)] + [on_off()])
    engine = ProcessEngine(2)
    try:
        there = Fit(datasets, engine=engine).run(MODELS, test=["source"])
    finally:
        engine.close()
    here = Fit(datasets).run(MODELS, test=["source"])
    assert told(here, "its TS has no end")
    assert there.warnings == here.warnings
