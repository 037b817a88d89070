"""Fits of many datasets with parameters of their own, against the same without a structure.

The slow way is a matrix over all parameters: the same second derivatives, no elimination. The other one is what smaller
fits do, with a matrix that learns from gradients and errors by differences.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import gm
import gm.likelihood.joint
from gm.arrays import Array
from gm.fit import FitResult
from gm.fit.covariance import bordered_hessian, observed_hessian
from gm.likelihood import JointLikelihood
from gm.likelihood.own_parameters import MANY, OwnParameters, own_parameters
from gm.matrices import BorderedCovariance, BorderedHessian, Grouping
from gm.models import (
    BackgroundIRFModel,
    GaussianPrior,
    Layout,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
)
from tests.map_samples import background, cube, point, source
from tests.samples import on_off, power_law, spectrum

N = 55
NAMES = [f"run-{k}" for k in range(N)]
FREE = Parameter("tilt", 0.0)


def run(k: int, counts: Array | None = None) -> gm.SpectrumDataset:
    """With some hundred counts of background."""
    expected = np.geomspace(60.0, 1.0, 7)
    dataset = spectrum(NAMES[k], seed=k, exposure=2e12)
    more = np.random.default_rng(k).poisson(expected)
    return dataset.with_(background=expected, counts=dataset.counts + more if counts is None else counts)


def norms(**parameters: object) -> list[BackgroundIRFModel]:
    spectra = PowerLawNormSpectralModel(**{"tilt": FREE, **parameters})
    return [BackgroundIRFModel(dataset_name=name, spectral_model=spectra) for name in NAMES]


RUNS = [run(k) for k in range(N)]
DATASETS = gm.Datasets(RUNS)
MODELS = Models([power_law(), *norms()])


def everything_shared(names: Sequence[str], models: Models, layout: Layout) -> OwnParameters:
    """No structure: one matrix over all parameters, eliminated by nobody."""
    nobody, every = np.full((0, 1), -1), np.arange(layout.n_free)
    return OwnParameters(Grouping(layout.n_free, every, nobody), np.empty(0, dtype=np.intp), *layout.followed())


@pytest.fixture(name="reference")
def without_structure(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    with monkeypatch.context() as patch:
        patch.setattr(gm.likelihood.joint, "own_parameters", everything_shared)
        yield patch


def numbers(result: FitResult) -> tuple[Array, Array]:
    errors = [np.nan if p.error is None else p.error for p in result.parameters]
    return np.array([p.value for p in result.parameters]), np.array(errors)


def assert_same(one: FitResult, other: FitResult) -> None:
    """Values to 1e-10 of an error, errors to 1e-8."""
    (values, errors), (expected, widths) = numbers(one), numbers(other)
    assert (one.status, one.message) == (other.status, other.message)
    assert one.statistic == pytest.approx(other.statistic, rel=1e-12)
    np.testing.assert_allclose((values - expected) / np.where(widths > 0, widths, 1.0), 0.0, atol=1e-10)
    np.testing.assert_allclose(errors, widths, rtol=1e-8)
    assert [p.at_limit for p in one.parameters] == [p.at_limit for p in other.parameters]


LIMITED = Parameter("tilt", 0.0, min=-0.05, max=0.05)
CASES = {
    "plain": MODELS,
    "limits": Models([power_law(), *norms(tilt=LIMITED)]),
    "priors": Models([power_law(), *norms(norm=Parameter("norm", 1.0, prior=GaussianPrior(mu=1.0, sigma=0.1)))]),
    "linked": MODELS.with_links([{"parameter": "run-1-bkg.norm", "equals": "run-0-bkg.norm", "scale": 1.1}]),
    "frozen": MODELS.with_parameters({"run-10-bkg.tilt": {"frozen": True}, "run-0-bkg.*": {"frozen": True}}),
    "wrong start": Models([power_law(index=4.0, amplitude="1e-10 cm-2 s-1 TeV-1"), *norms(norm=3.0)]),
}


@pytest.mark.parametrize("case", CASES)
def test_elimination_changes_nothing(case: str, reference: pytest.MonkeyPatch) -> None:
    datasets, models = DATASETS, CASES[case]
    slow = gm.Fit(datasets).run(models)
    reference.undo()
    fast = gm.Fit(datasets).run(models)
    assert fast.success
    assert fast.n_free > MANY
    assert_same(fast, slow)
    assert fast.covariance is not None
    assert slow.covariance is not None
    assert isinstance(fast.covariance[1], BorderedCovariance)
    whole, expected = (np.asarray(result.covariance[1]) for result in (fast, slow))  # type: ignore[index]
    sigma = np.sqrt(np.diag(expected))
    np.testing.assert_allclose(whole / np.outer(sigma, sigma), expected / np.outer(sigma, sigma), atol=1e-8)


def test_a_smaller_fit_would_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """To what a fit leaves: 5e-6 of -2 ln L, and errors that are differences of gradients at another point."""
    fast = gm.Fit(DATASETS).run(MODELS)
    monkeypatch.setattr(gm.likelihood.joint, "own_parameters", lambda *_: None)
    other = gm.Fit(DATASETS).run(MODELS)
    (values, errors), (expected, widths) = numbers(fast), numbers(other)
    assert fast.statistic == pytest.approx(other.statistic, abs=1e-5)
    free = widths > 0
    np.testing.assert_allclose(values[free], expected[free], atol=3e-3 * widths[free].max())
    np.testing.assert_allclose(errors[free], widths[free], rtol=5e-3)


def test_intervals_and_tests(reference: pytest.MonkeyPatch) -> None:
    """MINOS of a shared and of an own parameter, a contour of both, TS: profiles eliminate too."""
    asked = {"minos": ["source.index", "run-3-bkg.norm"], "test": ["source"]}
    slow = gm.Fit(DATASETS).run(MODELS, **asked)  # type: ignore[arg-type]
    reference.undo()
    fast = gm.Fit(DATASETS).run(MODELS, contours=[["source.index", "run-1-bkg.tilt"]], contour_levels=[1.0], **asked)  # type: ignore[arg-type]
    assert_same(fast, slow)
    for name in ("source.index", "run-3-bkg.norm"):
        found, expected = (next(p for p in result.parameters if p.name == name).minos for result in (fast, slow))
        np.testing.assert_allclose(found, expected, rtol=1e-4)  # type: ignore[arg-type]
    assert fast.components[0].ts == pytest.approx(slow.components[0].ts, abs=1e-4)
    assert len(fast.contours[0].points) == 40


def test_runs_without_counts_say_why() -> None:
    """A norm and a tilt of nothing have no minimum, and are named."""
    result = gm.Fit(gm.Datasets([run(0, np.zeros(7)), *RUNS[1:]])).run(MODELS)
    assert result.status == "not_converged"
    assert "run-0-bkg." in result.message
    assert not any(f"run-{k}-" in result.message for k in range(1, N))
    assert result.covariance is None


def test_maps_and_off_counts_join(reference: pytest.MonkeyPatch) -> None:
    """Maps with a point source that is free to move, On/Off spectra, and spectra, each background its own."""
    maps = [cube(f"map-{k}", seed=k) for k in range(3)]
    datasets = gm.Datasets([*maps, *RUNS, on_off("off", exposure=2e12)])
    sky = source("star", point(), datasets_names=[one.name for one in maps])
    models = Models([sky, power_law(datasets_names=[*NAMES, "off"]), *(background(m.name) for m in maps), *norms()])
    slow = gm.Fit(datasets).run(models)
    reference.undo()
    fast = gm.Fit(datasets).run(models)
    assert fast.success
    assert_same(fast, slow)


def likelihood_and_point() -> tuple[JointLikelihood, Array]:
    likelihood = JointLikelihood(DATASETS, MODELS)
    start = likelihood.layout.start
    return likelihood, start * np.random.default_rng(1).uniform(0.9, 1.1, start.size) + 0.01 * (start == 0)


def test_second_derivatives_are_those_of_the_gradient() -> None:
    likelihood, vector = likelihood_and_point()
    scale = np.where(vector != 0, 0.005 * np.abs(vector), 0.005)
    exact = likelihood.second_derivatives(vector, 0.02 * scale)
    assert isinstance(exact, BorderedHessian)
    limits = np.full(vector.size, -np.inf), np.full(vector.size, np.inf)
    whole = observed_hessian(likelihood.gradient, vector, scale, *limits)
    units = np.sqrt(np.outer(np.diag(whole), np.diag(whole)))
    np.testing.assert_allclose(exact.dense() / units, whole / units, atol=1e-6)
    together = bordered_hessian(exact, likelihood.gradient, vector, scale, *limits)
    np.testing.assert_allclose(together.dense() / units, whole / units, atol=1e-6)
    at_limit = vector.copy(), np.full(vector.size, np.inf)
    one_sided = bordered_hessian(exact, likelihood.gradient, vector, scale, *at_limit)
    expected = observed_hessian(likelihood.gradient, vector, scale, *at_limit)
    np.testing.assert_allclose(one_sided.dense() / units, expected / units, atol=1e-5)


def test_information_is_that_of_the_whole_jacobian(monkeypatch: pytest.MonkeyPatch) -> None:
    likelihood, vector = likelihood_and_point()
    monkeypatch.setattr(gm.likelihood.joint, "own_parameters", lambda *_: None)
    plain = JointLikelihood(DATASETS, MODELS)
    for expected in (False, True):
        found = likelihood.information(vector, expected=expected)
        whole = plain.information(vector, expected=expected)
        assert isinstance(found, BorderedHessian)
        assert isinstance(whole, np.ndarray)
        np.testing.assert_allclose(found.dense(), whole, rtol=1e-10, atol=1e-12 * np.abs(whole).max())


def test_parts_of_datasets_add_up() -> None:
    likelihood, vector = likelihood_and_point()
    parts = likelihood.own_values(vector)
    assert parts.sum() == pytest.approx(likelihood.value(vector))
    moved = vector.copy()
    moved[likelihood.layout.free_addresses.index("run-7-bkg.norm")] *= 1.1
    assert np.flatnonzero(likelihood.own_values(moved) != parts).size == 1


def test_whose_parameters_they_are() -> None:
    """Links across datasets and shapes on the sky are shared; what nobody reads is alone; few stay as they are."""
    assert own_parameters(NAMES[:20], Models([power_law(), *norms()[:20]]), Layout(Models([*norms()[:20]]))) is None
    models = CASES["linked"]
    layout = Layout(models)
    own = own_parameters(NAMES[:-1], models, layout)
    assert own is not None
    shared = {layout.free_addresses[k] for k in own.grouping.shared}
    assert shared == {"source.index", "source.amplitude", "run-0-bkg.norm"}
    assert own.datasets.tolist() == [*range(N - 1), -1]
    assert sorted(np.concatenate([own.grouping.shared, own.grouping.own[own.grouping.present]])) == list(
        range(layout.n_free)
    )


def test_a_dataset_with_many_parameters_shares_them() -> None:
    """So that not every other one has as many places."""
    many = [power_law(f"extra-{k}", datasets_names=NAMES[0]) for k in range(12)]
    models = Models([power_law(), *many, *norms()])
    own = own_parameters(NAMES, models, Layout(models))
    assert own is not None
    assert own.grouping.own.shape == (N - 1, 2)
    assert own.n_shared == 2 + 2 * 12 + 2


def test_models_and_covariance_come_back_from_their_files(tmp_path: Path) -> None:
    """Up to 500 parameters with errors the whole matrix, of more the shared ones, the others by their errors."""
    result = gm.Fit(DATASETS).run(MODELS)
    result.models.write(tmp_path / "few.yaml")
    again = Models.read(tmp_path / "few.yaml")
    np.testing.assert_allclose(np.asarray(again.covariance), np.asarray(result.models.covariance), rtol=1e-12, atol=0)
    names = [f"run-{k}" for k in range(300)]
    more = gm.Datasets([RUNS[k % N].with_(name=name) for k, name in enumerate(names)])
    spectra = PowerLawNormSpectralModel(tilt=FREE)
    models = Models([power_law(), *(BackgroundIRFModel(dataset_name=name, spectral_model=spectra) for name in names)])
    best = gm.Fit(more).run(models).models
    best.write(tmp_path / "many.yaml")
    assert (tmp_path / "many_covariance.dat").stat().st_size < 10_000
    assert "\nshared_covariance: many_covariance.dat" in (tmp_path / "many.yaml").read_text()
    again = Models.read(tmp_path / "many.yaml")
    assert isinstance(again.covariance, BorderedCovariance)
    assert isinstance(best.covariance, BorderedCovariance)
    np.testing.assert_allclose([p.error for p in again.parameters], [p.error for p in best.parameters], rtol=1e-12)
    np.testing.assert_allclose(again.covariance[:3, :3], best.covariance[:3, :3], rtol=1e-12)


def test_runs_without_counts_do_not_spoil_the_others() -> None:
    """A norm at its limit of 0 leaves its tilt without effect: the fit ends all the same, and says of what it knows
    nothing; the rest is what it is without these tilts."""
    empty = [run(k, np.zeros(7)) for k in range(3)]
    empty = [one.with_(exposure=one.exposure * 1e-9) for one in empty]
    datasets, limited = gm.Datasets([*empty, *RUNS[3:]]), norms(norm=Parameter("norm", 1.0, min=0.0))
    result = gm.Fit(datasets).run(Models([power_law(), *limited]))
    assert result.status == "at_limit", result.message
    rows = {row.name: row for row in result.parameters}
    for name in NAMES[:3]:
        norm, tilt = rows[f"{name}-bkg.norm"], rows[f"{name}-bkg.tilt"]
        assert (norm.value, norm.at_limit) == (0.0, "lower")
        assert (tilt.value, tilt.error) == (0.0, None)
        assert tilt.error_reason == f"it has no effect where {name}-bkg predicts nothing"
    assert any("run-0-bkg.tilt, run-1-bkg.tilt, run-2-bkg.tilt: no effect" in text for text in result.warnings)
    held = {f"{name}-bkg.tilt": {"frozen": True} for name in NAMES[:3]}
    without = gm.Fit(datasets).run(Models([power_law(), *limited]).with_parameters(held))
    for row in without.parameters:
        if row.error is not None:
            assert rows[row.name].value == pytest.approx(row.value, abs=0.02 * row.error)
            assert rows[row.name].error == pytest.approx(row.error, rel=1e-3)
    assert without.statistic == pytest.approx(result.statistic, abs=1e-4)
