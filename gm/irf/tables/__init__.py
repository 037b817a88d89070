"""Responses of DL3 files (GADF 0.2 and 0.3): tables over energy and position in the field of view."""

from __future__ import annotations

from gm.irf.tables.background import Background2D, Background3D, BackgroundTable
from gm.irf.tables.effective_area import EffectiveArea, EffectiveAreaTable2D
from gm.irf.tables.energy_dispersion import EnergyDispersion, EnergyDispersion2D
from gm.irf.tables.kinds import KINDS, ResponseTable, read_response, response_kind
from gm.irf.tables.point_spread import (
    PSF3D,
    EnergyDependentMultiGaussPSF,
    PointSpreadResponse,
    PointSpreadTable,
    PSFKing,
)
from gm.irf.tables.rad_max import RadMax2D

__all__ = [
    "KINDS",
    "PSF3D",
    "Background2D",
    "Background3D",
    "BackgroundTable",
    "EffectiveArea",
    "EffectiveAreaTable2D",
    "EnergyDependentMultiGaussPSF",
    "EnergyDispersion",
    "EnergyDispersion2D",
    "PSFKing",
    "PointSpreadResponse",
    "PointSpreadTable",
    "RadMax2D",
    "ResponseTable",
    "read_response",
    "response_kind",
]
