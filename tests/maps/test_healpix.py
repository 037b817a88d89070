"""HEALPix geometries against ``astropy-healpix``."""

from __future__ import annotations

import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy_healpix import HEALPix
from hypothesis import given
from hypothesis import strategies as st

from gm.errors import DataError
from gm.maps.healpix import HealpixGeometry
from gm.maps.rotation import rotate
from gm.maps.sphere import separation

RANDOM = np.random.default_rng(3)
LON, LAT = RANDOM.uniform(0, 360, 200), np.degrees(np.arcsin(RANDOM.uniform(-1, 1, 200)))


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize("nside", [1, 8, 64])
def test_pixels(nside: int, nested: bool) -> None:
    geometry = HealpixGeometry(nside, nested, "galactic")
    judge = HEALPix(nside, order="nested" if nested else "ring")
    lon, lat = geometry.sky()
    theirs = judge.healpix_to_lonlat(np.arange(judge.npix))
    assert np.array_equal(lon, theirs[0].deg)
    assert np.array_equal(lat, theirs[1].deg)
    assert np.array_equal(geometry.index(lon, lat), np.arange(judge.npix))
    assert np.array_equal(geometry.index(LON, LAT), judge.lonlat_to_healpix(LON * u.deg, LAT * u.deg))
    there = rotate(LON, LAT, "galactic", "icrs")
    assert (geometry.index(*there, "icrs") == geometry.index(LON, LAT)).mean() > 0.99  # but for points on a border
    index, weight = geometry.weights(LON, LAT)
    their_index, their_weight = judge.bilinear_interpolation_weights(LON * u.deg, LAT * u.deg)
    assert np.array_equal(index, their_index)
    assert np.array_equal(weight, their_weight)
    assert geometry.solid_angle() * judge.npix == pytest.approx(4 * np.pi, rel=1e-14)
    assert geometry.solid_angle() == pytest.approx(judge.pixel_area.to_value("sr"), rel=1e-14)


@given(st.sets(st.integers(0, 767), min_size=1))
def test_parts(numbers: set[int]) -> None:
    pixels = np.array(sorted(numbers))
    part, whole = HealpixGeometry(8, pixels=pixels), HealpixGeometry(8)
    assert part.shape == (len(pixels),)
    assert separation(*part.sky(), *(values[pixels] for values in whole.sky())).max() == 0.0
    index = part.index(LON, LAT)
    number = whole.index(LON, LAT)
    assert np.array_equal(index >= 0, np.isin(number, pixels))
    assert np.array_equal(pixels[index[index >= 0]], number[index >= 0])
    assert pickle.loads(pickle.dumps(part)).same_as(part)
    assert not part.same_as(whole)


@pytest.mark.parametrize(
    ("nside", "pixels", "match"),
    [
        (3, None, "power of two"),
        (0, None, "power of two"),
        (1 << 20, None, "power of two"),
        (4, [5, 4], "must increase"),
        (4, [4, 4], "must increase"),
        (4, [192], "outside 0 to 191"),
        (4, [], "or none"),
    ],
)
def test_geometries_that_are_none(nside: int, pixels: list[int] | None, match: str) -> None:
    with pytest.raises(DataError, match=match):
        HealpixGeometry(nside, pixels=None if pixels is None else np.array(pixels, dtype=int))
