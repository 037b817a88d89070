"""What ``profiles/NAME.yaml`` holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.estimators import LikelihoodProfile, ProfileRow
from gm.fit.ellipsoid import Interval
from gm.pipeline.results import finite
from gm.pipeline.stages.profiles.settings import ProfileSettings

SCHEMA = "gm/profile/1"


def profile_document(
    profile: LikelihoodProfile, settings: ProfileSettings, inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """The ``gm/profile/1`` document; numbers that do not exist are None."""
    failed = sum(row.status == "failed" for row in profile.rows)
    n = len(profile.rows)
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "status": "ok" if not failed else "failed" if failed == n else "incomplete",
        "message": f"{settings.about}: {n} points" + (f", {failed} failed" if failed else ""),
        "warnings": list(profile.warnings),
        "quantity": None if settings.quantity is None else str(settings.quantity),
        "statistic": {"minimum": finite(profile.stat), "start": finite(profile.stat_start)},
        "axes": [
            {
                "parameter": axis.name,
                "unit": axis.unit,
                "best": finite(axis.best),
                "error": finite(axis.error),
                "values": axis.values.tolist(),
            }
            for axis in profile.axes
        ],
        "points": [_point(row, profile) for row in profile.rows],
        "intervals": [_interval(sigma, interval, profile) for sigma, interval in profile.intervals.items()],
        "contours": [
            {
                "sigma": sigma,
                "delta_statistic": contour.delta_statistic,
                "points": [[float(x), float(y)] for x, y in contour.points],
                **({"reason": contour.reason} if contour.reason else {}),
            }
            for sigma, contour in profile.contours.items()
        ],
        "inputs": dict(inputs),
    }


def _point(row: ProfileRow, profile: LikelihoodProfile) -> dict[str, Any]:
    at = {"value": row.values[0]} if len(row.values) == 1 else {"values": list(row.values)}
    point: dict[str, Any] = {
        **at,
        "status": row.status,
        "reason": row.reason,
        "stat": finite(row.stat),
        "delta_stat": None if row.stat is None else finite(row.stat - profile.stat),
    }
    if len(row.values) == 1 and row.parameters is not None:
        point["parameters"] = {
            name: finite(value) for name, value in zip(profile.free, row.parameters.tolist(), strict=True)
        }
    return point


def _interval(sigma: float, interval: Interval, profile: LikelihoodProfile) -> dict[str, Any]:
    best = profile.axes[0].best
    return {
        "sigma": sigma,
        "min": None if interval.lower is None else finite(best + interval.lower),
        "max": None if interval.upper is None else finite(best + interval.upper),
        "errn": None if interval.lower is None else finite(-interval.lower),
        "errp": finite(interval.upper),
        **({"reason": interval.reason} if interval.reason else {}),
    }
