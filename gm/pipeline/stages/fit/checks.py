"""What no schema can see in a ``fit:`` section: whether its names and patterns mean something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gm.errors import GmError, JsonPath, suggest
from gm.patterns import matching
from gm.pipeline.analysis.sections import Known, Section, texts
from gm.pipeline.stages.fit.settings import ranges

if TYPE_CHECKING:
    from gm.models import Models


def check_names(section: Section, known: Known) -> None:
    """Every pattern matches a dataset; parameters of ``minos`` and ``contours``, components of ``test`` exist."""
    fit = section.data or {}
    known.check_datasets(section, ("datasets",), fit.get("datasets"))
    for path, entry in ranges(fit.get("energy_range")):
        known.check_datasets(section, (*path, "datasets"), entry.get("datasets"))
    for index, entry in enumerate(fit.get("mask") or ()):
        known.check_datasets(section, ("mask", index, "datasets"), (entry or {}).get("datasets"))
    if known.models is None:
        return
    for place, pattern in texts(fit.get("minos"), ("minos",)):
        _check_parameters(section, place, pattern, known.models)
    for place, pattern in texts(fit.get("test"), ("test",)):
        _check_components(section, place, pattern, known.models)
    for index, pair in enumerate(fit.get("contours") or ()):
        for place, address in texts(pair, ("contours", index)):
            _check_address(section, place, address, known.models)


def _check_parameters(section: Section, path: JsonPath, pattern: str, models: Models) -> None:
    try:
        found = bool(models.addresses().match(pattern))
    except GmError as error:  # an ambiguous address
        section.add(path, str(error))
        return
    if not found:
        hint = suggest(pattern, models.parameters.addresses, "parameters")
        section.add(path, f"no parameter matches '{pattern}'", hint)


def _check_components(section: Section, path: JsonPath, pattern: str, models: Models) -> None:
    names = [component.name for component in models]
    if not matching(names, pattern):
        section.add(path, f"no component matches '{pattern}'", suggest(pattern, names, "components"))
    for name in matching(names, pattern):
        try:
            models.without(name)
        except GmError as error:
            message, _, hint = str(error).partition("; ")
            section.add(path, message, hint)


def _check_address(section: Section, path: JsonPath, address: str, models: Models) -> None:
    try:
        position = models.addresses().resolve(address)
    except GmError as error:
        message, _, hint = str(error).partition("; ")
        section.add(path, message, hint)
        return
    if models.parameters[position].frozen:
        section.add(path, f"'{address}' is frozen", "a contour needs two free parameters")
