"""The cases in which Gammapy 2.1 loses or doubles the correction of a background: 256 raw counts, a fitted norm of 2.

Gammapy predicts 256 after copy, to_image, downsample, cutout, slice_by_energy, pad and resample_energy_axis; a stack
in place gives 768, and 1536 once the norm moves. Here it is 512 each time.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset
from gm.datasets import operations as ops
from gm.models import Models
from tests.datasets.operations.cases import LAT, LON, background, of_backgrounds, sky_map

Run = Callable[[Datasets, Models], ops.Outcome]
CENTER = (LON, LAT)
CASES: dict[str, Run] = {
    "copy": lambda d, m: ops.copy(d, m, "map", name="x"),
    "to_image": lambda d, m: ops.to_image(d, m, "map", name="x"),
    "downsample": lambda d, m: ops.downsample(d, m, "map", name="x", factor=2),
    "downsample energy": lambda d, m: ops.downsample(d, m, "map", name="x", factor=2, axis="energy"),
    "cutout": lambda d, m: ops.cutout(d, m, "map", name="x", center=CENTER, width="9 deg"),
    "slice_energy": lambda d, m: ops.slice_energy(d, m, "map", name="x", min="0.5 TeV"),
    "pad": lambda d, m: ops.pad(d, m, "map", name="x", width="0.3 deg"),
    "resample_energy": lambda d, m: ops.resample_energy(d, m, "map", name="x", edges=["0.5 TeV", "3 TeV", "20 TeV"]),
    "to_masked": lambda d, m: ops.to_masked(d, m, "map", name="x"),
    "stack": lambda d, m: ops.stack(d, m, "map", name="x"),
    "to_spectrum_dataset": lambda d, m: ops.to_spectrum_dataset(
        d, m, "map", name="x", region={"type": "rectangle", "center": CENTER, "width": 0.78, "height": 0.78}
    ),
}


def case(tilt: float = 0.0) -> tuple[Datasets, Models]:
    dataset = sky_map(n=8, background=np.ones((4, 8, 8)))
    return Datasets([dataset]), Models([background("map", 2.0, tilt)])


@pytest.mark.parametrize("name", CASES)
def test_512_each_time(name: str) -> None:
    datasets, models = case()
    assert of_backgrounds(datasets, models) == 512.0
    outcome = CASES[name](datasets, models)
    assert of_backgrounds(outcome.datasets, outcome.models, ["x"]) == pytest.approx(512.0, rel=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_with_a_tilt_too(name: str) -> None:
    datasets, models = case(tilt=0.3)
    before = of_backgrounds(datasets, models)
    outcome = CASES[name](datasets, models)
    assert of_backgrounds(outcome.datasets, outcome.models, ["x"]) == pytest.approx(before, rel=1e-12)


def test_a_stack_is_corrected_once_whatever_the_norm_becomes() -> None:
    datasets, models = case()
    empty = datasets["map"].with_(name="empty", background=np.zeros((4, 8, 8)))
    outcome = ops.stack(Datasets([*datasets, empty]), models, "*", name="x")
    assert of_backgrounds(outcome.datasets, outcome.models) == pytest.approx(512.0)
    moved = outcome.models.with_parameters({"x-bkg.norm": 1.5})
    assert of_backgrounds(outcome.datasets, moved) == pytest.approx(1.5 * 512.0)


def test_a_raw_dataset_joins_a_corrected_one() -> None:
    datasets, models = case()
    raw = datasets["map"].with_(name="raw")
    outcome = ops.stack(Datasets([*datasets, raw]), models, "*", name="x")
    assert of_backgrounds(outcome.datasets, outcome.models) == pytest.approx(512.0 + 256.0)
    assert isinstance(outcome.datasets["x"], MapDataset)
