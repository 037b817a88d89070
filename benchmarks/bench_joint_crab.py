#!/usr/bin/env python
"""The joint Crab: the fit with covariance in process, and the whole command against Gammapy's whole script.

GM_PEER_PYTHON=... python benchmarks/bench_joint_crab.py [--rounds 7]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from alternate import both, comparison, machine, peer_python, seconds, table, write_results
from cases import CASES, DATA, RANGES

#: the command beside this Python
GM = [str(Path(sys.executable).with_name("gm"))]

CONFIG = """\
version: 1
name: joint-crab
datasets: {datasets}
models: {models}
fit:
  energy_range:
{ranges}
"""


def in_process(rounds: int) -> tuple[list[dict[str, Any]], list[list[str]], dict[str, Any]]:
    """Timings of the fit, and where the two end, for each spectral model."""
    timings, minima = [], []
    gm, gammapy = both()
    with gm, gammapy:
        versions = machine((gm, gammapy))
        for name in ("joint-crab-lp", "joint-crab-pl", "joint-crab-ecpl"):
            case = CASES[name]
            for side in (gm, gammapy):
                side.ask(
                    "keep", datasets_file=str(case.datasets_file), models_file=str(case.models_file), ranges=case.ranges
                )
            answers: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
            for _ in range(rounds):
                answers[0].extend(gm.ask("fit") for _ in range(5))
                answers[1].append(gammapy.ask("fit"))
            for step, label in {"fit": "fit with covariance", "fit_hesse": "the same with a real HESSE"}.items():
                wanted = 100 if step == "fit" else ""
                row = {"step": f"{label}, {name}", "gm": seconds(answers[0], "fit"), "target": wanted}
                timings.append({**row, "gammapy": seconds(answers[1], step)})
            minima.append([name, f"{answers[0][0]['statistic']:.7f}", f"{answers[1][0]['statistic']:.7f}"])
    return timings, minima, versions


def whole_command(rounds: int) -> dict[str, Any]:
    """Seconds of ``gm fit`` and of Gammapy's script, each a new process, in turn."""
    case = CASES["joint-crab-lp"]
    ranges = [f"    - {{datasets: '{p}*', min: {low} TeV, max: {high} TeV}}" for p, (low, high) in RANGES.items()]
    times: tuple[list[float], list[float]] = ([], [])
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "joint-crab.yaml"
        config.write_text(CONFIG.format(datasets=case.datasets_file, models=case.models_file, ranges="\n".join(ranges)))
        gm = [*GM, "fit", "--force", str(config)]
        script = [peer_python(), str(DATA / "peer/gammapy_run.py"), "--fit"]
        script += ["--datasets", str(case.datasets_file), "--models", str(case.models_file)]
        for prefix, (low, high) in RANGES.items():
            script += ["--energy-range", prefix, str(low), str(high)]
        for _ in range(rounds):
            for command, kept in zip((gm, script), times, strict=True):
                start = time.perf_counter()
                subprocess.run(command, check=True, capture_output=True)
                kept.append(time.perf_counter() - start)
    gm_seconds, script_seconds = map(statistics.median, times)
    step = "whole command, `gm fit` against the Gammapy script"
    return {"step": step, "gm": gm_seconds, "gammapy": script_seconds, "target": 4}


def main() -> None:
    """Time both, write ``results/joint_crab.*``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    timings, minima, versions = in_process(args.rounds)
    timings.append(whole_command(args.rounds))
    text = "# The joint Crab: ten On/Off spectra of five instruments\n\n"
    text += f"Medians over {args.rounds} rounds in turn; gm's fit includes compiling the likelihood, "
    text += "Gammapy's starts after a first evaluation and takes MIGRAD's own matrix, or HESSE's.\n\n" + comparison(
        timings
    )
    text += "\n" + table(["best statistic", "gm", "Gammapy"], minima)
    write_results("joint_crab", {"machine": versions, "timings": timings, "minima": minima}, text)


if __name__ == "__main__":
    main()
