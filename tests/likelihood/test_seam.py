"""Maps in plate carree, whose longitudes come again: nothing depends on where their description begins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets, MapDataset, operations
from gm.io.tables import CardValue
from gm.irf.psf import PsfMap
from gm.likelihood import JointLikelihood, predict_component
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import Models, SpatialModel, TemplateSpatialModel
from tests.map_samples import free, gauss, point, source

ENERGY, TRUE = EnergyAxis(np.array([1.0, 10.0])), EnergyAxis(np.array([1.0, 3.0, 10.0]), "energy_true")
WHOLE = WcsGeometry.create(0.0, 0.0, 2.0, shape=(10, 180), frame="galactic")


def psf(width: float) -> PsfMap:
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 5 * width, 51), "deg")
    profile = np.exp(-0.5 * (rad.center / width) ** 2)
    spot = WcsGeometry.create(0.0, 0.0, 360.0, shape=(1, 1))
    return PsfMap(spot, TRUE, rad, profile[None, :, None, None] * np.ones((2, 1, 1, 1)))


def dataset(geometry: WcsGeometry, width: float, level: float = 1e13) -> MapDataset:
    """Counts, exposure and background that depend on the position alone."""
    lon, lat = geometry.grid()
    across = 1.0 + 0.3 * np.sin(np.radians(lon)) + 0.01 * lat
    counts = np.random.default_rng(1).poisson(1.0, 3600)[np.round(lon * 5.3 + 9.1 * lat).astype(int) % 3600]
    return MapDataset(
        name="m",
        geometry=geometry,
        energy=ENERGY,
        energy_true=TRUE,
        counts=counts[None].astype(float),
        exposure=level * np.stack([across, across**2]),
        background=0.5 * across[None],
        psf=psf(width),
    )


def shifted(geometry: WcsGeometry, by: float) -> WcsGeometry:
    """The same pixels described from a reference point that is ``by`` [deg] further on."""
    cards: dict[str, CardValue] = dict(geometry.cards)
    cards["CRVAL1"] = (float(cards["CRVAL1"]) + by) % 360.0
    cards["CRPIX1"] = float(cards["CRPIX1"]) + by / float(cards["CDELT1"])
    return WcsGeometry(geometry.shape, cards)


def in_galactic(shape: SpatialModel) -> SpatialModel:
    changed = type(shape)(frame="galactic", **{p.name: p for p in shape.parameters})
    assert changed.frame == "galactic"
    return changed


SHAPES = {"point": lambda lon: point(lon, 0.3), "gauss": lambda lon: gauss(lon, 0.3, 2.5)}


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("lon", [180.2, 179.3, 183.0])
@pytest.mark.parametrize(("projection", "is_free"), [("CAR", True), ("CAR", False), ("CEA", True), ("MER", False)])
def test_a_source_at_the_ends_of_a_map_around_the_sky(
    shape: str, lon: float, conventions: str, projection: str, is_free: bool
) -> None:
    """As on the map that begins at the centre of the Galaxy, on which it is in the middle."""
    made = in_galactic(free(SHAPES[shape](lon)) if is_free else SHAPES[shape](lon))
    models = Models([source("s", made)])
    whole, turned = (
        WcsGeometry.create(at, 0.0, 2.0, shape=(10, 180), frame="galactic", projection=projection)
        for at in (0.0, 180.0)
    )
    results = []
    for geometry in (whole, turned):
        likelihood = JointLikelihood(Datasets([dataset(geometry, 1.5)]), models, conventions)
        vector = likelihood.layout.start
        value, gradient = likelihood.value_and_gradient(vector)
        predicted = likelihood.predicted(vector)[0]
        results.append((value, gradient, predicted if geometry is whole else np.roll(predicted, 90, axis=2)))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-10)
    np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-6, atol=1e-8 * np.abs(results[1][1]).max())
    np.testing.assert_allclose(results[0][2], results[1][2], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("by", [180.0, 179.9, -175.0, 120.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_a_map_described_from_the_other_side_of_the_sky(shape: str, by: float) -> None:
    """Its pixels lie where the plane of the projection ends, and on both sides of it."""
    plain = WcsGeometry.create(0.1, 0.0, 0.5, shape=(12, 20), frame="galactic")
    models = Models([source("s", in_galactic(free(SHAPES[shape](0.7))))])
    values = []
    for geometry in (plain, shifted(plain, by)):
        likelihood = JointLikelihood(Datasets([dataset(geometry, 0.5)]), models)
        values.append(likelihood.value_and_gradient(likelihood.layout.start))
    np.testing.assert_allclose(values[1][0], values[0][0], rtol=1e-9)
    np.testing.assert_allclose(values[1][1], values[0][1], rtol=1e-6, atol=1e-8 * np.abs(values[0][1]).max())


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize(("lon", "projection"), [(0.0, "CAR"), (180.0, "CAR"), (175.5, "CAR"), (180.0, "TAN")])
def test_a_template_of_the_whole_sky(tmp_path: Path, lon: float, projection: str, conventions: str) -> None:
    """What a constant one predicts is the sum of exposure and solid angle, wherever its own middle is."""
    sky = WcsGeometry.create(0.0, 0.0, 4.0, shape=(45, 90), frame="galactic")
    write_map(tmp_path / "t.fits", Map(sky, (), np.ones(sky.shape), "sr-1"))
    shape = TemplateSpatialModel(filename=str(tmp_path / "t.fits"), normalize=False)
    component: Any = source("s", shape, index=2.0, amplitude="1e-9 TeV-1 s-1 cm-2")
    geometry = WcsGeometry.create(lon, 0.0, 0.5, shape=(10, 12), frame="galactic", projection=projection)
    wide = dataset(geometry, 0.3).with_(psf=None)
    flux = 1e-9 * np.array([1.0 - 1.0 / 3.0, 1.0 / 3.0 - 0.1])
    expected: Array = (flux[:, None, None] * wide.exposure * geometry.solid_angle()).sum(axis=0)
    tolerance = 1e-6 if conventions == "gammapy" else 2e-3  # the exposure within a pixel, and the size of that
    np.testing.assert_allclose(predict_component(wide, component, conventions)[0], expected, rtol=tolerance)


def test_a_cutout_at_the_ends_of_a_map_around_the_sky() -> None:
    """The same pixels, and the same light in them, as from the map that is cut on the other side."""
    models = Models([source("s", in_galactic(SHAPES["gauss"](179.0)))])
    turned = WcsGeometry.create(180.0, 0.0, 2.0, shape=(10, 180), frame="galactic")
    parts = []
    for geometry in (WHOLE, turned):
        outcome = operations.cutout(
            Datasets([dataset(geometry, 1.5)]),
            models,
            "m",
            name="part",
            center=(181.0, 0.0),
            width=16.0,
            frame="galactic",
        )
        part: Any = outcome.datasets["part"]
        predicted = JointLikelihood(outcome.datasets, outcome.models)
        parts.append((part, predicted.predicted(predicted.layout.start)[0]))
    (one, counts), (other, expected) = parts
    assert one.geometry.shape == other.geometry.shape == (8, 8)
    np.testing.assert_allclose(one.geometry.grid(), other.geometry.grid(), rtol=1e-12)
    assert np.array_equal(one.counts, other.counts)
    np.testing.assert_allclose(counts, expected, rtol=1e-9)
