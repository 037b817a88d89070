#!/usr/bin/env python
"""Results of two versions of gm, byte by byte, over every embedded example and every reference case.

    python benchmarks/compare_results.py OTHER                 # OTHER is a checkout of the version to compare with
    python benchmarks/compare_results.py OTHER --only msh      # cases whose names hold this

Both versions run in folders of the same name, one after the other, from the same configs. The record of the run, which
holds times and versions, is left out; every other file counts. Where a file is another one, the table tells how far its
numbers are apart: the largest relative difference.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alternate import table
from cases import DATA, RANGES, ROOT

FOLDER = ROOT / "build" / "compare_results"
GM = [sys.executable, "-c", "from gm.cli import main; main(prog_name='gm')"]
HASH = re.compile(rb"\"?\b[0-9a-f]{64}\b\"?")  # of another result, which has its own row
NUMBER = re.compile(rb"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")

CONFIG = """\
version: 1
output: results
datasets: {datasets}
models: {models}
conventions: {conventions}
{more}
"""
JOINT_RANGES = "\n".join(
    f'    - {{datasets: "{name}*", min: {low} TeV, max: {high} TeV}}' for name, (low, high) in RANGES.items()
)
JOINT = f"""
fit:
  energy_range:
{JOINT_RANGES}
  minos: "*"
  test: [crab]
flux_points:
  - {{source: crab, energy_edges: {{min: 30 GeV, max: 20 TeV, per_decade: 4}}}}
  - {{source: crab, name: again, energy_edges: {{min: 30 GeV, max: 20 TeV, per_decade: 2}}, reoptimize: true}}
"""
FIT = "fit: {}"
#: folder and models of a reference -> what the config says beside these
REFERENCES = {
    ("joint-crab", "models_start_lp.yaml"): JOINT,
    ("joint-crab", "models_start_pl.yaml"): JOINT,
    ("joint-crab", "models_start_ecpl.yaml"): JOINT,
    ("hess-crab-1d", "models_start.yaml"): "fit: {minos: '*', contours: [[crab.amplitude, crab.index]]}",
    ("hess-crab-1d", "models_start_lp.yaml"): """
fit: {}
flux_points: [{source: crab, energy_edges: {min: 0.7 TeV, max: 20 TeV, per_decade: 5}}]
""",
    ("flux-points", "models_start.yaml"): FIT,
    ("flux-points", "models_start_pl.yaml"): FIT,
    ("fermi-3fhl-crab", "models_start.yaml"): """
fit: {test: ["Crab Nebula"]}
flux_points: [{source: "Crab Nebula", energy_edges: [0.01 TeV, 0.0832 TeV, 0.5 TeV, 2 TeV]}]
""",
    ("fermi-3fhl-crab", "models_start_pos.yaml"): FIT,
    ("fermi-3fhl-crab", "models_start_far.yaml"): FIT,
    ("fermi-3fhl-gc", "models_start.yaml"): FIT,
    ("cta1dc-gc-joint", "models_start.yaml"): FIT,
    ("cta1dc-gc-joint", "models_start_diffuse.yaml"): FIT,
    ("cta1dc-gc-stacked", "models_start.yaml"): FIT,
    ("hawc-crab", "models_start.yaml"): FIT,
    ("hawc-crab", "models_start_bkg.yaml"): FIT,
    ("hess-msh1552-stacked", "models_start.yaml"): FIT,
    ("hess-msh1552-runs", "models.yaml"): """
operations:
  - stack: {datasets: "run*", name: stacked}
  - to_spectrum_dataset:
      dataset: stacked
      name: spectrum
      region: {type: circle, center: [228.5365, -59.1751], frame: icrs, radius: 0.4 deg}
""",
    ("hess-msh1552-runs", "models_tilt.yaml"): FIT,
}
#: what is computed as the responses say, too
EXACT = [("joint-crab", "models_start_lp.yaml"), ("fermi-3fhl-crab", "models_start_pos.yaml")]


@dataclass(frozen=True)
class Case:
    """An analysis: either an example to copy, or the text of a config."""

    name: str
    example: Path | None = None
    config: str = ""

    def lay(self, folder: Path) -> None:
        """Its files in a new folder."""
        if folder.exists():
            shutil.rmtree(folder)
        if self.example is not None:
            shutil.copytree(self.example, folder)
        else:
            folder.mkdir(parents=True)
            (folder / "config.yaml").write_text(self.config)


def cases() -> Iterator[Case]:
    """Every example, and every reference with each of its models."""
    for folder in sorted(path for path in (ROOT / "example_configs").iterdir() if path.is_dir()):
        yield Case(f"example {folder.name}", folder)
    for (folder, models), more in REFERENCES.items():
        for conventions in ("gammapy", "exact") if (folder, models) in EXACT else ("gammapy",):
            where = DATA / "reference" / folder
            text = CONFIG.format(
                datasets=where / "datasets.yaml", models=where / models, conventions=conventions, more=more
            )
            yield Case(" ".join([folder, models, *(["exact"] if conventions == "exact" else [])]), config=text)


def run(tree: Path, case: Case) -> dict[str, bytes]:
    """All results of a case with the gm of a tree, by name; what it prints and its exit code among them."""
    folder = FOLDER / "case"
    case.lay(folder)
    environment = {**os.environ, "PYTHONPATH": str(tree), "NO_COLOR": "1"}
    done = subprocess.run([*GM, "run", "-q", "config.yaml"], cwd=folder, env=environment, capture_output=True)
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "results").rglob("*"))
        if path.is_file() and path.name != "provenance.yaml"
    }
    return found | {"exit code": str(done.returncode).encode(), "messages": done.stderr}


def apart(a: bytes, b: bytes) -> str:
    """How far the numbers of two files are apart, in words; where lines are broken does not matter."""
    if a.startswith(b"SIMPLE"):
        return "other bytes"
    a, b = HASH.sub(b"", a), HASH.sub(b"", b)
    ours, theirs = NUMBER.findall(a), NUMBER.findall(b)
    if NUMBER.sub(b"#", a).split() != NUMBER.sub(b"#", b).split():
        return "other words"
    pairs = [(float(x), float(y)) for x, y in zip(ours, theirs, strict=True) if x != y]
    return f"{max(abs(x - y) / max(abs(x), abs(y)) for x, y in pairs):.1e}" if pairs else "hashes alone"


def compare(case: Case, other: Path) -> list[str]:
    """A row of the table: how many files are the same bytes, and which are not."""
    ours, theirs = run(ROOT, case), run(other, case)
    same = [name for name in ours if ours[name] == theirs.get(name)]
    differing = [f"{name}: {apart(ours[name], theirs[name])}" for name in ours if name in theirs and name not in same]
    missing = sorted(ours.keys() ^ theirs.keys())
    what = "; ".join([*differing, *(f"{name}: in one alone" for name in missing)])
    return [case.name, f"{len(same)} of {len(ours)}", what, ours["exit code"].decode()]


def main() -> int:
    """Compare all; 1 where anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="a checkout of another version")
    parser.add_argument("--only", default="", help="cases whose names hold this")
    given = parser.parse_args()
    rows = []
    for case in cases():
        if given.only in case.name:
            rows.append(compare(case, given.other.resolve()))
            print(" | ".join(rows[-1]), file=sys.stderr, flush=True)
    print(table(["case", "same bytes", "what differs", "exit code"], rows))
    return int(any(row[2] for row in rows))


if __name__ == "__main__":
    sys.exit(main())
