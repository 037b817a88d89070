"""A fit that is in memory draws itself."""

from __future__ import annotations

import numpy as np
import pytest

from gm import FitResult, FluxPointsEstimator
from gm.datasets import Datasets
from gm.errors import UsageError
from gm.fit import Fit
from gm.models import Models
from gm.models.spectrum_errors import SpectrumWithErrors
from tests.samples import on_off, power_law

pytest.importorskip("matplotlib").use("Agg")

DATASETS = Datasets([on_off("a", 1, exposure=1e12), on_off("b", 2, exposure=1e12)])


@pytest.fixture(scope="module")
def result() -> FitResult:
    index, amplitude = "source.index", "source.amplitude"
    return Fit(DATASETS).run(Models([power_law()]), contours=[(amplitude, index)], by_energy=True)


def test_spectra_stand_beside_points(result: FitResult) -> None:
    """Between the energies that were fitted, with the errors of the covariance; points in the same units."""
    points = FluxPointsEstimator(source="source", energy_edges=["1 TeV", "3 TeV", "10 TeV"]).run(
        DATASETS, result.models
    )
    axes = result.plot_sed(points, flux="TeV cm-2 s-1", energy=("1 TeV", "10 TeV"))
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["source", "source-sed"]
    energy, value = axes.get_lines()[0].get_data()
    assert (energy[0], energy[-1]) == pytest.approx((1.0, 10.0))
    [spectrum] = SpectrumWithErrors.all_of(result.models)
    np.testing.assert_allclose(value, energy**2 * spectrum.dnde(energy)[0], rtol=1e-12)
    low, high = result.plot("sed").get_lines()[0].get_data()[0][[0, -1]]
    fitted = result.by_energy
    assert fitted is not None
    assert (low, high) == pytest.approx((fitted.e_min.min(), fitted.e_max.max()))


def test_other_figures(result: FitResult) -> None:
    assert "source.index" in {text.get_text() for text in result.plot("correlation").get_xticklabels()}
    assert "source.index" in result.plot("contours").get_ylabel() + result.plot("contours").get_xlabel()


def test_what_cannot_be_drawn(result: FitResult) -> None:
    without = FitResult.from_dict(result.to_dict(), result.models)
    with pytest.raises(UsageError, match="between which energies"):
        without.plot_sed()
    with pytest.raises(UsageError, match="two energies that increase"):
        result.plot_sed(energy=("10 TeV", "1 TeV"))
    with pytest.raises(UsageError, match="no figure 'profiles'"):
        result.plot("profiles")
    with pytest.raises(UsageError, match="nothing to draw an SED of"):
        result.plot_sed(components=["other"])
