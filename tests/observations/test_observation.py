"""Observations: parts, selections, times, pointing; and what is said about files that lack something."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.tables import Column, Table
from gm.observations import GTI, DataStore, EventSelection, Observation, TimeReference
from tests.dl3_files import REFERENCE, aeff, events, gti, typed_events, with_card, without, write_observation

REF = TimeReference(53000, 0.25)


def observe(path: Path) -> Observation:
    store = DataStore.open(path)
    return store.observation(store.obs_ids[0])


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_observation(tmp_path_factory.mktemp("dl3") / "run.fits.gz", 7)


def test_an_observation_reads_its_parts(file: Path) -> None:
    observation = observe(file)
    assert (observation.obs_id, observation.events.n) == (7, 500)
    assert sorted(observation.hdus) == ["aeff", "bkg", "edisp", "events", "gti", "psf"]
    assert (observation.ontime(), observation.livetime()) == (1000.0, 900.0)
    assert observation.pointing_icrs() == (83.6, 22.5)
    assert observation.rad_max is None
    table = dict(zip(events(obs_id=7).columns, range(6), strict=True))
    assert len(table) == 6
    assert_allclose(observation.events.energy, next(c.values for c in events(obs_id=7).columns if c.name == "ENERGY"))


@pytest.mark.parametrize(
    ("types", "wanted", "expected"),
    [
        (np.array([0, 1, 2, 1]), 1, [1, 3]),
        (np.array(["mva1", "mva2", "mva1", "x"]), "mva1", [0, 2]),
        (np.array([[False, True], [True, False], [True, True], [False, False]]), 0, [0, 2]),
        (np.array([[False, True], [True, False], [True, True], [False, False]]), 1, [1, 2]),
    ],
)
def test_events_of_a_type(tmp_path: Path, types: NDArray[Any], wanted: int | str, expected: list[int]) -> None:
    file = write_observation(tmp_path / "run.fits", events=typed_events(events(4), types))
    assert np.flatnonzero(observe(file).events.of_type(wanted)).tolist() == expected


def test_bits_are_counted_from_the_last(tmp_path: Path) -> None:
    bits = np.zeros((3, 32), dtype=np.bool_)
    bits[[0, 2], [31, 20]] = True
    columns = [fits.Column(name="EVENT_TYPE", format="32X", array=bits)]
    file = tmp_path / "bits.fits"
    fits.BinTableHDU.from_columns(columns, name="EVENTS").writeto(file)
    np.testing.assert_array_equal(read_fits(file).get("EVENTS").column("EVENT_TYPE"), bits)


def test_a_type_that_nothing_tells(file: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="neither a column nor a card EVENT_TYPE"):
        observe(file).select(event_type=1).events.separation(83.6, 22.5)
    told = write_observation(tmp_path / "run.fits", events=with_card(events(), EVENT_TYPE="mva1"))
    assert observe(told).select(event_type="mva1").events.n == 500
    assert observe(told).select(event_type="mva2").events.n == 0


def test_events_beyond_the_good_times_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    observe(write_observation(tmp_path / "some.fits", gti=gti((0.0, 600.0)))).check_times()
    assert "events lie outside of the good time intervals" in caplog.text
    with pytest.raises(DataError, match="500 of 500 events lie outside"):
        observe(write_observation(tmp_path / "none.fits", gti=gti((5000.0, 6000.0)))).check_times()


def test_an_observation_travels_with_what_it_has_read(file: Path) -> None:
    observation = observe(file).select(energy=(1.0, 10.0))
    n = observation.events.n
    assert observation.bkg.energy.n_bins == 6
    for other in (pickle.loads(pickle.dumps(observation)), copy.deepcopy(observation)):
        assert other.events.n == n


def test_ranges_of_events_are_half_open(file: Path) -> None:
    everything = observe(file).events
    energy = np.sort(everything.energy)
    selected = observe(file).select(energy=(energy[10], energy[20])).events
    assert sorted(selected.energy) == energy[10:20].tolist()
    offset = np.sort(everything.separation(83.6, 22.5))
    assert observe(file).select(offset=(0.0, offset[40])).events.n == 40


def test_phases_shorten_the_live_time(file: Path) -> None:
    observation = observe(file).select(phase=((0.0, 0.2), (0.9, 1.0)))
    phase = observe(file).events.column("PHASE")
    assert observation.events.n == int(((phase < 0.2) | (phase >= 0.9)).sum())
    assert_allclose(observation.livetime(), 900.0 * 0.3, rtol=1e-14)


def test_times_cut_events_and_intervals(file: Path) -> None:
    wanted = GTI.from_intervals([(-50.0, 100.0), (400.0, 500.0), (1000.0, 1100.0)], REF)
    observation = observe(file).select(gti=wanted)
    time = observe(file).events.time
    assert observation.gti.start.tolist() == [0.0, 400.0]
    assert observation.gti.stop.tolist() == [100.0, 500.0]
    assert observation.events.n == int(((time < 100.0) | ((time >= 400.0) & (time < 500.0))).sum())
    assert observation.livetime() == 0.9 * 200.0
    nothing = observe(file).select(gti=GTI.from_intervals([(2000.0, 2100.0)], REF))
    assert (nothing.events.n, nothing.livetime()) == (0, 0.0)
    with pytest.raises(DataError, match="no time is left"):
        nothing.gti.tmid()


def test_selections_add_up(file: Path) -> None:
    both = EventSelection(energy=(0.2, 1.0), offset=(0.0, 1.0))
    one = observe(file).select(energy=(0.2, 1.0)).select(offset=(0.0, 1.0))
    assert one.selection == both
    everything = observe(file).events
    inside = (everything.energy >= 0.2) & (everything.energy < 1.0) & (everything.separation(83.6, 22.5) < 1.0)
    assert one.events.n == int(inside.sum())


def test_intervals_that_overlap_hold_their_union() -> None:
    intervals = GTI.from_intervals([(20.0, 30.0), (0.0, 8.0), (2.0, 3.0), (5.0, 10.0)], REF).joined()
    assert (intervals.start.tolist(), intervals.stop.tolist()) == ([0.0, 20.0], [10.0, 30.0])
    time = np.array([-1.0, 0.0, 5.0, 10.0, 19.0, 20.0, 30.0])
    assert intervals.contains(time).tolist() == [False, True, True, False, False, True, False]


def test_intervals_of_a_file_that_overlap_count_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = write_observation(tmp_path / "run.fits", gti=gti((0.0, 100.0), (50.0, 150.0), (150.0, 160.0)))
    assert observe(path).ontime() == 160.0
    assert "run.fits: HDU GTI: intervals that overlap are joined" in caplog.text
    assert len(GTI.read(path).start) == 2


def test_seconds_between_references_count_leap_seconds() -> None:
    utc = TimeReference(57203, 0.0, "utc"), TimeReference(57204, 0.0, "utc")  # 2015-06-30 had 86401 s
    assert_allclose(TimeReference(53000, 0.25).seconds_to(TimeReference(53001, 0.5)), 1.25 * 86400.0)
    assert_allclose(utc[0].seconds_to(utc[1]), 86401.0, atol=1e-6)
    assert_allclose(TimeReference(57203, 0.0, "tt").seconds_to(utc[0]), 35.0 + 32.184, atol=1e-4)
    moved = GTI.from_intervals([(0.0, 10.0)], utc[1]).since(utc[0])
    assert_allclose([moved.start[0], moved.stop[0]], [86401.0, 86411.0], atol=1e-6)


def test_a_table_of_intervals_reads_back(tmp_path: Path) -> None:
    path = write_observation(tmp_path / "run.fits", gti=gti((1.0, 2.0), (3.0, 5.5), TIMESYS="UTC"))
    found = observe(path).gti
    assert (found.duration(), found.reference) == (3.5, TimeReference(53000, 0.25, "utc"))
    path = write_observation(tmp_path / "again.fits", gti=found.to_table())
    assert observe(path).gti.to_table().same_as(found.to_table())


def test_telescopes_that_stand_still_point_to_a_place_on_the_sky(tmp_path: Path) -> None:
    """The zenith of the site passes the declination of its latitude."""
    path = write_observation(tmp_path / "drift.fits", events=events(OBS_MODE="DRIFT", ALT_PNT=90.0, AZ_PNT=0.0))
    lon, lat = observe(path).pointing_icrs()
    assert 0.0 <= lon < 360.0
    assert abs(lat + 23.27) < 0.2  # precession and nutation since 2000
    az, alt = observe(path).pointing.altaz([0.0, 100.0], REF)
    assert (az.tolist(), alt.tolist()) == ([0.0, 0.0], [90.0, 90.0])


def pointings(time: list[float], lon: list[float], lat: list[float], **cards: Any) -> Table:
    columns = Column("TIME", np.array(time), "s"), Column("RA_PNT", np.array(lon), "deg")
    site = {"GEOLON": 16.5, "GEOLAT": -23.27, "ALTITUDE": 1835.0}
    return Table("POINTING", (*columns, Column("DEC_PNT", np.array(lat), "deg")), {**REFERENCE, **site, **cards})


def test_a_table_of_pointings_stands_in_for_a_header(tmp_path: Path) -> None:
    """In the middle of the first interval, between two rows around longitude 0; a header that says it comes first."""
    table = pointings([600.0, 0.0], [0.2, 359.8], [10.0, 10.0])
    bare = without(events(), "RA_PNT", "DEC_PNT")
    observation = observe(
        write_observation(tmp_path / "run.fits", events=bare, pointing=table, gti=gti((200.0, 700.0)))
    )
    assert_allclose(observation.pointing_icrs(), (0.1, 10.0), atol=1e-4)
    assert observation.pointing.site == (16.5, -23.27, 1835.0)
    assert observation.pointing_table is not None
    assert observation.pointing_table.spread() == pytest.approx(0.4 * np.cos(np.radians(10.0)), rel=1e-4)
    told = observe(write_observation(tmp_path / "told.fits", pointing=table))
    assert told.pointing_icrs() == (83.6, 22.5)
    assert observe(write_observation(tmp_path / "none.fits")).pointing_table is None


def test_times_of_pointings_have_their_own_reference(tmp_path: Path) -> None:
    table = pointings([100.0, 200.0], [10.0, 20.0], [0.0, 0.0], MJDREFI=53001)
    observation = observe(write_observation(tmp_path / "run.fits", pointing=table)).pointing_table
    assert observation is not None
    assert_allclose(observation.icrs(86400.0 + 150.0, REF), (15.0, 0.0), atol=1e-9)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (without(pointings([0.0], [1.0], [2.0]), "DEC_PNT"), "no column DEC_PNT"),
        (pointings([], [], []), "no row"),
        (pointings([0.0], [1.0], [np.nan]), "no position at a time"),
        (without(pointings([0.0], [1.0], [2.0]), "MJDREFI"), "no card MJDREFI"),
    ],
)
def test_what_is_wrong_with_pointings_is_said(tmp_path: Path, table: Table, message: str) -> None:
    bare = without(events(), "RA_PNT", "DEC_PNT")
    observation = observe(write_observation(tmp_path / "run.fits", events=bare, pointing=table))
    with pytest.raises(DataError, match=f"HDU POINTING: .*{message}"):
        observation.pointing_icrs()


def test_numbers_of_events_of_each_type(tmp_path: Path) -> None:
    bits = np.zeros((500, 8), dtype=np.bool_)
    bits[:200, -1], bits[:50, -3] = True, True
    for types, expected in ((np.arange(500) % 2, {"0": 250, "1": 250}), (bits, {"0": 200, "2": 50})):
        path = write_observation(tmp_path / "run.fits", events=typed_events(events(), types))
        assert observe(path).events.types() == expected
    assert observe(write_observation(tmp_path / "run.fits", events=events(EVENT_TYPE="a"))).events.types() == {"a": 500}
    assert observe(write_observation(tmp_path / "run.fits")).events.types() == {}


def test_azimuth_and_altitude_of_a_place_on_the_sky(file: Path) -> None:
    observation = observe(file)
    az, alt = observation.pointing.altaz(np.array([0.0, 3600.0]), REF)
    assert (np.abs(alt) <= 90.0).all()
    assert abs(alt[1] - alt[0]) > 1.0
    back = observation.pointing.__class__(float(az[0]), float(alt[0]), True, observation.pointing.site)
    assert_allclose(back.icrs(0.0, REF), (83.6, 22.5), atol=1e-9)


@pytest.mark.parametrize(
    ("parts", "use", "message"),
    [
        ({"events": without(events(), "RA", "TIME")}, "events", "no column TIME, RA"),
        ({"events": without(events(), "RA_PNT")}, "pointing", "no card RA_PNT, needed to know where"),
        ({"events": without(events(), "MJDREFI")}, "events", "no card MJDREFI"),
        ({"events": events(TIMESYS="local")}, "events", "card TIMESYS is 'local'"),
        ({"events": without(events(), "DEADC")}, "livetime", "no card DEADC"),
        ({"events": events(DEADC=0.0)}, "livetime", "card DEADC is 0, expected"),
        ({"gti": None}, "gti", "observation 1: no gti"),
        ({"gti": gti((5.0, 4.0))}, "gti", "an interval ends before it starts"),
        ({"aeff": aeff(point_like=True)}, "rad_max", "neither a card RAD_MAX nor"),
        ({"psf": None}, "psf", "observation 1: no psf\n    found: events, gti, aeff, edisp, bkg"),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, parts: dict[str, object], use: str, message: str) -> None:
    observation = observe(write_observation(tmp_path / "run.fits", **parts))  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        _ = observation.livetime() if use == "livetime" else getattr(observation, use)


def test_an_empty_list_of_intervals_is_an_error(tmp_path: Path) -> None:
    path = write_observation(tmp_path / "run.fits", gti=gti(TSTART=0.0))
    table = gti()
    empty = type(table)("GTI", tuple(type(c)(c.name, np.zeros(0), "s") for c in table.columns), table.header)
    path = write_observation(tmp_path / "run.fits", gti=empty)
    with pytest.raises(DataError, match=r"run.fits: HDU GTI: no interval"):
        _ = observe(path).gti


def test_events_that_are_not_finite_are_an_error(tmp_path: Path) -> None:
    table = events()
    table.columns[4].values[3] = np.nan  # type: ignore[call-overload]
    observation = observe(write_observation(tmp_path / "run.fits", events=table))
    with pytest.raises(DataError, match="HDU EVENTS: column ENERGY is not finite for 1 of 500 events"):
        _ = observation.events.energy


def test_energies_without_a_unit_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = events()
    bare = replace(table, columns=tuple(replace(c, unit="" if c.name == "ENERGY" else c.unit) for c in table.columns))
    observation = observe(write_observation(tmp_path / "run.fits", events=bare))
    assert np.array_equal(observation.events.energy, table.columns[4].values)
    assert "HDU EVENTS: ENERGY says no unit, taken for TeV" in caplog.text


def test_point_like_responses_carry_their_cut(tmp_path: Path) -> None:
    path = write_observation(tmp_path / "run.fits", aeff=aeff(point_like=True, RAD_MAX=0.14))
    found = observe(path).rad_max
    assert found is not None
    assert (found.is_fixed, float(found.evaluate(1.0, 0.5))) == (True, 0.14)


def test_times_have_the_unit_of_the_card_where_columns_have_none(tmp_path: Path) -> None:
    table = gti((0.0, 1.0), TIMEUNIT="min")
    bare = type(table)("GTI", tuple(type(c)(c.name, c.values) for c in table.columns), {**REFERENCE, **table.header})
    assert observe(write_observation(tmp_path / "run.fits", gti=bare)).ontime() == 60.0
