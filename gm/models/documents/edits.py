"""Edits of the global model: parameters by address or pattern, and links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from gm.errors import JsonPath, suggest
from gm.matrices import placed
from gm.models.composition import Composition
from gm.models.documents.covariance import follow_links
from gm.models.documents.parameter_reading import Report, edit_parameter, raise_model_error
from gm.models.errors import AddressError, LinkError
from gm.models.links import Link, resolve_links
from gm.models.parameter import Parameter, in_unit, number_problems
from gm.units import UnitError

M = TypeVar("M", bound=Composition)

_LINK_KEYS = ("parameter", "equals", "scale", "offset")


def apply_edits(models: M, edits: Mapping[str, object], report: Report | None) -> M:
    """New models with edited parameters; see `Models.with_parameters`. A pattern passes over linked parameters."""
    if not edits and not models.links:
        return models
    report = report or raise_model_error
    flat, linked, addresses = list(models.parameters), models.roots(), models.addresses()
    for pattern, fields in edits.items():
        try:
            positions = addresses.match(pattern)
        except AddressError as error:
            report((pattern,), error.message, error.hint)
            continue
        if not positions:
            hint = suggest(pattern, addresses.short, "parameters")
            report((pattern,), f"no parameter is called '{pattern}'", hint)
        elif pattern in addresses and positions[0] in linked:
            leader = addresses.short[linked[positions[0]].root]
            report((pattern,), f"'{pattern}' follows '{leader}' by a link", f"edit '{leader}'")
        mapping = fields if isinstance(fields, Mapping) else {"value": fields}
        for k in positions:
            if k not in linked:
                flat[k] = edit_parameter(flat[k], mapping, (pattern,), report)
    edited = models.with_flat(flat)
    if any("error" in fields for fields in edits.values() if isinstance(fields, Mapping)):
        edited = _with_errors_of(flat, edited, models)
    _check_followers(edited, report)
    return edited


def _with_errors_of(flat: Sequence[Parameter], edited: M, before: M) -> M:
    """The ``edited`` models with a covariance that goes along with errors that were edited, correlations staying."""
    covariance = edited.covariance
    old, new = (np.array([p.error for p in parameters]) for parameters in (before.parameters, flat))
    if covariance is None:
        return edited
    changed = old != new
    known = (old > 0) | ~changed
    slope = np.where(changed & known, new / np.where(old > 0, old, 1.0), 1.0)
    scaled = placed(covariance, np.where(known, np.arange(old.size), -1), slope, new**2)
    return edited.with_covariance(follow_links(edited, scaled))


def apply_links(models: M, links: Sequence[Link | Mapping[str, object]], report: Report | None) -> M:
    """New models with more links; see `Models.with_links`."""
    if not links and not models.links:
        return models
    problems: list[tuple[JsonPath, str, str]] = []

    def note(path: JsonPath, message: str, hint: str) -> None:
        problems.append((path, message, hint))

    added = [_read_link(models, link, (k,), note) for k, link in enumerate(links)]
    made = [link for link in added if link is not None]
    if not problems:
        try:
            resolve_links((*models.links, *made), models.addresses().resolve, models.parameters)
        except LinkError as error:
            note((max(0, error.position - len(models.links)),), error.message, error.hint)
    if problems:
        for problem in problems:
            (report or _raise_link_error)(*problem)
        return models
    linked = type(models)(models, (*models.links, *made), models.covariance)
    linked = linked.with_flat(linked.parameters)
    if linked.covariance is not None:
        linked = linked.with_covariance(follow_links(linked, linked.covariance))
    _check_followers(linked, report or _raise_link_error)
    return linked


def _check_followers(models: Composition, report: Report) -> None:
    """A link may carry a parameter out of its own limits."""
    short = models.addresses().short
    for k, root in models.roots().items():
        for _, message, _ in number_problems(models.parameters[k]):
            hint = f"it follows '{short[root.root]}' by a link"
            report((), f"'{short[k]}': {message}", hint)


def _read_link(models: Composition, link: Any, path: JsonPath, report: Report) -> Link | None:
    if isinstance(link, Link):
        data: Mapping[str, Any] = {name: getattr(link, name) for name in _LINK_KEYS}
    elif isinstance(link, Mapping):
        data = link
    else:
        report(path, f"expected a link, found {link!r}", "{parameter: ..., equals: ...}")
        return None
    positions = []
    for key in data:
        if key not in _LINK_KEYS:
            report((*path, key), f"unknown key '{key}'", suggest(key, _LINK_KEYS, "keys"))
    for key in ("parameter", "equals"):
        if not isinstance(data.get(key), str):
            report(path, f"key '{key}' is missing", "{parameter: ..., equals: ...}")
            continue
        try:
            positions.append(models.addresses().resolve(data[key]))
        except AddressError as error:
            report((*path, key), error.message, error.hint)
    if len(positions) < 2:
        return None
    target, source = positions
    if models.parameters[target].prior is not None:
        hint = f"remove the prior, or put it on '{models.addresses().short[source]}'"
        report((*path, "parameter"), f"'{data['parameter']}' has a prior, which a linked parameter cannot have", hint)
    numbers = {"scale": 1.0, "offset": 0.0}
    for key, unit in (("scale", ""), ("offset", models.parameters[target].unit)):
        try:
            numbers[key] = in_unit(data.get(key, numbers[key]), unit)
        except UnitError as error:
            report((*path, key), str(error), "")
    short = models.addresses().short
    return Link(short[target], short[source], numbers["scale"], numbers["offset"])


def _raise_link_error(path: JsonPath, message: str, hint: str) -> None:
    raise LinkError(message, hint, int(path[0]) if path else 0)
