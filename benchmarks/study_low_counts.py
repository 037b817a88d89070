#!/usr/bin/env python
"""Random analyses with 0 to 30 counts: fits and flux points against slow, obvious computations.

    python benchmarks/study_low_counts.py [--first 0] [--number 20000] [--only fit|points|reoptimized]

Spectra and maps, Cash and W, priors, limits and links: see ``tests/low_counts.py``. Writes
``results/low_counts.*`` when all 20 000 are done at once or in slices, which are kept beside in ``build/``.
"""

from __future__ import annotations

import argparse
import collections
import sys
import traceback
import warnings
from pathlib import Path
from typing import Any

_SOME = 25  # one in so many is fitted again in every band, for which the slow computation takes a second
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.low_count_checks import wrong_with_fit, wrong_with_points, wrong_with_reoptimized  # noqa: E402  # the checkout's root first
from tests.low_counts import analysis  # noqa: E402


def one(seed: int, only: str = "") -> dict[str, Any]:
    """What is wrong with one analysis, and how its fit ended."""
    found = analysis(seed)
    row: dict[str, Any] = {"seed": seed, "kind": found.kind}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for what, check in (
            ("points", wrong_with_points),
            ("reoptimized", wrong_with_reoptimized),
            ("fit", wrong_with_fit),
        ):
            if only not in ("", what) or (what == "reoptimized" and only != what and seed % _SOME):
                continue
            try:
                answer = check(found)
                if isinstance(answer, tuple):
                    row["status"], row["fit"] = answer[0].status, answer[1]
                else:
                    row[what] = answer
            except Exception:
                row[what] = [traceback.format_exc(limit=-3)]
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    counts = collections.Counter()
    for seed in range(arguments.first, arguments.first + arguments.number):
        row = one(seed, arguments.only)
        counts[row.get("status")] += 1
        for what in ("points", "reoptimized", "fit"):
            for text in row.get(what) or ():
                print(seed, row["kind"], what, text, flush=True)
    print(counts)
