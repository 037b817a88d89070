"""What ``gm show`` prints for each kind of file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gm.cli.rendering.results import has_lines, result_lines
from gm.cli.terminal.tables import count, energy, fitted, link_text, number, shortened, table, with_error
from gm.readable import prior_text

if TYPE_CHECKING:
    from gm.pipeline.commands.show import Description


def text_of(description: Description, color: bool = False) -> str:
    """The file's content for a person."""
    data: Any = description.data
    if has_lines(description.kind):
        return "\n".join(result_lines(description.kind, data, color)).rstrip()
    head = f"{description.source}: {description.kind.replace('-', ' ')}"
    lines = {
        "models": _models,
        "datasets": _datasets,
        "spectrum": _spectrum,
        "map": _map,
        "sky-map": _sky_map,
        "flux-point-table": _points,
        "fits": _extensions,
        "observation": _observations,
        "observation-index": _observations,
    }.get(description.kind, _outline)(data)
    return "\n".join(fitted([head, "", *lines]))


def _models(data: Any) -> list[str]:
    components = [
        [row["name"], row["type"], row["spectral"], ", ".join(row["datasets_names"] or ["all datasets"])]
        for row in data["components"]
    ]
    parameters = []
    for row in data["parameters"]:
        value, error = with_error(row["value"], row["error"])
        limits = "" if row["min"] is None and row["max"] is None else f"{number(row['min'])} ... {number(row['max'])}"
        state = link_text(row["link"]) if row["link"] else "frozen" if row["frozen"] else "free"
        parameters.append([row["name"], value, error, limits, prior_text(row["prior"]), state, row["unit"]])
    head = ["parameter", "value", "error", "limits", "prior", "state", "unit"]
    if not any(row["prior"] for row in data["parameters"]):
        head.remove("prior")
        parameters = [[*cells[:4], *cells[5:]] for cells in parameters]
    return [
        *table(["component", "type", "spectrum", "datasets"], shortened(components), left=4),
        "",
        *table(head, shortened(parameters, 60)),
    ]


def _datasets(data: Any) -> list[str]:
    rows = [
        [
            row["name"],
            f"{row['type']} (correlated)" if row.get("correlated") else row["type"],
            str(row["bins"]),
            f"{energy(row['e_min'])} - {energy(row['e_max'])}",
            count(row.get("counts")),
            count(row.get("counts_off", row.get("background"))),
            number(row["livetime"] / 3600, 3) if row.get("livetime") else "-",
        ]
        for row in data["datasets"]
    ]
    head = ["dataset", "type", "bins", "energy", "counts", "off or background", "livetime [h]"]
    return table(head, shortened(rows, 60), left=2)


def _spectrum(data: Any) -> list[str]:
    return _datasets({"datasets": [data]})


def _map(data: Any) -> list[str]:
    (lon, lat), (n_x, n_y), (size_x, size_y) = data["center"], data["pixels"], data["pixel_size"]
    psf, edisp = data["psf"] or "none", data["edisp"] or "none"
    about = [
        f"  {n_x} x {n_y} pixels of {size_x:.4g} x {size_y:.4g} deg around {lon:.4f}, {lat:.4f} deg ({data['frame']})",
        f"  {data['true_energy_bins']} bins of true energy   PSF: {psf}   energy dispersion: {edisp}",
    ]
    return [*_spectrum(data), "", *about]


def _sky_map(data: Any) -> list[str]:
    about = f"  {' x '.join(map(str, data['pixels']))} pixels"
    if "center" in data:
        (lon, lat), (size_x, size_y) = data["center"], data["pixel_size"]
        about += f" of {size_x:.4g} x {size_y:.4g} deg around {lon:.4f}, {lat:.4f} deg"
    lines = [f"{about} ({data['frame']})"]
    for axis in data["axes"]:
        show = energy if axis["unit"] == "TeV" else lambda value, unit=axis["unit"]: f"{value:.4g} {unit}".rstrip()
        lines.append(f"  {axis['bins']} bins of {axis['name']}: {show(axis['min'])} - {show(axis['max'])}")
    values = data["values"]
    lines.append(
        f"  values in '{data['unit']}' from {number(values['min'])} to {number(values['max'])}, "
        f"their sum {number(values['sum'], 6)}"
        + (f"; {values['not_a_number']} are no numbers" if values["not_a_number"] else "")
    )
    return lines


def _points(data: Any) -> list[str]:
    rows = []
    for row in data["points"]:
        value, error = with_error(row["dnde"], row["dnde_err"]) if row["dnde"] is not None else ("-", "-")
        limit = f"< {number(row['dnde_ul'])}" if row["dnde_ul"] is not None else "-"
        nothing = row["dnde"] is None and row["dnde_ul"] is None
        status = "no data" if nothing else "upper limit" if row["is_ul"] else "ok"
        rows.append([energy(row["e_ref"]), value, error, limit, status])
    head = ["e_ref", "dnde", "error", "upper limit", "status"]
    about = f"  {data['sed_type']} table, dnde in {data['dnde_unit']}"
    largest = data.get("largest_correlation")
    more = "" if largest is None else f", with covariance between points: correlations of up to {number(largest, 2)}"
    return [about + more, "", *table(head, rows)]


def _extensions(data: Any) -> list[str]:
    rows = [
        [row["name"], number(row["rows"]) if row["rows"] is None else str(row["rows"]), ", ".join(row["columns"])]
        for row in data["extensions"]
    ]
    return table(["extension", "rows", "columns"], rows, left=3)


def _observations(data: Any) -> list[str]:
    rows = []
    for row in data["observations"]:
        lon, lat = row.get("pointing") or (None, None)
        place = "-" if lon is None else f"{lon:.3f}, {lat:.3f}"
        target = row.get("target") or {"name": "-", "offset": None}
        offset = "-" if target["offset"] is None else f"{target['offset']:.3f}"
        responses = ", ".join(row["responses"].values())
        what = [
            *(f"no {part}" for part in row["missing"]),
            *([row["problem"].splitlines()[0]] if "problem" in row else []),
        ]
        time = "-" if row.get("livetime") is None else f"{row['livetime']:.0f}"
        told = [place, target["name"], offset, time, count(row.get("events")), responses, "; ".join(what)]
        rows.append([str(row["obs_id"]), *told])
    head = ["pointing [deg]", "target", "offset [deg]", "livetime [s]", "events", "responses", "missing"]
    lines = table(["observation", *head], rows, left=2)
    for row in data["observations"]:
        if "e_min" in row:
            energies = f"{energy(row['e_min'])} - {energy(row['e_max'])}"
            lines += ["", f"  events of {energies}, up to {row['offset_max']:.2f} deg off axis"]
        if row.get("event_types"):
            types = ", ".join(f"{name} ({n})" for name, n in row["event_types"].items())
            lines.append(f"  types of events: {types}")
        if "pointings" in row:
            told = row["pointings"]
            lines.append(f"  table of {told['rows']} pointings, up to {told['spread']:.3f} deg from the first")
    return lines


def _outline(data: Any, indent: int = 2) -> list[str]:
    """Nested data, one value per line."""
    lines: list[str] = []
    rows = [(f"{key}:", value) for key, value in data.items()] if isinstance(data, dict) else [("-", v) for v in data]
    for label, value in rows:
        if value and isinstance(value, (dict, list)):
            lines += [" " * indent + label, *_outline(value, indent + 2)]
        elif value is not None and value != {} and value != []:
            lines.append(" " * indent + f"{label} {value}")
    return lines
