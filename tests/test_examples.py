"""Every embedded example runs as its README says and returns the model that was put in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "example_configs"
EXAMPLES = sorted(path.name for path in CONFIGS.iterdir() if path.is_dir())
SIMULATED = [name for name in EXAMPLES if "simulate" in read_document(CONFIGS / name / "config.yaml").data]
GM = [sys.executable, "-c", "from gm.cli import main; main()"]


@pytest.fixture(params=EXAMPLES)
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an example to run in."""
    folder = tmp_path / str(request.param)
    shutil.copytree(CONFIGS / str(request.param), folder)
    return folder


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


def truth(folder: Path) -> dict[str, float]:
    """Address of every parameter in models.yaml and its value."""
    values = {}
    for component in read_document(folder / "models.yaml").data["components"]:
        name = component.get("name") or f"{component['datasets_names'][0]}-bkg"
        for part in (component, component.get("spectral", {}), component.get("spatial", {})):
            rows = part.get("parameters", [])
            values |= {f"{name}.{row['name']}": float(row["value"]) for row in rows}
    return values


def free_parameters(result: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in result["parameters"] if not row["frozen"] and row.get("error")]


def test_there_are_examples() -> None:
    assert "crab" in EXAMPLES
    for name in EXAMPLES:
        first = (CONFIGS / name / "README.md").read_text().splitlines()[0]
        assert first.startswith(f"# {name}: ")


def test_example_is_valid(example: Path) -> None:
    run(example, *GM, "validate", "config.yaml")


def test_example_recovers_the_truth(example: Path) -> None:
    run(example, *GM, "run", "config.yaml")
    result = read_document(example / "results/fit/fit.yaml").data
    assert result["status"] == "converged"
    expected, free = truth(example), free_parameters(result)
    assert free
    for row in free:
        pull = (row["value"] - expected[row["name"]]) / row["error"]
        assert abs(pull) < 5.0, f"{row['name']} is {pull:.1f} sigma away"
    for path in (example / "results/flux_points").glob("*.yaml"):
        points = read_document(path).data["points"]
        assert all(point["status"] in ("ok", "upper_limit") for point in points)


@pytest.mark.parametrize("example", SIMULATED, indirect=True)
def test_asimov_data_return_the_truth(example: Path) -> None:
    run(example, *GM, "simulate", "config.yaml", "--asimov")
    run(example, *GM, "fit", "config.yaml")  # takes the datasets that are there
    expected = truth(example)
    for row in free_parameters(read_document(example / "results/fit/fit.yaml").data):
        # the minimum is at the truth; 0.02 sigma is the tolerance of a fit
        assert abs(row["value"] - expected[row["name"]]) < 0.02 * row["error"]


def test_make_runs_an_example_once(tmp_path: Path) -> None:
    folder = tmp_path / "one-run"
    shutil.copytree(CONFIGS / "one-run", folder)
    command = ("make", f'GM={sys.executable} -c "from gm.cli import main; main()"')
    run(folder, *command)
    assert (folder / "results/fit/fit.yaml").is_file()
    again = run(folder, *command)
    assert "nothing to be done" in again.stdout.lower()
