"""Flux points of every SED type, and the dataset made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets, FluxPointsDataset, read_dataset, write_dataset
from gm.datasets.sed import sed_from_table
from gm.errors import DataError
from gm.io.fits_writer import write_fits
from gm.io.sed_table import read_sed, write_sed
from gm.io.tables import Column, Table
from gm.statistics import Profile
from gm.units import factor

E_MIN, E_MAX = np.array([1.0, 2.0, 4.0]), np.array([2.0, 4.0, 9.0])
E_REF = np.sqrt(E_MIN * E_MAX)
ERG = 0.6241509074460763  # TeV; CODATA 2018


def table(meta: dict[str, Any] | None = None, **columns: Any) -> Table:
    """Columns by name: an array, or an array with its unit."""
    pairs = {name: value if isinstance(value, tuple) else (value, "") for name, value in columns.items()}
    return Table("", tuple(Column(name, np.asarray(v), unit) for name, (v, unit) in pairs.items()), meta or {})


def edges() -> dict[str, Any]:
    return {"e_min": (E_MIN, "TeV"), "e_max": (E_MAX, "TeV")}


def test_real_points(shared: Path) -> None:
    """Valid points as Gammapy 2.1 counts them: 4 of 5 (one without a value), 9 of 10 (one upper limit), 12 of 12."""
    datasets = Datasets.read(shared / "reference/flux-points/datasets.yaml")
    assert [dataset.mask.sum() for dataset in datasets] == [4, 9, 12]
    hess, hawc, gammacat = (dataset.points for dataset in datasets)
    assert (hess.sed_type, hawc.sed_type, gammacat.sed_type) == ("likelihood", "dnde", "dnde")
    assert hess.n_sigma_ul == 3.0
    assert hess.stat_scan.shape == hess.norm_scan.shape == (5, 11)
    assert hawc.is_ul.tolist() == [False] * 9 + [True]
    # norm * ref_dnde, straight from the file
    raw = read_sed(shared / "reference/flux-points/hess.fits.gz")
    np.testing.assert_allclose(hess.dnde, raw.array("norm") * raw.array("ref_dnde"), rtol=1e-15)
    assert np.isnan(gammacat.dnde_err).all()
    np.testing.assert_allclose(gammacat.error(), (gammacat.dnde_errn + gammacat.dnde_errp) / 2, rtol=1e-15)


def test_every_type_gives_the_same_differential_flux() -> None:
    """Points of the default reference, E^-2, written as each quantity."""
    f = 3e-12 * E_REF**-2
    flux = 3e-12 * (1 / E_MIN - 1 / E_MAX)
    eflux = 3e-12 * np.log(E_MAX / E_MIN) / ERG
    e2dnde = f * E_REF**2 / ERG
    ones = np.ones(3)
    tables = {
        "dnde": table(**edges(), e_ref=(E_REF, "TeV"), dnde=(f * 1e4, "m-2 s-1 TeV-1"), dnde_err=(0.1 * f * 1e4, "")),
        "e2dnde": table(e_ref=(E_REF * 1e3, "GeV"), e2dnde=(e2dnde, "erg cm-2 s-1"), e2dnde_err=0.1 * e2dnde),
        "flux": table(**edges(), flux=(flux, "cm-2 s-1"), flux_err=0.1 * flux),
        "eflux": table(**edges(), eflux=(eflux, "erg cm-2 s-1"), eflux_err=(0.1 * eflux * ERG, "TeV cm-2 s-1")),
        "likelihood": table(**edges(), e_ref=(E_REF, "TeV"), ref_dnde=(f / 2, ""), norm=2 * ones, norm_err=0.2 * ones),
    }  # fmt: skip
    for sed_type, rows in tables.items():
        points = sed_from_table(rows)
        assert points.sed_type == sed_type
        np.testing.assert_allclose(points.energy, E_REF, rtol=1e-14)
        np.testing.assert_allclose(points.dnde, f, rtol=1e-13)
        np.testing.assert_allclose(points.dnde_err, 0.1 * f, rtol=1e-13)


UL = np.array([3.0, np.nan, 3.0])
RULES = [
    ({"is_ul": np.array([True, False, False])}, [True, False, False]),
    ({"dnde_ul": UL, "sqrt_ts": np.array([1.9, 1.0, 2.0])}, [True, True, False]),
    ({"dnde_ul": UL, "ts": np.array([3.9, 9.0, 4.1])}, [True, False, True]),  # without a value the sign is negative
    ({"dnde_ul": UL}, [True, False, True]),
    ({"ts": np.zeros(3)}, [False, False, True]),
    ({}, [False, False, True]),
]


@pytest.mark.parametrize(("columns", "expected"), RULES)
def test_what_counts_as_an_upper_limit(columns: dict[str, Any], expected: list[bool]) -> None:
    points = sed_from_table(table(e_ref=E_REF, dnde=np.array([1.0, 2.0, np.nan]), **columns))
    assert points.is_ul.tolist() == expected


def test_legacy_columns_and_failed_points() -> None:
    points = sed_from_table(
        table(
            e_ref=E_REF,
            dnde=np.ones(3),
            dnde_err=np.ones(3),
            loglike=np.arange(3.0),
            loglike_null=np.ones(3),
            success=np.array([True, False, True]),
        )
    )
    assert points.stat.tolist() == [0, -2, -4]
    assert points.stat_null.tolist() == [-2, -2, -2]
    assert np.isnan(points.dnde).tolist() == [False, True, False]
    assert np.isnan(points.dnde_err).tolist() == [False, True, False]


ENERGY = np.geomspace(0.5, 16.0, 5)
TRUTH = 4e-11 * ENERGY**-2.5
ERROR = TRUTH * np.linspace(0.1, 0.3, 5)


def of(**columns: Any) -> Any:
    return sed_from_table(table(e_ref=ENERGY, dnde=TRUTH, **columns))


NAN = np.nan
ERRORS = {
    "both sides": ({"dnde_errp": ERROR, "dnde_errn": 0.9 * ERROR}, 0.9 * ERROR, ERROR),
    "a negative one is undefined": (
        {"dnde_errp": ERROR, "dnde_errn": np.where(ENERGY > 5, -1.0, 0.9 * ERROR)},
        np.where(ENERGY > 5, 1.0, 0.9) * ERROR,
        ERROR,
    ),
    "NaN is undefined": (
        {"dnde_errp": ERROR, "dnde_errn": np.where(ENERGY > 5, NAN, 0.9 * ERROR)},
        np.where(ENERGY > 5, 1.0, 0.9) * ERROR,
        ERROR,
    ),
    "all undefined": ({"dnde_errp": ERROR, "dnde_errn": np.full(5, -1.0)}, ERROR, ERROR),
    "all with a sign": ({"dnde_errp": ERROR, "dnde_errn": -0.9 * ERROR}, 0.9 * ERROR, ERROR),
    "one side alone": ({"dnde_errp": ERROR}, ERROR, ERROR),
    "undefined beside a symmetric one": ({"dnde_err": 2 * ERROR, "dnde_errn": np.full(5, -1.0)}, 2 * ERROR, 2 * ERROR),
}  # fmt: skip


@pytest.mark.parametrize("case", ERRORS)
def test_errors_to_each_side(case: str) -> None:
    """gamma-astro-data-formats: a negative or NaN value says that the negative error is undefined."""
    columns, low, high = ERRORS[case]
    points = of(**columns)
    np.testing.assert_allclose(points.errors(), (low, high), rtol=1e-15)
    np.testing.assert_allclose(points.error(), columns.get("dnde_err", (low + high) / 2), rtol=1e-15)
    ones = dataset("chi2", dnde=np.ones(3), dnde_errp=np.ones(3), dnde_errn=-np.ones(3))
    assert ones.mask.all()


def test_errors_that_are_undefined_are_told() -> None:
    some = of(dnde_errp=ERROR, dnde_errn=np.where(ENERGY > 5, -1.0, 0.9 * ERROR))
    assert some.remarks[-1] == "2 of 5 values of dnde_errn are below 0: undefined"
    assert not any("below 0" in text for text in of(dnde_errp=ERROR, dnde_errn=-0.9 * ERROR).remarks)


def test_a_column_without_a_unit_is_in_that_of_its_value() -> None:
    """Numbers per MeV beside errors that say nothing: in the usual unit these would be a millionth of themselves."""
    units = {"dnde": "MeV-1 cm-2 s-1", "e_min": "GeV"}
    numbers = {"dnde": 1e-6 * TRUTH, "dnde_errn": 1e-6 * ERROR, "dnde_ul": 3e-6 * TRUTH, "is_ul": np.zeros(5, bool)}
    edges = {"e_ref": 1e3 * ENERGY, "e_min": 0.8e3 * ENERGY, "e_max": 1.5e3 * ENERGY}
    points = sed_from_table(Table("", tuple(Column(n, v, units.get(n, "")) for n, v in {**edges, **numbers}.items())))
    found = (points.energy, points.e_max, points.dnde, points.dnde_errn, points.dnde_ul)
    np.testing.assert_allclose(found, (ENERGY, 1.5 * ENERGY, TRUTH, ERROR, 3 * TRUTH), rtol=1e-14)
    assert points.remarks == ()


def test_points_that_only_their_limit_makes_one_are_told() -> None:
    """Tables that give a limit beside every flux lost all points, without saying why."""
    limits = np.where(ENERGY > 5, 3.0 * TRUTH, np.nan)
    some = of(dnde_err=ERROR, dnde_ul=limits)
    assert some.is_ul.tolist() == [False, False, False, True, True]
    assert some.remarks[-1] == (
        "2 of 5 points with an error are taken for upper limits: "
        "they have a dnde_ul, and no column is_ul, ts or sqrt_ts says which points are none"
    )
    alone = of(dnde_err=np.where(ENERGY > 5, np.nan, ERROR), dnde_ul=limits)
    told = of(dnde_err=ERROR, dnde_ul=limits, is_ul=ENERGY > 5)
    assert not any("taken for upper limits" in text for one in (alone, told) for text in one.remarks)


def test_columns_of_no_unit_at_all_are_told() -> None:
    columns = Column("e_ref", ENERGY), Column("dnde", TRUTH), Column("dnde_err", ERROR)
    dataset = FluxPointsDataset(name="bare", points=sed_from_table(Table("", columns)))
    assert dataset.remarks() == (
        "column e_ref says no unit, and is taken for TeV",
        "column dnde says no unit, and is taken for cm-2 s-1 TeV-1",
    )


def test_of_two_quantities_the_one_with_errors_is_taken() -> None:
    low, high = ENERGY * 0.8, ENERGY * 1.5
    points = sed_from_table(table(e_ref=ENERGY, e_min=low, e_max=high, dnde=TRUTH, flux=TRUTH, flux_err=ERROR))
    assert points.sed_type == "flux"
    np.testing.assert_allclose(points.dnde_err / points.dnde, ERROR / TRUTH, rtol=1e-14)


def test_points_are_at_e_ref_and_between_their_edges_without_one() -> None:
    low, high = ENERGY * 0.8, ENERGY * 1.5
    middle = np.sqrt(low * high)
    columns: dict[str, Any] = {"dnde": TRUTH, "dnde_err": ERROR, "e_min": low, "e_max": high}
    assert np.array_equal(sed_from_table(table(e_ref=ENERGY, **columns)).energy, ENERGY)
    np.testing.assert_allclose(sed_from_table(table(**columns)).energy, middle, rtol=1e-15)
    some = np.array([False, True, False, True, True])
    columns |= {"e_min": np.where(some, low, NAN), "e_ref": np.where(some, NAN, ENERGY)}
    points = sed_from_table(table(**columns))
    np.testing.assert_allclose(points.energy, np.where(some, middle, ENERGY), rtol=1e-15)
    assert np.isnan(points.e_min).tolist() == np.isnan(points.e_max).tolist() == (~some).tolist()
    flux = sed_from_table(table(e_ref=ENERGY, flux=TRUTH, flux_err=ERROR, e_min=low, e_max=high)).dnde
    # of the reference E^-2, at e_ref: dnde / flux = e_ref^-2 / (1 / e_min - 1 / e_max)
    np.testing.assert_allclose(flux, TRUTH * ENERGY**-2 / (1 / low - 1 / high), rtol=1e-14)


NORM, SIGMA = np.array([1.0, 1.3, 0.9, 1.1, 0.05]), np.array([0.1, 0.2, 0.15, 0.3, 0.2])
GRID = np.tile(np.linspace(0.0, 2.0, 23), (5, 1))
RISE = ((GRID - NORM[:, None]) / SIGMA[:, None]) ** 2  # of -2 ln L


@pytest.mark.parametrize("first", [0.0, RISE[:, :1], -RISE.max()], ids=["best", "first", "null"])
@pytest.mark.parametrize("loglike", [None, 0.0, 49000.0, -49000.0, 18.0])
def test_scans_of_the_log_likelihood_whatever_their_zero(first: Any, loglike: float | None) -> None:
    """fermipy and gamma-astro-data-formats: ln L, relative to the best, to the first value or to no source."""
    columns: dict[str, Any] = {"norm_scan": GRID, "dloglike_scan": -0.5 * (RISE - first)}
    columns |= {} if loglike is None else {"loglike": np.full(5, loglike)}
    np.testing.assert_allclose(of(**columns).profile(), RISE, atol=1e-9)


def test_norms_refer_to_what_the_table_says() -> None:
    """fermipy: fluxes, norms and the reference of these side by side; the profile of dnde is that of norm ref_dnde."""
    columns = {"ref_dnde": TRUTH / NORM, "norm": NORM, "norm_scan": GRID, "dloglike_scan": -0.5 * RISE}
    for quantities in ({"dnde": TRUTH}, {"e2dnde": TRUTH * ENERGY**2 / ERG}, {}):
        points = sed_from_table(table(e_ref=ENERGY, **columns, **quantities))
        statistic = Profile(points.dnde_ref, points.norm_scan, points.profile())
        np.testing.assert_allclose(points.dnde, TRUTH, rtol=1e-14)
        np.testing.assert_allclose(statistic.value(TRUTH), 0.0, atol=1e-9)
        np.testing.assert_allclose(statistic.value(TRUTH * (1 + SIGMA / NORM)), 1.0, rtol=1e-9)


@pytest.mark.parametrize("stat", [None, 0.0, 3.0, 49000.0])
def test_scans_of_the_statistic_belong_to_it_or_to_themselves(stat: float | None) -> None:
    columns: dict[str, Any] = {"norm_scan": GRID, "stat_scan": RISE + 3.0}
    columns |= {} if stat is None else {"stat": np.full(5, stat)}
    np.testing.assert_allclose(of(**columns).profile(), RISE, atol=1e-9)


def test_errors_of_several_sigma(tmp_path: Path) -> None:
    for meta in ({"n_sigma": 2.0}, {"N_SIGMA": 2}):
        rows = table(meta, e_ref=ENERGY, dnde=TRUTH, dnde_err=ERROR, dnde_errn=ERROR, dnde_errp=2 * ERROR)
        points = sed_from_table(rows)
        np.testing.assert_allclose(points.dnde_err, ERROR / 2, rtol=1e-15)
        np.testing.assert_allclose(points.errors(), (ERROR / 2, ERROR), rtol=1e-15)
    with pytest.raises(DataError, match="n_sigma is 'abc'"):
        sed_from_table(table({"n_sigma": "abc"}, e_ref=ENERGY, dnde=TRUTH))


@pytest.mark.parametrize("words", [("True", "False"), ("T", "F"), ("1", "0"), ("yes", "no"), (1, 0), (1.0, NAN)])
def test_flags_in_every_spelling(words: tuple[Any, Any]) -> None:
    wanted = [True, False, True]
    flags = np.array([words[0] if flag else words[1] for flag in wanted])
    rows = table(e_ref=E_REF, dnde=np.ones(3), is_ul=flags, success=flags, mask_fit=flags)
    assert sed_from_table(rows).is_ul.tolist() == wanted
    assert np.isfinite(sed_from_table(rows).dnde).tolist() == wanted
    assert rows.flags("mask_fit").tolist() == wanted
    with pytest.raises(DataError, match="column is_ul has the value 'maybe'"):
        sed_from_table(table(e_ref=E_REF, dnde=np.ones(3), is_ul=np.array(["maybe", "T", "F"])))


def test_confidence_of_upper_limits() -> None:
    for confidence, expected in ((0.95, 2.0), ("0.95", 2.0), (95, 2.0), (0.9973, 3.0), ("abc", None), (None, None)):
        assert sed_from_table(table({"UL_CONF": confidence}, e_ref=E_REF, dnde=np.ones(3))).n_sigma_ul == expected
    for card in ("n_sigma_ul", "N_SIGMA_UL"):  # as Gammapy has it, beside the confidence or not
        meta = {"UL_CONF": 0.95, card: 3.0}
        assert sed_from_table(table(meta, e_ref=E_REF, dnde=np.ones(3))).n_sigma_ul == 3.0


CATALOGUE = {
    "units as people write them": (
        ["e_ref TeV", "dnde TeV-1 m-2 s-1 ", "dnde_err TeV-1 m-2 s-1"], "1.5 2e-8 4e-9\n 3.0   5e-9 1e-9 \n",
        [1.5, 3.0], [2e-12, 5e-13], [4e-13, 1e-13], [False, False],
    ),
    "no units at all": (
        ["e_ref ", "dnde ", "dnde_err ", "remark "], "1.5 2e-12 4e-13 1\n3.0 5e-13 1e-13 2",
        [1.5, 3.0], [2e-12, 5e-13], [4e-13, 1e-13], [False, False],
    ),
    "edges alone": (
        ["e_min TeV", "e_max TeV", "dnde 1 / (cm2 s TeV)", "dnde_err 1 / (cm2 s TeV)"],
        "1 4 2e-12 4e-13\n4 9 5e-13 1e-13\n",
        [2.0, 6.0], [2e-12, 5e-13], [4e-13, 1e-13], [False, False],
    ),
    "edges of some": (
        ["e_ref TeV", "e_min TeV", "e_max TeV", "dnde 1 / (cm2 s TeV)", "dnde_err 1 / (cm2 s TeV)"],
        '2.1 1 4 2e-12 4e-13\n5.9 "" "" 5e-13 1e-13\n',
        [2.1, 5.9], [2e-12, 5e-13], [4e-13, 1e-13], [False, False],
    ),
    "E2 times the flux": (
        ["e_ref TeV", "e2dnde TeV cm-2 s-1", "e2dnde_err TeV cm-2 s-1"], "0.5 5e-13 1e-13\n2 8e-12 4e-13\n",
        [0.5, 2.0], [2e-12, 2e-12], [4e-13, 1e-13], [False, False],
    ),
    "upper limits": (
        ["e_ref TeV", "dnde 1 / (cm2 s TeV)", "dnde_errn 1 / (cm2 s TeV)", "dnde_errp 1 / (cm2 s TeV)",
         "dnde_ul 1 / (cm2 s TeV)"],
        "1.5 2e-12 3e-13 5e-13 nan\n3.0         nan nan nan 5e-13\n",
        [1.5, 3.0], [2e-12, NAN], [4e-13, NAN], [False, True],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CATALOGUE)
def test_tables_as_a_catalogue_has_them(tmp_path: Path, case: str) -> None:
    """ECSV of version 0.9, written by hand: remarks and ranges in the header, blanks for alignment."""
    columns, rows, energy, dnde, error, is_ul = CATALOGUE[case]
    names = [column.split(" ")[0] for column in columns]
    text = "# %ECSV 0.9\n# ---\n# datatype:\n"
    for column, name in zip(columns, names, strict=True):
        unit = column.removeprefix(name + " ")
        text += (
            f"# - {{name: {name}, datatype: float32{f', unit: {unit}' if unit else ''}, description: It\n#     is}}\n"
        )
    text += "# meta: !!omap\n# - data_type: sed\n# - UL_CONF: 0.99 # a remark\n# - mjd: {max: 56302., min: 56302.}\n"
    text += "# - comments: |\n#      Figure 13 \u00b1 top: left\n" + " ".join(names) + " \n" + rows
    (tmp_path / "sed.ecsv").write_text(text)
    read = read_dataset("FluxPointsDataset", tmp_path / "sed.ecsv", "x", "distrib")
    assert isinstance(read, FluxPointsDataset)
    points = read.points
    for mine, expected in ((points.energy, energy), (points.dnde, dnde), (points.error(), error)):
        np.testing.assert_allclose(mine, expected, rtol=1e-6)  # single precision
    assert points.is_ul.tolist() == is_ul
    assert points.n_sigma_ul == 2.6
    assert read.mask.all()


def dataset(stat_type: str, **columns: Any) -> FluxPointsDataset:
    return FluxPointsDataset(name="x", points=sed_from_table(table(e_ref=E_REF, **columns)), stat_type=stat_type)


def test_valid_points_of_each_statistic() -> None:
    columns = {
        "dnde": np.array([1.0, 1.0, np.nan]),
        "dnde_err": np.array([0.1, 0.0, 0.1]),
        "dnde_ul": np.full(3, 2.0),
        "is_ul": np.array([False, False, True]),
        "stat": np.zeros(3),
        "stat_scan": np.array([[1.0, 0.0, 1.0], [np.nan, 0.0, 1.0], [1.0, 0.0, 1.0]]),
        "norm_scan": np.tile([0.5, 1.0, 2.0], (3, 1)),
    }
    assert dataset("chi2", **columns).mask.tolist() == [True, False, False]
    assert dataset("distrib", **columns).mask.tolist() == [True, False, True]
    assert dataset("profile", **columns).mask.tolist() == [True, False, True]
    masked = dataset("profile", **columns).with_(mask_fit=np.array([False, True, True]))
    assert masked.mask.tolist() == [False, False, True]


def test_what_is_refused() -> None:
    with pytest.raises(DataError, match="stat_type 'cash'"):
        dataset("cash", dnde=np.ones(3))
    with pytest.raises(DataError, match="needs the columns stat_scan"):
        dataset("profile", dnde=np.ones(3))
    with pytest.raises(DataError, match="mask_safe has 2 values"):
        dataset("chi2", dnde=np.ones(3)).with_(mask_safe=np.ones(2, bool))


BAD_TABLES = [
    (table(e_ref=E_REF), "the columns are of no SED type"),
    (table({"SED_TYPE": "dndee"}, e_ref=E_REF, dnde=E_REF), "SED_TYPE is 'dndee', expected one of dnde"),
    (table({"SED_TYPE": "flux"}, e_ref=E_REF, dnde=E_REF), "no column e_min, e_max, flux, needed for SED type flux"),
    (table(e_ref=(E_REF, "cm"), dnde=E_REF), "column e_ref is in 'cm', expected a unit of 'TeV'"),
    (table(e_ref=E_REF, dnde=(E_REF, "cm-2 s-1")), "column dnde is in '.*', expected a unit of 'cm-2 s-1 TeV-1'"),
    (table(e_ref=-E_REF, dnde=E_REF), "not energies above 0"),
    (table(e_min=E_MAX, e_max=E_MIN, e_ref=E_REF, dnde=E_REF), "e_min < e_max"),
    (table(e_ref=E_REF, ref_dnde=0 * E_REF, norm=E_REF), "ref_dnde has values that are not above 0"),
    (table(e_ref=E_REF, dnde=np.array(["a", "b", "c"])), "column dnde is not one number per row"),
    (table(e_ref=E_REF, dnde=E_REF, norm_scan=np.ones((3, 2)), stat_scan=np.ones((3, 4))), "norm_scan has 2 values"),
    (table(e_ref=E_REF, dnde=E_REF, norm_scan=np.ones((3, 2)), stat_scan=np.array(["a", "b", "c"])), "has no numbers"),
    (table(time_min=E_REF, e_ref=E_REF, dnde=E_REF), "light curve"),
]


@pytest.mark.parametrize(("rows", "message"), BAD_TABLES)
def test_bad_tables_give_one_clear_message(rows: Table, message: str, tmp_path: Path) -> None:
    path = tmp_path / "points.ecsv"
    write_sed(path, rows.columns, rows.header)
    with pytest.raises(DataError, match=message) as raised:
        read_dataset("FluxPointsDataset", path, "x")
    assert str(raised.value).startswith(str(path))


def test_a_plain_text_table_is_not_read(shared: Path) -> None:
    with pytest.raises(DataError, match="no ECSV header"):
        read_dataset("FluxPointsDataset", shared / "data/flux-points/tev_spectra/crab_hess_spec.txt")


@pytest.mark.parametrize("fmt", ["fits", "ecsv"])
def test_tables_come_back_bit_for_bit(shared: Path, tmp_path: Path, fmt: str) -> None:
    source = read_sed(shared / "data/flux-points/crab_hess_fp/crab_hess_fp.fits")
    paths = [tmp_path / f"{n}.{fmt}" for n in range(2)]
    for path in paths:
        write_sed(path, source.columns, source.header)
    back = read_sed(paths[0])
    assert all(factor(mine.unit, its.unit) == 1.0 for mine, its in zip(back.columns, source.columns, strict=True))
    columns = tuple(Column(c.name, c.values, its.unit) for c, its in zip(back.columns, source.columns, strict=True))
    assert Table(source.name, columns, back.header).same_as(source)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with pytest.raises(ValueError, match="format"):
        write_sed(paths[0], source.columns, source.header, "csv")


@pytest.mark.parametrize("suffix", ["fits", "fits.gz", "ecsv"])
def test_datasets_come_back(shared: Path, tmp_path: Path, suffix: str) -> None:
    for one in Datasets.read(shared / "reference/flux-points/datasets.yaml"):
        path = tmp_path / f"{one.name}.{suffix}"
        write_dataset(one, path)
        other = read_dataset("FluxPointsDataset", path, one.name)
        assert np.array_equal(one.mask, other.mask)
        assert one.points.n_sigma_ul == other.points.n_sigma_ul
        for name in (
            "energy",
            "dnde",
            "dnde_err",
            "dnde_errn",
            "dnde_errp",
            "dnde_ul",
            "dnde_ref",
            "is_ul",
            "stat_scan",
        ):
            mine, theirs = getattr(one.points, name), getattr(other.points, name)
            assert (mine is None) == (theirs is None)
            if mine is not None:  # norm = dnde / ref rounds once each way
                np.testing.assert_allclose(theirs, mine, rtol=5e-16)


def test_the_statistic_is_kept_in_datasets_yaml(shared: Path, tmp_path: Path) -> None:
    hess = Datasets.read(shared / "reference/flux-points/datasets.yaml")["hess"].with_(stat_type="profile")
    Datasets([hess]).write(tmp_path)
    assert Datasets.read(tmp_path / "datasets.yaml")["hess"].stat_type == "profile"


def test_the_table_with_energies_is_read_whatever_stands_before_it(tmp_path: Path) -> None:
    times = Table("GTI", (Column("START", np.zeros(1), "s"), Column("STOP", np.ones(1), "s")))
    rows = table(e_ref=(E_REF, "TeV"), dnde=np.ones(3))
    write_fits(tmp_path / "sed.fits", [times, rows])
    assert read_sed(tmp_path / "sed.fits").names == ["e_ref", "dnde"]


def test_points_between_commas(tmp_path: Path) -> None:
    """As people type them off papers: units beside the names, nothing where there is no number."""
    path = tmp_path / "points.csv"
    rows = "e_ref [GeV],e_min (GeV),e_max (GeV),dnde [cm-2 s-1 GeV-1],dnde_errn,dnde_errp,dnde_ul,is_ul"
    path.write_text(f"# Table 2\n{rows}\n1,0.5,2,1e-9,1e-10,2e-10,,False\n# the next is a limit\n4,2,8,,,,3e-11,True\n")
    dataset = read_dataset("FluxPointsDataset", path, "x")
    assert isinstance(dataset, FluxPointsDataset)
    assert dataset.remarks() == ()
    points = dataset.points
    np.testing.assert_allclose(points.energy, [1e-3, 4e-3], rtol=1e-15)
    assert points.e_min is not None
    np.testing.assert_allclose(points.e_min, [0.5e-3, 2e-3], rtol=1e-15)
    np.testing.assert_allclose(points.dnde, [1e-6, np.nan], rtol=1e-15)
    np.testing.assert_allclose(points.dnde_errp, [2e-7, np.nan], rtol=1e-15)
    np.testing.assert_allclose(points.dnde_ul, [np.nan, 3e-8], rtol=1e-15)
    assert points.is_ul.tolist() == [False, True]
    path.write_text("e_ref,dnde,dnde_err\n1,1e-11,1e-12\n")
    told = read_dataset("FluxPointsDataset", path, "x").remarks()
    assert told == (
        "column e_ref says no unit, and is taken for TeV",
        "column dnde says no unit, and is taken for cm-2 s-1 TeV-1",
    )
    path.write_text("energy;flux\n1;2\n")
    with pytest.raises(DataError, match=r"points.csv: the columns are of no SED type"):
        read_dataset("FluxPointsDataset", path, "x")


@pytest.mark.parametrize(("unit", "scale"), [("Hz", 1.0), ("GHz", 1e9), ("s-1", None)])
def test_frequencies_are_energies(unit: str, scale: float | None) -> None:
    """h = 4.135667696e-15 eV s (CODATA 2018, exact): 1e14 Hz are 0.4136 eV, and nu F_nu is E^2 dN/dE."""
    nu = np.array([1e14, 1e16])
    columns = table(
        e_ref=(nu / (scale or 1.0), unit), e2dnde=([1e-11, 2e-11], "erg cm-2 s-1"), e2dnde_err=[1e-12, 1e-12]
    )
    if scale is None:
        with pytest.raises(DataError, match="column e_ref is in 's-1'"):
            sed_from_table(columns)
        return
    points = sed_from_table(columns)
    np.testing.assert_allclose(points.energy, nu * 4.135667696e-27, rtol=1e-9)
    np.testing.assert_allclose(points.dnde * points.energy**2, np.array([1e-11, 2e-11]) * ERG, rtol=1e-9)
