"""Data drawn from Python are those of ``gm simulate``, and what is predicted is what they are drawn around."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gm
from gm.cli import main
from gm.datasets import Dataset
from gm.errors import DataError, UsageError
from gm.likelihood import JointLikelihood
from gm.models import Models
from tests.map_samples import background, cube, point, source
from tests.samples import flux_points, on_off, power_law, spectrum

DATASETS = gm.Datasets([cube("cube"), on_off("run"), spectrum("known"), flux_points("old")])
MODELS = Models(
    [
        source("star", point(), datasets_names=["cube"]),
        background("cube"),
        power_law("other", datasets_names=["run", "known", "old"]),
    ]
)
CONFIG = "version: 1\ndatasets: datasets.yaml\nmodels: models.yaml\noutput: results\nsimulate: {seed: 7}\n"


def measured(dataset: Dataset) -> list[Any]:
    """All that is drawn."""
    points = getattr(dataset, "points", None)
    if points is not None:
        return [points.dnde]
    return [getattr(dataset, name) for name in ("counts", "counts_off") if hasattr(dataset, name)]


@pytest.mark.parametrize("asimov", [False, True])
def test_the_same_bits_as_the_command(tmp_path: Path, asimov: bool) -> None:
    DATASETS.write(tmp_path / "datasets.yaml")
    MODELS.write(tmp_path / "models.yaml")
    (tmp_path / "config.yaml").write_text(CONFIG)
    with pytest.raises(SystemExit) as ended:
        main(["simulate", str(tmp_path / "config.yaml"), "-q", *(["--asimov"] if asimov else [])])
    assert ended.value.code == 0
    theirs = gm.Datasets.read(tmp_path / "results/datasets.yaml")
    models = Models.read(tmp_path / "models.yaml")
    mine = gm.simulate(gm.Datasets.read(tmp_path / "datasets.yaml"), models, seed=7, asimov=asimov)
    assert mine.names == theirs.names
    for one, other in zip(mine, theirs, strict=True):
        for drawn, read in zip(measured(one), measured(other), strict=True):
            np.testing.assert_array_equal(np.asarray(drawn, dtype=float), np.asarray(read, dtype=float))


def test_a_dataset_does_not_depend_on_the_others() -> None:
    alone = gm.simulate(gm.Datasets([DATASETS["run"]]), MODELS, seed=3)["run"]
    among = gm.simulate(DATASETS, MODELS, seed=3)["run"]
    other = gm.simulate(DATASETS, MODELS, seed=4)["run"]
    np.testing.assert_array_equal(alone.counts, among.counts)  # type: ignore[attr-defined]
    assert (among.counts != other.counts).any()  # type: ignore[attr-defined]


def test_a_fit_of_what_is_drawn_is_of_the_same_bins() -> None:
    random = np.random.default_rng(5)
    parts = {d.name: {key: random.random(d.mask.shape) > 0.3 for key in ("mask_safe", "mask_fit")} for d in DATASETS}
    masked = gm.Datasets(dataset.with_(**parts[dataset.name]) for dataset in DATASETS)
    for drawn in gm.simulate(masked, MODELS, seed=2):
        np.testing.assert_array_equal(drawn.mask, parts[drawn.name]["mask_safe"] & parts[drawn.name]["mask_fit"])


def test_what_is_predicted_is_what_data_are_drawn_around() -> None:
    """In every bin, whatever the masks say; and what is expected as data is that."""
    whole = gm.predicted(DATASETS, MODELS)
    expected = gm.simulate(DATASETS, MODELS, asimov=True)
    for name, counts in whole.items():
        drawn = measured(expected[name])[0]
        usable = np.isfinite(drawn)
        np.testing.assert_allclose(np.asarray(drawn, dtype=float)[usable], counts[usable], rtol=1e-6)
    likelihood = JointLikelihood(DATASETS, MODELS)
    mask = DATASETS["known"].mask
    entering = likelihood.predicted(likelihood.layout.start)[2]
    np.testing.assert_allclose(whole["known"][mask], entering[mask], rtol=1e-12)


def test_components_add_up() -> None:
    parts = [gm.predicted(DATASETS, MODELS, component) for component in MODELS.names]
    whole = gm.predicted(DATASETS, MODELS)
    np.testing.assert_allclose(sum(part["cube"] for part in parts), whole["cube"], rtol=1e-9)
    np.testing.assert_allclose(sum(part["old"] for part in parts), whole["old"], rtol=1e-12)
    assert not parts[0]["run"].any()
    with pytest.raises(UsageError, match="did you mean 'star'"):
        gm.predicted(DATASETS, MODELS, "starr")


def test_models_that_predict_nothing_finite() -> None:
    broken = MODELS.with_parameters({"other.amplitude": 1e30})
    with pytest.raises(DataError, match="too many to draw"):
        gm.simulate(DATASETS, broken)


def test_counts_below_nothing_are_told(caplog: pytest.LogCaptureFixture) -> None:
    """Of a source that takes more away than there is; of one that does not, nothing is said."""
    data, hole = gm.Datasets([spectrum("known"), on_off("run")]), power_law("hole", amplitude="-1e-12 cm-2 s-1 TeV-1")
    gm.simulate(data, Models([power_law("other"), hole]), seed=3)
    assert not caplog.messages
    deep = Models([power_law("other"), power_law("hole", amplitude="-3e-11 cm-2 s-1 TeV-1")])
    drawn = gm.simulate(data, deep, seed=3)
    told = []
    for name, expected in gm.predicted(data, deep).items():
        below = expected[expected < 0]
        bins = f"{below.size} bin" + "s" * (below.size > 1)
        told.append(f"{name}: {-below.sum():.6g} counts below 0 are predicted in {bins}, and 0 is drawn there")
        assert (measured(drawn[name])[0][expected < 0] == 0).all()
    assert caplog.messages == told
