"""Observations divided in time: datasets for each bin, which light curves take as they are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from gm import Datasets
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.errors import InvalidInput
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from tests.dl3_files import events, gti, with_card, write_observation, write_store
from tests.pipeline.test_reduce import MAPS, MODELS, POINTINGS, SPECTRA, config, reduce

TIMED = SPECTRA.replace("{obs_id}", "{obs_id}-{time_bin}")
DAY = 53000.25
WIDTH = "{width: 400 s}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three observations of 1000 s, one after the other, the second with a pause."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    files = {}
    for number, pointing in POINTINGS.items():
        shift = {"MJDREFF": 0.25 + (number - 1) * 1200.0 / 86400.0}
        times = gti((0.0, 300.0), (350.0, 1000.0)) if number == 2 else gti()
        table = with_card(events(3000, number, pointing), **shift)
        files[number] = write_observation(
            tmp_path / f"store/{number}.fits", number, events=table, gti=with_card(times, **shift)
        )
    write_store(tmp_path / "store", files)
    (tmp_path / "models.yaml").write_text(MODELS[: MODELS.index("    spatial")])
    return tmp_path


@pytest.mark.parametrize("entries", [TIMED, MAPS.replace("{obs_id}", "{obs_id}-{time_bin}")])
def test_bins_add_up(folder: Path, entries: str) -> None:
    whole = reduce(config(entries.replace("-{time_bin}", "")), output="whole").products[0].document["observations"]
    parts = reduce(config(entries + f"    time_bins: {WIDTH}\n"))
    rows = parts.products[0].document["observations"]
    assert parts.exit_code == 0
    check(read_document(Path("out/observations.yaml")), "observations")
    names = [
        f"{entries[11:14]}-{n}-{k}" for k, n in ((1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2), (7, 3), (8, 3), (9, 3))
    ]
    assert Datasets.read("out/datasets.yaml").names == names == [row["dataset"] for row in rows]
    for row in rows:
        assert row["time_max"] - row["time_min"] == pytest.approx(400.0 / 86400.0)
    for number, all_times in zip(POINTINGS, whole, strict=True):
        own = [row for row in rows if row["obs_id"] == number]
        livetime = sum(row["livetime"] for row in own)
        assert livetime == pytest.approx(all_times["livetime"])
        counts = sum(row["counts"] for row in own)
        if number == 2:  # with events in the pause, which count where nothing is selected by time
            assert 0.8 * all_times["counts"] <= counts <= all_times["counts"]
        else:
            assert counts == all_times["counts"]
    found = Datasets.read("out/datasets.yaml")[3].good_time
    assert found is not None
    assert np.subtract(found.array("STOP"), found.array("START")).tolist() == pytest.approx([300.0, 50.0])


def test_a_stack_for_each_bin(folder: Path) -> None:
    entry = MAPS.replace("map-{obs_id}", "time{time_bin}") + "    stack: true\n"
    edges = f"[{DAY}, {DAY + 0.0125}, {DAY + 1.0}]"
    outcome = reduce(config(entry + f"    time_bins: {{edges: {edges}, scale: tt}}\n"))
    assert outcome.exit_code == 0
    assert Datasets.read("out/datasets.yaml").names == ["time1", "time2"]
    assert [(row["obs_id"], row["dataset"]) for row in outcome.products[0].document["observations"]] == [
        (1, "time1"), (2, "time2"), (3, "time2")]  # fmt: skip


def test_each_good_time_interval(folder: Path) -> None:
    assert reduce(config(TIMED + "    time_bins: gti\n    ids: [2, 3]\n")).exit_code == 0
    assert Datasets.read("out/datasets.yaml").names == ["run-2-1", "run-2-2", "run-3-3"]


def test_a_light_curve_takes_the_same_bins(folder: Path) -> None:
    """Longer datasets are refused, in words that say what to do, which is what is done here."""
    curve = f"light_curves: [{{source: source, energy_range: [1 TeV, 9 TeV], time_bins: {WIDTH}}}]\n"
    refused = run(Request(config(SPECTRA, curve), output="long"), Silent())
    assert refused.exit_code == 4
    [failure] = refused.failures
    assert re.search(r"(?s)longer than a time bin.*observations with the same time_bins", str(failure.error))
    outcome = run(Request(config(TIMED + f"    time_bins: {WIDTH}\n", curve), output="out"), Silent())
    assert outcome.exit_code == 0
    points = outcome.products[-1].document["points"]
    assert [row["time_max"] - row["time_min"] for row in points] == pytest.approx([400.0 / 86400.0] * 9)


def test_what_lies_in_no_bin_is_a_row(folder: Path) -> None:
    entry = TIMED + f"    time_bins: {{intervals: [[{DAY}, {DAY + 0.005}]], scale: tt}}\n"
    outcome = reduce(config(entry))
    assert outcome.exit_code == 1
    rows = outcome.products[0].document["observations"]
    assert [row["status"] for row in rows] == ["ok", "empty", "empty"]
    assert rows[1]["reason"] == "observation 2: no event is left"


@pytest.mark.parametrize(
    ("more", "name", "message"),
    [
        ("time_bins: gti", "run-{obs_id}", "each bin of time needs a name of its own"),
        ("stack: false", "run-{obs_id}-{time_bin}", "{obs_id} and {obs_id} is all|{obs_id} is all that may stand"),
        ("time_bins: per-observation", "run-{obs_id}-{time_bin}", "these bins are known after the reduction"),
        ("time_bins: {width: -1 d}", "run-{obs_id}-{time_bin}", "above zero"),
        ("time_bins: {width: 1e-9 s}", "run-{obs_id}-{time_bin}", "bins of .* d, at most"),
    ],
)
def test_bins_that_cannot_be(folder: Path, more: str, name: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        reduce(config(SPECTRA.replace("run-{obs_id}", name) + f"    {more}\n"))
