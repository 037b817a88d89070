"""OGIP spectra as their files say: what is predicted, and the off scale, against sums written out here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from gm.datasets import SpectrumDatasetOnOff, read_dataset, write_dataset
from gm.errors import DataError

EDGES = np.geomspace(1.0, 64.0, 7) * 1e9  # keV
TRUE = np.geomspace(0.5, 128.0, 9) * 1e9  # keV
AREA = np.linspace(2e8, 9e8, 8)  # cm2
MATRIX = np.array([[np.exp(-((i - j - 1) ** 2)) * (abs(i - j - 1) < 2) for j in range(6)] for i in range(8)])
COUNTS = np.array([30, 21, 14, 9, 4, 1])
COUNTS_OFF = np.array([80, 61, 44, 29, 14, 6])
LIVETIME = 1200.0
Columns = dict[str, Any]


def table(name: str, columns: Columns, cards: dict[str, Any] | None = None) -> fits.BinTableHDU:
    def column(key: str, values: Any) -> fits.Column:
        if isinstance(values, list):
            return fits.Column(key, "PI()" if "CHAN" in key else "PE()", array=np.array([*values, None], object)[:-1])
        form = f"{np.asarray(values)[0].size}" + {"i": "I", "f": "D", "b": "L"}[np.asarray(values).dtype.kind]
        return fits.Column(key, form, array=values, unit="keV" if key.startswith(("E_", "ENERG")) else None)

    hdu = fits.BinTableHDU.from_columns([column(key, values) for key, values in columns.items()], name=name)
    hdu.header.update({"HDUCLASS": "OGIP", **(cards or {})})
    return hdu


def write_run(
    folder: Path, *, first: int = 0, tlmin: int | None = 0, order: Any = None, on: Columns | None = None,
    off: Columns | None = None, on_cards: Columns | None = None, off_cards: Columns | None = None,
    arf_scale: float = 1.0, cards: Columns | None = None, matrix: np.ndarray = MATRIX, falls: bool = False,
) -> Path:  # fmt: skip
    """Four files; ``on`` and ``off`` replace columns (None: leaves them out), ``*_cards`` header cards.

    ``cards`` are those of the RMF. ``falls``: channels are numbered from the highest energy to the lowest.
    """
    rows = np.arange(6) if order is None else np.asarray(order)
    channel = np.arange(first, first + 6)[:: -1 if falls else 1]
    bounds = {"CHANNEL": channel[rows], "E_MIN": EDGES[:-1][rows], "E_MAX": EDGES[1:][rows]}

    def spectrum(name: str, counts: Any, scale: float, columns: Columns | None, cards: Columns | None) -> None:
        given = {"CHANNEL": channel, "COUNTS": counts, "QUALITY": np.zeros(6, int), "BACKSCAL": np.full(6, scale)}
        given = {key: np.asarray(v)[rows] for key, v in (given | (columns or {})).items() if v is not None}
        named = {"ANCRFILE": "arf.fits", "BACKFILE": "bkg.fits", "RESPFILE": "rmf.fits", "EXPOSURE": LIVETIME}
        hdus = [fits.PrimaryHDU(), table("SPECTRUM", given, named | (cards or {})), table("EBOUNDS", bounds)]
        fits.HDUList(hdus).writeto(folder / name)

    spectrum("pha.fits", COUNTS, 1.0, on, on_cards)
    spectrum("bkg.fits", COUNTS_OFF, 10.0, off, off_cards)
    arf = {"ENERG_LO": TRUE[:-1] * arf_scale, "ENERG_HI": TRUE[1:] * arf_scale, "SPECRESP": AREA}
    fits.HDUList([fits.PrimaryHDU(), table("SPECRESP", arf)]).writeto(folder / "arf.fits")
    used = [np.flatnonzero(row) for row in matrix]
    response = {
        "ENERG_LO": TRUE[:-1],
        "ENERG_HI": TRUE[1:],
        "N_GRP": np.array([int(at.size > 0) for at in used]),
        "F_CHAN": [np.sort(channel[at])[:1].astype(np.int16) for at in used],
        "N_CHAN": [np.array([at.size] if at.size else [], np.int16) for at in used],
        "MATRIX": [row[at][:: -1 if falls else 1].astype(np.float32) for row, at in zip(matrix, used, strict=True)],
    }
    counted = {} if tlmin is None else {"TLMIN4": tlmin}
    hdus = [fits.PrimaryHDU(), table("MATRIX", response, counted | (cards or {})), table("EBOUNDS", bounds)]
    fits.HDUList(hdus).writeto(folder / "rmf.fits")
    return folder / "pha.fits"


def read(path: Path) -> SpectrumDatasetOnOff:
    dataset = read_dataset("SpectrumDatasetOnOff", path, "run")
    assert isinstance(dataset, SpectrumDatasetOnOff)
    return dataset


def predicted(areascal: Any = 1.0) -> np.ndarray:
    """Counts of unit fluxes, summed by hand: flux ARF EXPOSURE AREASCAL, over the matrix."""
    total = np.zeros(6)
    for i, area in enumerate(AREA):
        for j in range(6):
            total[j] += area * LIVETIME * np.float32(MATRIX[i, j])
    return total * areascal


def check(dataset: SpectrumDatasetOnOff, areascal: Any = 1.0, alpha: Any = 0.1) -> None:
    np.testing.assert_allclose(dataset.response().sum(axis=0), predicted(areascal), rtol=1e-12)
    np.testing.assert_allclose(dataset.alpha(), np.broadcast_to(alpha, 6), rtol=1e-12)
    np.testing.assert_allclose(dataset.energy.edges, EDGES * 1e-9, rtol=1e-14)
    assert dataset.counts.tolist() == COUNTS.tolist()
    assert dataset.counts_off.tolist() == COUNTS_OFF.tolist()


@pytest.mark.parametrize(("first", "tlmin"), [(0, 0), (1, 1), (0, None), (1, None), (5, 5), (5, None)])
def test_channels_count_from_what_the_files_say(tmp_path: Path, first: int, tlmin: int | None) -> None:
    check(read(write_run(tmp_path, first=first, tlmin=tlmin)))


@pytest.mark.parametrize("first", [0, 1])
def test_rows_are_put_in_the_order_of_their_channels(tmp_path: Path, first: int) -> None:
    check(read(write_run(tmp_path, first=first, tlmin=first, order=[3, 0, 5, 1, 2, 4])))


def test_a_matrix_that_starts_below_the_channels_of_its_bounds(tmp_path: Path) -> None:
    """Without TLMIN, channel 0 in F_CHAN says that it counts from 0, whatever CHANNEL says."""
    path = write_run(tmp_path, tlmin=None)
    with fits.open(tmp_path / "rmf.fits", mode="update") as hdus:
        hdus["EBOUNDS"].data["CHANNEL"] += 1
    check(read(path))


@pytest.mark.parametrize("areascal", [0.5, np.array([0.5, 0.6, 0.7, 0.8, 0.9, 1.0])])
def test_areascal_scales_what_is_predicted(tmp_path: Path, areascal: Any) -> None:
    constant = isinstance(areascal, float)
    both = {"AREASCAL": areascal}
    parts = {"on_cards": both, "off_cards": both} if constant else {"on": both, "off": both}
    check(read(write_run(tmp_path, **parts)), areascal)


def test_the_off_scale_is_a_ratio_of_exposure_backscal_and_areascal(tmp_path: Path) -> None:
    on, off = {"BACKSCAL": np.linspace(1.0, 2.0, 6), "AREASCAL": np.full(6, 0.8)}, {"BACKSCAL": None}
    cards = {"EXPOSURE": 3 * LIVETIME, "BACKSCAL": 4.0, "AREASCAL": 0.5}
    alpha = (LIVETIME * np.linspace(1.0, 2.0, 6) * 0.8) / (3 * LIVETIME * 4.0 * 0.5)
    check(read(write_run(tmp_path, on=on, off=off, off_cards=cards)), 0.8, alpha)


def test_channels_are_good_where_both_files_say_so(tmp_path: Path) -> None:
    on, off = {"QUALITY": np.array([0, 5, 0, 0, 0, 2])}, {"QUALITY": np.array([1, 0, 0, 0, 0, 0])}
    assert read(write_run(tmp_path, on=on, off=off)).mask.tolist() == [False, False, True, True, True, False]


def test_rates_are_counts_in_the_exposure(tmp_path: Path) -> None:
    rate = (COUNTS / LIVETIME).astype(np.float32).astype(float)
    check(read(write_run(tmp_path, on={"COUNTS": None, "RATE": rate})))


def test_rates_are_in_the_unit_of_their_column(tmp_path: Path) -> None:
    on = {"COUNTS": None, "RATE": COUNTS / LIVETIME * 60}
    rate = {"TUNIT4": "count/min"}  # of the last column
    check(read(write_run(tmp_path, on=on, on_cards=rate)))


@pytest.mark.parametrize("name", ["pha", "arf", "rmf"])
def test_the_first_of_several_extensions_does_not_stand_for_all(tmp_path: Path, name: str) -> None:
    """As files of several spectra, or of responses by time."""
    path = write_run(tmp_path)
    file = tmp_path / f"{name}.fits"
    with fits.open(file) as hdus:
        where = hdus[1].fileinfo()
    file.write_bytes(file.read_bytes() + file.read_bytes()[where["hdrLoc"] : where["datLoc"] + where["datSpan"]])
    with pytest.raises(DataError, match=rf"{name}.fits: HDU \w+: is there 2 times, expected once"):
        read(path)


@pytest.mark.parametrize("tlmin", [0, None])
def test_unsigned_channels_and_scaled_values_of_variable_length(tmp_path: Path, tlmin: int | None) -> None:
    """F_CHAN less 32768 and the matrix by half, which the cards TZERO and TSCAL take back."""
    matrix = MATRIX.copy()
    matrix[:, 0] = 0.0  # the first channel is not used
    cards = {"TZERO4": 32768, "TSCAL6": 2.0}
    path = write_run(tmp_path, first=-32768, tlmin=tlmin, matrix=matrix / 2, cards=cards)
    for name in ("pha", "rmf"):
        with fits.open(tmp_path / f"{name}.fits", mode="update") as hdus:
            hdus["EBOUNDS"].data["CHANNEL"] = np.arange(6)
    dataset = read(path)
    assert dataset.edisp is not None
    np.testing.assert_allclose(dataset.edisp, matrix, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"on": {"SYS_ERR": np.full(6, 0.1)}}, "SYS_ERR"),
        ({"on_cards": {"SYS_ERR": 0.1}}, "SYS_ERR"),
        ({"off": {"STAT_ERR": np.full(6, 0.1)}}, "STAT_ERR"),
    ],
)
def test_what_the_statistic_has_no_place_for_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, given: dict[str, Any], what: str
) -> None:
    check(read(write_run(tmp_path, **given)))
    assert f"{what} is ignored" in caplog.text


def test_channels_are_joined_as_grouping_says(tmp_path: Path) -> None:
    on = {"GROUPING": np.array([1, -1, 1, -1, -1, 0]), "QUALITY": np.array([0, 0, 0, 5, 0, 0])}
    dataset = read(write_run(tmp_path, on=on))
    assert dataset.counts.tolist() == [30 + 21, 14 + 4, 1]
    assert dataset.counts_off.tolist() == [80 + 61, 44 + 14, 6]
    np.testing.assert_allclose(dataset.energy.edges, EDGES[[0, 2, 5, 6]] * 1e-9, rtol=1e-14)
    np.testing.assert_allclose(dataset.alpha(), 0.1, rtol=1e-12)
    each = predicted()
    expected = [each[0] + each[1], each[2] + each[4], each[5]]
    np.testing.assert_allclose(dataset.response().sum(axis=0), expected, rtol=1e-12)


def test_probabilities_above_1_are_told(tmp_path: Path) -> None:
    """By the dataset, as a warning of everything that predicts with it."""
    factor = 3.0 / MATRIX.sum(axis=1).max()
    for name in ("right", "wrong"):
        (tmp_path / name).mkdir()
    assert read(write_run(tmp_path / "right", matrix=factor / 3.0 * MATRIX)).remarks() == ()
    (told,) = read(write_run(tmp_path / "wrong", matrix=factor * MATRIX)).remarks()
    assert told == "the energy dispersion adds up to as much as 3, expected 1: predicted counts are scaled by it"


@pytest.mark.parametrize("says", [{"HDUCLAS3": "FULL"}, {"TUNIT6": "m2"}])
def test_a_response_that_includes_the_area(tmp_path: Path, says: dict[str, str]) -> None:
    """One matrix in place of ARF and RMF: [cm2], or in the unit that it says."""
    unit = 1e4 if "TUNIT6" in says else 1.0
    path = write_run(tmp_path, on_cards={"ANCRFILE": "none"}, cards=says, matrix=MATRIX * AREA[:, None] / unit)
    np.testing.assert_allclose(read(path).response().sum(axis=0), predicted(), rtol=1e-6)  # single precision
    with fits.open(path, mode="update") as hdus:
        hdus["SPECTRUM"].header["ANCRFILE"] = "arf.fits"
    with pytest.raises(DataError, match=r"rmf.fits: includes the effective area, as does ANCRFILE arf.fits"):
        read(path)


def test_a_run_without_background_has_no_bin(tmp_path: Path) -> None:
    dataset = read(write_run(tmp_path, on_cards={"BACKFILE": "none"}))
    assert not dataset.mask.any()
    write_dataset(dataset, tmp_path / "again.fits", "ogip")
    assert not (tmp_path / "again_bkg.fits").exists()
    assert not read(tmp_path / "again.fits").mask.any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"arf_scale": 1.2}, "rmf.fits: true-energy bins have an edge at .* those of arf.fits at"),
        ({"tlmin": 1}, "values from channel 0 on do not fit 6 channels\n .*count from 1"),
        ({"matrix": MATRIX * AREA[:, None]}, "MATRIX adds up to .* expected probabilities\n.*HDUCLAS3 = 'FULL'"),
        ({"on": {"GROUPING": np.full(6, 3)}}, "GROUPING has values other than"),
        ({"on": {"CHANNEL": np.array([0, 1, 1, 2, 3, 4])}}, "CHANNEL does not number"),
        ({"on": {"CHANNEL": np.array([0, 1, np.nan, 3, 4, 5])}}, "CHANNEL does not number"),
        ({"on": {"COUNTS": np.ones((6, 2))}}, "holds several spectra"),
        ({"on": {"COUNTS": None, "RATE": COUNTS / LIVETIME * 1.01}}, "RATE column that is no whole numbers"),
        ({"on_cards": {"TUNIT2": "count/s"}}, "column COUNTS is in 'count/s'"),
        ({"on_cards": {"POISSERR": "FALSE"}}, "POISSERR is F"),
        ({"off_cards": {"POISSERR": 0}}, "POISSERR is F"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, changes: Columns, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(write_run(tmp_path, **changes))


def test_bounds_of_the_spectrum_and_of_the_matrix_differ(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    with fits.open(tmp_path / "rmf.fits", mode="update") as hdus:
        hdus["EBOUNDS"].data["E_MIN"] *= 1.1
        hdus["EBOUNDS"].data["E_MAX"] *= 1.1
    with pytest.raises(DataError, match=r"rmf.fits: channels have an edge at .* those of pha.fits at"):
        read(path)


def test_written_files_are_what_the_standard_says(tmp_path: Path) -> None:
    dataset = read(write_run(tmp_path, on={"QUALITY": np.array([5, 0, 0, 0, 0, 0])}))
    write_dataset(dataset, tmp_path / "out.fits", "ogip")
    with fits.open(tmp_path / "out.fits") as hdus:
        spectrum = hdus["SPECTRUM"]
        assert spectrum.columns["QUALITY"].format == "I"
        assert spectrum.data["QUALITY"].tolist() == [5, 0, 0, 0, 0, 0]
        assert (spectrum.header["BACKSCAL"], spectrum.header["AREASCAL"]) == (1.0, 1.0)
        assert hdus["EBOUNDS"].columns["E_MIN"].unit == "keV"
    write_dataset(dataset.with_(acceptance=np.array([9.0, 1, 1, 1, 1, 1])), tmp_path / "cards.fits", "ogip-cards")
    with fits.open(tmp_path / "cards.fits") as hdus:
        assert hdus["SPECTRUM"].columns.names == ["CHANNEL", "COUNTS", "QUALITY"]
        assert hdus["SPECTRUM"].header["BACKSCAL"] == 1.0
    check(read(tmp_path / "cards.fits"))
    back = read(tmp_path / "out.fits")
    check(back)
    assert back.mask.tolist() == dataset.mask.tolist()
    assert np.array_equal(back.energy.edges, dataset.energy.edges)


def without_bounds(folder: Path) -> None:
    """PHA and background file without EBOUNDS: the RMF says what the energies of their channels are."""
    for name in ("pha.fits", "bkg.fits"):
        with fits.open(folder / name, mode="update") as hdus:
            del hdus["EBOUNDS"]


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("by", [-1, 1])
def test_channels_that_count_from_another_number_are_told(
    tmp_path: Path, by: int, alone: bool, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_run(tmp_path, first=1, tlmin=1)
    with fits.open(path, mode="update") as hdus:
        hdus["SPECTRUM"].data["CHANNEL"] += by
    if alone:
        without_bounds(tmp_path)
    check(read(path))
    file = "rmf.fits" if alone else "pha.fits"
    [told] = [text for text in caplog.messages if "count from" in text]
    assert told.endswith(
        f"pha.fits: channels count from {1 + by}, those of EBOUNDS in {file} from 1: taken for the same, one by one"
    )


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("first", [0, 1])
def test_energies_that_fall_as_channels_rise(tmp_path: Path, first: int, alone: bool) -> None:
    path = write_run(tmp_path, first=first, tlmin=first, falls=True)
    if alone:
        without_bounds(tmp_path)
    check(read(path))


def test_groups_of_channels_whose_energies_fall(tmp_path: Path) -> None:
    """Rows are those of rising energies, so that GROUPING is read from the last row to the first."""
    dataset = read(write_run(tmp_path, on={"GROUPING": np.array([-1, -1, 1, 1, -1, 1])}, falls=True))
    np.testing.assert_allclose(dataset.energy.edges, EDGES[[0, 3, 4, 6]] * 1e-9, rtol=1e-14)
    assert dataset.counts.tolist() == [COUNTS[:3].sum(), COUNTS[3], COUNTS[4:].sum()]


@pytest.mark.parametrize("falls", [False, True])
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("rows", [slice(0, 3), slice(2, 5), slice(3, 6)])
def test_channels_that_are_not_listed_are_not_used(tmp_path: Path, rows: slice, alone: bool, falls: bool) -> None:
    path = write_run(tmp_path, first=1, tlmin=1, on_cards={"DETCHANS": 6}, falls=falls)
    with fits.open(path, mode="update") as hdus:
        hdus["SPECTRUM"].data = hdus["SPECTRUM"].data[rows]
    if alone:
        without_bounds(tmp_path)
    dataset = read(path)
    listed = np.zeros(6, dtype=bool)
    listed[rows] = True
    assert dataset.mask.tolist() == listed.tolist()
    assert dataset.counts.tolist() == np.where(listed, COUNTS, 0).tolist()
    assert dataset.counts_off.tolist() == COUNTS_OFF.tolist()
    np.testing.assert_allclose(dataset.response().sum(axis=0), predicted(), rtol=1e-12)
    np.testing.assert_allclose(dataset.alpha()[listed], 0.1, rtol=1e-12)


@pytest.mark.parametrize("cards", [{}, {"DETCHANS": 3}])
def test_fewer_channels_are_refused_where_nothing_says_that_there_are_more(tmp_path: Path, cards: Columns) -> None:
    path = write_run(tmp_path, on_cards=cards)
    with fits.open(path, mode="update") as hdus:
        hdus["SPECTRUM"].data = hdus["SPECTRUM"].data[:3]
    with pytest.raises(DataError, match=r"pha.fits: HDU SPECTRUM: 3 channels, EBOUNDS has 6"):
        read(path)
    without_bounds(tmp_path)
    with pytest.raises(DataError, match=r"3 channels, EBOUNDS of rmf.fits has 6\n .*do not belong together"):
        read(path)


def test_names_of_files_with_the_extension_in_them(tmp_path: Path) -> None:
    """As HEASoft has them: the table that is looked for, or the first spectrum or matrix of a file that has one."""
    names = {"ANCRFILE": "arf.fits[SPECRESP]", "RESPFILE": "rmf.fits{1}", "BACKFILE": "bkg.fits [spectrum]"}
    check(read(write_run(tmp_path, on_cards=names)))
    (tmp_path / "other").mkdir()
    with pytest.raises(DataError, match=r"rmf.fits\{2\}: no such file"):
        read(write_run(tmp_path / "other", on_cards={"RESPFILE": "rmf.fits{2}"}))
