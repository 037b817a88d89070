"""``gm compare``: results of several analyses side by side, from their files alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gm.config_schemas.reader import read_document
from gm.errors import DataError, GmError, UsageError
from gm.pipeline.provenance import SCHEMA as PROVENANCE
from gm.pipeline.results import as_mapping, read_result
from gm.pipeline.stages.registry import STAGES

if TYPE_CHECKING:
    from gm.models import Models

Row = dict[str, Any]
_SERIES = ("flux-points", "light-curve")
_SCHEMA = b"schema:"
_SAME = 1e-6  # relative difference of energies and times that are the same
_AXES = ("e_min", "e_max", "time_min", "time_max")


@dataclass(frozen=True)
class Source:
    """What one argument of the command means: documents by what they are, such as ``fit`` and ``flux-points sed``."""

    label: str
    documents: dict[str, Row]
    files: dict[str, Path]
    config: Row
    """The resolved config on record."""
    own: frozenset[str]
    """Files that are results themselves."""


def compare(paths: Sequence[str]) -> Row:
    """The comparison as plain data. Raises `UsageError` for fewer than two results, `DataError` and `InvalidInput`."""
    if len(paths) < 2:
        raise UsageError("gm compare needs two results or more: gm compare A B")
    sources = [_source(Path(path)) for path in paths]
    shared = [name for name in sources[0].documents if any(name in other.documents for other in sources[1:])]
    if not shared:
        have = "; ".join(f"'{source.label}' has {', '.join(source.documents)}" for source in sources)
        raise DataError(f"{sources[0].label}: no kind of result that the others have too\n    {have}")
    compared: Row = {
        "schema": "gm/comparison/1",
        "results": [{"label": s.label, "kinds": list(s.documents)} for s in sources],
        "data": [_data(sources[0], other, shared) for other in sources[1:]],
        "fit": None,
        "series": [],
        "inputs": [_changed_inputs(sources[0], other, shared) for other in sources[1:]],
        "settings": [list(_changes(sources[0].config, other.config)) for other in sources[1:]],
    }
    if "fit" in shared:
        compared["fit"] = _fits(sources, compared["data"])
    series = [name for name in shared if name != "fit" and name.split()[0] in _SERIES]
    compared["series"] = [_series(name, sources, of) for name in series for of in _measured_of(name, sources)]
    return compared


def _source(path: Path) -> Source:
    """A result, or all of a folder of results."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    files = sorted(path.rglob("*.yaml")) if path.is_dir() else [path]
    kinds = {stage.schema: stage.kind for stage in STAGES if stage.kind}
    documents, places = dict[str, Row](), dict[str, Path]()
    for file in files:
        data = _read(file, strict=path.is_file())
        kind = kinds.get(str(data.get("schema")))
        if kind is None:
            continue
        name = kind if file.stem == kind else f"{kind} {file.stem}"
        documents[name], places[name] = data, file
    if not documents:
        raise DataError(
            f"{path}: no result of gm's\n    gm compare takes results such as results/fit/fit.yaml, or folders"
        )
    return Source(str(path), documents, places, *_recorded(path))


def _read(file: Path, *, strict: bool) -> Row:
    """A document; nothing where a file is none of gm's, whose first line would say which schema it follows."""
    if not strict and not _says_schema(file):
        return {}
    try:
        return as_mapping(read_document(file).data)
    except GmError:
        if strict:
            raise
        return {}


def _says_schema(file: Path) -> bool:
    with contextlib.suppress(OSError), file.open("rb") as content:
        return content.read(len(_SCHEMA)) == _SCHEMA
    return False


def _recorded(path: Path) -> tuple[Row, frozenset[str]]:
    """The resolved config of the folder that a result is in, and all results there; empty where there is no record."""
    for folder in (path, *path.absolute().parents)[:4]:
        record = read_result(folder / "provenance.yaml", PROVENANCE)
        if record is not None:
            stages = as_mapping(record.get("stages")).values()
            own = (name for stage in stages for name in as_mapping(as_mapping(stage).get("outputs")))
            return as_mapping(record.get("config")), frozenset(own)
    return {}, frozenset()


def _files(source: Source, names: Sequence[str]) -> dict[str, str]:
    """The hashes of the files that some results are made from."""
    found: dict[str, str] = {}
    for name in names:
        inputs = as_mapping(source.documents.get(name, {}).get("inputs"))
        found |= as_mapping(inputs.get("files"))
    return found


def _data(first: Source, other: Source, names: Sequence[str]) -> str:
    """How much of the data two results share: ``same``, ``subset``, ``some``, ``none``; by the bytes of their files."""
    hashes = [
        {digest for file, digest in _files(source, names).items() if not file.endswith((".yaml", ".dat"))}
        for source in (first, other)
    ]
    if not all(hashes):
        return "unknown"
    if hashes[0] != hashes[1]:
        return _overlap(*hashes)
    fits = [source.documents.get("fit") for source in (first, other)]
    if fits[0] is None or fits[1] is None:
        return "same"
    one, two = ({(row["name"], row["bins"]) for row in fit["datasets"]} for fit in fits if fit is not None)
    return _overlap(one, two) if one & two or one == two else _by_name(one, two)


def _overlap(one: set[Any], other: set[Any]) -> str:
    common = one & other
    if one == other:
        return "same"
    return "none" if not common else "subset" if common in (one, other) else "some"


def _by_name(one: set[tuple[str, int]], other: set[tuple[str, int]]) -> str:
    """Datasets of one name with other bins have some of them in common."""
    return "some" if {name for name, _ in one} & {name for name, _ in other} else "none"


def _changed_inputs(first: Source, other: Source, names: Sequence[str]) -> list[Row]:
    """What is different among the files that are no results themselves."""
    before, after = (
        {file: digest for file, digest in _files(source, names).items() if file not in source.own}
        for source in (first, other)
    )
    rows = [{"file": file, "change": "changed"} for file in before if after.get(file, before[file]) != before[file]]
    rows += [{"file": file, "change": "only in the first"} for file in before if file not in after]
    return rows + [{"file": file, "change": "only in the other"} for file in after if file not in before]


def _changes(before: Any, after: Any, path: str = "") -> Iterator[Row]:
    """Where two resolved configs differ; the folder of the results is no setting."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            if path or key not in ("output", "name"):
                yield from _changes(before.get(key), after.get(key), f"{path}.{key}".lstrip("."))
    elif before != after:
        yield {"path": path, "values": [before, after]}


def _fits(sources: Sequence[Source], data: Sequence[str]) -> Row:
    """Parameters and statistics of all fits, differences and tests against the first."""
    fits = [source.documents.get("fit") for source in sources]
    models = [_models_of(source) for source in sources]
    by_name = [{row["name"]: row for row in fit["parameters"]} if fit else {} for fit in fits]
    names = dict.fromkeys(name for rows in by_name for name in rows)
    pairs = zip(fits[1:], models[1:], data, strict=True)
    return {
        "statistics": [None if fit is None else _statistic(fit) for fit in fits],
        "parameters": [row for name in names if (row := _parameter(name, by_name)) is not None],
        "tests": [_test(fits[0], models[0], fit, theirs, shared) for fit, theirs, shared in pairs],
    }


def _models_of(source: Source) -> Models | None:
    """The models beside a fit, where they can be read."""
    from gm.models import Models

    file = source.files.get("fit")
    if file is not None and file.with_name("models.yaml").is_file():
        with contextlib.suppress(GmError):
            return Models.read(file.with_name("models.yaml"))
    return None


def _statistic(fit: Row) -> Row:
    """-2 ln L, AIC and BIC."""
    total, k, n = fit["statistic"]["total"], fit["statistic"]["free_parameters"], fit["statistic"]["bins"]
    known = total is not None
    return {
        "status": fit["status"],
        "total": total,
        "bins": n,
        "free_parameters": k,
        "aic": total + 2 * k if known else None,
        "bic": total + k * log(n) if known and n else None,
    }


def _parameter(name: str, fits: Sequence[Mapping[str, Row]]) -> Row | None:
    """A parameter that is free in some fit, or fixed at different values; ``fits`` are its rows by name."""
    from gm.estimators.comparison import difference

    rows = [fit.get(name) for fit in fits]
    there = [row for row in rows if row is not None]
    if all(row["frozen"] for row in there) and len({row["value"] for row in there}) == 1 and len(there) == len(rows):
        return None
    units = {row["unit"] for row in there}
    cells = [(None, None) if row is None else (row["value"], None if row["frozen"] else row["error"]) for row in rows]
    differences = [difference(cells[0], cell) for cell in cells[1:]] if len(units) == 1 else []
    return {
        "name": name,
        "unit": there[0]["unit"],
        "values": [
            None if row is None else {"value": row["value"], "error": row["error"], "frozen": row["frozen"]}
            for row in rows
        ],
        "differences": [
            {"value": d.value, "sigma_independent": d.independent, "sigma_shared": d.shared} for d in differences
        ],
        **({} if len(units) == 1 else {"reason": f"units differ: {', '.join(sorted(units))}"}),
    }


def _test(first: Row | None, models: Models | None, other: Row | None, theirs: Models | None, data: str) -> Row:
    """The test of two fits of which one is a special case of the other; else why there is none."""
    nothing: Row = {"ts": None, "degrees_of_freedom": None, "p_value": None, "sigma": None, "simpler": None}
    why = _why_no_test(first, other, data)
    if why or first is None or other is None or models is None or theirs is None:
        return {**nothing, "reason": why or "there are no models beside a fit to compare"}
    from gm.estimators.comparison import own_priors, why_not_nested
    from gm.estimators.selection import nested_test

    totals, free = _two(first, other, "total"), _two(first, other, "free_parameters")
    totals = totals[0] - own_priors(models, theirs), totals[1] - own_priors(theirs, models)
    for poor, rich, simpler in ((models, theirs, 0), (theirs, models, 1)):
        why = why_not_nested(poor, rich)
        more = free[1 - simpler] - free[simpler]
        if not why and more > 0:
            test = nested_test("", "", totals[simpler] - totals[1 - simpler], more)
            return {
                "ts": test.ts,
                "degrees_of_freedom": more,
                "p_value": test.p_value,
                "sigma": test.sigma,
                "simpler": "first" if simpler == 0 else "other",
                "reason": None,
            }
    return {**nothing, "reason": f"neither model is a special case of the other: {why_not_nested(models, theirs)}"}


def _two(first: Row, other: Row, key: str) -> tuple[Any, Any]:
    return first["statistic"][key], other["statistic"][key]


def _why_no_test(first: Row | None, other: Row | None, data: str) -> str:
    """Statistics of different data have nothing to do with each other."""
    if first is None or other is None:
        return "one of them has no fit"
    if None in _two(first, other, "total"):
        return "one of the fits has no minimum"
    bins = [{row["name"]: row["bins"] for row in fit["datasets"]} for fit in (first, other)]
    if bins[0] != bins[1]:
        return "they are fitted to other datasets or bins"
    return "" if data == "same" else "the data are not the same bytes"


def _measured_of(name: str, sources: Sequence[Source]) -> list[str | None]:
    """The components whose points results hold, where that are several; else None, for all rows."""
    documents = [source.documents.get(name, {}) for source in sources]
    return list(dict.fromkeys(one for document in documents for one in document.get("sources") or [None]))


def _series(name: str, sources: Sequence[Source], of: str | None) -> Row:
    """Flux points or light curves, bin by bin; bins of one energy and time stand beside each other.

    of : the component whose points are compared, where results hold those of several
    """
    from gm.estimators.comparison import difference

    rows = [_bins(source.documents.get(name), of) for source in sources]
    places: list[tuple[float, ...]] = []
    for own in rows:
        places += [place for place in own if not any(_alike(place, known) for known in places)]
    compared = []
    for place in sorted(places):
        cells = [next((row for key, row in own.items() if _alike(key, place)), None) for own in rows]
        pairs = [(None, None) if cell is None else (cell["value"], cell["error"]) for cell in cells]
        differences = [difference(pairs[0], pair) for pair in pairs[1:]]
        known = next(cell for cell in cells if cell is not None)
        compared.append(
            {
                **{axis: known[axis] for axis in _AXES if axis in known},
                "values": cells,
                "differences": [
                    {"value": d.value, "sigma_independent": d.independent, "sigma_shared": d.shared}
                    for d in differences
                ],
            }
        )
    quantity = next((row["quantity"] for own in rows for row in own.values()), "flux")
    return {"name": name if of is None else f"{name} {of}", "quantity": quantity, "bins": compared}


def _bins(document: Row | None, of: str | None = None) -> dict[tuple[float, ...], Row]:
    """The bins of a document, or of one component in it, by where they are."""
    found: dict[tuple[float, ...], Row] = {}
    for row in (document or {}).get("points") or ():
        if row.get("source") != of:
            continue
        quantity = "dnde" if "time_min" not in row and "dnde" in row else "flux"
        place = tuple(row[axis] for axis in _AXES if isinstance(row.get(axis), int | float))
        cell = {axis: row[axis] for axis in _AXES if axis in row}
        cell |= {"quantity": quantity, "value": row.get(quantity), "error": row.get(f"{quantity}_err")}
        found[place] = {**cell, "upper_limit": row.get(f"{quantity}_ul"), "status": row.get("status")}
    return found


def _alike(one: Sequence[float], other: Sequence[float]) -> bool:
    pairs = zip(one, other, strict=False)
    return len(one) == len(other) and all(abs(a - b) <= _SAME * max(abs(a), abs(b)) for a, b in pairs)
