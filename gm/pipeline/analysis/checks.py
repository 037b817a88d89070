"""What no schema can see: names and patterns in one file that must match names in another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import Document
from gm.errors import DataError, GmError, JsonPath, suggest
from gm.patterns import matching
from gm.pipeline.analysis.documents import Documents, Part
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.settings import ranges

if TYPE_CHECKING:
    from gm.models import Models

_BACKGROUND_TYPES = ("FoVBackgroundModel", "fov-bkg", "BackgroundIRFModel")


def named_datasets(parts: Iterable[Part], findings: Findings) -> list[str]:
    """The names in all datasets documents; a name that occurs twice is a problem."""
    names: dict[str, str] = {}
    for part in parts:
        for index, entry in enumerate(_rows(part.document.data, "datasets")):
            name = entry.get("name")
            if not isinstance(name, str):
                continue
            if name in names:
                path = ("datasets", index, "name")
                findings.add(part.document, path, f"a dataset '{name}' is already in {names[name]}", "names are unique")
            names.setdefault(name, part.document.source)
    return list(names)


def check_files(parts: Iterable[Part], findings: Findings) -> None:
    """Every data file that a datasets document names exists."""
    from gm.pipeline.inputs import data_file

    for part in parts:
        for index, entry in enumerate(_rows(part.document.data, "datasets")):
            name = entry.get("filename")
            if not isinstance(name, str):
                continue
            file = data_file(part.document.directory, name)
            if not file.exists():
                findings.add_missing(part.document, ("datasets", index, "filename"), f"no such file: {file}")
            elif not file.is_file():
                message = f"{file} is a directory, expected a data file"
                findings.add_missing(part.document, ("datasets", index, "filename"), message)


def check_datasets_names(parts: Iterable[Part], names: Sequence[str], findings: Findings) -> None:
    """Every ``datasets_names`` entry of a component names a dataset."""
    for part in parts:
        for index, component in enumerate(_rows(part.document.data, "components")):
            given = component.get("datasets_names")
            path: JsonPath = ("components", index, "datasets_names")
            entries = [(path, given)] if isinstance(given, str) else []
            if isinstance(given, list):
                entries = [((*path, number), name) for number, name in enumerate(given)]
            for place, name in entries:
                if isinstance(name, str) and name not in names:
                    hint = suggest(name, names, "datasets")
                    findings.add(part.document, place, f"no dataset is called '{name}'", hint)


def check_patterns(documents: Documents, names: Sequence[str], findings: Findings) -> None:
    """Every dataset pattern of the config matches a dataset."""
    config = documents.config
    for path, value in _dataset_patterns(config.data):
        single = isinstance(value, str)
        for number, pattern in enumerate([value] if single else value):
            if isinstance(pattern, str) and not matching(names, pattern):
                place = path if single else (*path, number)
                hint = suggest(pattern, names, "datasets") if names else ""
                findings.add(config, place, f"no dataset matches '{pattern}'", hint)


def named_components(parts: Iterable[Part]) -> tuple[list[str], list[str]]:
    """The names of the sky components, and those of all others, as far as the documents say them."""
    sky, others = [], []
    for part in parts:
        for component in _rows(part.document.data, "components"):
            name, datasets = component.get("name"), component.get("datasets_names")
            if component.get("type") in _BACKGROUND_TYPES:
                owners = [datasets] if isinstance(datasets, str) else datasets
                others += [f"{owner}-bkg" for owner in owners or [] if isinstance(owner, str)]
            elif isinstance(name, str):
                sky.append(name)
    return sky, others


def sky_and_other(models: Models) -> tuple[list[str], list[str]]:
    """The names of the sky components, and those of all others, of models that are there."""
    others = [component.name for component in models if component.tags[0] in _BACKGROUND_TYPES]
    return [component.name for component in models if component.name not in others], others


def check_parameters(documents: Documents, models: Models, findings: Findings) -> None:
    """What the fit is asked about exists: parameters of ``minos`` and ``contours``, components of ``test``."""
    fit = documents.config.data.get("fit")
    if not isinstance(fit, dict):
        return
    config = documents.config
    for place, pattern in _items(fit, "minos"):
        try:
            found = bool(models.addresses().match(pattern))
        except GmError as error:  # an ambiguous address
            findings.add(config, place, str(error))
            continue
        if not found:
            hint = suggest(pattern, models.parameters.addresses, "parameters")
            findings.add(config, place, f"no parameter matches '{pattern}'", hint)
    for place, pattern in _items(fit, "test"):
        names = [component.name for component in models]
        if not matching(names, pattern):
            findings.add(config, place, f"no component matches '{pattern}'", suggest(pattern, names, "components"))
        for name in matching(names, pattern):
            try:
                models.without(name)
            except GmError as error:
                message, _, hint = str(error).partition("; ")
                findings.add(config, place, message, hint)
    for index, pair in enumerate(fit.get("contours") or []):
        for number, address in enumerate(pair if isinstance(pair, list) else []):
            if isinstance(address, str):
                _check_address(("fit", "contours", index, number), address, config, models, findings)


def _check_address(path: JsonPath, address: str, config: Document, models: Models, findings: Findings) -> None:
    try:
        position = models.addresses().resolve(address)
    except GmError as error:
        message, _, hint = str(error).partition("; ")
        findings.add(config, path, message, hint)
        return
    if models.parameters[position].frozen:
        findings.add(config, path, f"'{address}' is frozen", "a contour needs two free parameters")


def _items(fit: Mapping[str, Any], key: str) -> list[tuple[JsonPath, str]]:
    """The texts of a list, or a single text, with their places."""
    value = fit.get(key)
    if isinstance(value, str):
        return [(("fit", key), value)]
    rows = enumerate(value) if isinstance(value, list) else ()
    return [(("fit", key, index), text) for index, text in rows if isinstance(text, str)]


def check_flux_points(documents: Documents, sources: Sequence[str], others: Sequence[str], findings: Findings) -> None:
    """Every source is a sky component, and no two entries have one name. ``others``: components that are no source."""
    config = documents.config
    names: dict[str, int] = {}
    for index, entry in enumerate(_flux_points_rows(config.data)):
        source = entry.get("source")
        if not isinstance(source, str):
            continue
        path: JsonPath = ("flux_points", index)
        if source in others:
            hint = suggest(source, sources, "sky components")
            findings.add(config, (*path, "source"), f"'{source}' is not a sky component", hint)
        elif source not in sources:
            findings.add(
                config, (*path, "source"), f"no component is called '{source}'", suggest(source, sources, "components")
            )
        name = str(entry.get("name") or f"{source}-sed")
        place = (*path, "name") if entry.get("name") else (*path, "source")
        if name in names:
            hint = "give each entry a name of its own: name: ..."
            findings.add(config, place, f"entry {names[name]} is called '{name}' already", hint)
        if name != name.strip() or name.startswith(".") or any(character in name for character in "/\\\0\n"):
            findings.add(config, place, f"'{name}' cannot be the name of a file", "")
        names.setdefault(name, index)


def check_references(documents: Documents, models: Models, findings: Findings) -> None:
    """Every source of flux points has a flux that norms can refer to."""
    from gm.models.component import SkyModel
    from gm.models.sky_flux import no_flux

    components = {component.name: component for component in models}
    for index, entry in enumerate(_flux_points_rows(documents.config.data)):
        source = entry.get("source")
        component = components.get(source) if isinstance(source, str) else None
        if component is None:
            continue
        problem: str | None = "a template of counts is no source"
        if isinstance(component, SkyModel):
            try:
                problem = no_flux(component)
            except DataError:  # a template that cannot be read, which is said when it is used
                continue
        if problem:
            hint = "flux points need a differential flux; the parameters of a factor can be free in a fit"
            findings.add(documents.config, ("flux_points", index, "source"), f"'{source}': {problem}", hint)


def _dataset_patterns(data: Mapping[str, Any]) -> list[tuple[JsonPath, Any]]:
    fit = data.get("fit")
    found: list[tuple[JsonPath, Any]] = []
    if isinstance(fit, dict):
        found.append((("fit", "datasets"), fit.get("datasets")))
        for place, entry in ranges(fit.get("energy_range")):
            found.append((("fit", "energy_range", *place, "datasets"), entry.get("datasets")))
        for index, entry in enumerate(_rows(fit, "mask")):
            found.append((("fit", "mask", index, "datasets"), entry.get("datasets")))
    for index, entry in enumerate(_flux_points_rows(data)):
        found.append((("flux_points", index, "datasets"), entry.get("datasets")))
    return [(path, value) for path, value in found if isinstance(value, (str, list))]


def _flux_points_rows(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return _rows(data, "flux_points")


def _rows(data: Any, key: str) -> list[Mapping[str, Any]]:
    """The mappings in a list that may not be one: problems of shape are the schema's."""
    rows = data.get(key) if isinstance(data, dict) else None
    return [row if isinstance(row, dict) else {} for row in rows] if isinstance(rows, list) else []
