"""Every temporal model: averages against dense sums, derivatives against differences, clocks, files, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.errors import DataError, JsonPath
from gm.io.tables import Column, Table
from gm.models import GaussianTemporalModel, TemporalModel
from gm.models.documents.block_reading import BlockReader
from gm.models.temporal.intervals import SCALES, TimeIntervals, to_tt
from gm.models.temporal.polyline import Polyline


def block(kind: str, *parameters: tuple[str, float, str], t_ref: float = 55555.3, **settings: str) -> dict[str, Any]:
    rows = [{"name": name, "value": value, "unit": unit} for name, value, unit in (*parameters, ("t_ref", t_ref, "d"))]
    return {"type": kind, **settings, "parameters": rows}


CASES: dict[str, dict[str, Any]] = {
    "const": {"type": "const"},
    "linear": block("linear", ("alpha", 1.2, ""), ("beta", 0.1, "d-1")),
    "exp-decay": block("exp-decay", ("t0", 30.0, "h")),
    "gauss": block("gauss", ("sigma", 1.7, "d")),
    "gauss, narrow": block("gauss", ("sigma", 0.2, "d"), t_ref=55555.2),
    "gengauss": block("gengauss", ("t_rise", 0.8, "d"), ("t_decay", 2.1, "d"), ("eta", 0.7, ""), t_ref=55556.21),
    "powerlaw": block("powerlaw", ("alpha", -1.3, ""), ("t0", 2.0, "d")),
    "powerlaw at -1": block("powerlaw", ("alpha", -1.0, "")),
    "sinus": block("sinus", ("amp", 0.4, ""), ("omega", 2.3, "rad / d")),
    "template": block("template", filename="curve.fits"),
    "template-phase": block(
        "template-phase", ("f0", 3.1e-5, "s-1"), ("phi_ref", 0.3, ""), ("f1", 1e-16, "s-2"), filename="phase.fits"
    ),
}
# Three intervals, none of equal length, all after 55555.3 (for the power law).
INTERVALS = TimeIntervals.from_mjd([55555.41, 55556.2, 55558.9], [55555.83, 55556.3, 55559.7], "tt")


def build(data: dict[str, Any], directory: Path) -> TemporalModel:
    def refuse(path: JsonPath, message: str, hint: str) -> None:
        pytest.fail(f"{path}: {message} {hint}")

    model = BlockReader(refuse, directory, []).read_block("temporal", data, (), "x")
    assert isinstance(model, TemporalModel)
    return model


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from astropy.table import Table as AstropyTable

    folder = tmp_path_factory.mktemp("templates")
    meta = {"MJDREFI": 55555, "MJDREFF": 0.25, "TIMESYS": "utc"}
    days = np.array([0.0, 0.7, 1.1, 2.0, 4.0])
    AstropyTable({"TIME": days, "NORM": [0.3, 1.0, 0.8, 0.4, 0.2]}, units={"TIME": "d"}, meta=meta).write(
        folder / "curve.fits"
    )
    AstropyTable({"PHASE": [0.05, 0.3, 0.5, 0.9], "NORM": [1.0, 4.0, 2.0, 0.5]}).write(folder / "phase.fits")
    return folder


def dense_average(model: TemporalModel, intervals: TimeIntervals, values: Array) -> float:
    """The mean of 200000 midpoints in each interval."""
    offset = model._elapsed(intervals, values)[0][0] - intervals.start[0]
    total = 0.0
    for start, stop in zip(intervals.start, intervals.stop, strict=True):
        middle = start + (np.arange(200000) + 0.5) / 200000 * (stop - start)
        total += float(model.evaluate(middle + offset, values).mean() * (stop - start))
    return total / intervals.total


@pytest.mark.parametrize("name", CASES)
def test_averages_are_those_of_dense_sums(name: str, files: Path) -> None:
    model = build(CASES[name], files)
    values = model.values()
    # The midpoint rule at a cusp, a kink or a jump of the phase curve: up to a few of its steps, 2e-6 d.
    np.testing.assert_allclose(model.average(INTERVALS, values), dense_average(model, INTERVALS, values), rtol=1e-6)


# Gammapy 2.1: numpy.sum(model.integral(start, stop)) over INTERVALS, for the models whose integral is right there
GOLDEN = {
    "linear": 1.4597264284500375,
    "exp-decay": 0.30823392177074105,
    "gauss": 0.4163522487633678,
    "powerlaw": 5.0035095959633695,
}


@pytest.mark.parametrize("name", GOLDEN)
def test_averages_are_those_of_gammapy(name: str, files: Path) -> None:
    model = build(CASES[name], files)
    # Dates of 5e4 days have a rounding of 7e-12 days.
    np.testing.assert_allclose(model.average(INTERVALS, model.values()), GOLDEN[name], rtol=1e-10)


def test_templates_are_those_of_gammapy(files: Path) -> None:
    """Where the light curve has times; beyond the last one Gammapy 2.1 goes on along its last line, to 0.125."""
    # Gammapy 2.1: model(Time([55555.5, 55557.7, 55560.0], format="mjd", scale="utc")) of the same files
    days = np.array([55555.5, 55557.7, 55560.0])
    curve = build({"type": "template", "filename": "curve.fits"}, files)
    reference = curve.reference(curve.values())
    assert reference == pytest.approx(55555.25, abs=1e-9)
    np.testing.assert_allclose(curve.evaluate(days - reference, curve.values()), [0.55, 0.355, 0.0], rtol=1e-9)
    pulsar = build(block("template-phase", ("f0", 3.1e-5, "s-1"), ("phi_ref", 0.3, ""), filename="phase.fits"), files)
    expected = [0.41378925, 0.63888346, 0.30325192]
    np.testing.assert_allclose(pulsar.evaluate(days - 55555.3, pulsar.values()), expected, rtol=1e-7)


@pytest.mark.parametrize("name", CASES)
def test_gradient_is_that_of_differences(name: str, files: Path) -> None:
    model = build(CASES[name], files)
    values = model.values()
    average, gradient = model.average_gradient(INTERVALS, values)
    assert average == pytest.approx(model.average(INTERVALS, values), rel=1e-13)
    steps = {"t_ref": 1e-4, "f0": 1e-9, "f1": 1e-16, "f2": 1e-21, "beta": 1e-3}
    for k, parameter in enumerate(model.parameters):
        shift = np.zeros_like(values)
        shift[k] = steps.get(parameter.name, 1e-4)
        expected = (model.average(INTERVALS, values + shift) - model.average(INTERVALS, values - shift)) / (
            2 * shift[k]
        )
        # The step squared; the drift of the frequency within an interval, 1e-7, for the phase curve.
        assert gradient[k] == pytest.approx(expected, rel=2e-5, abs=1e-8), parameter.name


def test_a_constant_light_curve_is_1_until_it_ends(tmp_path: Path) -> None:
    """And 0 before and after: of the good time only the first interval lies between its first and its last time."""
    from astropy.table import Table as AstropyTable

    meta = {"MJDREFI": 55555, "MJDREFF": 0.0, "TIMESYS": "tt"}
    AstropyTable({"TIME": [0.0, 1.0], "NORM": [1.0, 1.0]}, units={"TIME": "d"}, meta=meta).write(
        tmp_path / "curve.fits"
    )
    model = build({"type": "template", "filename": "curve.fits"}, tmp_path)
    assert np.isnan(model.t_ref.value)
    share = (55555.83 - 55555.41) / INTERVALS.total
    assert model.average(INTERVALS, model.values()) == pytest.approx(share, rel=1e-9)
    assert model.covered(INTERVALS, model.values()) == pytest.approx(share, rel=1e-9)


def test_reference_times_in_utc_are_66_seconds_off_tt() -> None:
    # TT - UTC = 32.184 s + 34 leap seconds from 2009 to mid-2012 (IERS Bulletin C).
    np.testing.assert_allclose(to_tt(55555.3, "utc") - 55555.3, 66.184 / 86400, rtol=0, atol=1e-11)
    np.testing.assert_allclose(to_tt(55555.3, "tai") - 55555.3, 32.184 / 86400, rtol=0, atol=1e-11)
    with pytest.raises(DataError, match="'gps' is not a time scale"):
        to_tt(55555.3, "gps")


@pytest.mark.parametrize("t_ref", [np.nan, np.inf, -3e6, 1e12])
@pytest.mark.parametrize("scale", SCALES)
def test_reference_times_that_are_no_dates(t_ref: float, scale: str) -> None:
    """A free one may go there in a fit, which takes no step to what is not finite."""
    model = GaussianTemporalModel(scale=scale)
    with np.errstate(invalid="ignore"):
        average, gradient = model.average_gradient(INTERVALS, np.array([t_ref, 1.0]))
    assert not average > 0
    assert gradient.shape == (2,)


def test_dates_that_are_none_are_refused() -> None:
    with pytest.raises(DataError, match=r"MJD 1e\+12 is no date of the time scale utc"):
        to_tt(1e12, "utc")


def test_intervals_from_a_gti_table() -> None:
    seconds = np.array([100.0, 400.0])
    columns = (Column("START", seconds, "s"), Column("STOP", seconds + 200.0, "s"))
    table = Table("GTI", columns, {"MJDREFI": 51910, "MJDREFF": 0.000742870370370241, "TIMESYS": "TT"})
    intervals = TimeIntervals.from_table(table)
    np.testing.assert_allclose(intervals.start, 51910.000742870370 + seconds / 86400, rtol=1e-15)
    assert intervals.total * 86400 == pytest.approx(400.0, abs=1e-5)
    with pytest.raises(DataError, match="no column STOP"):
        TimeIntervals.from_table(Table("GTI", columns[:1], table.header))
    with pytest.raises(DataError, match="MJDREFF"):
        TimeIntervals.from_table(Table("GTI", columns, {"MJDREFI": 51910}))
    with pytest.raises(DataError, match="empty"):
        TimeIntervals.from_mjd([], [])


def test_lines_end_at_zero() -> None:
    line = Polyline(np.array([0.0, 1.0, 2.0]), np.array([1.0, -1.0, 3.0]))
    np.testing.assert_allclose(line.evaluate(np.array([-1.0, 0.25, 0.75, 1.25, 3.0])), [3.0, 0.5, 0.0, 0.0, 7.0])
    np.testing.assert_allclose(np.diff(line.primitive(np.array([0.0, 1.0, 2.0]))), [0.25, 0.5 * 0.75 * 3.0])
    falling = Polyline(np.array([0.0, 1.0]), np.array([2.0, 1.0]))
    np.testing.assert_allclose(falling.evaluate(np.array([1.5, 5.0])), [0.5, 0.0])
    np.testing.assert_allclose(np.diff(falling.primitive(np.array([1.0, 9.0]))), 0.5)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"TIME": [0.0, 1.0], "NRM": [1.0, 1.0]}, "no column NORM"),
        ({"TIME": [0.0, 0.0], "NORM": [1.0, 1.0]}, "TIME must increase"),
        ({"TIME": [0.0], "NORM": [1.0]}, "expected at least two"),
    ],
)
def test_damaged_files_say_what_is_wrong(rows: dict[str, list[float]], message: str, tmp_path: Path) -> None:
    from astropy.table import Table as AstropyTable

    AstropyTable(rows, units={"TIME": "d"}, meta={"MJDREFI": 55555, "MJDREFF": 0.0}).write(tmp_path / "curve.fits")
    model = build(block("template", filename="curve.fits"), tmp_path)
    with pytest.raises(DataError, match=message):
        model.average(INTERVALS, model.values())


REFERENCE = {"MJDREFI": 55555, "MJDREFF": 0.0}


def curve_of(norm: list[float], unit: str, meta: dict[str, Any], folder: Path) -> TemporalModel:
    from astropy.table import Table as AstropyTable

    rows = {"TIME": np.arange(len(norm)) - 0.5 * len(norm), "NORM": norm}
    AstropyTable(rows, units={"TIME": "d", "NORM": unit}, meta=meta).write(folder / "curve.fits")
    return build({"type": "template", "filename": "curve.fits"}, folder)


@pytest.mark.parametrize(
    ("unit", "meta", "message"),
    [
        ("cm-2 s-1", REFERENCE, r"curve.fits: HDU .unnamed.: column NORM is in 's-1 cm-2', expected a unit of ''"),
        ("", {}, r"curve.fits: HDU .*: card MJDREFI is None, expected a number"),
        ("", {"MJDREFI": "inf", "MJDREFF": 0.0}, r"curve.fits: HDU .*: card MJDREFI is 'inf', expected a number"),
        (
            "",
            {"MJDREFI": 10**12, "MJDREFF": 0.0},
            r"HDU .*: MJD 1e\+12, which its .* of the time scale utc",
        ),
    ],
)
def test_light_curves_are_factors_since_a_date(unit: str, meta: dict[str, Any], message: str, tmp_path: Path) -> None:
    """A flux in the place of a factor made amplitudes 1e12 times too large."""
    with pytest.raises(DataError, match=message):
        curve_of([1.0, 1.0], unit, meta, tmp_path).remarks()


def test_what_of_a_light_curve_is_not_used_is_told(tmp_path: Path) -> None:
    model = curve_of([1.0, -0.2, 1.0, -0.1], "", REFERENCE, tmp_path)
    assert model.remarks() == (f"{tmp_path / 'curve.fits'}: 2 of 4 norms are negative, and taken for 0",)
    (tmp_path / "curve.fits").unlink()
    percent = curve_of([50.0, 50.0], "%", REFERENCE, tmp_path)
    assert percent.remarks() == ()
    assert percent.evaluate(np.zeros(1), percent.values()) == pytest.approx(0.5)


@pytest.mark.parametrize(("day", "t_ref"), [(0, None), (0, 0.0), (57000, None), (57000, 57000.0)])
def test_dates_of_a_light_curve_are_days_of_its_scale(day: int, t_ref: float | None, tmp_path: Path) -> None:
    """Since MJD 0, when UTC had no leap seconds yet, curves came 35 seconds too early. Right: astropy's clock."""
    from astropy.table import Table as AstropyTable
    from astropy.time import Time

    rows = {"TIME": np.array([57001.0, 57001.01]) - day, "NORM": [0.0, 1.0]}
    meta = {"MJDREFI": day, "MJDREFF": 0.0, "TIMESYS": "UTC"}
    AstropyTable(rows, units={"TIME": "d"}, meta=meta).write(tmp_path / "curve.fits")
    given = {} if t_ref is None else {"parameters": [{"name": "t_ref", "value": t_ref, "unit": "d"}]}
    model = build({"type": "template", "filename": "curve.fits"} | given, tmp_path)
    start, stop = Time([57001, 57001], [0.002, 0.004], format="mjd", scale="utc").tt.mjd
    intervals = TimeIntervals(np.array([start]), np.array([stop]))
    assert model.average(intervals, model.values()) == pytest.approx(0.3, abs=1e-7)
    assert model.covered(intervals, model.values()) == 1.0


def gti(start: list[float], stop: list[float], unit: str = "s", **cards: Any) -> Table:
    columns = Column("START", np.array(start), unit), Column("STOP", np.array(stop), unit)
    return Table("GTI", columns, {"TIMESYS": "tt"} | (cards or {"MJDREFI": 55555, "MJDREFF": 0.5}))


@pytest.mark.parametrize(("day", "seconds"), [(52706, 333780072.766974), (0, 56569.195283 * 86400.0)])
def test_seconds_elapsed_in_utc(day: int, seconds: float) -> None:
    """A run of MAGIC that began on 2013-10-04 at 04:41:09, as its header says: three leap seconds after its reference
    date. Since MJD 0, as no clock could count them, they are those of a date."""
    from astropy.time import Time

    found = TimeIntervals.from_table(gti([seconds], [seconds + 60.0], MJDREFI=day, MJDREFF=0.0, TIMESYS="UTC"))
    begin = Time("2013-10-04T04:41:09.767" if day else "2013-10-04T04:41:12.451", scale="utc").tt.mjd
    assert found.start == pytest.approx(begin, abs=2e-8)


def test_times_in_several_intervals_count_once() -> None:
    found = TimeIntervals.from_table(gti([200.0, 0.0, 50.0], [300.0, 100.0, 80.0]))
    np.testing.assert_allclose((found.start - 55555.5) * 86400, [0.0, 200.0], atol=1e-5)
    np.testing.assert_allclose((found.stop - 55555.5) * 86400, [100.0, 300.0], atol=1e-5)
    with pytest.raises(DataError, match="an interval ends before it starts"):
        TimeIntervals.from_table(gti([0.0, 500.0], [400.0, 450.0]))


def test_a_reference_date_on_one_card() -> None:
    found = TimeIntervals.from_table(gti([0.0], [1.0], "d", MJDREF=51910.25))
    assert (found.start.tolist(), found.stop.tolist()) == ([51910.25], [51911.25])
