"""The flux vector with its derivatives, against the vector alone and its differences."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.likelihood import JointLikelihood
from gm.models import Link, Models, SkyModel
from tests.likelihood.test_times import DATASETS, decaying
from tests.map_samples import background, cube, gauss, source
from tests.samples import flux_points, log_parabola, power_law

CASES = {
    "two-spectra": (Datasets([*DATASETS, flux_points()]), Models([log_parabola(), power_law("other", index=2.8)])),
    "variable": (DATASETS, Models([decaying(), log_parabola("other")])),
    "free-shape": (Datasets([cube()]), Models([source(shape=gauss()), background()])),
}


@pytest.mark.parametrize("case", CASES)
def test_slopes_are_those_of_the_fluxes(case: str) -> None:
    """Differences of 1e-5 are good to 1e-8 of the largest derivative by a parameter."""
    likelihood = JointLikelihood(*CASES[case])
    bank, values = likelihood.bank, likelihood.layout.expand(likelihood.layout.start)
    slopes = bank.slopes(values)
    jacobian = slopes.jacobian()
    np.testing.assert_allclose(slopes.flux, bank.fluxes(values), rtol=1e-14)
    for k in np.flatnonzero(jacobian.any(axis=0)):
        h = 1e-5 * np.abs(values[k]) if 0 < np.abs(values[k]) < 1e3 else 1e-4  # of dates as well
        low, high = (np.where(np.arange(values.size) == k, values + side * h, values) for side in (-1, 1))
        differences = (bank.fluxes(high) - bank.fluxes(low)) / (2 * h)
        np.testing.assert_allclose(jacobian[:, k], differences, rtol=1e-6, atol=1e-8 * np.abs(jacobian[:, k]).max())
    d_flux = np.random.default_rng(1).normal(size=bank.n_columns)
    expected = jacobian.T @ d_flux
    np.testing.assert_allclose(slopes.pullback(d_flux), expected, rtol=1e-12, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize("case", CASES)
def test_some_components_are_parts_of_all(case: str) -> None:
    likelihood = JointLikelihood(*CASES[case])
    bank, values = likelihood.bank, likelihood.layout.expand(likelihood.layout.start)
    names = [component.name for component in likelihood.models]
    shapes = bank.slopes(values, [])
    parts = [bank.slopes(values, [name]) for name in names]
    np.testing.assert_allclose(
        sum(part.flux - shapes.flux for part in parts), bank.fluxes(values) - shapes.flux, rtol=1e-13
    )
    whole = bank.slopes(values).jacobian() - shapes.jacobian()
    np.testing.assert_array_equal(sum(part.jacobian() - shapes.jacobian() for part in parts), whole)


def test_the_value_is_the_same_with_and_without_a_gradient() -> None:
    """Whichever is asked for first."""
    for datasets, models in CASES.values():
        first, second = JointLikelihood(datasets, models), JointLikelihood(datasets, models)
        start = first.layout.start
        value, (with_gradient, gradient) = first.value(start), second.value_and_gradient(start)
        assert with_gradient == pytest.approx(value, rel=1e-14)
        assert second.value(start) == with_gradient
        assert first.value_and_gradient(start)[0] == pytest.approx(value, rel=1e-14)
        np.testing.assert_allclose(first.gradient(start), gradient, rtol=1e-10, atol=1e-8 * np.abs(gradient).max())


def test_many_components_on_one_dataset_add_up() -> None:
    """They are computed together only where no two of them add to the same numbers."""
    models = Models([power_law(f"source-{k}", index=2.0 + 0.01 * k) for k in range(40)])
    likelihood = JointLikelihood(Datasets([flux_points()]), models)
    bank, values = likelihood.bank, likelihood.layout.expand(likelihood.layout.start)
    parts = [bank.slopes(values, [name]) for name in models.names]
    np.testing.assert_allclose(bank.fluxes(values), sum(part.flux for part in parts), rtol=1e-13)
    np.testing.assert_allclose(bank.slopes(values).jacobian(), sum(part.jacobian() for part in parts), rtol=1e-13)


@pytest.mark.parametrize("spectrum", [power_law, log_parabola])
@pytest.mark.parametrize("amplitude", [3e-11, 0.0, -2e-12])
def test_copies_of_a_spectrum_are_computed_once(spectrum: Callable[..., SkyModel], amplitude: float) -> None:
    """Each as by itself, with derivatives by amplitudes of their own and by what all follow. One sees two datasets, and
    another spectrum is none of them."""
    datasets = Datasets(DATASETS[0].with_(name=f"run-{k}") for k in range(7))
    seen = [[f"run-{k}"] for k in range(5)] + [["run-5", "run-6"]]
    shapes = [p.name for p in spectrum().spectral_model.parameters if p.name != "amplitude" and not p.frozen]
    copies = [spectrum(f"copy-{k}", datasets_names=names) for k, names in enumerate(seen)]
    links = [Link(f"copy-{k}.{name}", f"copy-0.{name}") for k in range(1, len(copies)) for name in shapes]
    models = Models([*copies, spectrum("other")], links=links).with_parameters(
        {f"copy-{k}.amplitude": {"value": amplitude if k == 2 else (k + 1) * 1e-11} for k in range(len(copies))}
    )
    likelihood = JointLikelihood(datasets, models)
    bank, values = likelihood.bank, likelihood.layout.expand(likelihood.layout.start * 1.1)
    assert len(bank.slopes(values).shares) == 2
    parts = [bank.slopes(values, [name]) for name in models.names]
    np.testing.assert_allclose(bank.fluxes(values), sum(part.flux for part in parts), rtol=1e-14)
    np.testing.assert_allclose(bank.slopes(values).flux, sum(part.flux for part in parts), rtol=1e-14)
    jacobian = sum(part.jacobian() for part in parts)
    largest = np.abs(jacobian).max(axis=0, initial=1e-300)
    np.testing.assert_allclose(bank.slopes(values).jacobian() / largest, jacobian / largest, rtol=1e-13, atol=1e-13)


def test_derivatives_by_the_vector_are_those_by_all_parameters_by_the_chain_rule() -> None:
    for datasets, models in CASES.values():
        likelihood = JointLikelihood(datasets, models)
        layout = likelihood.layout
        slopes = likelihood.bank.slopes(layout.expand(layout.start))
        narrow = slopes.narrow_jacobian(*layout.followed(), layout.n_free)
        np.testing.assert_array_equal(narrow, layout.reduce(slopes.jacobian()))
