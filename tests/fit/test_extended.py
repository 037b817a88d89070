"""Fits of extended sources: sizes that go to 0, and come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.fit import Fit, FitResult, FittedParameter
from gm.likelihood import JointLikelihood
from gm.models import Models, Parameter, SpatialModel
from tests.map_samples import LAT, LON, background, cube, edged, free, gauss, point, source

TILT = Parameter("tilt", 0.0, frozen=True)


def sky(shape: SpatialModel, amplitude: float = 1e-11) -> Models:
    return Models([source(shape=shape, amplitude=f"{amplitude} TeV-1 s-1 cm-2"), background(norm=1.0, tilt=TILT)])


def simulated(models: Models, seed: int) -> Datasets:
    """Counts that scatter about the prediction; some 500 of the source."""
    dataset = cube(exposure=5e13)
    likelihood = JointLikelihood(Datasets([dataset]), models)
    expected = np.where(dataset.mask, likelihood.predicted(likelihood.layout.start)[0], 0.0)
    return Datasets([dataset.with_(counts=np.random.default_rng(seed).poisson(expected).astype(float))])


def round_gauss(lon: float, lat: float, sigma: float, least: float = 0.0) -> SpatialModel:
    """Without elongation, and with the lower limit that people write."""
    shape = gauss(lon, lat, sigma)
    limits = {"sigma": {"min": least}, "e": {"frozen": True}, "phi": {"frozen": True}}
    return shape.with_parameters([replace(p, **limits.get(p.name, {})) for p in shape.parameters])  # type: ignore[arg-type]


def parameter(result: FitResult, name: str) -> FittedParameter:
    return next(p for p in result.parameters if p.name == f"source.{name}")


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
def test_a_gaussian_on_a_point_ends_in_one_place(conventions: str) -> None:
    """From starts small and large: at the smallest size, or where the counts put it; as good as the point itself."""
    datasets = simulated(sky(point()), 3)
    results = [
        Fit(datasets, conventions).run(sky(round_gauss(LON + 0.03, LAT - 0.02, sigma))) for sigma in (0.03, 0.1, 0.4)
    ]
    assert {result.status for result in results} <= {"converged", "at_limit"}
    # The PSF is taken where each fit starts for the last time, and is 1 % wider or narrower 0.1 deg away.
    assert max(r.statistic for r in results) - min(r.statistic for r in results) < 0.4
    alone = Fit(datasets, conventions).run(sky(point(LON + 0.03, LAT - 0.02)))
    assert results[0].statistic < alone.statistic + 0.3


def test_the_smallest_size_is_told() -> None:
    """A third of a pixel, 0.1 deg wide; the message says that it is no limit of the user's."""
    result = Fit(simulated(sky(point()), 1)).run(sky(round_gauss(LON, LAT, 0.2)))
    assert result.status == "at_limit"
    assert parameter(result, "sigma").value == pytest.approx(0.035, rel=1e-3)
    assert result.message == "source.sigma is at its lower limit: 0.035 deg, the smallest that the maps tell apart"
    assert parameter(result, "sigma").min == 0


@pytest.mark.parametrize("start", [0.7, 0.35, 0.03])
def test_a_size_that_is_thrown_to_zero_comes_back(start: float) -> None:
    """A weak nebula that starts too far off and too wide: at 0 it would vanish, and stay there."""
    datasets = simulated(sky(gauss(sigma=0.17), 6e-12), 2)
    near = Fit(datasets).run(sky(round_gauss(LON, LAT, 0.17), 6e-12))
    far = Fit(datasets).run(sky(round_gauss(LON + 0.15, LAT - 0.12, start), 3e-12))
    assert near.status == far.status == "converged"
    assert far.statistic == pytest.approx(near.statistic, abs=0.02)


def test_the_statistic_is_that_of_the_fitted_model() -> None:
    """A size that shrinks through several oversamplings: at the end the sub-pixels are those of the end."""
    datasets = simulated(sky(gauss(sigma=0.11)), 4)
    result = Fit(datasets).run(sky(round_gauss(LON + 0.02, LAT, 0.25)))
    again = JointLikelihood(datasets, result.models, for_fit=True)
    assert result.status == "converged"
    assert again.is_current(again.layout.start)
    plain = JointLikelihood(datasets, result.models)
    assert again.value(again.layout.start) == pytest.approx(plain.value(plain.layout.start), abs=1e-4)


@pytest.mark.parametrize("name", edged())
def test_fits_of_edges_tell_the_statistic_of_the_conventions(name: str) -> None:
    """What is told of start and end is of the sums of the conventions, whatever the fit went down."""
    shape = edged()[name]
    datasets, start = simulated(sky(shape, 2e-11), 5), sky(shape, 1.5e-11)
    result = Fit(datasets).run(start, test=["source"])
    before, after = JointLikelihood(datasets, start), JointLikelihood(datasets, result.models)
    smooth = JointLikelihood(datasets, result.models, for_fit=True)
    at_end = after.value(after.layout.start)
    assert result.success
    assert result.statistic == pytest.approx(at_end, rel=1e-9)
    assert abs(smooth.value(smooth.layout.start) - at_end) > 1e-3
    assert result.statistic_start == pytest.approx(before.value(before.layout.start), rel=1e-9)
    assert sum(row.statistic for row in result.datasets) + result.statistic_priors == pytest.approx(at_end, rel=1e-9)
    assert result.datasets[0].predicted == pytest.approx(after.predicted(after.layout.start)[0].sum(), rel=1e-9)
    without = Fit(datasets).run(result.models.without("source"))
    assert result.components[0].ts == pytest.approx(without.statistic - result.statistic, abs=1e-6)


def test_what_has_no_edges_is_not_evaluated_again() -> None:
    """A Gaussian, and a disk that does not move: the likelihood of the fit is the one that is told."""
    datasets = simulated(sky(gauss(sigma=0.15)), 6)
    still = edged()["disk"].with_parameters([replace(p, frozen=True) for p in edged()["disk"].parameters])
    for models, conventions in ((sky(gauss(sigma=0.15)), "gammapy"), (sky(still), "gammapy")):
        fit = JointLikelihood(datasets, models, conventions, for_fit=True)
        assert fit.under_conventions(models) is fit
    for conventions, is_same in (("gammapy", False), ("exact", True)):
        moving = JointLikelihood(datasets, sky(edged()["disk"]), conventions, for_fit=True)
        assert (moving.under_conventions(moving.models) is moving) == is_same


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
def test_minos_of_a_size_goes_on_where_the_shape_becomes_round(conventions: str) -> None:
    """There its orientation has no effect, went to 1e15 deg by rounding, and the end was said not to converge."""

    def start(sigma: float = 0.28, **changes: object) -> Models:
        models = Models(
            [
                source(shape=free(gauss(LON, LAT, sigma)), amplitude="2e-11 TeV-1 s-1 cm-2", index=2.3),
                background(tilt=TILT),
            ]
        )
        return models.with_parameters({f"source.{name}": {"frozen": True, "value": v} for name, v in changes.items()})

    datasets = simulated(start(), 3)
    result = Fit(datasets, conventions).run(start(), minos=["source.sigma"])
    sigma = parameter(result, "sigma")
    assert sigma.minos is not None
    assert sigma.minos[0] is not None
    assert -1.2 < sigma.minos[0] / (sigma.error or 0.0) < -0.8
    held = start(sigma=sigma.value + sigma.minos[0], e=0.0, phi=0.0)
    held = held.with_parameters({"source.sigma": {"frozen": True}})
    assert Fit(datasets, conventions).optimize(held).statistic - result.statistic == pytest.approx(1.0, abs=0.05)
