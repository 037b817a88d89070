"""Shapes given as maps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan

import numpy as np

from gm.arrays import Array
from gm.errors import DataError, suggest
from gm.maps.sphere import lon_lat
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.spatial import ExtendedModel
from gm.models.template_files import expanded
from gm.models.template_map import TemplateMap


class TemplateSpatialModel(ExtendedModel):
    """A map from a FITS file; lon_0 and lat_0 shift it, and are the map's centre where they are not given.

    ``normalize`` (the default): every energy of the map integrates to 1; without, its values count as they are. The
    frame is that of the map, which is read on first use; a file that is damaged is a `DataError` then.
    """

    tags = ("TemplateSpatialModel", "template")
    setting_names = ("frame", "filename", "normalize", "unit")
    defaults = (
        Parameter("lon_0", float("nan"), "deg", frozen=True),
        Parameter("lat_0", float("nan"), "deg", min=-90.0, max=90.0, frozen=True),
    )

    def __init__(self, **settings: object) -> None:
        normalize = settings.get("normalize", True)
        if not isinstance(normalize, bool):
            raise ModelError(f"normalize is {normalize!r}; allowed: true, false")
        self.template = TemplateMap(str(settings.get("filename") or ""), normalize)
        super().__init__(**settings)  # type: ignore[arg-type]  # frame is checked with the document

    @property
    def frame(self) -> str:
        return self.template.frame

    @property
    def is_energy_dependent(self) -> bool:
        return self.template.energy_axis is not None

    def _set_parameters(self, parameters: Sequence[Parameter]) -> None:
        """A free position that is not given is the map's centre: a fit needs a number to start from."""
        if any(isnan(p.value) and not p.frozen for p in parameters):
            rows = zip(parameters, self.template.center(), strict=True)
            parameters = [replace(p, value=center) if isnan(p.value) else p for p, center in rows]
        super()._set_parameters(parameters)

    def position(self, values: Array) -> tuple[float, float]:
        lon, lat = self.template.center()
        return lon if isnan(values[0]) else float(values[0]), lat if isnan(values[1]) else float(values[1])

    def evaluation_radius(self, values: Array) -> float | None:
        return self.template.radius()

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        return self.template.evaluate(*self._shifted(vectors, values), energy)

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        value, by_lon, by_lat = self.template.evaluate_with_slopes(*self._shifted(vectors, values), energy)
        return value, np.stack([-by_lon, -by_lat])

    def _shifted(self, vectors: Array, values: Array) -> tuple[Array, Array]:
        """Positions [deg] on the map that are seen at directions: longitude and latitude less the shift."""
        lon, lat = lon_lat(vectors)
        center = self.template.center()
        place = self.position(values)
        return lon - (place[0] - center[0]), lat - (place[1] - center[1])


class TemplateNDSpatialModel(ExtendedModel):
    """A map with further axes from a FITS file; one parameter for each axis that is not energy.

    Where the document gives no parameters they are read from the file: the middle of each axis, with its bounds as
    limits. Values at positions of the map's own frame, which is read on first use.
    """

    tags = ("TemplateNDSpatialModel", "templateND")
    setting_names = ("frame", "filename", "unit")

    def __init__(self, **settings: object) -> None:
        self.template = TemplateMap(str(settings.get("filename") or ""))
        given = {name: value for name, value in settings.items() if name not in self.setting_names}
        if not all(isinstance(value, Parameter) for value in given.values()):
            raise ModelError(f"the parameters of {self.tags[0]} are given as Parameter objects")
        if given:
            self.defaults = tuple(Parameter(p.name, 0.0, p.unit) for p in given.values() if isinstance(p, Parameter))
        elif expanded(self.template.filename).is_file():
            self.defaults = axis_parameters(self.template)
        super().__init__(**settings)  # type: ignore[arg-type]  # frame is checked with the document

    @property
    def frame(self) -> str:
        return self.template.frame

    @property
    def is_energy_dependent(self) -> bool:
        return self.template.energy_axis is not None

    def position(self, values: Array) -> None:
        return None

    def evaluation_radius(self, values: Array) -> None:
        return None

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        slices, _ = self.template.collapsed(in_axis_order(self.template, self.paths, values))
        return self.template.evaluate(*lon_lat(vectors), energy, slices)

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        lon, lat = lon_lat(vectors)
        slices, slopes = self.template.collapsed(in_axis_order(self.template, self.paths, values))
        value = self.template.evaluate(lon, lat, energy, slices)
        by_axis = {
            axis.name: value * self.template.interpolated(lon, lat, energy, slope)
            for axis, slope in zip(self.template.parameter_axes, slopes, strict=True)
        }
        return value, np.stack([by_axis[name] for name in self.paths])


def axis_parameters(template: TemplateMap) -> tuple[Parameter, ...]:
    """A parameter for each axis that is not energy: in the middle of its bounds, which are the limits."""
    rows = []
    for axis in template.parameter_axes:
        low, high = (axis.edges if getattr(axis, "has_edges", True) else axis.center)[[0, -1]].tolist()
        rows.append(Parameter(axis.name, 0.5 * (low + high), axis.unit, min=low, max=high))
    return tuple(rows)


def in_axis_order(template: TemplateMap, names: tuple[str, ...], values: Array) -> Array:
    """Values of parameters in the order of the map's axes. Raises `DataError` when both differ in names."""
    axes = [axis.name for axis in template.parameter_axes]
    if sorted(axes) != sorted(names):
        wrong = next((name for name in names if name not in axes), ", ".join(names) or "none")
        raise DataError(
            f"{template.filename}: parameter {wrong} is no axis of the map\n    {suggest(wrong, axes, 'axes')}"
        )
    return np.array([values[names.index(name)] for name in axes])
