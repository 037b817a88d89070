"""``gm show``: what a file is, found from its content, and what is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import Document, read_document
from gm.config_schemas.validator import check
from gm.errors import DataError, InvalidInput
from gm.io.ecsv import is_text_table
from gm.pipeline.analysis.kinds import document_kind, foreign_kind
from gm.pipeline.commands.files import first_bytes, is_fits, listed_datasets
from gm.pipeline.commands.show_observations import is_index, observations
from gm.pipeline.provenance import SCHEMA as PROVENANCE
from gm.pipeline.results import as_mapping, finite
from gm.pipeline.stages.registry import STAGES

if TYPE_CHECKING:
    from gm.io.fits import FitsFile

_INDEX = ("hdu-index.fits", "hdu-index.fits.gz")


@dataclass(frozen=True)
class Description:
    """A kind of file (``fit``, ``flux-points``, ``config``, ``models``, ``spectrum``, ...) and its content."""

    kind: str
    source: str
    data: Any


def unfold(files: Iterable[str]) -> list[str]:
    """Files, and of folders that are no data store the results in them. Raises `DataError` where there is none."""
    found: list[str] = []
    for file in files:
        folder = Path(file)
        if file == "-" or not folder.is_dir() or any((folder / name).is_file() for name in _INDEX):
            found.append(file)
            continue
        results = [path for path in sorted(folder.rglob("*.yaml")) if _is_result(path)]
        if not results:
            raise DataError(f"{file}: no index of observations and no result in this folder")
        found += map(str, results)
    return found


def _is_result(path: Path) -> bool:
    """Whether the file begins as results do."""
    return first_bytes(path).startswith(b"schema: gm/") and path.name != "provenance.yaml"


def describe(file: str) -> Description:
    """Read any file that gm knows. Raises `InvalidInput` and `DataError`."""
    if file != "-":
        if Path(file).is_dir():
            return _observations(Path(file))
        start = first_bytes(Path(file))
        if is_fits(start):
            return _fits(Path(file))
        if is_text_table(Path(file), start):
            return Description("flux-point-table", file, _sed(Path(file)))
    document = read_document(file, repeated=("metadata",))
    kind = _yaml_kind(document.data)
    if kind is None:
        foreign = foreign_kind(document.data)
        message = f"is {foreign}" if foreign else "no kind of file that gm knows"
        results = ", ".join(stage.kind.replace("-", " ") for stage in STAGES if stage.kind)
        hint = f"known: config, models, datasets, {results}, provenance; FITS datasets and SED tables"
        raise InvalidInput([document.problem((), message, hint)])
    problems = check(document, kind) if kind != "provenance" else []
    if problems:
        raise InvalidInput(problems)
    return Description(kind, document.source, _READERS.get(kind, _as_it_is)(document))


def _yaml_kind(data: Any) -> str | None:
    data = as_mapping(data)
    schemas = {PROVENANCE: "provenance", **{stage.schema: stage.kind for stage in STAGES if stage.kind}}
    if data.get("schema") in schemas:
        return schemas[data["schema"]]
    return document_kind(data)


def _as_it_is(document: Document) -> Any:
    return document.data


def _config(document: Document) -> Any:
    from gm.pipeline.analysis.settings import resolve

    return resolve(document.data, STAGES)


def _models(document: Document) -> Any:
    """Components with their parameters, addresses included."""
    from gm.models import Models

    models, problems = Models.from_document(document)
    if models is None or problems:
        raise InvalidInput(problems)
    links = {models.addresses().resolve(link.parameter): link for link in models.links}
    rows = []
    for position, (address, parameter) in enumerate(zip(models.parameters.addresses, models.parameters, strict=True)):
        low, high = parameter.limits()
        link = links.get(position)
        rows.append(
            {
                "name": address,
                "value": finite(parameter.value),
                "error": parameter.error,
                "unit": parameter.unit,
                "min": low if low > -float("inf") else None,
                "max": high if high < float("inf") else None,
                "frozen": parameter.frozen,
                "prior": None if parameter.prior is None else parameter.prior.row(),
                "link": None if link is None else {"equals": link.equals, "scale": link.scale, "offset": link.offset},
            }
        )
    components = [
        {
            "name": component.name,
            "type": component.tags[0],
            "spectral": type(component.spectral_model).__name__,
            "datasets_names": component.datasets_names,
        }
        for component in models
    ]
    return {"components": components, "parameters": rows}


def _datasets(document: Document) -> Any:
    """One row per dataset, from its files; what is wrong with the document has its place."""
    return {"datasets": [dataset.summary() for dataset in listed_datasets(document)]}


def _fits(path: Path) -> Description:
    from gm.datasets import read_dataset
    from gm.datasets.files.recognition import file_type
    from gm.io.fits import read_fits
    from gm.io.map_fits import is_sky_map

    file = read_fits(path)
    kind = file_type(file)
    if kind == "FluxPointsDataset":
        return Description("flux-point-table", str(path), _sed(path))
    if kind is not None:
        what = "spectrum" if kind.startswith("Spectrum") else "map"
        return Description(what, str(path), read_dataset(kind, path).summary())
    if is_sky_map(file):
        return Description("sky-map", str(path), _sky_map(file))
    events = file.find("EVENTS")
    if is_index(file) or (events is not None and "OBS_ID" in events.header):
        return _observations(path)
    rows = [
        {
            "name": extension.name,
            "columns": list(extension.columns) if extension.is_table else [],
            "rows": extension.integer("NAXIS2") if extension.is_table else None,
        }
        for extension in file.extensions
    ]
    return Description("fits", str(path), {"extensions": rows})


def _observations(path: Path) -> Description:
    data = observations(path)
    return Description("observation" if len(data["observations"]) == 1 else "observation-index", str(path), data)


def _sky_map(file: FitsFile) -> dict[str, Any]:
    """Pixels, axes and the range of values of an image or a cube; energies in TeV, angles in degrees."""
    from gm.maps.geometry import WcsGeometry
    from gm.maps.reading import read_map

    held = read_map(file)
    geometry = held.geometry
    pixels: dict[str, Any] = {"pixels": list(reversed(geometry.shape)), "frame": getattr(geometry, "frame", None)}
    if isinstance(geometry, WcsGeometry):
        pixels |= {"pixel_size": list(geometry.pixel_scales()), "center": list(geometry.center())}
    axes = [
        {
            "name": axis.name,
            "unit": axis.unit,
            "bins": axis.n_bins,
            "min": float(axis.edges[0] if axis.has_edges else axis.center[0]),
            "max": float(axis.edges[-1] if axis.has_edges else axis.center[-1]),
        }
        for axis in held.axes
    ]
    values = held.data[held.data == held.data]
    numbers = {
        "sum": finite(float(values.sum(dtype=float))),
        "min": finite(float(values.min())) if values.size else None,
        "max": finite(float(values.max())) if values.size else None,
        "not_a_number": held.data.size - values.size,
    }
    return {**pixels, "axes": axes, "unit": held.unit, "values": numbers}


def _sed(path: Path) -> Any:
    from gm.datasets import read_dataset
    from gm.datasets.sed_covariance import largest_correlation

    dataset: Any = read_dataset("FluxPointsDataset", path)
    points = dataset.points
    columns = ("dnde", "dnde_err", "dnde_errn", "dnde_errp", "dnde_ul")
    rows = [
        {
            "e_ref": float(points.energy[row]),
            "e_min": None if points.e_min is None else finite(float(points.e_min[row])),
            "e_max": None if points.e_max is None else finite(float(points.e_max[row])),
            **{name: finite(float(getattr(points, name)[row])) for name in columns},
            "is_ul": bool(points.is_ul[row]),
        }
        for row in range(points.n_points)
    ]
    described = {"sed_type": points.sed_type, "dnde_unit": "cm-2 s-1 TeV-1", "points": rows}
    if points.covariance is not None:
        described |= {
            "largest_correlation": finite(largest_correlation(points.covariance)),
            "covariance": [[finite(value) for value in row] for row in points.covariance.tolist()],
            "covariance_unit": "cm-4 s-2 TeV-2",
        }
    return described


_READERS: Mapping[str, Callable[[Document], Any]] = {"config": _config, "models": _models, "datasets": _datasets}
