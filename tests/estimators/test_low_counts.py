"""Random analyses with few counts: the first of those that ``benchmarks/study_low_counts.py`` goes through."""

from __future__ import annotations

import pytest

from tests.low_count_checks import wrong_with_fit, wrong_with_points, wrong_with_reoptimized
from tests.low_counts import analysis

AT_A_TIME = 30


@pytest.mark.parametrize("first", range(0, 180, AT_A_TIME))
def test_flux_points_are_those_of_the_direct_profile(first: int) -> None:
    assert {
        seed: wrong for seed in range(first, first + AT_A_TIME) if (wrong := wrong_with_points(analysis(seed)))
    } == {}


def test_a_minimum_in_a_kink_at_nothing_has_no_negative_ts() -> None:
    assert wrong_with_points(analysis(1505)) == []


def test_a_rise_that_is_rounding_is_none() -> None:
    """Without counts the statistic does not rise towards lower norms, as far as numbers tell."""
    assert wrong_with_points(analysis(14914)) == []


@pytest.mark.parametrize("first", range(0, 60, AT_A_TIME))
def test_fits_end_with_a_true_status(first: int) -> None:
    found = {seed: wrong_with_fit(analysis(seed))[1] for seed in range(first, first + AT_A_TIME)}
    assert {seed: wrong for seed, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("seed", [600, 1620, 3387, 3585, 4410, 7536, 8657, 20844])
def test_fits_leave_kinks_where_it_is_lower_and_say_nothing_of_what_is_lost(seed: int) -> None:
    assert wrong_with_fit(analysis(seed))[1] == []


def test_an_amplitude_at_its_limit_whose_curvature_gradients_tell_wrongly() -> None:
    """Beside a norm and a tilt that one bin with counts leaves degenerate: MIGRAD refuses negative curvature."""
    assert wrong_with_fit(analysis(2898))[1] == []


@pytest.mark.parametrize("seed", [33, 54])
def test_a_source_held_at_nothing_has_a_minimum_and_no_shape(seed: int) -> None:
    """Its index goes anywhere while the amplitude falls, and has no effect in the end."""
    found = analysis(seed)
    result, wrong = wrong_with_fit(found)
    assert wrong == []
    assert result.status == "at_limit"
    [index, amplitude] = [p for p in result.parameters if p.name in ("source.index", "source.amplitude")]
    assert (amplitude.value, amplitude.error_reason) == (0.0, "at its lower limit")
    start = next(p for p in found.models["source"].parameters if p.name == "index")
    assert (index.value, index.error) == (start.value, None)
    assert index.error_reason == "it has no effect where source predicts nothing"
    assert any(text.startswith("source.index: no effect where the fit ends") for text in result.warnings)
    assert next(component.ts for component in result.components if component.name == "source") == 0.0


@pytest.mark.parametrize("seed", [522, 615])
def test_a_norm_and_its_tilt_go_back_to_the_start_where_both_together_have_no_effect(seed: int) -> None:
    assert wrong_with_fit(analysis(seed))[1] == []


@pytest.mark.parametrize("seed", [2, 6, 22, 24, 36, 700, 1000, 1738, 4700, 5075, 10050, 12450, 14175, 14425])
def test_reoptimized_norms_are_those_of_simplexes(seed: int) -> None:
    assert wrong_with_reoptimized(analysis(seed)) == []


@pytest.mark.parametrize("seed", [600, 750, 1050])
def test_reoptimized_norms_without_a_limit_are_told(seed: int) -> None:
    assert wrong_with_reoptimized(analysis(seed)) == []
