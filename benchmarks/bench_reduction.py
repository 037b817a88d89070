#!/usr/bin/env python
"""Spectra and maps from DL3 files of H.E.S.S.: four runs on the Crab again and again, and 19 runs on MSH 15-52.

    GM_PEER_PYTHON=... python benchmarks/bench_reduction.py [--spectra 100] [--rounds 3] [--map-rounds 2]

Seconds are those of the processor, which others on the machine change less than those of a clock; reading the files is
in them, anew for each dataset. Each round of the maps is a process of its own, for its peak memory.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

import numpy as np
from alternate import Side, comparison, machine, peer_python, spell, table, write_results
from cases import DATA

STORE = str(DATA / "data/hess-dl3-dr1")
CRAB = {
    "store": STORE,
    "ids": [23523, 23526, 23559, 23592],
    "on": {"type": "circle", "center": [83.63, 22.01], "frame": "icrs", "radius": 0.11},
    "exclude": {"type": "circle", "center": [183.604, -8.708], "frame": "galactic", "radius": 0.5},
}
NEBULA = {
    "store": STORE,
    "ids": [20136, 20137, 20282, 20283, 20301, 20302, 20303, 20322, 20323, 20324, 20325, 20343, 20344, 20345, 20346,
            20365, 20366, 20367, 20368],
    "exclude": {"type": "circle", "center": [228.547, -59.174], "frame": "icrs", "radius": 0.5},
}  # fmt: skip
RINGS: dict[str, dict[str, Any]] = {
    "a ring": {"n_bins": 10, "ring": {"r_in": 0.6, "width": 0.3}},
    "adaptive rings": {"n_bins": 1, "ring": {"r_in": 0.6, "width": 0.3, "r_out_max": 1.7, "stepsize": 0.1}},
}
SPECTRUM_SUMS = ("counts", "off counts", "off regions", "safe bins")
RING_SUMS = ("off counts", "off acceptance", "safe bins")
MAP_SUMS = ("counts", "background", "exposure in cm2 s", "safe bins", "background norms")


def gm_side() -> Side:
    """A new process."""
    return Side(sys.executable, "reduction_gm.py")


def gammapy_side() -> Side:
    """A new process."""
    return Side(peer_python(), "reduction_gammapy.py")


def fewest(rounds: list[dict[str, Any]], step: str) -> float:
    """The fewest seconds of a step."""
    return float(min(round_["seconds"][step] for round_ in rounds))


def map_rounds(n: int) -> dict[str, list[dict[str, Any]]]:
    """All rounds of the maps: in one process, in two, and Gammapy's, in turn."""
    found: dict[str, list[dict[str, Any]]] = {"gm": [], "gm, 2 workers": [], "Gammapy": []}
    for _ in range(n):
        for name, rounds in found.items():
            extra = {} if name == "Gammapy" else {"workers": 1 + (name != "gm")}
            with (
                gammapy_side() if name == "Gammapy" else gm_side() as side
            ):  # alone: the other one would start beside it
                rounds.append(side.ask("maps", **NEBULA, **extra))
    return found


def ring_rows(pair: tuple[Side, Side], n_rounds: int) -> tuple[list[dict[str, Any]], list[list[float]]]:
    """Timings of rings on four maps that are there; and what both sides find with one that does not adapt.

    Adaptive ones differ, by a fault of Gammapy that docs/conventions.md names.
    """
    rows, sums = [], []
    for name, how in RINGS.items():
        ids = NEBULA["ids"][:4]
        rounds = [[side.ask("rings", **{**NEBULA, "ids": ids}, **how) for side in pair] for _ in range(n_rounds)]
        seconds = [fewest([round_[i] for round_ in rounds], "rings") for i in (0, 1)]
        rows.append({"step": f"off counts of {len(ids)} maps from {name}", "gm": seconds[0], "gammapy": seconds[1]})
        sums.append([answer["sums"] for answer in rounds[0]])
    return rows, sums[0]


def priority() -> str:
    """Whether both sides went before whatever else ran (``chrt -f 10 python ...``)."""
    is_usual = not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) == os.SCHED_OTHER
    return "" if is_usual else ", of others: both sides had real-time priority"


def sums_table(names: tuple[str, ...], ours: list[float], theirs: list[float]) -> str:
    rows = [[name, f"{a:.9g}", f"{b:.9g}"] for name, a, b in zip(names, ours, theirs, strict=True)]
    return table(["sum of all", "gm", "Gammapy"], rows)


def main() -> None:
    """Time both in turn, compare what they found, write ``results/reduction.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spectra", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--map-rounds", type=int, default=2)
    args = parser.parse_args()
    ours, theirs = pair = gm_side(), gammapy_side()
    with ours, theirs:
        versions = machine(pair)
        rounds = [[side.ask("spectra", n=args.spectra, **CRAB) for side in pair] for _ in range(args.rounds)]
        rows_of_rings, sums_of_rings = ring_rows(pair, args.rounds)
    maps = map_rounds(args.map_rounds)
    versions["load"] = round(os.getloadavg()[0], 1)
    seconds = [fewest([round_[i] for round_ in rounds], "spectra") for i in (0, 1)]
    steps = ("maps", "longest", "clock")
    cpu, longest, clock = ({name: fewest(of, step) for name, of in maps.items()} for step in steps)
    peaks = {name: max(round_["peak"] for round_ in of) for name, of in maps.items()}
    label = f"{len(NEBULA['ids'])} maps with a background of the field of view"
    rows: list[dict[str, Any]] = [
        {"step": f"{args.spectra} spectra with reflected regions", "gm": seconds[0], "gammapy": seconds[1]},
        {"step": label, "gm": cpu["gm"], "gammapy": cpu["Gammapy"]},
    ]
    rows = [{**row, "target": 10} for row in rows] + rows_of_rings
    sums = {
        "rings": sums_of_rings,
        "spectra": [rounds[0][i]["sums"] for i in (0, 1)],
        "maps": [maps[n][0]["sums"] for n in ("gm", "Gammapy")],
    }
    cells = [
        [
            name,
            spell(cpu[name]),
            spell(longest[name]),
            f"{longest['Gammapy'] / longest[name]:.3g}",
            spell(clock[name]),
            f"{clock['Gammapy'] / clock[name]:.3g}",
            f"{peaks[name]:.0f}",
        ]
        for name in maps
    ]
    load = f"The load was {versions['load']:g} on {versions['cores']} cores{priority()}."
    note = f"Seconds of the processor, the best of all rounds; the files are read anew for each dataset. {load}"
    text = f"# Spectra and maps from observations\n\n{note}\n\n"
    text += comparison(rows) + f"\n{label}; of two workers the larger one, besides the memory that they share:\n\n"
    text += "What takes longest is the busiest process and what is done once: the clock where nothing else runs.\n\n"
    head = [
        "maps",
        "processor",
        "takes longest",
        "times Gammapy",
        "clock",
        "times Gammapy's clock",
        "peak memory in MiB",
    ]
    text += table(head, cells)
    text += f"\n{sums_table(SPECTRUM_SUMS, *sums['spectra'])}\n{sums_table(MAP_SUMS, *sums['maps'])}"
    text += f"\nFour maps with a ring:\n\n{sums_table(RING_SUMS, *sums['rings'])}"
    results = {
        "machine": versions,
        "timings": rows,
        "maps": {"cpu": cpu, "longest": longest, "clock": clock, "peak": peaks},
        "sums": sums,
    }
    write_results("reduction", results, text)
    workers_differ = maps["gm, 2 workers"][0]["sums"] != maps["gm"][0]["sums"]
    if sums["spectra"][0] != sums["spectra"][1] or workers_differ:
        raise SystemExit("the spectra differ, or maps with the number of workers")
    if not all(np.allclose(*sums[name], rtol=1e-6) for name in ("maps", "rings")):
        raise SystemExit("the maps differ")


if __name__ == "__main__":
    main()
