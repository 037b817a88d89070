"""The ``publish:`` section, and ``gm publish``: likelihoods of sources as workspaces of pyhf."""

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
    from gm.pipeline.stages.publish.settings import PublishSettings
    from gm.pipeline.start import Start


@final
class Publishing(Stage["tuple[PublishSettings, ...]"]):
    """What others need to ask the data about spectra of their own."""

    name = section = command = "publish"
    phase = Phase.MEASUREMENT
    help = "The likelihood of a source, for anybody's spectrum, as a workspace of pyhf."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {"source": None, "name": None, "per_decade": 20, "datasets": None}

    def read(self, section: Section) -> tuple[PublishSettings, ...]:
        from gm.pipeline.stages.publish.settings import read_publish

        return read_publish(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.publish.settings import check_publish

        check_publish(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        settings = analysis.of(self)
        return [PublishTask(self, analysis, settings)] if settings else []


PUBLISH = Publishing()


@final
class PublishTask(Task):
    """``publish/NAME.json`` of each entry, and ``README.md``, which says what they hold."""

    def __init__(self, stage: Publishing, analysis: Analysis, settings: tuple[PublishSettings, ...]) -> None:
        super().__init__(stage, analysis)
        self.settings = settings

    @property
    def result(self) -> Path:
        return self.analysis.settings.output / "publish" / "README.md"

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(f"{entry.name}.json") for entry in self.settings)]

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        return self.summary() if all(file.is_file() for file in self.outputs()) else None

    def summary(self) -> dict[str, Any]:
        """What is told of the workspaces, which are no documents of gm."""
        files = [f"publish/{file.name}" for file in self.outputs()[1:]]
        return {"name": self.analysis.settings.name, "status": "ok", "workspaces": files}

    def about(self, start: Start) -> str:
        return f"{', '.join(entry.source for entry in self.settings)} at {self.origin}, for pyhf"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.publish.run import run_publish

        return self.summary(), run_publish(session, self, self.settings)
