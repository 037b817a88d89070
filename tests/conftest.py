"""Where the real data are, and what a missing folder means."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def data_root() -> Path:
    """Folder with ``data/`` and ``reference/``: ``$GM_TEST_DATA``, else ``../shared`` beside the repository."""
    return Path(os.environ.get("GM_TEST_DATA") or ROOT.parent / "shared")


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data and references; skips with the reason where they are absent, fails in CI."""
    root = data_root()
    if not (root / "reference").is_dir():
        reason = f"real data not found at {root}; set GM_TEST_DATA to the folder that holds data/ and reference/"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return root
