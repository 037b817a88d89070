"""Which response table an extension holds."""

from __future__ import annotations

from typing import TypeAlias

from gm.errors import suggest
from gm.io.fits import Extension
from gm.irf.tables.background import Background2D, Background3D
from gm.irf.tables.effective_area import EffectiveAreaTable2D
from gm.irf.tables.energy_dispersion import EnergyDispersion2D
from gm.irf.tables.point_spread import PSF3D, EnergyDependentMultiGaussPSF, PSFKing
from gm.irf.tables.rad_max import RadMax2D

ResponseTable: TypeAlias = (
    EffectiveAreaTable2D
    | EnergyDispersion2D
    | PSF3D
    | EnergyDependentMultiGaussPSF
    | PSFKing
    | Background2D
    | Background3D
    | RadMax2D
)
KINDS: dict[str, type[ResponseTable]] = {
    "aeff_2d": EffectiveAreaTable2D,
    "edisp_2d": EnergyDispersion2D,
    "psf_table": PSF3D,
    "psf_3gauss": EnergyDependentMultiGaussPSF,
    "psf_king": PSFKing,
    "bkg_2d": Background2D,
    "bkg_3d": Background3D,
    "rad_max_2d": RadMax2D,
}
"""HDU class of the index -> what it holds."""
_TYPES = {"EFF_AREA": "aeff", "EDISP": "edisp", "RPSF": "psf", "PSF": "psf", "BKG": "bkg", "RAD_MAX": "rad_max"}


def response_kind(extension: Extension) -> tuple[str, str] | None:
    """HDU type and class (``aeff``, ``aeff_2d``) from the cards ``HDUCLAS2`` and ``HDUCLAS4``; None for anything else.

    Files before GADF 0.2 leave the type out of the class: ``2D``, ``3GAUSS``.
    """
    if extension.header.text("HDUCLAS1").upper() != "RESPONSE":
        return None
    hdu_type = _TYPES.get(extension.header.text("HDUCLAS2").upper())
    name = extension.header.text("HDUCLAS4").lower()
    if hdu_type is None:
        return None
    known = next((kind for kind in (name, f"{hdu_type}_{name}") if kind in KINDS), None)
    return None if known is None else (hdu_type, known)


def read_response(extension: Extension, kind: str) -> ResponseTable:
    """The response of a class such as ``aeff_2d`` in an extension. Raises `DataError`."""
    if kind not in KINDS:
        extension.fail(f"responses of the class {kind!r} are not read", suggest(kind, KINDS))
    return KINDS[kind].from_extension(extension)
