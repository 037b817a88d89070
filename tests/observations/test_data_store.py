"""Data stores, and which of their observations are meant."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table
from gm.observations import DataStore, ObservationSelection
from gm.observations.selection import read_ids
from tests.dl3_files import events, write_observation, write_store


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three observations, the index of which knows zenith angles and objects."""
    folder = tmp_path_factory.mktemp("store")
    places = {11: (83.6, 22.5), 12: (83.6, 21.5), 13: (120.0, -40.0)}
    files = {
        number: write_observation(folder / f"run{number}.fits.gz", number, events=events(20, number, place))
        for number, place in places.items()
    }
    return write_store(
        folder,
        files,
        RA_PNT=(np.array([83.6, 83.6, 120.0]), "deg"),
        DEC_PNT=(np.array([22.5, 21.5, -40.0]), "deg"),
        ZEN_PNT=(np.array([20.0, 45.0, 30.0]), "deg"),
        LIVETIME=(np.array([900.0, 200.0, 900.0]), "s"),
        TSTART=(np.array([0.0, 2000.0, 86400.0]), "s"),
        TSTOP=(np.array([1000.0, 3000.0, 87400.0]), "s"),
        OBJECT=(np.array(["Crab", "Crab", "Vela X"]), ""),
        PAIR=(np.ones((3, 2)), ""),
    )


def select(data: Path | list[str | Path], **conditions: object) -> tuple[int, ...]:
    return ObservationSelection(**conditions).select(DataStore.open(data))  # type: ignore[arg-type]


def test_all_observations_in_their_order(folder: Path) -> None:
    store = DataStore.open(folder)
    assert store.obs_ids == (11, 12, 13)
    assert [observation.events.n for observation in store.observations()] == [20, 20, 20]
    assert [observation.obs_id for observation in store.observations([13, 11], "full-enclosure")] == [13, 11]
    assert DataStore.open(folder / "hdu-index.fits.gz").obs_ids == (11, 12, 13)


CONDITIONS = [
    ({"ids": (13, 11)}, (13, 11)),
    ({"within": (83.6, 22.0, 1.0, "icrs")}, (11, 12)),
    ({"within": (184.5, -5.8, 0.7, "galactic")}, (11, 12)),
    ({"within": (83.6, 22.5, 0.1, "icrs"), "ids": (12, 13)}, ()),
    ({"time": (53000.25, 53000.3, "tt")}, (11, 12)),
    ({"time": ("2003-12-27T06:30:00", None, "tt")}, (12, 13)),
    ({"time": (None, "2003-12-27T06:20:00", "utc")}, (11,)),
    ({"where": ("LIVETIME > 5 min",)}, (11, 13)),
]


@pytest.mark.parametrize(("conditions", "expected"), CONDITIONS)
def test_conditions_on_an_index_and_on_the_headers_of_files(
    folder: Path, conditions: dict[str, object], expected: tuple[int, ...]
) -> None:
    assert select(folder, **conditions) == expected
    if "time" in conditions or "where" in conditions:
        return  # these files have the same times in their headers
    assert select([folder / "run*.fits.gz"], **conditions) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("ZEN_PNT < 40 deg", (11, 13)),
        ("zen_pnt >= 0.5 rad", (12, 13)),
        ("OBJECT == Vela X", (13,)),
        ("OBJECT != 'Vela X'", (11, 12)),
        ("OBS_ID > 11", (12, 13)),
    ],
)
def test_conditions_on_columns(folder: Path, condition: str, expected: tuple[int, ...]) -> None:
    assert select(folder, where=(condition,)) == expected


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"where": ("ZEN < 40 deg",)}, "no column ZEN\n    found: .*did you mean 'ZEN_PNT'"),
        ({"where": ("ZEN_PNT < 40 s",)}, "'s' does not convert to 'deg'"),
        ({"where": ("ZEN_PNT",)}, "expected a column, one of"),
        ({"where": ("OBJECT < Crab",)}, "words, which are compared with"),
        ({"time": ("yesterday", None, "utc")}, "'yesterday' is no time on the scale 'utc'"),
        ({"ids": (11, 14, 15)}, "no observation 14, 15"),
        ({"where": ("PAIR > 1",)}, "PAIR has more than one value"),
    ],
)
def test_what_is_wrong_with_conditions_is_said(folder: Path, conditions: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        select(folder, **conditions)


def test_an_index_without_what_is_selected_by(folder: Path, tmp_path: Path) -> None:
    write_store(tmp_path, {1: write_observation(tmp_path / "run.fits")}, RA_PNT=(np.array(["east"]), ""))
    with pytest.raises(DataError, match="column RA_PNT is not one number for each observation"):
        select(tmp_path, within=(83.6, 22.0, 1.0, "icrs"))
    with pytest.raises(DataError, match="no column TSTART, needed to select by it"):
        select(tmp_path, time=(53000.0, None, "tt"))


def test_numbers_from_files(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("# good runs\n13, 14\n\n11 12  # clouds\n")
    assert read_ids(tmp_path / "ids.txt") == (13, 14, 11, 12)
    assert read_ids(folder / "obs-index.fits.gz") == (11, 12, 13)
    (tmp_path / "bad.txt").write_text("13\n1a\n-2\n")
    with pytest.raises(DataError, match=r"bad.txt:2: '1a' is no number\n.*bad.txt:3: '-2' is no number"):
        read_ids(tmp_path / "bad.txt")
    with pytest.raises(DataError, match="no table with a column OBS_ID"):
        read_ids(write_observation(tmp_path / "run.fits"))


def test_files_by_pattern_and_by_list(folder: Path) -> None:
    assert DataStore.open("run1[12].fits.gz", folder).obs_ids == (11, 12)
    assert DataStore.open(["run13.fits.gz", "run11.fits.gz"], folder).obs_ids == (13, 11)
    with pytest.raises(DataError, match="no file has such a name"):
        DataStore.open("*.fit", folder)
    with pytest.raises(DataError, match="observation 11 is also in"):
        DataStore.open(["run11.fits.gz", "run1*.fits.gz"], folder)
    with pytest.raises(DataError, match=r"no hdu-index.fits.gz or hdu-index.fits"):
        DataStore.open(folder.parent)


def test_required_parts_that_are_missing_are_named(tmp_path: Path) -> None:
    write_observation(tmp_path / "run.fits", psf=None, bkg=None)
    store = DataStore.open(tmp_path / "run.fits")
    assert store.observation(1, "point-like").has("edisp")
    with pytest.raises(DataError, match="observation 1: no psf, bkg, required by 'full-enclosure'"):
        store.observation(1, "full-enclosure")


def test_the_first_of_several_extensions_of_a_type_is_taken(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    index = read_fits(folder / "hdu-index.fits.gz").extensions[1].table()
    keep = np.r_[0, 0, 1:6]
    columns = tuple(Column(column.name, np.asarray(column.values)[keep]) for column in index.columns)
    columns[5].values[1] = "OTHER"  # type: ignore[call-overload]
    write_fits(tmp_path / "hdu-index.fits", [Table("HDU_INDEX", columns)])
    with caplog.at_level(logging.WARNING):
        observation = DataStore.from_dir(tmp_path).observation(11)
    assert observation.hdus["events"].hdu == "EVENTS"
    assert "more than one events" in caplog.text


def test_files_that_are_no_observation_are_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no events in it"):
        DataStore.open(folder / "obs-index.fits.gz")
    write_observation(tmp_path / "run.fits", events=events(5, OBS_ID="first"))
    with pytest.raises(DataError, match="card OBS_ID is 'first', expected an integer"):
        DataStore.open(tmp_path / "run.fits")


def test_responses_from_another_file(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Given, or in a calibration database as the header of the events says."""
    caldb = shared / "data/cta-1dc/caldb"
    path = shared / "data/cta-1dc/data/baseline/gps/gps_baseline_110380.fits"
    monkeypatch.delenv("CALDB", raising=False)
    assert sorted(DataStore.open(path).hdus[110380]) == ["events", "gti"]
    monkeypatch.setenv("CALDB", str(caldb))
    found = DataStore.open(path).observation(110380, "full-enclosure")
    assert found.aeff.energy_true.n_bins == 42
    monkeypatch.setenv("CALDB", str(tmp_path))
    assert sorted(DataStore.open(path).hdus[110380]) == ["events", "gti"]
    write_observation(tmp_path / "bare.fits", aeff=None, edisp=None, psf=None, bkg=None)
    write_observation(tmp_path / "irf.fits", 2)
    given = DataStore.from_events_files([tmp_path / "bare.fits"], irfs=tmp_path / "irf.fits").observation(1)
    assert (given.events.n, given.bkg.energy.n_bins, given.hdus["gti"].path.name) == (500, 6, "bare.fits")


def test_stores_of_four_instruments(shared: Path) -> None:
    data = shared / "data"
    assert len(DataStore.open(data / "hess-dl3-dr1").obs_ids) == 23
    assert select(data / "hess-dl3-dr1", within=(83.63, 22.01, 2.5, "icrs")) == (23523, 23526, 23559, 23592)
    magic = DataStore.open(data / "magic/rad_max/data").observation(5029747, "point-like")
    assert (magic.events.n, magic.rad_max is not None) == (11189, True)
    cta = DataStore.open(data / "cta-1dc/index/gps").observation(110380, "full-enclosure")
    assert (cta.events.n, cta.ontime(), round(cta.livetime(), 3)) == (106217, 1800.0, 1764.0)
    with pytest.raises(DataError, match=r"run_05029747_DL3.fits: no such file"):
        _ = DataStore.open(data / "joint-crab/dl3/magic").observation(5029747).events
