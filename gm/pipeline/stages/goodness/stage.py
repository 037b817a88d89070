"""The ``goodness:`` section, and ``gm goodness``: how often data drawn from the best fit agree with it less well."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import Ran, Stage, Task
from gm.pipeline.stages.goodness.settings import GoodnessSettings

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.start import Start


@final
class MeasuringGoodness(Stage[GoodnessSettings]):
    """The statistic at the minimum, against its distribution over simulations that are fitted in the same way."""

    name = section = command = kind = "goodness"
    phase = Phase.MEASUREMENT
    help = "Goodness of fit: the share of simulations of the best fit with a higher statistic."
    needs_section = False
    defaults: ClassVar[Mapping[str, Any]] = {"simulations": 1000, "seed": 1}

    def read(self, section: Section) -> GoodnessSettings:
        return GoodnessSettings(section.resolved["simulations"], section.resolved["seed"])

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return [GoodnessTask(self, analysis, analysis.of(self) or GoodnessSettings())]


GOODNESS = MeasuringGoodness()


@final
class GoodnessTask(Task):
    """``goodness/goodness.yaml``."""

    def __init__(self, stage: MeasuringGoodness, analysis: Analysis, settings: GoodnessSettings) -> None:
        super().__init__(stage, analysis)
        self.settings = settings

    def about(self, start: Start) -> str:
        return f"{self.settings.simulations} simulations of {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.goodness.run import run_goodness

        return run_goodness(session, self, self.settings, inputs)
