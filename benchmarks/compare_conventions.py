#!/usr/bin/env python
"""What ``conventions: exact`` changes: every reference fit with both, statistic and parameters.

    python benchmarks/compare_conventions.py

Needs the reference data, not Gammapy. Writes ``results/conventions.*`` and the table in ``docs/conventions.md``.
"""

from __future__ import annotations

from typing import Any

from alternate import table, write_results
from cases import CASES, ROOT, Case
from gm_side import read

from gm.fit import Fit, FitResult
from gm.models import Models

MAPS = {
    "fermi-3fhl-crab": Case("fermi-3fhl-crab", "models_start.yaml"),
    "fermi-3fhl-crab, free position": Case("fermi-3fhl-crab", "models_start_pos.yaml"),
    "fermi-3fhl-gc": Case("fermi-3fhl-gc", "models_start.yaml"),
    "cta1dc-gc-stacked": Case("cta1dc-gc-stacked", "models_start.yaml"),
    "cta1dc-gc-stacked, diffuse": Case("cta1dc-gc-stacked", "models_start_diffuse.yaml"),
    "cta1dc-gc-joint": Case("cta1dc-gc-joint", "models_start.yaml"),
    "cta1dc-gc-joint, diffuse": Case("cta1dc-gc-joint", "models_start_diffuse.yaml"),
    "hess-msh1552-stacked": Case("hess-msh1552-stacked", "models_start.yaml"),
    "hess-msh1552-runs": Case("hess-msh1552-runs", "models.yaml"),
    "hess-msh1552-runs, tilts": Case("hess-msh1552-runs", "models_tilt.yaml"),
    "hawc-crab": Case("hawc-crab", "models_start.yaml"),
}
HEADER = [
    "case", "-2 ln L: gammapy", "exact - gammapy", "largest shift (sigma)", "of", "next", "of", "errors: ratio",
]  # fmt: skip
DOCUMENT = ROOT / "docs" / "conventions.md"
BEGIN, END = "<!-- compare_conventions.py -->\n", "<!-- end -->\n"


def row(name: str, like_gammapy: FitResult, exact: FitResult) -> dict[str, Any]:
    """One line of the table: shifts of all free parameters, the largest first, in errors of Gammapy's conventions."""
    pairs = [
        (before, after)
        for before, after in zip(like_gammapy.parameters, exact.parameters, strict=True)
        if before.error and after.error
    ]
    shifts = sorted(
        ((after.value - before.value) / before.error, before.name) for before, after in pairs if before.error
    )
    ratios = [after.error / before.error for before, after in pairs if before.error and after.error]
    return {
        "case": name,
        "statistic": like_gammapy.statistic,
        "difference": exact.statistic - like_gammapy.statistic,
        "shifts": sorted(shifts, key=lambda shift: -abs(shift[0])),
        "error_ratio": [min(ratios), max(ratios)],
        "status": [like_gammapy.status, exact.status],
        "warnings": [list(like_gammapy.warnings), list(exact.warnings)],
    }


def cells(row: dict[str, Any]) -> list[str]:
    """One line as text."""
    largest = [text for shift, name in row["shifts"][:2] for text in (f"{shift:+.3f}", name)]
    ratio = "{:.3f} ... {:.3f}".format(*row["error_ratio"])
    return [row["case"], f"{row['statistic']:.3f}", f"{row['difference']:+.3f}", *largest, ratio]


def compare(name: str, case: Case) -> dict[str, Any]:
    """Both fits from the same start."""
    datasets = read(str(case.datasets_file), case.ranges)
    results = [Fit(datasets, conventions).run(Models.read(case.models_file)) for conventions in ("gammapy", "exact")]
    line = row(name, *results)
    print(cells(line), line["status"], flush=True)
    return line


def main() -> None:
    """Fit every case twice; write the numbers, and the table into the documentation."""
    rows = [compare(name, case) for name, case in {**MAPS, **CASES}.items()]
    text = table(HEADER, [cells(row) for row in rows])
    write_results("conventions", {"cases": rows}, f"# Exact conventions on the reference cases\n\n{text}")
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n" + text.rstrip("\n") + "\n\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
