"""Time two programs against each other: both stay alive, and answer the same requests in turn.

A side is a script that reads one JSON request per line, ``{"task": NAME, ...}``, and answers with one JSON line.
`serve` is its main loop; `Side` is the other end. Times are measured inside the side, around the step alone.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sized
from pathlib import Path
from types import TracebackType
from typing import Any

from cases import RESULTS, ROOT

Task = Callable[..., dict[str, Any]]


kept: dict[str, Any] = {}
"""In a side: the ``datasets`` that the task ``keep`` has read, and the ``models_file``."""


def serve(read: Callable[[str, dict[str, Any]], Sized], *tasks: Task) -> None:
    """Answer requests from stdin until it closes: for ``keep`` with ``read``, for ``memory``, and for these tasks.

    What the libraries print goes to stderr.
    """

    def keep(datasets_file: str, models_file: str, ranges: dict[str, Any]) -> dict[str, Any]:
        start = time.perf_counter()
        kept.update(datasets=read(datasets_file, ranges), models_file=models_file)
        return {"seconds": {"read": time.perf_counter() - start}, "n": len(kept["datasets"])}

    def memory() -> dict[str, Any]:
        return {"peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}  # MiB

    by_name = {task.__name__: task for task in (keep, memory, *tasks)}
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = by_name[request.pop("task")](**request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}".splitlines()[0]}
        print(json.dumps(answer), file=answers, flush=True)


class Side:
    """One of the two programs, alive in its own process."""

    def __init__(self, python: str, script: str) -> None:
        command = [python, str(ROOT / "benchmarks" / script)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Side:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ask(self, task: str, **arguments: Any) -> dict[str, Any]:
        """One request, one answer."""
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps({"task": task, **arguments}), file=process.stdin, flush=True)
        line = process.stdout.readline()
        if not line:
            raise SystemExit(f"a side ended while it was asked for {task}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise SystemExit(f"{task}: {answer['error']}")
        return answer


def peer_python() -> str:
    """The Python that has Gammapy."""
    found = os.environ.get("GM_PEER_PYTHON", str(ROOT / "build/venv-peer/bin/python"))
    if not Path(found).exists():
        raise SystemExit(f"no Python with Gammapy at {found}: `make peer` builds one, or set GM_PEER_PYTHON")
    return found


def both() -> tuple[Side, Side]:
    """gm's side and Gammapy's."""
    return Side(sys.executable, "gm_side.py"), Side(peer_python(), "gammapy_side.py")


def seconds(answers: list[dict[str, Any]], step: str) -> float:
    """Median of the seconds of one step."""
    return statistics.median(answer["seconds"][step] for answer in answers)


def machine(sides: tuple[Side, Side]) -> dict[str, Any]:
    """What the numbers were measured with."""
    return {"cores": os.cpu_count(), "python": platform.python_version(), "versions": {
        name: version for side in sides for name, version in side.ask("versions").items()}}  # fmt: skip


def spell(value: float) -> str:
    """Seconds in the unit that reads best, three digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if value * factor >= 0.9995 or unit == "µs":
            digits = f"{value * factor:.3g}"
            return f"{float(digits):g} {unit}"
    raise AssertionError


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def comparison(rows: list[dict[str, Any]]) -> str:
    """The table of timings: ``step``, ``gm`` and ``gammapy`` in seconds, ``target`` for the ratio."""
    cells = []
    for row in rows:
        ratio = row["gammapy"] / row["gm"]
        cells.append([row["step"], spell(row["gm"]), spell(row["gammapy"]), f"{ratio:.3g}", str(row.get("target", ""))])
    return table(["step", "gm", "Gammapy", "ratio", "wanted"], cells)


def write_results(name: str, document: dict[str, Any], text: str) -> None:
    """``results/NAME.json`` for scripts, ``results/NAME.md`` for people."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    (RESULTS / f"{name}.md").write_text(text)
    print(text)
