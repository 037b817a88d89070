"""Likelihoods as workspaces: pyhf finds what gm finds, whatever the norms of the bands."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pyhf
import pytest

from gm.arrays import Array
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.estimators.workspace import Workspace, WorkspaceBuilder
from gm.likelihood import JointLikelihood
from gm.models import Models
from tests.samples import flux_points, on_off, power_law, spectrum

# pyhf's own: how it reads its schemas
pytestmark = pytest.mark.filterwarnings("ignore:jsonschema.RefResolver is deprecated:DeprecationWarning")


def built(datasets: Datasets, models: Models, **options: Any) -> Workspace:
    return WorkspaceBuilder(source="crab", **options).run(datasets, models)


def statistic(workspace: Workspace, norms: Array) -> float:
    """-2 ln L of pyhf, at its profile over the backgrounds of bins: the root of a quadratic in each."""
    opened = pyhf.Workspace(workspace.document)
    model = opened.model()
    parameters = np.array(model.config.suggested_init(), dtype=np.float64)
    bands = [one["name"] for one in workspace.document["measurements"][0]["config"]["parameters"]][: norms.size]
    for band, norm in zip(bands, norms, strict=True):
        parameters[model.config.par_slice(band)] = norm
    counts = {one["name"]: np.array(one["data"]) for one in workspace.document["observations"]}
    for channel in workspace.document["channels"]:
        samples = {one["name"]: np.array(one["data"]) for one in channel["samples"]}
        name = channel["name"]
        if f"{name} off" not in counts:
            continue
        signal = sum(norm * samples[band] for band, norm in zip(bands, norms, strict=True)) + samples.get("fixed", 0.0)
        base = np.maximum(counts[f"{name} off"], 1.0)
        alpha, n_on, n_off = samples["background"] / base, counts[name], counts[f"{name} off"]
        # d/db of s + a b - n_on ln(s + a b) + b - n_off ln b is 0
        a, b = alpha * (alpha + 1), alpha * (n_on + n_off) - (alpha + 1) * signal
        root = (b + np.sqrt(b * b + 4 * a * n_off * signal)) / (2 * a)
        parameters[model.config.par_slice(f"background of {name}")] = np.maximum(root, 1e-12) / base
    return -2 * float(model.logpdf(parameters, opened.data(model))[0])


def datasets() -> Datasets:
    return Datasets([on_off("run 1", 1, exposure=1e13), spectrum("run-2", 2, exposure=1e13)])


def test_scaled_norms_are_a_scaled_amplitude() -> None:
    models = Models([power_law("crab"), power_law("other", amplitude="2e-12 TeV-1 s-1 cm-2")])
    workspace = built(datasets(), models, per_decade=4)
    n, likelihood = workspace.edges.size - 1, JointLikelihood(datasets(), models)
    amplitude = likelihood.layout.free_addresses.index("crab.amplitude")

    def ours(scale: float) -> float:
        vector = likelihood.layout.start.copy()
        vector[amplitude] *= scale
        return likelihood.value(vector)

    at_one = statistic(workspace, np.ones(n)) - ours(1.0)
    for scale in (0.2, 0.9, 1.7):
        assert statistic(workspace, np.full(n, scale)) - ours(scale) == pytest.approx(at_one, abs=1e-7)


def test_bands_share_out_what_the_source_predicts() -> None:
    """A steeper spectrum as factors on the reference: finer bands, closer."""
    models = Models([power_law("crab", index=2.3)])
    steeper = models.with_parameters({"crab.index": {"value": 2.5}})
    likelihood = JointLikelihood(datasets(), models)
    other = JointLikelihood(datasets(), steeper)
    wanted = other.value(other.layout.start) - likelihood.value(likelihood.layout.start)
    missed = []
    for per_decade in (4, 16):
        workspace = built(datasets(), models, per_decade=per_decade)
        source = steeper["crab"].spectral_model
        norms = np.array([source.integral(a, b) for a, b in pairwise(workspace.edges)]) / workspace.reference
        found = statistic(workspace, norms) - statistic(workspace, np.ones(norms.size))
        missed.append(abs(found - wanted))
    assert missed[1] < 0.2 * missed[0]
    assert missed[1] < 0.02 * abs(wanted)


def test_what_is_in_it_is_told() -> None:
    models = Models([power_law("crab"), power_law("other", amplitude="2e-12 TeV-1 s-1 cm-2")])
    points = flux_points("published")
    workspace = built(Datasets([*datasets(), points]), models)
    assert workspace.datasets == ("run 1", "run-2")
    assert workspace.left_out == ("published",)
    assert workspace.fixed == ("other", "background of run-2")
    steps = np.diff(np.log10(workspace.edges))[1:-1]
    assert steps == pytest.approx(np.full(steps.size, 0.05))
    likelihood = JointLikelihood(datasets(), models)
    predicted = likelihood.by_energy(likelihood.layout.start).components["crab"].predicted.sum()
    assert workspace.predicted.sum() == pytest.approx(predicted, rel=1e-12)
    assert (workspace.predicted[[0, -1]] >= 0.1).all()


def test_what_cannot_be_published() -> None:
    models = Models([power_law("crab")])
    with pytest.raises(UsageError, match="is no sky component"):
        WorkspaceBuilder(source="carb").run(datasets(), models)
    with pytest.raises(DataError, match="no spectrum sees 'crab'"):
        built(Datasets([flux_points("published")]), models)
