"""Map datasets that gm writes, in Gammapy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset, MapDatasetOnOff, operations, read_dataset, write_dataset
from gm.models import Models
from tests.map_samples import with_off

SAME = """
import json, sys
import numpy as np
from gammapy.datasets import MapDataset
one, other = (MapDataset.read(file, name="x", lazy=False) for file in sys.argv[1:3])
problems = []

def compare(name, a, b, unit):
    if (a is None) != (b is None):
        problems.append(f"{name}: one is missing")
    elif a is not None:
        if a.geom != b.geom and name != "psf exposure":  # its squashed axis means nothing
            problems.append(f"{name}: geometry {a.geom} {b.geom}")
        values = [np.nan_to_num(m.quantity.to_value(unit)) if unit is not None else m.data for m in (a, b)]
        if not np.allclose(*values, rtol=1e-6, atol=1e-15):
            problems.append(f"{name}: values")

for name, unit in dict(counts="", background="", exposure="m2 s", mask_safe=None, mask_fit=None).items():
    compare(name, getattr(one, name), getattr(other, name), unit)
for name, unit in dict(psf="sr-1", edisp="").items():
    a, b = getattr(one, name), getattr(other, name)
    compare(name, getattr(a, name + "_map"), getattr(b, name + "_map"), unit)
    compare(name + " exposure", a.exposure_map, b.exposure_map, "m2 s")
if one.exposure.meta.get("livetime") != other.exposure.meta.get("livetime"):
    problems.append("livetime")
if one.gti is not None and not np.allclose(one.gti.table["START"].tt.mjd, other.gti.table["START"].tt.mjd, rtol=1e-13):
    problems.append("gti")
if one.meta_table is not None:
    problems += [f"meta {c}" for c in one.meta_table.colnames if not np.all(one.meta_table[c] == other.meta_table[c])]
print(json.dumps(problems))
"""

OFF = """
import json, sys
from gammapy.datasets import MapDatasetOnOff
dataset = MapDatasetOnOff.read(sys.argv[1], lazy=False)
parts = dataset.counts, dataset.counts_off, dataset.acceptance, dataset.acceptance_off, dataset.alpha
print(json.dumps([float(part.data.sum()) for part in parts]))
dataset.write(sys.argv[2])
"""


@pytest.mark.parametrize(
    "file",
    [
        "reference/fermi-3fhl-crab/Fermi-LAT.fits.gz",
        "reference/fermi-3fhl-gc/fermi-3fhl-gc.fits.gz",
        "reference/cta1dc-gc-joint/obs110380.fits.gz",
        "reference/hess-msh1552-stacked/stacked.fits.gz",
        "data/hawc/DL4/nHit-5.fits.gz",
    ],
)
def test_gammapy_finds_no_difference(shared: Path, tmp_path: Path, gammapy: Callable[..., Any], file: str) -> None:
    write_dataset(read_dataset("MapDataset", shared / file), tmp_path / "again.fits.gz")
    assert gammapy(SAME, shared / file, tmp_path / "again.fits.gz") == []


def test_finer_bins_are_no_difference_to_gammapy(shared: Path, tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    """It reads the responses that it would have made, and not those that sources are predicted with."""
    run = read_dataset("MapDataset", shared / "reference/cta1dc-gc-joint/obs110380.fits.gz", "run")
    image = operations.to_image(Datasets([run]), Models(), "run", name="image").datasets["image"]
    assert isinstance(image, MapDataset)
    assert image.finer is not None
    write_dataset(image, tmp_path / "image.fits")
    write_dataset(image.with_(finer=None), tmp_path / "plain.fits")
    assert gammapy(SAME, tmp_path / "image.fits", tmp_path / "plain.fits") == []


def test_off_counts_go_there_and_back(shared: Path, tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    given = read_dataset("MapDataset", shared / "reference/fermi-3fhl-crab/Fermi-LAT.fits.gz")
    assert isinstance(given, MapDataset)
    dataset = with_off(given)
    write_dataset(dataset, tmp_path / "ours.fits")
    sums = gammapy(OFF, tmp_path / "ours.fits", tmp_path / "theirs.fits")
    assert sums == pytest.approx([3004.0, 30040.0, 10000.0, 100000.0, 1000.0], rel=1e-6)
    theirs = read_dataset("MapDatasetOnOff", tmp_path / "theirs.fits", "on-off")
    assert isinstance(theirs, MapDatasetOnOff)
    for name in ("counts", "counts_off", "acceptance", "acceptance_off", "mask_safe"):
        assert np.array_equal(getattr(theirs, name), getattr(dataset, name)), name
    assert np.allclose(theirs.exposure, dataset.exposure, rtol=1e-12)
