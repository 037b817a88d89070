"""Sources that were found, as values and a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self, final

from gm.estimators.sky.localization_result import Ellipse
from gm.estimators.told import Told, number
from gm.fit import FitResult
from gm.io.files import refuse_existing
from gm.models import Models
from gm.readable import plural
from gm.values import finite

MODELS = "models.yaml"
"""The models that grew, beside the document."""
_FAILED = "; the fit failed: "


@final
@dataclass(frozen=True)
class PeakPlace:
    """Where a peak of the TS map is [deg], in the frame of the map, and its significance."""

    lon: float
    lat: float
    sqrt_ts: float


@final
@dataclass(frozen=True, eq=False)
class FoundSource:
    """One step: the peak, and what became of it.

    kept : whether the source is in the model; reason : why, or why not; ts : how much the fit with it is better than
    that without; lon, lat [deg] in ``frame`` : the position where it was localised; ellipse : of its errors, None
    without any
    """

    name: str
    peak: PeakPlace
    frame: str
    kept: bool
    reason: str
    ts: float | None = None
    lon: float | None = None
    lat: float | None = None
    ellipse: Ellipse | None = None


@final
@dataclass(frozen=True, eq=False, repr=False)
class FoundSources(Told):
    """models : with all that were kept, at the best fit; start, statistic : -2 ln L of the first and of the last fit;
    failure : why there is no best fit; stopped : why the search ended; threshold, iterations : of the search; fit : the
    last, None where the result was read from a file."""

    models: Models
    start: float
    statistic: float
    failure: str
    steps: tuple[FoundSource, ...]
    stopped: str
    threshold: float
    iterations: int
    datasets: tuple[str, ...]
    fit: FitResult | None = None

    told_as: ClassVar[str] = "find"

    def to_dict(self, name: str = "", inputs: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {
            "schema": "gm/find/1",
            "name": name or "find",
            "status": "failed" if self.failure else "ok",
            "message": self._message(),
            "threshold": self.threshold,
            "iterations": self.iterations,
            "datasets": list(self.datasets),
            "models": MODELS,
            "statistic": {"start": finite(self.start), "end": finite(self.statistic)},
            "stopped": self.stopped,
            "sources": [_row(step, k) for k, step in enumerate(self.steps, start=1)],
            "inputs": None if inputs is None else dict(inputs),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], directory: Path = Path()) -> Self:
        """With the models in the folder."""
        return cls(
            models=Models.read(directory / data["models"]),
            start=number(data["statistic"]["start"]),
            statistic=number(data["statistic"]["end"]),
            failure=data["message"].partition(_FAILED)[2],
            steps=tuple(map(_step_from, data["sources"])),
            stopped=data["stopped"],
            threshold=data["threshold"],
            iterations=data["iterations"],
            datasets=tuple(data["datasets"]),
        )

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the document, and the models that grew as ``models.yaml`` beside it. Raises `DataError`."""
        path = self._document_path(path)
        writer = self.models.writer(path.with_name(MODELS))
        refuse_existing([path, *writer.files], overwrite)
        writer.write()
        super().write(path, overwrite)

    def told(self) -> str:
        return self._message()

    def shown_rows(self) -> Iterator[dict[str, object]]:
        """The sources that were tried."""
        for step in self.steps:
            place = {"lon": step.lon, "lat": step.lat, "frame": step.frame}
            yield {"name": step.name, **place, "ts": step.ts, "kept": step.kept, "reason": step.reason}

    def _message(self) -> str:
        kept = sum(step.kept for step in self.steps)
        return f"{plural(kept, 'source')}: {self.stopped}{_FAILED if self.failure else ''}{self.failure}"


def _row(step: FoundSource, iteration: int) -> dict[str, Any]:
    ellipse = step.ellipse
    return {
        "name": step.name,
        "iteration": iteration,
        "kept": step.kept,
        "reason": step.reason,
        "peak": {"lon": step.peak.lon, "lat": step.peak.lat, "sqrt_ts": step.peak.sqrt_ts},
        "ts": finite(step.ts),
        "frame": step.frame,
        "lon": finite(step.lon),
        "lat": finite(step.lat),
        "r68": None if ellipse is None else ellipse.radius(0.68),
        "ellipse": None
        if ellipse is None
        else {"major": ellipse.major, "minor": ellipse.minor, "angle": ellipse.angle, "unit": "deg"},
    }


def _step_from(row: Mapping[str, Any]) -> FoundSource:
    peak, ellipse = row["peak"], row["ellipse"]
    return FoundSource(
        name=row["name"],
        peak=PeakPlace(**peak),
        frame=row["frame"],
        kept=row["kept"],
        reason=row["reason"],
        ts=row["ts"],
        lon=row["lon"],
        lat=row["lat"],
        ellipse=None if ellipse is None else Ellipse(ellipse["major"], ellipse["minor"], ellipse["angle"]),
    )
