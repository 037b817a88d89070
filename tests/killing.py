"""Commands that are killed at random moments, and what the next undisturbed one makes of what they leave.

An analysis, of simulated data or of observations, is run to its end, which gives the bytes that are right. Then, over
and over: one setting is changed, a command with the changed setting is killed, the setting is put back, and the
analysis is run again. The moment of a kill is one of its calls that touch a file, as the interpreter's audit hook tells
of them, so that the short time in which results are written is hit as often as the long one in which they are computed.
"""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gm.cli import main
from tests.dl3_files import events, write_observation, write_store

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MODELS = """\
models:
  components:
    - name: crab
      type: SkyModel
      spectral:
        type: pl
        parameters: [{name: index, value: 2.3}, {name: amplitude, value: 1.0e-11, unit: cm-2 s-1 TeV-1}]
"""
SIMULATED_CHANGES = {  # a setting of every stage, and what it is changed to
    "seed: 1": "seed: 2",
    "copies: ": "copies: 1",
    "max: 8 TeV": "max: 4 TeV",
    "fit: {}": "fit: {minos: [crab.index]}",
    "[1 TeV, 8 TeV]": "[1 TeV, 4 TeV]",
    "index, value: 2.3": "index, value: 2.5",
}
SIMULATED_CONFIG = """\
version: 1
output: results
MODELSsimulate:
  seed: 1
  datasets:
    - {name: run, copies: COPIES, response: iact, livetime: 1 h, energy: {min: 1 TeV, max: 10 TeV, n_bins: 3}}
operations:
  - slice_energy: {datasets: "run-*", suffix: -cut, min: 1 TeV, max: 8 TeV}
fit: {}
flux_points: [{source: crab, name: sed, energy_edges: [1 TeV, 8 TeV]}]
"""
OBSERVED_CHANGES = {
    "radius: 0.2 deg": "radius: 0.15 deg",
    "offset: 1.2 deg": "offset: 1 deg",
    "ids: all.txt": "ids: [1]",
    "index, value: 2.3": "index, value: 2.5",
}
_AXES = "energy: {min: 0.3 TeV, max: 30 TeV, n_bins: 4}, energy_true: {min: 0.15 TeV, max: 80 TeV, n_bins: 8}"
OBSERVED_CONFIG = f"""\
version: 1
output: results
MODELSobservations:
  - {{name: "run-{{obs_id}}", data: store, ids: all.txt, dataset: spectrum, {_AXES}, background: {{type: reflected}},
     region: {{type: circle, center: [83.6, 22.0], radius: 0.2 deg}}}}
  - {{name: whole, data: store, dataset: map, {_AXES}, cutout: true, stack: true, background: {{type: fov}},
     geometry: {{center: [83.6, 22.3], width: 3 deg, pixel: 0.25 deg}},
     safe_mask: [{{type: offset_max, offset: 1.2 deg}}]}}
operations: [{{slice_energy: {{datasets: "run-*", suffix: -cut, min: 1 TeV}}}}]
"""
_EVENTS = frozenset(("open", "os.rename", "os.remove", "os.mkdir", "os.chmod", "os.scandir", "os.utime", "os.fork"))


@dataclass(frozen=True, eq=False)
class Analysis:
    """What is killed. config : its text for a number of datasets, in a folder that it prepares; commands : those that
    are killed; changes : of settings."""

    config: Callable[[Path, int], str]
    commands: tuple[str, ...]
    changes: Mapping[str, str]


def _simulated(folder: Path, n_datasets: int) -> str:
    return SIMULATED_CONFIG.replace("MODELS", MODELS).replace("COPIES", str(n_datasets))


def _observed(folder: Path, n_datasets: int) -> str:
    """A store of observations around a source, all of which become spectra, and together one map."""
    store, numbers = folder / "store", range(1, n_datasets + 1)
    store.mkdir()
    for number in numbers:
        pointing = 83.6 + 0.5 * np.cos(number), 22.0 + 0.5 * np.sin(number)
        write_observation(store / f"{number}.fits", number, events=events(800, number, pointing))
    write_store(store, {number: store / f"{number}.fits" for number in numbers})
    (folder / "all.txt").write_text("\n".join(map(str, numbers)))
    return OBSERVED_CONFIG.replace("MODELS", MODELS)


SIMULATED = Analysis(_simulated, ("simulate", "apply", "fit", "flux-points", "run"), SIMULATED_CHANGES)
OBSERVED = Analysis(_observed, ("reduce", "run"), OBSERVED_CHANGES)


@dataclass(frozen=True)
class Kill:
    """One kill: when, of ``calls`` that touch a file, how the command ended, and what is wrong after the next one."""

    number: int
    command: str
    signal: str
    call: int
    calls: int
    ended: int
    fault: str


def kill_and_recover(
    folder: Path, seed: int, numbers: Sequence[int], n_datasets: int = 3, analysis: Analysis = SIMULATED
) -> Iterator[Kill]:
    """Prepare an analysis in an empty folder, and try these kills; each depends on ``seed`` and its number only.

    From 26 datasets on, processes of their own read them.
    """
    os.chdir(folder)
    config, commands = analysis.config(folder, n_datasets), analysis.commands
    Path("config.yaml").write_text(config)
    try:
        main(["run", "config.yaml", "-q"])  # here, so that copies of this process have all imports behind them
    except SystemExit as stop:
        if stop.code:
            raise
    right = contents(Path("results"))
    calls = {command: _n_calls(command) for command in commands}
    for number in numbers:
        random = np.random.default_rng([seed, number])
        command, how = commands[number % len(commands)], SIGNALS[number // len(commands) % len(SIGNALS)]
        call = int(random.integers(calls[command]))
        old, new = list(analysis.changes.items())[random.integers(len(analysis.changes))]
        Path("config.yaml").write_text(config.replace(old, new))
        ended = _wait(_started([command, "--force"], (call, how)))
        Path("config.yaml").write_text(config)
        code = _wait(_started(["run"], None))
        fault = f"the next run ends with {code}" if code else _difference(contents(Path("results")), right)
        yield Kill(number, command, how.name, call, calls[command], ended, fault)


def contents(folder: Path) -> dict[str, str]:
    """The hash of every file but the record, which holds times."""
    files = [file for file in folder.rglob("*") if file.is_file() and file.name != "provenance.yaml"]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _difference(found: dict[str, str], right: dict[str, str]) -> str:
    names = sorted(name for name in found.keys() | right.keys() if found.get(name) != right.get(name))
    return f"other bytes: {', '.join(names)}" if names else ""


def _n_calls(command: str) -> int:
    """How many calls of a command touch a file."""
    reading, writing = os.pipe()
    pid = _started([command, "--force"], None, writing)
    os.close(writing)
    with os.fdopen(reading) as told:
        calls = int(told.read())
    _wait(pid)
    return calls


def _started(command: list[str], kill: tuple[int, signal.Signals] | None, tell: int | None = None) -> int:
    """Start a command in a copy of this process, killed at a call or not; the number of calls goes to ``tell``."""
    pid = os.fork()
    if pid:
        return pid
    code, calls = 70, 0
    try:
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        own = os.getpid()

        def count(event: str, _: object) -> None:
            nonlocal calls
            if event in _EVENTS and os.getpid() == own:
                if kill is not None and calls == kill[0]:
                    os.kill(own, kill[1])
                calls += 1

        sys.addaudithook(count)
        main([command[0], "config.yaml", "-q", "--workers", "2", *command[1:]])
    except SystemExit as stop:
        code = int(stop.code or 0)
    except KeyboardInterrupt:  # before gm has begun
        code = 130
    finally:
        if tell is not None:
            os.write(tell, str(calls).encode())
        os._exit(code)


def _wait(pid: int) -> int:
    """The exit code of a copy; minus the number of the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
