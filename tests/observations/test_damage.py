"""Mutated DL3 files: a reduction ends with a dataset or with an error that names the file, never with a bug."""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from gm.datasets import SpectrumDataset
from gm.errors import GmError
from gm.makers.reflected import ReflectedRegionsBackgroundMaker
from gm.makers.region_finders import WobbleRegionsFinder
from gm.makers.safe_mask import METHODS, SafeMaskMaker
from gm.makers.spectra import SpectrumDatasetMaker, empty_spectrum
from gm.maps.axes import EnergyAxis
from gm.maps.sky_region import SkyRegion
from gm.maps.sphere import offset_north
from gm.observations import DataStore, ObservationSelection
from tests.dl3_files import aeff, bkg, events, write_observation, write_store
from tests.fuzzing import mutated

MAX_SECONDS = 10.0


def write_corpus(folder: Path) -> Path:
    """Three observations: usual, of telescopes that stand still, and with a background along altitude."""
    usual = events(200)
    drift = events(200, 2, OBS_MODE="DRIFT", ALT_PNT=80.0, AZ_PNT=10.0)
    files = {
        1: write_observation(folder / "usual.fits", events=usual),
        2: write_observation(folder / "drift.fits", 2, events=drift, aeff=aeff(point_like=True, RAD_MAX=0.2)),
        3: write_observation(folder / "altaz.fits", 3, events=events(200, 3), bkg=bkg(FOVALIGN="ALTAZ")),
    }
    places = {"RA_PNT": (np.full(3, 83.6), "deg"), "DEC_PNT": (np.full(3, 22.5), "deg")}
    times = {"TSTART": (np.zeros(3), "s"), "TSTOP": (np.full(3, 1000.0), "s"), "OBJECT": (np.array(["Crab"] * 3), "")}
    return write_store(folder, files, ".fits", **places, **times)


def reduce(store: DataStore, obs_id: int) -> SpectrumDataset:
    """Everything that reads a part of an observation."""
    observation = store.observation(obs_id, "full-enclosure")
    center = offset_north(*observation.pointing_icrs(), -0.5)
    region = SkyRegion.from_mapping({"type": "circle", "center": center, "frame": "icrs", "radius": 0.2})
    energy, true = EnergyAxis(np.geomspace(0.2, 50.0, 5)), EnergyAxis(np.geomspace(0.1, 100.0, 7))
    made, _ = SpectrumDatasetMaker(containment_correction=observation.rad_max is None).run(
        empty_spectrum("run", energy, true, region), observation
    )
    made, _ = SafeMaskMaker(methods=tuple(METHODS)).run(made, observation)
    ReflectedRegionsBackgroundMaker(WobbleRegionsFinder(2)).run(made, observation)
    observation.select(energy=(0.3, 3.0), offset=(0.0, 1.0), phase=((0.0, 0.5),), gti=observation.gti).events.time.sum()
    return made


def everything(folder: Path, obs_id: int) -> None:
    store = DataStore.open(folder)
    conditions = ObservationSelection(
        within=(83.6, 22.0, 2.0, "icrs"), time=(53000.0, 53010.0, "utc"), where=("OBJECT == Crab",)
    )
    conditions.select(store)
    conditions.select(DataStore.open([f"{name}.fits" for name in ("usual", "drift", "altaz")], folder))
    reduce(store, obs_id)


def try_mutant(folder: Path, seed: int) -> str:
    """What was wrong with how a mutant was taken; empty when nothing was."""
    random = np.random.default_rng(seed)
    files = sorted(path for path in folder.iterdir() if path.suffix in (".fits", ".gz"))
    path = files[int(random.integers(len(files)))]
    content, begin = path.read_bytes(), time.process_time()
    path.write_bytes(mutated(content, path.name, random))
    number = {"drift.fits": 2, "altaz.fits": 3}.get(path.name, 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", category=Warning, module="astropy")
            everything(folder, number)
    except GmError as error:
        return "" if str(error) else "an error without words"
    except Exception as error:
        return f"mutant {seed} of {path.name}: {type(error).__name__}: {error}"
    finally:
        path.write_bytes(content)
    return "" if time.process_time() - begin < MAX_SECONDS else f"mutant {seed} of {path.name} took too long"


def test_the_corpus_is_whole(tmp_path: Path) -> None:
    write_corpus(tmp_path)
    for obs_id in (1, 2, 3):
        everything(tmp_path, obs_id)


@pytest.mark.parametrize("part", range(4))
def test_mutants_end_in_words(tmp_path: Path, part: int) -> None:
    write_corpus(tmp_path)
    faults = [fault for seed in range(30 * part, 30 * part + 30) if (fault := try_mutant(tmp_path, seed))]
    assert faults == []
