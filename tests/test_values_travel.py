"""Values go through ``pickle`` and ``copy.deepcopy``: models, datasets, results, and what is compiled from them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gm
from gm.arrays import Array
from gm.errors import DataError
from gm.likelihood import JointLikelihood
from gm.models import Models, SkyModel, SpatialModel
from tests.map_samples import background, cube, edged, gauss, held, on_off_cube, point, source
from tests.model_samples import TYPES, sample
from tests.samples import flux_points, on_off, power_law, spectrum

Travel = Callable[[Any], Any]


@pytest.fixture(params=["pickle", "deepcopy"])
def travelled(request: pytest.FixtureRequest) -> Travel:
    return copy.deepcopy if request.param == "deepcopy" else lambda value: pickle.loads(pickle.dumps(value))


def repr_of(shape: object) -> str:
    """Its kind, as the name of a test."""
    return type(shape).__name__


@pytest.mark.parametrize("name", [name for _, name in TYPES])
def test_models(name: str, travelled: Travel, tmp_path: Path) -> None:
    """Of every type that there is; what they evaluate is in tests/models/test_every_model.py."""
    model = sample(name, tmp_path)
    there = travelled(model)
    assert type(there) is type(model)
    assert repr(there.parameters) == repr(model.parameters)
    assert (there.factors, there.paths) == (model.factors, model.paths)
    assert dict(there.settings) == dict(model.settings)


@pytest.mark.parametrize(
    "dataset", [on_off(), spectrum(), flux_points(), cube(), on_off_cube()], ids=lambda dataset: dataset.type
)
def test_datasets_predict_and_count_the_same(dataset: Any, travelled: Travel) -> None:
    models = Models([SkyModel(name="s", spectral_model=power_law().spectral_model, spatial_model=gauss())])
    here, there = (JointLikelihood(gm.Datasets([d]), models) for d in (dataset, travelled(dataset)))
    value, gradient = here.value_and_gradient(here.layout.start)
    found, slope = there.value_and_gradient(there.layout.start)
    assert found == value
    np.testing.assert_array_equal(slope, gradient)


def test_a_map_whose_arrays_are_still_in_its_file(tmp_path: Path, travelled: Travel) -> None:
    cube().write(tmp_path / "map.fits")
    here = gm.Datasets.read({"datasets": [{"name": "m", "type": "MapDataset", "filename": f"{tmp_path}/map.fits"}]})
    unread, read = travelled(here)["m"], here["m"]
    np.testing.assert_array_equal(read.mask, unread.mask)
    np.testing.assert_array_equal(read.counts, travelled(here)["m"].counts)
    cube(seed=2).write(tmp_path / "map.fits", overwrite=True)
    with pytest.raises(DataError, match="was changed"):
        _ = travelled(here)["m"].mask


def test_unknown_attributes_cannot_be_set() -> None:
    for dataset in (on_off(), spectrum(), flux_points(), cube(), on_off_cube()):
        for name in ("cuonts", "name", "mask_fit", "mask"):
            with pytest.raises(AttributeError):
                setattr(dataset, name, None)
    with pytest.raises(AttributeError):
        gm.Datasets().dataset = on_off()  # type: ignore[attr-defined]


def test_a_fit_with_everything_that_it_is_made_of(travelled: Travel) -> None:
    datasets = gm.Datasets([on_off(), spectrum(), flux_points()])
    models = Models([power_law()])
    here = JointLikelihood(datasets, models)
    there = travelled(here)
    assert there.value(here.layout.start) == here.value(here.layout.start)
    result = gm.Fit(datasets).run(models, minos=["source.index"], test=["source"])
    again = travelled(result)
    assert again.parameters == result.parameters
    assert again.models.parameters.addresses == result.models.parameters.addresses
    assert gm.Fit(travelled(datasets)).run(travelled(models)).statistic == result.statistic
    points = gm.FluxPointsEstimator(source="source", energy_edges=[1.0, 3.0, 10.0]).run(datasets, models)
    assert repr(travelled(points).points) == repr(points.points)


def answers(likelihood: JointLikelihood, vector: Array) -> list[Array]:
    """All that a fit asks, and flux points."""
    value, gradient = likelihood.value_and_gradient(vector)
    second = likelihood.second_derivatives(vector, 1e-3 * np.abs(vector))
    matrices = [likelihood.information(vector), np.zeros(0) if second is None else second]
    values = likelihood.layout.expand(vector)
    signal = likelihood.bank.fluxes(values, ["s"])
    lines = likelihood.terms.lines(likelihood.bank.fluxes(values) - signal, signal)
    along = [line.values(np.array([-0.1, 0.5, 2.0])) for line in lines]
    cut = likelihood.terms.cut(np.array([[0, 2]] * len(likelihood.datasets)))
    assert cut is not None
    part = cut.pullback(likelihood.bank.fluxes(values))
    return [np.array(value), gradient, *matrices, *along, *likelihood.predicted(vector), np.array(part[0]), part[1]]


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("shape", [None, held(gauss()), point(), gauss(), edged()["disk"]], ids=repr_of)
def test_compiled_maps_go_on_as_they_were(shape: SpatialModel | None, conventions: str, travelled: Travel) -> None:
    """In the middle of a fit, with all that is remembered of the shapes before: the next answers are the same bits."""
    maps = [cube("one"), cube("two", "icrs", seed=2), cube("reco", response="reco"), on_off_cube("off")]
    models = Models([source("s", shape), background("one")])
    here = JointLikelihood(gm.Datasets([*maps, spectrum()]), models, conventions, for_fit=True)
    start = here.layout.start
    for factor in (1.0, 1.0001):
        here.value_and_gradient(start * factor)
    there = travelled(here)
    for factor in (1.0001, 1.0003, 1.0):
        for mine, others in zip(answers(here, start * factor), answers(there, start * factor), strict=True):
            np.testing.assert_array_equal(others, mine)
    again = here.under_conventions(models), there.under_conventions(travelled(models))
    assert repr(again[1].summarize(start)) == repr(again[0].summarize(start))
