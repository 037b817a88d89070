"""The ``profiles:`` section, and ``gm profile``: profiles and surfaces of the likelihood, one for each entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, final

from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.stages.base import EntryTask, Ran, Stage, Task

if TYPE_CHECKING:
    from gm.pipeline.analysis.load import Analysis
    from gm.pipeline.analysis.sections import Known, Section
    from gm.pipeline.inputs import Inputs
    from gm.pipeline.session import Session
    from gm.pipeline.stages.profiles.settings import ProfileSettings
    from gm.pipeline.start import Start


@final
class Profiling(Stage["tuple[ProfileSettings, ...]"]):
    """The likelihood around the best fit, along parameters and derived quantities."""

    name = section = "profiles"
    command = kind = "profile"
    phase = Phase.MEASUREMENT
    help = "Likelihood profiles and surfaces of parameters, fluxes and energy fluxes."
    is_list = True
    defaults: ClassVar[Mapping[str, Any]] = {
        "parameter": None,
        "parameters": None,
        "quantity": None,
        "name": None,
        "datasets": None,
        "sigma": 3,
        "n": None,
        "values": None,
        "levels": [1, 2],
    }

    def read(self, section: Section) -> tuple[ProfileSettings, ...]:
        from gm.pipeline.stages.profiles.settings import read_profiles

        return read_profiles(section)

    def check(self, section: Section, known: Known) -> None:
        from gm.pipeline.stages.profiles.settings import check_profiles

        check_profiles(section, known)

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        return ProfileTask.each(self, analysis)


PROFILES = Profiling()


@final
class ProfileTask(EntryTask["ProfileSettings"]):
    """One profile or surface: ``profiles/NAME.yaml``."""

    def about(self, start: Start) -> str:
        return f"{self.settings.about}, around {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        from gm.pipeline.stages.profiles.run import run_profile

        return run_profile(session, self, self.settings, inputs)
