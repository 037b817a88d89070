"""Predicted counts from maps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, final

from gm.arrays import Array
from gm.errors import JsonPath
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.models.components.base import NormComponent, Role
from gm.models.documents.block_reading import BlockReader
from gm.models.errors import ModelError
from gm.models.spectral.base import SpectralModel
from gm.models.spectral.power_laws import PowerLawNormSpectralModel
from gm.models.templates.counts import CountsTemplate
from gm.values import read_only


@final
@read_only("dataclasses.replace and with_parameters make another component")
@dataclass(frozen=True, eq=False, kw_only=True)
class TemplateNPredModel(NormComponent):
    """Predicted counts from a map, times a dimensionless factor of the reconstructed energy; no response is applied.

    ``filename``: a map of counts with an ``energy`` axis of bins, read on first use. For one dataset, or with
    ``datasets_names`` None for all. Raises `ModelError` when the spectrum is not a norm model.
    """

    tags = ("TemplateNPredModel", "template-npred")
    role = Role.COUNTS
    what = "a template of predicted counts"

    spectral_model: SpectralModel = field(default_factory=PowerLawNormSpectralModel)
    filename: str
    name: str = "template"
    counts: CountsTemplate | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.datasets_names is not None and len(self.datasets_names) != 1:
            raise ModelError(f"a template of predicted counts is for one dataset, not for {len(self.datasets_names)}")
        if self.counts is None or self.counts.filename != self.filename:
            object.__setattr__(self, "counts", CountsTemplate(self.filename))

    def template(self, geometry: WcsGeometry, energy: EnergyAxis) -> Array:
        """The counts before the spectral factor, (n_energy, ny, nx), spatial factor included.

        Raises `DataError` when the map's pixels or energies are not those of the dataset.
        """
        assert self.counts is not None
        counts = self.counts.on(geometry, energy)
        return counts if self.spatial_model is None else counts * self.spatial_factor(geometry)

    def remarks(self) -> Iterator[str]:
        yield from super().remarks()
        assert self.counts is not None
        yield from self.counts.remarks()

    @classmethod
    def read(cls, reader: BlockReader, data: Mapping[str, Any], path: JsonPath) -> Self | None:
        keys = ("name", "type", "spatial", "spectral", "filename", "datasets_names", "parameters")
        reader.check_keys(data, keys, path)
        name = reader.name(data, path, "every TemplateNPredModel has its own name")
        filename = ""
        if "filename" in data:
            filename = reader.resolve_file(data["filename"], (*path, "filename"))
        else:
            reader.report(path, "key 'filename' is missing", "the map of predicted counts")
        datasets = reader.datasets_names(data, path)
        if datasets is not None and len(datasets) != 1:
            message = f"expected one dataset, found {', '.join(datasets) or 'none'}"
            reader.report((*path, "datasets_names"), message, "a template of predicted counts is for one dataset")
            return None
        shape, spectral = reader.shape_factor(data, path, str(name)), reader.norm(data, path, str(name), "template")
        if spectral is None or name is None:
            return None
        return cls(name=name, filename=filename, spectral_model=spectral, spatial_model=shape, datasets_names=datasets)

    def own_keys(self, rename: Callable[[str], str]) -> dict[str, Any]:
        return {"filename": rename(self.filename)}

    def files(self) -> list[str]:
        return [*super().files(), self.filename]

    def unwritten_maps(self) -> dict[str, Map]:
        own = {} if self.counts is None or self.counts.unwritten is None else {self.filename: self.counts.unwritten}
        return super().unwritten_maps() | own
