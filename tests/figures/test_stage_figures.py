"""Figures of what is asked of a fit: selections, toys, goodness, sensitivities, searches, peaks and profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.errors import DataError
from gm.figures.look import Look
from gm.figures.registry import apart, draw, parts_of
from gm.figures.results import Result

pytest.importorskip("matplotlib", reason="figures need Matplotlib")

from matplotlib.figure import Figure

LOOK = Look()


def drawn(result: Result, figure: str) -> tuple[list[Any], Figure]:
    """The parts of a figure, and the figure drawn: whole, and each of what has a figure of its own on a page."""
    parts = parts_of([result], figure, LOOK)
    with LOOK.applied():
        for own in [*apart(figure, parts), parts]:
            held = Figure()
            assert draw(held, figure, own, LOOK)
            held.canvas.draw()
    return parts, held


def texts(figure: Figure) -> list[str]:
    """All that is written into the panels."""
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def selection(**changes: Any) -> Result:
    rows = [
        {"name": "pl", "delta_aic": 171.0, "delta_bic": 168.5, "weight": 7.6e-38},
        {"name": "lp", "delta_aic": 0.0, "delta_bic": 0.0, "weight": 1.0},
        {"name": "broken", "delta_aic": None, "delta_bic": None, "weight": None},
    ]
    return Result("select", {"name": "shape", "component": "crab", "alternatives": rows, **changes}, Path())


def test_alternatives_are_placed_by_both_criteria() -> None:
    [part], figure = drawn(selection(), "criteria")
    assert part.aic.tolist()[:2] == [171.0, 0.0]
    assert np.isnan(part.bic[2])
    assert {"8e-38", "1.00", "no fit"} <= set(texts(figure))
    nothing = selection(alternatives=[{"name": "x", "delta_aic": None, "delta_bic": None, "weight": None}])
    assert parts_of([nothing], "criteria", LOOK) == []


def deviance(observed: float, share: float, mean: float = 10.0, width: float | None = 4.0) -> dict[str, Any]:
    return {"observed": observed, "mean": mean, "width": width, "higher": {"n": 40, "share": share}}


def test_data_stand_among_their_simulations() -> None:
    rows = [
        {"name": "good", "deviance": deviance(10.0, 0.5)},
        {"name": "bad", "deviance": deviance(22.0, 0.0)},
        {"name": "one bin", "deviance": deviance(10.0, 0.5, width=None)},
    ]
    document = {"name": "crab", "total": {"deviance": deviance(14.0, 0.2)}, "datasets": rows}
    [part], figure = drawn(Result("goodness", document, Path()), "goodness")
    assert part.names == ("all", "good", "bad")
    assert part.distance == (1.0, 0.0, 3.0)
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["all", "bad", "good"]
    assert {"20 %", "50 %", "< 2.5 %"} <= set(texts(figure))


def toys(folder: Path) -> Result:
    """Of two parameters, one of which no fit has an error of."""
    (folder / "toys.ecsv").write_text(
        "# %ECSV 1.0\n# ---\n# datatype:\n# - {name: crab.index, datatype: float64}\n"
        "# - {name: crab.index_err, datatype: float64}\n# schema: astropy-2.0\n"
        "crab.index crab.index_err\n2.1 0.1\n1.9 0.1\n2.4 0.2\nnan nan\n"
    )
    pulls = {"mean": 0.67, "mean_error": 0.5, "width": 1.2, "width_error": 0.4}
    none = dict.fromkeys(pulls)
    rows = [{"name": "crab.index", "truth": 2.0, "pulls": pulls}, {"name": "crab.alpha", "truth": 1.0, "pulls": none}]
    document = {"name": "crab", "parameters": rows, "goodness": {"total": {"deviance": deviance(14.0, 0.2)}}}
    return Result("toys", document, folder)


def test_pulls_are_those_of_the_table(tmp_path: Path) -> None:
    result = toys(tmp_path)
    [part], figure = drawn(result, "pulls")
    assert part.values == pytest.approx([1.0, -1.0, 2.0, np.nan], nan_ok=True)
    assert "mean 0.67 ± 0.50\nwidth 1.20 ± 0.40" in texts(figure)
    assert drawn(result, "goodness")[0][0].distance == (1.0,)
    (tmp_path / "toys.ecsv").unlink()
    with pytest.raises(DataError, match="run gm toys again"):
        parts_of([result], "pulls", LOOK)


def sensitivity() -> Result:
    band = {"e_min": 1.0, "e_max": 10.0, "e_ref": 3.2, "dnde": 1e-13, "flux": 1e-12}
    without = {**band, "dnde": None, "flux": None}
    document = {"name": "sens", "criteria": {"sigma": 5.0}, "bands": [band, without], "integral": [band, without]}
    return Result("sensitivity", document, Path())


def test_sensitivities_are_drawn_with_spectra_and_above_energies() -> None:
    [part], _ = drawn(sensitivity(), "sed")
    assert part.dnde.tolist() == [1e-13]
    [above], _ = drawn(sensitivity(), "integral-sensitivity")
    assert (above.energy.tolist(), above.flux.tolist()) == ([1.0], [1e-12])


def test_sources_that_were_found_are_on_the_sky() -> None:
    """Across the end of right ascensions too; one without a position of its own is at its peak."""
    ellipse = {"major": 0.02, "minor": 0.01, "angle": 30.0}
    peak = {"lon": 0.5, "lat": 10.0}
    rows = [
        {"name": "a", "kept": True, "frame": "icrs", "peak": peak, "lon": 359.6, "lat": 10.2, "ellipse": ellipse},
        {"name": "b", "kept": False, "frame": None, "peak": peak, "lon": None, "lat": None, "ellipse": None},
    ]
    [part], figure = drawn(Result("find", {"name": "find", "sources": rows}, Path()), "found")
    assert part.place.tolist() == [[359.6, 0.5], [10.2, 10.0]]
    low, high = figure.axes[0].get_xlim()
    assert abs(high - low) < 3
    assert {"a", "b"} <= set(texts(figure))
    assert parts_of([Result("find", {"name": "find", "sources": []}, Path())], "found", LOOK) == []


def test_profiles_on_the_sky() -> None:
    row = {"distance_min": 0.0, "distance_max": 0.5, "excess_per_area": 20.0, "excess_per_area_err": 5.0, "area": 2.0}
    other = {**row, "distance_min": 0.5, "distance_max": 1.0, "predicted": 30.0}
    band = {"e_min": 1.0, "e_max": 10.0, "profile": [row, other]}
    [part], _ = drawn(Result("maps", {"name": "rings", "bands": [band]}, Path()), "sky-profile")
    assert part.predicted == pytest.approx([np.nan, 15.0], nan_ok=True)
