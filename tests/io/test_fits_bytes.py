"""Where the bytes of FITS files come from: all ways give the same, and a file that changes is told."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from gm.errors import DataError
from gm.io import fits_bytes
from gm.io.fits import read_fits
from gm.io.fits_image import read_image
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Image, Table

IMAGE = np.arange(30_000.0, dtype=np.float32).reshape(3, 100, 100)
TABLE = (Column("A", np.arange(700)), Column("B", np.arange(1400.0).reshape(700, 2)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data.fits"
    write_fits(path, [Image("IMAGE", IMAGE), Table("TABLE", TABLE)])
    return path


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is a large one, and read in small parts."""
    monkeypatch.setattr(fits_bytes, "ON_DISK", 0)
    monkeypatch.setattr(fits_bytes, "_PART", 4096)


def check(path: Path) -> None:
    file = read_fits(path)
    assert np.array_equal(read_image(file.get("IMAGE")), IMAGE)
    for column in TABLE:
        assert np.array_equal(file.get("TABLE").column(column.name), column.values)


def test_a_file_on_disk_in_memory_and_packed(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check(path)
    packed = path.with_suffix(".fits.gz")
    packed.write_bytes(gzip.compress(path.read_bytes()))
    check(packed)
    monkeypatch.setattr(fits_bytes, "ON_DISK", 0)
    monkeypatch.setattr(fits_bytes, "_PART", 4096)
    check(path)


@pytest.mark.usefixtures("on_disk")
def test_a_file_that_is_cut_short_while_it_is_read(path: Path) -> None:
    file = read_fits(path)
    os.truncate(path, 60_000)
    with pytest.raises(DataError, match="was changed by another program"):
        read_image(file.get("IMAGE"))
    with pytest.raises(DataError, match="was changed by another program"):
        file.get("TABLE").column("A")


@pytest.mark.usefixtures("on_disk")
def test_a_file_that_is_replaced_or_goes_while_it_is_read(path: Path, tmp_path: Path) -> None:
    file = read_fits(path)
    write_fits(tmp_path / "other.fits", [Image("IMAGE", 2 * IMAGE), Table("TABLE", TABLE)])
    (tmp_path / "other.fits").replace(path)
    with pytest.raises(DataError, match="was changed by another program"):
        read_image(file.get("IMAGE"))
    path.unlink()
    with pytest.raises(DataError, match="was changed by another program"):
        file.check_unchanged()


@pytest.mark.usefixtures("on_disk")
def test_a_read_that_comes_back_short(path: Path) -> None:
    """The file shrinks between the check and the read."""
    with path.open("rb", buffering=4096) as file:  # else a buffer of 128 KiB (Python 3.14) holds all of it
        content = fits_bytes.open_bytes(path, file)
        os.truncate(path, 5000)
        with pytest.raises(DataError, match="was changed by another program"):
            content.read(2880, 10_000)
