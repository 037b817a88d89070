"""Errors that say nothing, and positions whose statistic is no parabola."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets
from gm.fit import Fit
from gm.fit.profile import LowerMinimum
from gm.fit.rises import Rises
from gm.likelihood import JointLikelihood
from gm.models import Models, Parameter
from tests.samples import on_off, power_law, spectrum

WIDE = np.full(2, np.inf)


class Function:
    """``f(x) + (y - x)^2``; its values alone are asked for."""

    def __init__(self, f: Callable[[float], float]) -> None:
        self.f, self.calls = f, 0

    def value(self, vector: Array) -> float:
        self.calls += 1
        return float(self.f(vector[0]) + (vector[1] - vector[0]) ** 2)

    def value_and_gradient(self, vector: Array) -> tuple[float, Array]:
        raise NotImplementedError

    def information(self, vector: Array, *, expected: bool = False) -> Array:
        raise NotImplementedError

    def second_derivatives(self, vector: Array, steps: Array) -> Array | None:
        raise NotImplementedError


def rises(f: Callable[[float], float], lower: Array = -WIDE) -> Rises:
    """With the covariance of ``x^2 + (y - x)^2``."""
    covariance = np.array([[1.0, 1.0], [1.0, 2.0]])
    return Rises(Function(f), np.zeros(2), f(0.0), lower, WIDE, covariance, np.zeros(2, dtype=bool))


def test_a_parabola_costs_a_call_each_and_is_not_mentioned() -> None:
    parabola = rises(lambda x: x * x)
    assert parabola.at(0, 2.0) == pytest.approx(4.0, rel=1e-12)
    assert parabola.at(1, -1.0) == pytest.approx(1.0, rel=1e-12)
    assert isinstance(parabola.objective, Function)
    parabola.objective.calls = 0
    assert list(parabola.bent([0, 1])) == []
    assert parabola.objective.calls == 2
    assert parabola.flat([0, 1]) == {}
    assert parabola.objective.calls == 4


def test_a_statistic_with_a_kink_is_mentioned_with_its_rise() -> None:
    """``x^2`` up to 0.5, then straight."""
    assert list(rises(lambda x: x * x if abs(x) < 0.5 else abs(x) - 0.25).bent([0])) == [
        (0, pytest.approx(1.75, rel=1e-12))
    ]


def test_both_sides_count() -> None:
    """2.4 on one side and 5.6 on the other are 4."""
    assert list(rises(lambda x: x * x - 0.2 * x**3 if abs(x) < 3 else 9).bent([0])) == []


def test_an_error_that_says_nothing() -> None:
    assert rises(lambda x: 0.2 * (1 - np.exp(-(x**2)))).flat([0]) == {
        0: "the statistic rises by 0.1 only at a distance of 1"
    }
    nothing = rises(lambda x: 1e-5 * x * x).flat([0, 1])
    assert nothing[0] == "the statistic does not depend on it there"
    assert rises(lambda x: 2 * max(x, 0.0)).flat([0]) == {}  # flat on one side only


def test_limits_hold() -> None:
    assert rises(lambda x: x * x, lower=np.array([-0.5, -np.inf])).at(0, -1.0) == pytest.approx(0.25 + 0.25, rel=1e-12)


def test_a_lower_minimum_is_handed_over() -> None:
    with pytest.raises(LowerMinimum) as caught:
        rises(lambda x: x**2 - x**3).at(0, 2.0)
    assert caught.value.vector == pytest.approx([2.0, 2.0], rel=1e-12)


def test_no_counts_at_all() -> None:
    """On and off are empty: no index is better than another one, and the amplitude has the width of a rise by 1."""
    nothing = on_off("a", 1).with_(counts=np.zeros(6), counts_off=np.zeros(6))
    result = Fit(Datasets([nothing])).run(Models([power_law()]), minos=["*"])
    index, amplitude = result.parameters[:2]
    assert (index.error, index.minos) == (None, (None, None))
    assert index.error_reason != ""
    assert amplitude.error is None or amplitude.error > 1e-14
    assert result.covariance is None or result.covariance[0] == ("source.amplitude",)


def test_no_counts_and_a_known_index() -> None:
    """``2 mu`` above 0 and ``-2 mu / alpha`` below it: it has risen by 1 at 1/2 and at alpha / 2 predicted counts."""
    nothing = on_off("a", 1).with_(counts=np.zeros(6), counts_off=np.zeros(6), acceptance_off=np.full(6, 4.0))
    models = Models([power_law(index=Parameter("index", 2.3, frozen=True))])
    likelihood = JointLikelihood(Datasets([nothing]), models)
    predicted = float(likelihood.predicted(likelihood.layout.start)[0].sum())  # at an amplitude of 1e-11
    upper, lower = 0.5e-11 / predicted, -0.125e-11 / predicted
    amplitude = Fit(Datasets([nothing])).run(models, minos=["*"]).parameters[1]
    assert amplitude.value == pytest.approx(0.0, abs=1e-3 * upper)
    assert amplitude.minos == pytest.approx((lower, upper), rel=1e-3, abs=0)
    assert amplitude.error == pytest.approx(0.5 * (upper - lower), rel=1e-3, abs=0)


def test_without_a_minimum_there_are_no_errors() -> None:
    """One count: its energy fits any steep spectrum."""
    one = spectrum("b", 2).with_(counts=np.eye(7)[0], background=None)
    result = Fit(Datasets([one])).run(Models([power_law()]))
    for parameter in result.parameters[:2]:
        assert parameter.error is None or parameter.error > 0
        assert result.success or parameter.error is None
        assert parameter.error is not None or parameter.error_reason
