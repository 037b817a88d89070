"""Every spectral model: values against Gammapy, gradients against differences, integrals against slow ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad

from gm.arrays import Array
from gm.conventions import Conventions
from gm.errors import JsonPath
from gm.models import (
    BrokenPowerLawSpectralModel,
    CompoundSpectralModel,
    EnergyBins,
    ExpCutoffPowerLawSpectralModel,
    LogParabolaSpectralModel,
    ModelError,
    PiecewiseNormSpectralModel,
    PowerLaw2SpectralModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SmoothBrokenPowerLawSpectralModel,
    SpectralModel,
    SuperExpCutoffPowerLaw4FGLDR3SpectralModel,
    SuperExpCutoffPowerLaw4FGLSpectralModel,
    TemplateSpectralModel,
)
from gm.models.documents.block_reading import BlockReader
from gm.units import UnitError

# Gammapy 2.1's numbers, written by benchmarks/make_golden_spectra.py.
GOLDEN: dict[str, Any] = json.loads((Path(__file__).parent / "golden_spectra.json").read_text(encoding="utf-8"))
CASES: dict[str, Any] = GOLDEN["cases"]
ENERGY: Array = np.array(GOLDEN["energy"])
BINS = EnergyBins(np.array(GOLDEN["edges"]))
PORT = 1e-10


def build(name: str) -> SpectralModel:
    def refuse(path: JsonPath, message: str, hint: str) -> None:
        pytest.fail(f"{path}: {message} {hint}")

    model = BlockReader(refuse, Path(), []).read_block("spectral", CASES[name]["model"], (), "x")
    assert isinstance(model, SpectralModel)
    return model


def differences(function: Any, values: Array, relative_step: float = 1e-5) -> Array:
    """Central differences by every parameter, (n_par, ...)."""
    rows = []
    for k, value in enumerate(values):
        step = relative_step * (abs(value) or 1.0)
        up, down = values.copy(), values.copy()
        up[k], down[k] = value + step, value - step
        rows.append((function(up) - function(down)) / (up[k] - down[k]))
    return np.array(rows)


@pytest.mark.parametrize("name", CASES)
def test_values_are_those_of_gammapy(name: str) -> None:
    model = build(name)
    expected = np.array(CASES[name]["evaluate"])
    # Far in a tail gm stops at 1e-261 of the amplitude instead of 0.
    np.testing.assert_allclose(model.evaluate(ENERGY, model.values()), expected, rtol=PORT, atol=1e-200)


@pytest.mark.parametrize("name", CASES)
def test_integrals_are_those_of_gammapy(name: str) -> None:
    model = build(name)
    values = model.values()
    np.testing.assert_allclose(model.band_integrals(BINS, values), CASES[name]["integral"], rtol=PORT)
    np.testing.assert_allclose(model.band_energy_integrals(BINS, values), CASES[name]["energy_integral"], rtol=PORT)


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_that_of_differences(name: str) -> None:
    model = build(name)
    values = model.values()
    gradient = model.gradient(ENERGY, values)
    expected = differences(lambda v: model.evaluate(ENERGY, v), values).reshape(gradient.shape)
    scale = np.abs(model.evaluate(ENERGY, values)) / np.maximum(np.abs(values), 1e-3)[:, None]
    # Differences are good to about the square of the step, 1e-10 of the function's own scale; a break costs more.
    np.testing.assert_allclose(gradient, expected, rtol=1e-6, atol=1e-7 * float(scale.max(initial=0.0)))
    f, again = model.evaluate_with_gradient(ENERGY, values)
    np.testing.assert_allclose(f, model.evaluate(ENERGY, values), rtol=1e-14)
    np.testing.assert_array_equal(again, gradient)


@pytest.mark.parametrize("name", CASES)
def test_each_gradient_row_alone_is_right(name: str) -> None:
    model = build(name)
    values = model.values()
    gradient = model.gradient(ENERGY, values)
    expected = differences(lambda v: model.evaluate(ENERGY, v), values).reshape(gradient.shape)
    for k, path in enumerate(model.paths):
        largest = np.abs(expected[k]).max()
        assert largest > 0, path
        np.testing.assert_allclose(gradient[k], expected[k], rtol=1e-5, atol=1e-8 * largest, err_msg=path)


@pytest.mark.parametrize("name", CASES)
def test_integral_gradient_is_that_of_differences(name: str) -> None:
    model = build(name)
    values = model.values()
    integral, gradient = model.integral_gradient(BINS, values)
    expected = differences(lambda v: model.band_integrals(BINS, v), values).reshape(gradient.shape)
    np.testing.assert_allclose(integral, model.band_integrals(BINS, values), rtol=1e-13)
    for k, path in enumerate(model.paths):
        largest = np.abs(expected[k]).max()
        np.testing.assert_allclose(gradient[k], expected[k], rtol=1e-5, atol=1e-7 * largest, err_msg=path)


def slow_loglog_integral(model: SpectralModel, lo: float, hi: float, n_nodes: int) -> float:
    """The rule of formats/models.md section 3, letter by letter."""
    x = np.geomspace(lo, hi, n_nodes)
    y = model.evaluate(x, model.values())
    total = 0.0
    for x0, x1, y0, y1 in zip(x[:-1], x[1:], y[:-1], y[1:], strict=True):
        if y0 == 0 or y1 == 0:
            continue
        index = -np.log(y0 / y1) / np.log(x0 / x1)
        if abs(1 - index) <= 1e-8:
            total += y0 * x0 * np.log(x1 / x0)
        else:
            total += y0 * x0 / (1 - index) * ((x1 / x0) ** (1 - index) - 1)
    return total


@pytest.mark.parametrize("name", [name for name in CASES if name != "gauss"])
def test_integrals_follow_the_rule(name: str) -> None:
    model = build(name)
    n_nodes = int(max(np.max(100 * np.log10(BINS.hi / BINS.lo)), 2))
    expected = [slow_loglog_integral(model, lo, hi, n_nodes) for lo, hi in zip(BINS.lo, BINS.hi, strict=True)]
    np.testing.assert_allclose(model.band_integrals(BINS, model.values()), expected, rtol=1e-11)


@pytest.mark.parametrize("name", CASES)
def test_integrals_are_those_of_a_dense_sum(name: str) -> None:
    model = build(name)
    x = np.geomspace(BINS.lo, BINS.hi, 2001)
    f = model.evaluate(x, model.values())
    expected = ((f[1:] + f[:-1]) / 2 * np.diff(x, axis=0)).sum(axis=0)
    # The rule's own error, where the spectrum bends inside a hundredth of a decade; a line's tail is erf - erf.
    np.testing.assert_allclose(model.band_integrals(BINS, model.values()), expected, rtol=1e-3, atol=1e-27)


@pytest.mark.parametrize("name", CASES)
def test_axes_together_are_axes_alone(name: str) -> None:
    model = build(name)
    axes = [np.geomspace(0.1, 50.0, 23), np.geomspace(1.0, 30.0, 7), np.array([0.5, 5.0])]
    together = EnergyBins(*axes)
    integral, gradient = model.integral_gradient(together, model.values())
    for axis, part, rows in zip(axes, together.split(integral), together.split(gradient), strict=True):
        alone, alone_gradient = model.integral_gradient(EnergyBins(axis), model.values())
        np.testing.assert_allclose(part, alone, rtol=1e-13)
        np.testing.assert_allclose(rows, alone_gradient, rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_far_values_stay_finite(name: str) -> None:
    model = build(name)
    bins = EnergyBins(np.geomspace(1e-4, 1e3, 50))
    for scale in (0.0, 1e-3, 30.0):
        values = model.values()
        shapes = [k for k, parameter in enumerate(model.parameters) if not parameter.unit]
        values[shapes] *= scale
        if scale == 0.0 and "sbpl" in name:
            values[model.paths.index("beta")] = 0.6
        if scale == 0.0 and name == "secpl-4fgl":
            values[model.paths.index("index_2")] = 1.0
        f = model.evaluate(ENERGY, values)
        integral, gradient = model.integral_gradient(bins, values)
        assert np.isfinite(f).all()
        assert np.isfinite(model.gradient(ENERGY, values)).all()
        assert np.isfinite(integral).all()
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("model", [
    PowerLawSpectralModel(index=1e5), PowerLawNormSpectralModel(tilt=1e5),
    PowerLaw2SpectralModel(index=1e5, emin="1 TeV"),
    BrokenPowerLawSpectralModel(index2=1e5), SmoothBrokenPowerLawSpectralModel(index2=1e5, beta=1e-3),
    LogParabolaSpectralModel(alpha=1e5, reference="1 TeV"), ExpCutoffPowerLawSpectralModel(lambda_="1e5 TeV-1"),
    SuperExpCutoffPowerLaw4FGLSpectralModel(index_1=1e5),
], ids=lambda model: model.tags[-1])  # fmt: skip
def test_what_is_kept_within_limits_does_not_change(model: SpectralModel) -> None:
    """Beyond 1e-261 a spectrum stays where it is, and so says its gradient: otherwise fits run after it for ever."""
    bins, values = EnergyBins(np.geomspace(1.0, 100.0, 7)), model.values()
    steep = next(k for k, value in enumerate(values.tolist()) if abs(value) >= 1e5)
    integral, gradient = model.integral_gradient(bins, values)
    changed = values.copy()
    changed[steep] *= 2
    assert_allclose = np.testing.assert_allclose
    assert_allclose(model.band_integrals(bins, changed), integral, rtol=1e-5)
    assert_allclose(gradient[steep] * values[steep], 0.0, atol=1e-5 * integral.max())


@given(st.floats(1e-6, 1e6), st.sampled_from([name for name in CASES if build(name).amplitude_position() is not None]))
def test_the_amplitude_is_linear(factor: float, name: str) -> None:
    model = build(name)
    values = model.values()
    once = model.band_integrals(BINS, values)
    values[model.amplitude_position()] *= factor
    np.testing.assert_allclose(model.band_integrals(BINS, values), factor * once, rtol=1e-11)


@pytest.mark.parametrize("name", [name for name in CASES if build(name).amplitude_position() is not None])
def test_the_gradient_by_an_amplitude_of_zero_is_the_shape(name: str) -> None:
    model = build(name)
    values, amplitude = model.values(), model.amplitude_position()
    assert amplitude is not None
    values[amplitude] = 1.0
    shape = model.band_integrals(BINS, values)
    values[amplitude] = 0.0
    integral, gradient = model.integral_gradient(BINS, values)
    np.testing.assert_array_equal(integral, 0.0)
    np.testing.assert_allclose(gradient[amplitude], shape, rtol=1e-12)


def test_power_law_by_its_integral_has_no_pole_at_index_1() -> None:
    model = PowerLaw2SpectralModel(index=1.0, amplitude="2 s-1 cm-2", emin="1 TeV", emax="100 TeV")
    values = model.values()
    np.testing.assert_allclose(model.band_integrals(EnergyBins(np.array([1.0, 100.0])), values), 2.0, rtol=1e-13)
    np.testing.assert_allclose(model.evaluate(ENERGY, values), 2 / np.log(100) / ENERGY, rtol=1e-13)
    expected = differences(lambda v: model.evaluate(ENERGY, v), values)
    np.testing.assert_allclose(model.gradient(ENERGY, values), expected, rtol=1e-8)


def test_smooth_break_between_equal_indices_is_a_power_law() -> None:
    # Gammapy 2.1: (1 + x^nan)^-0 is 1.
    model = SmoothBrokenPowerLawSpectralModel(index1=2.2, index2=2.2, amplitude=1.0)
    np.testing.assert_allclose(model.evaluate(ENERGY, model.values()), ENERGY**-2.2, rtol=1e-13)
    assert np.isfinite(model.gradient(ENERGY, model.values())).all()


def test_dr3_series_meets_the_closed_form() -> None:
    model = SuperExpCutoffPowerLaw4FGLDR3SpectralModel(amplitude=1.0, expfactor=0.4, index_1=1.9, index_2=0.5)
    x = np.exp(np.array([-0.0201, -0.0199, 0.0199, 0.0201]))  # |b ln x| crosses 0.01
    b, d = 0.5, 0.4
    expected = x**-1.9 * x ** (d / b) * np.exp(d / b**2 * (1 - x**b))
    # The series is cut after w^2: w^3/120 of d L^2 is 1e-12.
    np.testing.assert_allclose(model.evaluate(x, model.values()), expected, rtol=1e-11)


def test_table_is_continued_in_log_log() -> None:
    # formats/models.md section 8
    table = {"data": [1e-12, 1e-14], "unit": "TeV-1 s-1 cm-2"}
    model = TemplateSpectralModel(energy={"data": [1.0, 10.0], "unit": "TeV"}, values=table)
    np.testing.assert_allclose(model.evaluate(np.array([0.1, 100.0]), model.values()), [1e-10, 1e-16], rtol=1e-12)


def test_table_with_one_node_is_constant_and_zeros_are_zero() -> None:
    one = TemplateSpectralModel(energy=[1.0], values=[2e-12])
    np.testing.assert_allclose(one(np.array([0.1, 10.0])), 2e-12, rtol=1e-14)
    assert TemplateSpectralModel(energy=[1.0, 10.0], values=[1e-12, 0.0])(np.array([10.0, 20.0])).tolist() == [0.0, 0.0]


def test_piecewise_norm_between_nodes() -> None:
    # formats/models.md section 8
    model = PiecewiseNormSpectralModel(energy={"data": [1.0, 10.0], "unit": "TeV"}, norms=[1.0, 2.0])
    np.testing.assert_allclose(model(np.array([3.0, 0.1, 100.0])), [1.39196338, 1.0, 2.0], rtol=1e-8)


def test_parameters_come_as_numbers_strings_and_quantities() -> None:
    import astropy.units as u

    model = PowerLawSpectralModel(index=2.5, amplitude="3e-8 m-2 s-1 TeV-1", reference=500 * u.GeV)
    np.testing.assert_allclose(model.values(), [2.5, 3e-12, 0.5], rtol=1e-14)
    assert model.index.value == 2.5
    assert model.reference.unit == "GeV"
    np.testing.assert_allclose(model([500] * u.GeV), 3e-12, rtol=1e-14)


def test_what_cannot_be_a_model_says_why() -> None:
    with pytest.raises(ModelError, match=r"'indx' is not a parameter of PowerLawSpectralModel.*did you mean 'index'"):
        PowerLawSpectralModel(indx=2)
    with pytest.raises(UnitError, match="'TeV' is not a differential flux"):
        PowerLawSpectralModel(amplitude="1 TeV")
    with pytest.raises(UnitError, match="'s' does not convert to 'TeV'"):
        PowerLawSpectralModel(reference="1 s")
    with pytest.raises(UnitError, match="'TeV' should be empty"):
        PowerLawSpectralModel(index="2 TeV")
    with pytest.raises(ModelError, match="'pow' is not an operator"):
        CompoundSpectralModel(PowerLawSpectralModel(), PowerLawNormSpectralModel(), "pow")
    with pytest.raises(UnitError, match="product of two fluxes"):
        CompoundSpectralModel(PowerLawSpectralModel(), LogParabolaSpectralModel(), "mul").result_unit()
    with pytest.raises(ModelError, match="increase"):
        TemplateSpectralModel(energy=[2.0, 1.0], values=[1.0, 1.0])
    with pytest.raises(ModelError, match="2 energies and 1 values"):
        TemplateSpectralModel(energy=[1.0, 2.0], values=[1.0])


def test_ratio_of_two_spectra() -> None:
    """``f1 / f2`` with its derivatives, against differences of 1e-6: 1e-8; the units of what can be divided."""
    model = CompoundSpectralModel(
        LogParabolaSpectralModel(alpha=2.1, beta=0.2), PowerLawNormSpectralModel(norm=3, tilt=0.4), "truediv"
    )
    energy, values = np.geomspace(0.1, 30.0, 7), model.values()
    n = len(model.model1.parameters)
    f1, f2 = model.model1.evaluate(energy, values[:n]), model.model2.evaluate(energy, values[n:])
    np.testing.assert_allclose(model.evaluate(energy, values), f1 / f2, rtol=1e-14)
    ratio, gradient = model.evaluate_with_gradient(energy, values)
    np.testing.assert_allclose(ratio, f1 / f2, rtol=1e-14)
    for k, value in enumerate(values):
        step = np.eye(len(values))[k] * 1e-6 * abs(value)
        slope = (model.evaluate(energy, values + step) - model.evaluate(energy, values - step)) / (2 * step[k])
        np.testing.assert_allclose(gradient[k], slope, rtol=1e-7, atol=1e-8 * np.abs(slope).max())
    assert model.result_unit() == PowerLawSpectralModel().result_unit()
    assert model.paths[model.amplitude_position() or 0] == "model1.amplitude"
    with pytest.raises(UnitError, match="over a flux"):
        CompoundSpectralModel(PowerLawNormSpectralModel(), PowerLawSpectralModel(), "truediv").result_unit()


def test_compound_has_the_parameters_of_both() -> None:
    model = CompoundSpectralModel(PowerLawSpectralModel(index=2.2), PowerLawNormSpectralModel(norm=3), "mul")
    assert model.paths[:2] == ("model1.index", "model1.amplitude")
    changed = model.with_parameters([model.parameters[0].given(2.9), *model.parameters[1:]])
    assert changed.model1.parameters[0].value == 2.9
    assert model.model1.parameters[0].value == 2.2


@pytest.mark.parametrize("name", ["pl", "pl-norm", "lp", "lp-norm"])
@pytest.mark.parametrize("convention", Conventions)
@given(scales=st.tuples(*[st.floats(0.1, 3.0)] * 4), sign=st.sampled_from([-1.0, 0.0, 1.0]))
def test_short_cuts_to_integrals_are_the_rule(
    name: str, convention: Conventions, scales: tuple[float, ...], sign: float
) -> None:
    """Against the rule on the values and on all derivatives at its nodes."""
    model, bins = build(name), EnergyBins(np.geomspace(0.1, 50.0, 23), np.array([0.5, 5.0]), conventions=convention)
    values = model.values() * np.array(scales)[: len(model.parameters)]
    amplitude = model.amplitude_position()
    assert amplitude is not None
    values[amplitude] *= sign
    integral, gradient = model.integral_gradient(bins, values)
    expected, slow = SpectralModel.integral_gradient(model, bins, values)
    np.testing.assert_allclose(integral, expected, rtol=1e-12)
    np.testing.assert_allclose(gradient, slow, rtol=1e-9, atol=1e-12 * np.abs(slow).max())
    np.testing.assert_allclose(
        model.band_integrals(bins, values), SpectralModel.band_integrals(model, bins, values), rtol=1e-12
    )


@pytest.mark.parametrize("bounds", [("1 TeV", "10 TeV"), (1.0, 1e4 * u.GeV), (1 * u.TeV, "1e13 eV")])
def test_integrals_between_energies_as_people_write_them(bounds: tuple[object, object]) -> None:
    model = PowerLawSpectralModel(index=2, amplitude="1e-12 cm-2 s-1 TeV-1")
    assert model.integral(*bounds) == pytest.approx(0.9e-12, rel=1e-14)
    assert model.energy_flux(*bounds) == pytest.approx(np.log(10) * 1e-12 * 1.602176634, rel=1e-14)


def test_integrals_have_the_shape_of_the_energies() -> None:
    model = LogParabolaSpectralModel()
    edges = np.geomspace(0.1, 50, 5)
    parts = model.integral(edges[:-1], edges[1:])
    assert parts.shape == (4,)
    assert parts.sum() == pytest.approx(quad(lambda x: float(model(np.exp(x))) * np.exp(x), *np.log([0.1, 50]))[0])
    assert model.integral(edges[:-1, None], 50.0)[0, 0] == pytest.approx(parts.sum(), rel=1e-8)


@pytest.mark.parametrize("bounds", [(0, 1), ("2 TeV", "1 TeV"), (1, np.inf), (np.nan, 1), ("1 m", "2 m")])
def test_no_range_of_energies(bounds: tuple[object, object]) -> None:
    with pytest.raises(UnitError, match=r"is no range of energies above zero|does not convert|not finite"):
        PowerLawSpectralModel().integral(*bounds)


def test_models_are_alike_where_they_are_one_function_of_their_values() -> None:
    """With other values, but not with another formula, operator or table."""
    law, table = PowerLawSpectralModel(index=2.0), TemplateSpectralModel(energy=[1.0, 10.0], values=[2e-12, 1e-13])
    other = TemplateSpectralModel(energy=[1.0, 10.0], values=[2e-12, 2e-13])
    assert law.is_like(PowerLawSpectralModel(index=3.0))
    assert not law.is_like(LogParabolaSpectralModel())
    assert table.is_like(table.with_parameters([replace(p, value=2.0 * p.value) for p in table.parameters]))
    assert not table.is_like(other)
    norm = PowerLawNormSpectralModel()
    product = CompoundSpectralModel(table, norm, "mul")
    assert product.is_like(product.with_parameters([replace(p, value=2.0 * p.value) for p in product.parameters]))
    assert not product.is_like(CompoundSpectralModel(other, norm, "mul"))
    assert not product.is_like(CompoundSpectralModel(table, norm, "add"))
