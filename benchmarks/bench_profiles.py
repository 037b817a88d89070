#!/usr/bin/env python
"""Likelihood profiles, everything else fitted again at each point: an index of a nebula on a map, and of spectra.

    GM_PEER_PYTHON=... python benchmarks/bench_profiles.py [--points 31]

Both start from their own best fit; the points are Gammapy's. gm's time holds the compilation of the likelihood and the
way back to the minimum, Gammapy's the points alone. Seconds are those of the processor, all threads together.
"""

from __future__ import annotations

import argparse
from typing import Any

from alternate import Side, both, comparison, machine, write_results
from cases import CASES, MAP_CASES, Case

PROFILES: dict[str, tuple[Case, str, int]] = {
    "MSH 15-52 stacked, index": (MAP_CASES["MSH 15-52, stacked"][0], "msh1552.index", 100),
    "4 H.E.S.S. runs, index": (CASES["hess-crab-1d-pl"], "crab.index", 100),
    "joint Crab, alpha": (CASES["joint-crab-lp"], "crab.alpha", 100),
}


def compared(gm: Side, gammapy: Side, name: str, n: int) -> tuple[dict[str, Any], float]:
    """The timings of one profile, and the largest difference of both profiles, gm minus Gammapy."""
    case, parameter, target = PROFILES[name]
    for side in (gm, gammapy):
        side.ask("keep", datasets_file=str(case.datasets_file), models_file=str(case.models_file), ranges=case.ranges)
    theirs = gammapy.ask("profile", parameter=parameter, n=n)
    ours = [gm.ask("profile", parameter=parameter, values=theirs["values"]) for _ in range(5)]
    least = min(answer["seconds"]["profile"] for answer in ours)
    apart = max((a - b for a, b in zip(ours[0]["rises"], theirs["rises"], strict=True)), key=abs)
    step = f"{name}, {n} points"
    return {"step": step, "gm": least, "gammapy": theirs["seconds"]["profile"], "target": target}, apart


def main() -> None:
    """Time both, write ``results/profiles.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=31)
    n = parser.parse_args().points
    gm, gammapy = both()
    with gm, gammapy:
        versions = machine((gm, gammapy))
        found = {name: compared(gm, gammapy, name, n) for name in PROFILES}
    rows, apart = [row for row, _ in found.values()], {name: apart for name, (_, apart) in found.items()}
    told = "".join(f"- {name}: {difference:.2g}\n" for name, difference in apart.items())
    text = (
        "# Likelihood profiles\n\nEverything else fitted again at each point. Seconds of the processor.\n\n"
        f"{comparison(rows)}\nLargest difference of the rises of -2 ln L, from 0 to 9, gm minus Gammapy:\n\n{told}"
    )
    write_results("profiles", {"machine": versions, "timings": rows, "differences": apart}, text)


if __name__ == "__main__":
    main()
