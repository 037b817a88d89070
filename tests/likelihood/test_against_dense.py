"""The compiled likelihood against the same statistic written out bin by bin, for every kind of dataset and model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets, FluxPointsDataset
from gm.likelihood import JointLikelihood
from gm.models import (
    BackgroundIRFModel,
    ExpCutoffPowerLawSpectralModel,
    GaussianPrior,
    Link,
    LogParabolaNormSpectralModel,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
    SkyModel,
)
from gm.statistics import WStat
from tests.likelihood import dense
from tests.samples import flux_points, log_parabola, on_off, power_law, spectrum


def cutoff(name: str = "cutoff", **options: Any) -> SkyModel:
    amplitude = "4e-12 TeV-1 s-1 cm-2"
    spectral = ExpCutoffPowerLawSpectralModel(index=1.7, amplitude=amplitude, lambda_="0.08 TeV-1")
    return SkyModel(name=name, spectral_model=spectral, **options)


def norm(dataset_name: str, *, value: float = 1.1) -> BackgroundIRFModel:
    tilt = Parameter("tilt", 0.1, frozen=False)
    return BackgroundIRFModel(
        spectral_model=PowerLawNormSpectralModel(norm=value, tilt=tilt), dataset_name=dataset_name
    )


def masks() -> Datasets:
    safe = np.array([True, True, True, True, False, True])
    return Datasets(
        [
            on_off("safe", 3, mask_safe=safe),
            on_off("fit", 4, mask_fit=np.array([False, True, True, True, True, False])),
            on_off("both", 5, mask_safe=safe, mask_fit=~safe | (np.arange(6) > 2)),
            on_off("neither", 6, mask_safe=safe, mask_fit=~safe & False),
        ]
    )


CASES: dict[str, tuple[Datasets, Models]] = {
    "power law, on/off": (Datasets([on_off()]), Models([power_law()])),
    "power law, known background": (Datasets([spectrum()]), Models([power_law()])),
    "log parabola, several axes": (
        Datasets([on_off("a", 1), on_off("b", 2), on_off("c", 3, n_energy=4, n_true=12), spectrum("d", 4)]),
        Models([log_parabola()]),
    ),
    "two components and a background norm": (
        Datasets([on_off("a", 7), spectrum("b", 8), spectrum("c", 9)]),
        Models([power_law("one"), cutoff("two"), norm("b")]),
    ),
    "two background norms": (
        Datasets([spectrum("b", 8), spectrum("c", 9, n_energy=3)]),
        Models(
            [
                norm("b"),
                BackgroundIRFModel(spectral_model=LogParabolaNormSpectralModel(norm=0.8), dataset_name="c"),
                power_law(),
            ]
        ),
    ),
    "a background norm has no effect on on/off data": (Datasets([on_off("a", 7)]), Models([power_law(), norm("a")])),
    "no background at all": (Datasets([spectrum(background=None)]), Models([power_law()])),
    "components of some datasets": (
        Datasets([on_off("a", 1), on_off("b", 2), spectrum("c", 3)]),
        Models([power_law("everywhere"), cutoff("here", datasets_names=["b", "c"])]),
    ),
    "without energy dispersion": (
        Datasets([on_off("a", 1), spectrum("b", 2, edisp=None)]),
        Models([cutoff(apply_irf={"exposure": True, "psf": True, "edisp": False}), power_law()]),
    ),
    "without exposure": (
        Datasets([spectrum("a", 2)]),
        Models(
            [
                power_law(amplitude="2 TeV-1 s-1 cm-2", apply_irf={"exposure": False, "psf": True, "edisp": True}),
                cutoff(),
            ]
        ),
    ),
    "masks": (masks(), Models([power_law()])),
    "chi2 and spectra": (Datasets([flux_points(), on_off(), spectrum()]), Models([log_parabola(), cutoff()])),
    "distrib": (Datasets([flux_points(stat_type="distrib")]), Models([power_law(amplitude="7e-12 TeV-1 s-1 cm-2")])),
    "profile": (Datasets([flux_points(stat_type="profile"), flux_points("other", 2)]), Models([log_parabola()])),
    "links": (
        Datasets([on_off("a", 1), spectrum("b", 2)]),
        Models([power_law("one"), power_law("two")]).with_links(
            [Link("two.index", "one.index", scale=1.1, offset=-0.2), Link("two.amplitude", "one.amplitude", scale=0.3)]
        ),
    ),
    "negative component": (
        Datasets([on_off("a", 7), spectrum("b", 8)]),
        Models([power_law("one"), power_law("hole", amplitude="-6e-12 TeV-1 s-1 cm-2", index=2.0)]),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_value_is_the_sum_over_bins(case: str) -> None:
    datasets, models = CASES[case]
    likelihood = JointLikelihood(datasets, models)
    expected = dense.statistic(datasets, models)
    assert likelihood.value(likelihood.layout.start) == pytest.approx(expected, rel=1e-10, abs=1e-10)
    assert likelihood.value_and_gradient(likelihood.layout.start)[0] == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("case", CASES)
def test_the_summary_says_the_same_of_every_dataset(case: str) -> None:
    datasets, models = CASES[case]
    likelihood = JointLikelihood(datasets, models)
    for dataset, summary in zip(datasets, likelihood.summarize(likelihood.layout.start), strict=True):
        assert (summary.name, summary.type) == (dataset.name, dataset.type)
        assert summary.bins == dataset.mask.sum()
        expected = dense.dataset_statistic(dataset, models)
        assert summary.statistic == pytest.approx(expected, rel=1e-10, abs=1e-10)
        if isinstance(dataset, FluxPointsDataset):
            assert summary.counts is None
            continue
        assert summary.components is not None
        assert summary.counts == dataset.counts[dataset.mask].sum()
        for name, counts in summary.components.items():
            alone = dense.component_counts(models[name], dataset)[dataset.mask].sum()
            assert counts == pytest.approx(alone, rel=1e-10)
        background = _background(dataset, models)
        assert summary.background == pytest.approx(background, rel=1e-10, abs=1e-10)
        total = sum(summary.components.values()) + background
        assert summary.predicted == pytest.approx(total, rel=1e-10, abs=1e-10)


def _background(dataset: Any, models: Models) -> float:
    """Profiled background of on/off data, else the known one with its norm, over the bins that enter."""
    kept, predicted = dataset.mask, dense.predicted_counts(dataset, models)
    if dataset.type == "SpectrumDatasetOnOff":
        alpha = dataset.acceptance / dataset.acceptance_off
        return float(WStat(dataset.counts, dataset.counts_off, alpha).background(predicted)[kept].sum())
    sky = [c for c in models if isinstance(c, SkyModel) and dense.applies(c, dataset.name)]
    signal: Array = sum((dense.component_counts(c, dataset) for c in sky), np.zeros(predicted.size))
    return float((predicted - signal)[kept].sum())


def test_acceptances_of_zero_add_nothing() -> None:
    """Where alpha is 0, 0/0 or infinite the profiled background is undefined, and Gammapy counts 0."""
    dataset = on_off(n_energy=6)
    acceptance, acceptance_off = dataset.acceptance.copy(), dataset.acceptance_off.copy()
    acceptance[0] = acceptance[1] = acceptance_off[1] = acceptance_off[2] = 0.0
    broken = dataset.with_(acceptance=acceptance, acceptance_off=acceptance_off)
    masked = dataset.with_(mask_safe=np.arange(6) > 2)
    models = Models([power_law()])
    values = [JointLikelihood(Datasets([d]), models).value(np.array([2.3, 1e-11])) for d in (broken, masked)]
    assert values[0] == pytest.approx(values[1], rel=1e-14)


def test_priors_are_added_once() -> None:
    prior = GaussianPrior(mu=2.0, sigma=0.1)
    first = power_law("one", index=Parameter("index", 2.3, prior=prior))
    models = Models([first, power_law("two")]).with_links([Link("two.index", "one.index")])
    datasets = Datasets([on_off()])
    likelihood = JointLikelihood(datasets, models)
    expected = dense.statistic(datasets, models) + (0.3 / 0.1) ** 2 + np.log(2 * np.pi * 0.1**2)
    assert likelihood.value(likelihood.layout.start) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("case", CASES)
def test_predicted_is_zero_where_no_bin_enters(case: str) -> None:
    datasets, models = CASES[case]
    likelihood = JointLikelihood(datasets, models)
    for dataset, predicted in zip(datasets, likelihood.predicted(likelihood.layout.start), strict=True):
        assert not predicted[~dataset.mask].any()
        if isinstance(dataset, FluxPointsDataset):
            kept = np.flatnonzero(dataset.mask)
            flux = [dense.predicted_flux(dataset, models, k) for k in kept]
            assert predicted[kept] == pytest.approx(flux, rel=1e-10, abs=0)
        else:
            expected = np.where(dataset.mask, dense.predicted_counts(dataset, models), 0.0)
            assert predicted == pytest.approx(expected, rel=1e-10, abs=1e-12)
