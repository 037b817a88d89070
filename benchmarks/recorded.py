"""Simulations on record: one line of JSON for each, read back where a study is started again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cases import ROOT

FOLDER = ROOT / "build" / "studies"


class Record:
    """What simulations of a study gave, by case and number, in ``path``; each is a function of these two alone."""

    def __init__(self, path: Path) -> None:
        self.path = path
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        self._known = {(line["case"], line["number"]): line["found"] for line in map(json.loads, lines)}
        path.parent.mkdir(parents=True, exist_ok=True)

    def of(self, case: str, n: int, simulate: Callable[[int], Any]) -> list[Any]:
        """The results of simulations 0 to ``n - 1``; ``simulate`` is asked for those that are not on record."""
        with self.path.open("a", encoding="utf-8") as lines:
            for number in range(n):
                if (case, number) not in self._known:
                    self._known[case, number] = found = simulate(number)
                    print(json.dumps({"case": case, "number": number, "found": found}), file=lines, flush=True)
        return [self._known[case, number] for number in range(n)]

    def known(self, case: str) -> dict[int, Any]:
        """What is on record of a case, by number."""
        return {number: found for (name, number), found in self._known.items() if name == case}
