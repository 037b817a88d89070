"""What ``select/NAME.yaml`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.estimators.selection import Candidate, NestedTest, Selection
from gm.pipeline.results import finite
from gm.pipeline.stages.select.settings import SelectSettings


def select_document(
    selection: Selection, settings: SelectSettings, places: Mapping[str, str], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/select/1`` document; ``places`` of the models that were written, relative to it."""
    rows = selection.candidates
    failed = sum(not row.success for row in rows)
    chosen = f"{selection.chosen} is chosen" if selection.chosen is not None else "nothing to choose from"
    return {
        "schema": "gm/select/1",
        "name": settings.name,
        "component": selection.component,
        "status": "ok" if not failed else "failed" if failed == len(rows) else "incomplete",
        "message": f"{chosen}, of {len(rows)}" + (f"; {failed} failed" if failed else ""),
        "criterion": selection.criterion,
        "chosen": selection.chosen,
        "alternatives": [_row(row, rows, places.get(row.name)) for row in rows],
        "curvature": test_row(selection.curvature),
        **({"curvature_reason": selection.why_no_curvature} if selection.why_no_curvature else {}),
        "inputs": dict(inputs),
    }


def _row(row: Candidate, rows: tuple[Candidate, ...], place: str | None) -> dict[str, Any]:
    result = row.result
    aics = [other.aic for other in rows if other.aic is not None]
    bics = [other.bic for other in rows if other.bic is not None]
    return {
        "name": row.name,
        "type": row.type,
        "status": row.status,
        "reason": row.reason or None,
        "statistic": None if result is None else finite(result.statistic),
        "log_likelihood": None if result is None else finite(-0.5 * result.statistic),
        "free_parameters": None if result is None else result.n_free,
        "bins": None if result is None else result.n_bins,
        "ts": finite(row.ts),
        "nested": row.test is not None if row.ts is not None and row is not rows[0] else None,
        "test": test_row(row.test),
        **({"test_reason": row.why_no_test} if row.why_no_test else {}),
        "aic": finite(row.aic),
        "delta_aic": None if row.aic is None else row.aic - min(aics),
        "bic": finite(row.bic),
        "delta_bic": None if row.bic is None else row.bic - min(bics),
        "weight": finite(row.weight),
        "parameters": [] if result is None else [
            {"name": p.name, "value": finite(p.value), "error": finite(p.error), "unit": p.unit}
            for p in result.parameters
            if not p.frozen
        ],
        "warnings": [] if result is None else list(result.warnings),
        "models": place,
    }  # fmt: skip


def test_row(test: NestedTest | None) -> dict[str, Any] | None:
    """A test of nested models."""
    if test is None:
        return None
    return {
        "simpler": test.simpler,
        "richer": test.richer,
        "ts": test.ts,
        "degrees_of_freedom": test.degrees_of_freedom,
        "p_value": test.p_value,
        "sigma": test.sigma,
    }
