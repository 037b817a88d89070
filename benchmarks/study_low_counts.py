#!/usr/bin/env python
"""Random analyses with 0 to 30 counts: fits and flux points against slow, obvious computations.

    python benchmarks/study_low_counts.py run --first 0 --count 500     # some of the 20 000; as often as needed
    python benchmarks/study_low_counts.py table                         # what all of them gave

Spectra and maps, Cash and W, priors, limits and links, each drawn from its number and always the same
(``tests/low_counts.py``); what is asked of them is in ``tests/low_count_checks.py``. One in 25 is asked for
re-optimised flux points too, for which the slow computation takes seconds.
``build/study_low_counts/analyses.jsonl`` keeps one line for each.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from typing import Any

from alternate import table, write_results
from cases import ROOT

sys.path.insert(0, str(ROOT))

from tests.low_count_checks import wrong_with_fit, wrong_with_points, wrong_with_reoptimized
from tests.low_counts import KINDS, Analysis, analysis

LINES = ROOT / "build" / "study_low_counts" / "analyses.jsonl"
SOME = 25
CHECKS: dict[str, Callable[[Analysis], list[str]]] = {
    "flux points": wrong_with_points,
    "re-optimised": wrong_with_reoptimized,
    "fit": lambda found: wrong_with_fit(found)[1],
}


def one(number: int, only: list[str]) -> dict[str, Any]:
    """What is wrong with one analysis, by what was asked of it; exceptions and warnings are wrong too."""
    found = analysis(number)
    row: dict[str, Any] = {"number": number, "kind": found.kind, "wrong": {}}
    for name in only:
        if name == "re-optimised" and number % SOME:
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                row["wrong"][name] = CHECKS[name](found)
        except Exception:
            row["wrong"][name] = [traceback.format_exc(limit=-2)]
    return row


def run(first: int, count: int, only: list[str]) -> None:
    """Add lines to what is kept, and say what is wrong."""
    LINES.parent.mkdir(parents=True, exist_ok=True)
    with LINES.open("a", buffering=1) as lines:
        for number in range(first, first + count):
            row = one(number, only)
            lines.write(json.dumps(row) + "\n")
            for name, wrong in row["wrong"].items():
                for text in wrong:
                    print(number, row["kind"], name, text, flush=True)


def summary() -> None:
    """Write ``results/study_low_counts.*``: the last line of each analysis and check counts."""
    last: dict[tuple[int, str], tuple[str, list[str]]] = {}
    for row in map(json.loads, LINES.read_text().splitlines()):
        last |= {(row["number"], name): (row["kind"], wrong) for name, wrong in row["wrong"].items()}
    asked, wrong = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for (_, name), (kind, texts) in last.items():
        asked[name, kind] += 1
        wrong[name, kind] += bool(texts)
    rows = [[name, *(f"{wrong[name, k]} of {asked[name, k]}" for k in KINDS)] for name in CHECKS]
    text = "# Few counts\n\nRandom analyses with 0 to 30 counts (`benchmarks/study_low_counts.py`): how many give a "
    text += (
        "number that is not that of the slow computation, a status that is not true, a statistic above the start, a "
    )
    text += "warning or an exception, or a point that is told to have failed though it has a minimum.\n\n"
    numbers = {name: sum(asked[name, kind] for kind in KINDS) for name in CHECKS}
    text += f"Done of the 20 000: {', '.join(f'{n} ({name})' for name, n in numbers.items())}.\n\n"
    text += table(["wrong", *KINDS], rows)
    texts = {f"{number} {name}": texts for (number, name), (_, texts) in sorted(last.items()) if texts}
    write_results("study_low_counts", {"wrong": texts, "asked": {" ".join(k): n for k, n in asked.items()}}, text)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "table"])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--only", choices=list(CHECKS), nargs="+", default=list(CHECKS))
    arguments = parser.parse_args()
    if arguments.what == "run":
        run(arguments.first, arguments.count, arguments.only)
    else:
        summary()
