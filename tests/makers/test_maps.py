"""Maps of observations: golden numbers, laws, and Gammapy on the same files."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset
from gm.errors import DataError
from gm.irf.edisp_map import EdispKernelMap
from gm.makers.maps import MapDatasetMaker, divided
from gm.makers.phases import PhaseBackgroundMaker
from gm.makers.pixels import Pixels
from gm.makers.target import empty_map
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sphere import separation
from gm.observations import DataStore, Observation
from tests.dl3_files import bkg, bkg_cell, write_observation
from tests.makers.peer_maps import MAPS

SMALL = {
    "center": [83.4, 22.2],
    "binsz": 0.25,
    "npix": [13, 11],
    "energy": np.geomspace(0.2, 50.0, 5).tolist(),
    "energy_true": np.geomspace(0.15, 90.0, 7).tolist(),
}


def target(spec: Mapping[str, Any]) -> MapDataset:
    geometry = WcsGeometry.create(
        *spec["center"],
        spec["binsz"],
        shape=tuple(spec["npix"][::-1]),
        frame=spec.get("frame", "icrs"),
        projection=spec.get("proj", "TAN"),
    )
    migra = NodeAxis.from_edges("migra", spec["migra"]) if "migra" in spec else None
    energies = EnergyAxis(np.array(spec["energy"])), EnergyAxis(np.array(spec["energy_true"]), "energy_true")
    return empty_map("x", geometry, *energies, migra=migra, pixel_irf=spec.get("pixel_irf", 0.2))


def observation(path: Path, **parts: Any) -> Observation:
    return DataStore.open(write_observation(path / "one.fits", **parts)).observation(1)


def test_golden_numbers_of_a_hess_run(shared: Path) -> None:
    """From the notes on formats, made by Gammapy 2.1."""
    spec = {"center": [83.63, 22.01], "binsz": 0.5, "npix": [8, 6]}
    spec |= {"energy": np.geomspace(0.7, 20.0, 5), "energy_true": np.geomspace(0.3, 50.0, 7)}
    run = DataStore.open(shared / "data/hess-dl3-dr1").observation(23523)
    made, component = MapDatasetMaker().run(target(spec), run)
    assert component is None
    assert made.livetime == pytest.approx(1581.7367647, rel=1e-10)
    exposure = [3.0968455735e7, 3.8775373282e8, 6.8310818765e8, 9.8367329454e8, 1.0626050375e9, 1.0866887695e9]
    np.testing.assert_allclose(made.exposure[:, 2, 3] / 1e4, exposure, rtol=1e-7)
    assert made.background is not None
    np.testing.assert_allclose(made.background[:, 2, 3], [46.16752, 18.98084, 7.174869, 1.560264], rtol=1e-6)
    assert made.counts.sum(axis=(1, 2)).tolist() == [1936, 634, 292, 110]
    assert made.psf is not None
    profile = [80.53114258, 69.21046769, 57.88979431, 43.604960, 31.16424847]
    np.testing.assert_allclose(made.psf.data[2, :5, 3, 4] * np.radians(1.0) ** 2, profile, rtol=1e-7)
    assert made.geometry.solid_angle()[2, 3] == pytest.approx(7.614736e-5, rel=1e-6)


def assert_as_gammapy(made: MapDataset, theirs: MapDataset, moved: int) -> None:
    """``moved``: events so close to a border that single precision puts them into the pixel beside."""
    assert np.abs(made.counts - theirs.counts).sum() <= 2 * moved
    np.testing.assert_array_equal(made.counts.sum(axis=(1, 2)), theirs.counts.sum(axis=(1, 2)))
    np.testing.assert_array_equal(made.mask_safe, theirs.mask_safe)
    assert made.livetime == pytest.approx(theirs.livetime, rel=1e-12)
    assert made.psf is not None
    assert theirs.psf is not None
    assert made.edisp is not None
    assert theirs.edisp is not None
    assert made.psf.geometry.shape == theirs.psf.geometry.shape
    for mine, other in (
        (made.exposure, theirs.exposure),
        (made.background, theirs.background),
        (made.psf.data, theirs.psf.data),
        (made.psf.exposure, theirs.psf.exposure),
        (made.edisp.data, theirs.edisp.data),
        (made.edisp.exposure, theirs.edisp.exposure),
    ):
        assert mine is not None
        assert other is not None
        largest = np.abs(other).reshape(len(other), -1).max(axis=1)
        difference = np.abs(np.subtract(mine, other, dtype=np.float64)).reshape(len(other), -1).max(axis=1)
        assert (difference <= 1e-6 * largest).all(), difference / largest
    assert made.gti is not None
    assert theirs.gti is not None
    for column in ("START", "STOP"):
        np.testing.assert_allclose(made.gti.array(column), theirs.gti.array(column), rtol=0, atol=1e-6)


def compare(
    store: Path,
    folder: Path,
    gammapy: Callable[..., Any],
    spec: Mapping[str, Any],
    maker: MapDatasetMaker,
    moved: int = 0,
) -> None:
    gammapy(MAPS, store, folder, json.dumps(spec))
    for obs_id in spec["ids"]:
        made, _ = maker.run(target(spec), DataStore.open(store).observation(obs_id))
        entry = {"name": "x", "type": "MapDataset", "filename": str(folder / f"{obs_id}.fits")}
        theirs = Datasets.read({"datasets": [entry]})[0]
        assert isinstance(theirs, MapDataset)
        assert_as_gammapy(made, theirs, moved)


def test_hess_as_gammapy(shared: Path, tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    spec = {"center": [228.547, -59.174], "binsz": 0.04, "npix": [100, 90], "proj": "CAR", "ids": [20136, 20325]}
    spec |= {"energy": np.geomspace(0.6, 20.0, 6).tolist(), "energy_true": np.geomspace(0.3, 40.0, 11).tolist()}
    store = shared / "data/hess-dl3-dr1"
    compare(store, tmp_path, gammapy, spec, MapDatasetMaker(pixels=Pixels.of(target(spec).geometry)))


def test_cta_as_gammapy(
    shared: Path, tmp_path: Path, gammapy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALDB", str(shared / "data/cta-1dc/caldb"))
    spec = {"center": [266.0, -29.0], "binsz": 0.1, "npix": [60, 50], "ids": [110380]}
    spec |= {"energy": np.geomspace(0.1, 10.0, 6).tolist(), "energy_true": np.geomspace(0.03, 30.0, 11).tolist()}
    compare(shared / "data/cta-1dc/index/gps", tmp_path, gammapy, spec, MapDatasetMaker(), moved=10)


@pytest.mark.parametrize("kind", ["plain", "oversampled", "migra", "horizon"])
def test_made_files_as_gammapy(tmp_path: Path, gammapy: Callable[..., Any], kind: str) -> None:
    cards = {"FOVALIGN": "ALTAZ"} if kind == "horizon" else {}
    cell = bkg_cell()  # the same with longitude and latitude swapped, since Gammapy swaps them in square tables
    store = write_observation(tmp_path / "one.fits", bkg=bkg(cell + cell.transpose(0, 2, 1), **cards))
    options: dict[str, Any] = {"background_oversampling": 3} if kind == "oversampled" else {}
    spec = SMALL | {"ids": [1], "maker": options}
    spec |= {"migra": np.linspace(0.2, 2.0, 12).tolist()} if kind == "migra" else {}
    compare(store, tmp_path, gammapy, spec, MapDatasetMaker(**options))


def test_phases_as_gammapy(tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    store, phases = write_observation(tmp_path / "one.fits"), [[0.9, 1.1], [0.2, 0.8]]
    gammapy(MAPS, store, tmp_path, json.dumps(SMALL | {"ids": [1], "phases": phases}))
    entry = {"name": "x", "type": "MapDatasetOnOff", "filename": str(tmp_path / "1.fits")}
    theirs: Any = Datasets.read({"datasets": [entry]})[0]
    run = DataStore.open(store).observation(1)
    filled, _ = MapDatasetMaker().run(target(SMALL), run)
    made: Any = PhaseBackgroundMaker(*[[(low, high)] for low, high in phases]).run(filled, run)[0]
    for name in ("counts", "counts_off"):
        assert np.abs(getattr(made, name) - getattr(theirs, name)).sum() == 0
        assert getattr(made, name).sum() > 0
    for name in ("acceptance", "acceptance_off", "exposure"):
        np.testing.assert_allclose(getattr(made, name), getattr(theirs, name), rtol=1e-6)


def test_a_part_of_a_grid_is_the_same_as_cut_out_of_the_whole(tmp_path: Path) -> None:
    run = observation(tmp_path)
    whole = target(SMALL)
    maker = MapDatasetMaker(pixels=Pixels.of(whole.geometry))
    part = empty_map("x", whole.geometry.window(slice(2, 9), slice(3, 8)), whole.energy, whole.energy_true)
    made, alone = maker.run(whole, run)[0], MapDatasetMaker().run(part, run)[0]
    shared = maker.run(part, run)[0]
    for name in ("counts", "exposure", "background"):
        expected = getattr(made, name)[:, 2:9, 3:8]
        np.testing.assert_array_equal(getattr(shared, name), expected)
        np.testing.assert_allclose(getattr(alone, name), expected, rtol=2e-7)


def test_every_event_is_in_the_pixel_that_is_nearest(tmp_path: Path) -> None:
    run, empty = observation(tmp_path), target(SMALL)
    made, _ = MapDatasetMaker().run(empty, run)
    lon, lat = empty.geometry.grid()
    expected = np.zeros(made.counts.shape)
    for energy, ra, dec in zip(run.events.energy, run.events.lon, run.events.lat, strict=True):
        x, y = empty.geometry.pixel(ra, dec)
        k = int(np.searchsorted(empty.energy.edges, energy, side="right")) - 1
        at = round(float(y)), round(float(x))
        if 0 <= k < 4 and 0 <= at[0] < 11 and 0 <= at[1] < 13:
            nearest = separation(ra, dec, lon, lat)
            assert nearest[at] < nearest.min() + 1e-3
            expected[k, at[0], at[1]] += 1
    np.testing.assert_array_equal(made.counts, expected)
    assert expected.sum() > 100


def test_kernels_are_those_of_single_offsets(tmp_path: Path) -> None:
    run = observation(tmp_path)
    made, _ = MapDatasetMaker().run(target(SMALL), run)
    assert isinstance(made.edisp, EdispKernelMap)
    assert isinstance(made.edisp.geometry, WcsGeometry)
    lon, lat = made.edisp.geometry.grid()
    for at in ((0, 0), (5, 7), (13, 15)):
        offset = float(separation(*run.pointing_icrs(), lon[at], lat[at]))
        expected = run.edisp.kernel(made.energy_true, made.energy, offset)
        np.testing.assert_allclose(made.edisp.data[:, :, at[0], at[1]], expected, rtol=1e-6, atol=1e-9)


def test_what_is_not_selected_is_not_there(tmp_path: Path) -> None:
    run = observation(tmp_path, psf=None, edisp=None, bkg=None)
    made, _ = MapDatasetMaker(("counts", "exposure")).run(target(SMALL), run)
    assert (made.psf, made.edisp, made.background) == (None, None, None)
    with pytest.raises(DataError, match="no bkg"):
        MapDatasetMaker().run(target(SMALL), run)
    with pytest.raises(DataError, match="allowed: counts, exposure"):
        MapDatasetMaker(("count",))


def test_pixels_off_the_sky_see_nothing(tmp_path: Path) -> None:
    spec = SMALL | {"binsz": 40.0, "npix": [13, 9], "proj": "AIT", "pixel_irf": 40.0}
    made, _ = MapDatasetMaker().run(target(spec), observation(tmp_path))
    assert np.isfinite(made.exposure).all()
    assert made.background is not None
    assert np.isfinite(made.background).all()


def test_parts_of_bins_have_equal_widths_in_log_energy() -> None:
    axis = divided(EnergyAxis(np.array([1.0, 8.0, 64.0])), 3)
    np.testing.assert_allclose(axis.edges, 2.0 ** np.arange(7), rtol=1e-14)
