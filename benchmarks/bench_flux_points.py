#!/usr/bin/env python
"""Flux points with everything on: errors, asymmetric errors, upper limits, profiles, sensitivity.

    GM_PEER_PYTHON=... python benchmarks/bench_flux_points.py [--rounds 3]

Gammapy takes only datasets with aligned energy axes: on the ten spectra of the joint Crab it works for about a
minute and then ends in an exception, which is timed as such. So it is also given one instrument at a time.
"""

from __future__ import annotations

import argparse
from typing import Any

from alternate import Side, both, comparison, machine, seconds, write_results
from cases import HESS_EDGES, JOINT_EDGES, RANGES


def timed(gm: Side, gammapy: Side, rounds: int, **request: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """One request to both in turn: median seconds and the last answers."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.extend(gm.ask("flux_points", **request) for _ in range(5))
        theirs.append(gammapy.ask("flux_points", **request))
    return {"gm": seconds(ours, "flux_points"), "gammapy": seconds(theirs, "flux_points")}, theirs[-1]


def main() -> None:
    """Time both, write ``results/flux_points.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    rows = []
    gm, gammapy = both()
    with gm, gammapy:
        versions = machine((gm, gammapy))
        row, _ = timed(gm, gammapy, rounds, case="hess-crab-1d-pl", edges=HESS_EDGES)
        rows.append({"step": "4 H.E.S.S. runs, 10 bands", **row, "target": 500})
        alone = 0.0
        for prefix in RANGES:
            row, _ = timed(gm, gammapy, rounds, case="joint-crab-lp", edges=JOINT_EDGES, prefix=prefix)
            rows.append({"step": f"joint Crab, {prefix} alone, 12 bands", **row, "target": ""})
            alone += row["gammapy"]
        row, last = timed(gm, gammapy, 1, case="joint-crab-lp", edges=JOINT_EDGES)
        crash = last.get("crash")
        step = "joint Crab, all ten spectra together, 12 bands" + (" (Gammapy: until it crashes)" if crash else "")
        rows.append({"step": step, **row, "target": 500})
        step = "the same, against Gammapy's five instruments one by one"
        rows.append({"step": step, "gm": row["gm"], "gammapy": alone, "target": 500})
    text = "# Flux points with everything on\n\n" + f"Medians over {rounds} rounds in turn.\n\n" + comparison(rows)
    if crash:
        text += f"\nGammapy on all ten spectra together ends with `{crash}`; gm returns the complete table.\n"
    write_results("flux_points", {"machine": versions, "timings": rows, "crash": crash}, text)


if __name__ == "__main__":
    main()
