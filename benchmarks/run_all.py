#!/usr/bin/env python
"""Run every benchmark and comparison, and rewrite the README's table. About twenty minutes, most of it Gammapy's."""

from __future__ import annotations

import subprocess
import sys

from cases import ROOT

SCRIPTS = (
    "compare_references",
    "compare_maps",
    "compare_errors",
    "bench_joint_crab",
    "bench_flux_points",
    "bench_light_curve",
    "bench_profiles",
    "bench_many_runs",
    "bench_reduction",
    "bench_maps",
    "bench_sky_maps",
    "bench_scaling",
    "update_readme",
)


def main() -> None:
    """One script after the other; the first that fails ends it."""
    for script in SCRIPTS:
        subprocess.run([sys.executable, str(ROOT / "benchmarks" / f"{script}.py"), *sys.argv[1:]], check=True)


if __name__ == "__main__":
    main()
