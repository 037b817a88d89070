"""Fits of maps: sources that move, limits, degenerate directions, links, tests, and errors that mean what they say."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset
from gm.estimators import FluxPointsEstimator
from gm.fit import Fit, FitResult, FittedParameter
from gm.irf.psf import PsfMap
from gm.likelihood import JointLikelihood
from gm.likelihood.maps.term import MapTerm
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.models import Component, Link, Models, Parameter, PointSpatialModel, SpatialModel
from tests.map_samples import (
    LAT,
    LON,
    background,
    cube,
    energies,
    free,
    gauss,
    held,
    on_off_cube,
    point,
    source,
)

# Half a pixel from the centres of pixels, where the statistic of a point has kinks in its position.
SHAPES: dict[str, SpatialModel] = {
    "point": point(LON + 0.054, LAT - 0.05),
    "gauss": gauss(LON + 0.054, LAT - 0.05),
}


def round_(shape: SpatialModel) -> SpatialModel:
    """Free, but with the elongation, where there is one, held at 0."""
    return shape.with_parameters([replace(p, frozen=p.name in ("e", "phi")) for p in shape.parameters])


def sky(*components: Component) -> Models:
    """The components over a background with a free norm."""
    return Models([*components, background(norm=1.0, tilt=Parameter("tilt", 0.0, frozen=True))])


def simulated(models: Models, seed: int = 1, n: int = 1) -> list[MapDataset]:
    """Counts that scatter about the prediction; some 500 of a source."""
    dataset = cube(exposure=5e13)
    likelihood = JointLikelihood(Datasets([dataset]), models)
    expected = np.where(dataset.mask, likelihood.predicted(likelihood.layout.start)[0], 0.0)
    random = np.random.default_rng(seed)
    return [dataset.with_(counts=random.poisson(expected).astype(float)) for _ in range(n)]


def bright(name: str = "gauss") -> Datasets:
    return Datasets(simulated(sky(source(shape=SHAPES[name]))))


def parameter(result: FitResult, name: str) -> FittedParameter:
    return next(p for p in result.parameters if p.name == name)


def sigmas_apart(first: FitResult, second: FitResult) -> float:
    """The largest difference of a free parameter, in units of its error."""
    distances = [
        abs(p.value - parameter(second, p.name).value) / p.error for p in first.parameters if p.error is not None
    ]
    return max(distances)


@pytest.mark.parametrize("name", SHAPES)
def test_a_source_that_goes_away_and_comes_back(name: str) -> None:
    """Out of its window, off the map, to the other side of the sky, and back: Gammapy forgets it on the way."""
    datasets = Datasets([*bright(name), on_off_cube()])
    likelihood = JointLikelihood(datasets, sky(source(shape=SHAPES[name])))
    vector = likelihood.layout.start
    value, gradient = likelihood.value_and_gradient(vector)
    lon = list(likelihood.layout.free_addresses).index("source.lon_0")
    away = vector.copy()
    for distance in (0.5, 1.4, 5.0, -3.0, 120.0):
        away[lon] = vector[lon] + distance
        assert likelihood.value(away) > value
        assert np.isfinite(likelihood.gradient(away)).all()
        assert likelihood.value(vector) == value
        np.testing.assert_allclose(likelihood.gradient(vector), gradient, rtol=1e-8, atol=1e-8 * np.abs(gradient).max())
    assert likelihood.left_behind(vector) == []
    assert likelihood.left_behind(away) == ["source"]


@pytest.mark.parametrize("name", SHAPES)
def test_a_start_that_is_far_away(name: str) -> None:
    """The fit goes to the source, takes the responses there, says so, and ends where a near start ends."""
    datasets, shape = bright(name), round_(SHAPES[name])
    offset = shape.with_parameters([replace(p, value=p.value + (p.name == "lat_0") * 0.7) for p in shape.parameters])
    near, far = (Fit(datasets).run(sky(source(shape=s))) for s in (shape, offset))
    assert near.warnings == ()
    assert far.status == "converged"
    assert far.warnings == ("the responses of source were taken again where the fit had moved it",)
    assert far.statistic_start > near.statistic_start + 100
    # The PSF is taken where each fit starts for the last time: up to 0.1 deg away, where it is 1 % wider or narrower.
    assert far.statistic == pytest.approx(near.statistic, abs=0.3)
    assert sigmas_apart(near, far) < 0.1
    again = JointLikelihood(datasets, far.models)
    assert again.value(again.layout.start) == pytest.approx(far.statistic, abs=0.3)


def test_a_shape_that_grows_takes_its_responses_again() -> None:
    """From 0.03 to 0.28 deg: its window was made for the small one. The PSF of both ends is not taken in one place."""
    datasets = bright()
    near, far = (Fit(datasets).run(sky(source(shape=round_(gauss(sigma=s))))) for s in (0.27, 0.03))
    assert far.status == "converged"
    assert far.statistic == pytest.approx(near.statistic, abs=0.05)
    assert sigmas_apart(near, far) < 0.05
    assert any("taken again" in warning for warning in far.warnings)


def test_limits_of_a_position_hold() -> None:
    """They leave out the best position; the start lies inside."""
    lon, lat = point(LON + 0.25, LAT).parameters
    shape = point().with_parameters([replace(lon, min=LON + 0.15, max=LON + 0.4), lat])
    result = Fit(bright("point")).run(sky(source(shape=shape)))
    assert result.status == "at_limit"
    assert result.message == "source.lon_0 is at its lower limit"
    assert parameter(result, "source.lon_0").value == LON + 0.15
    assert parameter(result, "source.lon_0").error is None
    assert parameter(result, "source.lat_0").error is not None
    unlimited = Fit(bright("point")).run(sky(source(shape=free(point(LON + 0.25, LAT)))))
    assert unlimited.status == "converged"
    assert unlimited.statistic < result.statistic - 1


@pytest.mark.parametrize("shape", [point(), gauss()])
def test_two_sources_in_one_place(shape: SpatialModel) -> None:
    """Only the sum of the amplitudes is measured: the answer names both."""
    known = Parameter("index", 2.3, frozen=True)
    result = Fit(bright()).run(sky(*(source(name, held(shape), index=known) for name in ("first", "second"))))
    assert result.status == "not_converged"
    assert "does not change along" in result.message
    assert "first.amplitude" in result.message
    assert "second.amplitude" in result.message


def test_the_orientation_of_a_round_source_is_no_parameter() -> None:
    shape = gauss().with_parameters([replace(p, frozen=p.name == "e") for p in gauss().parameters])
    result = Fit(bright()).run(sky(source(shape=shape)))
    assert result.status == "not_converged"
    assert "source.phi" in result.message
    assert "source.lon_0" not in result.message


def test_a_source_that_no_dataset_sees() -> None:
    """Beyond the map: nothing depends on it, whatever its parameters."""
    result = Fit(bright()).run(sky(source(shape=held(point(120.0, 10.0)))))
    assert result.status == "not_converged"
    assert "source.amplitude" in result.message


def test_linked_positions() -> None:
    """A point in the middle of a halo: two positions that are one, and one error."""
    parts = source("pulsar", SHAPES["point"]), source("halo", round_(gauss(LON + 0.054, LAT - 0.05, 0.5)), index=2.0)
    models = sky(*parts)
    linked = models.with_links([Link("halo.lon_0", "pulsar.lon_0"), Link("halo.lat_0", "pulsar.lat_0")])
    datasets = Datasets(simulated(models))
    alone, together = (Fit(datasets).run(m) for m in (models, linked))
    assert together.status == "converged"
    assert together.n_free == alone.n_free - 2
    assert together.statistic > alone.statistic
    for name in ("lon_0", "lat_0"):
        first, second = parameter(together, f"pulsar.{name}"), parameter(together, f"halo.{name}")
        assert first.value == second.value
        assert first.error == pytest.approx(second.error, rel=1e-12)
        assert second.link == f"pulsar.{name}"


def test_the_test_statistic_of_a_component() -> None:
    """What the fit without it loses; a source that is not there has next to none."""
    known = Parameter("index", 2.0, frozen=True)
    nothing = source("nothing", held(point(82.9, 21.3)), index=known, amplitude="1e-13 TeV-1 s-1 cm-2")
    datasets, models = bright(), sky(source(shape=round_(SHAPES["gauss"])), nothing)
    result = Fit(datasets).run(models, test=["source", "nothing"])
    ts = {component.name: component.ts for component in result.components}
    without = Fit(datasets).optimize(models.without("source"))
    assert ts["source"] == pytest.approx(without.statistic - result.statistic, abs=1e-4)
    assert ts["source"] is not None
    assert ts["source"] > 200
    assert ts["nothing"] is not None
    assert 0 <= ts["nothing"] < 10
    degrees = {component.name: component.degrees_of_freedom for component in result.components}
    assert degrees == {"source": 5, "nothing": 1, "cube-bkg": 1}


def test_both_kinds_of_background_give_the_same_source() -> None:
    """Known or measured beside the source; counts of one sky scatter differently: 5 sigma."""
    models = Models([source(shape=round_(SHAPES["gauss"]))])
    known, measured = Fit(Datasets([cube()])).run(models), Fit(Datasets([on_off_cube("cube")])).run(models)
    assert known.status == measured.status == "converged"
    for p in known.parameters:
        q = parameter(measured, p.name)
        if p.error is not None and q.error is not None:
            assert abs(p.value - q.value) < 5 * np.hypot(p.error, q.error)


@pytest.mark.parametrize("name", SHAPES)
def test_pulls(name: str) -> None:
    """40 simulated skies: distances from the truth in units of the error scatter as a normal distribution, to 4 sigma.

    With 40 pulls of each parameter their mean scatters by 0.16, their variance by 0.22.
    """
    truth = sky(source(shape=round_(SHAPES[name])))
    pulls = []
    for dataset in simulated(truth, n=40):
        result = Fit(Datasets([dataset])).run(truth)
        assert result.status == "converged"
        rows = zip(result.parameters, truth.parameters, strict=True)
        pulls.append([(p.value - t.value) / p.error for p, t in rows if p.error is not None])
    table = np.array(pulls)
    assert table.shape == (40, 5 + (name == "gauss"))
    assert np.abs(table.mean(axis=0)).max() < 4 * 0.16
    assert np.abs(table.var(axis=0) - 1).max() < 4 * 0.22


def test_a_minimum_in_a_kink() -> None:
    """A point near a pixel centre, where its statistic has a kink: no slope is 0 there, and yet it is the minimum.

    Of 40 skies some end there; the result says so, and their errors hold the truth as often as those of the others.
    """
    truth = sky(source(shape=free(point(LON + 0.01, LAT - 0.03))))
    pulls = []
    for dataset in simulated(truth, seed=11, n=40):
        result = Fit(Datasets([dataset])).run(truth)
        assert result.status == "converged"
        likelihood = JointLikelihood(Datasets([dataset]), truth)
        best = np.array([parameter(result, name).value for name in likelihood.layout.free_addresses])
        errors = np.array([parameter(result, name).error for name in likelihood.layout.free_addresses], dtype=float)
        for step in np.diag(0.1 * errors):
            assert min(likelihood.value(best + step), likelihood.value(best - step)) > likelihood.value(best) - 0.01
        for name in ("source.lon_0", "source.lat_0"):
            if any(name in warning and "kink" in warning for warning in result.warnings):
                found = parameter(result, name)
                assert found.error is not None
                pulls.append((found.value - truth.parameters[name].value) / found.error)
    assert len(pulls) > 2
    assert 0.3 < np.mean(np.square(pulls)) < 2.5


def n_terms() -> int:
    """Terms that are there, among dead proxies and everything else."""
    return sum(type(thing) is MapTerm for thing in gc.get_objects())


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("such", [held, round_])
def test_what_was_compiled_goes_with_the_fit(name: str, such: Callable[[SpatialModel], SpatialModel]) -> None:
    """Nothing of it refers to itself, so that it does not wait for the collector: the next fit takes its memory."""
    datasets, models = bright(name), sky(source(shape=such(SHAPES[name])))
    gc.collect()
    before = n_terms()
    gc.disable()
    try:
        best = Fit(datasets).run(models).models
        FluxPointsEstimator(source="source", energy_edges=["1 TeV", "5 TeV", "20 TeV"]).run(datasets, best)
        assert n_terms() == before
    finally:
        gc.enable()


def test_a_position_on_no_parabola_is_told_and_exact_has_none() -> None:
    """A bright point at a pixel centre: in its kink the statistic is straight, and two errors away not four times as
    high as one away. Again with all others fitted, and the responses of the place two errors away: 10 %."""
    models = sky(source(shape=point(83.63, 22.01), amplitude="1e-10 TeV-1 s-1 cm-2"))
    datasets = Datasets(simulated(models))
    result = Fit(datasets).run(models)
    lon = parameter(result, "source.lon_0")
    assert lon.error is not None
    rises = []
    for side in (-2, 2):
        there = {"source.lon_0": {"value": lon.value + side * lon.error, "frozen": True}}
        rises.append(Fit(datasets).optimize(result.models.with_parameters(there)).statistic - result.statistic)
    assert lon.rise_at_2_sigma == pytest.approx(max(rises, key=lambda rise: abs(rise - 4)), rel=0.1)
    assert lon.rise_at_2_sigma < 3
    assert any(text.startswith("source.lon_0: the statistic rises by 2.") for text in result.warnings)
    assert any("minos" in text and "conventions: exact" in text for text in result.warnings)
    row = next(row for row in result.to_dict()["parameters"] if row["name"] == "source.lon_0")
    assert row["shape"] == {"at_2_sigma": lon.rise_at_2_sigma}
    smooth = Fit(datasets, "exact").run(models)
    assert all(p.rise_at_2_sigma is None for p in smooth.parameters)
    assert smooth.warnings == ()


@pytest.mark.parametrize("lat", [-0.04, 0.0, 0.04])
def test_the_statistic_is_that_of_the_models_evaluated_again(lat: float) -> None:
    """Sources are predicted in windows around where they start, and these are placed by pixels."""
    energy, energy_true = energies(1, 2)
    geometry = WcsGeometry.create(0.0, 0.0, 0.1, shape=(21, 21), frame="galactic")
    everywhere = WcsGeometry.create(0.0, 0.0, 3.0, shape=(1, 1), frame="galactic")
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 0.7, 71), "deg")
    spread = np.exp(-0.5 * (rad.center / 0.12) ** 2) / (2 * np.pi * np.radians(0.12) ** 2)
    empty = MapDataset(
        name="sky",
        geometry=geometry,
        energy=energy,
        energy_true=energy_true,
        counts=np.zeros((1, 21, 21)),
        background=np.full((1, 21, 21), 0.3),
        exposure=np.full((2, 21, 21), 1e13),
        psf=PsfMap(everywhere, energy_true, rad, np.tile(spread[:, None, None], (2, 1, 1, 1))),
    )

    def at(lon: float, lat: float) -> Models:
        place = {"lon_0": Parameter("lon_0", lon, "deg"), "lat_0": Parameter("lat_0", lat, "deg")}
        shape, index = PointSpatialModel(frame="galactic", **place), Parameter("index", 2.3, frozen=True)
        return Models([source(shape=shape, index=index, amplitude="3e-11 TeV-1 s-1 cm-2")])

    truth = JointLikelihood(Datasets([empty]), at(0.25, 0.1))
    expected = truth.predicted(truth.layout.start)[0]
    datasets = Datasets([empty.with_(counts=np.random.default_rng(1).poisson(expected).astype(float))])
    result = Fit(datasets).run(at(0.0, lat))
    again = JointLikelihood(datasets, result.models)
    assert result.status == "converged"
    assert result.statistic == pytest.approx(again.value(again.layout.start), abs=1e-8)
