"""What counts as used in a stack: counts, times and responses of datasets that have a bin which can be used."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.datasets import operations as ops
from gm.io.tables import Column, Table
from gm.irf.edisp_map import EdispKernelMap
from gm.irf.psf import PsfMap
from gm.likelihood.prediction import predict_component
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.models import ExpDecayTemporalModel, Models, SkyModel
from tests.datasets.operations.cases import LAT, LON, all_sky, on_off_map, sky_map, source
from tests.samples import on_off, power_law, spectrum


def interval(start: float) -> Table:
    """A day that begins some days after the reference."""
    columns = (
        Column("START", np.array([start]) * 86400.0, "s"),
        Column("STOP", np.array([start + 1.0]) * 86400.0, "s"),
    )
    return Table("GTI", columns, {"MJDREFI": 55000, "MJDREFF": 0.0, "TIMESYS": "TT"})


def decaying(component: SkyModel) -> SkyModel:
    temporal = ExpDecayTemporalModel(t0="2 d", t_ref="55000 d")
    return SkyModel(
        name=component.name,
        spectral_model=component.spectral_model,
        spatial_model=component.spatial_model,
        temporal_model=temporal,
    )


@pytest.mark.parametrize("make", [spectrum, on_off, sky_map, on_off_map])
def test_a_run_without_a_safe_bin_is_not_in_the_stack(make: Any) -> None:
    """Neither with its times, by which a variable source would be weaker, nor in anything else."""
    first = make("a", 1, gti=interval(0.0), livetime=3600.0)
    shape = first.counts.shape
    mask = np.zeros(shape, dtype=bool)
    mask[0] = True
    first = first.with_(mask_fit=~mask)
    other = make("b", 2, gti=interval(20.0), livetime=7200.0, mask_fit=mask)
    other = other.with_(mask_safe=np.zeros(shape, dtype=bool), edisp=None)
    component = decaying(source(lon=LON, lat=LAT) if len(shape) > 1 else power_law())
    outcome = ops.stack(Datasets([first, other]), Models([component]), "*", name="sum")
    stacked: Any = outcome.datasets["sum"]
    assert stacked.livetime == 3600.0
    assert stacked.gti.array("START").tolist() == [0.0]
    assert np.array_equal(stacked.mask_fit, first.mask_fit)
    np.testing.assert_allclose(predict_component(stacked, component), predict_component(first, component), rtol=1e-9)


@pytest.mark.parametrize("make", [spectrum, sky_map])
def test_nothing_is_safe_at_all(make: Any) -> None:
    runs = [make(name, 1, gti=interval(0.0)) for name in ("a", "b")]
    runs = [run.with_(mask_safe=np.zeros(run.counts.shape, dtype=bool)) for run in runs]
    stacked: Any = ops.stack(Datasets(runs), Models(), "*", name="sum").datasets["sum"]
    assert not stacked.mask_safe.any()
    assert stacked.counts.sum() == 0
    assert stacked.gti is not None


@pytest.mark.parametrize("exposure", [0.0, 1e4])
@pytest.mark.parametrize("shape", [(1, 2), (1, 1), (2, 2)])
@pytest.mark.parametrize("hole", [False, True])
def test_responses_that_do_not_depend_on_the_position(exposure: float, shape: tuple[int, int], hole: bool) -> None:
    """Their pixels lie outside of the map, and nobody has filled in their exposure; they are the means by exposure."""
    runs = [
        all_sky(sky_map("a", 1, 1e12), 0.08, exposure, shape),
        all_sky(sky_map("b", 2, 3e12), 0.12, exposure, shape),
    ]
    safe = np.ones(runs[0].counts.shape, dtype=bool)
    safe[:, 8:12, 8:12] = not hole
    runs = [run.with_(mask_safe=safe) for run in runs]
    component = source(lon=LON + 0.3, lat=LAT)
    stacked: Any = ops.stack(Datasets(runs), Models([component]), "*", name="sum").datasets["sum"]
    for mine, one, two in (
        (stacked.psf.data, *(r.psf.data for r in runs)),
        (stacked.edisp.data, *(r.edisp.data for r in runs)),
    ):
        np.testing.assert_allclose(mine, 0.25 * one + 0.75 * two, rtol=1e-12)
    before = sum((predict_component(run, component) * safe).sum(axis=(1, 2)) for run in runs)
    after = (predict_component(stacked, component) * safe).sum(axis=(1, 2))
    np.testing.assert_allclose(after, before, rtol=2e-3)


def test_runs_with_other_pointings_and_one_response_each() -> None:
    """A response of one pixel holds everywhere, wherever that pixel is."""
    runs = [all_sky(sky_map("a", 1), 0.1, 1e4, (1, 1)), all_sky(sky_map("b", 2), 0.1, 1e4, (1, 1))]
    moved = [WcsGeometry.create(LON + by, LAT, 5.0, shape=(1, 1)) for by in (0.0, 0.7)]
    runs = [
        run.with_(
            psf=PsfMap(place, run.psf.energy, run.psf.rad, run.psf.data, run.psf.exposure),
            edisp=EdispKernelMap(place, run.energy_true, run.energy, run.edisp.data, run.edisp.exposure),
        )
        for run, place in zip(runs, moved, strict=True)
        if run.psf is not None and isinstance(run.edisp, EdispKernelMap)
    ]
    component = source()
    stacked = ops.stack(Datasets(runs), Models([component]), "*", name="sum").datasets["sum"]
    before = sum(predict_component(run, component) for run in runs)
    np.testing.assert_allclose(predict_component(stacked, component), before, rtol=1e-6, atol=1e-9)


OPERATIONS = {
    "stack": lambda datasets: ops.stack(datasets, Models(), "*", name="new"),
    "to_image": lambda datasets: ops.to_image(datasets, Models(), "a", name="new"),
    "downsample": lambda datasets: ops.downsample(datasets, Models(), "a", name="new", factor=2),
}


@pytest.mark.parametrize("make", [on_off, on_off_map])
def test_a_run_without_off_regions_adds_nothing_to_a_stack(make: Any) -> None:
    """Its counts have no background: with it, all of them would be signal."""
    whole = make("a", 1)
    without = make("b", 2)
    without = without.with_(
        acceptance_off=np.zeros_like(without.acceptance_off), counts_off=np.zeros_like(without.counts_off)
    )
    component = source() if whole.counts.ndim > 1 else power_law()
    both = Datasets([whole, without])
    outcome = ops.stack(both, Models([component]), "*", name="sum")
    stacked: Any = outcome.datasets["sum"]
    for key in ("counts", "counts_off", "exposure", "acceptance"):
        np.testing.assert_allclose(getattr(stacked, key), getattr(whole, key), rtol=1e-12, err_msg=key)
    n_bins = without.counts.size
    assert f"left out without an off acceptance: b: {n_bins} bins with {without.counts.sum():g} counts" in str(
        outcome.products[0].note
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_bins_without_off_acceptance_are_not_joined_to_others(operation: str) -> None:
    """What is joined is what the W statistic sees."""
    dataset = on_off_map("a", 1)
    hole = np.random.default_rng(3).uniform(size=dataset.counts.shape) < 0.3
    dataset = dataset.with_(acceptance_off=np.where(hole, 0.0, dataset.acceptance_off))
    made: Any = OPERATIONS[operation](Datasets([dataset])).datasets["new"]
    assert made.counts.sum() == dataset.counts[~hole].sum()
    assert made.counts_off.sum() == dataset.counts_off[~hole].sum()
    masked = dataset.with_(mask_safe=~hole)
    other: Any = OPERATIONS[operation](Datasets([masked])).datasets["new"]
    for key in ("counts", "acceptance", "acceptance_off", "mask_safe"):
        assert np.array_equal(getattr(made, key), getattr(other, key)), key


@pytest.mark.parametrize("by", [1.0, 1.0 + 1e-8, 2.0])
def test_responses_on_other_axes_are_not_averaged_bin_by_bin(by: float) -> None:
    """As many bins of another width: the mean was of one distance and of another, seen as those of the first."""
    runs = [sky_map("a", 1), sky_map("b", 2)]
    psf: PsfMap = runs[1].psf
    wider = NodeAxis.from_edges("rad", psf.rad.edges * by, "deg")
    runs[1] = runs[1].with_(psf=replace(psf, rad=wider))
    if by < 2.0:
        assert ops.stack(Datasets(runs), Models([]), "*", name="sum").datasets["sum"].psf is not None
        return
    said = r"the PSF maps of a and b have different axes rad: \d+ bins to [\d.]+ deg, \d+ to [\d.]+ deg"
    with pytest.raises(ops.Refused, match=said):
        ops.stack(Datasets(runs), Models([]), "*", name="sum")
