"""Writes ``golden_maps.json``: what Gammapy 2.1 (with regions 0.11) says of pixel grids and region masks.

Run with a Python that has Gammapy: ``python tests/maps/make_golden_maps.py``.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.maps import WcsGeom
from regions import (
    CircleAnnulusSkyRegion,
    CircleSkyRegion,
    EllipseSkyRegion,
    PointSkyRegion,
    PolygonSkyRegion,
    RectangleSkyRegion,
)

FERMI, CTA, HAWC, HESS = (184.55, -5.78), (0.0, 0.0), (83.63, 22.01), (228.32, -59.08)

#: name -> projection, frame, pixels, their size, position of the reference pixel, that pixel (None: the middle), and a
#: position to cut around; the first five are the grids of the Fermi 3FHL Crab, CTA-1DC, HAWC and H.E.S.S. MSH 15-52
#: datasets and of the exclusion mask of joint-crab
GRIDS = {
    "fermi": ("CAR", "galactic", (50, 40), 0.05, FERMI, None, (184.557, -5.784, "galactic")),
    "cta": ("CAR", "galactic", (250, 250), 0.02, CTA, (125.5, 190.5), (0.0, 0.0, "galactic")),
    "hawc": ("CAR", "icrs", (120, 120), 0.05, HAWC, None, (83.63, 22.01, "icrs")),
    "hess": ("CAR", "icrs", (200, 200), 0.02, HESS, (150.5, 60.5), (228.4817, -59.1358, "icrs")),
    "exclusion": ("TAN", "icrs", (250, 250), 0.02, (83.633, 22.014), None, (83.63, 22.01, "icrs")),
    "psf": ("CAR", "icrs", (6, 6), 1.0, HAWC, None, (84.9, 22.9, "icrs")),
    "oblong": ("TAN", "icrs", (60, 40), (0.1, 0.2), (266.4, -29.0), None, (1.0, 0.5, "galactic")),
    "allsky": ("AIT", "galactic", (90, 45), 4.0, CTA, None, (120.0, 40.0, "galactic")),
    "wide": ("CAR", "galactic", (90, 45), 4.0, CTA, None, (359.0, 1.0, "galactic")),
    "pole": ("ZEA", "icrs", (40, 40), 0.1, (37.9, 89.2), None, (120.0, 88.5, "icrs")),
}
CARDS = ("CTYPE", "CRPIX", "CRVAL", "CDELT", "CUNIT", "RADES", "LONPO", "LATPO")
WIDTHS = (0.3, 0.5, 1.0, 1.21, 2.0, 5.3, 21.0)


def region(kind: str, lon: float, lat: float, frame: str, scale: float):
    center = SkyCoord(lon, lat, unit="deg", frame=frame)
    one = scale * u.deg
    if kind == "circle":
        return CircleSkyRegion(center, one)
    if kind == "annulus":
        return CircleAnnulusSkyRegion(center, 0.5 * one, one)
    if kind == "ellipse":
        return EllipseSkyRegion(center, 2.0 * one, 0.7 * one, 35 * u.deg)
    if kind == "rectangle":
        return RectangleSkyRegion(center, 1.6 * one, 0.9 * one, -20 * u.deg)
    if kind == "polygon":
        d = scale / np.cos(np.radians(lat))
        return PolygonSkyRegion(
            SkyCoord([lon - d, lon + d, lon], [lat, lat + 0.2 * scale, lat - scale], unit="deg", frame=frame)
        )
    return PointSkyRegion(center)


def describe(proj, frame, npix, binsz, skydir, refpix, source) -> dict:
    grid = WcsGeom.create(npix=npix, binsz=binsz, proj=proj, frame=frame, skydir=skydir, refpix=refpix)
    ny, nx = (int(n) for n in grid.data_shape)
    position = SkyCoord(source[0], source[1], unit="deg", frame=source[2])
    step = max(1, nx // 9)
    lon, lat = (
        c.value for c in grid.pix_to_coord(np.meshgrid(np.arange(0, nx, step) + 0.3, np.arange(0, ny, step) - 0.2))
    )
    own = position.transform_to(grid.frame).data
    cuts = []
    for width in WIDTHS:
        for odd in (False, True):
            try:
                cut = grid.cutout(position, (width * u.deg, width * u.deg), odd_npix=odd)
            except Exception:
                cuts.append([width, odd, None, None])
                continue
            first = grid.wcs.wcs.crpix - cut.wcs.wcs.crpix
            cuts.append([width, odd, [int(n) for n in cut.data_shape], [round(float(v)) for v in first]])
    scale = 4.137 * float(grid.pixel_scales.deg.max())
    masks = {}
    for kind in ("circle", "annulus", "ellipse", "rectangle", "polygon", "point"):
        mask = grid.region_mask([region(kind, own.lon.deg, own.lat.deg, grid.frame, scale)]).data
        masks[kind] = [int(mask.sum()), hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()[:16]]
    return {
        "cards": {name: value for name, value in grid.to_header().items() if name[:5] in CARDS},
        "shape": [ny, nx],
        "frame": grid.frame,
        "source": list(source),
        "step": step,
        "lon": np.round(lon, 12).tolist(),
        "lat": np.round(lat, 12).tolist(),
        "scales": grid.pixel_scales.deg.tolist(),
        "center": [grid.center_skydir.data.lon.deg, grid.center_skydir.data.lat.deg],
        "width": grid.width.value.ravel().tolist(),
        "pixel": [float(np.ravel(v)[0]) for v in grid.coord_to_pix(position)],
        "solid_angle": grid.solid_angle().value[::step, ::step].tolist(),
        "separation": grid.separation(position).deg[::step, ::step].tolist(),
        "cuts": cuts,
        "scale": scale,
        "own": [own.lon.deg, own.lat.deg],
        "masks": masks,
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    content = {name: describe(*entry) for name, entry in GRIDS.items()}
    text = json.dumps(content).replace("NaN", "null")
    Path(__file__).with_name("golden_maps.json").write_text(text + "\n")
