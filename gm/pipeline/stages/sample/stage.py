"""The ``sample:`` section, and ``gm sample``: draws from the posterior of the global model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import Ran, Stage, Task

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.sample.settings import SampleSettings
    from gm.pipeline.start import Start


@final
class Sampling(Stage["SampleSettings"]):
    """Chains of the posterior of all free parameters, around their best fit."""

    name = section = command = kind = "sample"
    phase = Phase.MEASUREMENT
    help = "Draw from the posterior: credible intervals, correlation, evidence."
    shortcuts: ClassVar[Mapping[str, str]] = {"draws": "How many draws of each chain.", "chains": "How many chains."}
    needs_section = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "method": "nuts",
        "draws": 2000,
        "tune": 1000,
        "chains": 4,
        "live_points": 500,
        "seed": 1,
        "quantities": [],
    }

    def read(self, section: Section) -> SampleSettings:
        from gm.pipeline.stages.sample.settings import read_sample

        return read_sample(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.sample.settings import check_sample

        check_sample(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        from gm.pipeline.stages.sample.settings import SampleSettings

        return [SampleTask(self, analysis, analysis.of(self) or SampleSettings())]


SAMPLE = Sampling()


@final
class SampleTask(Task):
    """``sample/sample.yaml``, and the draws beside it."""

    def __init__(self, stage: Sampling, analysis: Analysis, settings: SampleSettings) -> None:
        super().__init__(stage, analysis)
        self.settings = settings

    def outputs(self) -> list[Path]:
        return [self.result, self.result.parent / "draws.nc"]

    def about(self, start: Start) -> str:
        settings = self.settings
        if settings.method == "nested":
            return f"nested sampling with {settings.live_points} live points around {self.origin}"
        return f"{settings.chains} chains of {settings.draws} draws around {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.sample.run import run_sample

        return run_sample(session, self, self.settings, inputs)
