"""Spectra whose numbers are in files: absorption by the EBL, and maps with parameters for axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from gm.arrays import Array
from gm.errors import DataError
from gm.models import (
    CompoundSpectralModel,
    EBLAbsorptionNormSpectralModel,
    ModelError,
    Models,
    PowerLawSpectralModel,
    SpectralModel,
    TemplateNDSpectralModel,
)
from gm.models.spectral.absorption import builtin_file

ENERGY: Array = np.geomspace(0.02, 40.0, 9)  # TeV
# Gammapy 2.1, EBLAbsorptionNormSpectralModel.read(file, redshift, alpha_norm)(ENERGY)
ABSORBED = {
    ("ebl_dominguez11", 0.117, 1.0): [1.0, 0.9962770732742265, 0.9546783264680249, 0.7109513373450479,
                                      0.31464426806911094, 0.16104529391726055, 0.05799824305029128],
    ("ebl_dominguez11", 0.44, 1.3): [0.9998735753482559, 0.9547604351945124, 0.6652569199624467, 0.0819148400528064,
                                     0.0009484796121676589, 2.5504601886491285e-05, 4.074971378701168e-09],
    ("ebl_franceschini", 0.44, 1.3): [1.0, 0.9743283012956163, 0.68635832900503, 0.08540690551702788,
                                      0.0012985695796696457, 3.378471108361318e-05, 5.692579437612952e-10],
    ("ebl_franceschini", 0.001, 1.0): [1.0, 0.9999969353711897, 0.9997517326177221, 0.9976791986455441,
                                       0.9917009767097935, 0.986274949096248, 0.9789569066085285],
}  # fmt: skip


def check_gradient(model: SpectralModel, values: Array, steps: Array) -> None:
    gradient = model.gradient(ENERGY, values)
    for k, step in enumerate(steps):
        shift = np.zeros_like(values)
        shift[k] = step
        expected = (model.evaluate(ENERGY, values + shift) - model.evaluate(ENERGY, values - shift)) / (2 * step)
        np.testing.assert_allclose(gradient[k], expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


@pytest.mark.parametrize("case", ABSORBED)
def test_absorption_is_that_of_gammapy(case: tuple[str, float, float], shared: Path) -> None:
    name, redshift, alpha = case
    file = str(shared / "data" / "ebl" / f"{name}.fits.gz")
    model = EBLAbsorptionNormSpectralModel(filename=file, redshift=redshift, alpha_norm=alpha)
    # Gammapy keeps the energies of the nodes in single precision: ln E is off by 1e-7 of the spacing of the nodes, and
    # the transmission by that times its slope.
    np.testing.assert_allclose(model(ENERGY)[:7], ABSORBED[case], rtol=5e-6)
    # Between the nodes: at one, such as 0.44, the slope jumps.
    check_gradient(model, model.values() + np.array([0.0013, 0.0]), np.array([1e-6, 1e-5]))


def test_absorption_from_an_inline_table() -> None:
    table = {
        "energy": {"data": [100.0, 1000.0], "unit": "GeV"},
        "param": {"data": [0.1, 0.2], "unit": ""},
        "values": {"data": [[0.9, 0.4], [0.8, 0.1]], "unit": ""},
    }
    model = EBLAbsorptionNormSpectralModel(**table, redshift=0.15)
    assert model.is_norm
    assert model.redshift.frozen
    np.testing.assert_allclose(model(np.array([0.1, 1.0])), [np.sqrt(0.72), np.sqrt(0.04)], rtol=1e-12)
    assert model(np.array([1e-4]))[0] == 1.0
    check_gradient(model, np.array([0.15, 1.2]), np.array([1e-6, 1e-6]))
    with pytest.raises(ModelError, match="needs a filename, or energy, param and values"):
        EBLAbsorptionNormSpectralModel(redshift=0.1)
    with pytest.raises(ModelError, match="2 redshifts, 2 energies, values of shape"):
        EBLAbsorptionNormSpectralModel(**{**table, "values": {"data": [[1.0, 1.0]]}})


def test_units_and_rows_of_an_absorption_file(tmp_path: Path) -> None:
    """Energies in GeV, and rows in another order than that of the redshifts in PARAMETERS."""
    edges, z = np.array([50.0, 200.0, 800.0]), np.array([0.1, 0.2])
    columns = [fits.Column("ENERG_LO", "E", array=edges[:-1], unit="GeV")]
    columns += [fits.Column("ENERG_HI", "E", array=edges[1:], unit="GeV")]
    rows = [fits.Column("PARAMVAL", "E", array=z[::-1])]
    rows += [fits.Column("INTPSPEC", "2E", array=np.array([[0.8, 0.1], [0.9, 0.4]]))]
    hdus = [fits.BinTableHDU.from_columns([fits.Column("VALUE", "2E", array=z[None])], name="PARAMETERS")]
    hdus += [fits.BinTableHDU.from_columns(columns, name="ENERGIES")]
    hdus += [fits.BinTableHDU.from_columns(rows, name="SPECTRA")]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "ebl.fits")
    model = EBLAbsorptionNormSpectralModel(filename=str(tmp_path / "ebl.fits"), redshift=0.1)
    np.testing.assert_allclose(model(np.array([0.1, 0.4])), [0.9, 0.4], rtol=1e-6)
    assert model.remarks() == ()
    beyond = EBLAbsorptionNormSpectralModel(filename=str(tmp_path / "ebl.fits"), redshift=0.3)
    text = "redshift 0.3 lies outside of the table, 0.1 to 0.2, which is continued"
    assert CompoundSpectralModel(PowerLawSpectralModel(), beyond, "mul").remarks() == (text,)


def test_a_builtin_table_stands_in_for_a_path_of_another_machine(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMMAPY_DATA", str(shared / "data"))
    assert builtin_file("/elsewhere/ebl/ebl_dominguez11.fits.gz") == shared / "data" / "ebl" / "ebl_dominguez11.fits.gz"
    assert builtin_file("/elsewhere/map.fits") is None
    found: list[str] = []
    absorbed = {"type": "ebl-norm", "filename": "/elsewhere/ebl/ebl_dominguez11.fits.gz", "parameters": []}
    spectrum = {"type": "compound", "model1": {"type": "pl"}, "model2": absorbed, "operator": "mul"}
    data = {"components": [{"name": "a", "type": "SkyModel", "spectral": spectrum}]}
    models = Models.from_dict(data, lambda path, message, hint: found.append(message), tmp_path)
    assert models is not None, found
    assert models.parameters["a.redshift"].value == 0.1
    (tmp_path / "out").mkdir()
    models.write(tmp_path / "out" / "models.yaml")
    assert Models.read(tmp_path / "out" / "models.yaml").parameters.addresses == models.parameters.addresses
    monkeypatch.delenv("GAMMAPY_DATA")
    assert Models.from_dict(data, lambda path, message, hint: found.append(message), tmp_path) is None
    assert "does not exist" in found[0]


VALUES = np.exp(np.random.default_rng(7).normal(size=(3, 3, 4))) * 1e-15  # (age, cutoff, energy)


def write_table(path: Path, unit: str = "cm-2 s-1 GeV-1") -> None:
    """A region map with the axes energy_true, cutoff and age, the first fastest, as Gammapy writes it."""
    from astropy.io import fits
    from astropy.table import Table as AstropyTable

    edges, cutoff, age = np.geomspace(0.1, 10, 5), np.array([1.0, 2.0, 4.0]), np.array([0.0, 1.0, 3.0])
    n = np.arange(36)
    bands: dict[str, Any] = {"CHANNEL": n, "ENERGY": np.sqrt(edges[:-1] * edges[1:])[n % 4]}
    bands |= {"ENERGY_MIN": edges[:-1][n % 4], "ENERGY_MAX": edges[1:][n % 4]}
    bands |= {"CUTOFF": cutoff[n // 4 % 3], "AGE": age[n // 12]}
    units = {"ENERGY": "TeV", "ENERGY_MIN": "TeV", "ENERGY_MAX": "TeV", "CUTOFF": "TeV", "AGE": "yr"}
    table = fits.table_to_hdu(AstropyTable(bands, units=units))
    table.name = "SKYMAP_BANDS"
    names = {"AXCOLS1": "ENERGY_TRUE_MIN,ENERGY_TRUE_MAX", "AXCOLS2": "CUTOFF", "AXCOLS3": "AGE"}
    for name in ("ENERGY_MIN", "ENERGY_MAX", "ENERGY"):
        table.columns[name].name = name.replace("ENERGY", "ENERGY_TRUE")
    table.header.update(names | {"INTERP1": "log", "INTERP2": "log", "INTERP3": "lin"})
    data = fits.Column("DATA", "12D", unit=unit, dim="(1,1,4,3)", array=VALUES.reshape(3, 3, 4, 1, 1))
    rows = fits.BinTableHDU.from_columns([fits.Column("CHANNEL", "K", array=np.arange(3)), data], name="SKYMAP")
    rows.header.update(names | {"INTERP1": "log", "INTERP2": "log", "INTERP3": "lin"})
    fits.HDUList([fits.PrimaryHDU(), rows, table]).writeto(path)


def test_spectra_with_further_axes_are_those_of_gammapy(tmp_path: Path) -> None:
    write_table(tmp_path / "table.fits")
    model = TemplateNDSpectralModel(filename=str(tmp_path / "table.fits"))
    limits = {p.name: (p.value, p.min, p.max, p.unit) for p in model.parameters}
    assert limits == {"cutoff": (2.5, 1.0, 4.0, "TeV"), "age": (1.5, 0.0, 3.0, "yr")}
    assert list(limits) == ["cutoff", "age"]
    assert not model.is_norm
    # Gammapy 2.1, TemplateNDSpectralModel(map)(ENERGY) at cutoff 2.7 TeV, age 1.6 yr, of the same map
    expected = [5.4299984145626723e-14, 1.1303424131931573e-13, 2.35299142562684e-13, 4.898134038368953e-13]
    expected += [4.913670218101094e-13, 3.2828223434158523e-13, 5.592259087723038e-13, 9.526364339192567e-13]
    values = np.array([2.7, 1.6])
    np.testing.assert_allclose(model.evaluate(ENERGY, values)[:8], expected, rtol=1e-9)
    check_gradient(model, values, np.array([1e-5, 1e-5]))


def test_a_table_without_unit_is_a_factor(tmp_path: Path) -> None:
    write_table(tmp_path / "table.fits", unit="")
    assert TemplateNDSpectralModel(filename=str(tmp_path / "table.fits")).is_norm
    with pytest.raises(DataError, match="no such file"):
        TemplateNDSpectralModel(filename=str(tmp_path / "gone.fits"))
