"""gm fits gamma-ray astronomy data with one global model."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Loaded on first use, so that ``gm --help`` and completion import neither NumPy nor astropy.
_PUBLIC = {
    "Datasets": "gm.datasets",
    "MapDataset": "gm.datasets",
    "MapDatasetOnOff": "gm.datasets",
    "FluxPointsDataset": "gm.datasets",
    "SpectrumDataset": "gm.datasets",
    "SpectrumDatasetOnOff": "gm.datasets",
    "BackgroundIRFModel": "gm.models",
    "FoVBackgroundModel": "gm.models",
    "Models": "gm.models",
    "Parameter": "gm.models",
    "SkyModel": "gm.models",
    "Fit": "gm.fit",
    "FitResult": "gm.fit",
    "FluxPointsEstimator": "gm.estimators",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        return getattr(import_module(_PUBLIC[name]), name)
    if name.endswith(("SpectralModel", "SpatialModel", "TemporalModel", "Prior")):
        return getattr(import_module("gm.models"), name)
    raise AttributeError(f"module 'gm' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*globals(), *_PUBLIC])
