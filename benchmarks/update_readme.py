#!/usr/bin/env python
"""Write the README's table from ``benchmarks/results``, between its markers. ``--check`` only says whether it is so."""

from __future__ import annotations

import json
import sys

from alternate import spell, table
from cases import RESULTS, ROOT

BEGIN, END = "<!-- benchmarks -->\n", "<!-- /benchmarks -->"

#: title of the rows of a results file
TITLES = {
    "joint_crab": "joint Crab",
    "flux_points": "flux points",
    "light_curve": "light curve",
    "profiles": "profile",
    "sky_maps": "Galactic centre cube",
    "many_runs": "{runs} runs",
    "maps": "maps",
    "maps_long": "maps",
}


def rendered() -> str:
    """The table: every timing that has a goal, then memory and agreement."""
    rows = []
    for name, title in TITLES.items():
        path = RESULTS / f"{name}.json"
        document = json.loads(path.read_text()) if path.exists() else {"timings": []}
        for timing in document["timings"]:
            if timing["target"]:
                ratio = timing["gammapy"] / timing["gm"]
                cells = [
                    spell(timing["gm"]),
                    spell(timing["gammapy"]),
                    f"{ratio:.1f}x" if ratio < 10 else f"{ratio:.0f}x",
                    f"{timing['target']}x",
                ]
                rows.append([f"{title.format(**document)}: {timing['step']}", *cells])
        if peaks := document.get("peak_memory_MiB"):
            rows.append([f"{title.format(**document)}: peak memory", *(f"{p:.0f} MiB" for p in peaks), "", ""])
    text = table(["", "gm", "Gammapy 2.1", "faster by", "goal"], rows) if rows else ""
    path = RESULTS / "references.json"
    if path.exists():
        cases = json.loads(path.read_text())["cases"]
        shift = max(case["shift_sigma"] for case in cases)
        text += f"\n{len(cases)} reference fits: parameters within {shift:.3f} sigma "
        text += "([all numbers](benchmarks/results/references.md)).\n"
    path = RESULTS / "maps_references.json"
    if path.exists():
        cases = json.loads(path.read_text())["cases"]
        difference = max(case["counts_difference"] for case in cases)
        text += f"{len(cases)} map references: predicted counts within {difference:.0e}, the same minima or lower ones "
        text += "([all numbers](benchmarks/results/maps_references.md)).\n"
    path = RESULTS / "maps_errors.json"
    if path.exists():
        cases = json.loads(path.read_text())["cases"].values()
        rises = [theirs / ours for case in cases for theirs, ours in zip(case["gammapy"], case["gm"], strict=True)]
        text += f"{len(rises)} errors of map fits: one error away Gammapy's statistic has risen by what gm's has, "
        text += f"within {max(abs(rise - 1) for rise in rises):.0e} "
        text += "([all numbers](benchmarks/results/maps_errors.md)).\n"
    return text


def main() -> None:
    """Rewrite the README, or with ``--check`` exit with 1 when it is out of date."""
    path = ROOT / "README.md"
    before = path.read_text()
    head, rest = before.split(BEGIN)
    after = head + BEGIN + rendered() + END + rest.split(END)[1]
    if "--check" in sys.argv:
        sys.exit("the README's table is not that of benchmarks/results" if after != before else 0)
    path.write_text(after)


if __name__ == "__main__":
    main()
