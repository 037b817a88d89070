"""Where the real data and Gammapy are, and what it means when they are missing."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import pytest

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
