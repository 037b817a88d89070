"""The ``extension:`` section, and ``gm extension``: sizes of sources, one for each entry."""

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
    from gm.pipeline.stages.extension.settings import ExtensionSettings
    from gm.pipeline.start import Start


@final
class MeasuringSizes(Stage["tuple[ExtensionSettings, ...]"]):
    """Size with errors or a limit, against a point, with ``exact`` conventions whatever the config says."""

    name = section = command = kind = "extension"
    phase = Phase.MEASUREMENT
    help = "Sizes of sources: test against a point, errors or limit, profile, in bands of energy too."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "source": None,
        "name": None,
        "datasets": "*",
        "shape": "gauss",
        "energy_edges": None,
        "n": 15,
        "ul": {"method": "marginal"},
    }

    def read(self, section: Section) -> tuple[ExtensionSettings, ...]:
        from gm.pipeline.stages.extension.settings import read_extension

        return read_extension(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.extension.settings import check_extension

        check_extension(section, known)

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        from gm.pipeline.stages.pixels import check_pixels

        sizes = analysis.of(self) or ()
        check_pixels(analysis, start, [((self.section, k), entry) for k, entry in enumerate(sizes)])
        return start

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return ExtensionTask.each(self, analysis)


EXTENSION = MeasuringSizes()


@final
class ExtensionTask(EntryTask["ExtensionSettings"]):
    """``extension/NAME.yaml``, and the profiles as a table in ``extension/NAME.fits``."""

    def outputs(self) -> list[Path]:
        return [self.result, self.result.with_suffix(".fits")]

    def about(self, start: Start) -> str:
        return f"size of {self.settings.source} as a {self.settings.shape}, from {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.extension.run import run_extension

        return run_extension(session, self, self.settings, inputs)
