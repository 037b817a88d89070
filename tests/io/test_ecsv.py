"""ECSV tables against astropy, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy import units as u
from astropy.table import MaskedColumn, QTable
from astropy.table import Table as AstropyTable
from astropy.utils.masked import Masked
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gm.errors import DataError
from gm.io.ecsv import read_ecsv, write_ecsv
from gm.io.sed_table import read_sed
from gm.io.tables import Column, Table
from gm.units import factor

FLOATS = hnp.arrays(np.float64, 4)


def astropy_file(path: Path, delimiter: str = " ") -> Path:
    table = AstropyTable()
    table["e_ref"] = [1.0, 2.5e-3, np.nan]
    table["e_ref"].unit = "TeV"
    table["dnde"] = MaskedColumn([1e-11, 2e-12, 3e-13], mask=[False, True, False], unit="1 / (TeV s cm2)")
    table["is_ul"] = [True, False, True]
    table["n"] = [1, 2, 3]
    table["label"] = ["a b", "it's", ""]
    table["scan"] = np.arange(6.0).reshape(3, 2)
    table.meta.update({"SED_TYPE": "dnde", "UL_CONF": 0.95, "nested": {"a": [1, 2]}})
    table.write(path, format="ascii.ecsv", delimiter=delimiter)
    return path


@pytest.mark.parametrize("delimiter", [" ", ","])
def test_reads_what_astropy_writes(tmp_path: Path, delimiter: str) -> None:
    table = read_ecsv(astropy_file(tmp_path / "t.ecsv", delimiter))
    assert table.names == ["e_ref", "dnde", "is_ul", "n", "label", "scan"]
    assert np.array_equal(table.array("e_ref"), [1.0, 2.5e-3, np.nan], equal_nan=True)
    assert np.array_equal(table.array("dnde"), [1e-11, np.nan, 3e-13], equal_nan=True)
    assert table.array("is_ul").tolist() == [True, False, True]
    assert table.array("label").tolist() == ["a b", "it's", ""]
    assert np.array_equal(table.array("scan"), np.arange(6.0).reshape(3, 2))
    assert (table.unit("e_ref"), table.unit("n")) == ("TeV", "")
    assert factor(table.unit("dnde"), "cm-2 s-1 TeV-1") == 1.0
    assert (table.header["SED_TYPE"], table.header["UL_CONF"]) == ("dnde", 0.95)


@given(
    energy=FLOATS,
    scan=hnp.arrays(np.float64, (4, 3)),
    flags=hnp.arrays(bool, 4),
    number=st.floats(allow_nan=False, allow_infinity=False),
)
def test_values_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, energy: np.ndarray, scan: np.ndarray, flags: np.ndarray, number: float
) -> None:
    columns = (
        Column("e_ref", energy, "TeV"),
        Column("stat_scan", scan),
        Column("is_ul", flags),
        Column("n", np.arange(4)),
    )
    table = Table("", columns, {"SED_TYPE": "dnde", "UL_CONF": number})
    path = tmp_path_factory.mktemp("ecsv") / "t.ecsv"
    write_ecsv(path, table)
    assert read_ecsv(path).same_as(table)
    theirs = AstropyTable.read(path, format="ascii.ecsv")
    assert np.array_equal(np.ma.filled(theirs["e_ref"], np.nan), energy, equal_nan=True)
    assert np.array_equal(np.asarray(theirs["stat_scan"], dtype=float), scan, equal_nan=True)
    assert theirs["is_ul"].tolist() == flags.tolist()
    assert str(theirs["e_ref"].unit) == "TeV"
    assert theirs.meta["UL_CONF"] == number


HEAD = "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, unit: TeV, datatype: float64}\n"
ROWS = "a\n1.5\n2\n"
PEOPLE = {
    "blanks at the ends of lines": HEAD + "a \n1.5 \n2 \n",
    "a comment among the rows": HEAD + "a\n# a remark\n1.5\n2\n",
    "no blank behind the hash": HEAD.replace("# ", "#") + ROWS,
    "an older version": HEAD.replace("1.0", "0.9") + ROWS,
    "a byte order mark": "\ufeff" + HEAD + ROWS,
    "lines of another system": (HEAD + ROWS).replace("\n", "\r\n"),
    "an empty line at the end": HEAD + ROWS + "\n",
}


@pytest.mark.parametrize("case", PEOPLE)
def test_files_as_people_write_them(tmp_path: Path, case: str) -> None:
    (tmp_path / "t.ecsv").write_bytes(PEOPLE[case].encode())
    table = read_sed(tmp_path / "t.ecsv")
    assert table.array("a").tolist() == [1.5, 2.0]
    assert table.unit("a") == "TeV"


@pytest.mark.parametrize("method", [None, "data_mask"])
def test_quantities_and_masks_of_a_qtable(tmp_path: Path, method: str | None) -> None:
    table = QTable({"a": [1.5, 2.0] * u.TeV, "b": Masked([3.0, 4.0] * u.TeV, mask=[False, True])})
    table["n"] = MaskedColumn([1, 2], mask=[True, False])
    table["flag"] = MaskedColumn([True, True], mask=[True, False])
    table["text"] = MaskedColumn(["x", "y"], mask=[True, False])
    table["scan"] = MaskedColumn(np.ones((2, 2)), mask=[[True, False], [False, False]])
    table.write(tmp_path / "t.ecsv", serialize_method=method)
    read = read_ecsv(tmp_path / "t.ecsv")
    expected = {
        "a": [1.5, 2.0], "b": [3.0, np.nan], "n": [np.nan, 2.0], "flag": [False, True], "text": ["", "y"],
        "scan": [[np.nan, 1.0], [1.0, 1.0]],
    }  # fmt: skip
    for name, values in expected.items():
        np.testing.assert_array_equal(read.array(name), np.array(values))
    assert read.unit("a") == read.unit("b") == "TeV"


BAD = {
    "no header": ("1.0 2.0\n", "no ECSV header"),
    "empty": ("", "no ECSV header"),
    "header not YAML": ("# %ECSV 1.0\n# ---\n# datatype: [\na\n", "not a valid ECSV table"),
    "no datatype": ("# %ECSV 1.0\n# ---\n# meta: {}\na\n1\n", "not a valid ECSV table"),
    "names": (HEAD + "b\n1\n", "not a valid ECSV table"),
    "short row": (HEAD + "a\n1 2\n", "not a valid ECSV table"),
    "not a number": (HEAD + "a\nx\n", "not a valid ECSV table"),
    "datatype": (HEAD.replace("float64", "thing") + ROWS, "not a valid ECSV table"),
    "bool": (HEAD.replace("float64", "bool") + ROWS, "not a valid ECSV table"),
    "deep YAML": (HEAD.replace("float64", "float64, y: " + "[" * 1500 + "]" * 1500) + ROWS, "not a valid ECSV table"),
    "deep JSON": (HEAD.replace("float64", "string, subtype: 'float64[2]'") + "a\n" + "[" * 10**5, "not a valid ECSV"),
    "long cell": (HEAD.replace("float64", "string") + "a\n" + "x" * 200_000, "not a valid ECSV table"),
    "many digits": (HEAD.replace("float64", "int64") + "a\n" + "9" * 5000, "not a valid ECSV table"),
    "huge cells": (HEAD.replace("float64", "string, subtype: 'float64[1000000000]'") + 'a\n""', "are more values than"),
    "huge texts": (HEAD.replace("float64", "U999999999") + ROWS, "are more values than"),
    "wrong tag": (HEAD.replace("float64", "float64, y: !!bool foo") + ROWS, "not a valid ECSV table"),
    "unit": (HEAD.replace("TeV", "[TeV]") + ROWS, "not a valid ECSV table"),
    "twice": (HEAD + HEAD.splitlines()[-1] + "\na a\n1 2\n", "two columns are called 'a'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_give_one_clear_message(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    path = tmp_path / "t.ecsv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        read_ecsv(path)
    assert str(path) in str(raised.value)
    assert len(str(raised.value)) < 500


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_ecsv(tmp_path / "absent.ecsv")
    (tmp_path / "binary.ecsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="neither FITS nor ECSV"):
        read_ecsv(tmp_path / "binary.ecsv")
