"""`Models` to Gammapy's models.yaml: readable by Gammapy, the same bytes every time."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from math import inf, isinf, isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gm.arrays import Array
from gm.io.files import refuse_existing, write_atomic
from gm.io.yaml_writer import dump_yaml
from gm.matrices import BorderedCovariance
from gm.models.components.base import Component
from gm.models.composition import Composition
from gm.models.documents.covariance import SHARED, WHOLE, format_covariance
from gm.models.links import Link
from gm.models.parameter import Parameter
from gm.models.parametric import ParametricModel
from gm.models.prior import Prior, prior_parameters
from gm.models.templates.files import copies, copy_file
from gm.units import parse_unit, respelled

if TYPE_CHECKING:
    pass

_LOG_INTERP = ("amplitude", "norm")
_EXTRA_DEFAULTS = {"scale_method": "scale10", "scale_transform": "lin"}


def write_models(models: Composition, path: str | Path, overwrite: bool = False) -> None:
    """Write the document after the files that it names: templates, and the covariance when errors are known.

    Raises `DataError`.
    """
    writer = ModelsWriter(models, Path(path))
    refuse_existing(writer.files, overwrite)
    writer.write()


class ModelsWriter:
    """Models about to be written, with all ``files`` that this makes, the document first.

    Files that models take their numbers from are copied beside the document, and maps that are in no file yet are
    written there. ``own`` are files that copies may replace; see `template_files.copies`.
    """

    def __init__(self, models: Composition, path: Path, own: Collection[Path] = ()) -> None:
        self._models, self._path, folder = models, path, path.parent
        self._maps = {folder / name: unwritten for c in models for name, unwritten in c.unwritten_maps().items()}
        self._names = copies(_template_files(models), folder, [file.name for file in self._maps], own)
        targets = {folder / name: source for source, name in self._names.items()}
        self._copies = {t: s for t, s in targets.items() if not t.exists() or (t in own and not t.samefile(s))}
        self._covariance = written_covariance(models)
        self._covariance_file = path.with_name(f"{path.stem}_covariance.dat")
        covariance = [] if self._covariance is None else [self._covariance_file]
        self.files = (path, *covariance, *self._maps, *self._copies)

    def write(self) -> None:
        """Write everything. Raises `DataError`."""
        for file, unwritten in self._maps.items():
            from gm.maps.writing import write_map

            write_map(file, unwritten)
        for target, source in self._copies.items():
            copy_file(source, target)
        document = models_to_dict(self._models, self._path.parent, self._names)
        if self._covariance is not None:
            written = self._covariance
            write_atomic(self._covariance_file, format_covariance(written.names, written.matrix))
            document["covariance" if written.is_whole else SHARED] = self._covariance_file.name
        write_atomic(self._path, dump_yaml(document, allow_nan=True))


def _template_files(models: Composition) -> list[Path]:
    """The files that models take their numbers from, as far as their names are whole."""
    return [Path(name) for component in models for name in component.files() if os.path.isabs(name)]


def models_to_dict(
    models: Composition, directory: Path | None = None, names: Mapping[Path, str] | None = None
) -> dict[str, Any]:
    """The document as plain data; file names relative to ``directory``, where one is given, or ``names`` in it."""
    rename = partial(_relative, directory=directory, names=names or {})
    labels, general = _split_links(models)
    components, start = [], 0
    for component in models:
        stop = start + len(component.parameters)
        components.append(_component_to_dict(component, labels[start:stop], rename))
        start = stop
    document: dict[str, Any] = {"components": components}
    if general:
        document["links"] = [_link_to_dict(models, link) for link in general]
    return document


def written_covariance(models: Composition) -> WrittenCovariance | None:
    """What the covariance file holds: of parameters with a ``link:`` only the first has a row; None without errors.

    Of more than 500 parameters with errors, most of which are datasets' own, it has those that these share alone.
    """
    names, covariance = models.addresses().full, models.covariance
    _, general = _split_links(models)
    following = [models.addresses().resolve(link.parameter) for link in models.links if link not in general]
    if isinstance(covariance, BorderedCovariance) and np.count_nonzero(covariance.diagonal()) > WHOLE:
        rows = np.setdiff1d(covariance.shared_positions(), following)
        matrix = covariance[rows[:, None], rows]
        return WrittenCovariance(tuple(names[k] for k in rows), matrix, is_whole=False) if rows.size else None
    if covariance is None:
        matrix = np.diag(np.square([parameter.error for parameter in models.parameters]))
    else:
        matrix = np.array(covariance)
    if not matrix.any():
        return None
    for k in following:
        matrix[k, :] = matrix[:, k] = 0.0
    return WrittenCovariance(names, matrix, is_whole=True)


@dataclass(frozen=True, eq=False)
class WrittenCovariance:
    """Names of the rows, and numbers (n, n); ``is_whole`` : of all parameters."""

    names: tuple[str, ...]
    matrix: Array
    is_whole: bool


def _split_links(models: Composition) -> tuple[list[tuple[str, Parameter] | None], list[Link]]:
    """For every parameter its label and the record that its occurrences share, or None; and the links for ``links:``.

    Gammapy knows links between parameters of the same name and unit only.
    """
    labels: list[tuple[str, Parameter] | None] = [None] * len(models.parameters)
    general = []
    parameters, addresses, roots = models.parameters, models.addresses(), models.roots()
    for link in models.links:
        k = addresses.resolve(link.parameter)
        root = roots[k].root
        same = parameters[k].name == parameters[root].name and parameters[k].unit == parameters[root].unit
        if not link.is_identity or not same or (roots[k].scale, roots[k].offset) != (1.0, 0.0):
            general.append(link)
            continue
        labels[root] = labels[k] = (_label(models, root), parameters[root])
    return labels, general


def _label(models: Composition, root: int) -> str:
    address = models.addresses().short[root]
    slots = models.slots()
    name = next(c.name for c in models if root < slots[c.name, None].stop)
    return f"{address.removeprefix(f'{name}.')}@{name}"


def _component_to_dict(
    component: Component, labels: list[tuple[str, Parameter] | None], rename: Callable[[str], str]
) -> dict[str, Any]:
    data = component.row(rename)
    start = 0
    for section, model in component.blocks():
        stop = start + len(model.parameters)
        block = _model_to_dict(model, labels[start:stop], rename)
        if section in component.sections:
            data[section] = block
        else:
            data["parameters"] = block["parameters"]
        start = stop
    return data


def _model_to_dict(
    model: ParametricModel, labels: list[tuple[str, Parameter] | None], rename: Callable[[str], str]
) -> dict[str, Any]:
    data: dict[str, Any] = {"type": model.tags[0]}
    start = 0
    for name, member in model.members().items():
        stop = start + len(member.parameters)
        data[name] = _model_to_dict(member, labels[start:stop], rename)
        start = stop
    settings = dict(model.settings)
    if "frame" in settings:
        data["frame"] = settings.pop("frame")
    if "filename" in settings:
        settings["filename"] = rename(settings["filename"])
    if not model.members():
        defaults = [model.named_by_document(default.name) or default for default in model.defaults]
        rows = zip(defaults, model.parameters, labels, strict=True)
        is_told = model.writes_defaults or model.parameters != model.defaults
        told = [row for row in rows if is_told and not isnan(row[1].value)]
        told = [row for row in told if row[2] is not None or not model.leaves_out(row[1])]
        data["parameters"] = [_parameter_to_dict(*row) for row in told]
    return data | settings


def _parameter_to_dict(default: Parameter, parameter: Parameter, label: tuple[str, Parameter] | None) -> dict[str, Any]:
    """The keys that differ from the class's default, in Gammapy's order; of a linked parameter those of the first."""
    if label is not None:
        parameter = label[1]
    data: dict[str, Any] = {"name": parameter.name, "value": parameter.value}
    if default.unit or parameter.unit:
        data["unit"] = fits_unit(parameter.unit)
    if parameter.error:
        data["error"] = parameter.error
    for key, none in (("min", -inf), ("max", inf)):
        limit = getattr(parameter, key)
        if limit != getattr(default, key):
            data[key] = nan if limit == none else limit
    if parameter.frozen != default.frozen:
        data["frozen"] = parameter.frozen
    defaults = _EXTRA_DEFAULTS | {"interp": "log" if parameter.name in _LOG_INTERP else "lin"}
    data |= {key: value for key, value in parameter.extra.items() if value != defaults.get(key)}
    if label is not None:
        data["link"] = label[0]
    if parameter.prior is not None:
        data["prior"] = prior_to_dict(parameter.prior)
    return data


def prior_to_dict(prior: Prior) -> dict[str, Any]:
    """A prior as YAML holds it."""
    numbers = prior_parameters(prior).items()
    rows = [{"name": name, "value": value, "unit": ""} for name, value in numbers if not isinf(value)]
    return {"type": prior.tag, "parameters": rows, "weight": prior.weight}


def _link_to_dict(models: Composition, link: Link) -> dict[str, Any]:
    data: dict[str, Any] = {"parameter": link.parameter, "equals": link.equals}
    if link.scale != 1:
        data["scale"] = link.scale
    if link.offset:
        unit = fits_unit(models.parameters[link.parameter].unit)
        data["offset"] = f"{link.offset!r} {unit}" if unit else link.offset
    return data


def _relative(name: str, directory: Path | None, names: Mapping[Path, str]) -> str:
    """A file name as seen from a directory, by name where a copy is there; ones with variables stay as they are."""
    if directory is None or not os.path.isabs(name):
        return name
    if Path(name) in names:
        return names[Path(name)]
    return Path(os.path.relpath(name, os.path.abspath(directory))).as_posix()


@lru_cache(maxsize=256)
def fits_unit(unit: str) -> str:
    """The unit in FITS form, such as ``TeV-1 s-1 cm-2``; as it is where FITS has no word for it.

    Photons and counts are left out, with which Gammapy's models do not go.
    """
    symbols = [symbol for symbol in respelled(unit).split(" ") if symbol.rstrip("-0123456789") not in ("ph", "ct")]
    if all(symbol.rstrip("-0123456789").isalpha() for symbol in symbols if symbol):
        return " ".join(symbols)
    try:
        return str(parse_unit(unit).to_string("fits"))
    except ValueError:
        return unit
