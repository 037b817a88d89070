"""What ``toys/toys.yaml`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.estimators.toy_summary import Comparison, GoodnessStudy, Moments, ParameterStudy, Share, TestStudy, ToySummary
from gm.pipeline.analysis.settings import plural
from gm.pipeline.stages.toys.settings import ToySettings


def toys_document(summary: ToySummary, name: str, settings: ToySettings, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The ``gm/toys/1`` document; numbers that do not exist are None."""
    return {
        "schema": "gm/toys/1",
        "name": name,
        "status": verdict_of(summary),
        "message": message_of(summary, "toy"),
        "verdict": summary.verdict,
        "deviations": list(summary.deviations),
        "toys": {"n": summary.n, "failed": summary.failed, "at_limit": summary.at_limit, "seed": settings.seed},
        "from": "best-fit" if settings.from_best_fit else "models",
        "parameters": [_parameter(study) for study in summary.parameters],
        "components": [_test(study) for study in summary.tests],
        "limits": [
            {"source": source, "sigma_ul": settings.sigma_ul, **share_row(share)}
            for source, share in summary.limits.items()
        ],
        "goodness": goodness_rows(summary),
        "inputs": dict(inputs),
    }


def verdict_of(summary: ToySummary) -> str:
    """The status: ``ok``, or whether some or all fits failed."""
    return "ok" if not summary.failed else "failed" if summary.failed == summary.n else "incomplete"


def message_of(summary: ToySummary, noun: str) -> str:
    """The same in words."""
    told = [plural(summary.n, noun), f"{summary.failed} failed" if summary.failed else "none failed"]
    return ", ".join([*told, *([f"{summary.at_limit} at a limit"] if summary.at_limit else [])])


def goodness_rows(summary: ToySummary) -> dict[str, Any]:
    """Of all datasets together, and of each."""
    return {
        "total": goodness_row(summary.total),
        "datasets": [{"name": study.name, **goodness_row(study)} for study in summary.datasets],
    }


def goodness_row(study: GoodnessStudy) -> dict[str, Any]:
    """-2 ln L as observed and in the toys, and the share of toys with more; and the same of the deviance."""
    return {**_comparison(study.statistic), "deviance": _comparison(study.deviance)}


def _comparison(found: Comparison) -> dict[str, Any]:
    return {"observed": found.observed, **_moments(found.toys), "higher": share_row(found.higher)}


def share_row(share: Share) -> dict[str, Any]:
    """A share with its error."""
    row = {"n": share.n, "share": share.value, "error": share.error}
    return row if share.expected is None else {**row, "expected": share.expected}


def _moments(moments: Moments) -> dict[str, float | None]:
    return {
        "mean": moments.mean,
        "mean_error": moments.mean_error,
        "width": moments.width,
        "width_error": moments.width_error,
    }


def _parameter(study: ParameterStudy) -> dict[str, Any]:
    return {
        "name": study.name,
        "unit": study.unit,
        "truth": study.truth,
        "n": study.values.n,
        "values": _moments(study.values),
        "bias": study.bias,
        "bias_error": study.bias_error,
        "mean_of_errors": study.mean_of_errors,
        "without_error": study.without_error,
        "pulls": _moments(study.pulls),
        "coverage": {name: share_row(share) for name, share in study.coverage.items()},
    }


def _test(study: TestStudy) -> dict[str, Any]:
    return {
        "name": study.name,
        "n": study.n,
        "ts": {f"{100 * level:g} %": value for level, value in study.quantiles.items()},
        "threshold": study.threshold,
        "detected": share_row(study.detected),
    }
