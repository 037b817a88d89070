"""Sensitivity: against Gammapy, against Asimov data that are fitted, and against simulations."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Dataset, Datasets
from gm.datasets.simulation import draw, template_of
from gm.errors import UsageError
from gm.estimators import FluxPointsEstimator
from gm.estimators.sensitivity import SensitivityEstimator, detection
from gm.estimators.sensitivity_result import Sensitivity
from gm.estimators.toys import Truth
from gm.likelihood import JointLikelihood
from gm.models import Models, SkyModel
from tests.map_samples import background, cube, point, source
from tests.samples import flux_points, on_off, power_law, read_reference, spectrum

GAMMAPY = """
import json, sys
from gammapy.datasets import SpectrumDatasetOnOff
from gammapy.estimators import SensitivityEstimator
table = SensitivityEstimator().run(SpectrumDatasetOnOff.read(sys.argv[1]))
print(json.dumps({name: [x if name == "criterion" else float(x) for x in table[name].tolist()]
                  for name in ("e2dnde", "excess", "background", "criterion")}))
"""
WORDS = {"gamma": "min_counts", "bkg": "background_systematic", "significance": "significance"}
EDGES = (0.5, 2.0, 20.0)


def sensitivity(*datasets: Dataset, models: Models | None = None, **options: Any) -> Sensitivity:
    options = {"energy_edges": EDGES, **options}
    return SensitivityEstimator(source="crab", **options).run(Datasets(datasets), models or Models([power_law("crab")]))


def test_on_off_spectra_as_gammapy(shared: Path, gammapy: Callable[..., Any]) -> None:
    """2.1: every bin with exposure; its secant ends within 1e-3 of the excess, everything else is equal to 1e-9."""
    expected = gammapy(GAMMAPY, shared / "data/joint-crab/spectra/hess/pha_obs23523.fits")
    dataset = read_reference(shared, "joint-crab")["hess-23523"].with_(mask_safe=None, mask_fit=None)
    models = Models([power_law("crab", index=2, amplitude="1 cm-2 s-1 TeV-1")])
    found = sensitivity(dataset, models=models, energy_edges=None)
    assert len(found.bands) == len(expected["e2dnde"])
    compared = 0
    for k, band in enumerate(found.bands):
        if band.status != "ok":
            assert not isfinite(expected["e2dnde"][k])
            continue
        assert band.criterion == WORDS[expected["criterion"][k]]
        exact = band.criterion != "significance"
        assert band.norm is not None
        assert band.reference is not None
        assert band.excess == pytest.approx(expected["excess"][k], rel=1e-9 if exact else 1e-3)
        assert band.norm * band.reference.e2dnde == pytest.approx(expected["e2dnde"][k], rel=1e-6 if exact else 1e-3)
        assert band.background == pytest.approx(expected["background"][k], rel=1e-9)
        compared += 1
    assert compared > 40


def _asimov(dataset: Dataset, models: Models, norm: float) -> Dataset:
    """Expected data with so much of the source."""
    amplitude = models.parameters["crab.amplitude"].value * norm
    models = models.with_parameters({"crab.amplitude": amplitude})
    template = template_of(dataset)
    likelihood = JointLikelihood(Datasets([template.dataset]), models)
    [predicted] = likelihood.predicted(likelihood.layout.start)
    return draw(template, predicted, 0, asimov=True)


@pytest.mark.parametrize("kind", ["known", "on-off", "cube"])
def test_asimov_data_have_the_significance_that_is_asked_for(kind: str) -> None:
    """Flux points of expected data with the norm that was found: TS is 25, the norm that one."""
    sky = SkyModel(name="crab", spectral_model=power_law().spectral_model, spatial_model=point())
    datasets = {"known": spectrum(), "on-off": on_off(), "cube": cube()}
    models = Models([sky, background()] if kind == "cube" else [power_law("crab")])
    edges = None if kind == "cube" else EDGES
    options = {"energy_edges": edges, "min_counts": 0, "background_systematic": 0}
    found = sensitivity(datasets[kind], models=models, **options)
    ok = [band for band in found.bands if band.status == "ok"]
    assert ok
    for band in ok:
        assert band.norm is not None
        assert band.criterion == "significance"
        data = _asimov(datasets[kind], models, band.norm)
        points = FluxPointsEstimator(source="crab", energy_edges=(band.e_min, band.e_max)).run(Datasets([data]), models)
        estimate = points.points[0].estimate
        assert estimate is not None
        assert estimate.norm == pytest.approx(band.norm, rel=1e-3)
        assert estimate.ts == pytest.approx(25.0, rel=1e-3)


def test_two_equal_datasets_see_less_together() -> None:
    one = sensitivity(spectrum("a"), min_counts=0, background_systematic=0)
    two = sensitivity(spectrum("a"), spectrum("b"), min_counts=0, background_systematic=0)
    for alone, together in zip(one.bands, two.bands, strict=True):
        assert alone.norm is not None
        assert together.norm is not None
        assert 0.5 * alone.norm < together.norm < alone.norm
        assert together.background == pytest.approx(2 * (alone.background or 0))
        assert together.significance == pytest.approx(np.sqrt(2) * (alone.significance or 0))


def test_each_criterion_can_ask_for_most() -> None:
    for options, criterion in (
        ({"min_counts": 1000}, "min_counts"),
        ({"background_systematic": 100}, "background_systematic"),
        ({"min_counts": 0, "background_systematic": 0}, "significance"),
    ):
        band = sensitivity(spectrum(), **options).bands[0]
        assert band.criterion == criterion
        assert band.norm == max(band.norms.values())
    assert sensitivity(spectrum(), min_counts=1000).bands[0].excess == pytest.approx(1000)


def test_integral_sensitivity_is_that_above_each_edge() -> None:
    found = sensitivity(spectrum())
    alone = sensitivity(spectrum(), energy_edges=(0.5, 20.0))
    assert found.integral[0] == alone.bands[0]
    assert found.integral[1] == found.bands[1]


def test_edges_between_those_of_bins_are_told() -> None:
    edge = float(spectrum().energy_edges()[1][2])
    found = sensitivity(spectrum(), energy_edges=(0.5, 1.01 * edge, 20.0))
    assert f"edges are those of energy bins [TeV]: {1.01 * edge:.4g} is {edge:.4g}" in found.warnings
    assert not [text for text in sensitivity(spectrum(), energy_edges=(0.5, edge, 20.0)).warnings if "edges" in text]


def test_a_source_of_that_flux_is_found_half_of_the_time() -> None:
    """And with probability 0.9 nine times of ten: 300 simulations of some 60 counts, within 4 standard errors."""
    bright = spectrum(exposure=4e12)
    bright = bright.with_(background=10 * bright.background)
    for probability in (0.5, 0.9):
        band = sensitivity(bright, energy_edges=(0.5, 20.0), min_counts=0, probability=probability).bands[0]
        assert band.norm is not None
        models = Models([power_law("crab", amplitude=f"{1e-11 * band.norm} TeV-1 s-1 cm-2")])
        truth = Truth(Datasets([bright]), models)
        estimator = FluxPointsEstimator(source="crab", energy_edges=(0.5, 20.0), norm_scan=(1.0,))
        points = (estimator.run(truth.draw(1, k)[0], models).points[0] for k in range(300))
        share = np.mean([(point.sqrt_ts or 0.0) > 5 for point in points])
        assert abs(share - probability) < 4 * np.sqrt(probability * (1 - probability) / 300)


def test_detection() -> None:
    assert detection(5.0, 5.0) == 0.5
    assert detection(6.0, 5.0) == pytest.approx(0.841345, abs=1e-6)


def test_there_is_a_reason_where_there_is_no_number() -> None:
    blind = spectrum()
    blind = blind.with_(exposure=np.zeros_like(blind.exposure))
    assert sensitivity(blind).bands[0].reason == "no dataset with bins here sees crab"
    outside = sensitivity(spectrum(), energy_edges=(100.0, 200.0)).bands[0]
    assert (outside.status, outside.reason) == ("no_data", "no dataset has bins here")
    points = sensitivity(flux_points(), energy_edges=(0.3, 30.0)).bands[0]
    assert points.status != "ok"
    assert points.reason


def test_no_background_and_no_off_counts() -> None:
    """Numbers all the same: counts decide."""
    dark = spectrum().with_(background=np.zeros(7))
    off = on_off().with_(counts_off=np.zeros(6))
    for dataset in (dark, off):
        for band in sensitivity(dataset).bands:
            assert band.criterion == "min_counts"
            assert band.excess == pytest.approx(10.0)
            assert band.background == 0


def test_on_a_map_the_background_is_what_lies_under_the_source() -> None:
    """The same for a map and for a part of it that holds the source whole."""
    models = Models([source("crab", point()), background()])
    whole = sensitivity(cube(), models=models, energy_edges=None).bands
    assert all(0 < (band.background or 0) < cube().background.sum() for band in whole)


def test_different_axes_need_edges() -> None:
    with pytest.raises(UsageError, match="no energy bins in common: give energy_edges"):
        sensitivity(spectrum(n_energy=5), spectrum("b", n_energy=6), energy_edges=None)
    with pytest.raises(UsageError, match="no source is called 'crab'"):
        sensitivity(spectrum(), models=Models([power_law("other")]))


@pytest.mark.parametrize("stored", [0.0, 1e-6, 30.0])
def test_a_significance_of_a_part_of_a_count_is_told(stored: float) -> None:
    """Without a background the expected TS is as far as Cash is not cut off: 25 at a quarter of a count."""
    dataset = spectrum("b", 2)
    empty = dataset.with_(background=np.full_like(dataset.background, stored))
    low, usual = (sensitivity(empty, energy_edges=(0.5, 20.0), min_counts=n) for n in (0.0, 10.0))
    assert low.bands[0].criterion == "significance"
    [excess] = [band.excess for band in low.bands]
    assert excess is not None
    assert (excess < 5.0) == (stored < 1.0)
    told = [text for text in low.warnings if "the expected TS says little" in text]
    assert len(told) == (stored < 1.0)
    assert all(text.startswith("2 of 2 fluxes, those above an energy included") for text in told)
    assert not any("says little" in text for text in usual.warnings)
