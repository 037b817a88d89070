"""The section of a fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.readable import count, energy, link_text, number, with_error
from gm.report.html import Cell, paragraph, table


def section(document: Mapping[str, Any]) -> str:
    """Statistic, parameters, fluxes, tests and datasets."""
    statistic, minimizer = document["statistic"], document["minimizer"]
    told = (
        f"-2 ln L = {number(statistic['total'], 8)} with {statistic['bins']} bins and "
        f"{statistic['free_parameters']} free parameters; found by {minimizer['name']} in "
        f"{minimizer.get('steps', '-')} steps, estimated distance to the minimum {number(minimizer.get('edm'), 2)}."
    )
    return paragraph(told) + _parameters(document) + _fluxes(document) + _tests(document) + _datasets(document)


def _parameters(document: Mapping[str, Any]) -> str:
    rows = []
    for row in document["parameters"]:
        value, error = with_error(row["value"], row.get("error"))
        minos = row.get("minos") or {}
        ends = [number(abs(minos[side]), 3) if minos.get(side) is not None else "" for side in ("lower", "upper")]
        note = "frozen" if row["frozen"] else f"at its {row['at_limit']}" if row.get("at_limit") else ""
        note = link_text(row["link"]) if row.get("link") else row.get("error_reason") or note
        limits = [row.get("min"), row.get("max")]
        between = "" if limits == [None, None] else f"{number(limits[0])} ... {number(limits[1])}"
        rows.append(
            [
                row["name"],
                Cell(value, row["value"]),
                Cell("" if row["frozen"] else error, row.get("error")),
                f"+{ends[1] or '?'} -{ends[0] or '?'}" if minos else "",
                row["unit"] or "1",
                between,
                note,
            ]
        )
    head = ["parameter", "value", "error", "MINOS", "unit", "limits", "state"]
    return "<h3>Parameters</h3>\n" + table(head, rows)


def _fluxes(document: Mapping[str, Any]) -> str:
    rows = []
    for component in document["components"]:
        for flux in component.get("fluxes") or ():
            values = [
                Cell(" ± ".join(with_error(flux[name], flux[f"{name}_err"])), flux[name], flux.get(f"{name}_unit", ""))
                for name in ("flux", "eflux")
            ]
            between = Cell(f"{energy(flux['e_min'])} - {energy(flux['e_max'])}", flux["e_min"])
            rows.append([component["name"], between, *values])
    found = table(["component", "energies", "flux", "energy flux"], rows)
    return f"<h3>Fluxes</h3>\n{found}" if rows else ""


def _tests(document: Mapping[str, Any]) -> str:
    rows = [
        [row["name"], Cell(number(row["ts"], 5), row["ts"]), str(row.get("degrees_of_freedom") or "-")]
        for row in document["components"]
        if row.get("ts") is not None
    ]
    return "<h3>Tests</h3>\n" + table(["component", "TS", "degrees of freedom"], rows) if rows else ""


def _datasets(document: Mapping[str, Any]) -> str:
    rows = []
    for row in document["datasets"]:
        goodness = row.get("goodness") or {}
        counted = [Cell("-" if row.get(name) is None else count(row[name]), row.get(name)) for name in ("counts",)]
        counted += [
            Cell("-" if row.get(name) is None else f"{row[name]:.1f}", row.get(name))
            for name in ("predicted", "background")
        ]
        deviance = goodness.get("deviance")
        told = "-" if deviance is None else f"{deviance:.1f} / {goodness['energies']}"
        per_energy = None if deviance is None else deviance / goodness["energies"]
        statistic = Cell("-" if row["statistic"] is None else f"{row['statistic']:.2f}", row["statistic"])
        rows.append([row["name"], row["type"], *counted, statistic, str(row["bins"]), Cell(told, per_energy)])
    head = ["dataset", "type", "counts", "predicted", "background", "statistic", "bins", "deviance / energies"]
    return "<h3>Datasets</h3>\n" + table(head, rows)
