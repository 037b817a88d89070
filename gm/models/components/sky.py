"""Sources on the sky."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, final

from gm.errors import JsonPath
from gm.models.components.base import Component, Role
from gm.models.documents.block_reading import BlockReader
from gm.models.documents.plain import mapping
from gm.models.spatial.base import SpatialModel
from gm.models.spectral.base import FLUX, SpectralModel
from gm.units import UnitError
from gm.values import read_only

APPLY_ALL_IRFS = {"exposure": True, "psf": True, "edisp": True}


@final
@read_only("dataclasses.replace and with_parameters make another component")
@dataclass(frozen=True, eq=False, kw_only=True)
class SkyModel(Component):
    """A source: spectrum, and where there are any shape on the sky and variation with time.

    datasets_names : the datasets that it applies to, or None for all
    apply_irf : which of ``exposure``, ``psf``, ``edisp`` are applied
    """

    tags = ("SkyModel", "sky-model")
    role = Role.SOURCE

    name: str = "source"
    apply_irf: Mapping[str, bool] = field(default_factory=APPLY_ALL_IRFS.copy)

    @classmethod
    def read(cls, reader: BlockReader, data: Mapping[str, Any], path: JsonPath) -> Self | None:
        keys = ("name", "type", "apply_irf", "datasets_names", "spectral", "spatial", "temporal")
        reader.check_keys(data, keys, path)
        name = reader.name(data, path, "every SkyModel has a name of its own")
        spectral = reader.spectral(data, path, str(name))
        spatial = reader.spatial(data, path, str(name))
        temporal = reader.temporal(data, path, str(name))
        if "spectral" not in data:
            reader.report(path, "key 'spectral' is missing", "every SkyModel has a spectrum")
        apply_irf = _read_apply_irf(reader, data.get("apply_irf"), (*path, "apply_irf"))
        datasets = reader.datasets_names(data, path)
        if spectral is None or name is None:
            return None
        _check_flux(reader, spectral, spatial, apply_irf["exposure"], (*path, "spectral"))
        return cls(
            name=name,
            spectral_model=spectral,
            spatial_model=spatial,
            temporal_model=temporal,
            datasets_names=datasets,
            apply_irf=apply_irf,
        )

    def own_keys(self, rename: Callable[[str], str]) -> dict[str, Any]:
        return {} if dict(self.apply_irf) == APPLY_ALL_IRFS else {"apply_irf": dict(self.apply_irf)}


def _read_apply_irf(reader: BlockReader, data: Any, path: JsonPath) -> Mapping[str, bool]:
    if data is None:
        return APPLY_ALL_IRFS
    given = mapping(data)
    if given is None or not {*map(type, given.values())} <= {bool}:
        reader.report(path, f"expected true or false for each response, found {data!r}", "")
        return APPLY_ALL_IRFS
    reader.check_keys(given, tuple(APPLY_ALL_IRFS), path)
    return {name: given.get(name, True) for name in APPLY_ALL_IRFS}


def _check_flux(
    reader: BlockReader, spectral: SpectralModel, spatial: SpatialModel | None, has_exposure: bool, path: JsonPath
) -> None:
    """A source is a flux; without exposure counts per energy; with a map that is a flux itself, a factor."""
    try:
        unit = spectral.result_unit()
    except UnitError as error:
        reader.report(path, str(error), "")
        return
    expected = FLUX if has_exposure else "TeV-1"
    allowed = [expected] if spatial is None else [expected, f"{expected} sr-1"]
    if spatial is not None and spatial.may_be_flux:
        allowed.append("")
    if unit not in allowed:
        words = "a dimensionless factor" if not unit else f"in '{unit}'"
        message = f"{spectral.tags[0]} is {words}, not in '{expected}'"
        reader.report(path, message, "a source needs a differential flux")
