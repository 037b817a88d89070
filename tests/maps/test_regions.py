"""Regions as files hold them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.gadf import parse_wcs_shape
from gm.maps.regions import Region


@pytest.mark.parametrize(
    ("text", "shape"), [("(4,4)", (4, 4)), ("(228, 228)", (228, 228)), ("(5,)", (5,)), ("4,4,10", (4, 4, 10))]
)
def test_shapes(text: str, shape: tuple[int, ...]) -> None:
    assert parse_wcs_shape(text) == shape


@pytest.mark.parametrize("text", ["__import__('os').system('touch x')", "(4,4)*10**9", "(4.0,4)", "", "(-1,4)", "4;4"])
def test_nothing_but_integers_is_read(text: str) -> None:
    with pytest.raises(DataError, match="WCSSHAPE"):
        parse_wcs_shape(text)


def test_a_real_region_comes_back(shared: Path) -> None:
    file = read_fits(shared / "reference/hess-crab-1d/pha_obs23523.fits.gz")
    table = file.get("COUNTS_OFF_REGION").table()
    region = Region.from_table(table)
    assert region.shapes == ("circle",) * 12
    assert region.wcs_shape == (228, 228)
    assert region.wcs["CTYPE1"] == "RA---TAN"
    back = region.to_table("COUNTS_OFF_REGION")
    assert back.names == table.names
    assert dict(back.header) == dict(table.header)
