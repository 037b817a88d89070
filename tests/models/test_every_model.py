"""What holds for every type of model that there is: a type that is added is tested by being there."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.conventions import Conventions
from gm.errors import ReadOnlyError
from gm.maps.geometry import WcsGeometry
from gm.maps.pixel_grid import PixelGrid
from gm.models import (
    CompoundSpectralModel,
    EnergyBins,
    Models,
    Parameter,
    PowerLawSpectralModel,
    SkyModel,
    TimeIntervals,
)
from gm.models.parametric import ParametricModel
from gm.models.registry import all_models, find_model, model_named
from gm.models.spatial.base import ExtendedModel
from gm.units import UnitError, factor
from tests.model_samples import GEOMETRY, TYPES, sample

ENERGY: Array = np.geomspace(0.031, 47.0, 13)
BINS: Array = np.geomspace(0.05, 50.0, 301)
INTERVALS = TimeIntervals.from_mjd([55555.41, 55556.2, 55558.9], [55555.83, 55556.3, 55559.7], "tt")
SPECTRAL, SPATIAL, TEMPORAL = ([name for kind, name in TYPES if kind == s] for s in ("spectral", "spatial", "temporal"))
SETS = range(4)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


def near(model: ParametricModel, seed: int) -> ParametricModel:
    """The model with every parameter free and off its default, inside of its limits; on the maps and times here."""
    random = np.random.default_rng(seed)
    places = {"lon_0": 83.63, "lat_0": 22.01, "t_ref": 55555.3, "phi": 40.0, "e": 0.5, "radius": 0.6, "r_0": 0.7}
    places |= {"f1": 1e-14, "f2": 1e-21}
    sizes = {"sigma": 0.4, "width": 0.3, "edge_width": 0.3}  # [deg] of shapes
    where = places | (sizes if model.section == "spatial" else {})
    moved = []
    for parameter, limits in zip(model.parameters, (p.limits() for p in model.parameters), strict=True):
        value = where.get(parameter.name, parameter.value)
        step = 0.1 if parameter.name in ("lon_0", "lat_0", "t_ref") else 0.2 * (abs(value) or 0.5)
        value = float(np.clip(value + step * random.uniform(-1, 1), *limits))
        moved.append(replace(parameter, value=value, frozen=False))
    return model.with_parameters(moved)


def differences(function: Any, values: Array, width: float) -> Array:
    """Central differences of fourth order by every parameter, (n_par, ...)."""
    rows = []
    for k, value in enumerate(values):
        shift = np.zeros_like(values)
        shift[k] = width * (abs(value) if abs(value) < 1e3 else 1.0)
        near, far = (function(values + n * shift) - function(values - n * shift) for n in (1, 2))
        rows.append((8 * near - far) / (12 * shift[k]))
    return np.array(rows)


def check_gradient(gradient: Array, expected: Array, values: Array, scale: Array | float, tolerance: float) -> None:
    for k, value in enumerate(values):
        least = tolerance * np.max(scale) / max(abs(value), 1e-3)
        close = np.isclose(gradient[k], expected[k], rtol=tolerance, atol=least)
        assert close.mean() > 0.998, f"parameter {k}: {np.argmin(close)}"  # but where it crosses an edge


@pytest.mark.parametrize("seed", SETS)
@pytest.mark.parametrize("name", SPECTRAL)
def test_gradients_of_spectra(name: str, seed: int, files: Path) -> None:
    model: Any = near(sample(name, files), seed)
    values = model.values()
    gradient = model.gradient(ENERGY, values)
    assert gradient.shape == (len(values), len(ENERGY))
    f = model.evaluate(ENERGY, values)
    expected = differences(lambda v: model.evaluate(ENERGY, v), values, 1e-5)
    for k, path in enumerate(model.paths):
        atol = 1e-7 * np.abs(f) / max(abs(values[k]), 1e-3) + 1e-30 * np.abs(gradient[k]).max()
        assert (np.abs(gradient[k] - expected[k]) <= 1e-6 * np.abs(expected[k]) + atol).all(), path
    again, rows = model.evaluate_with_gradient(ENERGY, values)
    np.testing.assert_allclose(again, f, rtol=1e-13)
    np.testing.assert_array_equal(rows, gradient)


@pytest.mark.parametrize("seed", SETS)
@pytest.mark.parametrize("name", SPECTRAL)
def test_integrals_of_spectra(name: str, seed: int, files: Path) -> None:
    """Against 200 midpoints in the logarithm of the energy in each of 300 bins."""
    model: Any = near(sample(name, files), seed)
    values, n = model.values(), 200
    middle = np.exp(np.log(BINS[:-1, None]) + np.log(BINS[1] / BINS[0]) * (np.arange(n) + 0.5) / n)
    weight = middle * np.log(BINS[1] / BINS[0]) / n
    for convention, tolerance in ((Conventions.EXACT, 1e-6), (Conventions.GAMMAPY, 2e-3)):
        bins = EnergyBins(BINS, conventions=convention)
        slow = (model.evaluate(middle, values) * weight).sum(axis=1)
        fast, gradient = model.integral_gradient(bins, values)
        np.testing.assert_allclose(model.band_integrals(bins, values), fast, rtol=1e-13)
        # a bin with a kink is as good as it is narrow
        np.testing.assert_allclose(fast, slow, rtol=1e-3 if convention.is_exact else 1e-2, atol=1e-12 * slow.max())
        assert fast.sum() == pytest.approx(slow.sum(), rel=tolerance)
        slow_energy = (model.evaluate(middle, values) * middle * weight).sum()
        assert model.band_energy_integrals(bins, values).sum() == pytest.approx(slow_energy, rel=tolerance)
        expected = differences(lambda v, bins=bins: model.band_integrals(bins, v), values, 1e-4)
        check_gradient(gradient, expected, values, np.abs(fast), 1e-5)


@pytest.mark.parametrize("seed", SETS)
@pytest.mark.parametrize("name", SPATIAL)
def test_gradients_of_shapes(name: str, seed: int, files: Path) -> None:
    model: Any = near(sample(name, files), seed)
    values, grid = model.values(), PixelGrid(GEOMETRY)
    image, gradient = model.integrate_gradient(grid, values)
    np.testing.assert_allclose(model.integrate(grid, values), image, rtol=1e-12, atol=1e-15 * image.max())
    function = model.integrate
    if isinstance(model, ExtendedModel):  # whose integral is the mean over sub-pixels of the density
        function, (image, gradient) = model.at_pixels, model.at_pixels_with_gradient(grid, values)
    check_gradient(gradient, differences(lambda v: function(grid, v), values, 1e-6), values, image, 1e-4)


@pytest.mark.parametrize("seed", SETS)
@pytest.mark.parametrize("name", SPATIAL)
def test_integrals_of_shapes(name: str, seed: int, files: Path) -> None:
    """Exact ones against the sum of densities on pixels a tenth as wide."""
    model: Any = near(sample(name, files), seed)
    values = model.values()
    if not isinstance(model, ExtendedModel):
        assert model.integrate(PixelGrid(GEOMETRY), values).sum() == pytest.approx(1.0, rel=1e-12)
        return
    fine = PixelGrid(WcsGeometry.create(83.63, 22.01, 0.01, shape=(410, 410)))
    slow = (model.at_pixels(fine, values) * fine.solid_angle).reshape(41, 10, 41, 10).sum(axis=(1, 3))
    fast = model.integrate(PixelGrid(GEOMETRY, Conventions.EXACT), values)
    # the values of a file are densities at the centres of pixels
    assert fast.sum() == pytest.approx(slow.sum(), rel=5e-3 if "filename" in model.settings else 2e-4)
    np.testing.assert_allclose(fast, slow, rtol=0.02, atol=2e-3 * slow.max())


@pytest.mark.parametrize("seed", SETS)
@pytest.mark.parametrize("name", TEMPORAL)
def test_averages_over_time(name: str, seed: int, files: Path) -> None:
    """Against 20000 midpoints in each interval, and differences of the averages."""
    model: Any = near(sample(name, files), seed)
    values = model.values()
    elapsed, slow = model._elapsed(INTERVALS, values), 0.0
    for start, stop in zip(*elapsed, strict=True):
        middle = start + (np.arange(20000) + 0.5) / 20000 * (stop - start)
        slow += float(model.evaluate(middle, values).mean() * (stop - start)) / INTERVALS.total
    average, gradient = model.average_gradient(INTERVALS, values)
    assert model.average(INTERVALS, values) == pytest.approx(average, rel=1e-13)
    assert average == pytest.approx(slow, rel=1e-5)
    check_gradient(
        np.asarray(gradient), differences(lambda v: model.average(INTERVALS, v), values, 1e-4), values, average, 5e-5
    )


def in_component(model: Any) -> SkyModel:
    """A source that has the model: a factor is one of a power law."""
    if model.section != "spectral":
        return SkyModel(spectral_model=PowerLawSpectralModel(), **{f"{model.section}_model": model}, name="s")
    spectrum = model if model.result_unit() else CompoundSpectralModel(PowerLawSpectralModel(), model, "mul")
    return SkyModel(spectral_model=spectrum, name="s")


@pytest.mark.parametrize("name", [name for _, name in TYPES])
def test_round_trip_through_yaml(name: str, files: Path, tmp_path: Path) -> None:
    for model in (sample(name, files), near(sample(name, files), 1)):
        models = Models([in_component(model)])
        models.write(tmp_path / "models.yaml", overwrite=True)
        again = Models.read(tmp_path / "models.yaml")
        assert again.parameters.addresses == models.parameters.addresses
        for mine, theirs in zip(models.parameters, again.parameters, strict=True):
            assert factor(mine.unit, theirs.unit) == 1.0  # maybe spelt in another way
            assert repr(replace(theirs, unit=mine.unit)) == repr(mine)
        for (_, mine), (_, theirs) in zip(models["s"].blocks(), again["s"].blocks(), strict=True):
            assert type(mine) is type(theirs)
            assert [p for p in mine.settings.items() if "file" not in p[0]] == [
                p for p in theirs.settings.items() if "file" not in p[0]
            ]
        text = (tmp_path / "models.yaml").read_bytes()
        again.write(tmp_path / "models.yaml", overwrite=True)
        assert (tmp_path / "models.yaml").read_bytes() == text


@pytest.mark.parametrize("name", [name for _, name in TYPES])
def test_limits_make_room_for_the_value(name: str, files: Path) -> None:
    for model in (sample(name, files), near(sample(name, files), 2)):
        rows = [row for block in model.blocks() for row in block.limits()]
        for parameter, (low, high) in zip(model.parameters, rows, strict=True):
            assert low <= parameter.value <= high or np.isnan(parameter.value)
            assert parameter.min <= low
            assert high <= parameter.max


OTHER_UNITS = {
    "TeV": ("GeV", 1e3),
    "TeV-1": ("GeV-1", 1e-3),
    "TeV-1 s-1 cm-2": ("GeV-1 s-1 m-2", 10.0),
    "s-1 cm-2": ("s-1 m-2", 1e4),
    "deg": ("arcmin", 60.0),
    "d": ("h", 24.0),
}


@pytest.mark.parametrize("name", [name for _, name in TYPES])
def test_units_of_parameters(name: str, files: Path) -> None:
    model: Any = near(sample(name, files), 3)
    changed = []
    for parameter in model.parameters:
        unit, scale = OTHER_UNITS.get(parameter.unit, (parameter.unit, 1.0))
        changed.append(Parameter(parameter.name, parameter.value * scale, unit))
    np.testing.assert_allclose(model.with_parameters(changed).values(), model.values(), rtol=1e-12)
    if model.parameters and not type(model).defaults:
        return  # named by a document, with any unit
    for parameter in model.defaults:
        with pytest.raises(UnitError):
            type(model).internal_unit(parameter, "kg")


@pytest.mark.parametrize("name", [name for _, name in TYPES])
def test_a_model_is_a_value(name: str, files: Path) -> None:
    model = near(sample(name, files), 0)
    for travelled in (copy.deepcopy(model), pickle.loads(pickle.dumps(model)), copy.copy(model)):
        assert repr(travelled.parameters) == repr(model.parameters)
        assert (travelled.factors, travelled.paths, dict(travelled.settings)) == (
            model.factors,
            model.paths,
            dict(model.settings),
        )
        np.testing.assert_array_equal(travelled.values(), model.values())
    for attribute in ("parameters", "settings", "tags", "indx"):
        with pytest.raises(ReadOnlyError, match=f"'{attribute}' of {name} cannot be set"):
            setattr(model, attribute, 3)
    for parameter in model.parameters:
        assert getattr(model, parameter.name).name == parameter.name
        with pytest.raises(AttributeError, match="cannot be set"):
            setattr(model, parameter.name, 3)
        with pytest.raises(AttributeError, match=rf"no attribute or parameter '{parameter.name}x'; parameters: "):
            getattr(model, f"{parameter.name}x")


@pytest.mark.parametrize(("section", "name"), TYPES)
def test_types_are_what_their_sources_say(section: str, name: str) -> None:
    model = model_named(name)
    assert model.tags[0] == name
    assert (model.__doc__ or "").strip()
    for tag in model.tags:
        assert find_model(section, tag) is model
    assert {vars(model).get("__abstractmethods__", frozenset())} == {frozenset()}


@pytest.mark.parametrize("section", ["spectral", "spatial", "temporal"])
def test_the_registry_holds_every_class_with_tags(section: str) -> None:
    def below(model: type) -> set[type]:
        return {model} | {found for child in model.__subclasses__() for found in below(child)}

    base = all_models(section)[0].__mro__
    root = next(cls for cls in base if "section" in vars(cls))
    ours = {cls for cls in below(root) if cls.__module__.startswith("gm.")}
    assert {cls for cls in ours if "tags" in vars(cls) and cls.section == section} == set(all_models(section))
