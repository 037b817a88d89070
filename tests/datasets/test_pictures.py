"""Datasets draw their counts above the background, and their flux points."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gm.datasets import Dataset, Datasets
from gm.errors import UsageError
from tests.map_samples import cube, on_off_cube
from tests.samples import flux_points, on_off, spectrum

pyplot = pytest.importorskip("matplotlib.pyplot", reason="figures need Matplotlib")


@pytest.mark.parametrize(
    ("dataset", "figures"),
    [
        (on_off("run"), ["counts"]),
        (spectrum("known"), ["counts"]),
        (cube("cube"), ["counts", "residual-map"]),
        (on_off_cube("ring"), ["counts", "residual-map"]),
        (flux_points("points"), ["sed"]),
    ],
    ids=["on-off", "known", "map", "map on-off", "points"],
)
def test_every_dataset_is_drawn(dataset: Dataset, figures: list[str]) -> None:
    assert list(dataset.pictures()) == figures
    for figure in (None, *figures):
        axes = dataset.plot(figure, scheme="dark")
        axes.figure.canvas.draw()
        pyplot.close(axes.figure)
    with pytest.raises(UsageError, match=f"no figure 'counst' is drawn of dataset {dataset.name}"):
        dataset.plot("counst")


def test_counts_are_those_of_the_bins_that_enter() -> None:
    """Above the background that is expected, with the significances of each energy."""
    run = on_off("run")
    run = run.with_(mask_fit=run.energy.mask("1 TeV", "10 TeV"))
    [part] = run.pictures()["counts"]
    bins = np.flatnonzero(run.mask)
    assert bins.size == bins[-1] - bins[0] + 1
    assert (part.e_min[0], part.e_max[-1]) == (run.energy.lo[bins[0]], run.energy.hi[bins[-1]])
    assert part.counts == pytest.approx(run.counts[bins])
    assert part.background == pytest.approx(run.expected_background()[bins])
    expected = run.measurement().statistic(bins).residuals(np.zeros(bins.size))
    known = part.background > 0
    assert known.any()
    assert part.residual[known] == pytest.approx(expected[known])
    assert np.isnan(part.residual[~known]).all()
    whole = cube("cube")
    [part] = whole.pictures()["counts"]
    assert part.counts == pytest.approx(np.where(whole.mask, whole.counts, 0).sum(axis=(1, 2)))
    assert run.with_(mask_fit=np.zeros(run.shape, dtype=np.bool_)).pictures() == {}


def test_a_notebook_still_draws_at_once(tmp_path: Path) -> None:
    """Its backend says so when it is loaded, which the first figure does."""
    (tmp_path / "notebook_backend.py").write_text(
        "import matplotlib\nfrom matplotlib.backends.backend_agg import *\nmatplotlib.interactive(True)\n"
    )
    code = (
        "import matplotlib; from tests.samples import on_off; on_off('run').plot(); print(matplotlib.is_interactive())"
    )
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", ""), os.getcwd()])
    own = {**os.environ, "MPLBACKEND": "module://notebook_backend", "PYTHONPATH": paths}
    done = subprocess.run([sys.executable, "-c", code], env=own, capture_output=True, text=True)
    assert done.stdout == "True\n", done.stderr


def test_datasets_are_drawn_together() -> None:
    both = Datasets([on_off("one"), spectrum("two")])
    axes = both.plot()
    assert len(axes.figure.axes) == 4
    assert [one.texts[0].get_text() for one in axes.figure.axes[::2]] == ["one", "two"]
    pyplot.close(axes.figure)
    with pytest.raises(UsageError, match="no figure is drawn of 0 datasets"):
        Datasets([]).plot()
