"""OGIP spectra: real files, conventions, and damage."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from gm.datasets.files.formats import read_dataset
from gm.errors import DataError
from gm.io.fits import read_fits
from gm.io.fits_writer import write_fits
from gm.io.ogip import pha_from, read_arf
from gm.io.ogip_matrix import read_rmf
from gm.io.ogip_writer import arf_tables, rmf_tables


@pytest.fixture
def spectrum(shared: Path, tmp_path: Path) -> Path:
    """A copy of the four files of one real run."""
    for path in (shared / "data/joint-crab/spectra/hess").glob("*23523.fits"):
        shutil.copyfile(path, tmp_path / path.name)
    return tmp_path / "pha_obs23523.fits"


def edit(path: Path, change: Callable[[Any], None]) -> None:
    with fits.open(path, mode="update") as hdus:
        change(hdus)


def test_conventions_of_a_real_file(spectrum: Path) -> None:
    pha = pha_from(read_fits(spectrum))
    with fits.open(spectrum) as hdus:
        data, bounds = hdus["SPECTRUM"].data, hdus["EBOUNDS"].data
        assert np.array_equal(pha.good, data["QUALITY"] == 0)
        assert np.array_equal(pha.backscal, data["BACKSCAL"])
        # keV to TeV
        assert pha.channels is not None
        np.testing.assert_allclose(pha.channels.edges[:-1], bounds["E_MIN"] * 1e-9, rtol=1e-15)
        assert pha.channels.edges[-1] == pytest.approx(bounds["E_MAX"][-1] * 1e-9, rel=1e-15)
    assert (pha.name, pha.ancrfile, pha.exposure) == ("23523", "arf_obs23523.fits", 1581.736758410931)


def test_a_matrix_is_expanded_from_its_groups(spectrum: Path) -> None:
    rmf = read_rmf(spectrum.parent / "rmf_obs23523.fits")
    edges_true, edges, matrix = rmf.edges_true, rmf.channels.edges, rmf.matrix
    assert rmf.area is None
    with fits.open(spectrum.parent / "rmf_obs23523.fits") as hdus:
        rows = hdus["MATRIX"].data
        assert edges_true[0] == pytest.approx(float(rows["ENERG_LO"][0]) * 1e-9, rel=1e-15)  # float32 as stored
        for index, row in enumerate(rows):
            expected = np.zeros(80)
            begin = 0
            for first, count in zip(row["F_CHAN"], row["N_CHAN"], strict=True):
                expected[first : first + count] = row["MATRIX"][begin : begin + count]
                begin += count
            assert np.array_equal(matrix[index], expected)
    assert (edges_true.size, edges.size, matrix.shape) == (81, 81, (80, 80))


def test_a_matrix_with_several_groups_and_empty_rows_comes_back(tmp_path: Path) -> None:
    matrix = np.array([[0, 0, 0, 0], [0.5, 0, 0.25, 0.25], [0, 1, 0, 0], [0.1, 0, 0, 0.2]], dtype=np.float32)
    edges = np.geomspace(1, 16, 5)
    write_fits(tmp_path / "rmf.fits", rmf_tables(edges, edges, matrix.astype(np.float64)))
    assert np.array_equal(read_rmf(tmp_path / "rmf.fits").matrix, matrix)


def test_header_cards_stand_for_columns(spectrum: Path) -> None:
    """XSPEC files have BACKSCAL and QUALITY as cards."""
    expected = read_dataset("SpectrumDatasetOnOff", spectrum)

    def move(hdus: Any) -> None:
        table = hdus["SPECTRUM"]
        backscal = float(table.data["BACKSCAL"][0])
        table.columns.del_col("BACKSCAL")
        table.columns.del_col("QUALITY")
        table.header["BACKSCAL"], table.header["QUALITY"] = backscal, 0

    edit(spectrum, move)
    edit(spectrum.parent / BKG, lambda hdus: hdus["SPECTRUM"].columns.del_col("QUALITY"))
    dataset = read_dataset("SpectrumDatasetOnOff", spectrum)
    assert dataset.mask_safe is not None
    assert dataset.mask_safe.all()
    assert np.array_equal(dataset.counts, expected.counts)
    assert np.array_equal(dataset.acceptance, expected.acceptance)


def test_ebounds_may_be_in_the_matrix_file_alone(spectrum: Path) -> None:
    expected = read_dataset("SpectrumDatasetOnOff", spectrum)
    edit(spectrum, lambda hdus: hdus.__delitem__(2))
    edit(spectrum.parent / "rmf_obs23523.fits", lambda hdus: hdus["MATRIX"].header.set("EXTNAME", "SPECRESP MATRIX"))
    assert np.array_equal(read_dataset("SpectrumDatasetOnOff", spectrum).energy.edges, expected.energy.edges)


def test_without_respfile_energies_are_exact(spectrum: Path) -> None:
    edit(spectrum, lambda hdus: hdus["SPECTRUM"].header.remove("RESPFILE"))
    assert read_dataset("SpectrumDatasetOnOff", spectrum).edisp is None


def test_compressed_files(spectrum: Path) -> None:
    import gzip

    packed = spectrum.with_suffix(".fits.gz")
    packed.write_bytes(gzip.compress(spectrum.read_bytes()))
    assert read_dataset("SpectrumDatasetOnOff", packed).counts.sum() == 189


def rewrite(column: str, value: Any, hdu: str = "SPECTRUM") -> Callable[[Any], None]:
    def change(hdus: Any) -> None:
        hdus[hdu].data[column][:] = value(hdus[hdu].data[column]) if callable(value) else value

    return change


def set_nan(hdus: Any) -> None:
    hdus["SPECRESP"].data["SPECRESP"][3] = np.nan


def set_negative(hdus: Any) -> None:
    hdus["SPECTRUM"].data["COUNTS"][40] = -3


def as_rate(hdus: Any) -> None:
    """Numbers that no whole number of counts gives in any time."""
    hdus["SPECTRUM"].columns.change_name("COUNTS", "RATE")
    hdus["SPECTRUM"].header["EXPOSURE"] = np.pi


def halve(name: str) -> Callable[[Any], None]:
    def change(hdus: Any) -> None:
        hdus[name].data = hdus[name].data[:40]

    return change


PHA, ARF, RMF, BKG = (f"{kind}_obs23523.fits" for kind in ("pha", "arf", "rmf", "bkg"))
BAD = {
    "negative counts": (PHA, set_negative, "counts is -3 in bin 40"),
    "negative off counts": (BKG, set_negative, "counts_off is -3 in bin 40"),
    "rates": (PHA, as_rate, "has a RATE column that is no whole numbers"),
    "no counts": (PHA, lambda hdus: hdus["SPECTRUM"].columns.change_name("COUNTS", "CONTS"), "did you mean 'CONTS'"),
    "no exposure": (PHA, lambda hdus: hdus["SPECTRUM"].header.remove("EXPOSURE"), "EXPOSURE is None"),
    "no ARF": (PHA, lambda hdus: hdus["SPECTRUM"].header.remove("ANCRFILE"), "no card ANCRFILE"),
    "no Poisson errors": (BKG, lambda hdus: hdus["SPECTRUM"].header.set("POISSERR", False), "POISSERR is F"),
    "net counts": (PHA, lambda hdus: hdus["SPECTRUM"].header.set("HDUCLAS2", "NET"), "is already subtracted"),
    "gap": (PHA, rewrite("E_MAX", lambda e: e * 0.99, "EBOUNDS"), "E_MIN and E_MAX leave a gap"),
    "channels": (PHA, rewrite("CHANNEL", 3), "CHANNEL does not number the channels one by one"),
    "area": (PHA, rewrite("AREASCAL", 0.0), "AREASCAL has values that are not above 0"),
    "file not there": (PHA, lambda hdus: hdus["SPECTRUM"].header.set("ANCRFILE", "arf.fits"), "arf.fits: no such file"),
    "ARF as PHA": (PHA, lambda hdus: hdus["SPECTRUM"].header.set("ANCRFILE", BKG), "no HDU SPECRESP"),
    "energies": (PHA, rewrite("E_MIN", lambda e: e[::-1].copy(), "EBOUNDS"), "E_MIN and E_MAX are not energies"),
    "EBOUNDS too short": (PHA, halve("EBOUNDS"), "80 channels, EBOUNDS has 40"),
    "background too short": (BKG, lambda hdus: [halve(name)(hdus) for name in ("SPECTRUM", "EBOUNDS")], "40 channels"),
    "NaN in the ARF": (ARF, set_nan, "SPECRESP has values that are negative or not finite"),
    "unit of the ARF": (ARF, lambda hdus: hdus["SPECRESP"].header.set("TUNIT3", "TeV"), "expected a unit of 'cm2'"),
    "unknown unit": (ARF, lambda hdus: hdus["SPECRESP"].header.set("TUNIT3", "parsnip"), "is in 'parsnip'"),
    "ARF and RMF lengths": (ARF, halve("SPECRESP"), "80 true-energy bins, arf_obs23523.fits has 40"),
    "RMF channels": (RMF, halve("EBOUNDS"), "DETCHANS is 80, EBOUNDS has 40"),
    "RMF groups": (RMF, rewrite("N_GRP", 5, "MATRIX"), "N_GRP is 5"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # astropy complains about what is being broken on purpose
@pytest.mark.parametrize("case", BAD)
def test_damage_gives_one_clear_message(spectrum: Path, case: str) -> None:
    name, change, message = BAD[case]
    edit(spectrum.parent / name, change)
    with pytest.raises(DataError, match=message) as raised:
        read_dataset("SpectrumDatasetOnOff", spectrum, "hess")
    assert str(spectrum.parent) in str(raised.value)
    assert len(str(raised.value).splitlines()) <= 2


def test_channels_outside_the_detector(spectrum: Path) -> None:
    path = spectrum.parent / "rmf_obs23523.fits"
    extension = read_fits(path).get("MATRIX")
    data = bytearray(path.read_bytes())
    first = extension.columns["F_CHAN"].offset
    pointer = extension.start + first + 70 * extension.integer("NAXIS1")
    offset = int.from_bytes(data[pointer + 4 : pointer + 8], "big")
    heap = extension.start + extension.integer("NAXIS1") * extension.integer("NAXIS2")
    data[heap + offset : heap + offset + 2] = (79).to_bytes(2, "big")
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"from channel 79 on do not fit 80 channels\n.*count from 0"):
        read_dataset("SpectrumDatasetOnOff", spectrum)


def test_the_area_is_in_square_centimetres(spectrum: Path) -> None:
    _, area = read_arf(spectrum.parent / ARF)
    edit(spectrum.parent / ARF, lambda hdus: hdus["SPECRESP"].header.set("TUNIT3", "m2"))
    np.testing.assert_allclose(read_arf(spectrum.parent / ARF)[1], area * 1e4, rtol=1e-15)


def test_energies_from_zero_on_are_refused_with_a_hint(tmp_path: Path) -> None:
    columns = [
        fits.Column("ENERG_LO", "E", "keV", array=[0.0, 1e9]),
        fits.Column("ENERG_HI", "E", "keV", array=[1e9, 1e10]),
        fits.Column("SPECRESP", "E", "cm2", array=[1.0, 2.0]),
    ]
    fits.BinTableHDU.from_columns(columns, name="SPECRESP").writeto(tmp_path / "arf.fits")
    with pytest.raises(DataError, match="not energies above 0 in increasing order\n    the first bin may begin at"):
        read_arf(tmp_path / "arf.fits")


def test_columns_without_a_unit_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """In keV and cm2, as the memos have them."""
    edges, area = np.geomspace(1.0, 10.0, 4), np.array([1e8, 2e8, 3e8])
    for path, keep in ((tmp_path / "told.fits", True), (tmp_path / "silent.fits", False)):
        tables = [replace(t, columns=tuple(c if keep else replace(c, unit="") for c in t.columns))
                  for t in arf_tables(edges, area)]  # fmt: skip
        write_fits(path, tables)
        np.testing.assert_allclose(read_arf(path)[0], edges, rtol=1e-6)
        np.testing.assert_allclose(read_arf(path)[1], area, rtol=1e-6)
    told = {"column ENERG_LO says no unit, taken for keV", "column SPECRESP says no unit, taken for cm2"}
    assert {text.rpartition(": ")[2] for text in caplog.messages} == told
    assert all("silent.fits: HDU SPECRESP" in text for text in caplog.messages)
