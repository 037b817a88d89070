#!/usr/bin/env python
"""Time of the processor that fits take in two versions of gm, in turn, and that a whole ``gm fit`` takes.

    python benchmarks/compare_speed.py OTHER                   # OTHER is a checkout of the version to compare with
    python benchmarks/compare_speed.py OTHER --only "Crab"     # cases whose names hold this

The lowest of several rounds counts, since whatever else runs on the machine only adds to it. Commands find modules
compiled, as they do where gm is installed.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from alternate import table
from cases import CASES, MAP_CASES, ROOT

ROUNDS = 3
COMMANDS = 15
BYTECODE = ROOT / "build" / "bytecode"
ALONE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
FIT = """
import sys, time
from gm.datasets import Datasets
from gm.fit import Fit
from gm.models import Models
datasets, models, best, end = Datasets.read(sys.argv[1]), Models.read(sys.argv[2]), float("inf"), time.time() + 5
while True:
    start = time.process_time()
    Fit(datasets).run(models)
    best = min(best, time.process_time() - start)
    if time.time() > end:
        break
print(best)
"""
COMMAND = "from gm.cli import main; main(['fit', 'config.yaml', '--force', '--quiet'])"


def fit(tree: Path, files: tuple[Path, Path]) -> float:
    """Seconds of the fastest fit with covariance in five seconds."""
    return float(_run(tree, FIT, *map(str, files), cwd=tree))


def example(tree: Path, name: str) -> Path:
    """A folder of a version with its example, simulated."""
    folder = ROOT / "build" / "compare_speed" / name
    if folder.exists():
        shutil.rmtree(folder)
    _run(tree, f"from gm.cli import main; main(['init', {str(folder)!r}, '--quiet'])", cwd=tree)
    _run(tree, "from gm.cli import main; main(['simulate', 'config.yaml', '--quiet'])", cwd=folder)
    return folder


def command(tree: Path, folder: Path) -> float:
    """Seconds of a whole command that fits what is simulated already."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(tree, COMMAND, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _run(tree: Path, code: str, *arguments: str, cwd: Path) -> str:
    environment = {**os.environ, **ALONE, "PYTHONPATH": str(tree), "PYTHONPYCACHEPREFIX": str(BYTECODE)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run([sys.executable, "-c", code, *arguments], cwd=cwd, env=environment, capture_output=True)
    done.check_returncode()
    return done.stdout.decode()


def row(name: str, pairs: list[tuple[float, float]]) -> list[str]:
    """A line of the table, from the seconds of both sides in every round."""
    theirs, ours = (min(side) for side in zip(*pairs, strict=True))
    return [name, f"{1e3 * theirs:.2f} ms", f"{1e3 * ours:.2f} ms", f"{ours / theirs:.3f}"]


def main() -> None:
    """Every reference that is timed elsewhere, and the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of another version")
    parser.add_argument("--only", default="", help="cases whose names hold this")
    given = parser.parse_args()
    trees, rows = (given.other.resolve(), ROOT), []
    for name, case in {**CASES, **{name: case for name, (case, _) in MAP_CASES.items()}}.items():
        if given.only in name and not case.ranges:
            files = case.datasets_file, case.models_file
            rows.append(row(name, [(fit(trees[0], files), fit(trees[1], files)) for _ in range(ROUNDS)]))
    if given.only in "gm fit":
        theirs, ours = (example(tree, name) for tree, name in zip(trees, ("other", "this"), strict=True))
        pairs = [(command(trees[0], theirs), command(trees[1], ours)) for _ in range(COMMANDS)]
        rows.append(row("gm fit, example crab", pairs))
    print(table(["fit with covariance", "other", "this", "ratio"], rows))


if __name__ == "__main__":
    main()
