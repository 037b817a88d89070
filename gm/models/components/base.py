"""Components of the global model: what they share, and what each kind answers for itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from gm.arrays import Array
from gm.errors import JsonPath
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.pixel_grid import PixelGrid
from gm.models.documents.block_reading import BlockReader
from gm.models.documents.plain import text
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.spatial.base import SpatialModel
from gm.models.spectral.base import SpectralModel
from gm.models.temporal.base import TemporalModel

T = TypeVar("T")


class Role(Enum):
    """How a component enters what is predicted."""

    SOURCE = "a flux on the sky, seen through the responses"
    BACKGROUND = "a factor of the background that a dataset holds"
    COUNTS = "counts, seen through no response"
    INSTRUMENT = "a factor of the responses or of the background of datasets"

    @property
    def is_sky(self) -> bool:
        """Whether it predicts counts by itself."""
        return self in (Role.SOURCE, Role.COUNTS)


@dataclass(frozen=True, eq=False, kw_only=True)
class Component(ABC):
    """Named blocks of parameters, in order: a spectrum, and maybe a shape on the sky and a variation with time.

    tags : names of the kind in YAML, the one that is written first
    role : how it enters what is predicted
    sections : of the models that it may have; without any its parameters stand in the entry of a document itself
    datasets_names : the datasets that it applies to, or None for all
    """

    tags: ClassVar[tuple[str, ...]]
    role: ClassVar[Role]
    sections: ClassVar[tuple[str, ...]] = ("spectral", "spatial", "temporal")

    name: str
    datasets_names: Sequence[str] | str | None = None
    spectral_model: SpectralModel
    spatial_model: SpatialModel | None = None
    temporal_model: TemporalModel | None = None
    parameters: tuple[Parameter, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for section in self.sections:
            model = getattr(self, f"{section}_model")
            if model is not None and getattr(model, "section", "") != section:
                raise ModelError(f"'{self.name}': {section}_model is {model!r}", f"expected a {section} model")
        flat = tuple(parameter for _, model in self.blocks() for parameter in model.parameters)
        object.__setattr__(self, "parameters", flat)
        if self.datasets_names is not None:
            names = (self.datasets_names,) if isinstance(self.datasets_names, str) else tuple(self.datasets_names)
            object.__setattr__(self, "datasets_names", names)

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

    def applies_to(self, dataset_name: str) -> bool:
        """True when the component is predicted for a dataset."""
        return self.datasets_names is None or dataset_name in self.datasets_names

    def applied(self, by_dataset: Mapping[str, T]) -> list[T]:
        """What belongs to the datasets that it applies to, of something by the names of datasets, in that order."""
        if self.datasets_names is None:
            return list(by_dataset.values())
        if len(self.datasets_names) > 1:
            return [one for name, one in by_dataset.items() if name in self.datasets_names]
        return [by_dataset[name] for name in self.datasets_names if name in by_dataset]

    def alone_on(self, dataset_name: str) -> Self:
        """The same for a dataset of that name, whatever datasets it is for."""
        return replace(self, datasets_names=None)

    def remarks(self) -> Iterator[str]:
        """What of its files is not used as it stands there. Raises `DataError`."""
        yield from self.spectral_model.remarks()
        if self.spatial_model is not None:
            yield from self.spatial_model.remarks()
        if self.temporal_model is not None:
            yield from self.temporal_model.remarks()

    # Documents

    @classmethod
    @abstractmethod
    def read(cls, reader: BlockReader, data: Mapping[str, Any], path: JsonPath) -> Self | None:
        """The component of an entry of a document, or None; what is wrong with it is reported."""

    @classmethod
    def name_in(cls, data: Mapping[str, Any]) -> str | None:
        """The name of the component of an entry, as far as the entry has one."""
        return text(data.get("name"))

    def row(self, rename: Callable[[str], str]) -> dict[str, Any]:
        """What an entry of a document says of it before its models; ``rename`` gives names of files."""
        data = {"name": self.name, "type": self.tags[0], **self.own_keys(rename)}
        if self.datasets_names is not None:
            data["datasets_names"] = list(self.datasets_names)
        return data

    def own_keys(self, rename: Callable[[str], str]) -> dict[str, Any]:
        """What only entries of this kind have."""
        return {}

    def files(self) -> list[str]:
        """The files that its numbers are taken from."""
        return [str(block.settings["filename"]) for _, block in self.blocks() if "filename" in block.settings]

    def unwritten_maps(self) -> dict[str, Map]:
        """Maps of templates that are in no file yet, by the name of the file that they will be in."""
        return {} if self.spatial_model is None else self.spatial_model.unwritten_maps()


@dataclass(frozen=True, eq=False, kw_only=True)
class NormComponent(Component):
    """A component that is a factor: its spectrum is dimensionless, and so is its shape.

    Raises `ModelError` when the spectrum is not a norm model.
    """

    what: ClassVar[str]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.spectral_model.is_norm:
            raise ModelError(f"{self.what} needs a norm model, not {type(self.spectral_model).__name__}")

    def spatial_factor(self, geometry: WcsGeometry, values: Array | None = None) -> Array:
        """The factor of the spatial model at pixel centres, (ny, nx), its unit dropped; 1 without spatial model.

        ``values`` of the spatial parameters in internal units, by default their own. Raises `DataError` where a model
        has no value, such as outside of its nodes, and `ModelError` for a model without density.
        """
        shape = self.spatial_model
        if shape is None:
            return np.ones(geometry.shape)
        return shape.at_pixels(PixelGrid(geometry), shape.values() if values is None else values)


def find_kind(tag: object) -> type[Component] | None:
    """The class of components of a tag, or None."""
    return next((kind for kind in kinds() if tag in kind.tags), None)


def kinds() -> list[type[Component]]:
    """Every kind of component that there is, by role: the classes below `Component` with tags."""
    below = Component.__subclasses__()
    for kind in below:
        below += kind.__subclasses__()
    return sorted((kind for kind in below if "tags" in vars(kind)), key=lambda kind: list(Role).index(kind.role))
