"""Maps of the sky, read from their document, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gm.cli.terminal.output import paint
from gm.cli.terminal.tables import count, energy, number, shortened, table, with_error
from gm.readable import degrees


def lines(document: Mapping[str, Any], color: bool = False) -> list[str]:
    """The highest pixel of each band of a ``gm/maps/1`` document, how residuals are distributed, or the peaks."""
    style = "green" if document["status"] == "ok" else "red"
    status = paint(str(document["status"]), style, color)
    head = f"{document['name']}: {document['type']}, {document['message']}   {status}"
    told = [f"  warning: {text}" for text in document.get("warnings") or []]
    rows = {"peaks": _peaks, "profile": _profile}.get(document["type"], _highest)(document)
    return [head, *told, "", *rows, *_distributions(document)]


def _profile(document: Mapping[str, Any]) -> list[str]:
    rows = [
        [
            f"{bin_['distance_min']:.3g} - {bin_['distance_max']:.3g} deg",
            count(bin_["counts"]),
            *with_error(bin_["excess"], bin_["excess_err"]),
            number(bin_["predicted"]),
            number(bin_["sqrt_ts"], 3),
            _energies(band),
        ]
        for band in document["bands"]
        for bin_ in band["profile"]
    ]
    return table(["distance", "counts", "excess", "error", "predicted", "sigma", "energy"], shortened(rows))


def _highest(document: Mapping[str, Any]) -> list[str]:
    rows = []
    for band in document["bands"]:
        top = band.get("maximum") or {}
        place = f"{degrees(top['lon'], '.4f')} {degrees(top['lat'], '+.4f')}" if top else "-"
        flux, error = number(top.get("flux")), number(top.get("flux_err"))
        rows.append([_energies(band), str(band["pixels"]), number(top.get("sqrt_ts")), place, flux, error])
    head = ["energy", "pixels", "highest", f"at ({document['geometry']['frame']})", "flux", "error"]
    if all(row[4] == "-" for row in rows):  # of residuals there is none
        head, rows = head[:4], [row[:4] for row in rows]
    return table(head, shortened(rows))


def _peaks(document: Mapping[str, Any]) -> list[str]:
    rows = [
        [f"{peak['lon']:.4f} {peak['lat']:+.4f}", number(peak["sqrt_ts"]), number(peak.get("norm")), _energies(band)]
        for band in document["bands"]
        for peak in band["peaks"]
    ]
    return table(["position", "significance", "norm", "energy"], shortened(rows)) if rows else ["  no peak"]


def _distributions(document: Mapping[str, Any]) -> list[str]:
    found = document.get("distributions") or []
    texts = [
        f"  {_energies(band)}: mean {number(one.get('mean'), 3)} +- {number(one.get('mean_err'), 2)}, "
        f"width {number(one.get('width'), 3)} +- {number(one.get('width_err'), 2)} of {one['pixels']} pixels"
        for band, one in zip(document["bands"], found, strict=False)
    ]
    return ["", *texts] if texts else []


def _energies(band: Mapping[str, Any]) -> str:
    return f"{energy(band['e_min'])} - {energy(band['e_max'])}"
