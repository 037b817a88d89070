"""Datasets simulated from DL3 responses: what the makers of a reduction, and those of Gammapy, make of these."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from gm.config_schemas.reader import read_document
from gm.datasets import Datasets, MapDataset, SpectrumDatasetOnOff
from gm.errors import DataError, InvalidInput
from gm.io.fits_writer import write_fits
from gm.makers.maps import MapDatasetMaker
from gm.makers.spectra import SpectrumDatasetMaker
from gm.makers.target import empty_map
from gm.maps.rotation import rotate
from gm.observations import DataStore
from gm.observations.planned import planned
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from tests.dl3_files import aeff, bkg, edisp, events, gti, psf, write_observation, write_store

MODELS = """
components:
- name: source
  type: SkyModel
  spectral:
    type: PowerLawSpectralModel
    parameters:
    - {name: index, value: 2.0}
    - {name: amplitude, value: 1.0e-11, unit: cm-2 s-1 TeV-1}
    - {name: reference, value: 1.0, unit: TeV, frozen: true}
  spatial:
    type: PointSpatialModel
    frame: icrs
    parameters:
    - {name: lon_0, value: 83.63, unit: deg, frozen: true}
    - {name: lat_0, value: 22.01, unit: deg, frozen: true}
"""
REGION = "region: {type: circle, center: [83.63, 22.01], radius: 0.15 deg}"
GEOMETRY = "geometry: {center: [83.63, 22.01], width: [1.0 deg, 0.8 deg], binsz: 0.05 deg, projection: TAN}"
ENERGY = "energy: [0.2 TeV, 1 TeV, 5 TeV, 20 TeV], energy_true: {min: 0.15 TeV, max: 50 TeV, n_bins: 12}"
POINTING = "pointing: {center: [83.63, 22.51]}"
CALDB = "data/cta-caldb/Prod5-South-20deg-AverageAz-14MSTs37SSTs.180000s-v0.1.fits.gz"
PEER = """
import sys
import numpy as np, astropy.units as u
from astropy.coordinates import SkyCoord
from gammapy.data import FixedPointingInfo, Observation
from gammapy.datasets import MapDataset, SpectrumDataset
from gammapy.irf import load_irf_dict_from_file
from gammapy.makers import MapDatasetMaker, SpectrumDatasetMaker
from gammapy.maps import MapAxis, RegionGeom, WcsGeom
from gammapy.modeling.models import Models
from regions import CircleSkyRegion
irfs, models, out = sys.argv[1:]
center = SkyCoord(83.63, 22.01, unit="deg")
pointing = FixedPointingInfo(fixed_icrs=SkyCoord(83.63, 22.51, unit="deg"))
observation = Observation.create(pointing=pointing, livetime=5 * u.h, irfs=load_irf_dict_from_file(irfs))
energy = MapAxis.from_energy_edges([0.2, 1, 5, 20] * u.TeV)
true = MapAxis.from_energy_bounds("0.15 TeV", "50 TeV", nbin=12, name="energy_true")
geom = WcsGeom.create(skydir=center, width=(1.0, 0.8), binsz=0.05, proj="TAN", axes=[energy])
made = MapDatasetMaker(selection=["exposure", "background", "psf", "edisp"]).run(
    MapDataset.create(geom, energy_axis_true=true), observation)
made.models = Models.read(models)
region = RegionGeom.create(CircleSkyRegion(center, 0.15 * u.deg), axes=[energy])
maker = SpectrumDatasetMaker(selection=["exposure", "background", "edisp"], containment_correction=True)
spectrum = maker.run(SpectrumDataset.create(region, energy_axis_true=true), observation)
np.savez(out, exposure=made.exposure.quantity.to_value("cm2 s"), background=made.background.data,
         psf=made.psf.psf_map.quantity.to_value("sr-1"), edisp=made.edisp.edisp_map.data, npred=made.npred().data,
         spectrum_exposure=spectrum.exposure.quantity.to_value("cm2 s").ravel(),
         spectrum_edisp=spectrum.edisp.get_edisp_kernel(energy_axis=energy).pdf_matrix,
         spectrum_background=spectrum.background.data.ravel())
print("{}")
"""


def simulated(folder: Path, *entries: str, rest: str = "") -> Datasets:
    """Datasets of expected counts."""
    (folder / "models.yaml").write_text(MODELS)
    listed = "".join(f"    - {{{entry}}}\n" for entry in entries)
    text = f"version: 1\nmodels: models.yaml\noutput: results\nsimulate:\n  asimov: true\n  datasets:\n{listed}{rest}"
    (folder / "config.yaml").write_text(text)
    run(Request(str(folder / "config.yaml")), Silent())
    return Datasets.read(folder / "results" / "datasets.yaml")


def responses(path: Path) -> Path:
    """A file of responses without events, as a calibration database has it."""
    write_fits(path, [aeff(), edisp(), psf(), bkg()])
    return path


def problems(folder: Path, *entries: str) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        simulated(folder, *entries)
    return [str(problem) for problem in caught.value.problems]


def test_a_spectrum_is_exposure_times_model_and_the_background(tmp_path: Path) -> None:
    responses(tmp_path / "irfs.fits")
    entry = f"name: a, response: {{irfs: irfs.fits, {POINTING}}}, livetime: 2 h, {REGION}, {ENERGY}"
    (made,) = simulated(tmp_path, entry)
    assert made.exposure.shape == (12,)
    edges = made.energy_true.edges
    area = planned(tmp_path / "irfs.fits", pointing=(83.63, 22.51), livetime=7200.0).aeff.evaluate(
        made.energy_true.center, 0.5
    )
    assert_allclose(made.exposure, area * 7200.0, rtol=1e-6)
    signal = (1e-11 * (1.0 / edges[:-1] - 1.0 / edges[1:]) * made.exposure) @ made.edisp
    assert (made.background > 0.0).all()
    assert_allclose(made.counts, signal + made.background, rtol=1e-6)


def test_on_off_counts_are_scaled_by_the_acceptances(tmp_path: Path) -> None:
    responses(tmp_path / "irfs.fits")
    common = f"response: {{irfs: irfs.fits, {POINTING}}}, livetime: 2 h, {REGION}, {ENERGY}"
    known, *copies = simulated(
        tmp_path,
        f"name: a, {common}",
        f"name: b, copies: 2, type: SpectrumDatasetOnOff, acceptance: 2, acceptance_off: 5, {common}",
        rest="fit: {datasets: 'b-*'}\n",
    )
    for dataset in copies:
        assert isinstance(dataset, SpectrumDatasetOnOff)
        assert_array_equal(dataset.counts, known.counts)
        assert_allclose(dataset.counts_off, 2.5 * known.background, rtol=1e-12)
    fitted = read_document(tmp_path / "results/fit/fit.yaml").data["parameters"]
    for row in fitted:
        if not row["frozen"]:
            assert row["value"] == pytest.approx(
                {"index": 2.0, "amplitude": 1e-11}[row["name"].split(".")[1]], rel=1e-6
            )


def test_responses_of_an_observation_are_those_that_a_reduction_takes(tmp_path: Path) -> None:
    """Times and pointing of the observation; a table of H.E.S.S. DL3-DR1 is turned as the header of its events says."""
    hess = {"CREATOR": "SASH FITS::EventListWriter", "HDUVERS": "0.2"}
    files = {
        number: write_observation(tmp_path / f"{number}.fits", number, events=events(obs_id=number, **cards))
        for number, cards in {7: {}, 8: hess}.items()
    }
    write_store(tmp_path, files)
    common = f"{GEOMETRY}, {ENERGY}"
    made = simulated(
        tmp_path,
        *(f"name: m{number}, response: {{irfs: ., id: {number}}}, {common}" for number in files),
        f"name: s8, response: {{irfs: 8.fits}}, {REGION}, {ENERGY}",
    )
    for number, dataset in zip(files, made, strict=False):
        assert isinstance(dataset, MapDataset)
        target = empty_map("x", dataset.geometry, dataset.energy, dataset.energy_true)
        reduced, _ = MapDatasetMaker().run(target, DataStore.open(tmp_path).observation(number))
        assert_array_equal(dataset.exposure, reduced.exposure)
        assert_array_equal(dataset.background, reduced.background)
        assert_array_equal(dataset.psf.data, reduced.psf.data)
        assert dataset.livetime == reduced.livetime == 900.0
    assert not np.allclose(made["m7"].background, made["m8"].background, rtol=1e-3)
    inputs = read_document(tmp_path / "results/provenance.yaml").data["stages"]["simulate"]["inputs"]["files"]
    assert {Path(name).name for name in inputs} >= {"hdu-index.fits.gz", "7.fits", "8.fits"}


def test_a_live_time_and_a_pointing_of_its_own(tmp_path: Path) -> None:
    path = write_observation(tmp_path / "one.fits", 3, gti=gti((100.0, 300.0), (400.0, 500.0)))
    as_it_was, longer = planned(path), planned(path, pointing=(83.0, 21.0), livetime=1800.0)
    assert (as_it_was.obs_id, as_it_was.livetime(), as_it_was.ontime()) == (3, pytest.approx(270.0), 300.0)
    assert (longer.livetime(), longer.ontime()) == (pytest.approx(1800.0), pytest.approx(2000.0))
    assert longer.gti.start.tolist() == [100.0]
    assert (as_it_was.pointing_icrs(), longer.pointing_icrs()) == ((83.6, 22.5), (83.0, 21.0))
    with pytest.raises(DataError, match="is planned, and has no events"):
        _ = longer.events


@pytest.mark.parametrize(
    ("response", "rest", "told"),
    [
        ("irfs: irfs.fits", REGION, r"has responses and no observation\n    needed: pointing: .*, livetime: "),
        (f"irfs: irfs.fits, {POINTING}", REGION, r"needed: livetime: 50 h"),
        ("irfs: .", REGION, r"which of 2 observations is not said\n    id: 7"),
        ("irfs: ., id: 9", REGION, "no observation 9"),
        ("irfs: 7.fits, id: 9", REGION, "7.fits: no observation 9"),
        ("irfs: models.yaml", REGION, "models.yaml"),
        (f"irfs: bare.fits, {POINTING}", f"livetime: 1 h, {REGION}", "no edisp, bkg to simulate 'a' with"),
    ],
)
def test_what_cannot_be_simulated_is_told(tmp_path: Path, response: str, rest: str, told: str) -> None:
    responses(tmp_path / "irfs.fits")
    write_fits(tmp_path / "bare.fits", [aeff()])
    write_store(tmp_path, {n: write_observation(tmp_path / f"{n}.fits", n) for n in (7, 8)})
    (problem,) = problems(tmp_path, f"name: a, response: {{{response}}}, {rest}, {ENERGY}")
    assert "config.yaml:7:27: $.simulate.datasets[0].response: " in problem
    assert re.search(told, problem)


def test_what_makers_refuse_is_told_with_the_dataset(tmp_path: Path) -> None:
    write_observation(tmp_path / "7.fits", 7)
    square = "region: {type: rectangle, center: [83.63, 22.01], width: 0.2 deg, height: 0.2 deg}"
    with pytest.raises(DataError, match="dataset a: the containment correction needs a circle"):
        simulated(tmp_path, f"name: a, response: {{irfs: 7.fits}}, {square}, containment_correction: true, {ENERGY}")


def test_a_field_of_view_elsewhere_is_told(tmp_path: Path) -> None:
    write_observation(tmp_path / "7.fits", 7)
    with pytest.raises(DataError, match="dataset a: no exposure, the field of view is elsewhere"):
        simulated(tmp_path, f"name: a, response: {{irfs: 7.fits, pointing: {{center: [200, 22]}}}}, {REGION}, {ENERGY}")


def test_frames_and_files_of_regions(tmp_path: Path) -> None:
    responses(tmp_path / "irfs.fits")
    (tmp_path / "on.reg").write_text("icrs\ncircle(83.63, 22.01, 0.15)\n")
    galactic = "pointing: {center: [184.130, -5.515], frame: galactic}"
    icrs = [float(x) for x in rotate(184.130, -5.515, "galactic", "icrs")]
    common = f"livetime: 2 h, {ENERGY}"
    one, other = simulated(
        tmp_path,
        f"name: a, response: {{irfs: irfs.fits, {galactic}}}, region: {{type: file, filename: on.reg}}, {common}",
        f"name: b, response: {{irfs: irfs.fits, pointing: {{center: {icrs}}}}}, {REGION}, {common}",
    )
    assert_allclose(one.counts, other.counts, rtol=1e-9)
    inputs = read_document(tmp_path / "results/provenance.yaml").data["stages"]["simulate"]["inputs"]["files"]
    assert {Path(name).name for name in inputs} >= {"irfs.fits", "on.reg"}


def test_safe_bins_and_coarse_pixels(tmp_path: Path) -> None:
    """What is safe is what a reduction of the observation calls safe; counts are drawn in all bins."""
    write_observation(tmp_path / "one.fits", 1)
    safe = "safe_mask: [{type: aeff_default}, {type: offset_max, offset: 0.7 deg}, "
    safe += "{type: aeff_max, percent: 1, irfs: DL3}]"
    geometry, default = GEOMETRY.replace("}", ", pixel_irf: 0.5 deg}"), "safe_mask: [{type: aeff_default}]"
    one, whole, spectrum = simulated(
        tmp_path,
        f"name: a, response: {{irfs: one.fits}}, {geometry}, {ENERGY}, {safe}",
        f"name: b, response: {{irfs: one.fits}}, {GEOMETRY}, {ENERGY}",
        f"name: c, response: {{irfs: one.fits}}, {REGION}, {ENERGY}, use_region_center: false, {default}",
    )
    pointing = planned(tmp_path / "one.fits").pointing_icrs()
    near = one.geometry.separation(*pointing, "icrs") < 0.7
    bins = (one.energy.lo >= 0.5 * (1 - 1e-6)) & (one.energy.hi <= 50.0 * (1 + 1e-6))
    assert_array_equal(one.mask_safe, bins[:, None, None] & near)
    assert whole.mask_safe is None or whole.mask_safe.all()
    assert one.psf.geometry.shape < whole.psf.geometry.shape
    assert_array_equal(spectrum.mask_safe, bins)
    assert 0 < bins.sum() < len(bins)


def test_problems_have_their_places(tmp_path: Path) -> None:
    responses(tmp_path / "irfs.fits")
    known = f"response: {{irfs: irfs.fits, {POINTING}}}, livetime: 1 h"
    found = problems(
        tmp_path,
        "name: a, response: {irfs: nothing.fits, pointing: {center: [0, 95]}}",
        f"name: b, {known}, type: MapDataset, {REGION}, {ENERGY}",
        f"name: c, response: iact, {REGION}, containment_correction: true",
        f"name: d, {known}, {GEOMETRY}, {REGION}, {ENERGY}, acceptance: 2",
        f"name: e, response: iact, {GEOMETRY.replace('}', ', pixel_irf: 1 deg}')}, safe_mask: [{{type: bkg_peak}}]",
        f"name: f, {known}, {REGION}, {ENERGY}, safe_mask: [{{type: offset_max, offset: -1 deg}}]",
    )
    wanted = [
        ("datasets[0]", "no energy"),
        ("datasets[0]", "a spectrum of DL3 responses needs a region"),
        ("datasets[0].response.irfs", "no such file: nothing.fits"),
        ("datasets[0].response.pointing", "the latitude 95 deg is no point of the sky"),
        ("datasets[1]", "a MapDataset needs a geometry"),
        ("datasets[1].region", "only spectra have a region"),
        ("datasets[2].region", "only DL3 responses are taken at a region"),
        ("datasets[2].containment_correction", "only DL3 responses are taken at a region"),
        ("datasets[3].region", "only spectra have a region"),
        ("datasets[3].acceptance", "only On/Off datasets have acceptances"),
        ("datasets[4].safe_mask", "only DL3 responses say what is safe"),
        ("datasets[4].geometry.pixel_irf", "only DL3 responses have pixels of their own"),
        ("datasets[5].safe_mask[0].offset", "-1 deg is negative or not finite"),
    ]
    text = "\n".join(found)
    assert [f"$.simulate.{place}: {message}" in text for place, message in wanted] == [True] * len(wanted), text
    assert len(found) == len(wanted)


def test_gammapy_makes_the_same_of_a_calibration_database(
    shared: Path, gammapy: Callable[..., Any], tmp_path: Path
) -> None:
    common = f"response: {{irfs: '{shared / CALDB}', {POINTING}}}, livetime: 5 h, {ENERGY}"
    made = simulated(
        tmp_path,
        f"name: map, {GEOMETRY}, {common}",
        f"name: spectrum, {REGION}, containment_correction: true, {common}",
    )
    gammapy(PEER, shared / CALDB, tmp_path / "models.yaml", tmp_path / "theirs.npz")
    theirs = np.load(tmp_path / "theirs.npz")
    sky, spectrum = made["map"], made["spectrum"]
    assert isinstance(sky, MapDataset)
    assert_allclose(sky.exposure, theirs["exposure"], rtol=1e-6)
    assert_allclose(sky.background, theirs["background"], rtol=1e-6)
    assert_allclose(sky.psf.data, theirs["psf"], rtol=1e-6, atol=1e-6 * theirs["psf"].max())
    assert_allclose(sky.edisp.data, theirs["edisp"], rtol=1e-6, atol=1e-7)
    peak = theirs["npred"].max()  # Gammapy transforms in single precision
    assert_allclose(sky.counts, theirs["npred"], rtol=1e-6, atol=1e-7 * peak)
    assert_allclose(spectrum.exposure, theirs["spectrum_exposure"], rtol=1e-6)
    assert_allclose(spectrum.background, theirs["spectrum_background"], rtol=1e-6)
    assert_allclose(spectrum.edisp, theirs["spectrum_edisp"], rtol=1e-6, atol=1e-7)
    assert isinstance(spectrum.livetime, float)
    assert spectrum.livetime == pytest.approx(18000.0)


def test_maps_and_spectra_of_one_plan_agree(tmp_path: Path) -> None:
    """The exposure of a map at the source is that of a spectrum there."""
    responses(tmp_path / "irfs.fits")
    common = f"response: {{irfs: irfs.fits, {POINTING}}}, livetime: 2 h, {ENERGY}"
    geometry = "geometry: {center: [83.63, 22.01], width: 0.15 deg, binsz: 0.05 deg}"
    sky, spectrum = simulated(tmp_path, f"name: m, {geometry}, {common}", f"name: s, {REGION}, {common}")
    assert_allclose(sky.exposure[:, 1, 1], spectrum.exposure, rtol=1e-6)
    made, _ = SpectrumDatasetMaker(("exposure", "background")).run(
        spectrum, planned(tmp_path / "irfs.fits", pointing=(83.63, 22.51), livetime=7200.0)
    )
    assert_allclose(spectrum.background, made.background, rtol=1e-6)
