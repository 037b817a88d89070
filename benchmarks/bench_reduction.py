#!/usr/bin/env python
"""Spectra with reflected regions from DL3 files, in one process: four runs of H.E.S.S. on the Crab, again and again.

    GM_PEER_PYTHON=... python benchmarks/bench_reduction.py [--spectra 100] [--rounds 3]

Seconds are those of the processor, which others on the machine do not change; reading the files is in them.
"""

from __future__ import annotations

import argparse
import sys

from alternate import Side, comparison, machine, peer_python, table, write_results
from cases import DATA

REQUEST = {
    "store": str(DATA / "data/hess-dl3-dr1"),
    "ids": [23523, 23526, 23559, 23592],
    "on": {"type": "circle", "center": [83.63, 22.01], "frame": "icrs", "radius": 0.11},
    "exclude": {"type": "circle", "center": [183.604, -8.708], "frame": "galactic", "radius": 0.5},
}


def main() -> None:
    """Time both in turn, compare what they found, write ``results/reduction.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    sides = Side(sys.executable, "reduction_gm.py"), Side(peer_python(), "reduction_gammapy.py")
    with sides[0], sides[1]:
        versions = machine(sides)
        rounds = [[side.ask("spectra", n=args.spectra, **REQUEST) for side in sides] for _ in range(args.rounds)]
    ours, theirs = (min(round_[i]["seconds"]["spectra"] for round_ in rounds) for i in (0, 1))
    sums = [rounds[0][i]["sums"] for i in (0, 1)]
    rows = [{"step": f"{args.spectra} spectra", "gm": ours, "gammapy": theirs, "target": 10}]
    names = ("counts", "off counts", "off regions", "safe bins")
    found = [[name, f"{a:g}", f"{b:g}"] for name, a, b in zip(names, *sums, strict=True)]
    text = (
        "# Spectra from observations\n\nSeconds of one processor, the best of all rounds; the files are read anew for "
    )
    text += "each spectrum.\n\n" + comparison(rows) + "\n" + table(["sum of all", "gm", "Gammapy"], found)
    write_results("reduction", {"machine": versions, "timings": rows, "sums": sums}, text)
    if sums[0] != sums[1]:
        raise SystemExit("the spectra differ")


if __name__ == "__main__":
    main()
