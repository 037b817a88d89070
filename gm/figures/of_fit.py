"""What a fit result has for figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from gm.figures.contours import Contours, line_of
from gm.figures.correlation import Correlation
from gm.figures.counts import Counts
from gm.figures.look import Look
from gm.figures.residual_histogram import Residuals
from gm.figures.residual_map import ResidualImage
from gm.figures.results import Result
from gm.figures.sed import Band, Part, Points
from gm.maps.geometry import WcsGeometry
from gm.maps.reading import read_map
from gm.patterns import matching


def sed(result: Result, look: Look) -> Iterator[Part]:
    """Spectra of components, and the flux points that were fitted."""
    spectra, points = result.table("SPECTRA"), result.table("POINTS")
    if spectra is not None:
        for name in matching(dict.fromkeys(spectra["COMPONENT"].tolist()), look.components):
            rows = spectra["COMPONENT"] == name
            error = spectra["DNDE_ERR"][rows]
            band = spectra["ENERGY"][rows], spectra["DNDE"][rows], None if np.isnan(error).all() else error
            yield Band(name, *band)
    if points is not None:
        for name in matching(dict.fromkeys(points["DATASET"].tolist()), look.datasets):
            rows = points["DATASET"] == name
            columns = ("E_REF", "E_MIN", "E_MAX", "DNDE", "DNDE_ERRN", "DNDE_ERRP", "DNDE_UL", "IS_UL")
            yield Points(name, *(points[column][rows] for column in columns))


def counts(result: Result, look: Look) -> Iterator[Counts]:
    """Of each dataset that counts."""
    table, parts = result.table("COUNTS"), result.table("COMPONENTS")
    if table is None or parts is None:
        return
    for name in matching(dict.fromkeys(table["DATASET"].tolist()), look.datasets):
        rows, own = table["DATASET"] == name, parts["DATASET"] == name
        components = {
            component: parts["PREDICTED"][own & (parts["COMPONENT"] == component)]
            for component in dict.fromkeys(parts["COMPONENT"][own].tolist())
        }
        names = ("e_min", "e_max", "counts", "predicted", "background", "residual")
        columns = {column: table[column.upper()][rows] for column in names}
        yield Counts(label=name, components=components, **columns)


def residual_maps(result: Result, look: Look) -> Iterator[ResidualImage]:
    """Of each map dataset on a grid of pixels."""
    file = result.tables
    if file is None:
        return
    for number in [e.name.removeprefix("COUNTS_") for e in file.extensions if e.name.startswith("COUNTS_")]:
        found, expected = read_map(file, f"COUNTS_{number}"), read_map(file, f"PREDICTED_{number}")
        name, geometry = str(found.meta.get("dataset", number)), found.geometry
        if isinstance(geometry, WcsGeometry) and matching([name], look.datasets):
            yield ResidualImage(name, geometry, found.data.astype(np.float64), expected.data.astype(np.float64))


def residual_histogram(result: Result, look: Look) -> Iterator[Residuals | ResidualImage]:
    """Of all energies together, and of the pixels of maps."""
    tables = [table for table in (result.table("COUNTS"), result.table("POINTS")) if table is not None]
    if tables:
        values = [table["RESIDUAL"][np.isin(table["DATASET"], _asked(table["DATASET"], look))] for table in tables]
        yield Residuals(f"{result.name}, energies", np.concatenate(values))
    yield from residual_maps(result, look)


def _asked(names: Iterable[str], look: Look) -> list[str]:
    return matching(dict.fromkeys(map(str, names)), look.datasets)


def correlation(result: Result, look: Look) -> Iterator[Correlation]:
    """Where there is a covariance of more than one parameter."""
    covariance = result.document.get("covariance")
    if covariance and len(covariance["parameters"]) > 1:
        matrix = np.array(covariance["matrix"], dtype=np.float64)
        sigma = np.sqrt(np.diag(matrix))
        yield Correlation(result.name, tuple(covariance["parameters"]), matrix / np.outer(sigma, sigma))


def contours(result: Result, look: Look) -> Iterator[Contours]:
    """All contours of each pair of parameters."""
    rows = {row["name"]: row for row in result.document["parameters"]}
    pairs: dict[tuple[str, str], list[tuple[float, np.ndarray]]] = {}
    for contour in result.document.get("contours") or ():
        if (points := line_of(contour)).size:
            first, second = contour["parameters"]
            pairs.setdefault((first, second), []).append((contour["delta_statistic"], points))
    for pair, lines in pairs.items():
        of = [rows.get(name, {"unit": "", "value": None}) for name in pair]
        best = np.array([np.nan if row["value"] is None else row["value"] for row in of], dtype=np.float64)
        yield Contours(result.name, pair, (of[0]["unit"], of[1]["unit"]), best, tuple(lines))


PARTS = {
    "sed": sed,
    "counts": counts,
    "residual-map": residual_maps,
    "residual-histogram": residual_histogram,
    "correlation": correlation,
    "contours": contours,
}
"""By figure; the first that has anything is drawn where nothing is asked for."""
