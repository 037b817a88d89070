"""Bins with counts that no source reaches, of which only sums are kept, against all bins one by one."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets, MapDataset
from gm.likelihood import JointLikelihood
from gm.models import Models, Parameter
from tests.likelihood.compiled import map_terms
from tests.likelihood.dense_maps import AnyMap, predicted_counts, statistic
from tests.map_samples import background, cube, free, gauss, held, on_off_cube, point, source

NORMS = [1.1, 0.2, 1e-12, 1e-21, 0.0, -0.3]


def models(norm: float = 1.1, *, extended: bool = False, moves: bool = True) -> Models:
    """A small source in a corner of the field, and a background with norm and tilt."""
    shape = gauss(82.6, 21.2, sigma=0.12) if extended else point(82.6, 21.2)
    known = background(norm=norm, tilt=Parameter("tilt", 0.1, frozen=False))
    return Models([source("small", (free if moves else held)(shape)), known])


def everywhere(such: Models) -> Models:
    """With a component that reaches every bin and predicts nothing."""
    index, amplitude = Parameter("index", 2.0, frozen=True), Parameter("amplitude", 0.0, "TeV-1 s-1 cm-2", frozen=True)
    return Models([*such, source("nothing", None, index=index, amplitude=amplitude)])


def likelihood(dataset: AnyMap, such: Models) -> JointLikelihood:
    joint = JointLikelihood(Datasets([dataset]), such)
    (term,) = map_terms(joint)
    there = int(np.count_nonzero((dataset.counts > 0) & dataset.mask))
    assert term.bins.energy.size < 0.3 * there
    return joint


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("extended", [False, True])
def test_statistic(norm: float, extended: bool) -> None:
    """Also where the background is all but nothing, or less, and Cash cuts the prediction off."""
    dataset, such = cube(response="plain"), models(norm, extended=extended)
    joint = likelihood(dataset, such)
    expected = statistic(dataset, predicted_counts(dataset, such))
    assert joint.value(joint.layout.start) == pytest.approx(expected, rel=1e-9)
    assert joint.value_and_gradient(joint.layout.start)[0] == pytest.approx(expected, rel=1e-9)


def test_on_off() -> None:
    """What is out of reach costs the same whatever the source does."""
    dataset, such = on_off_cube(response="plain"), Models([source("small", free(point(82.6, 21.2)))])
    joint = likelihood(dataset, such)
    predicted = predicted_counts(dataset, such)
    assert joint.value(joint.layout.start) == pytest.approx(statistic(dataset, predicted), rel=1e-9)
    (summary,) = joint.summarize(joint.layout.start)
    assert summary.counts == dataset.counts[dataset.mask].sum()
    (whole,) = JointLikelihood(Datasets([dataset]), everywhere(such)).summarize(joint.layout.start)
    assert summary.background == pytest.approx(whole.background, rel=1e-12)
    assert np.count_nonzero(dataset.mask & (dataset.acceptance_off > 0)) == summary.bins


@pytest.mark.parametrize("norm", NORMS[:2])
def test_derivatives(norm: float) -> None:
    """The gradient against differences of the dense statistic, and second derivatives against those of the gradient."""
    dataset, such = cube(response="plain"), models(norm, extended=True)
    joint = likelihood(dataset, such)
    vector, addresses = joint.layout.start, joint.layout.free_addresses
    gradient = joint.gradient(vector)
    for k, address in enumerate(addresses):
        if address.startswith("small") and not address.endswith("amplitude"):
            continue
        h = 1e-4 * max(abs(vector[k]), 1e-3 if vector[k] == 0 else 0.0)
        ends = [such.with_parameters({address: {"value": vector[k] + side * h}}) for side in (1, -1)]
        values = [statistic(dataset, predicted_counts(dataset, end)) for end in ends]
        assert gradient[k] == pytest.approx((values[0] - values[1]) / (2 * h), rel=1e-5)
    diagonal = np.diag(joint.information(vector))  # the position angle of a circle changes nothing
    scale = np.sqrt(np.where(diagonal > 0, 2 / np.where(diagonal > 0, diagonal, 1.0), 0.01))
    second = joint.second_derivatives(vector, 0.01 * scale)
    assert second is not None
    for k, h in enumerate(0.01 * np.diag(scale)):
        rise = (joint.gradient(vector + h) - joint.gradient(vector - h)) / (0.02 * scale[k])
        np.testing.assert_allclose(second[k] * scale[k] * scale, rise * scale[k] * scale, atol=2e-3)


def test_information_parts_and_reports() -> None:
    """As where a component without flux reaches every bin."""
    dataset, such = cube(response="plain"), models()
    joint, whole = likelihood(dataset, such), JointLikelihood(Datasets([dataset]), everywhere(such))
    vector = joint.layout.start
    np.testing.assert_array_equal(vector, whole.layout.start)
    np.testing.assert_allclose(joint.information(vector), whole.information(vector), rtol=1e-10)
    expected = joint.information(vector, expected=True)
    assert (np.linalg.eigvalsh(expected - joint.information(vector)) >= -1e-9 * np.abs(expected).max()).all()
    mine, theirs = joint.summarize(vector)[0], whole.summarize(vector)[0]
    assert (mine.bins, mine.counts) == (theirs.bins, theirs.counts)
    assert mine.predicted == pytest.approx(theirs.predicted, rel=1e-12)
    assert mine.statistic == pytest.approx(theirs.statistic, rel=1e-12)
    flux = joint.bank.fluxes(joint.layout.expand(vector))
    parts = [joint.terms.cut(np.array([edges])) for edges in ((0, 1), (1, 3))]
    assert sum(part.value(flux) for part in parts if part is not None) == pytest.approx(joint.value(vector), rel=1e-12)


@pytest.mark.parametrize("name", ["small", "cube-bkg"])
@pytest.mark.parametrize("norm", [1.1, 0.0])
def test_along_a_line(name: str, norm: float) -> None:
    """Of the source, and of the background itself, down to none and beyond."""
    dataset: MapDataset = cube(response="plain")
    joint = likelihood(dataset, models(norm, moves=False))
    values = joint.layout.expand(joint.layout.start)
    signal: Array = joint.bank.fluxes(values, [name])
    rest = joint.bank.fluxes(values) - signal
    (line,) = joint.terms.lines(rest, signal)
    for factor in (-0.5, -0.01, 0.0, 0.4, 1.0, 3.0):
        expected = joint.terms.value(rest + factor * signal)
        assert line.values(np.array([factor]))[0] == pytest.approx(expected, rel=1e-10)
