"""Components that vary with time: averaged over the good time of each dataset, with gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.errors import DataError
from gm.fit import Fit
from gm.io.fits_writer import write_fits
from gm.io.tables import Column, Table
from gm.likelihood import JointLikelihood
from gm.models import (
    ExpDecayTemporalModel,
    LightCurveTemplateTemporalModel,
    Models,
    PowerLawTemporalModel,
    SkyModel,
)
from tests.samples import flux_points, on_off, power_law, spectrum

MJD = 55000.0


def good_time(start: float, stop: float) -> Table:
    """One interval, in days after MJD 55000 in TT."""
    days = np.array([start]), np.array([stop])
    columns = tuple(Column(name, day * 86400.0, "s") for name, day in zip(("START", "STOP"), days, strict=True))
    return Table("GTI", columns, {"MJDREFI": int(MJD), "MJDREFF": 0.0, "TIMESYS": "tt"})


DATASETS = Datasets(
    [on_off("early", 1).with_(gti=good_time(0.0, 0.5)), spectrum("late", 2).with_(gti=good_time(3.0, 4.0))]
)


def decaying(**options: object) -> SkyModel:
    temporal = ExpDecayTemporalModel(t0="2 d", t_ref=f"{MJD} d", scale="tt")
    return SkyModel(spectral_model=power_law().spectral_model, temporal_model=temporal, name="source", **options)  # type: ignore[arg-type]


def average(start: float, stop: float, t0: float) -> float:
    """Mean of exp(-t / t0)."""
    return float(t0 * (np.exp(-start / t0) - np.exp(-stop / t0)) / (stop - start))


def test_predicted_counts_are_those_of_the_steady_source_times_the_average() -> None:
    steady, varying = (JointLikelihood(DATASETS, Models([m])) for m in (power_law(), decaying()))
    expected = [average(0.0, 0.5, 2.0), average(3.0, 4.0, 2.0)]
    for one, other, factor in zip(
        steady.summarize(steady.layout.start), varying.summarize(varying.layout.start), expected, strict=True
    ):
        assert other.components["source"] == pytest.approx(factor * one.components["source"], rel=1e-10)


def test_gradient() -> None:
    """Differences of 1e-6 relative are good to 1e-6 of the derivative."""
    likelihood = JointLikelihood(DATASETS, Models([decaying(), power_law("other", datasets_names=["late"])]))
    vector = likelihood.layout.start
    assert "source.t0" in likelihood.layout.free_addresses
    gradient = likelihood.gradient(vector)
    for k, step in enumerate(np.diag(1e-5 * np.abs(vector))):
        slope = (likelihood.value(vector + step) - likelihood.value(vector - step)) / (2 * step[k])
        assert gradient[k] == pytest.approx(slope, rel=1e-5)
    assert likelihood.depends_on().all()


def test_information_is_that_of_the_prediction() -> None:
    likelihood = JointLikelihood(DATASETS, Models([decaying()]))
    vector = likelihood.layout.start
    information = likelihood.information(vector)
    assert information.shape == (vector.size, vector.size)
    assert np.linalg.eigvalsh(information).min() > -1e-9 * np.abs(information).max()
    assert information[2, 2] > 0


@pytest.mark.parametrize("dataset", [on_off("without", 1), flux_points("points")], ids=["spectrum", "flux points"])
def test_without_good_time(dataset: object) -> None:
    with pytest.raises(DataError, match="no good time intervals"):
        JointLikelihood(Datasets([dataset]), Models([decaying()]))  # type: ignore[list-item]


def light_curve(folder: Path, first: float, last: float) -> SkyModel:
    """Constant between two days after MJD 55000."""
    columns = Column("TIME", np.array([first, last]), "d"), Column("NORM", np.ones(2))
    write_fits(folder / "curve.fits", [Table("CURVE", columns, {"MJDREFI": int(MJD), "MJDREFF": 0.0, "TIMESYS": "tt"})])
    temporal = LightCurveTemplateTemporalModel(filename=str(folder / "curve.fits"), scale="tt")
    return SkyModel(spectral_model=power_law().spectral_model, temporal_model=temporal, name="source")


def test_a_light_curve_that_ends_is_0_beyond_and_told(tmp_path: Path) -> None:
    """Half of the first dataset's good time and all of the second's lie outside of it."""
    likelihood = JointLikelihood(DATASETS, Models([light_curve(tmp_path, -1.0, 0.25)]))
    steady = JointLikelihood(DATASETS, Models([power_law()]))
    counts = [s.components["source"] for s in likelihood.summarize(likelihood.layout.start)]
    whole = [s.components["source"] for s in steady.summarize(steady.layout.start)]
    assert counts == pytest.approx([0.5 * whole[0], 0.0])
    told = "source on early, late: 0 in the good time that its light curve does not cover, 100 %, 50 %"
    assert told in likelihood.remarks()
    assert told in Fit(DATASETS).optimize(Models([light_curve(tmp_path, -1.0, 0.25)])).warnings


def test_a_light_curve_that_covers_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not cover the good time of early, late"):
        JointLikelihood(DATASETS, Models([light_curve(tmp_path, 10.0, 20.0)]))


def test_a_component_that_is_never_on_is_an_error() -> None:
    """A power law from a time on, which is after all data."""
    temporal = PowerLawTemporalModel(t_ref=f"{MJD + 100} d", scale="tt")
    component = SkyModel(spectral_model=power_law().spectral_model, temporal_model=temporal, name="source")
    with pytest.raises(DataError, match="PowerLawTemporalModel is 0 in the good time of early, late"):
        JointLikelihood(DATASETS, Models([component]))
