"""The ``fit:`` section, and ``gm fit``: the joint fit of datasets with the global model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import MODELS, Ran, Stage, Task
from gm.pipeline.stages.fit import TABLES

if TYPE_CHECKING:
    from gm.datasets import Datasets
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.fit.settings import FitSettings
    from gm.pipeline.start import Start


@final
class Fitting(Stage["FitSettings"]):
    """Every stage after the fit sees the datasets under its masks, and starts from the best-fit models."""

    name = section = command = kind = "fit"
    phase = Phase.FIT
    help = "Fit all datasets with the global model; runs the stages before it when needed."
    needs_section = False
    shapes_later = True
    is_always_shown = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "datasets": "*",
        "energy_range": [],
        "mask": [],
        "minos": [],
        "contours": [],
        "contour_levels": None,
        "test": [],
        "flux_ranges": None,
    }

    def read(self, section: Section) -> FitSettings:
        from gm.pipeline.stages.fit.settings import read_fit

        return read_fit(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.fit.checks import check_names

        check_names(section, known)

    def files(self, section: Section) -> Iterable[Path]:
        from gm.pipeline.stages.fit.sky_masks import mask_files

        return mask_files(section.resolved["mask"], section.directory)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return [FitTask(self, analysis)]

    def seen(self, analysis: Analysis, start: Start) -> Start:
        from gm.pipeline.stages.fit.masks import fit_masks
        from gm.pipeline.start import Masked

        conventions = analysis.settings.conventions
        return Masked(start, lambda datasets: fit_masks(datasets, analysis.of(self), analysis.config, conventions))

    def select(self, analysis: Analysis, datasets: Datasets) -> Datasets:
        from gm.pipeline.stages.fit.settings import FitSettings

        return datasets.select((analysis.of(self) or FitSettings()).datasets)

    def made(self, session: Session, task: Task) -> Start:
        from gm.pipeline.start import Remodelled

        models = task.result.with_name("models.yaml")
        files = [file for file in session.written(task.key, besides=task.result) if file.name != TABLES]
        return Remodelled(session.start, models, files, is_fit=True)

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        from gm.pipeline.stages.fit.data_checks import check_counts_templates, check_fit

        check_fit(analysis, start.datasets(), start.models(), analysis.of(self))
        check_counts_templates(start.datasets(), start.models(), analysis.of(self))
        return start

    def why_stop(self, document: Mapping[str, Any]) -> str:
        return "the fit has no best point" if self.exit_code(document) else ""


FIT = Fitting()


@final
class FitTask(Task):
    """``fit/fit.yaml``, and beside it tables of counts and spectra, and the best-fit models."""

    def outputs(self) -> list[Path]:
        return [self.result, *(self.result.with_name(name) for name in (TABLES, *MODELS))]

    def config(self) -> dict[str, Any]:
        return {"name": self.analysis.settings.name, **super().config()}

    def about(self, start: Start) -> str:
        from gm.pipeline.stages.fit.data_checks import summary_before

        return summary_before(self.analysis, start, self.analysis.of(FIT))

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.fit.run import run_fit

        return run_fit(session, self, inputs)
