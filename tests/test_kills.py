"""Some kills at random moments; ``benchmarks/study_kills.py`` tries as many as one has time for."""

from __future__ import annotations

from pathlib import Path

import pytest

from gm.io.processes import can_fork
from tests.killing import OBSERVED, SIGNALS, SIMULATED, Analysis, kill_and_recover


@pytest.mark.skipif(not can_fork(), reason="this system makes no copies of processes")
@pytest.mark.filterwarnings("default::DeprecationWarning")  # Python >= 3.12 warns of copies beside other threads
@pytest.mark.parametrize(
    ("analysis", "numbers"), [(SIMULATED, range(0, 24, 2)), (OBSERVED, range(8))], ids=["simulated", "observed"]
)
def test_the_run_after_a_kill_gives_the_bytes_of_an_undisturbed_one(
    analysis: Analysis, numbers: range, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kills = list(kill_and_recover(tmp_path, 20261129, numbers, analysis=analysis))
    assert [kill for kill in kills if kill.fault] == []
    assert {kill.command for kill in kills} == set(analysis.commands)
    assert {kill.signal for kill in kills} == {how.name for how in SIGNALS}
