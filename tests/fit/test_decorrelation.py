"""The energy at which a fitted spectrum is known best."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.fit import Fit
from gm.fit.decorrelation import decorrelation_energy
from gm.models import (
    CompoundSpectralModel,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
)
from gm.models.spectrum_errors import SpectrumWithErrors
from tests.samples import on_off, power_law


def test_of_a_power_law_in_closed_form() -> None:
    """``E0 exp(cov(index, A) / (A sigma_index^2))``, models.md section 4; a grid of 400 points, to 1e-3 of a step."""
    model, a = PowerLawSpectralModel(index=2.3, amplitude="2e-12 TeV-1 s-1 cm-2", reference="1 TeV"), 2e-12
    covariance = np.zeros((3, 3))
    covariance[:2, :2] = [[0.04, 0.5 * 0.2 * 3e-13], [0.5 * 0.2 * 3e-13, 3e-13**2]]
    expected = np.exp(covariance[0, 1] / (a * covariance[0, 0]))
    found = decorrelation_energy(model, model.values(), covariance, 0.1, 100.0)
    assert found == pytest.approx(expected, rel=1e-4)


def test_where_the_best_energy_is_an_end_there_is_none() -> None:
    model = PowerLawSpectralModel(index=2.3, amplitude="2e-12 TeV-1 s-1 cm-2", reference="1 TeV")
    assert decorrelation_energy(model, model.values(), np.diag([0.04, 1e-26, 0.0]), 2.0, 100.0) is None


def test_where_only_a_norm_is_free_all_energies_are_known_alike() -> None:
    model = PowerLawSpectralModel(index=2.7, amplitude="3e-11 TeV-1 s-1 cm-2", reference="1 TeV")
    assert decorrelation_energy(model, model.values(), np.diag([0.0, 1e-24, 0.0]), 0.1, 100.0) is None
    fitted = Fit(Datasets([on_off("a", 1)])).run(Models([power_law(index=Parameter("index", 2.6, frozen=True))]))
    assert fitted.components[0].decorrelation_energy is None


def test_a_fit_at_that_energy_has_no_correlation() -> None:
    """Amplitude at the decorrelation energy and index are uncorrelated: that is what its name says."""
    datasets = Datasets([on_off("a", 1, exposure=1e13)])
    energy = Fit(datasets).run(Models([power_law()])).components[0].decorrelation_energy
    assert energy is not None
    spectral = PowerLawSpectralModel(index=2.3, amplitude="1e-11 TeV-1 s-1 cm-2", reference=f"{energy} TeV")
    result = Fit(datasets).run(Models([type(power_law())(name="source", spectral_model=spectral)]))
    assert result.covariance is not None
    matrix = result.covariance[1]
    assert abs(matrix[0, 1]) < 1e-3 * np.sqrt(matrix[0, 0] * matrix[1, 1])


def test_a_flux_whose_square_is_no_number_any_more() -> None:
    model = PowerLawSpectralModel(index=2.0, amplitude="1e-200 cm-2 s-1 TeV-1")
    values = np.array([p.value for p in model.parameters])
    assert decorrelation_energy(model, values, np.diag([0.01, 1e-20, 0.0]), 1.0, 10.0) is None


@pytest.mark.parametrize(("amplitude", "norm"), [(3e-12, 1.0), (4.5e-12, 1.1), (1e-12, 5.0), (2e-11, 0.25)])
def test_what_the_data_do_not_tell_has_no_best_energy(amplitude: float, norm: float) -> None:
    """Two factors of one spectrum, of which the product is known: neither has an error, though a slope that is left
    where the fit ends bends the statistic along both; no error of a flux, no energy of a smallest one."""
    one = PowerLawSpectralModel(index=2.0, amplitude=f"{amplitude} cm-2 s-1 TeV-1")
    twice = CompoundSpectralModel(one, PowerLawNormSpectralModel(norm=norm), "mul")
    result = Fit(Datasets([on_off("a", 1)])).run(Models([SkyModel(name="source", spectral_model=twice)]))
    assert result.status == "not_converged"
    free = [parameter for parameter in result.parameters if not parameter.frozen]
    assert [parameter.error for parameter in free] == [None] * 3
    assert all("does not change along" in parameter.error_reason for parameter in free)
    assert result.components[0].decorrelation_energy is None
    [spectrum] = SpectrumWithErrors.all_of(result.models)
    assert spectrum.flux(1.0, 10.0)[1] is None
