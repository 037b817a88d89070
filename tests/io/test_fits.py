"""The FITS table reader against astropy, and every way in which a file can be damaged."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gm.errors import DataError
from gm.io.fits import Extension, first_extension, read_fits
from gm.io.fits_header import parse_value
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table


def real_files(shared: Path) -> list[Path]:
    folders = (
        "data/joint-crab/spectra",
        "reference/hess-crab-1d",
        "reference/flux-points",
        "data/flux-points",
        "data/hawc/crab_flux",
    )
    return [file for folder in folders for file in sorted((shared / folder).rglob("*.fits*"))]


def test_every_column_of_the_real_files_is_as_astropy_reads_it(shared: Path) -> None:
    files = real_files(shared)
    assert len(files) > 40
    for path in files:
        ours = read_fits(path)
        with fits.open(path, memmap=False) as theirs:
            assert len(ours.extensions) == len(theirs)
            for mine, hdu in zip(ours.extensions[1:], theirs[1:], strict=True):
                assert mine.name == hdu.name
                assert all(mine.header[name] == hdu.header[name] for name in hdu.header if name != "COMMENT")
                for column in hdu.columns:
                    assert mine.unit(column.name) == (column.unit or "")
                    same_column(mine, column.name, hdu.data[column.name], column.format)


def same_column(mine: Any, name: str, expected: Any, form: str) -> None:
    if form.startswith("P"):
        assert all(np.array_equal(*rows) for rows in zip(mine.heap_column(name), expected, strict=True))
        return
    found = mine.column(name)
    assert found.shape == expected.shape
    assert np.array_equal(found, expected, equal_nan=found.dtype.kind == "f")


def table_file(tmp_path: Path, *columns: fits.Column, name: str = "DATA", **cards: Any) -> Path:
    hdu = fits.BinTableHDU.from_columns(columns, name=name)
    for card, value in cards.items():
        hdu.header[card] = value
    path = tmp_path / "table.fits"
    fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(path)
    return path


def test_scaled_null_unsigned_string_and_bit_columns(tmp_path: Path) -> None:
    path = table_file(
        tmp_path,
        fits.Column("U", "I", array=np.array([0, 65535], np.uint16), bzero=32768),
        fits.Column("N", "J", array=np.array([7, -99]), null=-99),
        fits.Column("T", "5A", array=np.array(["it's", "x"])),
        fits.Column("M", "6E", array=np.arange(12.0).reshape(2, 6), dim="(3,2)"),
        fits.Column("B", "L", array=np.array([True, False])),
    )
    extension = read_fits(path).get("data")
    assert extension.column("U").tolist() == [0, 65535]
    assert extension.column("u").dtype.kind in "fi"
    assert extension.floats("N")[0] == 7
    assert np.isnan(extension.floats("N")[1])
    assert extension.column("T").tolist() == ["it's", "x"]
    assert extension.column("M").shape == (2, 2, 3)
    assert extension.column("M")[1, 1, 2] == 11
    assert extension.column("B").tolist() == [True, False]


def test_scaled_columns(tmp_path: Path) -> None:
    path = tmp_path / "scaled.fits"
    write_fits(path, [Table("DATA", (Column("S", np.array([3, 5], np.int32)),), {"TSCAL1": 0.5, "TZERO1": 1.0})])
    assert read_fits(path).get("DATA").column("S").tolist() == [2.5, 3.5]
    with fits.open(path) as hdus:
        assert hdus["DATA"].data["S"].tolist() == [2.5, 3.5]


@pytest.mark.parametrize(
    ("cards", "match"),
    [
        ({"TSCAL1": "abc"}, "TSCAL1 is 'abc'"),
        ({"TSCAL1": "1"}, "TSCAL1 is '1'"),
        ({"TZERO1": float("inf")}, "TZERO1 is inf"),
        ({"TSCAL1": 0.0}, "TSCAL1 is 0"),
        ({"TNULL1": "x"}, "TNULL1 is 'x'"),
    ],
)
def test_scales_of_columns_that_are_no_numbers(tmp_path: Path, cards: dict[str, Any], match: str) -> None:
    path = tmp_path / "scaled.fits"
    write_fits(path, [Table("DATA", (Column("S", np.array([3, 5], np.int32)),), cards)])
    with pytest.raises(DataError, match=match):
        read_fits(path).get("DATA").column("S")


def test_long_strings_and_quotes_in_cards(tmp_path: Path) -> None:
    text = "it's " + "a long value " * 12
    path = table_file(
        tmp_path, fits.Column("A", "D", array=[1.0]), META=text, SHORT="o'clock", LOGIC=True, NUMBER=1.5e-300
    )
    header = read_fits(path).get("DATA").header
    assert header["META"] == text.rstrip()
    assert (header["SHORT"], header["LOGIC"], header["NUMBER"]) == ("o'clock", True, 1.5e-300)


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("1.0D-3 / comment", 1e-3),
        ("T", True),
        ("  12 ", 12),
        ("'a''b / c' / d", "a'b / c"),
        ("''", ""),
        ("", ""),
        ("1.E5", 1e5),
    ],
)
def test_card_values(card: str, value: Any) -> None:
    assert parse_value(card) == value


def test_a_gzip_file_of_several_members_is_one_stream(tmp_path: Path) -> None:
    data = table_file(tmp_path, fits.Column("A", "D", array=[1.0, 2.0])).read_bytes()
    path = tmp_path / "parts.fits.gz"
    path.write_bytes(gzip.compress(data[:4000]) + gzip.compress(data[4000:]))
    assert read_fits(path).get("DATA").column("A").tolist() == [1.0, 2.0]


@pytest.fixture
def good(tmp_path: Path) -> bytes:
    return table_file(tmp_path, fits.Column("A", "D", array=np.arange(1000.0), unit="TeV")).read_bytes()


BAD_BYTES = {
    "empty": (lambda data: b"", "not a FITS file; it is empty"),
    "garbage": (lambda data: b"\x00\x01garbage" * 100, "not a FITS file"),
    "text": (lambda data: b"name: value\n", "not a FITS file"),
    "cut in the first header": (lambda data: data[:1000], "truncated inside a header"),
    "cut in the data": (lambda data: data[:-2881], r"HDU DATA: truncated: needs 8000 bytes, 5759 are there"),
    "gzip cut short": (lambda data: gzip.compress(data)[:-200], "cut short"),
    "gzip without its last byte": (lambda data: gzip.compress(data)[:-1], "cut short"),
    "gzip damaged": (lambda data: gzip.compress(data)[:-6] + b"xxxxxx", "gzip file is damaged"),
    "bytes left over": (lambda data: data + bytes(100), "something follows that is none"),
    "a block left over": (lambda data: data + b"x" * 2880, "something follows that is none"),
    "a bit of XTENSION": (lambda data: data.replace(b"XTENSION", b"XTENSINN"), "something follows that is none"),
    "gzip with bytes left over": (lambda data: gzip.compress(data + bytes(5000)), "something follows that is none"),
    "bytes behind gzip": (lambda data: gzip.compress(data) + b"and more", "no gzip stream follow"),
    "gzip of text": (lambda data: gzip.compress(b"hello" * 100), "does not hold a FITS file"),
    "no END": (lambda data: data.replace(b"END     ", b"EEND    "), "truncated inside a header"),
    "huge table": (
        lambda data: data.replace(b"                 1000", b"        1000000000000"),
        "HDU DATA: truncated",
    ),
    "negative size": (lambda data: data.replace(b"                 1000", b"                -1000"), "negative"),
    "size not a number": (
        lambda data: data.replace(b"                 1000", b"                  abc"),
        "NAXIS2 is 'abc'",
    ),
    "wrong BITPIX": (
        lambda data: data.replace(b"BITPIX  =                    8", b"BITPIX  =                    7"),
        "BITPIX",
    ),
    "row length": (
        lambda data: data.replace(b"'D       '", b"'J       '"),
        "the columns need 4 bytes per row, NAXIS1 is 8",
    ),
    "column format": (lambda data: data.replace(b"'D       '", b"'Z       '"), "format 'Z', unknown to FITS"),
    "gzip bomb": (
        lambda data: gzip.compress(data.replace(b"                 1000", b"          99000000000")),
        "truncated",
    ),
}


@pytest.mark.parametrize("case", BAD_BYTES)
def test_damaged_files_give_one_clear_message(tmp_path: Path, good: bytes, case: str) -> None:
    damage, message = BAD_BYTES[case]
    path = tmp_path / "bad.fits"
    path.write_bytes(damage(good))
    with pytest.raises(DataError, match=message) as raised:
        read_fits(path).get("DATA").column("A")
    assert str(path) in str(raised.value)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_fits(tmp_path / "absent.fits")
    with pytest.raises(DataError, match="is a directory"):
        read_fits(tmp_path)
    with pytest.raises(DataError, match="not a regular file"):
        read_fits("/dev/null")


def test_a_gigabyte_of_garbage_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "garbage.fits"
    with path.open("wb") as file:
        file.truncate(1 << 30)  # a sparse file: reading it would take a gigabyte of memory
    with pytest.raises(DataError, match="not a FITS file"):
        read_fits(path)


def test_a_header_without_end_is_not_searched_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "endless.fits"
    with path.open("wb") as file:
        file.write(b"SIMPLE  =                    T")
        file.truncate(1 << 30)
    with pytest.raises(DataError, match="no END"):
        read_fits(path)


def test_what_is_missing_is_said_with_what_is_there(good: bytes, tmp_path: Path) -> None:
    path = tmp_path / "table.fits"
    with pytest.raises(DataError, match=r"no HDU DATTA\n.*found: PRIMARY, DATA.*did you mean 'DATA'"):
        read_fits(path).get("DATTA")
    extension = read_fits(path).get("DATA")
    with pytest.raises(DataError, match=r"HDU DATA: no column B\n.*found: A"):
        extension.column("B")
    with pytest.raises(DataError, match=r"column A is in 'TeV', expected a unit of 'cm2'"):
        extension.floats("A", "cm2")
    with pytest.raises(DataError, match="expected a binary table"):
        read_fits(path).get("PRIMARY").column("A")


def test_a_heap_that_points_outside_the_file(tmp_path: Path) -> None:
    rows = np.empty(2, dtype=object)
    rows[:] = [np.arange(3.0), np.arange(5.0)]
    path = table_file(tmp_path, fits.Column("V", "PD()", array=rows))
    extension = read_fits(path).get("DATA")
    assert [row.tolist() for row in extension.heap_column("V")] == [[0, 1, 2], [0, 1, 2, 3, 4]]
    data = bytearray(path.read_bytes())
    data[extension.start : extension.start + 4] = (1 << 20).to_bytes(4, "big")
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="points outside its heap"):
        read_fits(path).get("DATA").heap_column("V")


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_the_damage_it_is_a_data_error(tmp_path: Path, good: bytes, data: st.DataObject) -> None:
    damaged = bytearray(good[:14400])
    for place in data.draw(st.lists(st.integers(2880, 8640), min_size=1, max_size=6)):
        damaged[place] = data.draw(st.sampled_from(b"0123456789.+-'ETDF =/,()\0\xffabcZ"))
    path = tmp_path / "damaged.fits"
    path.write_bytes(bytes(damaged))
    try:
        for extension in read_fits(path).extensions[1:]:
            extension.table()
    except DataError as error:
        assert str(path) in str(error)  # noqa: PT017  both outcomes are right


def test_a_table_with_fewer_bytes_than_rows(tmp_path: Path) -> None:
    path = table_file(tmp_path, fits.Column("A", "E", array=np.arange(100.0)))
    raw = path.read_bytes()
    axes = b"NAXIS   =                    2"
    at = raw.rindex(axes)
    path.write_bytes(raw[:at] + b"NAXIS   =                    1" + raw[at + len(axes) :])
    with pytest.raises(DataError, match=r"table\.fits"):
        read_fits(path).get("DATA").column("A")


def test_a_name_that_no_file_can_have() -> None:
    with pytest.raises(DataError, match="no file can be called that"):
        read_fits("arf\0.fits")


def test_files_with_equal_headers_keep_their_own_values(tmp_path: Path) -> None:
    """Headers are parsed once for all files that have the same one; one card more, and it is another one."""
    names = ("one", "two", "scaled")
    for number, name in enumerate(names):
        (tmp_path / name).mkdir()
        cards: dict[str, Any] = {"TSCAL1": 2.0} if name == "scaled" else {}
        table_file(tmp_path / name, fits.Column("A", "J", array=np.arange(3) + 10 * number), **cards)
    one, two, scaled = (read_fits(next((tmp_path / name).iterdir())).get("DATA") for name in names)
    assert one.header is two.header
    assert one.columns is two.columns
    assert [one.path, two.path] == [next((tmp_path / name).iterdir()) for name in names[:2]]
    assert [list(each.column("A")) for each in (one, two, scaled)] == [[0, 1, 2], [10, 11, 12], [40, 42, 44]]
    header: Any = one.table().header
    header["NEW"] = 1
    assert "NEW" not in two.table().header


def test_what_equal_extensions_say_is_read_once(tmp_path: Path) -> None:
    """Of the last few that have the same header and data; an error names its own file, each time."""
    asked: list[Path] = []

    def total(extension: Extension) -> float:
        asked.append(extension.path)
        if extension.column("A")[0] < 0:
            extension.fail("is negative")
        return float(extension.column("A").sum())

    def table(name: str, *values: int) -> Extension:
        (tmp_path / name).mkdir()
        table_file(tmp_path / name, fits.Column("A", "J", array=values))
        return read_fits(next((tmp_path / name).iterdir())).get("DATA")

    one, same, other, longer = table("one", 1, 2), table("same", 1, 2), table("other", 1, 3), table("longer", 1, 2, 3)
    assert [each.once(total) for each in (one, same, other, longer, other, same)] == [3.0, 3.0, 4.0, 6.0, 4.0, 3.0]
    assert asked == [one.path, other.path, longer.path]
    assert one.once(lambda extension: extension.name) == "DATA", "another question"
    for name in ("bad", "worse"):
        bad = table(name, -1, 2)
        with pytest.raises(DataError, match=f"{name}.*is negative"):
            bad.once(total)


def test_a_row_that_no_memory_could_hold(tmp_path: Path) -> None:
    path = table_file(tmp_path, fits.Column("A", "8A", array=["x"]))
    wide = path.read_bytes().replace(b"'8A      '   ", b"'3000000000A'")
    wide = wide.replace(b"NAXIS1  =                    8", b"NAXIS1  =           3000000000")
    path.write_bytes(wide.replace(b"NAXIS2  =                    1", b"NAXIS2  =                    0")[:-2880])
    with pytest.raises(DataError, match="a row has 3000000000 bytes"):
        read_fits(path).get("DATA").column("A")


def test_a_file_is_read_no_further_than_an_extension(tmp_path: Path) -> None:
    tables = [Table(name, (Column("A", np.random.default_rng(1).random(20000)),)) for name in ("FIRST", "SECOND")]
    path = tmp_path / "a.fits.gz"
    write_fits(path, tables)
    path.write_bytes(path.read_bytes()[:-1000])  # cut short inside the second
    found = first_extension(path, "OTHER", "first")
    assert found is not None
    assert (found.name, found.integer("NAXIS2")) == ("FIRST", 20000)
    with pytest.raises(DataError, match="cut short"):
        first_extension(path, "THIRD")
    with pytest.raises(DataError, match="no such file"):
        first_extension(tmp_path / "none.fits", "FIRST")


@pytest.mark.parametrize("cards", [{}, {"TSCAL1": 2.0, "TZERO1": 1.0}])
def test_rows_of_a_heap_in_any_order(tmp_path: Path, cards: dict[str, Any]) -> None:
    """Rows one behind the other are read at once, others one by one: with gaps, out of order, empty, twice the same."""
    rows = [np.arange(n, dtype=np.int32) + 10 * n for n in (3, 0, 2, 4)]
    path = table_file(tmp_path, fits.Column("A", "PJ()", array=np.array(rows, dtype=object)), **cards)
    scale, zero = cards.get("TSCAL1", 1.0), cards.get("TZERO1", 0.0)
    extension, data = read_fits(path).get("DATA"), bytearray(path.read_bytes())
    stored = np.ndarray((4, 2), ">i4", data, extension.start)
    assert stored.tolist() == [[3, 0], [0, 12], [2, 12], [4, 20]]
    heap = np.concatenate(rows)
    for pairs in (stored.copy(), [[2, 0], [0, 0], [3, 12], [1, 32]], [[4, 20], [4, 20], [0, 0], [3, 0]], [[0, 4]] * 4):
        stored[:] = pairs
        path.write_bytes(data)
        for found, (count, offset) in zip(read_fits(path).get("DATA").heap_column("A"), pairs, strict=True):
            expected = heap[offset // 4 : offset // 4 + count]
            np.testing.assert_array_equal(found, expected * scale + zero if cards else expected, strict=not cards)
