"""``gm`` as a process: how it is started, and what it sets before NumPy is there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
PROBE = """
import json, os, sys
from gm.cli import main
assert "numpy" not in sys.modules
try:
    main(["--version"])
except SystemExit:
    print(json.dumps({name: os.environ.get(name) for name in sys.argv[1:]}))
"""


def run(*arguments: str, **environment: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in THREADS}
    inherited["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, *arguments]
    return subprocess.run(command, env={**inherited, **environment}, capture_output=True, text=True, check=True).stdout


def test_gm_is_a_module_that_runs() -> None:
    assert run("-m", "gm", "--version").startswith("gm ")


@pytest.mark.parametrize(("given", "expected"), [({}, "1"), ({"OMP_NUM_THREADS": "3"}, "3")])
def test_blas_has_one_thread_unless_told_otherwise(given: dict[str, str], expected: str) -> None:
    found = json.loads(run("-c", PROBE, *THREADS, **given).splitlines()[-1])
    assert found == {**dict.fromkeys(THREADS, "1"), "OMP_NUM_THREADS": expected}


def test_closed_standard_streams_are_no_place_for_other_files() -> None:
    """What a library prints to a descriptor that was closed would go into whatever file was opened next."""
    code = """
import os
from gm.cli import main
try:
    main(["schema", "fit"])
except SystemExit as stop:
    os._exit(stop.code + (os.open(os.devnull, 0) < 3))
"""
    command = f'{sys.executable} -c "$0" <&- >&- 2>&-'
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run(["sh", "-c", command, code], env=environment).returncode == 0
