"""The section of what operations did to the datasets and the global model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.report.html import table


def section(document: Mapping[str, Any]) -> str:
    """A row for each operation, and one for each edit of a component."""
    made, edits = [], []
    for step in document["operations"]:
        results = step.get("results") or ()
        inputs = dict.fromkeys(str(name) for result in results for name in result.get("inputs") or ())
        made.append([step["operation"], ", ".join(inputs), ", ".join(str(result["name"]) for result in results)])
        edits += [
            [edit.get("component") or "-", edit["action"], step["operation"], edit.get("text") or ""]
            for edit in step.get("edits") or ()
        ]
    told = table(["operation", "of", "made"], made)
    return told + (
        f"<h3>Edits of the model</h3>\n{table(['component', 'edit', 'operation', 'how'], edits)}" if edits else ""
    )
