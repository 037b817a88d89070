"""Writes ``golden_spatial.json``: densities and pixel integrals of spatial models by Gammapy 2.1.

Run once in an environment with Gammapy 2.1 (``python make_golden_spatial.py``), never by the tests; gm does not import
Gammapy.
"""

import json
import warnings
from pathlib import Path

import astropy.units as u
import gammapy
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.maps import WcsGeom
from gammapy.modeling.models import SPATIAL_MODEL_REGISTRY

warnings.simplefilter("ignore")

GRIDS = {
    "car": {"skydir": (184.6, -5.8), "frame": "galactic", "proj": "CAR", "binsz": 0.05, "npix": (40, 36)},
    "tan": {"skydir": (83.63, 22.01), "frame": "icrs", "proj": "TAN", "binsz": 0.02, "npix": (50, 44)},
    "pole": {"skydir": (10.0, 86.0), "frame": "icrs", "proj": "TAN", "binsz": 0.2, "npix": (30, 32)},
    "oblong": {"skydir": (350.0, 41.0), "frame": "galactic", "proj": "CAR", "binsz": (0.1, 0.04), "npix": (21, 33)},
}
# Sizes in units of the pixel; positions in pixels from the centre of the map.
SHAPES = {
    "point": ("point", {}),
    "gauss": ("gauss", {"sigma": 1.7}),
    "gauss-wide": ("gauss", {"sigma": 8.0}),
    "gauss-small": ("gauss", {"sigma": 0.3}),
    "gauss-long": ("gauss", {"sigma": 2.0, "e": 0.8, "phi": 30.0}),
    "gauss-negative-phi": ("gauss", {"sigma": 2.2, "e": 0.95, "phi": -120.0}),
    "gauss-general": ("gauss-general", {"r_0": 2.1, "eta": 0.37, "e": 0.6, "phi": 111.0}),
    "gauss-general-round": ("gauss-general", {"r_0": 1.9, "eta": 0.9}),
    "disk": ("disk", {"r_0": 4.3}),
    "disk-long": ("disk", {"r_0": 8.0, "e": 0.7, "phi": 45.0, "edge_width": 0.1}),
    "shell": ("shell", {"radius": 3.1, "width": 0.7}),
    "shell2": ("shell2", {"r_0": 4.7, "eta": 0.3}),
}
LENGTHS = ("sigma", "r_0", "radius", "width")
PLACES = {"inside": (2.37, -3.61), "edge": (-0.4513, 0.4671), "outside": (0.9, 0.2)}
FRAMES = {"inside": "icrs", "edge": "galactic", "outside": "icrs"}


def make_model(tag: str, shape: dict, size: float, position: SkyCoord, frame: str):
    position = position.transform_to(frame)
    values = {k: v * size * u.deg if k in LENGTHS else v * u.deg if k == "phi" else v for k, v in shape.items()}
    return SPATIAL_MODEL_REGISTRY.get_cls(tag)(
        lon_0=position.data.lon.to("deg"), lat_0=position.data.lat.to("deg"), frame=frame, **values
    )


def make_geom(grid: str) -> WcsGeom:
    settings = GRIDS[grid]
    skydir = SkyCoord(*settings["skydir"], unit="deg", frame=settings["frame"])
    return WcsGeom.create(**{**settings, "skydir": skydir})


def make_grid(grid: str) -> dict:
    header = make_geom(grid).wcs.to_header()
    names = ("CTYPE", "CRPIX", "CRVAL", "CDELT")
    cards = {f"{name}{axis}": header.get(f"{name}{axis}", 0.0) for name in names for axis in (1, 2)}
    extra = {name: header[name] for name in ("RADESYS", "LONPOLE", "LATPOLE") if name in header}
    return {"shape": GRIDS[grid]["npix"][::-1], "cards": cards | extra}


def make_case(name: str, grid: str, place: str) -> dict:
    settings, geom = GRIDS[grid], make_geom(grid)
    nx, ny = settings["npix"]
    x, y = PLACES[place] if place == "inside" else (PLACES[place][0] * nx, PLACES[place][1] * ny)
    position = SkyCoord.from_pixel((nx - 1) / 2 + x, (ny - 1) / 2 + y, geom.wcs)
    tag, shape = SHAPES[name]
    model = make_model(tag, shape, float(geom.pixel_scales.deg.max()), position, FRAMES[place])
    image = model.integrate_geom(geom).quantity.to_value("")
    flat = image.ravel()
    keep = np.unique(np.r_[np.argsort(flat)[-6:], np.arange(7, flat.size, 157)])
    case = {
        "model": {"type": model.tag[0], **model.to_dict(full_output=True)["spatial"]},
        "grid": grid,
        "sum": float(flat.sum()),
        "square": float((flat**2).sum()),
        "pixels": keep.tolist(),
        "values": flat[keep].tolist(),
    }
    if tag != "point":
        coords = geom.get_coord(frame=model.frame)
        lon, lat = (np.asarray(c.to_value("deg")).ravel()[keep] for c in (coords.lon, coords.lat))
        case["lon"], case["lat"] = lon.tolist(), lat.tolist()
        case["density"] = model(lon * u.deg, lat * u.deg).to_value("sr-1").tolist()
    return case


def main() -> None:
    cases = {
        f"{name} {grid} {place}": make_case(name, grid, place)
        for name in SHAPES
        for grid in GRIDS
        for place in PLACES
        if place == "inside" or grid in ("car", "pole")
    }
    grids = {grid: make_grid(grid) for grid in GRIDS}
    document = {"creator": f"Gammapy {gammapy.__version__}", "grids": grids, "cases": cases}
    path = Path(__file__).parent / "golden_spatial.json"
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
