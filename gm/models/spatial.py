"""Spatial models: their parameters, limits and settings.

For spectra and flux points the spatial factor is exactly 1, so a spatial model is a record that is read, checked and
written. Defaults and limits as in Gammapy 2.1, ``gammapy.modeling.models.spatial``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel

_LON = Parameter("lon_0", 0.0, "deg")
_LAT = Parameter("lat_0", 0.0, "deg", min=-90.0, max=90.0)
_E = Parameter("e", 0.0, min=0.0, max=1.0, frozen=True)
_PHI = Parameter("phi", 0.0, "deg", min=-180.0, max=180.0, frozen=True)


class SpatialModel(ParametricModel):
    """Shape of a component on the sky; ``frame`` (``icrs`` or ``galactic``) is that of lon_0, lat_0 and phi."""

    section = "spatial"
    setting_names: ClassVar[tuple[str, ...]] = ("frame",)
    has_frame: ClassVar[bool] = True

    def __init__(self, *, frame: str = "icrs", **settings: object) -> None:
        super().__init__(**{name: value for name, value in settings.items() if name not in self.setting_names})
        extra = {name: settings[name] for name in self.setting_names if name in settings}
        self.settings = ({"frame": frame} if self.has_frame else {}) | extra


class PointSpatialModel(SpatialModel):
    """Point source at lon_0, lat_0."""

    tags = ("PointSpatialModel", "point")
    defaults = (_LON, _LAT)


class GaussianSpatialModel(SpatialModel):
    """Gaussian of width ``sigma`` along its major axis, eccentricity ``e``, major axis at position angle ``phi``."""

    tags = ("GaussianSpatialModel", "gauss")
    defaults = (_LON, _LAT, Parameter("sigma", 1.0, "deg", min=0.0), _E, _PHI)


class GeneralizedGaussianSpatialModel(SpatialModel):
    """Generalised Gaussian of radius ``r_0`` and shape ``eta`` (0.5: Gaussian, 1: Laplace)."""

    tags = ("GeneralizedGaussianSpatialModel", "gauss-general")
    defaults = (_LON, _LAT, Parameter("r_0", 1.0, "deg"), Parameter("eta", 0.5, min=0.01, max=1.0), _E, _PHI)


class DiskSpatialModel(SpatialModel):
    """Disk of radius ``r_0``, eccentricity ``e``, with an edge that is ``edge_width`` of the radius wide."""

    tags = ("DiskSpatialModel", "disk")
    defaults = (
        _LON,
        _LAT,
        Parameter("r_0", 1.0, "deg", min=0.0),
        _E,
        _PHI,
        Parameter("edge_width", 0.01, min=0.0, max=1.0, frozen=True),
    )


class ShellSpatialModel(SpatialModel):
    """Projected shell of inner ``radius`` and ``width``."""

    tags = ("ShellSpatialModel", "shell")
    defaults = (_LON, _LAT, Parameter("radius", 1.0, "deg"), Parameter("width", 0.2, "deg"))


class Shell2SpatialModel(SpatialModel):
    """Projected shell of outer radius ``r_0`` and relative width ``eta``."""

    tags = ("Shell2SpatialModel", "shell2")
    defaults = (_LON, _LAT, Parameter("r_0", 1.0, "deg"), Parameter("eta", 0.2, min=0.02, max=1.0))


class ConstantSpatialModel(SpatialModel):
    """The same everywhere. Gammapy writes it without parameters and without frame."""

    tags = ("ConstantSpatialModel", "const")
    defaults = (Parameter("value", 1.0, "sr-1", frozen=True),)
    has_frame = False


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


class PiecewiseNormSpatialModel(SpatialModel):
    """A correction with a free norm at every node (``lon``, ``lat``), at least four."""

    tags = ("PiecewiseNormSpatialModel", "piecewise-norm")
    setting_names = ("frame", "lon", "lat", "interp")

    def __init__(self, **settings: object) -> None:
        _free_parameters(self, settings)
        super().__init__(**settings)  # type: ignore[arg-type]  # frame is checked with the document


def _free_parameters(model: SpatialModel, settings: Mapping[str, Any]) -> None:
    """Take as defaults whatever parameters the document has: their names depend on a file or on the nodes."""
    given = [value for name, value in settings.items() if name not in model.setting_names]
    if not all(isinstance(value, Parameter) for value in given):
        raise ModelError(f"the parameters of {model.tags[0]} are given as Parameter objects")
    model.defaults = tuple(Parameter(value.name, 0.0, value.unit) for value in given)
