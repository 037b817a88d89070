"""ECSV tables against astropy, and what is wrong with one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import MaskedColumn
from astropy.table import Table as AstropyTable
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from gm.errors import DataError
from gm.io.ecsv import read_ecsv, write_ecsv
from gm.io.tables import Column, Table

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
    assert (table.unit("e_ref"), table.unit("dnde"), table.unit("n")) == ("TeV", "1 / (TeV s cm2)", "")
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


BAD = {
    "no header": ("1.0 2.0\n", "no ECSV header"),
    "empty": ("", "no ECSV header"),
    "header not YAML": ("# %ECSV 1.0\n# ---\n# datatype: [\na\n", "header is not valid"),
    "no datatype": ("# %ECSV 1.0\n# ---\n# meta: {}\na\n1\n", "no list 'datatype'"),
    "aliases": ("# %ECSV 1.0\n# ---\n# datatype: [&a {name: x, datatype: float64}, *a]\nx\n1\n", "header is not valid"),
    "names": ("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: float64}\nb\n1\n", "does not match"),
    "short row": ("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: float64}\na\n1 2\n", "row 1 has 2 values"),
    "not a number": ("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: float64}\na\nx\n", "column a: "),
    "datatype": ("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: thing}\na\nx\n", "column a"),
    "bool": ("# %ECSV 1.0\n# ---\n# datatype:\n# - {name: a, datatype: bool}\na\nmaybe\n", "column a: 'maybe'"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_files_give_one_clear_message(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    path = tmp_path / "t.ecsv"
    path.write_text(text)
    with pytest.raises(DataError, match=message) as raised:
        read_ecsv(path)
    assert str(path) in str(raised.value)


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_ecsv(tmp_path / "absent.ecsv")
    (tmp_path / "binary.ecsv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="neither FITS nor ECSV"):
        read_ecsv(tmp_path / "binary.ecsv")
