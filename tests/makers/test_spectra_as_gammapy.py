"""Spectra of made observations as Gammapy 2.1 makes them: what no real file here has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from gm.datasets import SpectrumDataset
from gm.io.tables import Column, Table
from gm.makers.phases import PhaseBackgroundMaker
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.maps.axes import EnergyAxis
from gm.maps.sky_region import SkyRegion
from gm.observations import GTI, DataStore, Observation, TimeReference
from tests.dl3_files import ENERGY, OFFSET, bins, bkg, events, response, write_observation

PEER = """
import json, sys
import numpy as np, astropy.units as u
from astropy.coordinates import SkyCoord
from astropy.time import Time
from gammapy.data import Observation
from gammapy.datasets import SpectrumDataset
from gammapy.makers import PhaseBackgroundMaker, SpectrumDatasetMaker
from gammapy.maps import MapAxis, RegionGeom
from regions import CircleSkyRegion
energy = MapAxis.from_energy_edges(np.geomspace(0.2, 50.0, 7) * u.TeV)
true = MapAxis.from_energy_edges(np.geomspace(0.15, 90.0, 9) * u.TeV, name="energy_true")
def reduce(path, center, selection, time=None, on_off=None):
    observation = Observation.read(path)
    pointing = observation.get_pointing_icrs(observation.tmid)
    region = CircleSkyRegion(SkyCoord(*center, unit="deg"), 0.2 * u.deg)
    empty = SpectrumDataset.create(RegionGeom.create(region, axes=[energy]), energy_axis_true=true)
    if time:
        observation = observation.select_time(Time(time, format="mjd", scale="tt"))
    dataset = SpectrumDatasetMaker(containment_correction=True, selection=selection).run(empty, observation)
    found = dict(
        pointing=[pointing.ra.deg, pointing.dec.deg],
        counts=dataset.counts.data.ravel().tolist(),
        exposure=dataset.exposure.quantity.to_value("cm2 s").ravel().tolist(),
        background=None if dataset.background is None else dataset.background.data.ravel().tolist(),
        livetime=float(dataset.exposure.meta["livetime"].to_value("s")))
    if on_off:
        made = PhaseBackgroundMaker(*[[tuple(part)] for part in on_off]).run(dataset, observation)
        found["on_off"] = [made.counts.data.ravel().tolist(), made.counts_off.data.ravel().tolist(),
                           float(made.acceptance.data.flat[0]), float(made.acceptance_off.data.flat[0])]
    return found
print(json.dumps([reduce(**case) for case in json.loads(sys.argv[1])]))
"""
AXES = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg")]
CELL = np.ones((len(OFFSET) - 1, len(ENERGY) - 1))


def king() -> Table:
    """Wider and with a longer tail at the rim and at high energies."""
    sigma = 0.05 * CELL * (1.0 + np.arange(6) / 10.0) * np.array([[1.0], [1.3]])
    gamma = 2.0 * CELL + 0.1 * np.arange(6)
    columns = Column("SIGMA", sigma[None], "deg"), Column("GAMMA", gamma[None], "")
    return Table("PSF", (*AXES, *columns), {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "PSF", "HDUCLAS4": "PSF_KING"})


def radial() -> Table:
    """A background of the offset alone, with a hole in its energies."""
    cell = 1e-6 * np.array([[2.0], [1.0]]) * np.geomspace(1.0, 1e-5, 6)
    cell[0, 2] = 0.0
    return response("BKG", AXES, "BKG", cell, "s-1 MeV-1 sr-1", "BKG", "FULL-ENCLOSURE", "BKG_2D")


PLAIN = bkg(np.ones((6, 4, 4)) * np.geomspace(1e-6, 1e-9, 6)[:, None, None])
STILL = events(5000, OBS_MODE="DRIFT", ALT_PNT=75.0, AZ_PNT=30.0)
DAY = 53000.25
CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {  # parts, options there, selection here
    "usual": ({"bkg": PLAIN}, {}, {}),
    "king": ({"psf": king(), "bkg": radial()}, {}, {}),
    "still": ({"events": STILL, "bkg": None}, {"selection": ["counts", "exposure"]}, {}),
    "time": (
        {"bkg": PLAIN},
        {"time": [DAY + 300.0 / 86400.0, DAY + 700.0 / 86400.0]},
        {"gti": GTI.from_intervals([(300.0, 700.0)], TimeReference(53000, 0.25))},
    ),
    "on and off": ({}, {"on_off": [[0.9, 1.1], [0.2, 0.8]], "selection": ["counts", "exposure"]}, {}),
}


def spectrum(path: Path, options: dict[str, Any], selection: dict[str, Any]) -> tuple[Observation, SpectrumDataset]:
    """The spectrum half a degree south of the pointing; ``options`` learns where, for Gammapy."""
    observation = DataStore.open(path).observation(1).select(**selection)
    lon, lat = observation.pointing_icrs()
    options |= {"path": str(path), "center": [lon, lat - 0.5]}
    parts = options.setdefault("selection", ["counts", "exposure", "background"])
    region = SkyRegion.from_mapping({"type": "circle", "center": options["center"], "frame": "icrs", "radius": 0.2})
    energy, true = EnergyAxis(np.geomspace(0.2, 50.0, 7)), EnergyAxis(np.geomspace(0.15, 90.0, 9), "energy_true")
    maker = SpectrumDatasetMaker(parts, containment_correction=True)
    return observation, maker.run(empty_spectrum("run", energy, true, region), observation)[0]


def test_spectra_of_made_observations(tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    """All in one go, since it takes longest to load Gammapy."""
    made, requests = [], []
    for name, (parts, options, selection) in CASES.items():
        path = write_observation(tmp_path / f"{name.replace(' ', '-')}.fits", **{"events": events(5000), **parts})
        requests.append({**options})
        made.append(spectrum(path, requests[-1], selection))
    for (observation, dataset), theirs in zip(made, gammapy(PEER, json.dumps(requests)), strict=True):
        assert_allclose(observation.pointing_icrs(), theirs["pointing"], rtol=0, atol=1e-7)
        assert observation.pointing.is_drift or dataset.counts.sum() > 3  # events are where the others point
        assert dataset.counts.tolist() == theirs["counts"]
        assert dataset.livetime == pytest.approx(theirs["livetime"], abs=1e-5)  # MJD in one double
        assert_allclose(dataset.exposure, theirs["exposure"], rtol=1e-6)
        if theirs["background"]:
            assert_allclose(dataset.background, theirs["background"], rtol=1e-6)
    observation, dataset = made[-1]
    on_off, _ = PhaseBackgroundMaker([(0.9, 1.1)], [(0.2, 0.8)]).run(dataset, observation)
    counts, counts_off, acceptance, acceptance_off = theirs["on_off"]
    assert (on_off.counts.tolist(), on_off.counts_off.tolist()) == (counts, counts_off)
    assert_allclose([on_off.acceptance[0], on_off.acceptance_off[0]], [acceptance, acceptance_off], rtol=1e-6)
