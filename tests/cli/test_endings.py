"""How commands end: interrupted, terminated, with nobody listening, or with a bug."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SLOW_FIT = """
import time
import gm.likelihood.joint as joint
fast = joint.JointLikelihood.value_and_gradient
def slow(self, vector):
    time.sleep(0.2)
    return fast(self, vector)
joint.JointLikelihood.value_and_gradient = slow
"""


def wait_for(process: subprocess.Popen[str], word: str) -> str:
    """Read standard error until a line holds ``word``."""
    seen = ""
    assert process.stderr is not None
    for line in process.stderr:
        seen += line
        if word in line:
            return seen
    raise AssertionError(seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupted_during_a_fit(number: int, analysis: Path, start_gm: Any) -> None:
    process = start_gm("fit", "config.yaml", code=SLOW_FIT)
    wait_for(process, "free parameters")
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert "Traceback" not in err
    assert not (analysis / "results" / "fit" / "fit.yaml").exists()
    assert list(analysis.rglob("*.part")) == []


def test_what_was_finished_before_an_interrupt_is_kept(analysis: Path, start_gm: Any) -> None:
    process = start_gm("run", "simulation.yaml", "-s", "fit.test=[crab]", code=SLOW_FIT)
    wait_for(process, "free parameters")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert (analysis / "simulated" / "datasets.yaml").exists()
    assert not (analysis / "simulated" / "fit").exists()


def test_a_signal_that_the_caller_ignores_stays_ignored(analysis: Path, start_gm: Any) -> None:
    process = start_gm("fit", "config.yaml", code=f"{SLOW_FIT}\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)")
    wait_for(process, "free parameters")
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0


@pytest.mark.parametrize(
    "command", [["fit", "config.yaml"], ["validate", "-"], ["schema", "fit"], ["fit", "nowhere.yaml"]]
)
def test_a_full_disk_behind_standard_output(command: list[str], analysis: Path, start_gm: Any) -> None:
    with open("/dev/full", "w") as full:
        process = start_gm(*command, "--json", code="import sys\nsys.stdin = None", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "gm: " in err
    assert "Traceback" not in err


def test_a_config_from_a_closed_standard_input(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    called = gm("fit", "-", "--json")
    assert called.code == 4
    assert called.json["message"] == "gm: <stdin>: is closed, expected YAML"


def test_nobody_reads_the_results(analysis: Path, start_gm: Any) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start_gm("fit", "-q", "config.yaml", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode == 0
    assert (analysis / "results" / "fit" / "fit.yaml").exists()


def test_a_bug_shows_its_traceback(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr("gm.pipeline.analysis.load.read_documents", broken)
    called = gm("fit", "config.yaml")
    assert called.code == 70
    assert "Traceback" in called.err
    assert "a bug in gm: KeyError: 'surprise'" in called.err


def test_traceback_of_an_error_on_demand(gm: Any, analysis: Path) -> None:
    assert "Traceback" not in gm("fit", "nowhere.yaml").err
    assert "Traceback" in gm("fit", "nowhere.yaml", "--traceback").err


def test_an_engine_that_is_not_there(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    called = gm("fit", "config.yaml", "--scheduler", "tcp://127.0.0.1:1")
    assert called.code == 5
    assert "no scheduler at tcp://127.0.0.1:1" in called.err
    assert gm("fit", "config.yaml", "--engine", "local", "--scheduler", "tcp://127.0.0.1:1").code == 2
    assert gm("fit", "config.yaml", "--engine", "local").code == 0
    monkeypatch.setitem(sys.modules, "distributed", None)
    called = gm("fit", "config.yaml", "--force", "--engine", "dask")
    assert called.code == 5
    assert 'pip install "gamma-global-model[dask]"' in called.err


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("127.0.0.1:8786", "'tcp://127.0.0.1:8786'"),
        ("http://localhost:8786", "'tcp://localhost:8786'"),
        ("tcp://localhost", "tcp://HOST:PORT"),
        ("tls://", "tls://HOST:PORT"),
    ],
)
def test_what_is_no_address_of_a_scheduler(gm: Any, analysis: Path, address: str, hint: str) -> None:
    """It is told before anything is read, wherever it is written; the file of a scheduler may come later."""
    set_to = f"engine={{kind: dask, scheduler: '{address}'}}"
    for code, called in ((3, gm("validate", "config.yaml", "-s", set_to)),
                         (2, gm("fit", "config.yaml", "--scheduler", address))):  # fmt: skip
        assert called.code == code
        assert f"'{address}' is no address of a scheduler" in called.err
        assert hint in called.err
    for good in ("scheduler.json", "tcp://[::1]:8786", "tls://node-1.cluster:8786"):
        assert gm("validate", "config.yaml", "-s", f"engine={{kind: dask, scheduler: '{good}'}}").code == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["fitt"],
        ["fit"],
        ["fit", "config.yaml", "--frce"],
        ["schema", "confg"],
        ["init"],
        ["init", "x", "--example", "crap"],
    ],
)
def test_wrong_command_lines(arguments: list[str], gm: Any, analysis: Path) -> None:
    called = gm(*arguments)
    assert called.code == 2
    assert called.out == ""
    assert "Traceback" not in called.err


def test_colours_only_where_they_are_wanted(gm: Any, analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (analysis / "config.yaml").write_text("version: 2\n")
    assert "\x1b[" not in gm("fit", "config.yaml").err
    assert "\x1b[" in gm("fit", "config.yaml", "--color", "always").err
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr("gm.cli.terminal.output.is_terminal", lambda *_: True)
    assert "\x1b[" not in gm("fit", "config.yaml").err
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[" in gm("fit", "config.yaml").err
    assert "\x1b[" not in gm("fit", "config.yaml", "--color", "never").err
