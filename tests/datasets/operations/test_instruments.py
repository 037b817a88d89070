"""Operations on datasets with nuisances of their instrument: who they are for afterwards, and that counts stay."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.datasets import operations as ops
from gm.likelihood import JointLikelihood
from gm.likelihood.prediction import predict_component
from gm.models import GaussianPrior, InstrumentModel, InstrumentResponse, Models, Parameter
from tests.datasets.operations.cases import background, on_off_map, sky_map, source
from tests.datasets.operations.test_edits import actions, runs, scope
from tests.datasets.operations.test_law import COMMON, REGION, ROUNDING, SKY, Operation, safe
from tests.samples import on_off, power_law, spectrum

PRIOR = GaussianPrior(mu=1.0, sigma=0.1)


def instrument(*names: str, name: str = "inst", **values: Any) -> InstrumentModel:
    values = values or {"exposure_norm": Parameter("exposure_norm", 1.2, prior=PRIOR), "exposure_tilt": 0.1}
    return InstrumentModel(name=name, datasets_names=names or None, response=InstrumentResponse(**values))


def both(*names: str) -> InstrumentModel:
    return instrument(*names, exposure_norm=1.2, exposure_tilt=0.1, background_norm=0.8)


def predicted(datasets: Sequence[Any] | Datasets, models: Models) -> list[Any]:
    """All that is predicted under the safe masks, with the background."""
    whole = Datasets(dataset.with_(mask_fit=None) for dataset in datasets)
    likelihood = JointLikelihood(whole, models)
    counts = likelihood.predicted(likelihood.layout.start)
    return [safe(dataset, part) for dataset, part in zip(whole, counts, strict=True)]


def keeps_counts(datasets: Datasets, models: Models, operation: Operation) -> ops.Outcome:
    pairs = zip(datasets, predicted(datasets, models), strict=True)
    outcome = operation(Datasets(dataset.with_(counts=counts) for dataset, counts in pairs), models, "a", "x")
    for dataset, counts in zip(outcome.datasets, predicted(outcome.datasets, outcome.models), strict=True):
        found: Any = dataset
        np.testing.assert_allclose(
            safe(found, found.counts), counts, rtol=ROUNDING, atol=ROUNDING * max(float(counts.max()), 0.01)
        )
    return outcome


@pytest.mark.parametrize("operation", COMMON)
@pytest.mark.parametrize("names", [(), ("a", "b")])
def test_counts_of_spectra_stay(operation: str, names: tuple[str, ...]) -> None:
    models = Models([power_law(), background("a", 1.3, 0.2), background("b", 0.7, 0.0), both(*names)])
    datasets = Datasets(spectrum(name, seed, n_energy=6) for seed, name in enumerate("ab", 1))
    outcome = keeps_counts(datasets, models, COMMON[operation])
    assert outcome.models["inst"].parameters == models["inst"].parameters


@pytest.mark.parametrize("operation", {**COMMON, **SKY})
def test_counts_of_maps_stay(operation: str) -> None:
    datasets = Datasets([sky_map("a", 1), sky_map("b", 2)])
    models = Models([background("a", 1.3, 0.2), background("b", 0.7, 0.0), both("a", "b")])
    sky = [] if operation in ("stack", "to_spectrum") else [source("sky")]  # stacks average responses
    keeps_counts(datasets, Models([*sky, *models]), {**COMMON, **SKY}[operation])


def test_a_spectrum_has_what_the_map_has() -> None:
    """Components that are folded are seen with the nuisances, and so is the target afterwards."""
    datasets = Datasets([sky_map("a", 1)])
    models = Models([source("target"), source("other"), background("a", 1.3, 0.2), instrument("a")])
    predict = partial(predict_component, instruments=models.instruments())
    target = ops.to_spectrum_dataset(datasets, models, "a", name="x", region=REGION, target=[], predict=predict)
    counts, bare = (
        predict_component(datasets[0], models["other"], instruments=its) for its in (models.instruments(), ())
    )
    assert counts.sum() > 1.05 * bare.sum()
    (found,) = predicted(target.datasets, target.models)
    edits = {edit.component: edit.data for edit in target.edits if edit.action == "folded"}
    alone = ops.to_spectrum_dataset(
        datasets, Models([models["a-bkg"], models["inst"]]), "a", name="x", region=REGION, target=[], predict=predict
    )
    folded = sum(float(data["predicted"]) for data in edits.values())
    assert found.sum() == pytest.approx(predicted(alone.datasets, alone.models)[0].sum() + folded, rel=1e-9)


def test_a_copy_has_its_own_nuisances() -> None:
    models = Models([power_law(), instrument("a"), instrument("a", "b", name="shared")])
    outcome = ops.copy(runs("a", "b"), models, "a", name="x")
    assert actions(outcome) == [("copied", "inst"), ("rescoped", "shared")]
    assert scope(outcome, "inst-x") == ["x"]
    assert scope(outcome, "shared") == ["a", "b", "x"]
    assert outcome.models["inst-x"].parameters == models["inst"].parameters  # prior included


def test_a_stack_has_the_nuisances_of_all_its_inputs() -> None:
    models = Models([power_law(), instrument("a", "b", "c")])
    outcome = ops.stack(runs("a", "b", "c"), models, ["a", "b"], name="x")
    assert scope(outcome, "inst") == ["x", "c"]
    assert [edit.text for edit in outcome.edits] == ["datasets_names [a, b, c] -> [x, c]"]


def test_a_stack_with_nuisances_of_some_inputs_is_refused() -> None:
    models = Models([power_law(), instrument("a")])
    with pytest.raises(ops.Refused, match=r"inst applies to some of the inputs .* not to \[b\]"):
        ops.stack(runs("a", "b"), models, "*", name="x")
    assert scope(ops.stack(runs("a", "b"), models, "*", name="x", allow_partial=True), "inst") == ["x"]


def test_nuisances_stay_without_a_word_where_they_are_for_all() -> None:
    models = Models([power_law(), instrument()])
    outcome = ops.stack(runs("a", "b"), models, "*", name="x")
    assert (actions(outcome), scope(outcome, "inst")) == ([], None)


def test_a_norm_that_would_scale_what_is_folded_is_refused() -> None:
    datasets, sky = Datasets([sky_map("a", 1)]), [source("other"), background("a", 1.0, 0.0)]
    arguments: dict[str, Any] = {"name": "x", "region": REGION, "target": [], "predict": predict_component}
    with pytest.raises(ops.Refused, match=r"inst.background_norm is 0.8 and would scale .*: other"):
        ops.to_spectrum_dataset(datasets, Models([*sky, both("a")]), "a", **arguments)
    neutral = instrument("a", background_norm=Parameter("background_norm", 1.0, prior=PRIOR))
    outcome = ops.to_spectrum_dataset(datasets, Models([*sky, neutral]), "a", **arguments)
    assert scope(outcome, "inst") == ["x"]


def test_measured_backgrounds() -> None:
    datasets = Datasets([on_off("a", 1), on_off("b", 2)])
    keeps = ops.stack(datasets, Models([power_law(), instrument("a", "b")]), "*", name="x")
    assert scope(keeps, "inst") == ["x"]
    maps = Datasets([on_off_map("a", 1)])
    models = Models([source("sky"), instrument("a")])
    assert scope(ops.to_image(maps, models, "a", name="x", predict=predict_component), "inst") == ["x"]


def test_energies_with_a_scale() -> None:
    """At 1 a scale goes on with the dataset; elsewhere bins of other sizes would know the energies otherwise."""
    neutral = instrument("a", energy_scale=Parameter("energy_scale", 1.0, prior=PRIOR))
    outcome = ops.slice_energy(runs("a"), Models([power_law(), neutral]), "a", name="x", min=1.0)
    assert outcome.models["inst"].parameters == neutral.parameters
    scaled = Models([power_law(), instrument("a", energy_scale=1.05)])
    with pytest.raises(ops.Refused, match=r"inst.energy_scale is 1.05, .* what changes \[a\]"):
        ops.slice_energy(runs("a"), scaled, "a", name="x", min=1.0)
    keeps_counts(runs("a"), scaled, COMMON["copy"])
