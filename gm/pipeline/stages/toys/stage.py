"""The ``toys:`` section, and ``gm toys``: the user's own analysis on data drawn from its models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import Ran, Stage, Task
from gm.pipeline.stages.toys.settings import RETRY, ToySettings, check_toys, read_toys

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.start import Start


@final
class DrawingToys(Stage["ToySettings"]):
    """Toys of the datasets that are fitted, drawn from the best fit or from the models as given."""

    name = section = command = kind = "toys"
    phase = Phase.MEASUREMENT
    help = "Simulate the whole analysis many times: pulls, bias, coverage, TS, goodness of fit."
    flags: ClassVar[Mapping[str, str]] = {RETRY: "Fit those toys again whose fit has failed, and no others."}
    shortcuts: ClassVar[Mapping[str, str]] = {"n": "How many toys."}
    needs_section = False
    defaults: ClassVar[Mapping[str, Any]] = {
        "n": 1000,
        "seed": 1,
        "from": "best-fit",
        "minos": None,
        "test": "*",
        "limits": "*",
        "sigma_ul": 2,
    }

    def read(self, section: Section) -> ToySettings:
        return read_toys(section)

    def check(self, section: Section, known: Known) -> None:
        check_toys(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return [ToysTask(self, analysis, analysis.of(self) or ToySettings())]


TOYS = DrawingToys()


@final
class ToysTask(Task):
    """``toys/toys.yaml``, and a row of every toy beside it."""

    def __init__(self, stage: DrawingToys, analysis: Analysis, settings: ToySettings) -> None:
        super().__init__(stage, analysis)
        self.settings = settings

    def outputs(self) -> list[Path]:
        return [self.result, self.result.with_suffix(".ecsv")]

    def files(self, start: Start) -> list[Path]:
        given = start.unfitted().model_files() if not self.settings.from_best_fit else []
        return list(dict.fromkeys([*super().files(start), *given]))

    def why_stale(self, recorded: Mapping[str, Any], inputs: Inputs, asked: bool) -> str:
        is_retried = asked and RETRY in self.analysis.request.flags
        return super().why_stale(recorded, inputs, asked) or ("failed toys are fitted again" if is_retried else "")

    def about(self, start: Start) -> str:
        origin = self.origin if self.settings.from_best_fit else "the models as given"
        return f"{self.settings.n} toys of {origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.toys.run import run_toys

        return run_toys(session, self, self.settings, inputs)
