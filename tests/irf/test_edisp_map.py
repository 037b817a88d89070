"""Energy dispersion maps: which pixel a source gets, and what becomes of migra."""

from __future__ import annotations

import numpy as np
import pytest

from gm.conventions import Conventions
from gm.errors import DataError
from gm.irf.edisp import migra_matrix
from gm.irf.edisp_map import EdispKernelMap, EdispMigraMap, edisp_from_map
from gm.irf.positions import nearest_pixel
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.regions import RegionGeometry

TRUE = EnergyAxis(np.geomspace(0.1, 10, 5), "energy_true")
RECO = EnergyAxis(np.geomspace(0.1, 10, 4))
MIGRA = NodeAxis.from_edges("migra", np.linspace(0.2, 5, 49))
GRID = WcsGeometry.create(30.0, 10.0, 0.5, shape=(3, 5))
RNG = np.random.default_rng(1)


@pytest.fixture
def kernels() -> EdispKernelMap:
    edisp = edisp_from_map(Map(GRID, (TRUE, RECO), RNG.random((4, 3, 3, 5)).astype(np.float32)))
    assert isinstance(edisp, EdispKernelMap)
    return edisp


@pytest.fixture
def migra() -> EdispMigraMap:
    edisp = edisp_from_map(Map(GRID, (TRUE, MIGRA), RNG.random((4, 48, 3, 5))))
    assert isinstance(edisp, EdispMigraMap)
    return edisp


def at(x: float, y: float) -> tuple[float, float]:
    lon, lat = GRID.sky(x, y)
    return float(lon), float(lat)


def test_the_nearest_pixel(kernels: EdispKernelMap, migra: EdispMigraMap) -> None:
    assert np.array_equal(kernels.kernel(RECO, *at(3.4, 0.6)), kernels.data[:, :, 1, 3])
    assert np.array_equal(kernels.kernel(RECO), kernels.data[:, :, 1, 2])
    expected = migra_matrix(migra.data[:, :, 1, 3], MIGRA.edges, TRUE, RECO)
    assert np.array_equal(migra.kernel(RECO, *at(3.4, 0.6)), expected)
    assert kernels.kernel(RECO).dtype == np.float64


@pytest.mark.parametrize(("axis", "n"), [(RECO, 3), (MIGRA, 48)])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_values_that_are_no_dispersion(axis: EnergyAxis | NodeAxis, n: int, bad: float) -> None:
    """Where something was observed; elsewhere whatever stands there is nothing."""
    data = np.ones((4, n, 3, 5))
    data[1, 2, 0, 4] = bad
    with pytest.raises(DataError, match=rf"is {bad:g} in bin energy_true 1, {axis.name} 2, y 0, x 4"):
        edisp_from_map(Map(GRID, (TRUE, axis), data))
    exposure = np.ones((4, 1, 3, 5))
    exposure[1, 0, 0, 4] = 0
    squashed = NodeAxis.from_edges(axis.name, axis.edges[[0, -1]])
    edisp = edisp_from_map(Map(GRID, (TRUE, axis), data), Map(GRID, (TRUE, squashed), exposure, "cm2 s"))
    assert edisp.data[:, :, 0, 4].tolist() == [[1] * n, [0] * n, [1] * n, [1] * n]


def test_an_empty_pixel(kernels: EdispKernelMap, migra: EdispMigraMap) -> None:
    """Matrices are taken from the nearest pixel that has one; of migra, Gammapy takes what is there."""
    kernels.data[..., 0] = 0
    migra.data[..., 0] = 0
    assert np.array_equal(kernels.kernel(RECO, *at(-3, 1)), kernels.data[:, :, 1, 1])
    assert migra.kernel(RECO, *at(-3, 1)).max() == 0
    expected = migra_matrix(migra.data[:, :, 1, 1], MIGRA.edges, TRUE, RECO)
    assert np.array_equal(migra.kernel(RECO, *at(-3, 1), conventions=Conventions.EXACT), expected)


def test_half_way_is_the_lower_pixel() -> None:
    assert nearest_pixel((3, 5), 2.5, 1.5 + 1e-12) == (1, 2)
    assert nearest_pixel((3, 5), -7.0, 9.0) == (2, 0)


def test_regions_have_one_matrix() -> None:
    data = RNG.random((4, 3, 1, 1))
    edisp = edisp_from_map(Map(RegionGeometry(None), (TRUE, RECO), data))
    assert np.array_equal(edisp.kernel(RECO, 12.0, 80.0, "galactic"), data[..., 0, 0])


def test_migra_on_a_logarithmic_scale() -> None:
    """A density 1/m between 0.5 and 2 is uniform in ln m: its cumulative sum is a straight line there."""
    edges = np.geomspace(0.5, 2.0, 41)
    density = np.diff(np.log(edges)) / np.diff(edges) / np.log(4.0)
    true, energy = EnergyAxis(np.array([0.5, 2.0]), "energy_true"), EnergyAxis(np.array([0.5, 0.8, 1.7, 9.0]))
    expected = [np.log(0.8 / 0.5) / np.log(4), np.log(1.7 / 0.8) / np.log(4), np.log(2 / 1.7) / np.log(4)]
    np.testing.assert_allclose(migra_matrix(density[None], edges, true, energy, "log")[0], expected, rtol=1e-12)


def test_other_energies(kernels: EdispKernelMap) -> None:
    with pytest.raises(DataError, match="3 energy bins, the counts 4"):
        kernels.kernel(EnergyAxis(np.geomspace(0.1, 10, 5)))


def test_maps_that_are_no_energy_dispersion() -> None:
    with pytest.raises(DataError, match="found energy, energy_true"):
        edisp_from_map(Map(GRID, (RECO, TRUE), np.ones((3, 4, 3, 5))))
