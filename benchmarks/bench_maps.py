#!/usr/bin/env python
"""Map fits: the whole fit with covariance in process, peak memory, and flux points on cubes.

    GM_PEER_PYTHON=... python benchmarks/bench_maps.py [--rounds 1] [--long]
    GM_PEER_PYTHON=... python benchmarks/bench_maps.py --only "MSH 15-52, stacked"

``--long`` times the case on which Gammapy takes more than ten minutes, and nothing else, and writes ``maps_long.*``.
``--only`` times the cases whose names hold what follows, prints, and writes nothing.
"""

from __future__ import annotations

import argparse
from typing import Any

from alternate import Side, both, comparison, machine, seconds, table, write_results
from cases import CUBES, LONG_MAP_CASES, MAP_CASES, Case

GM_ROUNDS = 5  # of gm's fits for each of Gammapy's


def first_fit(side: Side, case: Case) -> tuple[dict[str, Any], float]:
    """The one fit of a process that has done nothing but reading, and the peak memory [MiB] of both."""
    side.ask("keep", datasets_file=str(case.datasets_file), models_file=str(case.models_file), ranges={})
    return side.ask("fit"), side.ask("memory")["peak"]


def fit_case(name: str, rounds: int) -> dict[str, Any]:
    """Timings, minima and peak memory of one case, in fresh processes."""
    case, target = (MAP_CASES | LONG_MAP_CASES)[name]
    gm, gammapy = both()
    with gm, gammapy:
        versions = machine((gm, gammapy))
        answers, peaks = [], []
        for side, n_fits in ((gm, GM_ROUNDS * rounds), (gammapy, rounds)):
            first, peak = first_fit(side, case)
            answers.append([first, *(side.ask("fit") for _ in range(n_fits - 1))])
            peaks.append(peak)
    ours = seconds(answers[0], "fit")
    timings = [
        {
            "step": f"fit with covariance, {name}",
            "gm": ours,
            "gammapy": seconds(answers[1], "fit_hesse"),
            "target": target,
        },
        {"step": f"the same with MIGRAD's own matrix, {name}", "gm": ours, "gammapy": seconds(answers[1], "fit")},
    ]
    minimum = [
        name,
        f"{answers[0][0]['statistic']:.6f}",
        f"{answers[1][0]['statistic']:.6f}",
        str(answers[1][0]["success"]),
    ]
    return {"timings": timings, "minimum": minimum, "peak_memory_MiB": {name: peaks}, "machine": versions}


def flux_points(name: str, rounds: int) -> dict[str, Any]:
    """Flux points of a cube with everything on."""
    gm, gammapy = both()
    _, source, edges = CUBES[name]
    arguments = {"case": name, "edges": edges, "source": source}
    with gm, gammapy:
        machine((gm, gammapy))  # once both answer, neither is still importing
        ours = [gm.ask("flux_points", **arguments) for _ in range(GM_ROUNDS * rounds)]
        theirs = [gammapy.ask("flux_points", **arguments) for _ in range(rounds)]
    times = {"gm": seconds(ours, "flux_points"), "gammapy": seconds(theirs, "flux_points")}
    return {"step": f"flux points with everything on, {name}, 3 bands", **times, "target": 500}


def main() -> None:
    """Time both, write ``results/maps.*`` or ``results/maps_long.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--long", action="store_true")
    parser.add_argument("--only", default="", help="cases whose names hold this")
    args = parser.parse_args()
    names = [name for name in (LONG_MAP_CASES if args.long else MAP_CASES) if args.only in name]
    cubes = [] if args.long else [name for name in CUBES if args.only in name]
    cases = [fit_case(name, args.rounds) for name in names]
    timings = [{"target": "", **timing} for case in cases for timing in case["timings"]]
    timings += [flux_points(name, args.rounds) for name in cubes]
    if args.only:
        print(comparison(timings))
        return
    peaks = {name: pair for case in cases for name, pair in case["peak_memory_MiB"].items()}
    larger = [name for name, (ours, theirs) in peaks.items() if ours > theirs]
    text = "# Maps: fits in process\n\ngm's fit includes compiling the likelihood, and its covariance is the observed "
    text += (
        "Hessian; Gammapy's starts after a first evaluation, with HESSE or with MIGRAD's own matrix.\n\n"
        + comparison(timings)
    )
    text += "\n" + table(["best statistic", "gm", "Gammapy", "Gammapy's success"], [case["minimum"] for case in cases])
    rows = [[name, *(f"{peak:.0f}" for peak in pair)] for name, pair in peaks.items()]
    text += "\n" + table(["peak memory in MiB", "gm", "Gammapy"], rows)
    text += "\nEach peak is of a process of its own that has read the data and fitted once. gm's is "
    text += ("above Gammapy's for " + ", ".join(larger) if larger else "nowhere above Gammapy's") + ".\n"
    write_results(
        "maps_long" if args.long else "maps", {"machine": cases[0]["machine"], "timings": timings, "peaks": peaks}, text
    )


if __name__ == "__main__":
    main()
