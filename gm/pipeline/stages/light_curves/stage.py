"""The ``light_curves:`` section, and ``gm light-curve``: fluxes in bins of time, one light curve for each entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import EntryTask, Ran, Stage, Task

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.light_curves.settings import LightCurveSettings
    from gm.pipeline.start import Start


@final
class MeasuringVariation(Stage["tuple[LightCurveSettings, ...]"]):
    """Light curves from the best fit, or from the models as given where the config has no ``fit:``."""

    name = section = "light_curves"
    command = kind = "light-curve"
    phase = Phase.MEASUREMENT
    help = "Light curves with errors, upper limits, TS and profiles, and whether the source varies."
    flags: ClassVar[Mapping[str, str]] = {"retry-failed": "Measure those bins again that failed, and no others."}
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "source": None,
        "name": None,
        "datasets": "*",
        "energy_range": None,
        "energy_edges": None,
        "time_bins": "per-observation",
        "free": [],
        "reoptimize": False,
        "joint": False,
        "systematic": 0,
        "confidence": {"sigma": 1, "sigma_ul": 2},
    }

    def read(self, section: Section) -> tuple[LightCurveSettings, ...]:
        from gm.pipeline.stages.light_curves.settings import read_light_curves

        return read_light_curves(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.light_curves.settings import check_light_curves

        check_light_curves(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return LightCurveTask.each(self, analysis)


LIGHT_CURVES = MeasuringVariation()


@final
class LightCurveTask(EntryTask["LightCurveSettings"]):
    """The light curve of one source: ``light_curves/NAME.yaml``, and the same as FITS and ECSV tables."""

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(f"{self.entry}.{kind}") for kind in ("fits", "ecsv"))]

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs, asked: bool) -> str:
        reason = super().why_stale(recorded, inputs, asked)
        if reason or not asked or "retry-failed" not in self.analysis.request.flags:
            return reason
        document = self.document({})
        failed = document is not None and any(point["status"] == "failed" for point in document["points"])
        return "some bins failed" if failed else ""

    def about(self, start: Start) -> str:
        n = len(self.settings.energy_edges) - 1
        return f"{n} band{'s' if n > 1 else ''} of energy in bins of time, from {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.light_curves.run import run_light_curve

        return run_light_curve(session, self, self.settings, inputs)
