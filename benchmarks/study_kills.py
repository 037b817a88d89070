"""Commands killed at random moments, in any number: ``python benchmarks/study_kills.py --n 200 [--observed]``.

After every kill the next undisturbed run has to give the bytes of one that was never disturbed. Prints what did not,
with the number of the kill (``--seed`` and that number make it again), and writes a table to
``benchmarks/results/kills.md``, or ``kills_observed.md`` for a reduction of observations.
"""

from __future__ import annotations

import argparse
import collections
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.killing import OBSERVED, SIGNALS, SIMULATED, Analysis, Kill, kill_and_recover

RESULTS = Path(__file__).resolve().parent / "results"


WHAT = {
    SIMULATED: "simulated runs, which are cut, fitted, and give\nflux points.",
    OBSERVED: "observations, which two workers reduce\nto a spectrum each and to one map of all.",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=200, help="number of kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first kill")
    parser.add_argument("--datasets", type=int, default=30, help="number of datasets of the analysis")
    parser.add_argument("--observed", action="store_true", help="an analysis of observations")
    options = parser.parse_args()
    analysis = OBSERVED if options.observed else SIMULATED
    numbers = range(options.first, options.first + options.n)
    kills = []
    with tempfile.TemporaryDirectory() as folder:
        for kill in kill_and_recover(Path(folder), options.seed, numbers, options.datasets, analysis):
            kills.append(kill)
            if kill.fault:
                print(kill, flush=True)
    text = table(analysis, kills, f"(seed {options.seed}) of commands on {options.datasets} {WHAT[analysis]}")
    print(text)
    (RESULTS / ("kills_observed.md" if options.observed else "kills.md")).write_text(text + "\n")
    return 1 if any(kill.fault for kill in kills) else 0


def table(analysis: Analysis, kills: list[Kill], what: str) -> str:
    """One row a command: kills by each signal, how many ended it before its end, and how many left other bytes."""
    rows = [
        "# Kills at random moments",
        "",
        f"{len(kills)} kills {what}",
        "A setting is changed, the command is killed at one of its calls that touch a file, the setting is put back,",
        "and everything run again. Right are the bytes of all results, and no file more, as after a run that was never",
        "disturbed.",
        "",
        "| command | " + " | ".join(how.name for how in SIGNALS) + " | stopped before its end | wrong afterwards |",
        "| --- |" + " --- |" * (len(SIGNALS) + 2),
    ]
    for command in analysis.commands:
        own = [kill for kill in kills if kill.command == command]
        by_signal = collections.Counter(kill.signal for kill in own)
        cells = [
            f"`gm {command}`",
            *(by_signal[how.name] for how in SIGNALS),
            sum(kill.ended != 0 for kill in own),
            sum(bool(kill.fault) for kill in own),
        ]
        rows.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(rows)


if __name__ == "__main__":
    sys.exit(main())
