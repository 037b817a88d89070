"""Data products against Gammapy 2.1 on the same files; the numbers are from make_golden_operations.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets, MapDataset, MapDatasetOnOff
from gm.datasets import operations as ops
from gm.models import Models
from tests.datasets.operations.digests import KEYS, digest

GOLDEN = json.loads(Path(__file__).with_name("golden_operations.json").read_text("utf-8"))
PORT = 2e-6  # Gammapy sums in single precision


def region(kind: str, **sizes: Any) -> dict[str, Any]:
    return {"type": kind, "frame": "galactic", "center": [0.5, 0.2], **sizes}


def spectrum(datasets: Datasets, shape: dict[str, Any], **options: Any) -> ops.Outcome:
    sliced = ops.slice_energy(datasets, Models(), "*", name="sliced", min="1 TeV", max="10 TeV").datasets
    return ops.to_spectrum_dataset(sliced, Models(), "*", name="x", region=shape, **options)


Make = Callable[[Datasets], ops.Outcome]
ON_CTA: dict[str, Make] = {
    "to_image": lambda d: ops.to_image(d, Models(), "*", name="x"),
    "to_masked": lambda d: ops.to_masked(d, Models(), "*", name="x"),
    "slice_energy": lambda d: ops.slice_energy(d, Models(), "*", name="x", min="0.3 TeV", max="3 TeV"),
    "resample_energy": lambda d: ops.resample_energy(d, Models(), "*", name="x", edges=[0.1, 0.4, 1.0, 10.0]),
    "cutout": lambda d: ops.cutout(d, Models(), "*", name="x", center=(0.5, 0.2), frame="galactic", width=(2.5, 1.3)),
    "downsample": lambda d: ops.downsample(d, Models(), "*", name="x", factor=2),
    "downsample_energy": lambda d: ops.downsample(d, Models(), "*", name="x", factor=2, axis="energy"),
    "pad": lambda d: ops.pad(d, Models(), "*", name="x", width="0.1 deg"),
    "circle": lambda d: spectrum(d, region("circle", radius=0.3), containment_correction=True),
    "ellipse": lambda d: spectrum(d, region("ellipse", width=0.8, height=0.4, angle=30.0)),
    "rectangle": lambda d: spectrum(d, region("rectangle", width=0.8, height=0.4, angle=30.0)),
    "annulus": lambda d: spectrum(d, region("annulus", inner_radius=0.2, outer_radius=0.5)),
}
ON_CRAB: dict[str, Make] = {
    "stack": lambda d: ops.stack(d, Models(), "*", name="x"),
    "on_off_image": lambda d: ops.to_image(d[:1], Models(), "*", name="x"),
    "on_off_resampled": lambda d: ops.resample_energy(d[:1], Models(), "*", name="x", edges=[0.7, 2, 20]),
}


def compare(dataset: Any, golden: dict[str, Any]) -> None:
    for key in KEYS:
        if key in golden:
            check(key, getattr(dataset, key), golden[key])
    if "edisp" in golden:
        check("edisp", getattr(dataset.edisp, "data", dataset.edisp), golden["edisp"])
    if "psf" in golden:
        check("psf", dataset.psf.data, golden["psf"])
        check("psf_exposure", dataset.psf.exposure, golden["psf_exposure"])
    if "gti" in golden:
        length = (dataset.gti.array("STOP") - dataset.gti.array("START")).sum()
        np.testing.assert_allclose(length, golden["gti"], rtol=1e-9)


def check(key: str, values: Any, golden: list[Any]) -> None:
    shape, total, weighted = digest(values)
    assert shape == golden[0], key
    scale = float(np.abs(values).sum()) or 1.0
    assert abs(total - golden[1]) <= PORT * scale, (key, total, golden[1])
    assert abs(weighted - golden[2]) <= PORT * scale, (key, weighted, golden[2])


@pytest.fixture(scope="module")
def cta(shared: Path) -> Datasets:
    return Datasets.read(shared / "reference" / "cta1dc-gc-stacked" / "datasets.yaml")


@pytest.mark.parametrize("name", ON_CTA)
def test_maps_are_gammapys(cta: Datasets, name: str) -> None:
    compare(ON_CTA[name](cta).datasets[-1], GOLDEN[name])


@pytest.mark.parametrize("name", ON_CRAB)
def test_on_off_spectra_are_gammapys(shared: Path, name: str) -> None:
    datasets = Datasets.read(shared / "reference" / "hess-crab-1d" / "datasets.yaml")
    golden = dict(GOLDEN[name])
    if name == "stack":  # averaged with the exposure itself, not with the one beside the dispersion: the law is exact
        del golden["edisp"]
    compare(ON_CRAB[name](datasets).datasets[-1], golden)


def close(values: Any, rounded: Any) -> None:
    np.testing.assert_allclose(values, rounded, rtol=2**-9, atol=2**-11 * float(np.abs(rounded).max()))


@pytest.mark.parametrize(
    ("runs", "stacked"),
    [("hess-msh1552-runs", "hess-msh1552-stacked"), ("cta1dc-gc-joint", "cta1dc-gc-stacked")],
)
def test_stacks_of_the_references(shared: Path, runs: str, stacked: str) -> None:
    """Their response arrays have been rounded to 10-12 bits since they were stacked; counts and masks have not."""
    datasets = Datasets.read(shared / "reference" / runs / "datasets.yaml")
    reference = Datasets.read(shared / "reference" / stacked / "datasets.yaml")[0]
    result = ops.stack(datasets, Models(), "*", name="stack").datasets[0]
    assert isinstance(reference, MapDataset)
    assert isinstance(result, MapDataset | MapDatasetOnOff)
    place = result.geometry.offset_in(reference.geometry)
    assert place is not None
    part = (slice(None), *(slice(o, o + n) for o, n in zip(place, result.geometry.shape, strict=True)))
    assert np.array_equal(result.counts, reference.counts[part])
    assert np.array_equal(result.mask_safe, reference.mask_safe[part])  # type: ignore[arg-type, index]
    assert result.counts.sum() == reference.counts.sum()
    close(result.exposure, reference.exposure[part])
    for mine, theirs in ((result.psf, reference.psf), (result.edisp, reference.edisp)):
        assert mine is not None
        assert theirs is not None
        y, x = mine.geometry.offset_in(theirs.geometry)  # type: ignore[union-attr, misc, arg-type]  # images, aligned
        there = (..., slice(y, y + mine.geometry.shape[0]), slice(x, x + mine.geometry.shape[1]))
        close(mine.exposure, theirs.exposure[there])  # type: ignore[index]
        close(mine.data, theirs.data[there])
    assert result.livetime == pytest.approx(reference.livetime, rel=1e-12)
