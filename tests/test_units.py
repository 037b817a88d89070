"""Unit strings: the built-in table against astropy, and what is not a unit."""

from __future__ import annotations

import subprocess
import sys

import astropy.units as u
import pytest

from gm.units import UnitError, convert, factor, parse_unit, split_text

COMMON = [
    ("keV", "TeV"),
    ("eV", "TeV"),
    ("MeV", "TeV"),
    ("GeV", "TeV"),
    ("PeV", "TeV"),
    ("erg", "TeV"),
    ("m2 s", "cm2 s"),
    ("m**2 s", "cm2 s"),
    ("m^2 h", "cm2 s"),
    ("km2 min", "cm2 s"),
    ("s m2", "cm2 s"),
    ("d", "s"),
    ("m", "cm"),
    ("erg cm-2 s-1", "TeV cm-2 s-1"),
    ("erg s-1 cm-2", "erg cm-2 s-1"),
    ("TeV s-1 cm-2", "erg cm-2 s-1"),
    ("cm-2 erg s-1", "erg cm-2 s-1"),
    ("1 / (TeV s cm2)", "cm-2 s-1 TeV-1"),
    ("1 / (MeV s m2)", "cm-2 s-1 TeV-1"),
    ("1/(cm2 s GeV)", "cm-2 s-1 TeV-1"),
    ("1/TeV", "TeV-1"),
    ("erg / (cm2 s)", "TeV cm-2 s-1"),
    ("cm-2 s-1 TeV-1 sr-1", "m-2 s-1 GeV-1 sr-1"),
    ("cm2 s / s", "m2"),
]


@pytest.mark.parametrize(("unit", "target"), COMMON)
def test_common_units_agree_with_astropy(unit: str, target: str) -> None:
    # the table is exact before the final rounding; astropy rounds at each power
    assert factor(unit, target) == pytest.approx(u.Unit(unit).to(u.Unit(target)), rel=1e-15)


def test_decimal_factors_are_the_nearest_float() -> None:
    assert factor("keV", "TeV") == 1e-9
    assert factor("MeV-1", "TeV-1") == 1e6
    assert factor("m2 s", "cm2 s") == 1e4


@pytest.mark.parametrize(
    ("unit", "target"),
    [("deg-2", "sr-1"), ("1 / deg2", "sr-1"), ("TeV-1 cm-2 s-1 deg-2", "TeV-1 cm-2 s-1 sr-1"), ("arcmin-2", "sr-1")],
)
def test_solid_angles_are_what_astropy_says(unit: str, target: str) -> None:
    assert factor(unit, target) == u.Unit(unit).to(u.Unit(target))


@pytest.mark.parametrize(
    ("unit", "target"), [("deg-2 sr-1", "sr-1"), ("deg-2", "deg-1 sr-1"), ("deg-2", "deg-2 sr-1"), ("deg-2 s", "sr-1")]
)
def test_solid_angles_of_other_powers_do_not_convert(unit: str, target: str) -> None:
    with pytest.raises(UnitError, match="does not convert"):
        factor(unit, target)


@pytest.mark.parametrize(
    ("unit", "target", "value"), [("ph cm-2 s-1", "cm-2 s-1", 1), ("ct", "", 1), ("ct m2", "cm2", 1e4)]
)
def test_photons_and_counts_are_numbers(unit: str, target: str, value: float) -> None:
    assert factor(unit, target) == value


@pytest.mark.parametrize(
    ("unit", "standard"),
    [
        ("1/cm2/s/TeV", "cm-2 s-1 TeV-1"),
        ("1 / cm2 / s / TeV", "cm-2 s-1 TeV-1"),
        ("/cm2/s/GeV", "cm-2 s-1 GeV-1"),
        ("ph/cm**2/s/MeV", "cm-2 s-1 MeV-1"),
        ("photons / (cm2 s) / MeV", "cm-2 s-1 MeV-1"),
        ("erg/cm2/s", "erg cm-2 s-1"),
        ("10**-12 erg/cm2/s", "1e-12 erg cm-2 s-1"),
        ("KeV", "keV"),
        ("GEV", "GeV"),
        ("None", ""),
        ("counts", ""),
        ("counts/s", "s-1"),
    ],
)
def test_spellings_of_other_people(unit: str, standard: str) -> None:
    assert factor(unit, standard) == pytest.approx(1.0, rel=1e-14)
    assert parse_unit(unit).is_equivalent(u.Unit(standard))


@pytest.mark.parametrize("unit", ["1/cm2/s)/TeV", "//s", "a/b/c", "1/", "none of these"])
def test_what_is_no_spelling_either(unit: str) -> None:
    with pytest.raises(UnitError, match="is not a unit"):
        factor(unit, "s")


@pytest.mark.parametrize("unit", ["rad", "arcmin", "J", "kpc", "deg2"])
def test_uncommon_units_are_left_to_astropy(unit: str) -> None:
    target = {"rad": "deg", "arcmin": "deg", "J": "TeV", "kpc": "cm", "deg2": "sr"}[unit]
    assert factor(unit, target) == pytest.approx(u.Unit(unit).to(u.Unit(target)), rel=1e-15)


@pytest.mark.parametrize(("unit", "target"), [("TeV", "cm"), ("", "TeV"), ("cm-2 s-1", "s-1 TeV-1"), ("m2", "cm2 s")])
def test_units_that_do_not_convert(unit: str, target: str) -> None:
    with pytest.raises(UnitError, match="does not convert"):
        factor(unit, target)


@pytest.mark.parametrize("unit", ["parsnip", "TeV TeV/", "mag"])
def test_what_is_not_a_unit(unit: str) -> None:
    with pytest.raises(UnitError):
        factor(unit, "TeV")


def test_convert_reads_numbers_strings_and_quantities() -> None:
    assert convert("30 GeV", "TeV") == 0.03
    assert convert(2, "TeV") == 2.0
    assert convert(1 * u.MeV, "TeV") == 1e-6


@pytest.mark.parametrize(
    ("text", "number", "unit"),
    [
        ("0.66TeV", 0.66, "TeV"),
        ("1e-3GeV", 1e-3, "GeV"),
        ("5eV", 5.0, "eV"),
        ("1e5", 1e5, ""),
        ("3e-11 1 / (cm2 s TeV)", 3e-11, "1 / (cm2 s TeV)"),
        (" -.5 deg ", -0.5, "deg"),
    ],
)
def test_a_unit_needs_no_space_before_it(text: str, number: float, unit: str) -> None:
    assert split_text(text, "TeV") == (number, unit)


@pytest.mark.parametrize("text", ["TeV", "", "1_0TeV", "1,5 TeV", "1.2.3 TeV"])
def test_what_is_no_number_with_a_unit(text: str) -> None:
    with pytest.raises(UnitError, match="is not a number with a unit, such as '1 TeV'"):
        split_text(text, "TeV")


@pytest.mark.parametrize(("unit", "target"), [("1 / (MeV s m2)", "cm-2 s-1 TeV-1"), ("deg-2", "sr-1")])
def test_common_units_do_not_import_astropy(unit: str, target: str) -> None:
    code = f"import sys, gm.units as u; u.factor({unit!r}, {target!r}); print('astropy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(
    "unit",
    ["km99999999", "erg9999999", "km**99999999", "10**99999 cm", "1e-320 TeV", "1e400 cm", "km400 cm-402", "x" * 10**5],
)
def test_units_beyond_all_numbers_are_refused_at_once(unit: str) -> None:
    with pytest.raises(UnitError, match=r"is not a unit|beyond the range of numbers"):
        factor(unit, "cm-2 s-1 TeV-1")


def test_a_pattern_that_can_be_read_in_one_way_only_ends() -> None:
    with pytest.raises(UnitError, match="is not a unit"):
        factor("a***" * 40 + "!", "TeV")


@pytest.mark.parametrize("quantity", ["1e400 TeV", "nan TeV", float("inf"), 10**400, "1e300 Mpc"])
def test_only_finite_quantities_come_in(quantity: object) -> None:
    with pytest.raises(UnitError, match=r"not finite|is not a number with a unit"):
        convert(quantity, "cm" if "Mpc" in str(quantity) else "TeV")
