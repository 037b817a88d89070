"""Gammapy's models.yaml to models of a given kind, which is `Models`: every problem in one pass."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from math import isclose, isfinite
from pathlib import Path
from typing import Any, TypeVar

from gm.config_schemas.reader import Document, read_document
from gm.config_schemas.validator import check
from gm.errors import DataError, InvalidInput, JsonPath, Problem, format_path, suggest
from gm.models.components.base import Role, find_kind
from gm.models.composition import Composition
from gm.models.documents.block_reading import BlockReader, Label
from gm.models.documents.component_reading import read_component
from gm.models.documents.covariance import SHARED, named_covariance, read_covariance
from gm.models.documents.edits import apply_links
from gm.models.documents.parameter_reading import Report
from gm.models.documents.plain import entry, rows, text
from gm.models.links import Link
from gm.models.parameter import Parameter
from gm.units import UnitError, factor

M = TypeVar("M", bound=Composition)

_KEYS = ("components", "covariance", "links", SHARED, "metadata", "checksum", "OptimizeResult", "CovarianceResult")


def read_models(make: type[M], path: str | Path) -> M:
    """Read models.yaml and the covariance file that it names. Raises `InvalidInput` with all problems, `DataError`."""
    models, problems = models_from_document(make, read_document(path))
    if models is None or problems:
        raise InvalidInput(problems)
    return models


def models_from_document(make: type[M], document: Document) -> tuple[M | None, list[Problem]]:
    """`Models` from a document, or None, and every problem with it: the schema's and those that it cannot see."""
    problems = check(document, "models")
    known = {problem.path for problem in problems}

    def report(path: JsonPath, message: str, hint: str) -> None:
        if format_path(document.prefix + path) not in known:
            is_key = message.startswith("unknown key")
            problems.append(document.problem(path, message, hint, key=is_key))

    models = models_from_dict(make, document.data, report, document.directory)
    return (None if problems else models), problems


def models_from_dict(make: type[M], data: Any, report: Report, directory: Path) -> M | None:
    """`Models` from the plain data of a document; problems go to ``report(path, message, hint)``, and make it None.

    ``directory`` is what file names in it are relative to.
    """
    found = 0

    def count(path: JsonPath, message: str, hint: str) -> None:
        nonlocal found
        found += 1
        report(path, message, hint)

    entries = rows(entry(data, "components"))
    if entries is None:
        where: JsonPath = () if entry(data, "components") is None else ("components",)
        report(where, "expected a mapping with a list of components", "components: [{name: ..., type: SkyModel, ...}]")
        return None
    for key in data:
        if key not in _KEYS:
            count((key,), f"unknown key '{key}'", suggest(key, _KEYS[:3], "keys"))
    reader = BlockReader(count, directory, [])
    components = [read_component(reader, row, ("components", k)) for k, row in enumerate(entries)]
    is_whole = _check_names(entries, count)
    made = [component for component in components if component is not None]
    if not is_whole or len(made) < len(entries):
        return None
    models = make(made)
    models = _with_labels(models, reader.labels, count)
    if rows(data.get("links", [])) is None:
        count(("links",), f"expected a list of links, found {data['links']!r}", "[{parameter: ..., equals: ...}]")
    elif data.get("links"):
        models = apply_links(models, data["links"], lambda path, *text: count(("links", *path), *text))
    if (named := named_covariance(data)) is not None and not found:
        models = _with_covariance_file(models, *named, directory, count)
    return None if found else models


def _check_names(entries: list[Any], report: Report) -> bool:
    """Whether names are unique and every dataset has at most one background model."""
    seen: set[str] = set()
    is_unique = True
    for k, row in enumerate(entries):
        kind = find_kind(entry(row, "type"))
        name = text(entry(row, "name")) if kind is None else kind.name_in(row)
        if name in seen and kind is not None and kind.role is Role.BACKGROUND:
            message = f"dataset '{str(name).removesuffix('-bkg')}' has a background model already"
            report(("components", k, "datasets_names"), message, "one FoVBackgroundModel per dataset")
        elif name in seen:
            report(("components", k, "name"), f"'{name}' is the name of another component", "names are unique")
        is_unique = is_unique and name not in seen
        if name is not None:
            seen.add(name)
    return is_unique


def _with_labels(models: M, labels: list[Label], report: Report) -> M:
    """Parameters that share a label become one: the first's value, error, limits and prior hold for all."""
    first: dict[str, int] = {}
    flat, links = list(models.parameters), []
    often = Counter(label for label, _, _ in labels)
    for label, address, path in labels:
        if often[label] == 1:
            others = [other for other in often if other != label]
            message = f"'{address}' has the label '{label}', which no other parameter has"
            report(path, message, suggest(label, others, "labels") if others else "a label joins at least two")
    addresses = models.addresses()
    for label, address, path in labels:
        k = addresses.resolve(address)
        root = first.setdefault(label, k)
        if root == k:
            continue
        source, target = flat[root], flat[k]
        try:
            unit = factor(source.unit, target.unit)
        except UnitError as error:
            report(path, f"'{addresses.short[k]}' cannot be '{addresses.short[root]}': {error}", "")
            continue
        flat[k] = replace(source, name=target.name)
        links.append(Link(addresses.short[k], addresses.short[root], unused=_overruled(target, source, unit)))
    if not links:
        return models
    return type(models)(models.with_flat(flat), links)


def _overruled(target: Parameter, source: Parameter, unit: float) -> str:
    """What is stated of a parameter and differs from the one that it follows, whose values times ``unit`` are its."""
    numbers = {key: (getattr(target, key), getattr(source, key) * unit) for key in ("value", "min", "max")}
    stated = [
        f"{key} {own:g}"
        for key, (own, held) in numbers.items()
        if isfinite(own) and not isclose(own, held, rel_tol=1e-9)
    ]
    stated += ["frozen"] * (target.frozen and not source.frozen)
    return ", ".join(stated + ["its prior"] * (target.prior is not None and target.prior != source.prior))


def _with_covariance_file(models: M, key: str, name: Any, directory: Path, report: Report) -> M:
    if text(name) is None:
        report((key,), f"expected a file name, found {name!r}", "")
        return models
    path = directory / os.path.expanduser(os.path.expandvars(name))
    if not path.is_file():
        report((key,), f"file '{path}' does not exist", "remove the key to go without covariance")
        return models
    try:
        return models.with_covariance(read_covariance(path, models))
    except DataError as error:
        report((key,), str(error), "remove the key to go without covariance")
        return models
