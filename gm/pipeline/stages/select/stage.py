"""The ``select:`` section, and ``gm select``: which spectrum describes a component best."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.io.file_names import distinct, file_stem
from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import MODELS, EntryTask, Ran, Stage, Task

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.select.settings import SelectSettings
    from gm.pipeline.start import Start


@final
class Selecting(Stage["tuple[SelectSettings, ...]"]):
    """Alternatives for the spectrum of a component, each fitted in the global model."""

    name = section = command = kind = "select"
    phase = Phase.MEASUREMENT
    help = "Compare spectral models of a component: TS, AIC, BIC, weights, curvature."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "component": None,
        "name": None,
        "spectral": None,
        "criterion": "aic",
        "sigma": 3,
    }

    def read(self, section: Section) -> tuple[SelectSettings, ...]:
        from gm.pipeline.stages.select.settings import read_select

        return read_select(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.select.settings import check_select

        check_select(section, known)

    def files(self, section: Section) -> Iterable[Path]:
        from gm.pipeline.analysis.paths import expand

        items = [item for _, entry in section.entries() for item in entry["spectral"] or ()]
        names = [item["filename"] for item in items if isinstance(item, dict) and "filename" in item]
        files = (section.directory / expand(name) for name in names)
        return (file for file in files if file.is_file())

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return SelectTask.each(self, analysis)


SELECT = Selecting()


@final
class SelectTask(EntryTask["SelectSettings"]):
    """``select/NAME.yaml``, and the models of each alternative at their best fit: ``select/NAME/pl/models.yaml``."""

    def models_file(self, alternative: str) -> Path:
        """Where the global model with an alternative at its best fit is written."""
        names = [one.name for one in self.settings.alternatives]
        stems = distinct(map(file_stem, names))
        return self.result.parent / self.entry / stems[names.index(alternative)] / MODELS[0]

    def outputs(self) -> list[Path]:
        files = [self.models_file(one.name) for one in self.settings.alternatives]
        return [self.result, *(file.with_name(name) for file in files for name in MODELS)]

    def about(self, start: Start) -> str:
        names = ", ".join(one.name for one in self.settings.alternatives)
        return f"{names} for {self.settings.component}, from {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.select.run import run_select

        return run_select(session, self.key, self.result, self.settings, self.models_file, inputs)
