"""All stages, in the order in which they run. A new one is declared in a module of its own, and listed here."""

from __future__ import annotations

from typing import Any

from gm.pipeline.stages.apply.stage import APPLY
from gm.pipeline.stages.base import Stage
from gm.pipeline.stages.extension.stage import EXTENSION
from gm.pipeline.stages.find.stage import FIND
from gm.pipeline.stages.fit.stage import FIT
from gm.pipeline.stages.flux_points.stage import FLUX_POINTS
from gm.pipeline.stages.goodness.stage import GOODNESS
from gm.pipeline.stages.impacts.stage import IMPACTS
from gm.pipeline.stages.light_curves.stage import LIGHT_CURVES
from gm.pipeline.stages.localize.stage import LOCALIZE
from gm.pipeline.stages.maps.stage import MAPS
from gm.pipeline.stages.observations.stage import REDUCE
from gm.pipeline.stages.profiles.stage import PROFILES
from gm.pipeline.stages.publish.stage import PUBLISH
from gm.pipeline.stages.report.stage import REPORT
from gm.pipeline.stages.sample.stage import SAMPLE
from gm.pipeline.stages.select.stage import SELECT
from gm.pipeline.stages.sensitivity.stage import SENSITIVITY
from gm.pipeline.stages.simulate.stage import SIMULATE
from gm.pipeline.stages.toys.stage import TOYS

STAGES: list[Stage[Any]] = [
    REDUCE,
    SIMULATE,
    APPLY,
    FIT,
    FLUX_POINTS,
    LIGHT_CURVES,
    PROFILES,
    IMPACTS,
    LOCALIZE,
    EXTENSION,
    SELECT,
    FIND,
    MAPS,
    SENSITIVITY,
    GOODNESS,
    TOYS,
    SAMPLE,
    PUBLISH,
    REPORT,
]
