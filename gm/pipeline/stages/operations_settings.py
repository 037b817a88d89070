"""The ``operations:`` of a config as frozen settings, checked as far as names go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import Document
from gm.errors import DataError, JsonPath, suggest
from gm.pipeline.analysis.findings import Findings
from gm.pipeline.analysis.settings import Report, expand
from gm.units import UnitError, convert

if TYPE_CHECKING:
    from gm.datasets.operations import Refused

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
    def path(self) -> tuple[str | int, ...]:
        """Its place in the config."""
        return ("operations", self.index, self.name)

    @property
    def keeps(self) -> bool:
        """Whether its inputs stay."""
        return self.name == "copy" or bool(self.arguments.get("keep"))


def read_operations(entries: Any, directory: Path, document: Document, findings: Findings) -> list[OperationSettings]:
    """The operations of a config that agrees with its schema; what the schema cannot see goes to ``findings``."""
    found = []
    for index, entry in enumerate(entries or ()):
        name, arguments = next(iter(entry.items()))
        path = ("operations", index, name)
        given = [key for key in _OWN_KEYS if arguments.get(key) is not None]
        if len(given) != 1:
            hint = "dataset: a name, or datasets: a pattern or a list"
            findings.add(document, path, "expected one of the keys dataset and datasets", hint, key=True)
            continue
        which = arguments[given[0]]
        rest = {key: value for key, value in arguments.items() if key not in _OWN_KEYS and value is not None}
        _check_units(rest, path, findings.reporter(document))
        try:
            if "region" in rest:
                rest["region"] = _region(rest["region"], directory)
        except DataError as error:
            message, _, hint = str(error).partition("\n")
            findings.add(document, (*path, "region"), message, hint.strip())
            continue
        if isinstance(rest.get("target"), str):
            rest["target"] = [rest["target"]]
        found.append(OperationSettings(index, name, (which,) if isinstance(which, str) else tuple(which), rest))
    return found


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
    from gm.maps.sky_region import SkyRegion

    names = {"filename": expand(data["filename"])} if isinstance(data.get("filename"), str) else {}
    return SkyRegion.from_mapping({**data, **names}, directory)


def check_operations(
    operations: Sequence[OperationSettings], names: Sequence[str], document: Document, findings: Findings
) -> list[str] | None:
    """The names of the datasets after all operations; what is wrong with names goes to ``findings`` (None then)."""
    from gm.datasets.operations import Refused
    from gm.datasets.operations.naming import matching, names_after, new_names

    current = list(names)
    for operation in operations:
        try:
            _check_literal(operation, current, document)
            inputs = matching(current, operation.which)
            joined = operation.name == "stack"
            arguments = operation.arguments
            new = new_names(current, inputs[:1] if joined else inputs, arguments.get("name"), arguments.get("suffix"))
        except Refused as error:
            report_refusal(operation, error, document, findings)
            return None
        made = [(inputs, new[0])] if joined else [([old], name) for old, name in zip(inputs, new, strict=True)]
        current = names_after(current, made, keep=operation.keeps)
    return current


def _check_literal(operation: OperationSettings, names: Sequence[str], document: Document) -> None:
    """``dataset`` is the name of one dataset, not a pattern."""
    from gm.datasets.operations import Refused

    given = document.data["operations"][operation.index][operation.name].get("dataset")
    if given is not None and given not in names:
        raise Refused(f"no dataset is called '{given}'", suggest(given, names, "datasets"))


def report_refusal(operation: OperationSettings, error: Refused, document: Document, findings: Findings) -> None:
    """Note why an operation cannot be done, at its place in the config."""
    findings.add(document, operation.path, f"{operation.name}: {error.message}", error.hint, key=True)
