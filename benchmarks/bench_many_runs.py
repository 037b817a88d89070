#!/usr/bin/env python
"""Many On/Off runs under one global model: reading, one statistic (with gradient), the fit, peak memory.

    GM_PEER_PYTHON=... python benchmarks/bench_many_runs.py [--runs 1000] [--rounds 1]

With 1000 runs Gammapy takes about four minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from alternate import both, comparison, machine, seconds, table, write_results
from cases import CASES
from make_many_runs import write_runs


def main() -> None:
    """Time both, write ``results/many_runs.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument(
        "--rounds", type=int, default=1, help="how often Gammapy does each step; gm does it 5 times as often"
    )
    args = parser.parse_args()
    gm, gammapy = both()
    with tempfile.TemporaryDirectory() as folder, gm, gammapy:
        versions = machine((gm, gammapy))
        datasets = write_runs(Path(folder), args.runs)
        request = {
            "datasets_file": str(datasets),
            "models_file": str(CASES["hess-crab-1d-pl"].models_file),
            "ranges": {},
        }
        ours = {"read": [gm.ask("keep", **request) for _ in range(3)]}
        theirs = {"read": [gammapy.ask("keep", **request)]}
        ours["statistic"] = [gm.ask("statistic", n=20) for _ in range(5 * args.rounds)]
        theirs["statistic"] = [gammapy.ask("statistic", n=3) for _ in range(args.rounds)]
        ours["fit"] = [gm.ask("fit") for _ in range(5 * args.rounds)]
        theirs["fit"] = [gammapy.ask("fit") for _ in range(args.rounds)]
        peaks = [side.ask("memory")["peak"] for side in (gm, gammapy)]
    fit, value = seconds(ours["fit"], "fit"), seconds(theirs["statistic"], "statistic")
    with_gradient = "one statistic with gradient (Gammapy: without)"
    steps = [
        ("read", seconds(ours["read"], "read"), seconds(theirs["read"], "read"), 10),
        ("one statistic", seconds(ours["statistic"], "statistic"), value, ""),
        (with_gradient, seconds(ours["statistic"], "gradient"), value, 500),
        ("fit with covariance", fit, seconds(theirs["fit"], "fit"), 500),
        ("the same with a real HESSE", fit, seconds(theirs["fit"], "fit_hesse"), 500),
    ]
    rows = [dict(zip(("step", "gm", "gammapy", "target"), step, strict=True)) for step in steps]
    minima = [
        ["statistic at the start", f"{ours['statistic'][0]['value']:.6f}", f"{theirs['statistic'][0]['value']:.6f}"],
        ["best statistic", f"{ours['fit'][0]['statistic']:.6f}", f"{theirs['fit'][0]['statistic']:.6f}"],
        ["peak memory, MiB", *(f"{peak:.0f}" for peak in peaks)],
    ]
    text = (
        f"# {args.runs} On/Off runs, one global model\n\ngm's fit includes compiling the likelihood and the observed "
    )
    text += "Hessian; Gammapy's covariance is MIGRAD's own matrix, or HESSE's.\n\n" + comparison(rows) + "\n"
    text += table(["", "gm", "Gammapy"], minima)
    document = {"machine": versions, "runs": args.runs, "timings": rows, "minima": minima, "peak_memory_MiB": peaks}
    write_results("many_runs", document, text)


if __name__ == "__main__":
    main()
