"""Results show themselves in one line, and as a table in a notebook."""

from __future__ import annotations

from typing import Any

import pytest

import gm
from tests.map_samples import background, cube, point, source
from tests.samples import on_off, power_law

DATASETS = gm.Datasets([on_off("a", 1, exposure=1e12), on_off("b", 2, exposure=1e12)])
MODELS = gm.Models([power_law()])
BAND = ["1 TeV", "10 TeV"]


def of_a_map() -> Any:
    models = gm.Models([source("star", point()), background("cube")])
    return gm.TSMapEstimator(energy_edges=BAND).run(gm.Datasets([cube("cube")]), models)


@pytest.mark.parametrize(
    ("make", "line", "rows"),
    [
        (lambda: gm.FluxPointsEstimator(source="source", energy_edges=BAND).run(DATASETS, MODELS), "1 points", 1),
        (lambda: gm.LightCurveEstimator(source="source", energy_edges=BAND).run(DATASETS, MODELS), "2 bins of time", 2),
        (
            lambda: gm.ProfileEstimator(parameters="source.index", n=3).run(DATASETS, MODELS),
            "source.index: 3 points",
            1,
        ),
        (
            lambda: gm.ModelSelection(
                component="source",
                alternatives=[
                    gm.Alternative("pl", gm.PowerLawSpectralModel()),
                    gm.Alternative("lp", gm.LogParabolaSpectralModel()),
                ],
            ).run(DATASETS, MODELS),
            "is chosen of pl, lp by aic",
            2,
        ),
        (lambda: gm.SensitivityEstimator(source="source", energy_edges=BAND).run(DATASETS, MODELS), "1 bands", 1),
        (of_a_map, "ts, 23 x 27 pixels, 1 bands: ", 0),
    ],
    ids=["points", "light curve", "profile", "selection", "sensitivity", "maps"],
)
def test_results_show_themselves(make: Any, line: str, rows: int) -> None:
    result = make()
    assert line in repr(result)
    assert len(repr(result)) < 250
    page = result._repr_html_()
    assert "<td>None</td>" not in page
    assert page.count("<tr>") >= 1 + rows
