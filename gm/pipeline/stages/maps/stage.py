"""The ``maps:`` section, and ``gm maps``: TS, excess and residual maps and peaks of these, one for each entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import EntryTask, Ran, Stage, Task

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.maps.settings import MapSettings
    from gm.pipeline.start import Start


@final
class MakingMaps(Stage["tuple[MapSettings, ...]"]):
    """Maps around the best fit, or around the models as given where the config has no ``fit:``."""

    name = section = command = kind = "maps"
    aliases: ClassVar[tuple[str, ...]] = ("ts-map",)
    phase = Phase.MEASUREMENT
    help = "Maps of the sky: test statistic, excess, residuals, and the peaks of these."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "type": None,
        "name": None,
        "datasets": "*",
        "energy_edges": None,
        "confidence": {"sigma": 1, "sigma_ul": 2},
    }

    def read(self, section: Section) -> tuple[MapSettings, ...]:
        from gm.pipeline.stages.maps.settings import read_maps

        return read_maps(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.maps.settings import check_maps

        check_maps(section, known)

    def check_data(self, analysis: Analysis, start: Start) -> Start | None:
        from gm.pipeline.stages.maps.settings import check_datasets
        from gm.pipeline.stages.pixels import check_maps, check_pixels

        entries = analysis.of(self) or ()
        maps = [((self.section, k), entry) for k, entry in enumerate(entries) if not entry.of]
        check_pixels(analysis, start, maps)
        check_maps(analysis, start, [(path, entry, partial(check_datasets, entry)) for path, entry in maps])
        return start

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return MapTask.each(self, analysis)


MAPS = MakingMaps()


@final
class MapTask(EntryTask["MapSettings"]):
    """``maps/NAME.yaml``, all quantities as extensions of ``maps/NAME.fits``; of peaks ``maps/NAME/models.yaml``."""

    def outputs(self) -> list[Path]:
        folder = self.result.parent
        return [self.result, folder / self.entry / "models.yaml" if self.settings.of else folder / f"{self.entry}.fits"]

    def config(self) -> dict[str, Any]:
        """Of peaks also the map that they are looked for in, which has been made before."""
        if not self.settings.of:
            return super().config()
        entries = self.analysis.resolved[self.stage.section]
        names = [settings.name for settings in self._all()]
        return {**super().config(), "of": entries[names.index(self.settings.of)]}

    def _all(self) -> Sequence[MapSettings]:
        return self.analysis.of(self.stage) or ()

    def of(self) -> MapSettings | None:
        """The map that peaks are looked for in."""
        return next((entry for entry in self._all() if entry.name == self.settings.of), None)

    def about(self, start: Start) -> str:
        return self.settings.about(self.origin)

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.maps.run import run_map

        return run_map(session, self, self.settings, self.of(), inputs)
