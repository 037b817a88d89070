"""Writes ``golden_templates.json``: pixel integrals of template maps, and of models between nodes, by Gammapy 2.1.

Run once in an environment with Gammapy 2.1 (``python make_golden_templates.py DATA``, DATA the folder with ``data/``
and ``reference/``), never by the tests; gm does not import Gammapy.
"""

import json
import sys
import warnings
from pathlib import Path

import astropy.units as u
import gammapy
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.maps import Map, MapAxis, MapCoord, WcsGeom
from gammapy.modeling.models import PiecewiseNormSpatialModel, TemplateNDSpatialModel, TemplateSpatialModel

warnings.simplefilter("ignore")

FILES = {
    "iem": ("reference/fermi-3fhl-gc/iem.fits.gz", False, (0.0, 0.0)),
    "iem normalised, shifted": ("reference/fermi-3fhl-gc/iem.fits.gz", True, (0.31, -0.22)),
    "iem crab": ("data/fermi-3fhl-crab/Fermi-LAT-3FHL_iem.fits", True, (0.0, 0.0)),
    "image": ("reference/cta1dc-gc-stacked/diffuse_image.fits.gz", True, (0.0, 0.0)),
    "image shifted": ("reference/cta1dc-gc-stacked/diffuse_image.fits.gz", False, (0.11, 0.17)),
}
AXIS = MapAxis.from_energy_bounds("12 GeV", "1.5 TeV", nbin=4, name="energy_true")
NODES = {"lon": [359.0, 1.2, 1.1, 359.2, 0.1], "lat": [-1.0, -0.9, 1.3, 1.1, 0.2], "norms": [0.8, 1.1, 1.3, 0.7, 1.6]}


def pick(image: np.ndarray) -> dict:
    flat = image.reshape(-1)
    keep = np.unique(np.r_[np.argsort(flat)[-6:], np.arange(11, flat.size, max(flat.size // 40, 1))])
    return {"sum": float(flat.sum()), "pixels": keep.tolist(), "values": flat[keep].tolist()}


def describe(geom: WcsGeom) -> dict:
    header = geom.wcs.to_header()
    names = [f"{name}{axis}" for name in ("CTYPE", "CRPIX", "CRVAL", "CDELT") for axis in (1, 2)]
    cards = {name: header.get(name, 0.0) for name in names}
    cards |= {name: header[name] for name in ("RADESYS", "LONPOLE", "LATPOLE") if name in header}
    return {"shape": [int(n) for n in geom.data_shape[-2:]], "cards": cards}


def template_case(root: Path, name: str, frame: str) -> dict:
    path, normalize, shift = FILES[name]
    model = TemplateSpatialModel(Map.read(root / path), normalize=normalize, filename=str(root / path))
    center = model.position.transform_to(frame)
    model.lon_0.value += shift[0]
    model.lat_0.value += shift[1]
    skydir = SkyCoord(center.data.lon + 0.3 * u.deg, center.data.lat - 0.2 * u.deg, frame=frame)
    axes = [AXIS] if model.is_energy_dependent else []
    proj = "TAN" if frame == "icrs" else "CAR"
    geom = WcsGeom.create(skydir=skydir, frame=frame, proj=proj, binsz=0.13, npix=(90, 50), axes=axes)
    image = model.integrate_geom(geom).quantity
    image = image.to_value("" if image.unit.is_equivalent("") else "cm-2 s-1 TeV-1")
    energy = AXIS.center.to_value("TeV").tolist() if axes else None
    place = {"lon_0": model.lon_0.value, "lat_0": model.lat_0.value}
    settings = {"file": path, "normalize": normalize, "energy": energy, **place}
    return settings | {"radius": model.evaluation_radius.to_value("deg")} | describe(geom.to_image()) | pick(image)


def many_axes_case() -> dict:
    axes = [
        MapAxis.from_nodes([1.0, 3.0, 10.0], name="width", unit="deg", interp="log"),
        MapAxis.from_nodes([0.0, 1.0, 2.5, 4.0], name="age", unit="yr", interp="lin"),
    ]
    geom = WcsGeom.create(skydir=(0, 0), binsz=0.5, npix=(9, 7), axes=axes)
    m = Map.from_geom(geom, unit="sr-1")
    m.data = np.exp(np.random.default_rng(5).normal(size=m.data.shape))
    model = TemplateNDSpatialModel(m, filename="x.fits")
    model.parameters["width"].value, model.parameters["age"].value = 4.4, 0.8
    fine = WcsGeom.create(skydir=(0.1, 0.2), binsz=0.13, npix=(20, 21))
    values = {p.name: float(p.value) for p in model.parameters}
    return {"data": m.data.tolist(), "at": values} | describe(fine) | pick(model.integrate_geom(fine).quantity.value)


def piecewise_case() -> dict:
    nodes = MapCoord.create((NODES["lon"] * u.deg, NODES["lat"] * u.deg), frame="icrs")
    model = PiecewiseNormSpatialModel(nodes, norms=np.array(NODES["norms"]), frame="icrs")
    geom = WcsGeom.create(skydir=(0.1, 0.2), binsz=0.13, npix=(12, 11))
    return NODES | describe(geom) | pick(model.evaluate_geom(geom).value)


def main(root: Path) -> None:
    cases = {f"{name} in {frame}": template_case(root, name, frame) for name in FILES for frame in ("icrs", "galactic")}
    document = {"creator": f"Gammapy {gammapy.__version__}", "cases": cases}
    document |= {"many_axes": many_axes_case(), "piecewise": piecewise_case()}
    path = Path(__file__).parent / "golden_templates.json"
    path.write_text(json.dumps(document, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
