"""Gammapy's AnalysisConfig as an analysis of gm. Source of its keys: gammapy.analysis.config, version 2.1."""

from __future__ import annotations

from typing import Any

from gm.pipeline.commands.scaffold.draft import Draft, Settings, power_law, sky_component
from gm.units import convert

_REQUIRED = {"full-enclosure": "full-enclosure", "point-like": "point-like"}
_MASKS = {"aeff-default": "aeff_default", "aeff-max": "aeff_max", "edisp-bias": "edisp_bias", "bkg-peak": "bkg_peak"}
_DROPPED = ("general",)  # logging, folders and processes, which the command line says


def draft_of(data: dict[str, Any]) -> Draft:
    """The draft; what it does not hold is among its notes."""
    given = Settings({key: value for key, value in data.items() if key not in _DROPPED})
    is_map = given.take("datasets", "type") == "3d"
    config: dict[str, Any] = {"version": 1, "models": "models.yaml", "observations": [_entry(given, is_map)]}
    low, high = given.take_all("fit", "fit_range", names=("min", "max"))
    config["fit"] = {"energy_range": _bounds(low, high)} if low or high else {}
    source = given.take("flux_points", "source") or "source"
    if edges := _bins(given, "flux_points", "energy"):
        config["flux_points"] = [{"source": source, "energy_edges": edges}]
    if radius := given.take("excess_map", "correlation_radius"):
        config["maps"] = [{"type": "excess", "name": "excess", "correlation_radius": str(radius)}]
    _light_curve(given, config)
    draft = Draft(config, {"components": [_source(config, source, is_map)]})
    draft.notes.append(f"models.yaml: '{source}' is a guess; Gammapy's models.yaml can take its place")
    draft.notes += [f"not carried over: {text}" for text in given.left()]
    return draft


def _entry(given: Settings, is_map: bool) -> dict[str, Any]:
    """The reduction of the observations."""
    is_stacked = given.take("datasets", "stack") is not False
    entry: dict[str, Any] = {"name": "stacked" if is_stacked else "run-{obs_id}"}
    entry["data"] = str(given.take("observations", "datastore") or "$GAMMAPY_DATA/hess-dl3-dr1")
    if ids := given.take("observations", "obs_ids") or given.take("observations", "obs_file"):
        entry["ids"] = ids
    if cone := _circle(given, "observations", "obs_cone"):
        entry["within"] = cone
    begin, end = given.take_all("observations", "obs_time", names=("start", "stop"))
    if begin or end:
        entry["time"] = _bounds(begin, end)
    required = given.take("observations", "required_irf")
    if isinstance(required, str) or required is None:
        entry["required"] = _REQUIRED.get(required or "full-enclosure", "all-optional")
    entry["dataset"] = "map" if is_map else "spectrum"
    axes = ("datasets", "geom", "axes")
    entry["energy"] = _bins(given, *axes, "energy") or {"min": "1 TeV", "max": "10 TeV", "n_bins": 5}
    entry["energy_true"] = _bins(given, *axes, "energy_true") or {"min": "0.5 TeV", "max": "20 TeV", "n_bins": 16}
    entry |= _geometry(given) if is_map else _region(given)
    entry["background"] = _background(given)
    if exclusion := given.take("datasets", "background", "exclusion"):
        entry["exclude"] = [{"type": "file", "filename": str(exclusion)}]
    entry["safe_mask"] = _safe_masks(given)
    return {**entry, "stack": True} if is_stacked else entry


def _region(given: Settings) -> dict[str, Any]:
    given.take("datasets", "geom", "wcs")  # of maps
    region = _circle(given, "datasets", "on_region") or {"center": [0.0, 0.0], "radius": "0.1 deg"}
    corrected = given.take("datasets", "containment_correction") is not False
    return {"region": {"type": "circle", **region}, "containment_correction": corrected}


def _geometry(given: Settings) -> dict[str, Any]:
    wcs = ("datasets", "geom", "wcs")
    center = _circle(given, *wcs, "skydir") or {"center": [0.0, 0.0]}
    named = given.take_all(*wcs, "width", names=("width", "height"))
    width, height = named if any(named) else given.take_all(*wcs, "fov", names=("width", "height"))  # of older versions
    geometry = {**center, "width": [str(width or "5 deg"), str(height or "5 deg")]}
    geometry["pixel"] = str(given.take(*wcs, "binsize") or "0.02 deg")
    if pixel := given.take(*wcs, "binsize_irf"):
        geometry["pixel_irf"] = str(pixel)
    return {"geometry": geometry, "cutout": True}


def _circle(given: Settings, *path: str) -> dict[str, Any]:
    """Centre with its frame, and radius; empty where the centre is not given."""
    frame, lon, lat, radius = given.take_all(*path, names=("frame", "lon", "lat", "radius"))
    if lon is None or lat is None:
        return {}
    circle = {"center": [convert(lon, "deg"), convert(lat, "deg")], "frame": frame or "icrs"}
    return circle if radius is None else {**circle, "radius": str(radius)}


def _bins(given: Settings, *path: str) -> dict[str, Any]:
    low, high, n_bins = given.take_all(*path, names=("min", "max", "nbins"))
    return {**_bounds(low, high), "n_bins": int(n_bins or 5)} if low and high else {}


def _bounds(low: Any, high: Any) -> dict[str, Any]:
    return {key: str(value) for key, value in (("min", low), ("max", high)) if value is not None}


def _background(given: Settings) -> dict[str, Any]:
    """How the background is measured, with the parameters of Gammapy's makers that gm has too."""
    path = ("datasets", "background", "parameters")
    match given.take("datasets", "background", "method"):
        case "reflected":
            most, distance = given.take_all(*path, names=("max_region_number", "min_distance_input"))
            reflected = {"type": "reflected", "min_distance_input": distance, "max_region_number": most}
            return {key: value for key, value in reflected.items() if value is not None}
        case "fov_background":
            return {"type": "fov", "method": given.take(*path, "method") or "scale"}
        case "ring":
            inner, width = given.take_all(*path, names=("r_in", "width"))
            return {"type": "ring", "r_in": str(inner or "0.7 deg"), "width": str(width or "0.2 deg")}
    return {"type": "irf"}


def _safe_masks(given: Settings) -> list[dict[str, Any]]:
    path = ("datasets", "safe_mask")
    percents = {"aeff-max": "aeff_percent", "edisp-bias": "bias_percent"}
    masks: list[dict[str, Any]] = []

    def setting(name: str) -> Any:
        """Older versions call them settings."""
        value = given.take(*path, "parameters", name)
        return given.take(*path, "settings", name) if value is None else value

    for method in given.take(*path, "methods") or ["aeff-default"]:
        if method == "offset-max":
            offset = setting("offset_max") or "3 deg"
            masks.append({"type": "offset_max", "offset": str(offset)})
        elif method in _MASKS:
            percent = setting(percents.get(method, ""))
            masks.append({"type": _MASKS[method], **({} if percent is None else {"percent": percent})})
    offset = given.take("datasets", "geom", "selection", "offset_max")
    if offset and not any(mask["type"] == "offset_max" for mask in masks):
        masks.append({"type": "offset_max", "offset": str(offset)})
    return masks


def _light_curve(given: Settings, config: dict[str, Any]) -> None:
    if "stack" in config["observations"][0]:
        return
    source = given.take("light_curve", "source")
    if edges := _bins(given, "light_curve", "energy_edges") if source else {}:
        bounds = {"energy_range": [edges["min"], edges["max"]]} if edges["n_bins"] == 1 else {"energy_edges": edges}
        config["light_curves"] = [{"source": source, "time_bins": "per-observation", **bounds}]


def _source(config: dict[str, Any], name: str, is_map: bool) -> dict[str, Any]:
    entry = config["observations"][0]
    bins = entry["energy"]
    spectral = power_law(convert(bins["min"], "TeV"), convert(bins["max"], "TeV"))
    if not is_map:
        return sky_component(name, spectral)
    geometry = entry["geometry"]
    return sky_component(name, spectral, tuple(geometry["center"]), geometry.get("frame", "icrs"))
