"""Safe masks of maps against Gammapy 2.1; the numbers were printed by ``make_golden_masks.py``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import MapDataset, read_dataset
from gm.makers.maps import MapDatasetMaker
from gm.makers.safe_mask import SafeMaskMaker
from gm.makers.target import empty_map
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.observations import DataStore

GOLDEN: dict[str, Any] = json.loads(Path(__file__).with_name("golden_masks.json").read_text())


@pytest.mark.parametrize("number", range(len(GOLDEN["files"])))
def test_masks_of_maps_agree_with_gammapy(shared: Path, number: int) -> None:
    """As numbers of pixels, and sums of their rows and columns, at each energy."""
    entry = GOLDEN["files"][number]
    dataset = read_dataset("MapDataset", shared / entry["file"]).with_(mask_safe=None)
    assert isinstance(dataset, MapDataset)
    observation = DataStore.open(shared / entry["store"]).observation(entry["id"])
    y, x = np.indices(dataset.geometry.shape)
    for case, golden in zip(GOLDEN["cases"], entry["masks"], strict=True):
        settings = {**case, "position": tuple(entry["place"])} if "position" in case else case
        mask = SafeMaskMaker(**settings).run(dataset, observation)[0].mask_safe
        sums = [[int(image.sum()), int((image * y).sum()), int((image * x).sum())] for image in mask]
        assert sums == golden, case


PEER = """
import json, os, sys
import numpy as np
os.environ["CALDB"] = sys.argv[1] + "/cta-1dc/caldb"
from gammapy.data import DataStore
from gammapy.datasets import MapDataset
from gammapy.makers import MapDatasetMaker, SafeMaskMaker
from gammapy.maps import MapAxis, WcsGeom
energy = MapAxis.from_edges(np.geomspace(0.011, 90.0, 41), unit="TeV", name="energy", interp="log")
true = MapAxis.from_edges(np.geomspace(0.01, 100.0, 11), unit="TeV", name="energy_true", interp="log")
found = []
for store, number, center in json.loads(sys.argv[2]):
    geom = WcsGeom.create(skydir=tuple(center), binsz=0.5, npix=(6, 5), axes=[energy], proj="TAN")
    observation = DataStore.from_dir(f"{sys.argv[1]}/{store}").obs(number)
    made = MapDatasetMaker().run(MapDataset.create(geom, energy_axis_true=true, name="x"), observation)
    makers = [SafeMaskMaker(methods=[m], irfs="DL3", position=geom.center_skydir) for m in json.loads(sys.argv[3])]
    masks = [maker.run(made.copy(), observation).mask_safe.data for maker in makers]
    found.append([mask.astype(int).tolist() for mask in masks])
print(json.dumps(found))
"""
RUNS = [("hess-dl3-dr1", 23523, (83.63, 22.01)), ("cta-1dc/index/gps", 110380, (266.0, -29.0))]
METHODS = ["bkg-peak", "aeff-max", "edisp-bias"]


def test_masks_by_tables_agree_with_gammapy(
    shared: Path, gammapy: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALDB", str(shared / "data/cta-1dc/caldb"))
    theirs = gammapy(PEER, shared / "data", json.dumps(RUNS), json.dumps(METHODS))
    axes = EnergyAxis(np.geomspace(0.011, 90.0, 41)), EnergyAxis(np.geomspace(0.01, 100.0, 11), "energy_true")
    for (store, number, center), masks in zip(RUNS, theirs, strict=True):
        observation = DataStore.open(shared / "data" / store).observation(number)
        geometry = WcsGeometry.create(*center, 0.5, shape=(5, 6), projection="TAN")
        made, _ = MapDatasetMaker().run(empty_map("x", geometry, *axes), observation)
        for method, expected in zip(METHODS, masks, strict=True):
            found, _ = SafeMaskMaker([method], position=(*center, "icrs"), irfs="DL3").run(made, observation)
            np.testing.assert_array_equal(found.mask_safe, np.array(expected, dtype=bool), err_msg=f"{store} {method}")
            assert 0 < found.mask_safe.any(axis=(1, 2)).sum() < 40
