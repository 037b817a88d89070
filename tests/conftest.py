"""What tests need of the machine: real data, Gammapy, permissions; and what it means when it is not there."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import hypothesis
import pytest

for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[threads] = "1"  # before NumPy is imported, as the command does: sums over more threads round otherwise
hypothesis.settings.register_profile("gm", deadline=None)  # how long an example takes is a matter of the machine
hypothesis.settings.load_profile("gm")

ROOT = Path(__file__).resolve().parent.parent


def data_root() -> Path:
    """Folder with ``data/`` and ``reference/``: ``$GM_TEST_DATA``, else ``../shared`` beside the repository."""
    return Path(os.environ.get("GM_TEST_DATA") or ROOT.parent / "shared")


def absent(reason: str) -> NoReturn:
    """Skip with the reason; in CI, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and references."""
    root = data_root()
    if not (root / "reference").is_dir():
        absent(f"real data not found at {root}; set GM_TEST_DATA to the folder that holds data/ and reference/")
    return root


@pytest.fixture
def held_back() -> Iterator[Path]:
    """A folder of a user whom permissions hold back: root is somebody else for the time of the test."""
    nobody = 65534
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() != 0:
            yield Path(folder)
            return
        os.chown(folder, nobody, -1)
        os.seteuid(nobody)
        try:
            yield Path(folder)
        finally:
            os.seteuid(0)


@pytest.fixture(scope="session")
def gammapy() -> Callable[..., Any]:
    """Runs a script with arguments in an environment that has Gammapy, and reads the JSON that it prints last."""
    python = os.environ.get("GM_PEER_PYTHON")
    if not python:
        absent("no Python with Gammapy 2.1 to compare with; `make peer` builds one, GM_PEER_PYTHON says which")

    def answer(script: str, *arguments: object) -> Any:
        command = [python, "-W", "ignore", "-c", script, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return answer
