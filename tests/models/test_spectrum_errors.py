"""Spectra with errors: against differences, and against the errors of parameters that are fluxes themselves."""

from __future__ import annotations

import numpy as np
import pytest

from gm.arrays import Array
from gm.models import (
    ConstantSpectralModel,
    ExpCutoffPowerLawSpectralModel,
    LogParabolaSpectralModel,
    ModelError,
    Models,
    Parameter,
    PowerLaw2SpectralModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    SpectralModel,
)
from gm.models.spectrum_errors import SpectrumWithErrors
from gm.units import TEV_IN_ERG

SPECTRA = [PowerLawSpectralModel(index=2.4), LogParabolaSpectralModel(alpha=2.3), ExpCutoffPowerLawSpectralModel()]
ENERGY = np.geomspace(0.1, 50.0, 7)


def with_covariance(spectral: SpectralModel) -> Models:
    """Errors of five per cent, correlated, in the parameters' own units, after those of another component."""
    other = SkyModel(name="other", spectral_model=ConstantSpectralModel())
    models = Models([other, SkyModel(name="source", spectral_model=spectral)])
    sigma = np.array([0.0 if p.frozen else 0.05 * abs(p.value) for p in models.parameters])
    return models.with_covariance(np.outer(sigma, sigma) * (0.4 + 0.6 * np.eye(sigma.size)))


def quantities(models: Models) -> Array:
    _, found = SpectrumWithErrors.all_of(models)
    return np.array([*found.dnde(ENERGY)[0], found.flux(1, 10)[0], found.energy_flux(1, 10)[0]])


@pytest.mark.parametrize("spectral", SPECTRA, ids=lambda model: type(model).__name__)
def test_errors_are_those_of_differences(spectral: SpectralModel) -> None:
    models = with_covariance(spectral)
    _, found = SpectrumWithErrors.all_of(models)
    values, gradient = np.array([p.value for p in models.parameters]), []
    for k, value in enumerate(values):
        step = np.where(np.arange(values.size) == k, 1e-5 * (abs(value) or 1.0), 0.0)
        rise = quantities(models.with_values(values + step)) - quantities(models.with_values(values - step))
        gradient.append(rise / (2 * step[k]))
    expected = np.sqrt(np.einsum("ie,ij,je->e", gradient, models.covariance, gradient))
    errors = np.array([*found.dnde(ENERGY)[1], found.flux(1, 10)[1], found.energy_flux(1, 10)[1]])
    np.testing.assert_allclose(errors, expected, rtol=1e-6)


def test_a_flux_that_is_a_parameter() -> None:
    """Of a power law by its integral: its amplitude, the range and the error of it come back."""
    spectral = PowerLaw2SpectralModel(emin="1 TeV", emax="10 TeV")
    (*_, found) = SpectrumWithErrors.all_of(with_covariance(spectral))
    flux, error = found.flux(1.0, 10.0)
    assert flux == pytest.approx(spectral.parameters[0].value, rel=1e-12)
    assert error == pytest.approx(0.05 * flux, rel=1e-10)


def test_energy_flux_of_a_power_law() -> None:
    """In closed form, in erg."""
    model = SkyModel(name="source", spectral_model=PowerLawSpectralModel(index=2.0))
    found = SpectrumWithErrors(model, None)
    amplitude = model.parameters[1].value
    value, error = found.energy_flux(1.0, 10.0)
    assert value == pytest.approx(amplitude * np.log(10) * TEV_IN_ERG, rel=1e-12)
    assert error is None


def test_factors_are_no_spectra() -> None:
    model = SkyModel(name="factor", spectral_model=PowerLawNormSpectralModel())
    with pytest.raises(ModelError, match="'factor': its spectrum is a factor"):
        SpectrumWithErrors(model, None)
    assert not list(SpectrumWithErrors.all_of(Models([model])))


def test_what_has_no_error_is_not_known_to_nothing() -> None:
    """A free parameter without an error leaves fluxes without one, and so does a spectrum in which nothing varies."""
    free = with_covariance(PowerLawSpectralModel(index=2.4))
    assert free.covariance is not None
    unknown = np.array(free.covariance)
    unknown[-2], unknown[:, -2] = 0.0, 0.0  # the amplitude's
    _, found = SpectrumWithErrors.all_of(free.with_covariance(unknown))
    assert (found.dnde(ENERGY)[1], found.flux(1, 10)[1], found.energy_flux(1, 10)[1]) == (None, None, None)
    _, frozen = SpectrumWithErrors.all_of(
        with_covariance(
            PowerLawSpectralModel(
                index=Parameter("index", 2.4, frozen=True),
                amplitude=Parameter("amplitude", 1e-12, "cm-2 s-1 TeV-1", frozen=True),
            )
        )
    )
    assert (frozen.dnde(ENERGY)[1], frozen.flux(1, 10)[1]) == (None, None)


def test_what_a_limit_holds_is_held() -> None:
    """An index at its limit leaves the error of the amplitude; an amplitude that is held at 0 leaves none."""
    index = Parameter("index", 2.4, min=2.4, max=3.0)
    models = Models([SkyModel(name="source", spectral_model=PowerLawSpectralModel(index=index))])
    sigma = np.array([0.0, 0.05 * models.parameters["source.amplitude"].value, 0.0])
    [found] = SpectrumWithErrors.all_of(models.with_covariance(np.diag(sigma**2)))
    flux, error = found.flux(1.0, 10.0)
    assert error == pytest.approx(0.05 * flux, rel=1e-12)
    held = Parameter("amplitude", 0.0, "cm-2 s-1 TeV-1", min=0.0)
    models = Models([SkyModel(name="source", spectral_model=PowerLawSpectralModel(amplitude=held))])
    [found] = SpectrumWithErrors.all_of(models.with_covariance(np.diag([0.04, 0.0, 0.0])))
    assert found.flux(1.0, 10.0) == (0.0, None)
