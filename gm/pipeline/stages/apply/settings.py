"""The ``operations:`` of a config as frozen settings, checked as far as names go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gm.datasets.operations import Refused
from gm.datasets.operations.naming import matching, names_after, new_names
from gm.errors import DataError, JsonPath, suggest
from gm.maps.sky_region import SkyRegion
from gm.pipeline.analysis.findings import Report
from gm.pipeline.analysis.paths import expand
from gm.pipeline.analysis.sections import Names, Section, patterns
from gm.units import UnitError, convert

_OWN_KEYS = ("dataset", "datasets")
_UNITS = {"min": "TeV", "max": "TeV", "edges": "TeV", "center": "deg", "width": "deg"}


@dataclass(frozen=True)
class OperationSettings:
    """One operation: its name, the datasets that it takes, and its other arguments as its function wants them."""

    index: int
    name: str
    which: tuple[str, ...]
    arguments: Mapping[str, Any]

    @property
    def keeps(self) -> bool:
        """Whether its inputs stay."""
        return self.name == "copy" or bool(self.arguments.get("keep"))


def read_operations(section: Section) -> tuple[OperationSettings, ...]:
    """The operations of a config; what the schema cannot see goes to the section."""
    found = []
    for index, entry in section.entries():
        name, arguments = next(iter(entry.items()))
        path = (index, name)
        given = [key for key in _OWN_KEYS if arguments.get(key) is not None]
        if len(given) != 1:
            hint = "dataset: a name, or datasets: a pattern or a list"
            section.add(path, "expected one of the keys dataset and datasets", hint, key=True)
            continue
        rest = {key: value for key, value in arguments.items() if key not in _OWN_KEYS and value is not None}
        _check_units(rest, path, section.add)
        try:
            if "region" in rest:
                rest["region"] = _region(rest["region"], section.directory)
        except DataError as error:
            message, _, hint = str(error).partition("\n")
            section.add((*path, "region"), message, hint.strip())
            continue
        if "target" in rest:
            rest["target"] = list(patterns(rest["target"]))
        found.append(OperationSettings(index, name, patterns(arguments[given[0]]), rest))
    return tuple(found)


def _check_units(arguments: Mapping[str, Any], path: JsonPath, report: Report) -> None:
    """Every quantity among the arguments converts to the unit that its operation wants."""
    for key in _UNITS.keys() & arguments.keys():
        value = arguments[key]
        several = [((*path, key, i), one) for i, one in enumerate(value)] if isinstance(value, list) else []
        for place, quantity in several or [((*path, key), value)]:
            try:
                convert(quantity, _UNITS[key])
            except UnitError as error:
                report(place, str(error), f"a number with a unit, such as '1 {_UNITS[key]}'")


def _region(data: Mapping[str, Any], directory: Path) -> Any:
    names = {"filename": expand(data["filename"])} if "filename" in data else {}
    return SkyRegion.from_mapping({**data, **names}, directory)


def names_after_all(section: Section, operations: Sequence[OperationSettings], names: Sequence[str]) -> Names:
    """The names of the datasets after all operations; what is wrong with names goes to the section (None then)."""
    current = list(names)
    for operation in operations:
        try:
            _check_literal(operation, current, section)
            inputs = matching(current, operation.which)
            joined = operation.name == "stack"
            arguments = operation.arguments
            new = new_names(current, inputs[:1] if joined else inputs, arguments.get("name"), arguments.get("suffix"))
        except Refused as error:
            report_refusal(operation, error, section)
            return None
        made = [(inputs, new[0])] if joined else [([old], name) for old, name in zip(inputs, new, strict=True)]
        current = names_after(current, made, keep=operation.keeps)
    return current


def _check_literal(operation: OperationSettings, names: Sequence[str], section: Section) -> None:
    """``dataset`` is the name of one dataset, not a pattern."""
    given = section.data[operation.index][operation.name].get("dataset")
    if given is not None and given not in names:
        raise Refused(f"no dataset is called '{given}'", suggest(given, names, "datasets"))


def report_refusal(operation: OperationSettings, error: Refused, section: Section) -> None:
    """Note why an operation cannot be done, at its place in the config."""
    section.add((operation.index, operation.name), f"{operation.name}: {error.message}", error.hint, key=True)


def region_files(section: Section) -> Iterator[Path]:
    """The files that the operations take regions from."""
    for _, entry in section.entries():
        for arguments in entry.values():
            if "filename" in (arguments.get("region") or ()):
                yield section.directory / expand(arguments["region"]["filename"])
