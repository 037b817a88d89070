"""What Python is asked for and is not there, refused in the words of the command line; units wherever they may be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import astropy.units as u
import numpy as np
import pytest

import gm
from gm.errors import GmError
from tests.samples import on_off, power_law

MODELS = gm.Models([power_law()])
DATASETS = gm.Datasets([on_off()])

REFUSED: dict[str, Callable[[], Any]] = {
    "no parameter matches 'source.indx'; parameters: source.index": lambda: gm.Fit(DATASETS).run(
        MODELS, minos=["source.indx"]
    ),
    "no component matches 'sourc'; components: source      did you mean 'source'": lambda: gm.Fit(DATASETS).run(
        MODELS, test=["sourc"]
    ),
    "no parameter is called 'source.ampl'; parameters: source.index": lambda: gm.Fit(DATASETS).run(
        MODELS, contours=[("source.index", "source.ampl")]
    ),
    "expected exactly 2 items, found 1": lambda: gm.Fit(DATASETS).run(MODELS, contours=[("source.index",)]),
    "'source.reference' is frozen; a contour needs two free": lambda: gm.Fit(DATASETS).run(
        MODELS, contours=[("source.index", "source.reference")]
    ),
    "no component is called 'sourc'; components: source": lambda: gm.FluxPointsEstimator(
        source="sourc", energy_edges=["1 TeV", "10 TeV"]
    ).run(DATASETS, MODELS),
    "'icr' is not a frame; frames: icrs": lambda: gm.PointSpatialModel(frame="icr"),
    "'utx' is not a time scale; scales: utc": lambda: gm.ConstantTemporalModel(scale="utx"),
    "'source': spectral_model is 'pl'; expected a spectral model": lambda: gm.SkyModel(spectral_model="pl"),
    "'kg' does not convert to 'TeV'": lambda: gm.PowerLawSpectralModel(reference="3 kg"),
    "source.reference.value: 'kg' does not convert": lambda: MODELS.with_parameters({"source.reference": 3 * u.kg}),
    "'mask_ft' is no field of SpectrumDatasetOnOff; fields: .*mask_fit": lambda: on_off().with_(mask_ft=None),
    "'mask_ft' of SpectrumDatasetOnOff cannot be set: with_ makes": lambda: setattr(on_off(), "mask_ft", None),
    "'convention' of Fit cannot be set: .*mean 'conventions'": lambda: setattr(gm.Fit(DATASETS), "convention", "exact"),
    "'kg'": lambda: on_off().energy.mask("3 kg"),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_means_nothing_is_refused(message: str) -> None:
    with pytest.raises(GmError, match=message):
        REFUSED[message]()


def test_energies_have_units_wherever_they_are_given() -> None:
    expected = on_off().energy.mask(0.7, 20.0)
    for low, high in (("700 GeV", 20 * u.TeV), (0.7 * u.TeV, "20 TeV"), (7e11 * u.eV, 20.0)):
        np.testing.assert_array_equal(on_off().energy.mask(low, high), expected)
    spectrum = power_law().spectral_model
    values = {float(spectrum(energy)) for energy in (2.0, "2 TeV", 2 * u.TeV, "2000 GeV")}
    assert max(values) == pytest.approx(min(values), rel=1e-14)
    edges = [
        gm.FluxPointsEstimator(source="s", energy_edges=e).requested_edges() for e in (["1 TeV", 1e13 * u.eV], [1, 10])
    ]
    np.testing.assert_allclose(edges[0], edges[1], rtol=1e-14)


def test_components_are_tested_by_pattern() -> None:
    by_name, by_pattern = (gm.Fit(DATASETS).run(MODELS, test=[word]).components for word in ("source", "s*"))
    assert by_pattern == by_name
    assert by_name[0].ts is not None
