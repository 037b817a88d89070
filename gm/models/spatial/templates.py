"""Shapes given as maps."""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gm.arrays import Array
from gm.maps.map import Map
from gm.maps.pixel_grid import PixelGrid
from gm.maps.sphere import lon_lat
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.parametric import Default
from gm.models.spatial.base import ExtendedModel
from gm.models.templates.axis_interpolation import (
    axis_limits,
    axis_parameters,
    given_defaults,
    in_axis_order,
    parameter_axes,
)
from gm.models.templates.map import TemplateMap

_FLUX = "TeV-1 cm-2 s-1 sr-1"


class TemplateShape(ExtendedModel):
    """A shape whose values stand in a file, which is read on first use; the frame is that of its map."""

    may_be_flux = True

    template: TemplateMap

    @property
    def frame(self) -> str:
        return self.template.frame

    @property
    def is_energy_dependent(self) -> bool:
        return self.template.energy_axis is not None

    @property
    def is_flux(self) -> bool:
        return self.template.unit == _FLUX

    def unwritten_maps(self) -> dict[str, Map]:
        map = self.template.unwritten
        return {} if map is None else {self.template.filename: map}

    def remarks(self) -> tuple[str, ...]:
        return self.template.remarks

    def integrate(self, grid: PixelGrid, values: Array, energy: Array | None = None) -> Array:
        """Where both have meridians as columns and parallels as rows, lines between pixels are those of both axes."""
        along = grid.sky_along if grid.geometry.frame == self.frame else None
        if along is not None:
            lon, lat = self._shift(values)
            area = grid.solid_angle
            found = self.template.integrate(along[0] - lon, along[1] - lat, area, energy, self._slices(values))
            if found is not None:
                return found
        return super().integrate(grid, values, energy)

    @abstractmethod
    def _shift(self, values: Array) -> tuple[float, float]:
        """Longitude and latitude [deg] by which the map is moved."""

    @abstractmethod
    def _slices(self, values: Array) -> NDArray[Any] | None:
        """What is interpolated, see `TemplateMap.evaluate`."""

    @abstractmethod
    def total(self, values: Array, energy: Array) -> Array:
        """The integral over the map at energies [TeV], (n_energy,), in the map's unit times sr."""


class TemplateSpatialModel(TemplateShape):
    """A map from a FITS file; lon_0 and lat_0 shift it, and are the map's centre where they are not given.

    ``normalize`` (the default): every energy of the map integrates to 1; without, its values count as they are. The
    frame is that of the map, which is read on first use; a file that is damaged is a `DataError` then.
    """

    tags = ("TemplateSpatialModel", "template")
    setting_names = ("frame", "filename", "normalize", "unit")
    lon_0 = Default(float("nan"), "deg", frozen=True)
    lat_0 = Default(float("nan"), "deg", min=-90.0, max=90.0, frozen=True)

    def __init__(self, **settings: object) -> None:
        normalize = settings.get("normalize", True)
        if not isinstance(normalize, bool):
            raise ModelError(f"normalize is {normalize!r}; allowed: true, false")
        self.template = TemplateMap(str(settings.get("filename") or ""), normalize)
        super().__init__(**settings)  # type: ignore[arg-type]  # frame is checked with the document

    def with_map(self, filename: str, shape: Map) -> Self:
        """The same model with another map, whose values count as they are; models that are written write it too."""
        changed = copy.copy(self)
        settings = {**self.settings, "filename": filename, "normalize": False}
        changed._set(settings=settings, template=TemplateMap(filename, unwritten=shape))
        return changed

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

    def total(self, values: Array, energy: Array) -> Array:
        return self.template.total(energy)

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        return self.template.evaluate(*self._shifted(vectors, values), energy)

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        value, by_lon, by_lat = self.template.evaluate_with_slopes(*self._shifted(vectors, values), energy)
        return value, np.stack([-by_lon, -by_lat])

    def _shifted(self, vectors: Array, values: Array) -> tuple[Array, Array]:
        """Positions [deg] on the map that are seen at directions: longitude and latitude less the shift."""
        (lon, lat), by = lon_lat(vectors), self._shift(values)
        return lon - by[0], lat - by[1]

    def _shift(self, values: Array) -> tuple[float, float]:
        place, center = self.position(values), self.template.center()
        return place[0] - center[0], place[1] - center[1]

    def _slices(self, values: Array) -> None:
        return None


class TemplateNDSpatialModel(TemplateShape):
    """A map with further axes from a FITS file; one parameter for each axis that is not energy.

    Where the document gives no parameters they are read from the file: the middle of each axis, with its bounds as
    limits. Values at positions of the map's own frame, which is read on first use.
    """

    tags = ("TemplateNDSpatialModel", "templateND")
    setting_names = ("frame", "filename", "unit")
    any_unit = True

    def __init__(self, **settings: object) -> None:
        self.template = TemplateMap(str(settings.get("filename") or ""), may_vary=True)
        given = {name: value for name, value in settings.items() if name not in self.setting_names}
        self.defaults = given_defaults(self.tags[0], given.values()) or axis_parameters(self.template.axes)
        super().__init__(**settings)  # type: ignore[arg-type]  # frame is checked with the document

    @classmethod
    def named_by_document(cls, name: str) -> Parameter | None:
        return Parameter(name, 1.0)

    def natural_limits(self) -> dict[str, tuple[float, float]]:
        return axis_limits(self.template.axes)

    def position(self, values: Array) -> None:
        return None

    def evaluation_radius(self, values: Array) -> None:
        return None

    def total(self, values: Array, energy: Array) -> Array:
        return self.template.total(energy, self.template.collapsed(self._in_order(values))[0])

    def evaluate(self, vectors: Array, values: Array, energy: Array | None = None) -> Array:
        return self.template.evaluate(*lon_lat(vectors), energy, self._slices(values))

    def _shift(self, values: Array) -> tuple[float, float]:
        return 0.0, 0.0

    def _slices(self, values: Array) -> NDArray[Any]:
        return self.template.collapsed(self._in_order(values))[0]

    def evaluate_with_gradient(self, vectors: Array, values: Array, energy: Array | None = None) -> tuple[Array, Array]:
        lon, lat = lon_lat(vectors)
        slices, slopes = self.template.collapsed(self._in_order(values))
        value = self.template.evaluate(lon, lat, energy, slices)
        by_axis = {
            axis.name: self.template.slope(value, lon, lat, energy, slope)
            for axis, slope in zip(parameter_axes(self.template.axes), slopes, strict=True)
        }
        return value, np.stack([by_axis[name] for name in self.paths])

    def _in_order(self, values: Array) -> Array:
        return in_axis_order(self.template.axes, self.paths, values, self.template.filename)
