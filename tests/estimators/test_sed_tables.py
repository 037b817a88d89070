"""The standard SED table of flux points: rows that a reader can make an axis of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gm.arrays import Array
from gm.datasets import FluxPointsDataset, read_dataset
from gm.estimators import FluxPoint, FluxPoints, NormEstimate, ReferenceFlux
from gm.estimators.result import PointStatus
from gm.io.sed_table import read_sed
from tests.samples import power_law


def points(*bands: tuple[float, float, PointStatus]) -> FluxPoints:
    """Norms of 0, 1, 2, ... in bands; none where there are no data."""

    def one(k: int, e_min: float, e_max: float, status: PointStatus) -> FluxPoint:
        estimate = NormEstimate(float(k), 0.1, 0.1, 0.1, k + 0.2, 0.0, 9.0, np.zeros(2))
        reference = ReferenceFlux(1e-11, 1e-11, 1e-11, 1e-11)
        return FluxPoint(e_min, e_max, status, None, reference, None if status == "no_data" else estimate)

    return FluxPoints(
        source="source",
        reference_model=power_law(),
        points=tuple(one(k, *band) for k, band in enumerate(bands)),
        norm_scan=np.array([0.5, 2.0]),
        sigma=1.0,
        sigma_ul=2.0,
        sigma_sensitivity=5.0,
        reoptimize=False,
        datasets=("a",),
    )


def columns(found: FluxPoints, tmp_path: Path) -> dict[str, Array]:
    """Of the file."""
    found.write(tmp_path / "sed.fits", overwrite=True)
    return {column.name: np.asarray(column.values) for column in read_sed(tmp_path / "sed.fits").columns}


def test_bands_in_order_are_all_rows(tmp_path: Path) -> None:
    table = columns(points((1.0, 2.0, "ok"), (2.0, 3.0, "no_data"), (3.0, 5.0, "upper_limit")), tmp_path)
    assert table["e_min"].tolist() == [1.0, 2.0, 3.0]
    assert table["norm"] == pytest.approx([0.0, np.nan, 2.0], nan_ok=True)


def test_a_band_without_data_inside_the_bins_of_the_next(tmp_path: Path) -> None:
    table = columns(points((1.0, 2.0, "ok"), (2.1, 2.2, "no_data"), (2.0, 5.0, "ok")), tmp_path)
    assert table["e_min"].tolist() == [1.0, 2.0]
    assert table["norm"].tolist() == [0.0, 2.0]


def test_bins_of_several_datasets_that_overlap(tmp_path: Path) -> None:
    """No axis has edges 1, 1 and 5 TeV, or 1.5 TeV before 1 TeV: the points are at their e_ref, in order."""
    table = columns(points((1.0, 2.0, "ok"), (1.0, 5.0, "ok")), tmp_path)
    assert "e_min" not in table
    assert table["e_ref"] == pytest.approx(np.sqrt([2.0, 5.0]))
    table = columns(points((1.5, 8.0, "ok"), (1.0, 9.0, "ok")), tmp_path)
    assert table["e_ref"] == pytest.approx([3.0, np.sqrt(12.0)])
    assert table["norm"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize("suffix", ["fits", "ecsv"])
@pytest.mark.parametrize("sigma_ul", [2.0, 1.6448536269514722])
def test_limits_are_read_as_what_they_are(tmp_path: Path, suffix: str, sigma_ul: float) -> None:
    """Of a one-sided probability of 0.95, too, which is no number of one digit."""
    file = tmp_path / f"sed.{suffix}"
    replace(points((1.0, 2.0, "ok")), sigma_ul=sigma_ul).write(file)
    assert FluxPoints.read(file).sigma_ul == sigma_ul
    dataset = read_dataset("FluxPointsDataset", file, "x")
    assert isinstance(dataset, FluxPointsDataset)
    assert dataset.points.n_sigma_ul == sigma_ul


@pytest.mark.parametrize("suffix", ["fits", "ecsv"])
def test_errors_of_several_sigma_are_read_as_such(tmp_path: Path, suffix: str) -> None:
    """norm_err is 0.1 at two sigma, of a reference of 1e-11: the error of a point is 5e-13."""
    path = tmp_path / f"sed.{suffix}"
    replace(points((1.0, 2.0, "ok"), (2.0, 3.0, "ok")), sigma=2.0, sigma_ul=3.0).write(path)
    read = read_dataset("FluxPointsDataset", path, "x")
    assert isinstance(read, FluxPointsDataset)
    assert read.points.error() == pytest.approx([5e-13, 5e-13], rel=1e-12)
    assert np.array(read.points.errors()) == pytest.approx(np.full((2, 2), 5e-13), rel=1e-12)
    assert read.points.n_sigma_ul == 3.0
