"""Ring backgrounds against sums that are written out, and against Gammapy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import MapDataset
from gm.errors import DataError
from gm.makers.exclusion import Exclusion
from gm.makers.maker import NoBackground
from gm.makers.rings import AdaptiveRingBackgroundMaker, RingBackgroundMaker, kernel_sums, ring_kernel
from gm.maps.geometry import WcsGeometry
from gm.maps.map import Map
from gm.maps.sky_region import SkyRegion
from tests.map_samples import LAT, LON, cube

GAMMAPY = """
import json, sys
import numpy as np
from gammapy.datasets import MapDataset
from gammapy.makers import RingBackgroundMaker, AdaptiveRingBackgroundMaker
dataset = MapDataset.read(sys.argv[1], name="cube")
exclusion = dataset.counts.geom.to_image().region_mask("icrs;circle(83.63,22.01,0.35)", inside=False)
if sys.argv[2] == "ring":
    maker = RingBackgroundMaker("0.3 deg", "0.25 deg", exclusion_mask=exclusion)
    made = maker.run(dataset)
else:
    maker = AdaptiveRingBackgroundMaker("0.3 deg", "1.2 deg", "0.2 deg", stepsize="0.1 deg", threshold_alpha=0.022,
        method=sys.argv[2], exclusion_mask=exclusion)
    made = maker.run(dataset)
print(json.dumps({name: np.nan_to_num(getattr(made, name).data).astype(float).tolist()
    for name in ("counts_off", "acceptance", "acceptance_off", "mask_safe")}))
"""


def excluded() -> Exclusion:
    region = {"type": "circle", "center": [LON, LAT], "frame": "icrs", "radius": 0.35}
    return Exclusion((SkyRegion.from_mapping(region),))


def sums(image: Array, inside: Callable[[Array], Array]) -> Array:
    """Sums over all pixels at distances [pixel] that ``inside`` tells."""
    y, x = np.indices(image.shape)
    result = np.zeros(image.shape)
    for at in np.ndindex(image.shape):
        result[at] = image[inside(np.hypot(y - at[0], x - at[1]))].sum()
    return result


def test_the_ring_of_the_notes_has_56_pixels() -> None:
    kernel = ring_kernel(3.0, 2.0)
    assert kernel.shape == (11, 11)
    assert kernel.sum() == 56


@pytest.mark.parametrize("size", [3, 9, 41])
def test_sums_over_a_kernel_that_may_be_larger_than_the_image(size: int) -> None:
    images = np.random.default_rng(1).random((2, 13, 17))
    half = size // 2
    expected = sums(images[1], lambda distance: distance <= half)
    np.testing.assert_allclose(kernel_sums(images, ring_kernel(0.0, half))[1], expected, rtol=1e-12)


def test_off_counts_and_acceptance_are_sums_over_the_ring() -> None:
    dataset = cube()
    made, component = RingBackgroundMaker(0.3, 0.25, excluded()).run(dataset)
    assert component is None
    keep = excluded().keep(dataset.geometry)
    assert dataset.background is not None

    def inside(distance: Array) -> Array:
        return np.asarray((distance >= 3.0) & (distance <= 5.5))

    for k in range(dataset.energy.n_bins):
        np.testing.assert_array_equal(made.counts_off[k], sums(dataset.counts[k] * keep, inside))
        background = dataset.background[k].astype(np.float64) * keep
        np.testing.assert_allclose(made.acceptance_off[k], sums(background, inside), rtol=1e-10)
    np.testing.assert_array_equal(made.acceptance, dataset.background)
    np.testing.assert_array_equal(made.mask_safe, dataset.mask_safe)
    assert (made.name, made.gti, made.psf) == (dataset.name, dataset.gti, dataset.psf)


def test_without_off_pixels_nothing_is_safe() -> None:
    dataset = cube()
    background = np.array(dataset.background)
    background[:, :, 12:] = 0.0
    made, _ = RingBackgroundMaker(0.3, 0.25).run(dataset.with_(background=background))
    assert made.mask_safe is not None
    assert not made.mask_safe[:, :, 18:].any()
    assert (made.acceptance_off[:, :, 18:] == 0.0).all()
    assert made.mask_safe[:, :, :17].any()


def test_a_small_exclusion_mask_spoils_nothing() -> None:
    dataset = cube()
    grid = WcsGeometry.create(LON, LAT, 0.1, shape=(3, 3))
    small = Exclusion(masks=(Map(grid, (), np.zeros((3, 3))),))
    made, _ = RingBackgroundMaker(0.3, 0.25, small).run(dataset)
    assert np.isfinite(made.acceptance_off).all()
    assert made.counts_off.sum() > 0


def test_rings_on_pixels_that_are_no_squares() -> None:
    """Twice as high as wide: a ring on the sky has half as many rows as columns."""
    assert ring_kernel(2.0, 2.0, 2.0).shape == (5, 9)
    dataset = cube()
    geometry = WcsGeometry.create(LON, LAT, (0.1, 0.2), shape=dataset.geometry.shape)
    made, _ = RingBackgroundMaker(0.3, 0.2).run(dataset.with_(geometry=geometry))
    assert dataset.background is not None
    y, x = 10, 12
    n_y, n_x = geometry.shape
    distance = np.hypot(0.1 * (np.arange(n_x) - x), 0.2 * (np.arange(n_y)[:, None] - y))
    ring = (distance > 0.3 - 1e-9) & (distance < 0.5 + 1e-9)
    np.testing.assert_allclose(made.acceptance_off[:, y, x], dataset.background[:, ring].sum(axis=1), rtol=1e-6)


def test_rings_that_cannot_be() -> None:
    with pytest.raises(DataError, match="ring: r_in -1 deg"):
        RingBackgroundMaker(-1.0, 0.3)
    with pytest.raises(DataError, match="r_out_max above"):
        AdaptiveRingBackgroundMaker(0.3, 0.4, 0.2)
    everything = SkyRegion.from_mapping({"type": "circle", "center": [LON, LAT], "frame": "icrs", "radius": 9.0})
    with pytest.raises(NoBackground, match="all pixels are excluded"):
        RingBackgroundMaker(0.3, 0.2, Exclusion((everything,))).run(cube())
    with pytest.raises(DataError, match="needs the background"):
        RingBackgroundMaker(0.3, 0.2).run(cube(background=0.3).with_(background=None))


@pytest.mark.parametrize("method", ["fixed_width", "fixed_r_in"])
def test_an_adaptive_ring_is_the_first_with_enough_acceptance(method: Any) -> None:
    dataset = cube()
    threshold = 0.1 if method == "fixed_width" else 0.04
    maker = AdaptiveRingBackgroundMaker(0.3, 1.2, 0.2, 0.1, threshold, 0.15, method, excluded())
    made, _ = maker.run(dataset)
    assert dataset.background is not None
    background = dataset.background[1].astype(np.float64)
    inside = sums(background, lambda d: d <= 1.5)
    rings = [(3.0 + k, 2.0) for k in range(7)] if method == "fixed_width" else [(3.0, 2.0 + k) for k in range(7)]
    keep = excluded().keep(dataset.geometry)
    expected = np.zeros(inside.shape)
    for r_in, width in reversed(rings):
        acceptance = kernel_sums((background * keep)[None], ring_kernel(r_in, width))[0]
        expected = np.where(inside <= threshold * acceptance, acceptance, expected)
    np.testing.assert_allclose(made.acceptance_off[1], expected, rtol=1e-10)
    np.testing.assert_array_equal(made.acceptance, dataset.background)
    assert 0 < (expected == 0).sum() < expected.size
    assert made.mask_safe is not None
    assert not made.mask_safe[1][expected == 0].any()


@pytest.mark.parametrize("kind", ["ring", "fixed_width", "fixed_r_in"])
def test_as_gammapy(tmp_path: Path, gammapy: Callable[..., Any], kind: Any) -> None:
    dataset = cube(response="psf only")
    if kind != "ring":
        dataset = _image(dataset)
    dataset.write(tmp_path / "cube.fits")
    theirs = gammapy(GAMMAPY, tmp_path / "cube.fits", kind)
    ring = RingBackgroundMaker(0.3, 0.25, excluded())
    adaptive = AdaptiveRingBackgroundMaker(0.3, 1.2, 0.2, 0.1, 0.022, 0.0, kind, excluded())
    made, _ = ring.run(dataset) if kind == "ring" else adaptive.run(dataset)
    assert made.mask_safe is not None
    safe = made.mask_safe
    np.testing.assert_array_equal(
        safe, np.array(theirs["mask_safe"], dtype=bool) & (np.array(theirs["acceptance"]) > 0)
    )
    np.testing.assert_allclose(made.counts_off[safe], np.array(theirs["counts_off"])[safe], atol=1e-4)
    np.testing.assert_allclose(made.acceptance_off[safe], np.array(theirs["acceptance_off"])[safe], rtol=1e-6)
    np.testing.assert_allclose(made.acceptance[safe], np.array(theirs["acceptance"])[safe], rtol=1e-6)


def _image(dataset: MapDataset) -> MapDataset:
    """The first energy bin alone."""
    from gm.maps.axes import EnergyAxis

    assert dataset.background is not None
    safe = None if dataset.mask_safe is None else dataset.mask_safe[1:2]
    return dataset.with_(
        energy=EnergyAxis(dataset.energy.edges[1:3]),
        counts=dataset.counts[1:2],
        background=dataset.background[1:2],
        mask_safe=None,
    ).with_(mask_safe=safe)
