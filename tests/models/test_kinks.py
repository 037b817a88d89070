"""Integrals of spectra with kinks and steps inside of bins, under ``exact`` conventions."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gm.arrays import Array
from gm.conventions import Conventions
from gm.models import (
    BrokenPowerLawSpectralModel,
    CompoundSpectralModel,
    EBLAbsorptionNormSpectralModel,
    PiecewiseNormSpectralModel,
    PowerLawSpectralModel,
    SpectralModel,
    TemplateSpectralModel,
)
from gm.models.spectral.integration import EnergyBins

COARSE, DENSE = np.geomspace(0.01, 30.0, 40), np.geomspace(0.01, 30.0, 400)


def absorbed(table: Array) -> SpectralModel:
    """With transmissions at the energies of a table, up to an optical depth of 14 at 3 TeV."""
    optical_depth = np.array([[1.0], [6.0]]) * table**0.8
    transmission = EBLAbsorptionNormSpectralModel(
        redshift=0.5,
        param={"data": [0.1, 0.5], "unit": ""},
        energy={"data": table.tolist(), "unit": "TeV"},
        values={"data": np.exp(-optical_depth).tolist(), "unit": ""},
    )
    return CompoundSpectralModel(PowerLawSpectralModel(index=2.0), transmission, "mul")


STEP = {"data": [0.1, 1.0, 1.0001, 10.0], "unit": "TeV"}
KINKED: dict[str, tuple[SpectralModel, Array]] = {
    "absorption": (absorbed(COARSE), COARSE),
    "absorption, a dense table": (absorbed(DENSE), DENSE),
    "a break": (BrokenPowerLawSpectralModel(index1=1.0, index2=4.0, ebreak="1.1 TeV"), np.array([1.1])),
    "a step": (
        TemplateSpectralModel(energy=STEP, values={"data": [1.0, 1.0, 1e-6, 1e-6], "unit": "cm-2 s-1 TeV-1"}),
        np.array(STEP["data"]),
    ),
    "norms at nodes": (
        CompoundSpectralModel(
            PowerLawSpectralModel(),
            PiecewiseNormSpectralModel(energy={"data": [0.2, 1.3, 2.0], "unit": "TeV"}, norms=[1.0, 9.0, 0.1]),
            "mul",
        ),
        np.array([0.2, 1.3, 2.0]),
    ),
}


@pytest.mark.parametrize("case", KINKED)
def test_kinks_inside_of_bins(case: str) -> None:
    """Against 400 nodes between any two kinks; derivatives against differences of the integrals."""
    model, kinks = KINKED[case]
    edges, values = np.geomspace(0.1, 3.0, 9), model.values()
    bins = EnergyBins(edges, np.array([0.3, 2.5]), conventions=Conventions.EXACT)
    t, w = np.polynomial.legendre.leggauss(400)

    def slowly(low: float, high: float) -> float:
        ends = np.log([low, *kinks[(kinks > low) & (kinks < high)], high])
        energy = np.exp(ends[:-1, None] + np.diff(ends)[:, None] * 0.5 * (t + 1.0))
        return float((model.evaluate(energy, values) * energy * 0.5 * w * np.diff(ends)[:, None]).sum())

    found, slopes = model.integral_gradient(bins, values)
    np.testing.assert_allclose(found, model.band_integrals(bins, values), rtol=1e-12)
    np.testing.assert_allclose(found, [slowly(*ends) for ends in (*pairwise(edges), (0.3, 2.5))], rtol=1e-6)
    for k, value in enumerate(values):
        step = 1e-6 * abs(value) * (np.arange(values.size) == k)
        rise = model.band_integrals(bins, values + step) - model.band_integrals(bins, values - step)
        if step.any():
            np.testing.assert_allclose(
                slopes[k], rise / (2 * step.max()), rtol=1e-4, atol=1e-4 * np.abs(slopes[k]).max()
            )
