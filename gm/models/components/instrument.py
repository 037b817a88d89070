"""Nuisance parameters of instruments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Self, final

from gm.errors import JsonPath
from gm.models.components.base import Component, Role
from gm.models.documents.block_reading import BlockReader
from gm.models.errors import ModelError
from gm.models.instrument import InstrumentResponse
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.spectral.base import SpectralModel
from gm.values import read_only


@final
@read_only("dataclasses.replace and with_parameters make another component")
@dataclass(frozen=True, eq=False, kw_only=True)
class InstrumentModel(Component):
    """What the instrument of some datasets may be off by; see `InstrumentResponse` for the parameters and formulae.

    datasets_names : the datasets that it applies to, or None for all. Those of one component share its parameters;
    where several apply to a dataset their factors are multiplied.
    """

    tags = ("InstrumentModel",)
    role = Role.INSTRUMENT
    sections: ClassVar[tuple[str, ...]] = ()

    name: str = "instrument"
    response: InstrumentResponse = field(default_factory=InstrumentResponse)
    spectral_model: SpectralModel = field(init=False, repr=False)
    spatial_model: None = field(init=False, repr=False, default=None)
    temporal_model: None = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        if not isinstance(self.response, InstrumentResponse):
            raise ModelError(f"'{self.name}': response is {self.response!r}", "expected an InstrumentResponse")
        object.__setattr__(self, "spectral_model", self.response)
        super().__post_init__()

    def blocks(self) -> Iterator[tuple[str, ParametricModel]]:
        yield self.response.section, self.response

    def with_parameters(self, parameters: Sequence[Parameter]) -> Self:
        return replace(self, response=self.response.with_parameters(parameters))

    @classmethod
    def read(cls, reader: BlockReader, data: Mapping[str, Any], path: JsonPath) -> Self | None:
        reader.check_keys(data, ("name", "type", "datasets_names", "parameters"), path)
        name = reader.name(data, path, "every InstrumentModel has a name of its own")
        response = reader.response(data, path, str(name))
        datasets = reader.datasets_names(data, path)
        return None if name is None else cls(name=name, response=response, datasets_names=datasets)
