"""Laws of the joint likelihood: what must not change it, and what changes it in a known way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm.arrays import Array
from gm.datasets import Datasets
from gm.likelihood import JointLikelihood
from gm.likelihood.spectra.term import Term
from gm.models import CompoundSpectralModel, Models, PowerLawSpectralModel, SkyModel
from tests.likelihood.compiled import local_terms
from tests.samples import flux_points, log_parabola, on_off, power_law, spectrum

DATASETS = Datasets(
    [on_off("a", 1), spectrum("b", 2), on_off("c", 3, n_true=5), flux_points("d", 4), on_off("e", 5), spectrum("f", 6)]
)
MODELS = Models([log_parabola("one"), power_law("two", datasets_names=["a", "b", "d"])])


@settings(max_examples=30)
@given(st.permutations(range(len(DATASETS))))
def test_the_order_of_datasets_does_not_matter(order: list[int]) -> None:
    vector = JointLikelihood(DATASETS, MODELS).layout.start
    value, gradient = JointLikelihood(DATASETS, MODELS).value_and_gradient(vector)
    other = JointLikelihood(Datasets([DATASETS[k] for k in order]), MODELS)
    assert other.value(vector) == pytest.approx(value, rel=1e-13)
    assert other.gradient(vector) == pytest.approx(gradient, rel=1e-10)


def test_models_without_a_free_parameter_have_a_value() -> None:
    free = JointLikelihood(DATASETS, MODELS)
    frozen = JointLikelihood(DATASETS, MODELS.with_parameters({"*": {"frozen": True}}))
    assert frozen.layout.n_free == 0
    expected = pytest.approx(free.value(free.layout.start), rel=1e-13)
    assert frozen.value(np.empty(0)) == expected
    value, gradient = frozen.value_and_gradient(np.empty(0))
    assert value == expected
    assert gradient.shape == (0,)


def test_what_is_kept_of_points_is_theirs() -> None:
    """Values, gradients and information asked for in turn, at more points than are kept, against a likelihood that
    keeps nothing."""
    likelihood = JointLikelihood(DATASETS, MODELS)
    random, start = np.random.default_rng(1), likelihood.layout.start
    points = [start * factor for factor in (1.0, 1.01, 0.98, 1.02, 0.99, 1.03)]
    for k, what in zip(random.integers(6, size=150), random.integers(3, size=150), strict=True):
        fresh = JointLikelihood(DATASETS, MODELS)
        if what == 0:
            assert likelihood.value(points[k]) == pytest.approx(fresh.value(points[k]), rel=1e-13)
        elif what == 1:
            np.testing.assert_array_equal(likelihood.gradient(points[k]), fresh.gradient(points[k]))
        else:
            np.testing.assert_array_equal(likelihood.information(points[k]), fresh.information(points[k]))


def test_the_order_of_components_does_not_matter() -> None:
    forward, backward = (JointLikelihood(DATASETS, Models(m)) for m in (list(MODELS), list(MODELS)[::-1]))
    assert forward.value(forward.layout.start) == pytest.approx(backward.value(backward.layout.start), rel=1e-13)


def test_the_joint_value_is_the_sum_over_datasets() -> None:
    joint = JointLikelihood(DATASETS, MODELS)
    vector = joint.layout.start
    alone = [JointLikelihood(Datasets([dataset]), MODELS) for dataset in DATASETS]
    assert joint.value(vector) == pytest.approx(sum(part.value(vector) for part in alone), rel=1e-13)
    assert joint.gradient(vector) == pytest.approx(sum(part.gradient(vector) for part in alone), rel=1e-10)
    assert joint.n_bins == sum(part.n_bins for part in alone) == sum(int(d.mask.sum()) for d in DATASETS)


def test_datasets_with_equal_axes_are_as_good_as_each_alone() -> None:
    """Forty runs share one product; the sum is that of forty single ones."""
    runs = Datasets([on_off(f"run-{k}", seed=k) for k in range(40)])
    joint = JointLikelihood(runs, MODELS)
    vector = joint.layout.start
    alone = sum(JointLikelihood(Datasets([run]), MODELS).value(vector) for run in runs)
    assert joint.value(vector) == pytest.approx(alone, rel=1e-13)
    (term,) = local_terms(joint)
    assert isinstance(term, Term)
    assert len(term.folds) == 1


def signal(models: Models, dataset: int = 0) -> Array:
    likelihood = JointLikelihood(Datasets([DATASETS[dataset]]), models)
    return likelihood.predicted(likelihood.layout.start)[0]


@pytest.mark.parametrize("dataset", [0, 2, 3, 4])
def test_components_add_up(dataset: int) -> None:
    one, two = log_parabola("one"), power_law("two")
    together = signal(Models([one, two]), dataset)
    assert together == pytest.approx(signal(Models([one]), dataset) + signal(Models([two]), dataset), rel=1e-12, abs=0)


@pytest.mark.parametrize("factor", [1e-6, -0.5, 3.0, 1e6])
@pytest.mark.parametrize("dataset", [0, 2, 3])
def test_predictions_are_proportional_to_the_amplitude(dataset: int, factor: float) -> None:
    whole = signal(Models([power_law(amplitude="1e-11 TeV-1 s-1 cm-2")]), dataset)
    scaled = signal(Models([power_law(amplitude=f"{factor * 1e-11} TeV-1 s-1 cm-2")]), dataset)
    assert scaled == pytest.approx(factor * whole, rel=1e-12, abs=0)


def test_the_sum_of_two_power_laws_is_one_of_twice_the_amplitude() -> None:
    """Values agree to the accuracy of the 100 nodes per decade of a compound, which are exact for one power law."""
    half = PowerLawSpectralModel(index=2.3, amplitude="1e-11 TeV-1 s-1 cm-2")
    compound = SkyModel(name="sum", spectral_model=CompoundSpectralModel(half, half, "add"))
    assert signal(Models([compound])) == pytest.approx(2 * signal(Models([power_law()])), rel=1e-10, abs=0)


def test_a_component_reaches_only_the_datasets_it_names() -> None:
    everywhere, here = power_law("everywhere"), log_parabola("here", datasets_names="c")
    both = JointLikelihood(DATASETS, Models([everywhere, here]))
    one = JointLikelihood(DATASETS, Models([everywhere]))
    summaries = both.summarize(both.layout.start)
    without = one.summarize(one.layout.start)
    for mine, other in zip(summaries, without, strict=True):
        assert (mine.statistic == other.statistic) == (mine.name != "c")
        if mine.components is not None:
            assert ("here" in mine.components) == (mine.name == "c")


def test_amplitude_units_do_not_matter() -> None:
    tera = power_law(amplitude="1e-11 TeV-1 s-1 cm-2")
    giga = power_law(amplitude="1e-10 GeV-1 s-1 m-2")
    assert signal(Models([giga])) == pytest.approx(signal(Models([tera])), rel=1e-12, abs=0)


def test_masked_datasets_add_nothing() -> None:
    nothing = np.zeros(6, dtype=bool)
    masked = on_off("gone", 9, mask_fit=nothing)
    alone = JointLikelihood(Datasets([masked]), MODELS)
    assert alone.n_bins == 0
    assert alone.value(alone.layout.start) == 0
    assert not alone.gradient(alone.layout.start).any()
    more, less = JointLikelihood(Datasets([*DATASETS, masked]), MODELS), JointLikelihood(DATASETS, MODELS)
    assert more.value(more.layout.start) == less.value(less.layout.start)
    summary = more.summarize(more.layout.start)[-1]
    assert (summary.bins, summary.statistic, summary.counts, summary.predicted) == (0, 0, 0, 0)


def test_no_component_at_all() -> None:
    """Data alone: the known background is what is predicted."""
    likelihood = JointLikelihood(Datasets([spectrum("b", 2), on_off("a", 1)]), Models())
    empty = np.empty(0)
    known, off = spectrum("b", 2), on_off("a", 1)
    assert known.background is not None
    expected = 2 * np.sum(known.background - known.counts * np.log(known.background))
    summaries = likelihood.summarize(empty)
    assert summaries[0].statistic == pytest.approx(expected, rel=1e-12)
    assert summaries[0].predicted == pytest.approx(known.background.sum(), rel=1e-12)
    # without a signal the background of each bin is what both regions together measure
    alpha = off.alpha()
    both = alpha / (1 + alpha) * (off.counts + off.counts_off)
    assert summaries[1].predicted == pytest.approx(both.sum(), rel=1e-12)
    assert likelihood.gradient(empty).size == 0


def test_values_are_the_same_every_time() -> None:
    first, second = JointLikelihood(DATASETS, MODELS), JointLikelihood(DATASETS, MODELS)
    vector = first.layout.start
    numbers = [first.value(vector), first.value(1.1 * vector), first.value(vector), second.value(vector)]
    assert numbers[0] == numbers[2] == numbers[3]
    assert (first.gradient(vector) == second.gradient(vector)).all()
