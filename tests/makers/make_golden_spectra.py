"""Print spectrum datasets that Gammapy reduces from DL3 files: the source of ``golden_spectra.json``.

Run in an environment that has Gammapy 2.1: ``python make_golden_spectra.py SHARED > golden_spectra.json``.
"""

import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore
from gammapy.datasets import SpectrumDataset
from gammapy.makers import ReflectedRegionsBackgroundMaker, SafeMaskMaker, SpectrumDatasetMaker, WobbleRegionsFinder
from gammapy.maps import MapAxis, RegionGeom, WcsGeom
from regions import CircleSkyRegion, EllipseSkyRegion, PointSkyRegion, RectangleSkyRegion

HESS, CTA = "data/hess-dl3-dr1", "data/cta-1dc/index/gps"
MAGIC, FIXED = "data/magic/rad_max/data", "data/joint-crab/dl3/magic"
CRAB = {"type": "circle", "center": [83.63, 22.01], "frame": "icrs", "radius": 0.11}
POINT = {"type": "point", "center": [83.6333, 22.0144], "frame": "icrs"}
GC = {"type": "circle", "center": [0.0, -0.05], "frame": "galactic", "radius": 0.3}
ELLIPSE = {"type": "ellipse", "center": [83.63, 22.01], "frame": "icrs", "width": 0.3, "height": 0.2, "angle": 30.0}
BOX = {
    "type": "rectangle",
    "center": [184.557, -5.784],
    "frame": "galactic",
    "width": 0.25,
    "height": 0.15,
    "angle": 70.0,
}
EXCLUDE = {"type": "circle", "center": [183.604, -8.708], "frame": "galactic", "radius": 0.5}
NEAR = {"type": "circle", "center": [84.1, 22.7], "frame": "icrs", "radius": 0.2}
FAR = {**NEAR, "center": [86.9, 22.1]}

CASES = [
    {"store": HESS, "id": 23523, "region": CRAB, "containment": True},
    {"store": HESS, "id": 23592, "region": CRAB, "containment": True, "exclude": EXCLUDE},
    {"store": HESS, "id": 23526, "region": CRAB, "center": False, "exclude": NEAR},
    {"store": HESS, "id": 23559, "region": ELLIPSE, "oversampling": 3},
    {"store": HESS, "id": 23523, "region": BOX, "center": False},
    {"store": HESS, "id": 23559, "region": CRAB, "wobble": 5, "exclude": FAR},
    {"store": HESS, "id": 23523, "region": CRAB, "finder": {"min_distance": "0.3 rad", "max_region_number": 4}},
    {"store": CTA, "id": 110380, "region": GC, "containment": True},
    {"store": CTA, "id": 111159, "region": GC},
    {"store": MAGIC, "id": 5029747, "region": POINT, "wobble": 3},
    {"store": MAGIC, "id": 5029748, "region": POINT, "wobble": 1},
    {"store": FIXED, "id": 5029748, "region": {**CRAB, "radius": 0.1414213}, "wobble": 2},
]
METHODS = ["aeff-default", "aeff-max", "edisp-bias", "offset-max"]


def build_region(entry):
    center = SkyCoord(*entry["center"], unit="deg", frame=entry["frame"])
    angle = entry.get("angle", 0.0) * u.deg
    sizes = [entry[name] * u.deg for name in ("radius", "width", "height") if name in entry]
    if entry["type"] == "point":
        return PointSkyRegion(center)
    if entry["type"] == "circle":
        return CircleSkyRegion(center, *sizes)
    return (EllipseSkyRegion if entry["type"] == "ellipse" else RectangleSkyRegion)(center, *sizes, angle=angle)


def numbers(values):
    return [float(f"{value:.12e}") for value in np.ravel(values)]


def reduce(case, shared):
    observation = DataStore.from_dir(shared / case["store"]).get_observations([case["id"]], required_irf="point-like")[
        0
    ]
    energy = MapAxis.from_energy_edges(np.geomspace(0.3, 30, 13) * u.TeV)
    true = MapAxis.from_energy_edges(np.geomspace(0.1, 60, 21) * u.TeV, name="energy_true")
    region = build_region(case["region"])
    empty = SpectrumDataset.create(RegionGeom.create(region, axes=[energy]), energy_axis_true=true, name="run")
    maker = SpectrumDatasetMaker(
        selection=["counts", "exposure", "edisp"] + (["background"] if observation.bkg else []),
        containment_correction=case.get("containment", False),
        use_region_center=case.get("center", True),
        background_oversampling=case.get("oversampling"),
    )
    dataset = maker.run(empty, observation)
    mask = None
    if "exclude" in case:
        geom = WcsGeom.create(skydir=region.center.icrs, width=8 * u.deg, binsz=0.01, proj="TAN", frame="icrs")
        mask = ~geom.region_mask([build_region(case["exclude"])])
    finder = WobbleRegionsFinder(case["wobble"]) if "wobble" in case else None
    off = ReflectedRegionsBackgroundMaker(region_finder=finder, exclusion_mask=mask, **case.get("finder", {}))
    reduced = off.run(dataset, observation)
    reduced.mask_safe.data[...] = True
    masks = {}
    for method in METHODS:
        copy = reduced.copy(name="run")
        made = SafeMaskMaker(methods=[method], offset_max=0.6 * u.deg).run(copy, observation)
        masks[method] = np.ravel(made.mask_safe.data).astype(int).tolist()
    for method in METHODS[1:3] if case["store"] == HESS else ():
        maker = SafeMaskMaker(methods=[method], irfs="DL3", position=region.center)
        made = maker.run(reduced.copy(name="run"), observation)
        masks[f"{method} of tables"] = np.ravel(made.mask_safe.data).astype(int).tolist()
    peak = SafeMaskMaker(methods=["bkg-peak"]).run(dataset, observation) if observation.bkg else None
    return {
        **case,
        "livetime": float(dataset.exposure.meta["livetime"].to_value("s")),
        "gti": [float(t.tt.mjd[0]) for t in (dataset.gti.time_start, dataset.gti.time_stop)],
        "counts": numbers(dataset.counts.data),
        "background": numbers(dataset.background.data) if observation.bkg else None,
        "exposure": numbers(dataset.exposure.quantity.to_value("cm2 s")),
        "edisp": numbers(dataset.edisp.get_edisp_kernel().pdf_matrix),
        "counts_off": None if reduced.counts_off is None else numbers(reduced.counts_off.data),
        "acceptance_off": numbers(reduced.acceptance_off.data)[0],
        "masks": masks,
        "bkg_peak": None if peak is None else np.ravel(peak.mask_safe.data).astype(int).tolist(),
    }


print("[" + ",\n".join(json.dumps(reduce(case, Path(sys.argv[1])), separators=(",", ":")) for case in CASES) + "]")
