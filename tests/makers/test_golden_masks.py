"""Safe masks of maps against Gammapy 2.1; the numbers were printed by ``make_golden_masks.py``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import MapDataset, read_dataset
from gm.makers.safe_mask import SafeMaskMaker
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
