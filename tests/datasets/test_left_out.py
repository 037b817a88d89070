"""What does not enter a statistic is told: in the result, bin by bin and point by point."""

from __future__ import annotations

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.datasets.left_out import LeftOut, data_warnings, left_out
from gm.errors import DataError
from gm.fit import Fit
from gm.models import Models
from tests.map_samples import cube, on_off_cube
from tests.samples import flux_points, on_off, power_law, spectrum

OFF = np.array([5.0, 5.0, 5.0, 0.0, 0.0, 0.0])


def test_bins_without_off_acceptance() -> None:
    run = on_off(acceptance_off=OFF)
    assert run.mask.tolist() == [True, True, True, False, False, False]
    assert left_out(run) == (LeftOut("without off acceptance", 3, run.counts[3:].sum()),)
    masked = run.with_(mask_safe=np.array([True, True, True, True, False, False]))
    assert left_out(masked) == (LeftOut("without off acceptance", 1, run.counts[3]),)
    assert left_out(on_off()) == left_out(spectrum()) == ()
    no_on = left_out(on_off(acceptance=OFF, acceptance_off=OFF[::-1]))
    assert [(part.reason, part.bins) for part in no_on] == [("without off acceptance", 3), ("without on acceptance", 3)]


def test_pixels_without_off_acceptance() -> None:
    run = on_off_cube()
    off = run.acceptance_off.copy()
    off[0] = 0.0
    assert run.mask_safe is not None
    without = run.mask_safe & (off == 0)
    assert without[0].any()
    assert without[1:].any()
    blank = run.with_(acceptance_off=off)
    assert blank.mask.sum() == run.mask_safe.sum() - without.sum()
    assert left_out(blank) == (LeftOut("without off acceptance", int(without.sum()), float(run.counts[without].sum())),)


def test_points_that_a_statistic_has_no_use_for() -> None:
    points = flux_points()
    assert left_out(points) == (LeftOut("upper limits, which chi2 has no use for", 1),)
    assert left_out(points.with_(stat_type="distrib")) == ()
    table = points.points
    error, dnde = table.dnde_err.copy(), table.dnde.copy()
    error[0], dnde[1] = 0.0, np.nan
    changed = points.with_(points=type(table)(**{**table.__dict__, "dnde_err": error, "dnde": dnde}))
    reasons = {part.reason: part.bins for part in left_out(changed)}
    assert reasons == {
        "upper limits, which chi2 has no use for": 1,
        "without a flux": 1,
        "without an error above 0": 1,
    }


def test_masks_that_leave_nothing() -> None:
    nothing = np.zeros(6, dtype=bool)
    run = on_off()
    assert left_out(run.with_(mask_safe=nothing)) == (LeftOut("no bin is safe (mask_safe)", 6, run.counts.sum()),)
    assert left_out(run.with_(mask_fit=nothing))[0].reason == "fit masks and energy ranges leave no bin"


def test_one_sentence_for_each_reason() -> None:
    runs = [on_off(f"run-{n}", acceptance_off=OFF) for n in range(6)]
    counts = sum(run.counts[3:].sum() for run in runs)
    assert data_warnings(runs) == [
        f"run-0, run-1, run-2, run-3, ... (6 datasets): 18 bins with {counts:g} counts left out: without off acceptance"
    ]


def test_a_dataset_without_exposure_is_named() -> None:
    blind = "no exposure, so no source is seen"
    run = on_off()
    assert data_warnings([run, run.with_(name="b", exposure=0 * run.exposure)]) == [f"b: {blind}"]
    sky = cube()
    assert data_warnings([sky.with_(exposure=0 * sky.exposure)]) == [f"{sky.name}: {blind}"]


def test_a_fit_says_what_it_left_out() -> None:
    """The table holds what was fitted; the rest is beside it, and a run without OFF does not stop the others."""
    run = on_off("a", acceptance_off=OFF)
    without = on_off("b", acceptance_off=np.zeros(6))
    result = Fit(Datasets([run, without])).run(Models([power_law()]))
    alone = Fit(Datasets([run])).run(Models([power_law()]))
    assert result.statistic == pytest.approx(alone.statistic, rel=1e-12)
    assert [w for w in result.warnings if "left out" in w] == [
        f"a, b: 9 bins with {run.counts[3:].sum() + without.counts.sum():g} counts left out: without off acceptance"
    ]
    first, second = result.to_dict()["datasets"]
    assert (first["bins"], first["counts"]) == (3, run.counts[:3].sum())
    assert first["left_out"] == [{"reason": "without off acceptance", "bins": 3, "counts": run.counts[3:].sum()}]
    assert (second["bins"], second["counts"], second["left_out"][0]["bins"]) == (0, 0, 6)


def test_when_nothing_is_left_the_reason_is_said() -> None:
    datasets = Datasets([on_off("a", acceptance_off=np.zeros(6)), on_off("b", mask_safe=np.zeros(6, dtype=bool))])
    with pytest.raises(DataError, match=r"no bin is left in any dataset\n *a: 6 bins .* off acceptance\n *b: 6 bins"):
        Fit(datasets).run(Models([power_law()]))
