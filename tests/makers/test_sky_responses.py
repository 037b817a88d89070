"""Responses that are maps of the sky: read from a store and a file, and made into datasets as Gammapy makes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm import Datasets
from gm.datasets import MapDataset
from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.fits_writer import write_fits
from gm.irf.edisp_map import EdispKernelMap, EdispMigraMap
from gm.irf.psf import PsfMap
from gm.irf.sky_responses import SKY_KINDS, SkyBackground, SkyExposure, SkyPointSpread
from gm.makers.maps import MapDatasetMaker
from gm.makers.safe_mask import SafeMaskMaker
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.makers.target import empty_map
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.reading import read_map
from gm.maps.sky_region import SkyRegion
from gm.maps.writing import map_hdus
from gm.observations import DataStore, Observation
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from gm.pipeline.stages.observations.stage import REDUCE
from tests.sky_files import DAYS, sky_events, write_sky_store

ENERGY = np.array([1.0, 1.78, 3.16, 5.62, 10.0, 17.8, 31.6, 56.2, 100.0, 177.0, 316.0])
TRUE = np.geomspace(0.5, 300.0, 15)

PEER = """
import json, sys
import numpy as np
from gammapy.data import DataStore
from gammapy.datasets import MapDataset
from gammapy.makers import MapDatasetMaker
from gammapy.maps import MapAxis, WcsGeom
store, out, spec = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
observation = DataStore.from_dir(store).obs(1, "all-optional")
energy = MapAxis.from_edges(np.array(spec["energy"]), unit="TeV", name="energy", interp="log")
true = MapAxis.from_edges(np.array(spec["energy_true"]), unit="TeV", name="energy_true", interp="log")
geom = WcsGeom.create(skydir=(83.9, 22.2), binsz=0.13, npix=(25, 20), axes=[energy], frame="icrs", proj="TAN")
empty = MapDataset.create(geom, energy_axis_true=true, name="x", binsz_irf=0.7,
    reco_psf="energy" in observation.psf.psf_map.geom.axes.names, rad_axis=observation.psf.psf_map.geom.axes["rad"])
MapDatasetMaker().run(empty, observation).write(out, overwrite=True)
print(json.dumps("written"))
"""


def target(energy: Any = ENERGY) -> MapDataset:
    geometry = WcsGeometry.create(83.9, 22.2, 0.13, shape=(20, 25), projection="TAN")
    return empty_map("x", geometry, EnergyAxis(energy), EnergyAxis(TRUE, "energy_true"), pixel_irf=0.7)


def compare(store: Path, folder: Path, gammapy: Callable[..., Any]) -> None:
    """All that is made, with what Gammapy makes."""
    gammapy(PEER, store, folder / "theirs.fits", json.dumps({"energy": ENERGY.tolist(), "energy_true": TRUE.tolist()}))
    entry = {"name": "x", "type": "MapDataset", "filename": str(folder / "theirs.fits")}
    theirs: Any = Datasets.read({"datasets": [entry]})[0]
    made: Any = MapDatasetMaker().run(target(), DataStore.open(store).observation(1))[0]
    assert np.abs(made.counts - theirs.counts).sum() <= 2
    assert made.psf.is_reco == theirs.psf.is_reco
    for mine, other in (
        (made.exposure, theirs.exposure),
        (made.background, theirs.background),
        (made.psf.data, theirs.psf.data),
        (made.edisp.data, theirs.edisp.data),
        *([(made.psf.exposure, theirs.psf.exposure)] if theirs.psf.exposure is not None else []),
        *([(made.edisp.exposure, theirs.edisp.exposure)] if theirs.edisp.exposure is not None else []),
    ):
        assert other.max() > 0.0
        largest = np.abs(other).reshape(len(other), -1).max(axis=1)
        difference = np.abs(np.subtract(mine, other, dtype=np.float64)).reshape(len(other), -1).max(axis=1)
        rounding = 1e-15 * other.max()  # an edge of the energies is one of the file, but for its last bit
        assert (difference <= 1e-6 * largest + rounding).all(), (difference, largest)


def test_hawc_as_gammapy(shared: Path, tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    compare(write_sky_store(tmp_path / "store", {1: shared / "data/hawc/DL4/nHit-6.fits.gz"}), tmp_path, gammapy)


def written(folder: Path, area: str, rate: str, *, migra: bool = False, reco: bool = False) -> Path:
    """Responses that vary with energy and over the sky; ``area`` and ``rate``: units of exposure and background."""
    rng = np.random.default_rng(3)
    fine, coarse = (WcsGeometry.create(83.63, 22.01, step, (5.0, 5.0)) for step in (0.2, 1.0))
    energy, true = EnergyAxis(ENERGY), EnergyAxis(np.geomspace(0.4, 400.0, 13), "energy_true")
    rad, over = NodeAxis.from_edges("rad", np.linspace(0.0, 2.0, 21), "deg"), EnergyAxis(ENERGY)
    ratio = NodeAxis.from_edges("migra", np.linspace(0.2, 4.0, 20))
    spread = over if reco else true

    def values(*sizes: int) -> Any:
        return rng.uniform(0.5, 1.5, sizes)

    seen = values(true.n_bins, 1, *coarse.shape) * 1e10
    hdus = [
        *map_hdus(Map(fine, (true,), values(true.n_bins, *fine.shape) * 1e5, area), "EXPOSURE"),
        *map_hdus(Map(fine, (energy,), values(energy.n_bins, *fine.shape), rate), "BACKGROUND"),
        *map_hdus(Map(coarse, (spread, rad), values(spread.n_bins, 20, *coarse.shape), "sr-1"), "PSF"),
    ]
    density = values(true.n_bins, ratio.n_bins if migra else energy.n_bins, *coarse.shape)
    hdus += map_hdus(
        Map(coarse, (true, ratio if migra else energy), density / density.sum(axis=1, keepdims=True)), "EDISP"
    )
    if not reco:
        hdus += map_hdus(Map(coarse, (true, rad.squashed()), seen, "cm2 s"), "PSF_EXPOSURE")
    write_fits(folder / "responses.fits", hdus)
    return folder / "responses.fits"


@pytest.mark.parametrize(
    ("area", "rate", "reco"),
    [("m2", "", True), ("m2 s transit-1", "TeV-1 sr-1 transit-1", False), ("m2 s", "TeV-1 sr-1", False)],
)
def test_made_responses_as_gammapy(
    tmp_path: Path, gammapy: Callable[..., Any], area: str, rate: str, reco: bool
) -> None:
    files, kind = {1: written(tmp_path, area, rate, reco=reco)}, "psf_map_reco" if reco else "psf_map"
    compare(write_sky_store(tmp_path / "store", files, PSF=kind), tmp_path, gammapy)


def made_of(folder: Path, **options: Any) -> Observation:
    file = written(folder, options.pop("area", "m2"), options.pop("rate", "TeV-1 sr-1 s-1"), **options)
    return DataStore.open(write_sky_store(folder / "store", {1: file})).observation(1, "full-enclosure")


def test_units_say_what_a_response_is_of(tmp_path: Path) -> None:
    time, lon, lat = DAYS * 86400.0, np.array(83.7), np.array(22.1)
    found = {}
    for area in ("m2", "m2 s", "m2 s / transit", "cm2 s transit^-1"):
        observation = made_of(tmp_path, area=area)
        found[area] = observation.aeff.exposure(TRUE, lon, lat, observation)
    np.testing.assert_allclose(found["m2"], found["m2 s"] * time)
    np.testing.assert_allclose(found["m2 s / transit"], found["m2 s"] * time / 86164.0905)
    np.testing.assert_allclose(found["cm2 s transit^-1"], found["m2 s / transit"] / 1e4)
    with pytest.raises(DataError, match="HDU EXPOSURE: is in 'TeV'\n    allowed: cm2 s, cm2"):
        _ = made_of(tmp_path, area="TeV").aeff
    with pytest.raises(DataError, match="HDU BACKGROUND: is in 'TeV-1 sr-1 s-1 transit-1'"):
        _ = made_of(tmp_path, rate="TeV-1 sr-1 s-1 transit-1").bkg


def test_a_spectrum_is_that_of_the_place(tmp_path: Path) -> None:
    """Linear in pixels: at a pixel's centre the value itself; the background is its density there."""
    observation = made_of(tmp_path, rate="")
    background: Any = observation.bkg
    assert isinstance(background, SkyBackground)
    grid = background.values.geometry
    lon, lat = (float(x) for x in grid.sky(12.0, 11.0))
    region = SkyRegion.from_mapping({"type": "circle", "center": [lon, lat], "radius": "0.3 deg"})
    empty = empty_spectrum("x", EnergyAxis(ENERGY), EnergyAxis(np.geomspace(0.4, 400.0, 13)), region)
    made, _ = SpectrumDatasetMaker().run(empty, observation)
    area: Any = observation.aeff
    assert isinstance(area, SkyExposure)
    np.testing.assert_allclose(made.exposure, area.values.data[:, 11, 12] * 1e4 * DAYS * 86400.0)
    assert made.background is not None
    np.testing.assert_allclose(made.background / (np.pi * np.radians(0.3) ** 2), background.values.data[:, 11, 12])
    np.testing.assert_allclose(made.edisp, observation.edisp.matrix(empty.energy_true, empty.energy, lon, lat, None))  # type: ignore[arg-type]
    masked, _ = SafeMaskMaker(["aeff-max", "bkg-peak"], position=(lon, lat, "icrs"), irfs="DL3").run(made, observation)
    assert masked.mask_safe is not None
    containment = replace(SpectrumDatasetMaker(), containment_correction=True).run(empty, observation)[0]
    assert isinstance(observation.psf, SkyPointSpread)
    part = observation.psf.psf.containment(0.3, empty.energy_true.center, lon, lat, "icrs")
    np.testing.assert_allclose(containment.exposure, made.exposure * part)


def test_beyond_their_ends_there_is_nothing(tmp_path: Path) -> None:
    observation = made_of(tmp_path)
    far, energies = np.array([83.63, 93.0, np.nan]), np.array([1e-3, 1.0, 1e3])
    exposure = observation.aeff.exposure(energies, far, np.full(3, 22.01), observation)
    assert np.argwhere(exposure > 0.0).tolist() == [[1, 0]]


def test_densities_in_migra_stay_so(tmp_path: Path) -> None:
    made, _ = MapDatasetMaker().run(target(), made_of(tmp_path, migra=True))
    assert isinstance(made.edisp, EdispMigraMap)
    assert made.edisp.migra.n_bins == 19
    assert made.edisp.exposure is not None


def test_bins_that_a_response_cannot_have_are_told(tmp_path: Path) -> None:
    observation = made_of(tmp_path, rate="")
    with pytest.raises(DataError, match=r"the background is one of 10 bins .*\n    energy: \[1 TeV, 1.78 TeV"):
        MapDatasetMaker(("counts", "background")).run(target(ENERGY[::2]), observation)
    with pytest.raises(DataError, match="the energy dispersion is one of 10 bins"):
        MapDatasetMaker(("counts", "edisp")).run(target(ENERGY[::2]), observation)
    assert isinstance(MapDatasetMaker().run(target(), observation)[0].edisp, EdispKernelMap)


def test_a_psf_of_reconstructed_energy_corrects_no_exposure(tmp_path: Path) -> None:
    observation = made_of(tmp_path, reco=True)
    with pytest.raises(DataError, match="a PSF of reconstructed energy corrects no exposure"):
        observation.psf.contained(0.1, TRUE, np.array(83.63), np.array(22.01), observation)


def test_events_and_maps_in_one_file(tmp_path: Path) -> None:
    """As a file of one observation, with the names that map datasets give to their responses."""
    responses = read_fits(written(tmp_path, "m2", "TeV-1 sr-1"))
    assert {kind for kind in SKY_KINDS if not kind.startswith(("psf", "edisp"))} == {"aeff_map", "bkg_map"}
    observation = DataStore.open(write_sky_store(tmp_path / "store", {1: responses.path})).observation(1)
    held = Map(
        WcsGeometry.create(83.63, 22.01, 0.5, (2.0, 2.0)), (EnergyAxis(TRUE, "energy_true"),), np.ones((14, 4, 4)), "m2"
    )
    write_fits(tmp_path / "one.fits", [sky_events(), *map_hdus(held, "EXPOSURE")])
    alone = DataStore.open(tmp_path / "one.fits").observation(1)
    assert alone.hdus["aeff"].kind == "aeff_map" == observation.hdus["aeff"].kind
    assert isinstance(alone.aeff, SkyExposure)
    assert isinstance(observation.psf.on_map(target().psf, EnergyAxis(ENERGY), observation), PsfMap)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [("EXPOSURE", np.nan, "not finite"), ("PSF", np.nan, "is nan in bin"), ("EDISP", -1.0, "is -1 in bin")],
)
def test_damaged_maps_are_told(tmp_path: Path, name: str, value: float, message: str) -> None:
    file = written(tmp_path, "m2", "TeV-1 sr-1")
    held = read_map(file, name)
    data = held.data.copy()
    data[2, 3, 1] = value
    write_fits(tmp_path / "bad.fits", map_hdus(held.with_(data=data), name))
    extension = read_fits(tmp_path / "bad.fits")
    kind = {"EXPOSURE": "aeff_map", "PSF": "psf_map", "EDISP": "edisp_map"}[name]
    with pytest.raises(DataError, match=f"HDU {name}: .*{message}"):
        SKY_KINDS[kind](extension, extension.get(name))


def test_maps_of_the_sky_through_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Single maps and their stack, whose PSF keeps the distances of the responses; a fit reads them."""
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, "m2", "TeV-1 sr-1")
    write_sky_store(tmp_path / "store", {1: file, 2: file}, PSF="psf_map")
    edges = ", ".join(f"{edge:g} TeV" for edge in ENERGY)
    entry = f"""\
    data: store
    dataset: map
    energy: [{edges}]
    energy_true: {{min: 0.5 TeV, max: 300 TeV, n_bins: 14}}
    geometry: {{center: [83.63, 22.01], width: 2 deg, pixel: 0.2 deg, pixel_irf: 1 deg}}
"""
    entries = f'  - name: "run-{{obs_id}}"\n{entry}  - name: whole\n{entry}    stack: true\n'
    Path("config.yaml").write_text(f"version: 1\nmodels: {{components: []}}\nobservations:\n{entries}")
    outcome = run(Request("config.yaml", output="out"), Silent(), REDUCE)
    assert outcome.exit_code == 0
    one, other, whole = (dataset for dataset in Datasets.read("out/datasets.yaml"))
    assert isinstance(one, MapDataset)
    assert isinstance(other, MapDataset)
    assert isinstance(whole, MapDataset)
    np.testing.assert_array_equal(whole.counts, one.counts + other.counts)
    np.testing.assert_allclose(whole.exposure, one.exposure + other.exposure, rtol=1e-6)
    assert whole.psf is not None
    assert one.psf is not None
    assert whole.psf.rad.n_bins == one.psf.rad.n_bins == 20
    np.testing.assert_allclose(whole.psf.data, one.psf.data, rtol=1e-5)
