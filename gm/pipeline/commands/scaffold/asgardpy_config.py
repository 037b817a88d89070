"""A config of asgardpy as an analysis of gm. Source of its keys: the documentation of asgardpy 0.5."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gm.pipeline.commands.scaffold.draft import Draft, Settings, flux_points, power_law, sky_component
from gm.units import convert

_RANGE = ("0.1 TeV", "10 TeV")


def draft_of(data: dict[str, Any]) -> Draft:
    """The draft: one-dimensional instruments from DL3 files, the target, the range of the fit."""
    given = Settings({key: value for key, value in data.items() if key not in ("general", "dataset3d")})
    source = given.take("target", "source_name") or "source"
    frame, lon, lat = given.take_all("target", "sky_position", names=("frame", "lon", "lat"))
    position = None if lon is None or lat is None else (convert(lon, "deg"), convert(lat, "deg"))
    entries = list(_entries(data, given, position, frame or "icrs"))
    config: dict[str, Any] = {"version": 1, "models": "models.yaml"}
    if entries:
        config["observations"] = entries
    low, high = given.take_all("fit_params", "fit_range", names=("min", "max"))
    bounds = {key: str(value) for key, value in (("min", low), ("max", high)) if value is not None}
    config["fit"] = {"energy_range": bounds} if bounds else {}
    low, high = str(low or _RANGE[0]), str(high or _RANGE[1])
    config["flux_points"] = [flux_points(source, low, high)]
    components = [_component(part) for part in given.take("target", "components") or [] if "spectral" in part]
    spectral = power_law(convert(low, "TeV"), convert(high, "TeV"))
    draft = Draft(config, {"components": components or [sky_component(source, spectral)]})
    if not entries:
        draft.notes.append("no instrument of dataset1d has DL3 files: datasets are still to be named")
    draft.notes += [f"not carried over: {text}" for text in (*_maps(data), *_absorbed(data), *given.left())]
    return draft


def _maps(data: dict[str, Any]) -> Iterator[str]:
    """The three-dimensional instruments, each as a whole."""
    for index, instrument in enumerate((data.get("dataset3d") or {}).get("instruments") or []):
        name = instrument.get("name") or "unnamed"
        how = "an entry of observations with 'dataset: map' reduces maps of DL3 files"
        yield f"dataset3d.instruments[{index}]: {name}; {how}"


def _absorbed(data: dict[str, Any]) -> Iterator[str]:
    """Absorption by background light, which is a factor of its own here."""
    for index, part in enumerate((data.get("target") or {}).get("components") or []):
        if absorption := (part.get("spectral") or {}).get("ebl_abs"):
            at, how = f"target.components[{index}].spectral.ebl_abs", "multiply the spectrum with type: ebl-norm"
            yield f"{at}: {absorption.get('reference', 'yes')}, redshift {absorption.get('redshift', '?')}; {how}"


def _entries(
    data: dict[str, Any], given: Settings, position: tuple[float, float] | None, frame: str
) -> Iterator[dict[str, Any]]:
    """A reduction for each instrument of the one-dimensional part."""
    instruments = (data.get("dataset1d") or {}).get("instruments") or []
    for index in range(len(instruments)):
        at = ("dataset1d", "instruments", index)
        folder = given.take(*at, "input_dl3", 0, "input_dir")
        if folder is None:
            continue
        pattern = given.take(*at, "input_dl3", 0, "glob_pattern", "dl3")
        info = (*at, "dataset_info")
        name = given.take(*info, "name") or given.take(*at, "name") or f"instrument-{index + 1}"
        radius = str(given.take(*info, "on_region", "radius") or "0.1 deg")
        region = {"type": "circle", "center": list(position or (0.0, 0.0)), "frame": frame, "radius": radius}
        entry: dict[str, Any] = {"name": f"{name}-{{obs_id}}"}
        entry["data"] = f"{folder}/{pattern}" if pattern else str(folder)
        if ids := given.take(*info, "observation", "obs_ids"):
            entry["ids"] = ids
        entry |= {"dataset": "spectrum", "region": region}
        axes = _axes(given, info)
        spectral = _axis(given, (*at, "dl4_dataset_info", "spectral_energy_range", "axis"))
        default = {"min": _RANGE[0], "max": _RANGE[1], "per_decade": 5}
        entry["energy"] = spectral or axes.get("energy") or default
        entry["energy_true"] = axes.get("energy_true") or {"min": "50 GeV", "max": "20 TeV", "per_decade": 10}
        corrected = given.take(*info, "containment_correction")
        entry["containment_correction"] = bool(corrected)
        n_off = given.take(*info, "background", "region_finder_method") == "wobble" and (
            given.take(*info, "background", "parameters", "n_off_regions") or 1
        )
        method = given.take(*info, "background", "method")
        entry["background"] = {"type": "wobble", "n_off": int(n_off)} if n_off else {"type": method or "reflected"}
        yield entry


def _axes(given: Settings, info: tuple[str | int, ...]) -> dict[str, dict[str, Any]]:
    """The axes of an instrument's geometry by their names."""
    found = {}
    for index in range(2):
        at = (*info, "geom", "axes", index)
        name, axis = given.take(*at, "name"), _axis(given, (*at, "axis"))
        if name and axis:
            found[str(name)] = axis
    return found


def _axis(given: Settings, at: tuple[str | int, ...]) -> dict[str, Any] | None:
    """Energy bins; None where they are not all given."""
    low, high, n_bins, is_per_decade = (given.take(*at, key) for key in ("min", "max", "nbins", "per_decade"))
    if low is None or high is None or n_bins is None:
        return None
    return {"min": str(low), "max": str(high), "per_decade" if is_per_decade else "n_bins": n_bins}


def _component(part: dict[str, Any]) -> dict[str, Any]:
    """A component as Gammapy writes it, which asgardpy's are but for absorption."""
    known = {key: value for key, value in part.items() if value not in (None, {}, [])}
    spectral = {key: value for key, value in known["spectral"].items() if key != "ebl_abs"}
    return {"type": "SkyModel", **known, "spectral": spectral}
