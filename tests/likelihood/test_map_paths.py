"""The fast ways of map datasets - sums over empty bins, parts of the energies, lines - against all bins one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm.arrays import Array, BoolArray
from gm.datasets import Datasets, MapDataset, MapDatasetOnOff
from gm.likelihood import JointLikelihood
from gm.likelihood.maps.prediction import MapPrediction
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models import GaussianSpatialModel, Models, Parameter, PiecewiseNormSpatialModel
from tests.likelihood.compiled import map_terms
from tests.likelihood.dense_maps import AnyMap, component_counts, predicted_counts, statistic
from tests.map_samples import LAT, LON, RESPONSES, background, cube, free, gauss, held, on_off_cube, point, source

AMPLITUDES = [1.0, 0.0, -0.05, -0.4, -3.0]


def models(first: float = 1.0, second: float = 1.0, norm: float = 1.1, *, moving: bool = False) -> Models:
    """A point and an extended source with amplitudes in units of 1e-11, and a background with a norm."""
    such = free if moving else held
    return Models(
        [
            source("first", such(point(LON + 0.013, LAT - 0.021)), amplitude=f"{first}e-11 TeV-1 s-1 cm-2"),
            source("second", such(gauss(84.2, 21.6)), index=2.0, amplitude=f"{second}e-11 TeV-1 s-1 cm-2"),
            background(norm=norm, tilt=Parameter("tilt", 0.1, frozen=False)),
        ]
    )


def both(response: str = "psf") -> list[AnyMap]:
    return [cube("cube", "icrs", response, 1), on_off_cube("on-off", "galactic", response, 2)]


@pytest.mark.parametrize("response", ["psf", "reco"])
@pytest.mark.parametrize("norm", [1.1, 0.0, -0.2])
@pytest.mark.parametrize(("first", "second"), [(a, b) for a in AMPLITUDES for b in (1.0, -0.3)])
def test_negative_amplitudes_and_norms(first: float, second: float, norm: float, response: str) -> None:
    """With and without bins that are clipped; the bin-by-bin sum is the definition.

    Without background, what transforms leave of nothing (1e-17) enters as a logarithm: 1e-8.
    """
    datasets, such = both(response), models(first, second, norm)
    likelihood = JointLikelihood(Datasets(datasets), such)
    expected = sum(statistic(dataset, predicted_counts(dataset, such)) for dataset in datasets)
    assert likelihood.value(likelihood.layout.start) == pytest.approx(expected, rel=1e-8 if norm == 0 else 1e-9)


@pytest.mark.parametrize("response", ["psf", "reco"])
@pytest.mark.parametrize(
    ("first", "second", "norm"), [(1, -0.01, 1.1), (-0.05, 1, 1.1), (-0.4, -0.3, 0.9), (1, 1, -0.01)]
)
def test_gradients_with_negative_amplitudes(first: float, second: float, norm: float, response: str) -> None:
    """``2 (1 - n / mu)`` where something is predicted and 0 in clipped bins, times differences of predicted counts.

    Images of single precision (6e-8) over a thousandth of a degree: 1e-3 of the largest slope.
    """
    dataset = cube(response=response)
    likelihood = JointLikelihood(Datasets([dataset]), models(first, second, norm, moving=True))
    vector = likelihood.layout.start
    predicted = likelihood.predicted(vector)[0]
    assert (predicted < 0).any() or min(first, second) > -0.1 < norm
    used = dataset.mask & (predicted > 1e-25)
    weights = 2 * (1 - dataset.counts[used] / predicted[used])
    size = np.where(vector == 0, 1.0, np.minimum(np.abs(vector), 1.0)) * 1e-3
    slopes = [
        weights @ (likelihood.predicted(vector + h)[0] - likelihood.predicted(vector - h)[0])[used] / 2
        for h in np.diag(size)
    ]
    gradient = likelihood.gradient(vector)
    np.testing.assert_allclose(gradient * size, slopes, rtol=1e-3, atol=1e-3 * np.abs(slopes).max())
    np.testing.assert_allclose(likelihood.gradient(vector), gradient, rtol=1e-9)


@settings(deadline=None, max_examples=25)
@given(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0), st.floats(0.0, 2.0))
def test_any_amplitudes(first: float, second: float, norm: float) -> None:
    likelihood = LIKELIHOOD
    vector = likelihood.layout.start.copy()
    for name, value in {
        "first.amplitude": first * 1e-11,
        "second.amplitude": second * 1e-11,
        "cube-bkg.norm": norm,
    }.items():
        vector[list(likelihood.layout.free_addresses).index(name)] = value
    expected = 0.0
    for dataset, parts in zip(DATASETS, PARTS, strict=True):
        predicted = first * parts[0] + second * parts[1] + norm / 1.1 * parts[2]
        expected += statistic(dataset, predicted)
    assert likelihood.value(vector) == pytest.approx(expected, rel=1e-9)


DATASETS = both()
LIKELIHOOD = JointLikelihood(Datasets(DATASETS), models())


def _parts(dataset: AnyMap) -> list[Array]:
    such = models()
    known = predicted_counts(dataset, Models([such["cube-bkg"]]))
    return [*(component_counts(dataset, such[name]) for name in ("first", "second")), known]  # type: ignore[arg-type]


PARTS = [_parts(dataset) for dataset in DATASETS]


def test_a_factor_of_the_position_that_is_negative_somewhere() -> None:
    """The background is clipped there, as any negative prediction is."""
    places = {"lon": [81.0, 86.0, 81.0, 86.0, 83.4], "lat": [19.0, 19.0, 25.0, 25.0, 22.4]}
    for frozen in (True, False):
        norms = {f"norm_{k}": Parameter(f"norm_{k}", 1.0 - 3.0 * (k == 4), frozen=frozen) for k in range(5)}
        shape = PiecewiseNormSpatialModel(**{name: {"data": x, "unit": "deg"} for name, x in places.items()}, **norms)
        such = Models([source(shape=held(gauss())), background(spatial_model=shape)])
        dataset = cube()
        predicted = predicted_counts(dataset, such)
        assert (predicted[dataset.mask] < 0).any()
        likelihood = JointLikelihood(Datasets([dataset]), such)
        assert likelihood.value(likelihood.layout.start) == pytest.approx(statistic(dataset, predicted), rel=1e-9)


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("such", [held, free])
@pytest.mark.parametrize("shape", [point(), gauss(sigma=0.05)])
def test_a_source_where_no_bin_enters(shape: Any, such: Any, response: str) -> None:
    """It predicts nothing, and its parameters change nothing."""
    dataset = cube(response=response)
    mask = np.zeros(dataset.counts.shape, dtype=bool)
    mask[:, :2, :2] = True
    dataset = dataset.with_(mask_safe=mask)
    likelihood = JointLikelihood(Datasets([dataset]), Models([source("away", such(shape)), background()]))
    vector = likelihood.layout.start
    alone = JointLikelihood(Datasets([dataset]), Models([background()]))
    assert likelihood.value(vector) == pytest.approx(alone.value(alone.layout.start), rel=1e-12)
    gradient = dict(zip(likelihood.layout.free_addresses, likelihood.gradient(vector), strict=True))
    assert all(value == 0.0 for name, value in gradient.items() if name.startswith("away"))


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("response", RESPONSES)
def test_a_source_on_the_other_side_of_the_sky(response: str, conventions: str) -> None:
    """A gnomonic projection does not show it. A source of other datasets, whose shape is free there, adds nothing."""
    dataset = cube(grid="galactic", response=response)
    half = WcsGeometry.create(LON, LAT, 1.5, shape=(3, 3), projection="TAN")
    parts = {key: part for key in ("psf", "edisp") if (part := getattr(dataset, key)) is not None}
    dataset = dataset.with_(**{key: replace(part, geometry=half) for key, part in parts.items()})
    near = [source(shape=gauss()), background()]
    expected = JointLikelihood(Datasets([dataset]), Models(near), conventions)
    value, gradient = expected.value_and_gradient(expected.layout.start)
    for shape in (point, gauss):
        far = source("far", free(shape(LON + 180.0, -LAT)))
        likelihood = JointLikelihood(Datasets([dataset]), Models([*near, far]), conventions)
        found = likelihood.value_and_gradient(likelihood.layout.start)
        assert found[0] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(found[1], [*gradient, *np.zeros(found[1].size - gradient.size)], rtol=1e-9)


@pytest.mark.parametrize("sign", [1.0, -0.3])
@pytest.mark.parametrize("response", ["psf", "reco"])
def test_parts_of_the_energies_add_up(response: str, sign: float) -> None:
    """Value and gradient, with free shapes; an empty part has no term."""
    likelihood = JointLikelihood(Datasets(both(response)), models(sign, moving=True))
    flux = likelihood.bank.fluxes(likelihood.layout.expand(likelihood.layout.start))
    value, whole = likelihood.terms.pullback(flux)
    parts, total = 0.0, np.zeros_like(flux)
    for first, last in ((0, 1), (1, 3)):
        cut = likelihood.terms.cut(np.array([[first, last]] * 2))
        assert cut is not None
        part, d_flux = cut.pullback(flux)
        parts, total = parts + part, total + d_flux
    assert parts == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(total, whole, rtol=1e-6, atol=1e-8 * np.abs(whole).max())
    assert likelihood.terms.cut(np.array([[2, 2]] * 2)) is None


@pytest.mark.parametrize("response", ["psf", "reco"])
@pytest.mark.parametrize("name", ["first", "second", "cube-bkg"])
@pytest.mark.parametrize("second", [1.0, -0.4])
def test_along_a_line(name: str, response: str, second: float) -> None:
    """Value, slope and curvature as a function of the norm of one component, clipped bins included.

    With a negative neighbour, or along a component that is negative itself, bins are clipped at positive norms too.
    """
    likelihood = JointLikelihood(Datasets(both(response)), models(second=second))
    values = likelihood.layout.expand(likelihood.layout.start)
    signal = likelihood.bank.fluxes(values, [name])
    rest = likelihood.bank.fluxes(values) - signal
    for term in map_terms(likelihood):
        line = term.line(rest, signal)
        for norm in (-2.0, -0.5, -0.02, 0.0, 0.3, 1.0, 4.0):
            at = rest + norm * signal
            assert line.values(np.array([norm]))[0] == pytest.approx(term.value(at), rel=1e-10, abs=1e-8)
            slope = float(signal @ term.pullback(at).d_flux)
            assert line.slope(norm) == pytest.approx(slope, rel=1e-7, abs=1e-7 * max(abs(slope), 1.0))
            h = 1e-7
            difference = (line.slope(norm + h) - line.slope(norm - h)) / (2 * h)
            if norm != 0.0:  # where bins begin to be clipped
                assert line.curvature(norm) == pytest.approx(difference, rel=1e-4, abs=1e-4)
            assert line.expected_curvature(norm) >= 0.0


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("shape", [None, point(LON + 0.013, LAT - 0.021), gauss(84.2, 21.6), gauss(83.0, 21.0, 0.05)])
@pytest.mark.parametrize("such", [held, free])
def test_predictions_in_a_part_of_the_map(shape: Any, such: Any, response: str) -> None:
    """Made of no more than what can reach it, they are those of the whole map there."""
    component = source("one", None if shape is None else such(shape))
    for dataset in both(response):
        likelihood = JointLikelihood(Datasets([dataset]), Models([component]))
        (term,) = map_terms(likelihood)
        flux = likelihood.bank.fluxes(likelihood.layout.expand(likelihood.layout.start))
        whole, (one,) = term.prediction.of_sources(flux), term.sources
        n_y, n_x = whole.shape[1:]
        for y, x in [(slice(0, n_y), slice(0, n_x)), (slice(3, 9), slice(11, 12)), (slice(n_y - 4, n_y), slice(0, 5))]:
            part = np.ones((len(whole), y.stop - y.start, x.stop - x.start))
            one.add_counts(flux, y, x, part)
            np.testing.assert_allclose(part - 1, whole[:, y, x], rtol=1e-9, atol=1e-10 * whole.max())


@pytest.mark.parametrize("response", ["psf", "reco"])
def test_expected_significance_on_data_as_predicted(response: str) -> None:
    """On counts equal to the prediction the line is lowest at the norm they were predicted with."""
    such = models()
    dataset = cube(response=response)
    predicted = predicted_counts(dataset, such)
    asimov = dataset.with_(counts=np.where(dataset.mask, predicted, 0.0))
    lines = []
    for data in (dataset, asimov):
        likelihood = JointLikelihood(Datasets([data]), such)
        values = likelihood.layout.expand(likelihood.layout.start)
        signal = likelihood.bank.fluxes(values, ["first"])
        lines += likelihood.terms.lines(likelihood.bank.fluxes(values) - signal, signal)
    at_zero, at_one = lines[1].values(np.array([0.0, 1.0]))
    expected = at_zero - at_one
    assert expected > 10
    assert lines[0].expected_ts(1.0) == pytest.approx(expected, rel=1e-9)
    assert lines[1].slope(1.0) == pytest.approx(0.0, abs=1e-6)
    assert lines[1].curvature(1.0) == pytest.approx(lines[0].expected_curvature(1.0), rel=1e-9)


def test_reports_are_sums_of_what_is_predicted() -> None:
    datasets = both()
    likelihood = JointLikelihood(Datasets(datasets), models())
    vector = likelihood.layout.start
    summaries = likelihood.summarize(vector)
    for dataset, summary, predicted in zip(datasets, summaries, likelihood.predicted(vector), strict=True):
        assert summary.bins == np.count_nonzero(predicted)
        assert summary.counts == dataset.counts[dataset.mask].sum(dtype=float)
        assert summary.background is not None
        assert summary.predicted is not None
        assert summary.background + sum(summary.components.values()) == pytest.approx(summary.predicted, rel=1e-12)
        if isinstance(dataset, MapDataset):
            assert summary.predicted == pytest.approx(predicted.sum(), rel=1e-10)
            assert dataset.background is not None
        else:
            assert sum(summary.components.values()) == pytest.approx(predicted.sum(), rel=1e-10)
            assert summary.background == pytest.approx(profiled_background(dataset, predicted), rel=1e-9)
    assert sum(s.statistic for s in summaries) == pytest.approx(likelihood.value(vector), rel=1e-12)
    assert likelihood.n_bins == sum(s.bins for s in summaries)


def profiled_background(dataset: MapDatasetOnOff, predicted: Array) -> float:
    """alpha mu_b of formats/likelihood.md 3, bin by bin."""
    enters = dataset.mask & (dataset.acceptance_off > 0)
    n_on, n_off, mu = dataset.counts[enters], dataset.counts_off[enters], predicted[enters]
    a = dataset.acceptance[enters] / dataset.acceptance_off[enters]
    c = a * (n_on + n_off) - (1 + a) * mu
    b = (c + np.sqrt(c**2 + 4 * a * (1 + a) * n_off * mu)) / (2 * a * (1 + a))
    return float(np.sum(a * b))


def test_datasets_on_the_same_pixels_share_images(monkeypatch: pytest.MonkeyPatch) -> None:
    """One evaluation for both of them, and one for a third on other pixels: sums of what each gives alone."""
    datasets = [cube("a", "icrs", "psf", 1), cube("b", "icrs", "psf", 2), cube("c", "galactic", "psf", 3)]
    such = Models([source("all", free(gauss(84.2, 21.6)))])
    evaluated: list[Array] = []
    integrate = GaussianSpatialModel.integrate

    def counted(self: GaussianSpatialModel, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        evaluated.append(values)
        return integrate(self, grid, values, energy)

    joint = JointLikelihood(Datasets(datasets), such)
    start, sigma = joint.layout.start, joint.layout.free_addresses.index("all.sigma")
    for width in (0.3, 0.31, 0.3):
        vector = start.copy()
        vector[sigma] = width
        with monkeypatch.context() as patch:
            patch.setattr(GaussianSpatialModel, "integrate", counted)
            value, gradient = joint.value_and_gradient(vector)
        alone = [JointLikelihood(Datasets([dataset]), such).value_and_gradient(vector) for dataset in datasets]
        assert value == pytest.approx(sum(v for v, _ in alone), rel=1e-12)
        np.testing.assert_allclose(gradient, sum(g for _, g in alone), rtol=1e-7, atol=1e-9 * np.abs(gradient).max())
    assert len(evaluated) == 4


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of datasets that share an image, and of others."""
    datasets = [cube(f"{grid}-{k}", grid, "psf", k) for k in range(3) for grid in ("icrs", "galactic")]
    such = Models([source("all", free(gauss(84.2, 21.6)))])

    def everything() -> list[Array]:
        joint = JointLikelihood(Datasets(datasets), such)
        vector = joint.layout.start
        value, gradient = joint.value_and_gradient(vector)
        hessian = joint.second_derivatives(vector, np.full(vector.size, 1e-3) * np.abs(vector))
        assert hessian is not None
        return [np.array(joint.value(vector)), np.array(value), gradient, joint.information(vector), hessian]

    found = []
    for n in (1, 3):
        with monkeypatch.context() as patch:
            patch.setattr("gm.parallel.n_threads", lambda n=n: n)
            found.append(everything())
    for alone, together in zip(*found, strict=True):
        np.testing.assert_array_equal(alone, together)


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
def test_what_is_compiled_for_its_counts_alone_predicts_the_same(conventions: str) -> None:
    """Also where the mask leaves a part of the map, which is all that is looked at then; nothing else is known."""
    datasets = Datasets([dataset.with_(mask_fit=_part_of(dataset)) for dataset in both()])
    such = models(second=-0.3, moving=True)
    whole = JointLikelihood(datasets, such, conventions)
    alone = JointLikelihood(datasets, such, conventions, counts_alone=True)
    expected, found = (one.predicted(one.layout.start) for one in (whole, alone))
    for dataset, one, other in zip(datasets, expected, found, strict=True):
        assert (other[~dataset.mask] == 0).all()
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-13 * np.abs(one).max())
    with pytest.raises(TypeError, match="first was compiled for its counts alone"):
        alone.value(alone.layout.start)


def _part_of(dataset: AnyMap) -> BoolArray:
    mask = np.zeros(dataset.shape, dtype=np.bool_)
    mask[:, 3:-4, 2:-7] = True
    mask[0, 5:8] = False
    return mask


def test_what_is_clipped_is_predicted_once_for_value_and_derivative(monkeypatch: pytest.MonkeyPatch) -> None:
    """And anew for every other vector: bit by bit as by a likelihood that has seen none before."""
    asked: list[bytes] = []
    predict = MapPrediction.whole

    def counted(self: MapPrediction, flux: Array) -> Array:
        asked.append(flux.tobytes())
        return predict(self, flux)

    monkeypatch.setattr(MapPrediction, "whole", counted)
    datasets, terms = Datasets([cube()]), JointLikelihood(Datasets([cube()]), models()).terms
    for first in (-3.0, -0.4, 1.0, -3.0):
        fresh = JointLikelihood(datasets, models(first))
        flux = fresh.bank.fluxes(fresh.layout.expand(fresh.layout.start))
        asked.clear()
        value, (again, d_flux) = terms.value(flux), terms.pullback(flux)
        assert len(asked) == (first < 0)
        expected, by_flux = fresh.terms.pullback(flux)
        assert (value, again) == (expected, expected)
        np.testing.assert_array_equal(d_flux, by_flux)


@pytest.mark.parametrize("moving", [False, True])
@given(amounts=st.lists(st.tuples(*[st.integers(-300, 1500)] * 3), min_size=2, max_size=6))
@settings(max_examples=20)
def test_what_is_learnt_of_positive_predictions_changes_nothing(moving: bool, amounts: list[tuple[int, ...]]) -> None:
    """One likelihood, asked one after the other, against others that have learnt nothing."""
    datasets = Datasets([cube()])
    learning = JointLikelihood(datasets, models(moving=moving), for_fit=True)
    for thousandths in amounts:
        such = models(*(amount / 1000 for amount in thousandths), moving=moving)
        fresh = JointLikelihood(datasets, such, for_fit=True)
        vector = fresh.layout.start
        value, gradient = learning.value_and_gradient(vector)
        expected, its_gradient = fresh.value_and_gradient(vector)
        assert value == expected
        np.testing.assert_allclose(gradient, its_gradient, rtol=1e-8, atol=1e-12 * np.abs(its_gradient).max())


@pytest.mark.parametrize("moving", [False, True])
def test_a_small_negative_source_does_not_ask_every_bin_again(moving: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the background outweighs is known after the first time, whatever moves above it."""
    asked, whole = [], MapPrediction.whole

    def counted(self: MapPrediction, flux: Array) -> Array:
        asked.append(flux)
        return whole(self, flux)

    monkeypatch.setattr(MapPrediction, "whole", counted)
    such = models(1.0, -0.001, moving=moving)
    such = such.with_parameters(
        {f"second.{name}": {"frozen": True} for name in ("lon_0", "lat_0", "sigma", "e", "phi")}
    )
    likelihood = JointLikelihood(Datasets([cube()]), such, for_fit=True)
    for factor in np.linspace(1.1, 0.9, 30):
        likelihood.value_and_gradient(likelihood.layout.start * factor**0.01)
    assert 1 <= len(asked) <= 2
