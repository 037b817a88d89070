"""A config of fermipy as an analysis of gm. Source of its keys: the documentation of fermipy 1.4."""

from __future__ import annotations

from typing import Any

from gm.pipeline.commands.scaffold.draft import Draft, Settings, flux_points, power_law, sky_component

_MEV = 1e-6  # TeV
_DATASET = "fermi-lat"


def draft_of(data: dict[str, Any]) -> Draft:
    """The draft: target, range of energies, diffuse emission. Counts and responses have to come as a map dataset."""
    given = Settings(data)
    low, high = (float(value or 0) for value in given.take_all("selection", names=("emin", "emax")))
    low, high = low or 1e3, high or 1e6
    name = str(given.take("selection", "target") or "source")
    ra, dec, glon, glat = given.take_all("selection", names=("ra", "dec", "glon", "glat"))
    position, frame = ((ra, dec), "icrs") if ra is not None and dec is not None else ((glon, glat), "galactic")
    known = None if None in position else (float(position[0]), float(position[1]))
    components = [sky_component(name, power_law(low * _MEV, high * _MEV), known, frame)]
    if galactic := given.take("model", "galdiff"):
        components.append(_diffuse(galactic[0] if isinstance(galactic, list) else galactic))
    config: dict[str, Any] = {
        "version": 1,
        "datasets": "datasets.yaml",
        "models": "models.yaml",
        "fit": {"energy_range": {"min": f"{low:g} MeV", "max": f"{high:g} MeV"}},
        "flux_points": [flux_points(name, f"{low:g} MeV", f"{high:g} MeV")],
    }
    rows = [{"name": _DATASET, "type": "MapDataset", "filename": f"{_DATASET}.fits.gz"}]
    draft = Draft(config, {"components": components}, rows)
    draft.notes.append(
        f"datasets.yaml: {_DATASET}.fits.gz is to be made: gm reads counts, exposure, PSF and energy dispersion as one"
        " MapDataset of Gammapy; event files and livetime cubes are for the Fermitools"
    )
    draft.notes += [f"not carried over: {text}" for text in given.left()]
    return draft


def _diffuse(file: Any) -> dict[str, Any]:
    """The diffuse emission of the Galaxy, a template with a norm."""
    rows = [{"name": "norm", "value": 1.0}, {"name": "tilt", "value": 0.0, "frozen": True}]
    rows.append({"name": "reference", "value": 1.0, "unit": "TeV", "frozen": True})
    return {
        "name": "galdiff",
        "type": "SkyModel",
        "spectral": {"type": "PowerLawNormSpectralModel", "parameters": rows},
        "spatial": {"type": "TemplateSpatialModel", "filename": str(file), "normalize": False},
    }
