"""Shapes given as maps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.spatial import SpatialModel


class TemplateSpatialModel(SpatialModel):
    """A map from a FITS file; lon_0 and lat_0 shift it, and are the map's centre where they are not given."""

    tags = ("TemplateSpatialModel", "template")
    setting_names = ("frame", "filename", "normalize", "unit")
    defaults = (
        Parameter("lon_0", float("nan"), "deg", frozen=True),
        Parameter("lat_0", float("nan"), "deg", min=-90.0, max=90.0, frozen=True),
    )


class TemplateNDSpatialModel(SpatialModel):
    """A map with further axes from a FITS file; one parameter for each axis that is not energy."""

    tags = ("TemplateNDSpatialModel", "templateND")
    setting_names = ("frame", "filename", "unit")

    def __init__(self, **settings: object) -> None:
        _free_parameters(self, settings)
        super().__init__(**settings)  # type: ignore[arg-type]  # frame is checked with the document


def _free_parameters(model: SpatialModel, settings: Mapping[str, Any]) -> None:
    """Take as defaults whatever parameters the document has: their names depend on a file or on the nodes."""
    given = [value for name, value in settings.items() if name not in model.setting_names]
    if not all(isinstance(value, Parameter) for value in given):
        raise ModelError(f"the parameters of {model.tags[0]} are given as Parameter objects")
    model.defaults = tuple(Parameter(value.name, 0.0, value.unit) for value in given)
