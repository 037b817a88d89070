"""What gm writes opens in Gammapy with the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.datasets.sed import sed_columns
from gm.io.sed_table import write_sed

SCRIPT = """
import json, sys
from gammapy.datasets import Datasets
from gammapy.estimators import FluxPoints
rows = {}
for dataset in Datasets.read(sys.argv[1]):
    if dataset.tag == "FluxPointsDataset":
        rows[dataset.name] = [dataset.data.dnde.quantity.to_value("cm-2 s-1 TeV-1").ravel().tolist()]
        continue
    kernel = dataset.edisp.get_edisp_kernel().data if dataset.edisp else [[0]]
    exposure = dataset.exposure.quantity.to_value("cm2 s")
    parts = [dataset.counts.data, dataset.counts_off.data, dataset.alpha.data, exposure, kernel, dataset.mask_safe.data]
    rows[dataset.name] = [getattr(part, "ravel", lambda: part)().astype(float).tolist() for part in parts]
print(json.dumps(rows))
"""


SED_SCRIPT = """
import json, sys
from gammapy.estimators import FluxPoints
points = FluxPoints.read(sys.argv[1])
dnde, error = (q.quantity.to_value("cm-2 s-1 TeV-1").ravel().tolist() for q in (points.dnde, points.dnde_err))
print(json.dumps([points.sed_type_init, points.n_sigma_ul, dnde, error, points.is_ul.data.ravel().tolist()]))
"""


@pytest.mark.parametrize(
    ("case", "form"),
    [("joint-crab", "gadf"), ("joint-crab", "ogip"), ("hess-crab-1d", "gadf"), ("flux-points", "gadf")],
)
def test_gammapy_reads_the_same_numbers(
    shared: Path, tmp_path: Path, gammapy: Callable[..., Any], case: str, form: str
) -> None:
    datasets = Datasets.read(shared / "reference" / case / "datasets.yaml")
    datasets.write(tmp_path, format=form)
    rows = gammapy(SCRIPT, tmp_path / "datasets.yaml")
    for dataset in datasets:
        if dataset.type == "FluxPointsDataset":
            ours = [dataset.points.dnde]
        else:
            safe = np.ones(dataset.energy.n_bins) if dataset.mask_safe is None else dataset.mask_safe
            ours = [dataset.counts, dataset.counts_off, dataset.alpha(), dataset.exposure, dataset.edisp.ravel(), safe]
        # OGIP files hold the matrix as float32
        for mine, theirs in zip(ours, rows[dataset.name], strict=True):
            np.testing.assert_allclose(theirs, mine, rtol=1e-7 if form == "ogip" else 1e-13)


@pytest.mark.parametrize("fmt", ["fits", "ecsv"])
@pytest.mark.parametrize("name", ["hess", "hawc"])
def test_gammapy_reads_the_same_flux_points(
    shared: Path, tmp_path: Path, gammapy: Callable[..., Any], name: str, fmt: str
) -> None:
    points = Datasets.read(shared / "reference/flux-points/datasets.yaml")[name].points
    write_sed(tmp_path / f"sed.{fmt}", *sed_columns(points))
    sed_type, n_sigma_ul, dnde, error, is_ul = gammapy(SED_SCRIPT, tmp_path / f"sed.{fmt}")
    assert (sed_type, n_sigma_ul, is_ul) == (points.sed_type, points.n_sigma_ul, points.is_ul.tolist())
    np.testing.assert_allclose(dnde, points.dnde, rtol=1e-13)
    np.testing.assert_allclose(error, points.dnde_err, rtol=1e-13)
