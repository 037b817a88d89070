"""The ``flux_points:`` section, and ``gm flux-points``: spectral energy distributions, one for each entry."""

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
    from gm.pipeline.stages.flux_points.settings import FluxPointsSettings
    from gm.pipeline.start import Start


@final
class MeasuringFlux(Stage["tuple[FluxPointsSettings, ...]"]):
    """Flux points from the best fit, or from the models as given where the config has no ``fit:``."""

    name = section = "flux_points"
    command = kind = "flux-points"
    phase = Phase.MEASUREMENT
    help = "Spectral energy distributions with errors, upper limits, TS and profiles."
    is_list = True
    is_always_shown = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "source": None,
        "sources": None,
        "method": "bands",
        "smoothness": 0,
        "name": None,
        "datasets": "*",
        "energy_edges": None,
        "strict": False,
        "reoptimize": False,
        "nuisance_prior": None,
        "deabsorbed": False,
        "sed_type": "likelihood",
        "confidence": {"sigma": 1, "sigma_ul": 2},
        "ul": {"method": "likelihood", "level": None},
    }

    def read(self, section: Section) -> tuple[FluxPointsSettings, ...]:
        from gm.pipeline.stages.flux_points.settings import read_flux_points

        return read_flux_points(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.flux_points.settings import check_flux_points

        check_flux_points(section, known)

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        from gm.pipeline.stages.flux_points.run import check_edges

        entries: tuple[FluxPointsSettings, ...] | None = analysis.of(self)
        check_edges(start, entries or ())
        return start

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return FluxPointsTask.each(self, analysis)


FLUX_POINTS = MeasuringFlux()


@final
class FluxPointsTask(EntryTask["FluxPointsSettings"]):
    """The flux points of one source: ``flux_points/NAME.yaml``, and the same as FITS and ECSV tables.

    Of several sources there are tables for each, ``NAME-SOURCE.fits``.
    """

    def tables(self) -> list[list[Path]]:
        """The tables of each source."""
        from gm.pipeline.stages.flux_points.settings import table_stems

        stems = table_stems(self.entry, self.settings.sources)
        return [[self.result.with_name(f"{stem}.{kind}") for kind in ("fits", "ecsv")] for stem in stems]

    def outputs(self) -> list[Path]:
        return [self.result, *(file for files in self.tables() for file in files)]

    def about(self, start: Start) -> str:
        n, sources, method = len(self.settings.energy_edges) - 1, self.settings.sources, self.settings.method
        how = {"bands": "", "joint": " in one fit", "unfold": " of true energy in one fit"}[method]
        of = f" of {len(sources)} sources together" if len(sources) > 1 else ""
        return f"{n} bins{of}{how}, from {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.flux_points.run import run_flux_points

        return run_flux_points(session, self, self.settings, self.tables(), inputs)
