"""Bins with counts in which parameters make the prediction nothing or less, against a count over all bins."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset, SpectrumDataset
from gm.likelihood import JointLikelihood
from gm.models import BackgroundIRFModel, Component, Models, Parameter, PowerLawNormSpectralModel
from tests.map_samples import cube, gauss, held, on_off_cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum


def slow(dataset: SpectrumDataset | MapDataset, likelihood: JointLikelihood, vector: np.ndarray) -> int:
    predicted = likelihood.predicted(vector)[0]
    return int(np.count_nonzero(dataset.mask & (dataset.counts > 0) & (predicted <= 1e-25)))


def norm(dataset: str) -> BackgroundIRFModel:
    return BackgroundIRFModel(dataset_name=dataset, spectral_model=PowerLawNormSpectralModel(norm=1.0))


@pytest.mark.parametrize("amplitude", [1e-11, 0.0, 1e-45, -1e-13, -1e-12, -1e-11])
@pytest.mark.parametrize("factor", [1.0, 0.3, 0.0, -1.0])
@pytest.mark.parametrize("kind", ["spectrum", "point", "gauss"])
def test_as_many_as_there_are(kind: str, amplitude: float, factor: float) -> None:
    dataset = spectrum("cube", exposure=1e12) if kind == "spectrum" else cube(exposure=5e13)
    shapes = {"point": point(), "gauss": gauss()}
    component: Component = power_law("source") if kind == "spectrum" else source(shape=held(shapes[kind]))
    likelihood = JointLikelihood(Datasets([dataset]), Models([component, norm("cube")]))
    vector = likelihood.layout.start.copy()
    names = likelihood.layout.free_addresses
    vector[names.index("source.amplitude")], vector[names.index("cube-bkg.norm")] = amplitude, factor
    assert likelihood.n_cut_off(vector) == slow(dataset, likelihood, vector)


def test_what_has_no_plateau() -> None:
    """W has the counts beside the source, chi2 has no logarithm."""
    for dataset in (on_off(), flux_points()):
        likelihood = JointLikelihood(Datasets([dataset]), Models([power_law()]))
        assert likelihood.n_cut_off(likelihood.layout.start * np.array([1.0, -1.0])) == 0
    likelihood = JointLikelihood(Datasets([on_off_cube()]), Models([source(shape=held(point()))]))
    assert likelihood.n_cut_off(likelihood.layout.start * np.array([1.0, -1.0])) == 0


def test_bins_that_nothing_reaches_do_not_count() -> None:
    """A point without a background has counts far from it, which no parameter predicts."""
    dataset = cube(exposure=5e13).with_(background=None)
    models = Models([source(shape=held(point()), index=Parameter("index", 2.3, frozen=True))])
    likelihood = JointLikelihood(Datasets([dataset]), models)
    assert slow(dataset, likelihood, likelihood.layout.start) > 0
    assert likelihood.n_cut_off(likelihood.layout.start) == 0
    reached = likelihood.predicted(likelihood.layout.start)[0] > 0
    expected = np.count_nonzero(dataset.mask & (dataset.counts > 0) & reached)
    assert likelihood.n_cut_off(-likelihood.layout.start) == expected
