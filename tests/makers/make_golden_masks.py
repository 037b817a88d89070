"""Print safe masks that Gammapy makes for maps: the source of ``golden_masks.json``.

Run in an environment that has Gammapy 2.1: ``python make_golden_masks.py SHARED > golden_masks.json``.
"""

import json
import sys
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from gammapy.data import DataStore
from gammapy.datasets import MapDataset
from gammapy.makers import SafeMaskMaker

PLACE = (0.4, -0.3, "galactic")
FILES = [
    ("reference/cta1dc-gc-joint/obs110380.fits.gz", "data/cta-1dc/index/gps", 110380, PLACE),
    ("reference/hess-msh1552-runs/run20136.fits.gz", "data/hess-dl3-dr1", 20136, (229.0, -58.9, "icrs")),
]
CASES = [
    {"methods": ["offset-max"], "offset_max": 1.7},
    {"methods": ["aeff-default"]},
    {"methods": ["aeff-max"]},
    {"methods": ["aeff-max"], "aeff_percent": 40, "position": True},
    {"methods": ["aeff-max"], "aeff_percent": 40, "fixed_offset": 1.5},
    {"methods": ["edisp-bias"]},
    {"methods": ["edisp-bias"], "bias_percent": 2, "position": True},
    {"methods": ["edisp-bias"], "bias_percent": 2, "fixed_offset": 1.5},
    {"methods": ["bkg-peak"]},
    {"methods": ["bkg-peak", "offset-max", "aeff-max"], "offset_max": 2.0},
]


def mask(file, observation, case, place):
    dataset = MapDataset.read(file, lazy=False)
    dataset.mask_safe = None
    settings = {**case}
    if "position" in case:
        settings["position"] = SkyCoord(*place[:2], unit="deg", frame=place[2])
    for name in ("offset_max", "fixed_offset"):
        if name in case:
            settings[name] = case[name] * u.deg
    made = SafeMaskMaker(**settings).run(dataset, observation).mask_safe.data
    y, x = np.indices(made.shape[1:])
    return [[int(image.sum()), int((image * y).sum()), int((image * x).sum())] for image in made]


def main(shared):
    golden = []
    for file, store, number, place in FILES:
        observation = DataStore.from_dir(shared / store).obs(number)
        masks = [mask(shared / file, observation, case, place) for case in CASES]
        golden.append({"file": file, "store": store, "id": number, "place": place, "masks": masks})
    print(json.dumps({"cases": CASES, "files": golden}, separators=(",", ":")))


main(Path(sys.argv[1]))
