"""The law: predicted counts, summed and selected as the operation sums and selects counts, stay what they were.

What is predicted before is put into the datasets as their counts; after any operations the counts of every result have
to be what is predicted for it, bin by bin under its safe mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gm.datasets import Dataset, Datasets, MapDatasetOnOff, SpectrumDatasetOnOff
from gm.datasets import operations as ops
from gm.datasets.operations.on_off import off_background
from gm.likelihood.prediction import predict_component
from gm.models import BackgroundIRFModel, Component, Models
from tests.datasets.operations.cases import LAT, LON, background, on_off_map, sky_map
from tests.samples import log_parabola, on_off, power_law, spectrum

ROUNDING = 1e-10  # sums in another order
EDGES = [0.6, 1.5, 6.0, 18.0]
FAST = settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

Operation = Callable[[Datasets, Models, str, str], ops.Outcome]
COMMON: dict[str, Operation] = {
    "copy": lambda d, m, which, name: ops.copy(d, m, which, name=name),
    "stack": lambda d, m, which, name: ops.stack(d, m, ["a*", "b*"], name=name),
    "to_image": lambda d, m, which, name: ops.to_image(d, m, which, name=name),
    "slice_energy": lambda d, m, which, name: ops.slice_energy(d, m, which, name=name, min="1 TeV", max="9 TeV"),
    "to_masked": lambda d, m, which, name: ops.to_masked(d, m, which, name=name),
    "resample_energy": lambda d, m, which, name: ops.resample_energy(d, m, which, name=name, edges=EDGES),
    "downsample": lambda d, m, which, name: ops.downsample(d, m, which, name=name, factor=2, axis="energy"),
    "keep": lambda d, m, which, name: ops.to_image(d, m, which, name=name, keep=True),
}
REGION = {"type": "circle", "center": [LON, LAT], "frame": "icrs", "radius": "0.35 deg"}
SKY: dict[str, Operation] = {
    "cutout": lambda d, m, which, name: ops.cutout(
        d, m, which, name=name, center=(LON, LAT), width=("1.1 deg", "1 deg")
    ),
    "pad": lambda d, m, which, name: ops.pad(d, m, which, name=name, width="0.2 deg"),
    "join": lambda d, m, which, name: ops.downsample(d, m, which, name=name, factor=2),
    "to_spectrum": lambda d, m, which, name: ops.to_spectrum_dataset(d, m, which, name=name, region=REGION),
}


def safe(dataset: Any, values: Any) -> Any:
    return values if dataset.mask_safe is None else np.where(dataset.mask_safe, values, 0.0)


def predicted(dataset: Any, models: Models) -> Any:
    """All components, and a background that none of them corrects, under the safe mask."""
    total = np.zeros(dataset.counts.shape)
    components: list[Component] = list(models.select(dataset.name))
    for component in components:
        total = total + predict_component(dataset, component)
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        total = total + off_background(dataset.counts_off, dataset.acceptance, dataset.acceptance_off)
    elif not any(isinstance(component, BackgroundIRFModel) for component in components):
        total = total + dataset.background
    return safe(dataset, total)


def check(datasets: Datasets, models: Models) -> None:
    for dataset in datasets:
        np.testing.assert_allclose(
            safe(dataset, dataset.counts),  # type: ignore[union-attr]  # all have counts here
            predicted(dataset, models),
            rtol=ROUNDING,
            atol=1e-12,
            err_msg=dataset.name,
        )


def started(datasets: list[Any], models: Models) -> Datasets:
    return Datasets(dataset.with_(counts=predicted(dataset, models)) for dataset in datasets)


def apply_all(datasets: Datasets, models: Models, chosen: list[Operation], which: list[int]) -> tuple[Datasets, Models]:
    """What is refused (axes that differ by now, names that are gone) is left out."""
    for number, (operation, index) in enumerate(zip(chosen, which, strict=True)):
        name = datasets.names[index % len(datasets)]
        try:
            outcome = operation(datasets, models, name, f"{'ab'[number % 2]}{number}")
        except ops.Refused:
            continue
        assert set(outcome.datasets.names) >= {product.output for product in outcome.products}
        datasets, models = outcome.datasets, outcome.models
        check(datasets, models)
    return datasets, models


masks = st.lists(st.booleans(), min_size=6, max_size=6).filter(any)
norms, tilts = st.floats(0.2, 3.0), st.floats(-0.5, 0.5)


@st.composite
def models_of(draw: st.DrawFn, with_sky: bool) -> Models:
    components: list[Any] = []
    for name in ("a", "b"):
        if draw(st.booleans()):
            components.append(background(name, draw(norms), draw(st.one_of(st.just(0.0), tilts))))
    if with_sky:
        components.append(power_law("everywhere"))
        components.append(log_parabola("shared", datasets_names=["a", "b"]))
        if draw(st.booleans()):
            components.append(power_law("single", 2.0, datasets_names=[draw(st.sampled_from(["a", "b"]))]))
    return Models(components)


def sequence(operations: dict[str, Operation], size: int) -> st.SearchStrategy[tuple[list[Operation], list[int]]]:
    names = st.lists(st.sampled_from(list(operations.values())), min_size=size, max_size=size)
    return st.tuples(names, st.lists(st.integers(0, 5), min_size=size, max_size=size))


def both_spectra(make: Callable[..., Any], safe_a: list[bool], safe_b: list[bool]) -> list[Any]:
    return [make("a", 1, n_energy=6, mask_safe=np.array(safe_a)), make("b", 2, n_energy=6, mask_safe=np.array(safe_b))]


@pytest.mark.parametrize("name", COMMON)
@FAST
@given(models=models_of(with_sky=True), safe_a=masks, safe_b=masks, index=st.integers(0, 1))
def test_each_operation_on_spectra(
    name: str, models: Models, safe_a: list[bool], safe_b: list[bool], index: int
) -> None:
    datasets = started(both_spectra(spectrum, safe_a, safe_b), models)
    apply_all(datasets, models, [COMMON[name]], [index])


@FAST
@given(models=models_of(with_sky=True), safe_a=masks, safe_b=masks, chosen=sequence(COMMON, 3))
def test_three_operations_on_spectra(
    models: Models, safe_a: list[bool], safe_b: list[bool], chosen: tuple[list[Operation], list[int]]
) -> None:
    apply_all(started(both_spectra(spectrum, safe_a, safe_b), models), models, *chosen)


@FAST
@given(models=models_of(with_sky=True), safe_a=masks, safe_b=masks, chosen=sequence(COMMON, 3))
def test_three_operations_on_on_off_spectra(
    models: Models, safe_a: list[bool], safe_b: list[bool], chosen: tuple[list[Operation], list[int]]
) -> None:
    models = Models([component for component in models if not isinstance(component, BackgroundIRFModel)])
    apply_all(started(both_spectra(on_off, safe_a, safe_b), models), models, *chosen)


def both_maps(make: Callable[..., Any], seed: int) -> list[Any]:
    """Maps with safe masks: half of the bins at random, all of them, or no mask at all."""
    random = np.random.default_rng(seed)
    first = make("a", seed, n=12)
    second = make("b", seed + 1, n=12)
    kinds = [None, np.ones(first.counts.shape, dtype=bool), random.uniform(size=first.counts.shape) > 0.5]
    return [d.with_(mask_safe=kinds[random.integers(3)]) for d in (first, second)]


@pytest.mark.parametrize("name", [*COMMON, *SKY])
@settings(max_examples=6, deadline=None)
@given(models=models_of(with_sky=False), seed=st.integers(0, 1000), index=st.integers(0, 1))
def test_each_operation_on_maps(name: str, models: Models, seed: int, index: int) -> None:
    apply_all(started(both_maps(sky_map, seed), models), models, [(COMMON | SKY)[name]], [index])


@settings(max_examples=20, deadline=None)
@given(models=models_of(with_sky=False), seed=st.integers(0, 1000), chosen=sequence(COMMON | SKY, 3))
def test_three_operations_on_maps(models: Models, seed: int, chosen: tuple[list[Operation], list[int]]) -> None:
    apply_all(started(both_maps(sky_map, seed), models), models, *chosen)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), chosen=sequence(COMMON | SKY, 3))
def test_three_operations_on_on_off_maps(seed: int, chosen: tuple[list[Operation], list[int]]) -> None:
    apply_all(started(both_maps(on_off_map, seed), Models()), Models(), *chosen)


def test_inputs_are_not_changed() -> None:
    datasets: list[Dataset] = [spectrum("a", 1), spectrum("b", 1)]
    models = Models([background("a", 2.0, 0.1), power_law("crab", datasets_names=["a", "b"])])
    before = models.to_dict(), [dataset.counts.copy() for dataset in datasets]  # type: ignore[union-attr]
    ops.stack(Datasets(datasets), models, "*", name="stacked")
    assert models.to_dict() == before[0]
    assert [d.counts.tolist() for d in datasets] == [counts.tolist() for counts in before[1]]  # type: ignore[union-attr]
