"""The law: predicted counts, summed and selected as the operation sums and selects counts, stay what they were.

What is predicted before is put into the datasets as their counts; after any operation the counts of every result have
to be what is predicted for it, bin by bin under its safe mask. A stack of maps averages responses: there this holds for
backgrounds, and for sources where no mask depends on the position.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gm.datasets import Dataset, Datasets, MapDatasetOnOff, SpectrumDatasetOnOff, read_dataset, write_dataset
from gm.datasets import operations as ops
from gm.datasets.acceptances import off_background
from gm.irf.psf import PsfMap
from gm.likelihood.prediction import predict_component
from gm.maps.axes import NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.models import BackgroundIRFModel, Component, GaussianSpatialModel, Models, PointSpatialModel
from tests.datasets.operations.cases import LAT, LON, all_sky, background, on_off_map, sky_map, source
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
    "to_spectrum": lambda d, m, which, name: ops.to_spectrum_dataset(
        d, m, which, name=name, region=REGION, target=[], predict=predict_component
    ),
}
AVERAGES = [COMMON["stack"]]


def safe(dataset: Any, values: Any) -> Any:
    return values if dataset.mask_safe is None else np.where(dataset.mask_safe, values, 0.0)


def predicted(dataset: Any, models: Models, with_sky: bool = True) -> Any:
    """All components, and a background that none of them corrects, under the safe mask."""
    total = np.zeros(dataset.counts.shape)
    components: list[Component] = list(models.select(dataset.name))
    for component in components:
        if with_sky or isinstance(component, BackgroundIRFModel):
            total = total + predict_component(dataset, component)
    if isinstance(dataset, SpectrumDatasetOnOff | MapDatasetOnOff):
        total = total + off_background(dataset.counts_off, dataset.acceptance, dataset.acceptance_off)
    elif not any(isinstance(component, BackgroundIRFModel) for component in components):
        total = total + dataset.background
    return safe(dataset, total)


def check(datasets: Datasets, models: Models, with_sky: bool = True) -> None:
    for dataset in datasets:
        expected = predicted(dataset, models, with_sky)
        np.testing.assert_allclose(
            safe(dataset, dataset.counts),  # type: ignore[union-attr]  # all have counts here
            expected,
            rtol=ROUNDING,
            atol=ROUNDING * max(float(expected.max()), 0.01),
            err_msg=dataset.name,
        )


def started(datasets: Sequence[Any] | Datasets, models: Models, with_sky: bool = True) -> Datasets:
    return Datasets(dataset.with_(counts=predicted(dataset, models, with_sky)) for dataset in datasets)


def apply_all(
    datasets: Datasets,
    models: Models,
    chosen: list[Operation],
    which: list[int],
    averages: list[Operation] | None = None,
) -> int:
    """What is refused (axes that differ by now, names that are gone) is left out; returns how many were not.

    averages : operations that keep the predicted counts of backgrounds only
    """
    applied = 0
    for number, (operation, index) in enumerate(zip(chosen, which, strict=True)):
        name, with_sky = datasets.names[index % len(datasets)], operation not in (averages or [])
        try:
            outcome = operation(started(datasets, models, with_sky), models, name, f"{'ab'[number % 2]}{number}")
        except ops.Refused:
            continue
        assert set(outcome.datasets.names) >= {product.output for product in outcome.products}
        datasets, models = outcome.datasets, outcome.models
        check(datasets, models, with_sky)
        applied += 1
    return applied


masks = st.lists(st.booleans(), min_size=6, max_size=6)  # also without a safe bin
norms, tilts = st.floats(0.2, 3.0), st.floats(-0.5, 0.5)


@st.composite
def models_of(draw: st.DrawFn, with_sky: bool | str) -> Models:
    components: list[Any] = []
    for name in ("a", "b"):
        if draw(st.booleans()):
            components.append(background(name, draw(norms), draw(st.one_of(st.just(0.0), tilts))))
    if with_sky == "maps":
        for name in ("wide", "shared", "single"):
            scope = {"wide": None, "shared": ["a", "b"], "single": [draw(st.sampled_from(["a", "b"]))]}[name]
            lon, lat = LON + draw(st.floats(-0.7, 0.7)), LAT + draw(st.floats(-0.7, 0.7))  # also beyond the border
            shape = source(name, lon, lat, draw(st.floats(0.05, 0.3)), datasets_names=scope)
            is_point = name == "single"
            components.append(
                replace(shape, spatial_model=PointSpatialModel(lon_0=lon, lat_0=lat)) if is_point else shape
            )
    elif with_sky:
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
@given(
    models=models_of(with_sky=True),
    safe_a=masks,
    safe_b=masks,
    chosen=sequence(COMMON, 3),
    seed=st.integers(0, 1000),
)
def test_three_operations_on_on_off_spectra(
    models: Models, safe_a: list[bool], safe_b: list[bool], chosen: tuple[list[Operation], list[int]], seed: int
) -> None:
    models = Models([component for component in models if not isinstance(component, BackgroundIRFModel)])
    runs = [without_off(run, seed + k) for k, run in enumerate(both_spectra(on_off, safe_a, safe_b))]
    apply_all(started(runs, models), models, *chosen)


MASKS = ("none", "all", "nothing", "by energy", "at random")


def without_off(dataset: Any, seed: int) -> Any:
    """Without off regions in some bins, or in all of them."""
    random = np.random.default_rng(seed)
    gone = random.uniform(size=dataset.counts.shape) < random.choice([0.0, 0.3, 1.0])
    off = {key: np.where(gone, 0.0, getattr(dataset, key)) for key in ("counts_off", "acceptance_off")}
    return dataset.with_(**off)


def both_maps(make: Callable[..., Any], seed: int, kinds: Sequence[str] = MASKS) -> list[Any]:
    """Maps with safe masks of these kinds, and exposures that change across the field with energy."""
    random = np.random.default_rng(seed)
    made = []
    for number, name in enumerate(("a", "b")):
        dataset = make(name, seed + number, n=12)
        shape = dataset.counts.shape
        masks = {
            "none": None,
            "all": np.ones(shape, dtype=bool),
            "nothing": np.zeros(shape, dtype=bool),
            "by energy": np.broadcast_to(np.arange(shape[0])[:, None, None] >= random.integers(shape[0]), shape),
            "at random": random.uniform(size=shape) > 0.5,
        }
        made.append(dataset.with_(mask_safe=masks[kinds[random.integers(len(kinds))]]))
    return made


def uneven(dataset: Any) -> Any:
    """With an exposure that changes across the field, and more so at high energies."""
    n_true, n_y, n_x = dataset.exposure.shape
    across = np.linspace(0.5, 1.5, n_x) * np.linspace(1.2, 0.8, n_y)[:, None]
    return dataset.with_(exposure=dataset.exposure * across ** np.linspace(0.5, 2.0, n_true)[:, None, None])


@pytest.mark.parametrize("name", [*COMMON, *SKY])
@settings(max_examples=8, deadline=None)
@given(models=models_of(with_sky="maps"), seed=st.integers(0, 1000), index=st.integers(0, 1))
def test_each_operation_on_maps(name: str, models: Models, seed: int, index: int) -> None:
    maps = [uneven(dataset) for dataset in both_maps(sky_map, seed)]
    apply_all(Datasets(maps), models, [(COMMON | SKY)[name]], [index], AVERAGES)


@settings(max_examples=25, deadline=None)
@given(models=models_of(with_sky="maps"), seed=st.integers(0, 1000), chosen=sequence(COMMON | SKY, 3))
def test_three_operations_on_maps(models: Models, seed: int, chosen: tuple[list[Operation], list[int]]) -> None:
    maps = [uneven(dataset) for dataset in both_maps(sky_map, seed)]
    apply_all(Datasets(maps), models, *chosen, AVERAGES)


@settings(max_examples=25, deadline=None)
@given(models=models_of(with_sky="maps"), seed=st.integers(0, 1000), chosen=sequence(COMMON | SKY, 3))
def test_three_operations_on_on_off_maps(models: Models, seed: int, chosen: tuple[list[Operation], list[int]]) -> None:
    models = Models([component for component in models if not isinstance(component, BackgroundIRFModel)])
    maps = [uneven(without_off(dataset, seed + k)) for k, dataset in enumerate(both_maps(on_off_map, seed))]
    apply_all(Datasets(maps), models, *chosen, AVERAGES)


@pytest.mark.parametrize("conventions", ["gammapy", "exact"])
@pytest.mark.parametrize("wider", [True, False])
@pytest.mark.parametrize("name", ["slice_energy", "to_image", "resample_energy", "downsample", "join", "cutout", "pad"])
def test_a_psf_of_reconstructed_energy(name: str, wider: bool, conventions: str, tmp_path: Path) -> None:
    """It is another one in each bin of energy, here of 0.04 to 0.3 deg; joined bins took that in their middle."""
    sigma = np.geomspace(0.04, 0.3, 4)[:: 1 if wider else -1]
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 1.5, 301), "deg")
    profile = np.exp(-0.5 * (rad.center / sigma[:, None]) ** 2) / (2 * np.pi * np.radians(sigma[:, None]) ** 2)
    given = sky_map("a", n=12, background=None)
    one = WcsGeometry.create(LON, LAT, 180.0, shape=(1, 1))
    dataset = given.with_(psf=PsfMap(one, given.energy, rad, profile[..., None, None]))
    component = source("crab", LON + 0.1, LAT - 0.05)
    counts = np.maximum(predict_component(dataset, component, conventions), 0.0)
    outcome = (COMMON | SKY)[name](Datasets([dataset.with_(counts=counts)]), Models([component]), "a", "b")
    precision = 3e-7 if conventions == "gammapy" else 3e-6  # files hold 1e-7; exact conventions are good to 1e-6
    write_dataset(outcome.datasets["b"], tmp_path / "b.fits")
    result: Any
    for result in (outcome.datasets["b"], read_dataset("MapDataset", tmp_path / "b.fits")):
        found = predict_component(result, component, conventions)
        np.testing.assert_allclose(found, result.counts, rtol=0, atol=precision * counts.max())


def moved_in(component: Any) -> Any:
    """The shape at less than 0.2 deg from the centre."""
    lon, lat, sigma = component.spatial_model.values()[:3]
    return GaussianSpatialModel(lon_0=LON + 0.2 * (lon - LON), lat_0=LAT + 0.2 * (lat - LAT), sigma=sigma)


@settings(max_examples=10, deadline=None)
@given(models=models_of(with_sky="maps"), seed=st.integers(0, 1000))
def test_a_stack_keeps_sources_where_masks_depend_on_energy_only(models: Models, seed: int) -> None:
    """Responses that are alike are their own average, away from the border: beyond it their weight is 0."""
    inner = [replace(c, spatial_model=moved_in(c)) for c in models if c.name in ("wide", "shared")]
    models = Models([*(c for c in models if isinstance(c, BackgroundIRFModel)), *inner])
    maps = both_maps(sky_map, seed, MASKS[:4])
    if seed % 2:  # responses that do not depend on the position, as programs make them
        maps = [all_sky(dataset, 0.1, 0.0, (1, 1 + seed // 2 % 2)) for dataset in maps]
    assert apply_all(Datasets(maps), models, [COMMON["stack"]], [0]) == 1


def test_inputs_are_not_changed() -> None:
    datasets: list[Dataset] = [spectrum("a", 1), spectrum("b", 1)]
    models = Models([background("a", 2.0, 0.1), power_law("crab", datasets_names=["a", "b"])])
    before = models.to_dict(), [dataset.counts.copy() for dataset in datasets]  # type: ignore[union-attr]
    ops.stack(Datasets(datasets), models, "*", name="stacked")
    assert models.to_dict() == before[0]
    assert [d.counts.tolist() for d in datasets] == [counts.tolist() for counts in before[1]]  # type: ignore[union-attr]
