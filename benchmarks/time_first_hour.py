#!/usr/bin/env python
"""How long each step of docs/tutorials/first-hour.md takes, from ``pip install`` on, in a fresh environment.

    python benchmarks/time_first_hour.py

The commands are those of the page, one after the other, with ``gm`` installed from this tree as the page says. Writes
benchmarks/results/first_hour.json, and the table into the page. Packages come from pip's cache or the network.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from cases import DATA, ROOT

PAGE = ROOT / "docs" / "tutorials" / "first-hour.md"
RESULT = ROOT / "benchmarks" / "results" / "first_hour.json"
INSTALL = ("python3 -m venv gm-env", 'gm-env/bin/pip install -c constraints.txt ".[plot,report]"')


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Heading and command of every line of the page's console blocks."""
    heading = ""
    for found in re.finditer(r"^## ([^\n]*)$|^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        heading = found[1] or heading
        for line in (found[2] or "").splitlines():
            yield heading, line


def timed(command: str, folder: Path, variables: dict[str, str]) -> float:
    """Seconds of the wall. Ends the program where a command fails."""
    began = time.perf_counter()
    done = subprocess.run(["bash", "-ec", command], cwd=folder, env=variables, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return time.perf_counter() - began


def table(rows: list[dict[str, object]], load: float) -> str:
    """Markdown."""
    told = "| step | command | seconds |\n| --- | --- | --- |\n"
    last = ""
    for row in rows:
        step = "" if row["step"] == last else row["step"]
        last = str(row["step"])
        told += f"| {step} | `{row['command']}` | {row['seconds']:.1f} |\n"
    total = sum(float(str(row["seconds"])) for row in rows)
    first = sum(float(str(row["seconds"])) for row in rows[:6])
    python = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    return (
        f"{told}\nTo the first SED: {first:.0f} s, and {total:.0f} s for all of it, with {python} on {os.cpu_count()} "
        f"cores, load {load:.1f} at the start (packages from a local cache).\n"
    )


def main() -> None:
    load = os.getloadavg()[0]
    text = PAGE.read_text("utf-8")
    with tempfile.TemporaryDirectory(prefix="gm-first-hour-") as name:
        folder = Path(name)
        hidden = ("PYTHONPATH", "CI", "VIRTUAL_ENV")
        variables = {key: value for key, value in os.environ.items() if key not in hidden}
        own = {"PATH": f"{folder}/gm-env/bin:{variables['PATH']}", "DATA": str(DATA / "data")}
        rows: list[dict[str, object]] = []
        for command in INSTALL:
            here = command.replace("constraints.txt", str(ROOT / "constraints.txt")).replace(".[", f"{ROOT}[")
            rows.append({"step": "Install", "command": command, "seconds": timed(here, folder, variables)})
        for step, command in steps(text):
            rows.append({"step": step, "command": command, "seconds": timed(command, folder, variables | own)})
            print(f"{rows[-1]['seconds']:8.1f} s  {command}", flush=True)
    RESULT.write_text(json.dumps({"load": load, "rows": rows}, indent=1) + "\n", "utf-8")
    marked = re.compile(r"(<!-- first-hour -->\n).*?(<!-- /first-hour -->)", re.DOTALL)
    PAGE.write_text(marked.sub(lambda found: found[1] + table(rows, load) + found[2], text), "utf-8")


if __name__ == "__main__":
    main()
