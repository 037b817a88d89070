"""What flux points have for figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gm.arrays import Array
from gm.figures.correlation import Correlation
from gm.figures.look import Look
from gm.figures.profiles import ProfileLine
from gm.figures.results import Result
from gm.figures.sed import Points
from gm.readable import largest_correlation, sources_of


def sed(result: Result, look: Look) -> Iterator[Points]:
    """Those with a flux or a limit, under the name of their source; without absorption on the way, where told, too."""
    document = result.document
    sources = sources_of(document)
    told = _told(document)
    for source in sources:
        name = f"{result.name} {source}" if len(sources) > 1 else result.name
        mine = [row for row in document["points"] if row.get("source", source) == source]
        rows = [row for row in mine if row["status"] in ("ok", "upper_limit")]
        if rows:
            yield _points(f"{name}{told}", rows, rows)
        if rows and document.get("deabsorbed"):
            yield _points(f"{name} deabsorbed{told}", rows, [row["deabsorbed"] for row in rows])


def _told(document: Mapping[str, Any]) -> str:
    """That points are no independent measurements, for a legend."""
    largest = largest_correlation(document.get("covariance") or ())
    return "" if largest is None or abs(largest) < 0.005 else f" (correlated, up to {largest:.2f})"


def _points(label: str, rows: list[Any], fluxes: list[Any]) -> Points:
    """Of ``rows`` with their energies and verdicts, the numbers of ``fluxes``."""
    e_ref, error = _column(rows, "e_ref"), _column(fluxes, "dnde_err")
    low, high = (_column(fluxes, f"dnde_{side}") for side in ("errn", "errp"))
    e_min, e_max = (_column(rows, end) for end in ("e_min", "e_max"))
    return Points(
        label=label,
        e_ref=e_ref,
        e_min=np.where(np.isnan(e_min), e_ref, e_min),
        e_max=np.where(np.isnan(e_max), e_ref, e_max),
        dnde=_column(fluxes, "dnde"),
        errn=np.where(np.isnan(low), error, low),
        errp=np.where(np.isnan(high), error, high),
        limit=_column(fluxes, "dnde_ul"),
        is_limit=np.array([row["status"] == "upper_limit" for row in rows], dtype=np.bool_),
    )


def profiles(result: Result, look: Look) -> Iterator[ProfileLine]:
    """The likelihood profile of each point."""
    for row in result.document["points"]:
        if row.get("stat_scan"):
            norm, stat = np.array(row["norm_scan"]), np.array(row["stat_scan"], dtype=np.float64)
            best = np.array([np.nan if row["norm"] is None else row["norm"]])
            lowest = np.nanmin(stat) if row["stat"] is None else row["stat"]
            yield ProfileLine(_label(row), ("norm",), ("",), (norm,), stat - lowest, best)


def correlation(result: Result, look: Look) -> Iterator[Correlation]:
    """Of the norms that were fitted together."""
    document, covariance = result.document, result.document.get("covariance")
    if not covariance:
        return
    matrix = np.array(covariance, dtype=np.float64)
    known = np.diag(matrix) > 0
    rows = [row for row, is_known in zip(document["points"], known, strict=True) if is_known]
    if len(rows) > 1:
        error = np.sqrt(np.diag(matrix)[known])
        names = tuple(map(_label, rows))
        yield Correlation(result.name, names, matrix[np.ix_(known, known)] / np.outer(error, error))


def _label(row: Mapping[str, Any]) -> str:
    """Source, where there are several, and energies."""
    ends = [row["e_min"], row["e_max"]] if None not in (row["e_min"], row["e_max"]) else [row["e_ref"]]
    return f"{row.get('source') or ''} {' - '.join(f'{end:.3g}' for end in ends if end is not None)} TeV".strip()


def _column(rows: list[Any], name: str) -> Array:
    return np.array([np.nan if row.get(name) is None else row[name] for row in rows], dtype=np.float64)


PARTS = {"sed": sed, "profiles": profiles, "correlation": correlation}
