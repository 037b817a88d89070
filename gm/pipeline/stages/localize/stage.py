"""The ``localize:`` section, and ``gm localize``: positions of sources, one for each entry."""

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
    from gm.pipeline.stages.localize.settings import LocalizeSettings
    from gm.pipeline.start import Start


@final
class Localizing(Stage["tuple[LocalizeSettings, ...]"]):
    """Best position, error ellipse and the statistic around it, with ``exact`` conventions whatever the config says."""

    name = section = command = kind = "localize"
    phase = Phase.MEASUREMENT
    help = "Positions of sources: error ellipse, radii, and the statistic around it."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {"source": None, "name": None, "datasets": "*", "sigma": 3, "n": 15}

    def read(self, section: Section) -> tuple[LocalizeSettings, ...]:
        from gm.pipeline.stages.localize.settings import read_localize

        return read_localize(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.analysis.positions import check_places

        check_places(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return LocalizeTask.each(self, analysis)


LOCALIZE = Localizing()


@final
class LocalizeTask(EntryTask["LocalizeSettings"]):
    """``localize/NAME.yaml``, and the surface of the statistic as an image in ``localize/NAME.fits``."""

    def outputs(self) -> list[Path]:
        return [self.result, self.result.with_suffix(".fits")]

    def about(self, start: Start) -> str:
        return f"position of {self.settings.source}, from {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.localize.run import run_localize

        return run_localize(session, self, self.settings, inputs)
