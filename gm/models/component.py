"""Components of the global model: sources on the sky, and corrections of a dataset's background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, TypeAlias, overload

import numpy as np

from gm.arrays import Array
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.pixel_grid import PixelGrid
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.spatial.base import ExtendedModel, SpatialModel
from gm.models.spectral.base import SpectralModel
from gm.models.spectral.power_laws import PowerLawNormSpectralModel
from gm.models.templates.counts import CountsTemplate
from gm.models.temporal.base import TemporalModel

APPLY_ALL_IRFS = {"exposure": True, "psf": True, "edisp": True}


@dataclass(frozen=True, eq=False, kw_only=True)
class _Component:
    """What sources and background corrections share: named blocks of parameters, in order."""

    tags: ClassVar[tuple[str, ...]]

    spectral_model: SpectralModel
    spatial_model: SpatialModel | None = None
    temporal_model: TemporalModel | None = None
    parameters: tuple[Parameter, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        flat = tuple(parameter for _, model in self.blocks() for parameter in model.parameters)
        object.__setattr__(self, "parameters", flat)

    def blocks(self) -> Iterator[tuple[str, ParametricModel]]:
        """The models of the component with their section names: spectral, spatial, temporal."""
        for model in (self.spectral_model, self.spatial_model, self.temporal_model):
            if model is not None:
                yield model.section, model

    def with_parameters(self, parameters: Sequence[Parameter]) -> Self:
        """The same component with other parameters, in the order of ``parameters``. Raises `UnitError`."""
        changed: dict[str, Any] = {}
        start = 0
        for section, model in self.blocks():
            stop = start + len(model.parameters)
            changed[f"{section}_model"] = model.with_parameters(parameters[start:stop])
            start = stop
        return replace(self, **changed)


@dataclass(frozen=True, eq=False, kw_only=True)
class SkyModel(_Component):
    """A source: spectrum, and where there are any shape on the sky and variation with time.

    datasets_names : the datasets that it applies to, or None for all
    apply_irf : which of ``exposure``, ``psf``, ``edisp`` are applied
    """

    tags = ("SkyModel", "sky-model")

    name: str = "source"
    datasets_names: Sequence[str] | str | None = None
    apply_irf: Mapping[str, bool] = field(default_factory=APPLY_ALL_IRFS.copy)

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.datasets_names, str):
            object.__setattr__(self, "datasets_names", (self.datasets_names,))
        elif self.datasets_names is not None:
            object.__setattr__(self, "datasets_names", tuple(self.datasets_names))

    def applies_to(self, dataset_name: str) -> bool:
        """True when the component is predicted for a dataset."""
        return self.datasets_names is None or dataset_name in self.datasets_names


@dataclass(frozen=True, eq=False, kw_only=True)
class BackgroundIRFModel(_Component):
    """Correction of one dataset's background: a dimensionless factor of the reconstructed energy.

    Gammapy's ``FoVBackgroundModel``. Parameters live here, background counts in the dataset. Its name is
    ``<dataset name>-bkg``. Raises `ModelError` when the spectrum is not a norm model.
    """

    tags = ("FoVBackgroundModel", "fov-bkg", "BackgroundIRFModel")

    spectral_model: SpectralModel = field(default_factory=PowerLawNormSpectralModel)
    dataset_name: str
    name: str = field(init=False)
    datasets_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.spectral_model.is_norm:
            raise ModelError(f"a background correction needs a norm model, not {type(self.spectral_model).__name__}")
        object.__setattr__(self, "name", f"{self.dataset_name}-bkg")
        object.__setattr__(self, "datasets_names", (self.dataset_name,))

    def applies_to(self, dataset_name: str) -> bool:
        """True for the one dataset that it corrects."""
        return dataset_name == self.dataset_name

    @overload
    def evaluate(self, energy: object) -> Array: ...
    @overload
    def evaluate(self, *, map: Map) -> Map: ...
    def evaluate(self, energy: object = None, *, map: Map | None = None) -> Array | Map:
        """The factor at energies (array in TeV or an astropy quantity), or a corrected map of background counts.

        ``map``: on pixels or on a region, with an axis ``energy``. At the parameters' own values.
        """
        if map is None:
            return self.spectral_model(energy)
        position = map.axis_names.index(map.axis("energy").name)
        shape = [1] * map.data.ndim
        shape[position] = -1
        data = map.data * self.spectral_model(map.axes[position].center).reshape(shape)
        if isinstance(map.geometry, WcsGeometry) and self.spatial_model is not None:
            data = data * self.spatial_factor(map.geometry)
        return map.with_(data=data)

    def spatial_factor(self, geometry: WcsGeometry, values: Array | None = None) -> Array:
        """The factor of the spatial model at pixel centres, (ny, nx), its unit dropped; 1 without spatial model.

        ``values`` of the spatial parameters in internal units, by default their own. Raises `DataError` where a model
        has no value, such as outside of its nodes.
        """
        return _spatial_factor(self.spatial_model, geometry, values)

    def spatial_factor_gradient(self, geometry: WcsGeometry, values: Array | None = None) -> tuple[Array, Array]:
        """`spatial_factor`, and its derivatives by the spatial parameters, (n_par, ny, nx)."""
        shape = self.spatial_model
        if not isinstance(shape, ExtendedModel):
            return np.ones(geometry.shape), np.zeros((0, *geometry.shape))
        return shape.at_pixels_with_gradient(PixelGrid(geometry), shape.values() if values is None else values)


FoVBackgroundModel = BackgroundIRFModel


@dataclass(frozen=True, eq=False, kw_only=True)
class TemplateNPredModel(_Component):
    """Predicted counts from a map, times a dimensionless factor of the reconstructed energy; no response is applied.

    ``filename``: a map of counts with an ``energy`` axis of bins, read on first use. For one dataset, or with
    ``datasets_names`` None for all. Raises `ModelError` when the spectrum is not a norm model.
    """

    tags = ("TemplateNPredModel", "template-npred")

    spectral_model: SpectralModel = field(default_factory=PowerLawNormSpectralModel)
    filename: str
    name: str = "template"
    datasets_names: Sequence[str] | str | None = None
    counts: CountsTemplate | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        names = (self.datasets_names,) if isinstance(self.datasets_names, str) else self.datasets_names
        if names is not None and len(names) != 1:
            raise ModelError(f"a template of predicted counts is for one dataset, not for {len(names)}")
        if not self.spectral_model.is_norm:
            kind = type(self.spectral_model).__name__
            raise ModelError(f"a template of predicted counts needs a norm model, not {kind}")
        object.__setattr__(self, "datasets_names", None if names is None else tuple(names))
        if self.counts is None or self.counts.filename != self.filename:
            object.__setattr__(self, "counts", CountsTemplate(self.filename))

    def applies_to(self, dataset_name: str) -> bool:
        """True when the component is predicted for a dataset."""
        return self.datasets_names is None or dataset_name in self.datasets_names

    def template(self, geometry: WcsGeometry, energy: EnergyAxis) -> Array:
        """The counts before the spectral factor, (n_energy, ny, nx), spatial factor included.

        Raises `DataError` when the map's pixels or energies are not those of the dataset.
        """
        assert self.counts is not None
        counts = self.counts.on(geometry, energy)
        return counts if self.spatial_model is None else counts * self.spatial_factor(geometry)

    def spatial_factor(self, geometry: WcsGeometry, values: Array | None = None) -> Array:
        """The factor of the spatial model at pixel centres, (ny, nx), its unit dropped; 1 without spatial model."""
        return _spatial_factor(self.spatial_model, geometry, values)


def _spatial_factor(shape: SpatialModel | None, geometry: WcsGeometry, values: Array | None) -> Array:
    if shape is None:
        return np.ones(geometry.shape)
    if not isinstance(shape, ExtendedModel):
        raise ModelError(f"{type(shape).__name__} has no density, which a factor of the position needs")
    return shape.at_pixels(PixelGrid(geometry), shape.values() if values is None else values)


Component: TypeAlias = SkyModel | BackgroundIRFModel | TemplateNPredModel
