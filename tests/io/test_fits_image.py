"""Images in FITS files against astropy, and damaged ones."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.fits_image import first_data, is_image, read_image
from gm.io.fits_writer import fits_bytes, write_fits
from gm.io.tables import CardValue, Image

DTYPES = st.sampled_from(["f8", "f4", "i2", "i4", "i8", "u1"])


@given(values=DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=4, max_side=4))))
def test_images_come_back(tmp_path_factory: pytest.TempPathFactory, values: Any) -> None:
    path = tmp_path_factory.mktemp("fits") / "x.fits"
    write_fits(path, [Image("X", values, {"BUNIT": "m2 s"})])
    back = read_image(read_fits(path).get("X"))
    assert back.dtype == values.dtype
    assert np.array_equal(back, values, equal_nan=values.dtype.kind == "f")
    with fits.open(io.BytesIO(path.read_bytes())) as hdus:
        hdus.verify("exception")
        assert np.array_equal(hdus["X"].data, values, equal_nan=values.dtype.kind == "f")
        assert hdus["X"].header["BUNIT"] == "m2 s"


@pytest.mark.parametrize("compressed", [False, True])
def test_what_astropy_writes(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / ("x.fits.gz" if compressed else "x.fits")
    values = np.arange(24, dtype=np.uint16).reshape(2, 3, 4)  # BZERO
    scaled = fits.ImageHDU(np.arange(12, dtype=np.int16).reshape(3, 4), name="SCALED")
    scaled.header["BSCALE"], scaled.header["BZERO"], scaled.header["BLANK"] = 0.5, 3.0, 7
    fits.HDUList([fits.PrimaryHDU(values), scaled]).writeto(path)
    file = read_fits(path)
    assert first_data(file).name == "PRIMARY"
    assert np.array_equal(read_image(file.extensions[0]), values)
    expected = 0.5 * np.arange(12.0).reshape(3, 4) + 3.0
    expected[1, 3] = np.nan
    with fits.open(path) as hdus:
        assert np.array_equal(hdus["SCALED"].data, expected, equal_nan=True)
    assert np.array_equal(read_image(file.get("SCALED")), expected, equal_nan=True)


def test_logicals_are_zero_and_one(tmp_path: Path) -> None:
    write_fits(tmp_path / "x.fits", [Image("X", np.array([[True, False]]))])
    assert read_image(read_fits(tmp_path / "x.fits").get("X")).tolist() == [[1, 0]]
    with pytest.raises(TypeError, match="complex"):
        fits_bytes([Image("X", np.zeros(2, dtype=complex))])


def test_what_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "x.fits"
    table = fits.BinTableHDU.from_columns([fits.Column("A", "E", array=np.zeros(2))], name="TABLE")
    packed = fits.CompImageHDU(np.zeros((20, 20), dtype=np.float32), name="PACKED")
    fits.HDUList([fits.PrimaryHDU(), table, packed]).writeto(path)
    file = read_fits(path)
    assert [is_image(extension) for extension in file.extensions] == [False, False, False]
    for name, match in (("PRIMARY", "without an image"), ("TABLE", "a BINTABLE"), ("PACKED", "funpack")):
        with pytest.raises(DataError, match=match):
            read_image(file.get(name))


@pytest.mark.parametrize(
    ("cards", "match"),
    [({"NAXIS1": 0}, "something follows that is none"), ({"NAXIS1": 9999}, "truncated"), ({"NAXIS1": -4}, "negative"),
     ({"BITPIX": 7}, "BITPIX 7"), ({"NAXIS": 9}, "NAXIS3|at most 8"), ({"BZERO": "x"}, "BZERO is 'x'")],
)  # fmt: skip
def test_damaged_headers(tmp_path: Path, cards: dict[str, CardValue], match: str) -> None:
    content = fits_bytes([Image("X", np.zeros((2, 3)), {"BZERO": 0.0})]).decode("latin-1")
    for name, value in cards.items():
        at = content.rindex(f"{name:8}=")
        text = f"'{value}'" if isinstance(value, str) else str(value)
        content = content[:at] + f"{name:8}= {text:>20}".ljust(80) + content[at + 80 :]
    (tmp_path / "x.fits").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=match):
        read_image(read_fits(tmp_path / "x.fits").get("X"))


def test_an_image_of_no_pixels(tmp_path: Path) -> None:
    fits.HDUList([fits.PrimaryHDU(), fits.ImageHDU(np.zeros((0, 3)), name="X")]).writeto(tmp_path / "x.fits")
    with pytest.raises(DataError, match="which holds nothing"):
        read_image(read_fits(tmp_path / "x.fits").get("X"))


@pytest.mark.parametrize(
    ("cards", "match"),
    [({"BSCALE": "abc"}, "BSCALE is 'abc'"), ({"BSCALE": "1"}, "BSCALE is '1'"), ({"BZERO": "x"}, "BZERO is 'x'"),
     ({"BZERO": 1e400}, "BZERO is inf"), ({"BSCALE": float("nan")}, "BSCALE is nan"), ({"BSCALE": 0.0}, "BSCALE is 0"),
     ({"BZERO": True}, "BZERO is True"), ({"BLANK": "x"}, "BLANK is 'x'")],
)  # fmt: skip
def test_scales_that_are_no_numbers(tmp_path: Path, cards: dict[str, CardValue], match: str) -> None:
    write_fits(tmp_path / "x.fits", [Image("X", np.zeros((2, 3), np.int16), cards)])
    with pytest.raises(DataError, match=match):
        read_image(read_fits(tmp_path / "x.fits").get("X"))
