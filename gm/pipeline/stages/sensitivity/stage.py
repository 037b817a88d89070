"""The ``sensitivity:`` section, and ``gm sensitivity``: the smallest flux that the data would show."""

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
    from gm.pipeline.stages.sensitivity.settings import SensitivitySettings
    from gm.pipeline.start import Start


@final
class MeasuringSensitivity(Stage["tuple[SensitivitySettings, ...]"]):
    """Sensitivity by band and above each energy, of all datasets together, from Asimov data."""

    name = section = command = kind = "sensitivity"
    phase = Phase.MEASUREMENT
    help = "Smallest flux that is detected, per energy band and integral, from expected data."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "source": None,
        "name": None,
        "datasets": "*",
        "energy_edges": None,
        "sigma": 5,
        "min_counts": 10,
        "background_systematic": 0.05,
        "probability": 0.5,
    }

    def read(self, section: Section) -> tuple[SensitivitySettings, ...]:
        from gm.pipeline.stages.sensitivity.settings import read_sensitivity

        return read_sensitivity(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.sensitivity.settings import check_sensitivity

        check_sensitivity(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return SensitivityTask.each(self, analysis)


SENSITIVITY = MeasuringSensitivity()


@final
class SensitivityTask(EntryTask["SensitivitySettings"]):
    """``sensitivity/NAME.yaml``, and the bands as a table, ``NAME.ecsv``."""

    def outputs(self) -> list[Path]:
        return [self.result, self.result.with_name(f"{self.entry}.ecsv")]

    def about(self, start: Start) -> str:
        edges = self.settings.energy_edges
        bins = "the bins of the datasets" if edges is None else f"{len(edges) - 1} bins"
        return f"{bins}, to {self.settings.source}, from {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.sensitivity.run import run_sensitivity

        return run_sensitivity(session, self, self.settings, inputs)
