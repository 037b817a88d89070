"""Flux points with nuisances of instruments: what is seen of the source moves with them where they are fitted again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import gm
from gm.arrays import Array
from gm.estimators.norms_objective import NormsObjective, Part
from gm.estimators.reoptimized import NormObjective
from gm.likelihood import JointLikelihood
from gm.models import GaussianPrior, InstrumentModel, InstrumentResponse, Models, Parameter
from tests.map_samples import background, cube, gauss, held, source
from tests.samples import on_off, power_law, spectrum

EDGES = [0.6, 2.0, 10.0]


def instrument(*names: str, sigma: float = 0.1, tilt: float = 0.05, name: str = "inst") -> InstrumentModel:
    norm = Parameter("exposure_norm", 1.0, prior=GaussianPrior(mu=1.0, sigma=sigma))
    slope = Parameter("exposure_tilt", 0.0, prior=GaussianPrior(mu=0.0, sigma=tilt))
    response = InstrumentResponse(exposure_norm=norm, exposure_tilt=slope)
    return InstrumentModel(name=name, datasets_names=names or None, response=response)


SPECTRA = gm.Datasets([on_off("a", 1, exposure=4e13), spectrum("b", 2, exposure=4e13)])
MODELS = Models(
    [power_law("crab"), power_law("other", index=3.0, amplitude="1e-12 TeV-1 s-1 cm-2"), instrument("a", "b")]
)


def slope_of(objective: Any, vector: Array) -> Array:
    steps = np.diag(1e-5 * np.maximum(abs(vector), 0.1))
    return np.array([(objective.value(vector + h) - objective.value(vector - h)) / (2 * h.max()) for h in steps])


def second_of(objective: Any, vector: Array) -> Array:
    steps = np.diag(1e-5 * np.maximum(abs(vector), 0.1))
    rows = [
        (objective.value_and_gradient(vector + h)[1] - objective.value_and_gradient(vector - h)[1]) / (2 * h.max())
        for h in steps
    ]
    return np.array(rows)


def check_derivatives(objective: Any, vector: Array) -> None:
    gradient = objective.value_and_gradient(vector)[1]
    scale = np.maximum(abs(vector), 0.1)
    np.testing.assert_allclose(
        gradient * scale, slope_of(objective, vector) * scale, rtol=1e-5, atol=1e-6 * abs(gradient * scale).max()
    )


def likelihoods() -> Sequence[JointLikelihood]:
    maps = gm.Datasets([cube("m"), spectrum("b", 2)])
    sky = source("crab", held(gauss()))
    scale = InstrumentResponse(energy_scale=Parameter("energy_scale", 1.02, prior=GaussianPrior(mu=1.0, sigma=0.05)))
    scaled = InstrumentModel(name="scaled", datasets_names=("b",), response=scale)
    return (
        JointLikelihood(SPECTRA, MODELS),
        JointLikelihood(SPECTRA, Models([*MODELS, scaled])),
        JointLikelihood(maps, Models([sky, background("m"), instrument("m"), instrument(name="all")])),
    )


@pytest.mark.parametrize("likelihood", likelihoods())
def test_derivatives_with_the_source_in_it(likelihood: JointLikelihood) -> None:
    values = likelihood.layout.expand(likelihood.layout.start)
    signal = likelihood.bank.fluxes(values, ["crab"]) - likelihood.bank.fluxes(values, [])
    objective = NormObjective(likelihood, likelihood.terms, "crab", signal)
    vector = objective.start * 1.07 + 0.02
    check_derivatives(objective, vector)
    parts = [Part(likelihood.terms, np.array([0, 1]), np.stack([0.4 * signal, 0.5 * signal]))]
    joint = NormsObjective(likelihood, parts, ["crab"], ["low", "high"], 0.1 * signal, reoptimize=True)
    check_derivatives(joint, joint.start * 1.07 + 0.02)
    assert objective.value(objective.start) == pytest.approx(joint.value(joint.start), rel=1e-12)
    assert objective.value(objective.start) == pytest.approx(likelihood.value(likelihood.layout.start), rel=1e-12)


def test_information_is_that_of_the_predictions() -> None:
    """Of a source alone whose norm and exposure are degenerate but for the prior."""
    likelihood = JointLikelihood(SPECTRA, Models([power_law("crab"), instrument("a", "b", sigma=0.2)]))
    values = likelihood.layout.expand(likelihood.layout.start)
    signal = likelihood.bank.fluxes(values, ["crab"])
    objective = NormObjective(likelihood, likelihood.terms, "crab", signal)
    information = np.asarray(objective.information(objective.start))
    norm, exposure = information[0, 0], information[1, 1] - 2 / 0.2**2
    assert norm == pytest.approx(exposure, rel=1e-9)
    assert information[0, 1] == pytest.approx(norm, rel=1e-9)


def test_points_that_are_fitted_again_have_the_error_of_the_exposure() -> None:
    """The flux is known as well as the exposure is: the error of the norm is that of the prior, and the counts'."""
    fit = gm.Fit(SPECTRA).run(Models([power_law("crab"), instrument("a", "b")]))
    errors = {}
    for reoptimize in (False, True):
        points = gm.FluxPointsEstimator(source="crab", energy_edges=EDGES, reoptimize=reoptimize)
        errors[reoptimize] = [point.estimate.norm_err for point in points.run(SPECTRA, fit.models).points]
    fixed, free = errors[False][0], errors[True][0]
    assert free == pytest.approx(np.hypot(fixed, 0.1), rel=0.1)


def test_frozen_nuisances_are_those_of_the_models() -> None:
    """A flux that is seen through 20 % more exposure is 20 % smaller."""
    norms = []
    for norm in (1.0, 1.2):
        response = InstrumentResponse(exposure_norm=Parameter("exposure_norm", norm, frozen=True))
        models = Models([power_law("crab"), InstrumentModel(name="inst", response=response)])
        points = gm.FluxPointsEstimator(source="crab", energy_edges=EDGES).run(SPECTRA, models).points
        norms.append([point.estimate.norm for point in points])
    assert np.array(norms[0]) / norms[1] == pytest.approx(1.2, rel=1e-6)


@pytest.mark.parametrize("method", ["joint", "unfold"])
def test_points_together(method: str) -> None:
    fit = gm.Fit(SPECTRA).run(Models([power_law("crab"), instrument("a", "b")]))
    settings: dict[str, Any] = {"sources": ["crab"], "energy_edges": EDGES, "method": method}
    fixed, free = (
        gm.JointFluxPointsEstimator(**settings, reoptimize=reoptimize).run(SPECTRA, fit.models)
        for reoptimize in (False, True)
    )
    errors = [[p.estimate.norm_err for p in its.tables[0].points] for its in (fixed, free)]
    assert errors[1][0] > 1.3 * errors[0][0]


def test_sky_maps_are_of_the_flux(tmp_path: Any) -> None:
    """An excess map tells fluxes through the exposure that the models have."""
    datasets = gm.Datasets([cube("m")])
    fluxes = []
    for norm in (1.0, 1.25):
        response = InstrumentResponse(exposure_norm=Parameter("exposure_norm", norm, frozen=True))
        models = Models([background("m"), InstrumentModel(name="inst", response=response)])
        maps = gm.ExcessMapEstimator(correlation_radius=0.2, energy_edges=[1.0, 20.0]).run(datasets, models)
        fluxes.append(maps.data["flux"])
    both = np.isfinite(fluxes[0]) & np.isfinite(fluxes[1])
    assert both.any()
    assert fluxes[0][both] == pytest.approx(1.25 * fluxes[1][both], rel=1e-6)


def test_points_that_are_fitted_again_have_the_error_of_the_energies() -> None:
    """With an index of 3 a flux is known to twice the precision of the scale; fixed points do not know of it."""
    prior = Parameter("energy_scale", 1.0, prior=GaussianPrior(mu=1.0, sigma=0.1))
    instruments = InstrumentModel(name="inst", response=InstrumentResponse(energy_scale=prior))
    datasets = gm.Datasets([spectrum("b", 2, n_energy=14, n_true=40, exposure=4e14)])
    sky = power_law("crab", index=Parameter("index", 3.0, frozen=True))
    errors = []
    for reoptimize in (False, True):
        points = gm.FluxPointsEstimator(source="crab", energy_edges=[1.0, 8.0], reoptimize=reoptimize)
        errors.append(points.run(datasets, Models([sky, instruments])).points[0].estimate.norm_err)
    assert errors[0] < 0.03
    assert 0.1 < errors[1] < 0.22
