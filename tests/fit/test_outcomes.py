"""How a fit can end: converged, at a limit, not converged with the reason, or an error; and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.errors import DataError
from gm.fit import Fit, FitResult, FittedParameter, NothingToFit
from gm.models import (
    BackgroundIRFModel,
    ExpCutoffPowerLawSpectralModel,
    GaussianPrior,
    ModelError,
    Models,
    Parameter,
    SkyModel,
    UniformPrior,
)
from tests.samples import flux_points, log_parabola, on_off, power_law, spectrum

DATASETS = Datasets([on_off("a", 1, exposure=1e12), spectrum("b", 2, exposure=1e12)])
FLUX = "TeV-1 s-1 cm-2"


def index(value: float = 2.3, **options: object) -> Parameter:
    return Parameter("index", value, **options)  # type: ignore[arg-type]


def parameter(result: FitResult, name: str) -> FittedParameter:
    return next(p for p in result.parameters if p.name == name)


def test_converged() -> None:
    result = Fit(DATASETS).run(Models([power_law()]))
    assert (result.status, result.success, result.warnings) == ("converged", True, ())
    assert result.n_free == 2
    assert result.n_bins == 13
    assert result.minimizer.value_calls > 0
    assert result.minimizer.edm < 1e-5
    assert result.statistic < result.statistic_start
    assert [p.name for p in result.parameters] == ["source.index", "source.amplitude", "source.reference"]


def test_optimize_gives_the_same_without_errors() -> None:
    fast, whole = Fit(DATASETS).optimize(Models([power_law()])), Fit(DATASETS).run(Models([power_law()]))
    assert fast.statistic == whole.statistic
    assert fast.covariance is None
    assert [p.error for p in fast.parameters] == [None, None, None]


def test_models_stay_as_they_are() -> None:
    models = Models([power_law(), log_parabola("other", datasets_names=["a"])])
    before = models.to_dict()
    Fit(DATASETS).run(models, minos=["source.index"], test=["other"])
    assert models.to_dict() == before


def test_the_result_is_the_same_every_time() -> None:
    first, second = (Fit(DATASETS).run(Models([power_law()]), minos=["*"]) for _ in range(2))
    assert first.parameters == second.parameters
    assert first.statistic == second.statistic


def test_a_fitted_model_is_a_good_start() -> None:
    first = Fit(DATASETS).run(Models([power_law()]))
    again = Fit(DATASETS).run(first.models)
    assert again.statistic == pytest.approx(first.statistic, abs=1e-6)
    assert again.statistic_start == pytest.approx(first.statistic, abs=1e-9)


@pytest.mark.parametrize(("limits", "side"), [({"max": 2.1}, "upper"), ({"min": 3.3}, "lower")])
def test_a_parameter_at_its_limit(limits: dict[str, float], side: str) -> None:
    """It is reported, has no error, and the others are fitted as if it were frozen there."""
    bound = next(iter(limits.values()))
    result = Fit(DATASETS).run(Models([power_law(index=index(bound, **limits))]), minos=["*"])
    assert result.status == "at_limit"
    assert result.success
    assert result.message == f"source.index is at its {side} limit"
    held = parameter(result, "source.index")
    assert (held.at_limit, held.error) == (side, None)
    assert held.value == pytest.approx(bound, abs=1e-6)
    frozen = Fit(DATASETS).run(Models([power_law(index=index(bound, frozen=True))]))
    free, alone = parameter(result, "source.amplitude"), parameter(frozen, "source.amplitude")
    assert free.at_limit is None
    assert result.statistic == pytest.approx(frozen.statistic, abs=1e-4)
    assert free.error is not None
    assert free.value == pytest.approx(alone.value, abs=0.01 * free.error)
    assert free.error == pytest.approx(alone.error, rel=0.01, abs=0)
    assert result.covariance is not None
    assert result.covariance[0] == ("source.amplitude",)


@pytest.mark.parametrize("start", [1.0, 1.6, 2.1])
def test_any_start_inside_the_limits_ends_at_the_limit(start: float) -> None:
    result = Fit(DATASETS).run(Models([power_law(index=index(start, min=1.0, max=2.1))]))
    assert result.status == "at_limit"
    assert parameter(result, "source.index").value == pytest.approx(2.1, abs=1e-6)


def test_every_parameter_at_a_limit() -> None:
    amplitude = Parameter("amplitude", 3e-11, FLUX, min=2e-11)
    for first in (index(frozen=True), index(4.0, min=3.5)):
        result = Fit(DATASETS).run(Models([power_law(index=first, amplitude=amplitude)]), minos=["*"])
        assert result.status == "at_limit"
        assert "source.amplitude is at its lower limit" in result.message
        assert parameter(result, "source.amplitude").value == pytest.approx(2e-11, rel=1e-9, abs=0)
        assert result.covariance is None
        assert all(p.error is None for p in result.parameters)


def test_wide_limits_change_nothing() -> None:
    free = Fit(DATASETS).run(Models([power_law()]))
    limited = Fit(DATASETS).run(Models([power_law(index=index(2.3, min=0.0, max=10.0))]))
    assert limited.status == "converged"
    for one, other in zip(free.parameters, limited.parameters, strict=True):
        assert abs(one.value - other.value) <= 0.01 * (one.error or 0.0)
        assert other.error == (None if one.error is None else pytest.approx(one.error, rel=1e-3, abs=0))


def test_no_parameter_leaves_its_limits_on_the_way() -> None:
    """A model that would blow up outside: every value asked for is inside."""
    seen: list[float] = []
    limited = Models([power_law(index=index(1.95, min=1.9, max=2.0))])
    result = Fit(DATASETS).run(limited, minos=["*"], progress=lambda _, value: seen.append(value))
    assert seen
    assert np.isfinite(seen).all()
    assert 1.9 <= parameter(result, "source.index").value <= 2.0


def test_a_uniform_prior_limits() -> None:
    prior = UniformPrior(min=1.0, max=2.1)
    result = Fit(DATASETS).run(Models([power_law(index=index(1.5, prior=prior))]))
    assert result.status == "at_limit"
    assert parameter(result, "source.index").at_limit == "upper"


def test_two_equal_components_are_one_too_many() -> None:
    same = index(frozen=True)
    result = Fit(DATASETS).run(Models([power_law("one", index=same), power_law("two", index=same)]), minos=["*"])
    assert (result.status, result.success) == ("not_converged", False)
    assert "one.amplitude" in result.message
    assert "two.amplitude" in result.message
    assert result.covariance is None
    assert all(p.error is None and p.minos in (None, (None, None)) for p in result.parameters)


def test_a_reference_energy_is_degenerate_with_the_amplitude() -> None:
    model = power_law()
    free = model.with_parameters([*model.parameters[:2], Parameter("reference", 1.0, "TeV")])
    result = Fit(DATASETS).run(Models([free]))
    assert result.status == "not_converged"
    assert "source.reference" in result.message
    assert "source.amplitude" in result.message


def test_a_cutoff_of_a_source_that_is_not_there() -> None:
    """Without an amplitude nothing measures a shape; whatever the verdict, no number of it is an error of 0 or NaN."""
    empty = spectrum("b", 2).with_(counts=np.zeros(7), background=None)
    spectral = ExpCutoffPowerLawSpectralModel(amplitude=Parameter("amplitude", 1e-12, FLUX, min=0.0))
    result = Fit(Datasets([empty])).run(Models([SkyModel(name="ghost", spectral_model=spectral)]))
    assert result.status in ("at_limit", "not_converged")
    assert "ghost" in result.message
    for p in result.parameters:
        assert np.isfinite(p.value)
        assert p.error is None or (np.isfinite(p.error) and p.error > 0)


def test_a_parameter_that_no_dataset_depends_on() -> None:
    models = Models([power_law(), power_law("elsewhere", index=1.7, datasets_names=["not here"])])
    result = Fit(DATASETS).run(models)
    assert result.status == "converged"
    assert len(result.warnings) == 2
    assert "elsewhere.index is free, but no dataset depends on it" in result.warnings[0]
    untouched = parameter(result, "elsewhere.index")
    assert (untouched.value, untouched.error) == (1.7, None)
    assert result.n_free == 2
    assert result.statistic == Fit(DATASETS).run(Models([power_law()])).statistic


def test_nothing_is_free() -> None:
    frozen = power_law(index=index(frozen=True), amplitude=Parameter("amplitude", 1e-11, FLUX, frozen=True))
    with pytest.raises(NothingToFit, match="no parameter is free") as caught:
        Fit(DATASETS).run(Models([frozen]))
    assert caught.value.exit_code == 3


def test_no_free_parameter_does_anything() -> None:
    with pytest.raises(NothingToFit, match="no dataset depends on any free parameter"):
        Fit(DATASETS).run(Models([power_law(datasets_names=["not here"])]))


def test_no_bin_is_left() -> None:
    masked = DATASETS[0].with_(mask_fit=np.zeros(6, dtype=bool))
    with pytest.raises(DataError, match="no bin is left"):
        Fit(Datasets([masked])).run(Models([power_law()]))
    with pytest.raises(DataError, match="no bin is left"):
        Fit(Datasets()).run(Models([power_law()]))


def test_a_statistic_that_is_not_finite_names_the_dataset() -> None:
    with pytest.raises(DataError, match="datasets a, b"):
        Fit(DATASETS).run(Models([power_law(amplitude=Parameter("amplitude", 1e300, FLUX))]))


def test_a_prior_that_excludes_the_start() -> None:
    """A value outside the support of a uniform prior is moved to it, or named; not a crash."""
    prior = UniformPrior(min=1.0, max=2.1)
    models = Models([power_law(index=index(2.3, prior=prior))])
    with pytest.raises(DataError, match="prior"):
        Fit(DATASETS).run(models)


def test_minos_of_what_is_not_free_is_a_warning() -> None:
    result = Fit(DATASETS).run(Models([power_law()]), minos=["source.reference", "source.index"])
    assert result.warnings == ("source.reference is not free: no asymmetric errors",)
    assert parameter(result, "source.index").minos is not None
    assert parameter(result, "source.amplitude").minos is None


def test_a_contour_of_what_is_not_free_is_refused() -> None:
    with pytest.raises(ModelError, match=r"'source\.reference' is frozen"):
        Fit(DATASETS).run(Models([power_law()]), contours=[["source.index", "source.reference"]])


def test_ts_of_one_of_two_components() -> None:
    """The rest of the model is fitted again without it."""
    models = Models([power_law("one"), log_parabola("two", datasets_names=["b"])]).with_parameters(
        {"two.alpha": {"frozen": True}, "two.beta": {"frozen": True}}
    )
    result = Fit(DATASETS).run(models, test=["two"])
    without = Fit(DATASETS).run(Models([power_law("one")]))
    tested = {component.name: component for component in result.components}
    assert tested["two"].ts == pytest.approx(without.statistic - result.statistic, abs=1e-5)
    assert tested["one"].ts is None
    assert tested["two"].degrees_of_freedom == 1
    assert set(tested["two"].predicted) == {"b"}


def test_background_norms_are_components_too() -> None:
    models = Models([power_law(), BackgroundIRFModel(dataset_name="b")])
    result = Fit(DATASETS).run(models)
    assert result.status == "converged"
    norm = parameter(result, "b-bkg.norm")
    assert norm.error is not None
    assert abs(norm.value - 1) < 4 * norm.error
    component = result.components[1]
    assert (component.name, component.predicted) == ("b-bkg", {})


def test_gaussian_prior_on_a_norm_without_data_stays() -> None:
    """No dataset knows it, its prior does: the fit moves it there, with the prior's width as its error."""
    models = Models([power_law(), power_law("dark", index=index(2.0, prior=GaussianPrior(mu=2.5, sigma=0.3)))])
    gone = models["dark"].with_parameters(models["dark"].parameters)
    dark = SkyModel(name="dark", spectral_model=gone.spectral_model, datasets_names=["not here"])
    result = Fit(DATASETS).run(Models([power_law(), dark]))
    assert result.status == "converged"
    fitted = parameter(result, "dark.index")
    assert fitted.value == pytest.approx(2.5, abs=0.003)
    assert fitted.error == pytest.approx(0.3, rel=1e-3)
    assert result.warnings == ("dark.amplitude is free, but no dataset depends on it: left at its value",)


def test_flux_points_alone() -> None:
    result = Fit(Datasets([flux_points()])).run(Models([power_law()]))
    assert result.status == "converged"
    assert result.datasets[0].counts is None
    assert result.components[0].predicted == {}
