"""Counts where nothing is predicted: told, since no statistic means anything there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gm.datasets import Datasets, SpectrumDataset
from gm.engine.processes import ProcessEngine
from gm.estimators import FluxPointsEstimator
from gm.estimators.joint_points import JointFluxPointsEstimator
from gm.fit import Fit, FitResult
from gm.likelihood import JointLikelihood
from gm.models import DiskSpatialModel, GaussianSpatialModel, Models, SpatialModel
from gm.statistics.cash import TRUNCATION
from tests.likelihood.dense_maps import predicted_counts, statistic
from tests.map_samples import LAT, LON, cube, free, held, point, source
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


DISK, GAUSS = DiskSpatialModel(r_0="0.15 deg"), GaussianSpatialModel(sigma="0.05 deg")


@pytest.mark.parametrize("shape", [DISK, GAUSS])
@pytest.mark.parametrize("response", ["psf", "reco"])
@pytest.mark.parametrize("placed", [held, free])
def test_transforms_predict_nothing_where_nothing_is_seen(
    shape: SpatialModel, response: str, placed: Callable[..., SpatialModel]
) -> None:
    """A source in a corner, counts everywhere: by direct sums most bins are 0, by transforms they were +-1e-17."""
    models = Models([source(shape=placed(shape, lon_0=LON + 0.9, lat_0=LAT - 0.8))])
    full = cube(response=response)
    bare = replace(full, background=None, counts=np.maximum(full.counts, 1.0))
    likelihood = JointLikelihood(Datasets([bare]), models)
    direct = predicted_counts(bare, models)
    assert np.count_nonzero(direct[bare.mask] == 0) > 300
    [predicted] = likelihood.predicted(likelihood.layout.start)
    np.testing.assert_allclose(predicted[bare.mask], direct[bare.mask], rtol=1e-3, atol=0)
    assert likelihood.value(likelihood.layout.start) == pytest.approx(statistic(bare, direct), rel=1e-9)


def test_the_crab_of_the_3fhl_without_its_background(shared: Path) -> None:
    """-11083.2015 is by direct sums over the kernels of Gammapy 2.1. Gammapy itself has -11165.4368: it transforms in
    single precision, and in a bin that no kernel reaches, with one count, it predicts 7e-8."""
    folder = shared / "data" / "fermi-3fhl-crab"
    crab = Models([Models.read(folder / "Fermi-LAT-3FHL_models.yaml")["Crab Nebula"]])
    [dataset] = Datasets.read(folder / "Fermi-LAT-3FHL_datasets.yaml")
    likelihood = JointLikelihood(Datasets([dataset.with_(background=None)]), crab)
    assert likelihood.value(likelihood.layout.start) == pytest.approx(-11083.201522524467, abs=1e-4)


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
