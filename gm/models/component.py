"""Components of the global model: sources on the sky, and corrections of a dataset's background."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeAlias

from gm.arrays import Array
from gm.models.errors import ModelError
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.power_laws import PowerLawNormSpectralModel
from gm.models.spatial import SpatialModel
from gm.models.spectral import SpectralModel
from gm.models.temporal import TemporalModel

APPLY_ALL_IRFS: Mapping[str, bool] = MappingProxyType({"exposure": True, "psf": True, "edisp": True})


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
    apply_irf: Mapping[str, bool] = field(default_factory=lambda: APPLY_ALL_IRFS)

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

    def evaluate(self, energy: object) -> Array:
        """The factor at energies (array in TeV or an astropy quantity), at the parameters' own values."""
        return self.spectral_model(energy)


FoVBackgroundModel = BackgroundIRFModel
Component: TypeAlias = SkyModel | BackgroundIRFModel
