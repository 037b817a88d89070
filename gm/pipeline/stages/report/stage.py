"""The ``report:`` section, and ``gm report``: one page of all results, and its figures as files."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import Ran, Stage, Task

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.start import Start


@dataclass(frozen=True)
class ReportSettings:
    """title : of the page, None for the name of the analysis"""

    title: str | None = None


@final
class Reporting(Stage[ReportSettings]):
    """The last stage: it reads what the others have written, and nothing else."""

    name = section = command = "report"
    phase = Phase.REPORT
    help = "One self-contained HTML page of all results, with tables and figures."
    needs_section = False
    defaults: ClassVar[Mapping[str, Any]] = {"title": None}

    def read(self, section: Section) -> ReportSettings:
        return ReportSettings(section.resolved["title"])

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return [ReportTask(self, analysis)]


REPORT = Reporting()
_ELSEWHERE = ("output", "engine")


@final
class ReportTask(Task):
    """``report.html``, and ``figures/`` beside it."""

    @property
    def result(self) -> Path:
        return self.analysis.settings.output / "report.html"

    def told(self, failed: Collection[str] = ()) -> Iterator[Task]:
        """The tasks of all other stages that have left a document, but for those that have ``failed`` this time."""
        for stage in self.analysis.stages:
            if isinstance(stage, Stage) and stage.kind and stage.phase < self.stage.phase:
                tasks = (task for task in stage.tasks(self.analysis) if task.key not in failed)
                yield from (task for task in tasks if task.result.is_file())

    def inputs(self, session: Session) -> Inputs:
        from gm.pipeline.inputs import stage_inputs

        return stage_inputs(self.config(), session.hashes(_files(self.told(session.failed))))

    def config(self) -> dict[str, Any]:
        """All of it, but for where results are put and what computes them: neither changes the page."""
        return {key: value for key, value in self.analysis.resolved.items() if key not in _ELSEWHERE}

    def files(self, start: Start) -> list[Path]:
        return _files(self.told())

    def document(self, record: Mapping[str, Any]) -> dict[str, Any] | None:
        return self.summary(list(record["outputs"])) if self.result.is_file() else None

    def summary(self, files: Sequence[str]) -> dict[str, Any]:
        """What is told of the page, which is no document itself."""
        figures = sorted(file for file in files if file.startswith("figures/"))
        return {"name": self.analysis.settings.name, "status": "ok", "report": self.result.name, "figures": figures}

    def about(self, start: Start) -> str:
        return "a page of all results"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.report.run import run_report

        settings = self.analysis.of(self.stage) or ReportSettings()
        figures, seconds = run_report(session, self, self.told(session.failed), settings.title)
        return self.summary([f"figures/{file.name}" for file in figures]), {"report": seconds}


def _files(tasks: Iterable[Task]) -> list[Path]:
    """What is there of them."""
    return [file for task in tasks for file in task.outputs() if file.is_file()]
