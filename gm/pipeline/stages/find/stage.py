"""The ``find:`` section, and ``gm find``: sources that the model misses, added one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import MODELS, Ran, Stage, Task

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.find.settings import FindSettings
    from gm.pipeline.start import Start


@final
class Finding(Stage["FindSettings"]):
    """The strongest peak of a TS map is added to the model, fitted and localised, again and again."""

    name = section = command = kind = "find"
    phase = Phase.MEASUREMENT
    help = "Sources that the model misses: add the strongest peak of a TS map, fit, localise, repeat."
    defaults: ClassVar[Mapping[str, Any]] = {
        "map": "ts",
        "threshold": 5,
        "iterations": 10,
        "spectral": "pl",
        "datasets": "*",
        "kernel_width": None,
        "stem": "found",
    }

    def read(self, section: Section) -> FindSettings:
        from gm.pipeline.stages.find.settings import read_find

        return read_find(section)

    def check(self, section: Section, known: Known) -> None:
        known.check_datasets(section, ("datasets",), section.resolved["datasets"])

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        from gm.estimators.sky.bands import Bands
        from gm.pipeline.stages.pixels import check_maps, check_pixels

        settings = analysis.of(self)
        if settings is not None:
            check_pixels(analysis, start, [((self.section,), settings)])
            summed = partial(Bands.of, edges=None, one_kind=True)
            check_maps(analysis, start, [((self.section,), settings, summed)])
        return start

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        settings = analysis.of(self)
        return [] if settings is None else [FindTask(self, analysis, settings)]


FIND = Finding()


@final
class FindTask(Task):
    """``find/find.yaml`` with the reason for each source, and the model with all of them beside it."""

    def __init__(self, stage: Finding, analysis: Analysis, settings: FindSettings) -> None:
        super().__init__(stage, analysis)
        self.settings = settings

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(name) for name in MODELS)]

    def about(self, start: Start) -> str:
        most = self.settings.iterations
        return f"at most {most} sources above {self.settings.threshold:g} sigma, from {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.find.run import run_find

        return run_find(session, self, self.settings, inputs)
