"""Response tables: interpolation against a slow one, formulas, axis orders, and what is said about damaged files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import ArrayLike
from scipy.integrate import quad

from gm.errors import DataError
from gm.io.fits import Extension, read_fits
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table
from gm.irf.tables import (
    PSF3D,
    Background2D,
    Background3D,
    EffectiveAreaTable2D,
    EnergyDependentMultiGaussPSF,
    EnergyDispersion2D,
    PSFKing,
    RadMax2D,
    read_response,
    response_kind,
)
from gm.irf.tables.background import power_law_integrals
from gm.irf.tables.grid import Grid
from gm.maps.axes import EnergyAxis, NodeAxis
from tests.dl3_files import ENERGY, FIELD, OFFSET, aeff, bins, bkg, bkg_cell, edisp, psf, response, without

RNG = np.random.default_rng(3)


def extension(folder: Path, table: Table) -> Extension:
    write_fits(folder / "table.fits", [table])
    return read_fits(folder / "table.fits").extensions[1]


def slow(grid: Grid, point: tuple[float, ...]) -> float:
    """Linear along one axis after the other, from the last to the first."""
    table = grid.values
    for axis, x in zip(reversed(grid.axes), reversed(point), strict=True):
        nodes, at = (np.log(axis.center), np.log(x)) if axis.interp == "log" else (axis.center, x)
        if len(nodes) == 1:
            table = table[..., 0]
            continue
        i = min(max(int(np.searchsorted(nodes, at)) - 1, 0), len(nodes) - 2)
        w = (at - nodes[i]) / (nodes[i + 1] - nodes[i])
        table = table[..., i] * (1 - w) + table[..., i + 1] * w
    return float(table)


GRID = Grid(
    (
        NodeAxis.from_edges("offset", OFFSET, "deg"),
        EnergyAxis(ENERGY),
        NodeAxis.from_nodes("rad", [0.3]),
        NodeAxis.from_nodes("migra", [0.5, 0.7, 1.4]),
    ),
    RNG.random((2, 6, 1, 3)),
)


@pytest.mark.parametrize(
    "shapes",
    [
        ((), (), (), ()),
        ((5,), (5,), (5,), (5,)),
        ((4, 1), (1, 3), (), ()),
        ((), (3, 1, 1), (), (1, 2, 5)),
        ((2, 5), (3, 1, 1), (1,), (2, 5)),
        ((3, 1, 1), (2, 5), (), (3, 1, 1)),
    ],
    ids=str,
)
def test_interpolation_is_that_of_one_axis_after_the_other(shapes: tuple[tuple[int, ...], ...]) -> None:
    bounds = ((0.0, 2.0), (0.1, 100.0), (0.0, 1.0), (0.2, 2.0))
    points = [RNG.uniform(*bound, shape) for bound, shape in zip(bounds, shapes, strict=True)]
    values = GRID.at(*points)
    everywhere = np.broadcast_arrays(*points)
    assert values.shape == everywhere[0].shape
    expected = [slow(GRID, tuple(float(p.flat[i]) for p in everywhere)) for i in range(values.size)]
    assert_allclose(np.ravel(values), expected, rtol=1e-12)


def test_outside_is_what_lies_beyond_the_edges() -> None:
    assert GRID.outside(1, [0.0999, 0.1, 100.0, 100.1, np.nan]).tolist() == [True, False, False, True, True]


def test_effective_area(tmp_path: Path) -> None:
    table = EffectiveAreaTable2D.from_extension(extension(tmp_path, aeff(RAD_MAX=0.14)))
    assert (table.lo_thres, table.hi_thres, table.rad_max, table.is_pointlike) == (0.5, 50.0, 0.14, False)
    center = table.energy_true.center
    assert_allclose(table.evaluate(center, 0.0), 1e9 * center, rtol=1e-12)  # linear in the offset, also below the first
    assert_allclose(table.evaluate(center[2], [0.5, 1.2]), 1e9 * center[2] * np.array([0.875, 0.7]), rtol=1e-12)
    bare = Table("AEFF", (*aeff().columns[:4], Column("EFFAREA", aeff().columns[4].values)), aeff().header)
    assert EffectiveAreaTable2D.from_extension(extension(tmp_path, bare)).evaluate(1.0, 0.5) == table.evaluate(1.0, 0.5)
    assert table.evaluate([0.09, 101.0, 1.0], [1.0, 1.0, 2.1]).tolist() == [0.0, 0.0, 0.0]


def test_energy_dispersion_is_normalised_and_only_where_energy_and_migra_are_outside_0(tmp_path: Path) -> None:
    table = EnergyDispersion2D.from_extension(extension(tmp_path, edisp()))
    assert_allclose((table.density([1.0, 3.0], 0.5) * table.migra.width[:, None]).sum(axis=0), 1.0, rtol=1e-14)
    assert (table.evaluate([1.0, 200.0, 1.0], [1.9, 1.0, 1.0], [0.5, 0.5, 2.5]) > 0).tolist() == [False, True, False]
    kernel = table.kernel(
        EnergyAxis(np.geomspace(0.3, 30, 5), "energy_true"), EnergyAxis(np.geomspace(0.01, 1e3, 9)), 0.5
    )
    assert_allclose(kernel.sum(axis=1), 1.0, rtol=1e-12)


def test_containment_is_the_integral_of_the_density(tmp_path: Path) -> None:
    table = PSF3D.from_extension(extension(tmp_path, psf()))
    ring = 2 * np.pi * table.rad.center * np.radians(1) ** 2 * table.rad.width
    density = table.evaluate(table.rad.center, 1.0, 0.5)
    assert_allclose(table.containment(0.2, 1.0, 0.5), (ring * density)[:4].sum(), rtol=1e-12)
    assert_allclose(table.containment(5.0, 1.0, 0.5), (ring * density).sum(), rtol=1e-12)  # all of it far out
    assert table.evaluate(0.6, 1.0, 0.5) == 0.0


def parameters(name: str, **values: float) -> Table:
    cell = np.ones((len(OFFSET) - 1, len(ENERGY) - 1))
    axes = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg")]
    columns = [Column(key, (value * cell)[None], "deg" if "SIGMA" in key else "") for key, value in values.items()]
    return Table("PSF", (*axes, *columns), {"HDUCLAS1": "RESPONSE", "HDUCLAS2": "PSF", "HDUCLAS4": name})


GAUSS = {"SIGMA_1": 0.05, "SIGMA_2": 0.1, "SIGMA_3": 0.0, "AMPL_2": 0.2, "AMPL_3": 0.0, "SCALE": 3.0}


@pytest.mark.parametrize(("kind", "values"), [("PSF_3GAUSS", GAUSS), ("PSF_KING", {"SIGMA": 0.05, "GAMMA": 2.0})])
def test_parametric_psfs_integrate_to_their_containment(tmp_path: Path, kind: str, values: dict[str, float]) -> None:
    found = extension(tmp_path, parameters(kind, **values))
    assert response_kind(found) == ("psf", kind.lower())
    table: Any = read_response(found, kind.lower())
    assert isinstance(table, EnergyDependentMultiGaussPSF | PSFKing)

    def density(r: float) -> float:
        return float(table.evaluate(r, 1.0, 0.5)) * 2 * np.pi * r * np.radians(1) ** 2

    assert_allclose(table.containment(0.13, 1.0, 0.5), quad(density, 0, 0.13)[0], rtol=1e-9)
    assert_allclose(table.containment(500.0, 1.0, 0.5), 1.0, atol=1e-6)


def test_a_multi_gauss_psf_without_a_scale_is_none(tmp_path: Path) -> None:
    table = EnergyDependentMultiGaussPSF.from_extension(
        extension(tmp_path, parameters("PSF_3GAUSS", **{**GAUSS, "SCALE": 0.0}))
    )
    assert table.evaluate(0.1, 1.0, 0.5) == 0.0


SQUARE = {"energy, lat, lon": bkg_cell(), "lat, lon, energy": bkg_cell().transpose(1, 2, 0)}


@pytest.mark.parametrize("order", SQUARE)
def test_square_backgrounds_have_detx_before_dety(tmp_path: Path, order: str) -> None:
    """With the energy first (fastest) as GADF recommends, or last."""
    table = Background3D.from_extension(extension(tmp_path, bkg(SQUARE[order])))
    check_background(table)


def test_the_card_cref_says_the_order_of_the_axes(tmp_path: Path) -> None:
    cref = "(DETY_LO:DETY_HI,DETX_LO:DETX_HI,ENERG_LO:ENERG_HI)"
    table = Background3D.from_extension(extension(tmp_path, bkg(bkg_cell().transpose(0, 2, 1), CREF7=cref)))
    check_background(table)


def test_files_of_hess_dl3_dr1_have_longitudes_first_and_reversed(tmp_path: Path) -> None:
    cell = bkg_cell().transpose(0, 2, 1)[:, ::-1]
    check_background(Background3D.from_extension(extension(tmp_path, bkg(cell))).of_hess_dl3_dr1())


def check_background(table: Background3D) -> None:
    lon, lat = 0.7, -1.1
    expected = 1e-6 * 1e6 * 2.0**-2.7 * np.exp(0.3 * lat + 0.1 * lon)  # exponentials are linear in the logarithm
    assert_allclose(table.rate(2.0, lon, lat), expected, rtol=1e-12)
    edges = np.array([1.0, 3.0, 7.0])
    power = (edges[1:] ** -1.7 - edges[:-1] ** -1.7) / -1.7
    assert_allclose(table.integral(EnergyAxis(edges), lon, lat), expected / 2.0**-2.7 * power, rtol=1e-12)
    assert table.rate(2.0, 2.1, 0.0) == 0.0


def test_energies_without_background_between_others_are_filled(tmp_path: Path) -> None:
    cell = bkg_cell()
    cell[2:4, 1, 1] = 0.0, np.nan
    cell[5, 1, 2] = 0.0  # nothing above
    table = Background3D.from_extension(extension(tmp_path, bkg(cell)))
    check_background(table)
    assert_allclose(np.exp(table.rates.grid.values[2:4, 1, 1]), bkg_cell()[2:4, 1, 1], rtol=1e-12)
    assert table.rate(table.energy.center[5], FIELD[2:4].mean(), FIELD[1:3].mean()) == 0.0


def test_a_background_that_is_not_finite_at_the_rim_is_an_error(tmp_path: Path) -> None:
    cell = bkg_cell()
    cell[5, 1, 2] = np.nan
    with pytest.raises(DataError, match="column BKG is nan in bin energy 5, fov_lat 1, fov_lon 2; 1 of 96"):
        Background3D.from_extension(extension(tmp_path, bkg(cell)))


@pytest.mark.parametrize("unit", ["", "counts per year"])
def test_a_background_without_a_unit_is_per_mev_and_that_is_said(
    tmp_path: Path, unit: str, caplog: pytest.LogCaptureFixture
) -> None:
    table = bkg()
    bare = Table("BKG", (*table.columns[:-1], Column("BKG", table.columns[-1].values, unit)), table.header)
    check_background(Background3D.from_extension(extension(tmp_path, bare)))
    assert f"HDU BKG: unit '{unit}' of BKG, taken for s-1 MeV-1 sr-1" in caplog.text


def test_a_background_in_a_unit_of_something_else_is_an_error(tmp_path: Path) -> None:
    table = bkg()
    other = Table("BKG", (*table.columns[:-1], Column("BKG", table.columns[-1].values, "m2")), table.header)
    with pytest.raises(DataError, match="column BKG is in 'm2', expected a unit of 's-1 TeV-1 sr-1'"):
        Background3D.from_extension(extension(tmp_path, other))


def test_radial_backgrounds_are_flat_at_the_centre_and_at_the_rim(tmp_path: Path) -> None:
    cell = np.array([[2.0], [1.0]]) * np.ones(6)
    axes = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg")]
    table = response("BKG", axes, "BKG", cell, "s-1 MeV-1 sr-1", "BKG", "FULL-ENCLOSURE", "BKG_2D")
    found = Background2D.from_extension(extension(tmp_path, table))
    rate = found.rate(1.0, [0.0, 0.3, 0.5, 0.0, 1.5, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 1.9])
    assert_allclose(rate, 1e6 * np.array([2.0, 2.0, 2.0, np.sqrt(2.0), 1.0, 1.0]), rtol=1e-9)


def test_integrals_of_power_laws() -> None:
    x = np.array([[1.0, 2.0], [3.0, 5.0]])
    y = np.array([[4.0, 3.0], [4.0 / 3.0, 3.0 * 2.5**-2.7]])
    expected = [4.0 * np.log(3.0), 3.0 * 2**2.7 * (5**-1.7 - 2**-1.7) / -1.7]
    assert_allclose(power_law_integrals(x, np.log(y))[0], expected, rtol=1e-13)


def test_rad_max_is_that_of_the_nearest_node(tmp_path: Path) -> None:
    cell = np.arange(12.0).reshape(2, 6)
    axes = [*bins("ENERG", ENERGY, "TeV"), *bins("THETA", OFFSET, "deg")]
    table = RadMax2D.from_extension(
        extension(tmp_path, response("RAD_MAX", axes, "RAD_MAX", cell, "deg", "RAD_MAX", "POINT-LIKE", "RAD_MAX_2D"))
    )
    assert table.evaluate([0.11, 1.1, 99.0, 101.0], [0.2, 1.2, 0.9, 0.9]).tolist() == [0.0, 8.0, 5.0, 0.0]
    assert RadMax2D.fixed(0.2).evaluate([1e-9, 1.0], 7.0).tolist() == [0.2, 0.2]


AXES = list(aeff().columns[:4])


def with_edges(name: str, values: ArrayLike) -> Table:
    """The effective area with other edges in one of its columns."""
    columns = {column.name: column for column in aeff().columns}
    columns[name] = replace(columns[name], values=np.atleast_2d(values))
    return replace(aeff(), columns=tuple(columns.values()))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (without(aeff(), "THETA_LO", "ENERG_HI"), r"axis offset(.|\n)*axis energy_true"),
        (without(aeff(), "EFFAREA"), "no column EFFAREA"),
        (response("AEFF", list(aeff().columns[:4]), "EFFAREA", np.ones((2, 5)), "m2"), "has 10 values, expected 12"),
        (response("AEFF", list(aeff().columns[:4]), "EFFAREA", np.ones((6, 2)), "m2"), "has the shape .*TDIM|shape"),
        (
            response("AEFF", list(aeff().columns[:4]), "EFFAREA", np.ones((2, 6)), "s"),
            "is in 's', expected a unit of 'cm2'",
        ),
        (
            response("AEFF", list(aeff().columns[:4]), "EFFAREA", np.full((2, 6), np.nan), "m2"),
            "nan in bin offset 0, en",
        ),
        (with_edges("THETA_HI", [0.8, 2.0]), "columns THETA_LO, THETA_HI: axis offset: bins leave gaps or overlap"),
        (with_edges("ENERG_LO", 0.9 * ENERGY[:-1]), "columns ENERG_LO, ENERG_HI: axis energy_true: bins leave gaps or"),
        (aeff(LO_THRES="low"), "card LO_THRES is 'low', expected a number"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(tmp_path: Path, table: Table, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        EffectiveAreaTable2D.from_extension(extension(tmp_path, table))
    assert "table.fits: HDU AEFF" in str(caught.value)


def test_columns_without_a_unit_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bare = replace(aeff(), columns=tuple(replace(column, unit="") for column in aeff().columns))
    table = EffectiveAreaTable2D.from_extension(extension(tmp_path, bare))
    assert_allclose(
        table.evaluate(1.0, 0.5), EffectiveAreaTable2D.from_extension(extension(tmp_path, aeff())).evaluate(1.0, 0.5)
    )
    for column, unit in {"ENERG_LO": "TeV", "THETA_HI": "deg", "EFFAREA": "m2"}.items():
        assert f"HDU AEFF: unit '' of {column}, taken for {unit}" in caplog.text


def test_unknown_kinds_are_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="class 'aeff_3d' are not read"):
        read_response(extension(tmp_path, aeff()), "aeff_3d")
