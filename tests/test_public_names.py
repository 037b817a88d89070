"""The names that ``gm`` offers: at run time, in completion, and to type checkers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import gm

ROOT = Path(__file__).resolve().parent.parent


def test_every_name_is_there_and_listed() -> None:
    offered: dict[str, object] = {}
    exec("from gm import *", offered)
    assert set(gm.__all__) <= offered.keys()
    assert set(gm.__all__) <= set(dir(gm))
    with pytest.raises(AttributeError, match="no attribute 'NoSpectralModel'"):
        gm.NoSpectralModel  # noqa: B018


def test_every_model_is_offered() -> None:
    from gm.models.registry import all_models

    assert {
        model.__name__ for model in (*all_models("spatial"), *all_models("spectral"), *all_models("temporal"))
    } <= set(gm.__all__)


def test_type_checkers_see_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is a tool of development")
    file = tmp_path / "user.py"
    file.write_text(
        "import gm\n"
        "models: gm.Models = gm.Models.read('models.yaml')\n"
        "gm.Models.reed('models.yaml')\n"
        "gm.Modells\n"
        "fit: gm.FitResult = gm.Fit(gm.Datasets.read('datasets.yaml')).run(models)\n"
        "fit.statistics\n"
        "assert set(gm.__all__)\n"
    )
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(ROOT / ".mypy_cache"), str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line.split(":")[1] for line in lines] == ["3", "4", "6"], done.stdout
