"""Sections of the page: what is told of a light curve, of observations, of edits, of a profile."""

from __future__ import annotations

from typing import Any

from gm.report.html import Cell, table
from gm.report.of_edits import section as of_edits
from gm.report.of_light_curve import section as of_light_curve
from gm.report.of_observations import section as of_observations
from gm.report.of_profile import section as of_profile
from gm.report.usual import rows_table


def test_a_light_curve_has_times_fluxes_and_what_varies() -> None:
    point: dict[str, Any] = {
        "time_min": 53343.9223,
        "time_max": 53343.9418,
        "time_min_utc": 53343.92159,
        "time_max_utc": 53343.94112,
        "livetime": 1581.7,
        "e_min": 1.0,
        "e_max": 20.0,
        "status": "ok",
        "reason": None,
        "ts": 273.4,
        "flux": 2.594e-11,
        "flux_err": 2.77e-12,
        "flux_ul": 3.2e-11,
        "parameters": [{"name": "crab.index", "value": 2.5, "error": 0.1, "unit": ""}],
    }
    lost = point | {
        "status": "failed",
        "reason": "no data",
        "flux": None,
        "flux_ul": None,
        "ts": None,
        "parameters": [],
    }
    band = {
        "e_min": 1.0,
        "e_max": 20.0,
        "bins": 2,
        "reason": None,
        "chi2": {"value": 5.26, "degrees_of_freedom": 3, "probability": 0.154},
        "excess_variance": {"fvar": 0.093, "fvar_err": 0.078},
        "doubling_time": {"days": 5.1, "error": 3.1},
        "halving_time": {"days": None, "reason": "it does not fall"},
    }
    shown = of_light_curve({"points": [point, lost], "variability": [band]})
    for text in (
        "53343.92159",
        "flux [cm-2 s-1]",
        "2.594e-11 ± 0.277e-11",
        "crab.index",
        "no data",
        "probability 0.154",
    ):
        assert text in shown, text
    assert "fractional excess variance 0.0930 ± 0.0780; shortest doubling time 5.10 ± 3.10 d." in shown
    assert "halving" not in shown


def test_observations_and_edits() -> None:
    rows = [
        {
            "obs_id": 1,
            "dataset": "a",
            "status": "ok",
            "reason": None,
            "livetime": 1200.0,
            "counts": 3.0,
            "hash": "f" * 64,
        },
        {"obs_id": 2, "dataset": None, "status": "failed", "reason": "no <events>", "component": {"name": "b-bkg"}},
    ]
    shown = of_observations({"observations": rows})
    for text in ("livetime [min]", ">20.00<", "no &lt;events&gt;", "b-bkg"):
        assert text in shown, text
    assert "fff" not in shown
    step = {"operation": "stack", "results": [{"name": "all", "inputs": ["a", "b"]}]}
    edit = {"component": "all-bkg", "action": "new", "text": "norm 1"}
    assert '<td data-head="of">a, b</td>' in of_edits({"operations": [step]})
    assert "norm 1" in of_edits({"operations": [step | {"edits": [edit]}]})


def test_a_profile_tells_its_interval_and_what_failed() -> None:
    points = [{"value": 2.0, "status": "ok"}, {"value": 9.0, "status": "failed", "reason": "beyond a limit"}]
    interval = {"sigma": 1, "min": 2.4, "max": 2.6, "errn": 0.1, "errp": 0.1}
    axes = [{"parameter": "x.index", "best": 2.5, "error": 0.1, "unit": ""}]
    document = {"axes": axes, "intervals": [interval], "points": points, "statistic": {"minimum": 1.0}}
    shown = of_profile(document)
    for text in ("x.index", "from [1]", "beyond a limit", "2 points are in the file"):
        assert text in shown, text


def test_units_and_long_words() -> None:
    shown = rows_table("bins", [{"livetime": 10.0, "time_min": 53343.0, "file_hash": "f" * 64}])
    assert "livetime [s]" in shown
    assert "time min [MJD]" in shown
    assert "hash" not in shown
    assert '<td data-head="a" class="bad long">' in table(["a"], [[Cell("x" * 40, state="bad")]])
