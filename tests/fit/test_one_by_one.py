"""Cut-offs that a fit sends beyond all data on its way, beside a spectrum that is not the right one yet."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.fit import Fit
from gm.likelihood import JointLikelihood
from gm.models import (
    ExpCutoffPowerLaw3FGLSpectralModel,
    ExpCutoffPowerLawSpectralModel,
    Models,
    Parameter,
    SkyModel,
    SpectralModel,
    SuperExpCutoffPowerLaw3FGLSpectralModel,
    SuperExpCutoffPowerLaw4FGLSpectralModel,
)
from tests.samples import read_reference, spectrum


def models(spectral: SpectralModel) -> Models:
    return Models([SkyModel(name="source", spectral_model=spectral)])


def exponential(index: float, amplitude: float, lambda_: float, alpha: float) -> SpectralModel:
    return ExpCutoffPowerLawSpectralModel(
        index=index,
        amplitude=f"{amplitude} cm-2 s-1 TeV-1",
        lambda_=Parameter("lambda_", lambda_, "TeV-1"),
        alpha=Parameter("alpha", alpha),
    )


def of_3fgl(index: float, amplitude: float, ecut: float) -> SpectralModel:
    return ExpCutoffPowerLaw3FGLSpectralModel(index=index, amplitude=f"{amplitude} cm-2 s-1 TeV-1", ecut=f"{ecut} TeV")


def super_3fgl(amplitude: float, ecut: float, index_1: float, index_2: float) -> SpectralModel:
    return SuperExpCutoffPowerLaw3FGLSpectralModel(
        amplitude=f"{amplitude} cm-2 s-1 TeV-1", ecut=f"{ecut} TeV", index_1=index_1, index_2=index_2
    )


def of_4fgl(amplitude: float, expfactor: float, index_1: float, index_2: float) -> SpectralModel:
    return SuperExpCutoffPowerLaw4FGLSpectralModel(
        amplitude=f"{amplitude} cm-2 s-1 TeV-1", expfactor=expfactor, index_1=index_1, index_2=index_2
    )


@pytest.fixture(scope="module")
def data() -> tuple[Datasets, float]:
    """Expected counts of an index of 2.1 and a cut-off at 8 TeV, and the least -2 ln L that there is: that of these."""
    bare = spectrum("run", 3, n_energy=20, n_true=30, exposure=2e12)
    truth = JointLikelihood(Datasets([bare]), models(exponential(2.1, 4e-11, 0.125, 1.0)))
    [expected] = truth.predicted(truth.layout.start)
    return Datasets([bare.with_(counts=expected)]), 2.0 * float(np.sum(expected - expected * np.log(expected)))


@pytest.mark.parametrize(
    "start",
    [
        exponential(3.32, 1.71e-10, 0.0377, 1.07),
        exponential(3.3, 1.07e-11, 0.034, 0.972),
        exponential(0.551, 5.41e-10, 0.000269, 2.19),
        of_3fgl(0.875, 5.87e-11, 34.8),
        of_3fgl(3.97, 7.85e-11, 172.0),
        of_3fgl(2.34, 1.08e-12, 9.27),
        of_3fgl(0.503, 4.79e-12, 33.6),
        super_3fgl(1.03e-13, 2.46, 1.7, 2.36),
        super_3fgl(4.64e-12, 22.9, 3.25, 2.38),
        of_4fgl(5.73e-11, 1.76e-12, 0.73, 0.75),
        of_4fgl(1.25e-12, 2.48e-10, 3.73, 0.762),
        of_4fgl(1e-13, 3.5e-14, 1.25, 1.04),
    ],
)
def test_a_cut_off_that_is_not_seen_yet(data: tuple[Datasets, float], start: SpectralModel) -> None:
    """Whatever the form, the minimum is where all are the same spectrum; they ended without a cut-off, at 1e64 TeV."""
    datasets, least = data
    result = Fit(datasets).run(models(start))
    assert result.status == "converged"
    assert result.statistic == pytest.approx(least, abs=1e-3)


def test_a_cut_off_at_infinity_is_no_minimum() -> None:
    """Of a power law: at 1e64 TeV it is as little one as at 1e4 TeV, from where nearer ones make a difference."""
    bare = spectrum("run", 3, n_energy=20, n_true=30, exposure=2e12)
    truth = JointLikelihood(Datasets([bare]), models(exponential(2.1, 4e-11, 1e-9, 1.0)))
    [expected] = truth.predicted(truth.layout.start)
    datasets = Datasets([bare.with_(counts=expected)])
    for start in (of_3fgl(1.42, 1.56e-12, 181.0), of_3fgl(3.94, 6.07e-12, 1.88), of_3fgl(2.46, 7.15e-11, 0.589)):
        result = Fit(datasets).run(models(start))
        assert result.status == "not_converged"
        assert "source.ecut" in result.message


@pytest.mark.parametrize(("expfactor", "index_2", "is_told"), [(1e-9, 1.0, True), (1e-14, 2.0, False)])
def test_the_crab_in_the_form_of_the_4fgl(shared: Path, expfactor: float, index_2: float, is_told: bool) -> None:
    """The minimum of the equal form ``exponential``; a fit that finds it, with errors beyond the values, stays."""
    datasets = read_reference(shared, "hess-crab-1d")
    equal = Fit(datasets).run(models(exponential(2.4, 4e-11, 0.1, 1.5)))
    found = Fit(datasets).run(models(of_4fgl(4e-11, expfactor, 2.0, index_2)))
    assert (found.status, equal.status) == ("converged", "converged")
    assert found.statistic == pytest.approx(equal.statistic, abs=2e-3)
    assert any("held at the start" in text for text in found.warnings) == is_told
