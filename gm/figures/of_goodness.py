"""What goodness of fit has for figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gm.figures.goodness import Standing
from gm.figures.look import Look
from gm.figures.results import Result


def goodness(result: Result, look: Look) -> Iterator[Standing]:
    """Of all data, and of each dataset."""
    yield from standing(f"simulations of {result.name}", result.document)


def standing(label: str, document: Mapping[str, Any]) -> Iterator[Standing]:
    """Where the observed deviances lie; nothing without simulations that spread."""
    rows = [("all", document.get("total")), *((row["name"], row) for row in document.get("datasets") or ())]
    told = [(name, row["deviance"]) for name, row in rows if row and _is_known(row.get("deviance"))]
    if told:
        yield Standing(
            label,
            tuple(name for name, _ in told),
            tuple((row["observed"] - row["mean"]) / row["width"] for _, row in told),
            tuple(row["higher"]["share"] for _, row in told),
            max(row["higher"]["n"] for _, row in told),
        )


def _is_known(row: Mapping[str, Any] | None) -> bool:
    return row is not None and None not in (row["observed"], row["mean"], row["higher"]["share"]) and bool(row["width"])


PARTS = {"goodness": goodness}
