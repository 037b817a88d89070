"""The ``fit.mask`` section: what it says, what is wrong with it, and what it does to maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.config_schemas.reader import Document
from gm.conventions import Conventions
from gm.datasets import Datasets, MapDataset, SpectrumDataset
from gm.errors import InvalidInput, JsonPath, format_path
from gm.maps.axes import EnergyAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.pipeline.stages.fit.masks import fit_masks
from gm.pipeline.stages.fit.settings import FitSettings
from gm.pipeline.stages.fit.sky_masks import mask_files
from gm.pipeline.stages.fit.stage import FIT
from tests.pipeline.sections import section

GRID = WcsGeometry.create(83.63, 22.01, 0.1, shape=(20, 30))
CIRCLE = {"type": "circle", "center": [83.63, 22.01], "radius": "0.5 deg"}
ENERGY = EnergyAxis(np.array([1.0, 3.0, 10.0]))
TRUE = EnergyAxis(np.array([1.0, 10.0]), "energy_true")


EMPTY = Document({}, "config.yaml", Path())


def fit_settings(folder: Path, **fit: Any) -> tuple[FitSettings, list[tuple[str, str]]]:
    given = section(FIT, fit, folder)
    settings = FIT.read(given)
    return settings, [(problem.path, problem.message) for problem in given.findings.problems]


@pytest.fixture
def datasets() -> Datasets:
    shapes: dict[str, Any] = {"energy": ENERGY, "energy_true": TRUE}
    counts = np.ones((2, *GRID.shape))
    maps = [
        MapDataset(name=name, geometry=GRID, counts=counts, exposure=counts[:1], **shapes) for name in ("a-1", "b-1")
    ]
    return Datasets([*maps, SpectrumDataset(name="s", counts=np.ones(2), exposure=np.ones(1), **shapes)])


def test_masks_apply_to_the_maps_that_they_name(datasets: Datasets, tmp_path: Path) -> None:
    fit, problems = fit_settings(tmp_path, mask=[{"datasets": "a*", "include": CIRCLE}])
    assert not problems
    first, second, spectrum = fit_masks(datasets, fit, EMPTY)
    assert np.array_equal(first.mask[0], GRID.separation(83.63, 22.01) < 0.5)
    assert second.mask_fit is None
    assert spectrum.mask_fit is None


@pytest.mark.parametrize("conventions", list(Conventions))
def test_circles_where_pixels_are_no_squares(
    conventions: Conventions, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """They are circles on the sky, or a warning says that they are not."""
    sky = WcsGeometry.create(0.0, 0.0, 0.5, shape=(360, 720), frame="galactic", projection="AIT")
    counts = np.ones((2, *sky.shape))
    data = MapDataset(name="all", geometry=sky, energy=ENERGY, energy_true=TRUE, counts=counts, exposure=counts[:1])
    circle = {"type": "circle", "center": [120.0, 45.0], "frame": "galactic", "radius": "3 deg"}
    fit, _ = fit_settings(tmp_path, mask=[{"exclude": circle}])
    (masked,) = fit_masks(Datasets([data]), fit, EMPTY, conventions)
    told = "the circle at 120, 45 deg is where pixels are no squares" in caplog.text
    excluded = ~masked.mask[0] & np.isfinite(sky.grid()[1])
    assert np.array_equal(excluded, sky.separation(120.0, 45.0, "galactic") < 3.0) is not told
    assert told is not conventions.is_exact


def test_all_entries_hold_with_the_energy_range(datasets: Datasets, tmp_path: Path) -> None:
    keep = np.ones(GRID.shape, dtype=np.int16)
    keep[:, :15] = 0
    write_map(tmp_path / "keep.fits", Map(GRID, (), keep))
    fit, problems = fit_settings(
        tmp_path,
        energy_range={"min": "3 TeV"},
        mask=[{"exclude": CIRCLE}, {"datasets": ["b-1"], "filename": "keep.fits"}],
    )
    assert not problems
    first, second, spectrum = fit_masks(datasets, fit, EMPTY)
    outside = ~(GRID.separation(83.63, 22.01) < 0.5)
    assert not first.mask[0].any()
    assert np.array_equal(first.mask[1], outside)
    assert np.array_equal(second.mask[1], outside & (keep != 0))
    assert spectrum.mask.tolist() == [False, True]


def test_a_mask_for_no_map_is_refused(datasets: Datasets, tmp_path: Path) -> None:
    fit, _ = fit_settings(tmp_path, mask=[{"include": CIRCLE}, {"datasets": "s", "include": CIRCLE}])
    with pytest.raises(InvalidInput, match=r"config.yaml:1:1: \$\.fit\.mask\[1\]: is for no map: s"):
        fit_masks(datasets, fit, EMPTY)


@pytest.mark.parametrize(
    ("entry", "path", "message"),
    [
        ({"datasets": "a*"}, (), "says nothing about the sky"),
        ({"filename": "none.fits"}, ("filename",), "no such file"),
        ({"include": {"type": "circle", "center": [0, 0]}}, ("include",), "region of type circle: no radius"),
        ({"exclude": CIRCLE | {"radius": "1 s"}}, ("exclude",), "'s' does not convert to 'deg'"),
        ({"include": {"type": "file", "filename": "none.reg"}}, ("include",), "cannot be read as a region file"),
    ],
)
def test_what_the_schema_does_not_see(entry: dict[str, Any], path: JsonPath, message: str, tmp_path: Path) -> None:
    _, problems = fit_settings(tmp_path, mask=[entry])
    assert [place for place, _ in problems] == [format_path(("fit", "mask", 0, *path))]
    assert message in problems[0][1]


def test_the_files_of_masks_are_inputs_of_the_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MASKS", "masks")
    entries = [{"filename": "$MASKS/a.fits"}, {"include": {"type": "file", "filename": "b.reg"}}, {"exclude": CIRCLE}]
    assert list(mask_files(entries, tmp_path)) == [tmp_path / "masks/a.fits", tmp_path / "b.reg"]
    assert list(mask_files([], tmp_path)) == []
