"""The ``impacts:`` section, and ``gm impacts``: what each nuisance does to a parameter."""

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
    from gm.pipeline.stages.impacts.settings import ImpactSettings
    from gm.pipeline.start import Start


@final
class MeasuringImpacts(Stage["tuple[ImpactSettings, ...]"]):
    """Each nuisance moved by its errors before and after the fit, everything else fitted again."""

    name = section = command = kind = "impacts"
    phase = Phase.MEASUREMENT
    help = "How far each nuisance moves a parameter, by its errors before and after the fit."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {"parameter": None, "name": None, "nuisances": "*", "datasets": None}

    def read(self, section: Section) -> tuple[ImpactSettings, ...]:
        from gm.pipeline.stages.impacts.settings import read_impacts

        return read_impacts(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.impacts.settings import check_impacts

        check_impacts(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return ImpactTask.each(self, analysis)


IMPACTS = MeasuringImpacts()


@final
class ImpactTask(EntryTask["ImpactSettings"]):
    """``impacts/NAME.yaml``, and its rows as a table, ``NAME.ecsv``."""

    def outputs(self) -> list[Path]:
        return [self.result, self.result.with_name(f"{self.entry}.ecsv")]

    def about(self, start: Start) -> str:
        return f"on {self.settings.parameter}, around {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.impacts.run import run_impacts

        return run_impacts(session, self, self.settings, inputs)
