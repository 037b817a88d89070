"""Covariance between flux points: in files, and in the statistic of a dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import Datasets, FluxPointsDataset, read_dataset, write_dataset
from gm.datasets.sed import SedTable
from gm.datasets.sed_covariance import squared
from gm.datasets.simulation import draw, template_of
from gm.errors import DataError
from gm.fit import Fit
from gm.io.fits_writer import write_fits
from gm.io.sed_table import read_sed, sed_extensions
from gm.io.tables import Column, Table
from gm.likelihood import JointLikelihood
from gm.models import Models, PowerLawSpectralModel, SkyModel

ENERGY = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
REFERENCE = 1e-12 * ENERGY**-2.3


def correlations(seed: int = 1) -> Array:
    """Some that hold together."""
    random = np.random.default_rng(seed)
    square = random.normal(size=(5, 8))
    covariance = square @ square.T
    error = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(error, error))


def points(likelihood: bool = True, limit: bool = False) -> FluxPointsDataset:
    """Five points around a power law with errors of 5 to 25 %."""
    error = REFERENCE * np.array([0.05, 0.1, 0.15, 0.2, 0.25])
    covariance = correlations() * np.outer(error, error)
    dnde = REFERENCE + np.linalg.cholesky(covariance) @ np.random.default_rng(7).normal(size=5)
    nothing = np.full(5, np.nan)
    table = SedTable(
        energy=ENERGY,
        dnde=dnde,
        dnde_err=error,
        dnde_errn=nothing,
        dnde_errp=nothing,
        dnde_ul=dnde + 2 * error,
        dnde_ref=REFERENCE,
        is_ul=np.array([False] * 4 + [limit]),
        ref_flux=REFERENCE if likelihood else None,
        ref_eflux=REFERENCE if likelihood else None,
        covariance=covariance,
        sed_type="likelihood" if likelihood else "dnde",
    )
    return FluxPointsDataset(name="points", points=table)


def power_law(amplitude: float = 1.1e-12, index: float = 2.2) -> Models:
    amplitude_unit = "cm-2 s-1 TeV-1"
    spectrum = PowerLawSpectralModel(index=index, amplitude=f"{amplitude} {amplitude_unit}", reference="1 TeV")
    return Models([SkyModel(name="crab", spectral_model=spectrum)])


def covariance(dataset: Any) -> Array:
    """Of the points that enter."""
    kept = dataset.mask
    matrix: Array = dataset.points.covariance[kept][:, kept]
    return matrix


def fluxes(dataset: Any) -> Array:
    dnde: Array = dataset.points.dnde
    return dnde


def dense(dataset: FluxPointsDataset, models: Models) -> float:
    """``r^T C^-1 r`` as it is written."""
    predicted = models["crab"].spectral_model(dataset.points.energy)
    residual = (dataset.points.dnde - predicted)[dataset.mask]
    return float(residual @ np.linalg.solve(covariance(dataset), residual))


@pytest.mark.parametrize("suffix", ["fits", "ecsv"])
@pytest.mark.parametrize("likelihood", [True, False])
def test_files_hold_it(tmp_path: Path, suffix: str, likelihood: bool) -> None:
    dataset, file = points(likelihood), tmp_path / f"sed.{suffix}"
    write_dataset(dataset, file)
    np.testing.assert_allclose(covariance(read_dataset("FluxPointsDataset", file)), covariance(dataset), rtol=1e-14)
    name = "norm_covariance" if likelihood else "dnde_covariance"
    assert read_sed(file).names[-1] == name or name in read_sed(file).names


def test_of_some_points_it_is_the_part() -> None:
    rows = np.array([3, 0])
    np.testing.assert_array_equal(covariance(points().take(rows)), covariance(points())[np.ix_(rows, rows)])


@pytest.mark.parametrize("mask", [None, [True, False, True, True, True]])
@pytest.mark.parametrize("limit", [False, True])
def test_the_statistic_is_the_dense_one(mask: list[bool] | None, limit: bool) -> None:
    """Masked points take rows and columns along, upper limits take part; gradient by differences, and Hessian."""
    dataset = points(limit=limit).with_(mask_fit=None if mask is None else np.array(mask))
    assert dataset.n_bins() == 5 - (mask is not None)
    likelihood = JointLikelihood(Datasets([dataset]), power_law())
    start = likelihood.layout.start
    assert likelihood.value(start) == pytest.approx(dense(dataset, power_law()), rel=1e-12)
    value, gradient = likelihood.value_and_gradient(start)
    assert value == likelihood.value(start)
    assert (likelihood.by_energy(start).residual ** 2).sum() == pytest.approx(value, rel=1e-12)
    steps = 1e-6 * np.abs(start)
    for k, step in enumerate(steps):
        up, down = (start + side * step * (np.arange(2) == k) for side in (1, -1))
        slope = (likelihood.value(up) - likelihood.value(down)) / (2 * step)
        assert gradient[k] == pytest.approx(slope, rel=1e-6)
    jacobian = likelihood.layout.reduce(likelihood.bank.slopes(likelihood.layout.expand(start)).jacobian())
    jacobian = jacobian[:5][dataset.mask[: len(jacobian)]] if len(jacobian) == 5 else jacobian
    expected = 2 * jacobian.T @ np.linalg.inv(covariance(dataset)) @ jacobian
    np.testing.assert_allclose(np.asarray(likelihood.information(start)), expected, rtol=1e-10)


def test_upper_limits_without_an_error_in_it_are_left_out() -> None:
    dataset = points(limit=True)
    matrix = covariance(dataset).copy()
    matrix[4] = matrix[:, 4] = np.nan
    dataset = dataset.with_(points=replace(dataset.points, covariance=matrix))
    assert dataset.mask.tolist() == [True] * 4 + [False]
    likelihood = JointLikelihood(Datasets([dataset]), power_law())
    assert likelihood.value(likelihood.layout.start) == pytest.approx(dense(dataset, power_law()), rel=1e-12)


def test_a_band_of_it_is_that_of_its_points() -> None:
    likelihood = JointLikelihood(Datasets([points()]), power_law())
    cut = likelihood.terms.cut(np.array([[1, 4]]))
    flux = likelihood.bank.fluxes(likelihood.layout.expand(likelihood.layout.start))
    some = points().take(np.arange(1, 4))
    assert cut is not None
    assert cut.value(flux) == pytest.approx(dense(some, power_law()), rel=1e-12)
    [line] = cut.lines(np.zeros_like(flux), flux)
    assert line.values(np.array([1.0]))[0] == pytest.approx(cut.value(flux), rel=1e-12)


def test_a_fit_is_generalised_least_squares() -> None:
    """Amplitude alone: ``(f^T C^-1 d) / (f^T C^-1 f)``, error ``(f^T C^-1 f)^-1/2``; beside an independent dataset."""
    dataset = points()
    models = power_law(index=2.3).with_parameters({"crab.index": {"frozen": True}})
    result = Fit(Datasets([dataset])).run(models)
    inverse = np.linalg.inv(covariance(dataset))
    f = ENERGY**-2.3
    weight = f @ inverse @ f
    amplitude = next(one for one in result.parameters if one.name == "crab.amplitude")
    assert amplitude.value == pytest.approx(f @ inverse @ dataset.points.dnde / weight, rel=1e-7)
    assert amplitude.error == pytest.approx(weight**-0.5, rel=1e-5)
    [row] = result.to_dict()["datasets"]
    assert row["correlated"] is True
    twice = Datasets([dataset, replace(dataset, name="again", points=replace(dataset.points, covariance=None))])
    likelihood = JointLikelihood(twice, models)
    alone = sum(JointLikelihood(Datasets([one]), models).value(likelihood.layout.start) for one in twice)
    assert likelihood.value(likelihood.layout.start) == pytest.approx(alone, rel=1e-12)


def test_other_statistics_say_that_they_do_not_use_it() -> None:
    dataset = points().with_(stat_type="distrib")
    assert not dataset.is_correlated
    remarks = JointLikelihood(Datasets([dataset]), power_law()).remarks()
    assert any("their covariance is used by chi2 alone" in text for text in remarks)


def test_simulated_points_scatter_with_it() -> None:
    """Correlations of 4000 draws, to four errors of 0.016."""
    template, centre = template_of(points()), REFERENCE
    drawn = np.array([fluxes(draw(template, centre, seed)) / centre for seed in range(4000)])
    np.testing.assert_allclose(np.corrcoef(drawn.T), correlations(), atol=0.063)
    assert (fluxes(draw(template, centre, 1, asimov=True)) == centre).all()


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((5, 5)), "not positive definite"),
        (np.eye(5) + np.triu(np.full((5, 5), 0.5), 1), "not symmetric"),
        (np.where(np.eye(5) > 0, 1.0, np.nan), "not finite"),
    ],
)
def test_what_is_no_covariance_is_refused(tmp_path: Path, matrix: Array, message: str) -> None:
    table = read_written(tmp_path)
    columns = [column for column in table.columns if column.name != "norm_covariance"]
    write_fits(tmp_path / "bad.fits", sed_extensions("", [*columns, Column("norm_covariance", matrix)], table.header))
    with pytest.raises(DataError, match=message):
        read_dataset("FluxPointsDataset", tmp_path / "bad.fits")


def test_that_of_another_quantity_or_size_is_refused(tmp_path: Path) -> None:
    table = read_written(tmp_path)
    columns = [column for column in table.columns if column.name != "norm_covariance"]
    for name, matrix, message in (
        ("flux_covariance", np.eye(5), "expected norm_covariance"),
        ("norm_covariance", np.eye(4), "5 by 5"),
    ):
        write_fits(tmp_path / "bad.fits", sed_extensions("", [*columns, Column(name, matrix)], table.header))
        with pytest.raises(DataError, match=message):
            read_dataset("FluxPointsDataset", tmp_path / "bad.fits")


def read_written(tmp_path: Path) -> Table:
    write_dataset(points(), tmp_path / "sed.fits")
    return read_sed(tmp_path / "sed.fits")


def test_units_are_squared() -> None:
    assert [squared(unit) for unit in ("", "erg cm-2 s-1", "cm-2 s-1 TeV-1")] == ["", "erg2 cm-4 s-2", "cm-4 s-2 TeV-2"]


def test_gammapy_passes_over_it(tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    """Gammapy reads the table as without covariance."""
    write_dataset(points(), tmp_path / "sed.fits")
    script = """
import json, sys
from gammapy.estimators import FluxPoints
print(json.dumps(FluxPoints.read(sys.argv[1]).norm.data.ravel().tolist()))
"""
    norms = gammapy(script, tmp_path / "sed.fits")
    np.testing.assert_allclose(norms, points().points.dnde / REFERENCE, rtol=1e-6)
