"""Datasets whose sources are predicted in finer bins: images of ragged masks, cutouts, joined and padded pixels.

What the dense computation gives for the bins as they were is summed here by the operation itself, as counts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets, read_dataset, write_dataset
from gm.datasets import operations as ops
from gm.datasets.operations.pixels import padded
from gm.errors import DataError
from gm.io.fits import read_fits
from gm.likelihood import JointLikelihood
from gm.likelihood.prediction import predict_component
from gm.models import Models, Parameter
from tests.likelihood.compiled import map_terms
from tests.likelihood.dense_maps import AnyMap, component_counts, statistic
from tests.likelihood.test_map_gradient import check
from tests.map_samples import LAT, LON, RESPONSES, background, cube, free, gauss, on_off_cube, point, source

MADE: dict[str, Callable[[AnyMap], ops.Outcome]] = {
    "image": lambda d: ops.to_image(Datasets([d]), Models(), d.name, name="made"),
    "rebinned": lambda d: ops.resample_energy(Datasets([d]), Models(), d.name, name="made", edges=[1.0, 7.4, 20.0]),
    "cut": lambda d: ops.cutout(Datasets([d]), Models(), d.name, name="made", center=(LON, LAT), width="1.3 deg"),
    "joined": lambda d: ops.downsample(Datasets([with_room(d)]), Models(), d.name, name="made", factor=2),
    "padded": lambda d: ops.pad(Datasets([d]), Models(), d.name, name="made", width="0.4 deg"),
}


def with_room(dataset: AnyMap) -> AnyMap:
    """With an even number of rows and columns."""
    n_y, n_x = dataset.geometry.shape
    cut = {"geometry": dataset.geometry.window(slice(0, n_y // 2 * 2), slice(0, n_x // 2 * 2))}
    arrays = ("counts", "exposure", "background", "mask_safe", "counts_off", "acceptance", "acceptance_off")
    for name in arrays:
        values = getattr(dataset, name, None)
        if values is not None:
            cut[name] = values[:, : n_y // 2 * 2, : n_x // 2 * 2]
    return dataset.with_(**cut)


def models(dataset: str = "made") -> Models:
    return Models(
        [
            source("inside", free(point(LON + 0.013, LAT - 0.021))),
            source("beside", free(gauss(LON + 0.75, LAT + 0.1)), index=2.0),
            background(dataset, tilt=Parameter("tilt", 0.1, frozen=False)),
        ]
    )


def made(kind: str, dataset: AnyMap) -> Any:
    return MADE[kind](dataset).datasets["made"]


@pytest.mark.parametrize("make", [cube, on_off_cube])
@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("kind", MADE)
def test_predictions_are_sums_of_those_before(kind: str, response: str, make: Callable[..., AnyMap]) -> None:
    before = make("before", "icrs", response)
    before = with_room(before) if kind == "joined" else before
    for component in list(models())[:2]:
        expected = made(kind, before.with_(counts=component_counts(before, component)))  # type: ignore[arg-type]  # of the sky
        predicted = predict_component(expected, component)
        safe = expected.mask_safe
        scale = expected.counts[safe].max()
        np.testing.assert_allclose(predicted[safe], expected.counts[safe], rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize("kind", MADE)
def test_exact_predictions_are_sums_too(kind: str) -> None:
    before, component = cube("before"), models()["beside"]
    before = with_room(before) if kind == "joined" else before
    expected = made(kind, before.with_(counts=predict_component(before, component, "exact")))
    predicted, safe = predict_component(expected, component, "exact"), expected.mask_safe
    np.testing.assert_allclose(predicted[safe], expected.counts[safe], atol=1e-10 * expected.counts[safe].max())


@pytest.mark.parametrize("response", RESPONSES)
@pytest.mark.parametrize("kind", MADE)
def test_value_and_gradient(kind: str, response: str) -> None:
    dataset = made(kind, cube("before", "icrs", response))
    such = models() if dataset.psf is not None else models().without("inside")  # a point with the kinks of pixels
    likelihood = JointLikelihood(Datasets([dataset]), such)
    vector = likelihood.layout.start
    assert likelihood.value(vector) == pytest.approx(statistic(dataset, likelihood.predicted(vector)[0]), rel=1e-9)
    check(likelihood, vector)


@pytest.mark.parametrize("response", ["psf", "reco"])
@pytest.mark.parametrize("kind", MADE)
def test_second_derivatives(kind: str, response: str) -> None:
    """Against differences of the gradient, without a point's kinks."""
    dataset = made(kind, cube("before", "icrs", response))
    likelihood = JointLikelihood(Datasets([dataset]), Models([source("wide", gauss()), background("made")]))
    vector = likelihood.layout.start
    size = np.sqrt(2.0 / np.diag(likelihood.information(vector, expected=True)))
    second = likelihood.second_derivatives(vector, 1e-3 * size)
    assert second is not None
    for k, step in enumerate(np.diag(0.03 * size)):
        difference = (likelihood.gradient(vector + step) - likelihood.gradient(vector - step)) / (2 * step[k])
        np.testing.assert_allclose(second[k] * size[k] * size, difference * size[k] * size, atol=2e-2)


@pytest.mark.parametrize("kind", ["cut", "joined", "padded", "rebinned"])
def test_parts_of_the_energies_add_up(kind: str) -> None:
    dataset = made(kind, cube("before"))
    likelihood = JointLikelihood(Datasets([dataset]), models())
    flux = likelihood.bank.fluxes(likelihood.layout.expand(likelihood.layout.start))
    expected, whole = likelihood.terms.pullback(flux)
    value, total = 0.0, np.zeros_like(flux)
    for first, last in ((0, 1), (1, dataset.energy.n_bins)):
        cut = likelihood.terms.cut(np.array([[first, last]]))
        assert cut is not None
        part, d_flux = cut.pullback(flux)
        value, total = value + part, total + d_flux
    assert value == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(total, whole, rtol=1e-6, atol=1e-8 * np.abs(whole).max())


def test_fixed_shapes_are_summed_once() -> None:
    """The response of a fixed source, its counts in all bins, and their sum by energy agree."""
    dataset = made("joined", cube("before"))
    fixed = Models([source("fixed", gauss())]).with_parameters(
        {f"fixed.{name}": {"frozen": True} for name in ("lon_0", "lat_0", "sigma")}
    )
    likelihood = JointLikelihood(Datasets([dataset]), fixed)
    vector = likelihood.layout.start
    summary = likelihood.summarize(vector)[0]
    assert summary.components["fixed"] == pytest.approx(likelihood.predicted(vector)[0].sum() - background_of(dataset))
    flux = likelihood.bank.fluxes(likelihood.layout.expand(vector))
    inner = map_terms(likelihood)[0].sources[0]
    np.testing.assert_allclose(inner.totals(flux).sum(axis=0), inner.response(flux).total, rtol=1e-10)


def background_of(dataset: Any) -> float:
    return float(dataset.background[dataset.mask].sum())


@pytest.mark.parametrize("kind", MADE)
def test_files_keep_them(kind: str, tmp_path: Path) -> None:
    dataset, component = made(kind, cube("before", response="migra")), models()["beside"]
    write_dataset(dataset, tmp_path / "made.fits")
    again: Any = read_dataset("MapDataset", tmp_path / "made.fits", "made")
    np.testing.assert_array_equal(predict_component(again, component), predict_component(dataset, component))


def test_files_with_places_that_do_not_fit(tmp_path: Path) -> None:
    """The finer bins of one dataset in the file of another."""
    finer, other = made("image", cube("before")), cube("before")
    write_dataset(other.with_(finer=finer.finer.energies_to(np.array([7]))), tmp_path / "made.fits")
    with pytest.raises(DataError, match="HDU FINER_BINS: leads to bin 7, where the dataset has 3"):
        _ = read_dataset("MapDataset", tmp_path / "made.fits", "made").exposure  # type: ignore[union-attr]  # a map
    assert read_fits(tmp_path / "made.fits").find("FINER_MASK") is not None


def test_what_is_made_twice_follows_both() -> None:
    """A cutout of an image of a padded map, against the same sums of the dense counts."""
    before = cube("before")
    component = models()["beside"]
    counted = padded(before.with_(counts=component_counts(before, component)), "a", 0.3)  # type: ignore[arg-type]  # of the sky
    image = ops.to_image(Datasets([counted]), Models(), "a", name="b").datasets
    cut: Any = ops.cutout(image, Models(), "b", name="c", center=(LON + 0.5, LAT), width="0.9 deg").datasets["c"]
    safe = cut.mask_safe
    predicted = predict_component(cut, component)
    np.testing.assert_allclose(predicted[safe], cut.counts[safe], rtol=1e-6, atol=1e-7 * cut.counts.max())
