"""Corrections of a dataset's background."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self, final, overload

import numpy as np

from gm.arrays import Array
from gm.errors import JsonPath
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.pixel_grid import PixelGrid
from gm.models.components.base import NormComponent, Role
from gm.models.documents.block_reading import BlockReader
from gm.models.documents.plain import names
from gm.models.spectral.base import SpectralModel
from gm.models.spectral.power_laws import PowerLawNormSpectralModel
from gm.values import read_only


@final
@read_only("dataclasses.replace and with_parameters make another component")
@dataclass(frozen=True, eq=False, kw_only=True)
class BackgroundIRFModel(NormComponent):
    """Correction of one dataset's background: a dimensionless factor of the reconstructed energy.

    Gammapy's ``FoVBackgroundModel``. Parameters live here, background counts in the dataset. Its name is
    ``<dataset name>-bkg``. Raises `ModelError` when the spectrum is not a norm model.
    """

    tags = ("FoVBackgroundModel", "fov-bkg", "BackgroundIRFModel")
    role = Role.BACKGROUND
    what = "a background correction"

    spectral_model: SpectralModel = field(default_factory=PowerLawNormSpectralModel)
    dataset_name: str
    name: str = field(init=False)
    datasets_names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.dataset_name}-bkg")
        object.__setattr__(self, "datasets_names", (self.dataset_name,))
        super().__post_init__()

    def alone_on(self, dataset_name: str) -> Self:
        return replace(self, dataset_name=dataset_name)

    @overload
    def evaluate(self, energy: object) -> Array: ...
    @overload
    def evaluate(self, *, map: Map) -> Map: ...
    def evaluate(self, energy: object = None, *, map: Map | None = None) -> Array | Map:
        """The factor at energies (array in TeV of any shape, or an astropy quantity), or a corrected map of background
        counts.

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

    def spatial_factor_gradient(self, geometry: WcsGeometry, values: Array | None = None) -> tuple[Array, Array]:
        """`spatial_factor`, and its derivatives by the spatial parameters, (n_par, ny, nx)."""
        shape = self.spatial_model
        if shape is None:
            return np.ones(geometry.shape), np.zeros((0, *geometry.shape))
        return shape.at_pixels_with_gradient(PixelGrid(geometry), shape.values() if values is None else values)

    @classmethod
    def read(cls, reader: BlockReader, data: Mapping[str, Any], path: JsonPath) -> Self | None:
        reader.check_keys(data, ("name", "type", "datasets_names", "spectral", "spatial", "parameters"), path)
        datasets = reader.datasets_names(data, path)
        if datasets is None or len(datasets) != 1:
            where = (*path, "datasets_names") if "datasets_names" in data else path
            found = "none" if not datasets else ", ".join(datasets)
            message = f"expected one dataset, found {found}"
            reader.report(where, message, "a background model is for exactly one dataset")
            return None
        name = f"{datasets[0]}-bkg"
        shape, spectral = reader.shape_factor(data, path, name), reader.norm(data, path, name, "background")
        if spectral is None:
            return None
        return cls(dataset_name=datasets[0], spectral_model=spectral, spatial_model=shape)

    @classmethod
    def name_in(cls, data: Mapping[str, Any]) -> str | None:
        datasets = names(data.get("datasets_names"))
        return f"{datasets[0]}-bkg" if datasets else None

    def row(self, rename: Callable[[str], str]) -> dict[str, Any]:
        data = super().row(rename)
        del data["name"]
        return data


FoVBackgroundModel = BackgroundIRFModel
