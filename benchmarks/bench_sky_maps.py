#!/usr/bin/env python
"""TS maps and excess maps of the Galactic centre cube of Fermi-LAT, 400 x 200 pixels and 11 energies.

    GM_PEER_PYTHON=... python benchmarks/bench_sky_maps.py [--rounds 1] [--only "summed over energy"]

A point source at every pixel, beside the diffuse models, seen in a square of 1 deg as in Gammapy's tutorial, and of
2 deg, which holds more of the PSF. Seconds are those of the processor, all threads together, and hold what the models
predict. ``--only`` measures the steps whose names hold what follows, prints, and writes nothing.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from alternate import Side, both, comparison, machine, write_results
from cases import MAP_CASES

CASE = MAP_CASES["Fermi Galactic centre, templates"][0]
TS_MAPS: dict[str, tuple[dict[str, Any], int | str]] = {
    "TS map, cube": ({"width": 1.0, "summed": False, "intervals": False}, 50),
    "TS map, cube, with asymmetric errors and limits": ({"width": 1.0, "summed": False, "intervals": True}, 50),
    "TS map, summed over energy": ({"width": 1.0, "summed": True, "intervals": False}, 50),
    "TS map, cube, 2 deg": ({"width": 2.0, "summed": False, "intervals": False}, 50),
}
EXCESS_MAPS: dict[str, tuple[dict[str, Any], int | str]] = {
    "excess map": ({"radius": 0.2, "intervals": False}, 5),
    "excess map, with asymmetric errors and limits": ({"radius": 0.2, "intervals": True}, 5),
}


def least(side: Side, task: str, rounds: int, request: dict[str, Any]) -> tuple[float, dict[str, Any]]:
    """The shortest time, and the last answer."""
    answers = [side.ask(task, **request) for _ in range(rounds)]
    return min(answer["seconds"][task] for answer in answers), answers[-1]


def apart(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    """How far both TS maps are from each other, in the errors of the norms and in TS."""
    a, b = (
        {name: np.array(answer[name], dtype=float) for name in ("ts", "norm", "norm_err")} for answer in (ours, theirs)
    )
    both_there = np.isfinite(a["ts"]) & np.isfinite(b["ts"])
    norms = np.abs(a["norm"] - b["norm"])[both_there] / b["norm_err"][both_there]
    ts = np.abs(a["ts"] - b["ts"])[both_there]
    return f"{both_there.sum()} pixels: norms within {np.nanmax(norms):.2g} of their errors, TS within {ts.max():.2g}"


def main() -> None:
    """Time both, write ``results/sky_maps.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", default="", help="steps whose names hold this")
    args = parser.parse_args()
    rounds = args.rounds
    rows, told = list[dict[str, Any]](), list[str]()
    gm, gammapy = both()
    with gm, gammapy:
        versions = machine((gm, gammapy))
        for side in (gm, gammapy):
            side.ask("keep", datasets_file=str(CASE.datasets_file), models_file=str(CASE.models_file), ranges={})
        for task, cases in (("ts_map", TS_MAPS), ("excess_map", EXCESS_MAPS)):
            for step, (request, target) in ((step, case) for step, case in cases.items() if args.only in step):
                asked = {**request, "without": "source-gc"} if task == "ts_map" else request
                ours, mine = least(gm, task, 3 * rounds, asked)
                theirs, other = least(gammapy, task, 2 * rounds if task == "excess_map" else rounds, asked)
                rows.append({"step": step, "gm": ours, "gammapy": theirs, "target": target})
                if task == "ts_map":
                    told.append(f"- {step}: {apart(mine, other)}")
                print(rows[-1], flush=True)
    if args.only:
        return
    lines = "\n".join(told)
    text = (
        "# TS maps and excess maps\n\nGalactic centre cube of the 3FHL, 400 x 200 pixels, 11 energies. "
        "Seconds of the processor, the least of several.\n\n"
        f"{comparison(rows)}\nDifferences of the TS maps, where Gammapy stops at 1 % of a norm:\n\n{lines}\n"
    )
    write_results("sky_maps", {"machine": versions, "timings": rows, "differences": told}, text)


if __name__ == "__main__":
    main()
