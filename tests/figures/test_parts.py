"""What documents of the estimators have for figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.errors import DataError
from gm.figures.contours import line_of
from gm.figures.look import Look
from gm.figures.registry import draw, parts_of
from gm.figures.results import Result

pytest.importorskip("matplotlib", reason="figures need Matplotlib")

LOOK = Look()


def drawn(result: Result, figure: str) -> list[Any]:
    """The parts of a figure, which is drawn too."""
    from matplotlib.figure import Figure

    parts = parts_of([result], figure, LOOK)
    with LOOK.applied():
        assert draw(Figure(), figure, parts, LOOK)
    return parts


def test_positions() -> None:
    circle = [[83.6 + 0.01 * x, 22.0 + 0.01 * y] for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    surface = {
        "lon": [83.5, 83.6, 83.7],
        "lat": [21.9, 22.0],
        "rise": [[1.0, 0.5, 1.0], [0.8, 0.0, None]],
        "contours": [{"share": 0.68, "delta_statistic": 2.28, "points": circle, "reason": None}],
    }
    document = {"name": "crab", "surface": surface, "position": {"lon": 83.6, "lat": 22.0}}
    result = Result("localize", document, Path())
    (contour,) = drawn(result, "contours")
    assert contour.lines[0][0] == 2.28
    (profile,) = drawn(result, "profiles")
    assert profile.rise.shape == (3, 2)
    assert np.isnan(profile.rise[2, 1])
    document["position"] = {"lon": 0.0, "lat": None}
    (profile,) = drawn(Result("localize", document, Path()), "profiles")
    assert profile.best[0] == 0.0
    assert np.isnan(profile.best[1])
    empty = Result("localize", {**document, "surface": None}, Path())
    assert parts_of([empty], "contours", LOOK) == parts_of([empty], "profiles", LOOK) == []


def test_sizes() -> None:
    row = {"e_min": 1.0, "e_max": 10.0, "size": 0.1, "profile": {"size": [0.0, 0.1, 0.2], "rise": [30.0, 0.0, 12.0]}}
    document = {"name": "ext", "parameter": "sigma", "all": row, "bands": [{**row, "profile": None}]}
    (profile,) = drawn(Result("extension", document, Path()), "profiles")
    assert (profile.names, profile.units, profile.best[0]) == (("sigma",), ("deg",), 0.1)


@pytest.mark.parametrize(
    "profile", [{"size": [0.0, 0.1], "rise": [30.0]}, {"size": [0.0], "rise": ["x"]}, {"size": [0.0]}]
)
def test_numbers_that_do_not_belong_together_are_told(profile: dict[str, Any]) -> None:
    row = {"e_min": 1.0, "e_max": 10.0, "size": 0.1, "profile": profile}
    result = Result("extension", {"name": "ext", "parameter": "sigma", "all": row}, Path("results"))
    with pytest.raises(DataError, match="results: no figure of ext: its numbers do not belong together"):
        parts_of([result], "profiles", LOOK)


def test_a_contour_with_a_gap_is_not_closed_over_it() -> None:
    """Three quarters of an ellipse, whose first point is in the midst: it was closed by a straight line."""
    angles = np.radians([0, 20, 40, 60, 80, 100, 120, 140, 160, 180, 290, 310, 330, 350])
    points = np.stack([1e-12 * np.cos(angles), np.sin(angles)], axis=1).tolist()
    line = line_of({"points": points, "reason": "5 of 19 points are missing: it is at the lower limit of s.index"})
    assert np.isnan(line[-1]).all()
    assert line[0].tolist() == points[10]
    assert line[-2].tolist() == points[9]
    np.testing.assert_array_equal(line_of({"points": points, "reason": None}), points)
