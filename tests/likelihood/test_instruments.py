"""Nuisances of instruments against datasets whose responses were changed by hand, and their derivatives."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gm.arrays import Array
from gm.conventions import Conventions
from gm.datasets import Dataset, Datasets, MapDataset, MapDatasetOnOff
from gm.datasets.counts import CountsDataset
from gm.engine.processes import ProcessEngine
from gm.errors import DataError
from gm.fit import Fit
from gm.irf.scaled_edisp import ScaledDispersion
from gm.likelihood import JointLikelihood
from gm.models import (
    BackgroundIRFModel,
    GaussianPrior,
    InstrumentModel,
    InstrumentResponse,
    Link,
    Models,
    Parameter,
    PowerLawNormSpectralModel,
)
from gm.models.instrument import Effect
from tests import map_samples, samples
from tests.likelihood.test_gradient import check

NORM, TILT, REFERENCE, BACKGROUND = 1.13, 0.21, 2.0, 0.87


def instrument(*names: str, name: str = "inst", **values: Any) -> InstrumentModel:
    """With these values, all of them free."""
    values = values or {"exposure_norm": NORM, "exposure_tilt": TILT, "background_norm": BACKGROUND}
    values = {key: value for key, value in values.items() if value is not None}
    response = InstrumentResponse(reference=f"{REFERENCE} TeV", **values)
    return InstrumentModel(name=name, datasets_names=names or None, response=response)


def exposures(*names: str, **values: Any) -> InstrumentModel:
    return instrument(*names, exposure_norm=NORM, exposure_tilt=TILT, **values)


def by_hand(dataset: CountsDataset, **more: float) -> CountsDataset:
    """The dataset with another exposure and another background."""
    factor = NORM * (dataset.energy_true.center / REFERENCE) ** -TILT
    exposure = dataset.exposure * factor.reshape(-1, *[1] * (dataset.exposure.ndim - 1))
    known = dataset.known_background
    changed = (
        {} if known is None else {"background": np.asarray(known, dtype=np.float64) * more.get("norm", BACKGROUND)}
    )
    return dataset.with_(exposure=exposure, **changed)


def source_on_maps(free: bool = True) -> Any:
    shape = map_samples.free(map_samples.gauss()) if free else map_samples.held(map_samples.gauss())
    return map_samples.source(shape)


SPECTRA = {
    "cash": (samples.spectrum("a"), instrument("a")),
    "wstat": (samples.on_off("a"), exposures("a")),
}
MAPS = {
    "cash": (map_samples.cube("a"), instrument("a")),
    "reco psf": (map_samples.cube("a", response="reco"), instrument("a")),
    "wstat": (map_samples.on_off_cube("a"), exposures("a")),
}


@pytest.mark.parametrize("case", SPECTRA)
@pytest.mark.parametrize("corrected", [False, True])
def test_spectra_are_those_of_changed_responses(case: str, corrected: bool) -> None:
    dataset, model = SPECTRA[case]
    sky = [samples.power_law("one"), samples.log_parabola("two")]
    if corrected and dataset.known_background is not None:
        sky.append(BackgroundIRFModel(dataset_name="a", spectral_model=PowerLawNormSpectralModel(norm=1.3, tilt=0.2)))
    compare(dataset, by_hand(dataset), Models([*sky, model]), Models(sky))


@pytest.mark.parametrize("case", MAPS)
@pytest.mark.parametrize("conventions", list(Conventions))
@pytest.mark.parametrize("corrected", [False, True])
def test_maps_are_those_of_changed_responses(case: str, conventions: Conventions, corrected: bool) -> None:
    dataset, model = MAPS[case]
    sky: list[Any] = [source_on_maps(), replace(map_samples.source(map_samples.point()), name="point")]
    if corrected and dataset.known_background is not None:
        sky.append(map_samples.background("a"))
    compare(
        dataset, by_hand(dataset), Models([*sky, model]), Models(sky), conventions, 1e-6
    )  # exposures of maps are float32


def compare(
    dataset: Dataset,
    changed: Dataset,
    models: Models,
    without: Models,
    conventions: Conventions = Conventions.GAMMAPY,
    rel: float = 1e-11,
) -> None:
    own = JointLikelihood(Datasets([dataset]), models, conventions)
    other = JointLikelihood(Datasets([changed]), without, conventions)
    found, expected = own.predicted(own.layout.start)[0], other.predicted(other.layout.start)[0]
    assert found == pytest.approx(expected, rel=rel, abs=1e-9 * expected.max())
    assert own.value(own.layout.start) == pytest.approx(other.value(other.layout.start), rel=rel)
    n = len(other.layout.free)  # the nuisances come last
    gradient = other.gradient(other.layout.start)
    assert own.gradient(own.layout.start)[:n] == pytest.approx(gradient, rel=1e-5, abs=1e-9 * abs(gradient).max())


DATASETS = Datasets(
    [samples.on_off("a", 1), samples.spectrum("b", 2), samples.spectrum("c", 3, n_true=5), samples.flux_points("d", 4)]
)


def everything() -> Models:
    """Two sources, one with a prior, a corrected background, nuisances of one, of two and of all datasets, a link."""
    prior = GaussianPrior(mu=1.0, sigma=0.1)
    whole = exposures("a", "b", "d", name="whole")
    own = instrument("b", name="own", background_norm=Parameter("background_norm", 1.1, prior=prior), exposure_norm=0.9)
    every = exposures(name="every")
    correction = BackgroundIRFModel(dataset_name="b", spectral_model=PowerLawNormSpectralModel(norm=1.2))
    other = instrument("c", name="other", background_norm=1.2)
    models = Models([samples.power_law("one"), samples.log_parabola("two"), correction, whole, own, other, every])
    return models.with_links([Link("every.exposure_tilt", "whole.exposure_tilt", scale=0.5, offset=0.1)])


def test_gradient() -> None:
    likelihood = JointLikelihood(DATASETS, everything())
    check(likelihood, likelihood.layout.start)
    check(likelihood, likelihood.layout.start * 1.07)


@pytest.mark.parametrize("conventions", list(Conventions))
def test_gradient_on_maps(conventions: Conventions) -> None:
    models = Models([source_on_maps(), instrument("a"), exposures(name="all"), map_samples.background("b")])
    datasets = Datasets([map_samples.cube("a"), map_samples.cube("b", seed=2), map_samples.on_off_cube("c", seed=3)])
    likelihood = JointLikelihood(datasets, models, conventions)
    check(likelihood, likelihood.layout.start * 1.01)


def test_second_derivatives() -> None:
    likelihood = JointLikelihood(DATASETS, everything())
    start = likelihood.layout.start
    agree_with_differences(likelihood, start, np.asarray(likelihood.second_derivatives(start, 1e-4 * abs(start))))


def agree_with_differences(likelihood: JointLikelihood, vector: Array, found: Array) -> None:
    steps = np.diag(1e-4 * abs(vector))
    rows = [(likelihood.gradient(vector + h) - likelihood.gradient(vector - h)) / (2 * h.max()) for h in steps]
    size = np.outer(vector, vector)
    assert found * size == pytest.approx(np.array(rows) * size, rel=1e-5, abs=1e-7 * abs(found * size).max())


def test_second_derivatives_of_many_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bordered by what datasets share, the same as from the whole matrix."""
    names = [f"run-{k}" for k in range(60)]
    datasets = Datasets([samples.spectrum(name, k) for k, name in enumerate(names)])
    own = [instrument(name, name=f"{name}-inst", exposure_norm=1.1, background_norm=0.9) for name in names]
    models = Models([samples.power_law(), *own, exposures(name="every")])
    likelihood = JointLikelihood(datasets, models)
    assert likelihood.own is not None
    start = likelihood.layout.start
    found = likelihood.second_derivatives(start, 1e-4 * abs(start))
    assert found is not None
    monkeypatch.setattr("gm.likelihood.own_parameters.MANY", 1000)
    whole = JointLikelihood(datasets, models)
    assert whole.own is None
    expected = np.asarray(whole.second_derivatives(start, 1e-4 * abs(start)))
    size = np.outer(start, start)
    dense = np.array([found.times(column) for column in np.eye(start.size)])
    assert dense * size == pytest.approx(expected * size, rel=1e-9, abs=1e-9 * abs(expected * size).max())


@pytest.mark.parametrize("frozen", [True, False])
def test_neutral_values_change_no_bit(frozen: bool) -> None:
    names = ("exposure_norm", "exposure_tilt", "background_norm")
    neutral = {p.name: replace(p, frozen=frozen) for p in InstrumentResponse.defaults if p.name in names}
    on_off = {name: p for name, p in neutral.items() if name != "background_norm"}
    datasets = Datasets([*DATASETS, map_samples.cube("m"), map_samples.on_off_cube("n")])
    sky = [samples.power_law("one"), replace(source_on_maps(), datasets_names=("m", "n"))]
    sky += [BackgroundIRFModel(dataset_name=name) for name in ("b", "m")]
    known = InstrumentModel(name="known", datasets_names=("b", "c", "m"), response=InstrumentResponse(**neutral))
    measured = InstrumentModel(name="measured", datasets_names=("a", "d", "n"), response=InstrumentResponse(**on_off))
    bare, more = JointLikelihood(datasets, Models(sky)), JointLikelihood(datasets, Models([*sky, known, measured]))
    n = len(bare.layout.free)
    assert len(more.layout.free) == n + (0 if frozen else 5)
    assert more.value(more.layout.start) == bare.value(bare.layout.start)
    for found, expected in zip(more.predicted(more.layout.start), bare.predicted(bare.layout.start), strict=True):
        assert (found == expected).all()
    if frozen:
        assert (more.gradient(more.layout.start) == bare.gradient(bare.layout.start)).all()


def test_flux_points_follow_the_exposure() -> None:
    """A published flux is too high by what the exposure is larger than it was thought to be."""
    datasets, sky = Datasets([samples.flux_points("a")]), samples.power_law()
    bare, more = JointLikelihood(datasets, Models(sky)), JointLikelihood(datasets, Models([sky, exposures("a")]))
    factor = NORM * (datasets[0].energies() / REFERENCE) ** -TILT
    expected = bare.predicted(bare.layout.start)[0] * factor
    assert more.predicted(more.layout.start)[0] == pytest.approx(np.where(datasets[0].mask, expected, 0.0), rel=1e-12)


def test_counts_without_exposure_do_not_change() -> None:
    sky = samples.power_law(
        amplitude=Parameter("amplitude", 1.0, "TeV-1"), apply_irf={"exposure": False, "edisp": True}
    )
    sky = replace(sky, apply_irf={"exposure": False, "edisp": True, "psf": True})
    datasets = Datasets([samples.spectrum("a", background=None)])
    bare, more = JointLikelihood(datasets, Models(sky)), JointLikelihood(datasets, Models([sky, exposures("a")]))
    assert (more.predicted(more.layout.start)[0] == bare.predicted(bare.layout.start)[0]).all()


def test_a_background_with_a_free_shape() -> None:
    dataset = map_samples.cube("a")
    shape = map_samples.free(map_samples.gauss(sigma=1.5), sigma=1.5)
    correction = BackgroundIRFModel(dataset_name="a", spatial_model=shape)
    sky = [source_on_maps(free=False), correction]
    changed = dataset.with_(background=np.asarray(dataset.background, dtype=np.float64) * BACKGROUND)
    compare(dataset, changed, Models([*sky, instrument("a", background_norm=BACKGROUND)]), Models(sky), rel=1e-6)


def test_derivatives_of_factors_in_extended_precision() -> None:
    response = instrument().response
    energy, values = np.geomspace(0.05, 80.0, 9, dtype=np.longdouble), response.values().astype(np.longdouble)
    step = np.longdouble(1e-6)
    effects: tuple[Effect, ...] = ("exposure", "background")
    for effect in effects:

        def factor(*moved: int, up: tuple[int, ...] = (), effect: Effect = effect) -> Array:
            shifts = [sum(sign * (k == m) for m, sign in zip(moved, up, strict=True)) for k in range(values.size)]
            return response.factor(effect, energy, values + step * np.array(shifts))

        gradient = response.factor_gradient(effect, energy.astype(float), values.astype(float))
        curvature = response.factor_curvature(effect, energy.astype(float), values.astype(float))
        for k in range(values.size):
            slope = (factor(k, up=(1,)) - factor(k, up=(-1,))) / (2 * step)
            assert gradient[k] == pytest.approx(slope.astype(float), rel=1e-9, abs=1e-11)
            for m in range(values.size):
                corners = [s * t * factor(k, m, up=(s, t)) for s in (1, -1) for t in (1, -1)]
                assert curvature[k, m] == pytest.approx(
                    (sum(corners) / (4 * step**2)).astype(float), rel=1e-5, abs=1e-5
                )


@pytest.mark.parametrize("dataset", [samples.on_off("a"), samples.flux_points("a"), map_samples.on_off_cube("a")])
def test_what_means_nothing_is_refused(dataset: Dataset) -> None:
    models = Models([samples.power_law(), instrument("a", background_norm=1.0)])
    with pytest.raises(DataError, match=r"dataset a: inst.background_norm cannot act on it: .*\n    remove"):
        JointLikelihood(Datasets([dataset]), models)
    JointLikelihood(Datasets([dataset]), Models([samples.power_law(), instrument("b", background_norm=1.0)]))


def test_free_parameters_that_no_data_depend_on() -> None:
    """A background that is not there, and datasets that are not fitted."""
    datasets = Datasets([samples.spectrum("a", background=None), samples.spectrum("b")])
    models = Models([samples.power_law(), instrument("a"), instrument("elsewhere", name="other")])
    likelihood = JointLikelihood(datasets, models)
    depends = dict(zip(likelihood.layout.free_addresses, likelihood.depends_on(), strict=True))
    assert {name for name, seen in depends.items() if not seen} == {
        "inst.background_norm", "other.exposure_norm", "other.exposure_tilt", "other.background_norm"
    }  # fmt: skip


def test_maps_and_spectra_know_the_type_of_the_factor() -> None:
    for dataset in (MapDataset, MapDatasetOnOff):
        assert ("background_norm" in dataset.refused_nuisances) != dataset.has_known_background


def scaled(*names: str, **values: Any) -> InstrumentModel:
    return instrument(*names, **{"energy_scale": 1.06, **values})


SCALED = Datasets([samples.on_off("a", 1), samples.spectrum("b", 2), samples.spectrum("c", 3, n_true=5)])


def with_scales() -> Models:
    prior = GaussianPrior(mu=1.0, sigma=0.1)
    first = scaled("a", "b", energy_scale=Parameter("energy_scale", 1.04, prior=prior), exposure_norm=1.1)
    other = scaled("c", name="other", energy_scale=0.95, background_norm=1.2)
    correction = BackgroundIRFModel(dataset_name="b")
    return Models([samples.power_law("one"), samples.log_parabola("two"), correction, first, other])


def test_spectra_are_those_of_a_scaled_dispersion() -> None:
    """As with a dataset whose matrix has been scaled before; what is not dispersed does not move."""
    for dataset in (samples.spectrum("a"), samples.on_off("a")):
        matrix = ScaledDispersion(dataset.matrix(), dataset.energy.edges).at(1.06)[0]
        sky = [samples.power_law("one"), samples.log_parabola("two")]
        sky.append(replace(samples.power_law("sharp"), apply_irf={"exposure": True, "edisp": False, "psf": True}))
        compare(dataset, dataset.with_(edisp=matrix), Models([*sky, scaled("a")]), Models(sky))


def test_gradient_of_scales() -> None:
    likelihood = JointLikelihood(SCALED, with_scales())
    for vector in (likelihood.layout.start, likelihood.layout.start * 1.03):
        check(likelihood, vector)


def test_information_of_scales() -> None:
    """That of data as predicted is ``J^T diag(1 / mu) J`` times two, with J by differences of what is predicted."""
    datasets = Datasets([samples.spectrum("b", 2)])
    likelihood = JointLikelihood(datasets, Models([samples.power_law("one"), scaled("b")]))
    start = likelihood.layout.start
    steps = np.diag(1e-5 * abs(start))
    rows = [(likelihood.predicted(start + h)[0] - likelihood.predicted(start - h)[0]) / (2 * h.max()) for h in steps]
    jacobian, predicted = np.array(rows), likelihood.predicted(start)[0]
    counts = datasets[0].measurement().columns(slice(None))[0]
    expected = (jacobian * (2 * counts / predicted**2)) @ jacobian.T
    size = np.outer(start, start)
    assert np.asarray(likelihood.information(start)) * size == pytest.approx(expected * size, rel=1e-6)


def test_a_line_has_the_scale_of_the_rest() -> None:
    likelihood = JointLikelihood(SCALED, with_scales())
    layout, bank = likelihood.layout, likelihood.bank
    values = layout.expand(layout.start)
    shapes = bank.fluxes(values, [])
    signal, rest = bank.fluxes(values, ["one"]) - shapes, bank.fluxes(values, ["two", "b-bkg", "inst", "other"])
    for norm in (0.0, 0.5, 2.0):
        along = sum(line.values(np.array([norm]))[0] for line in likelihood.terms.lines(rest, signal))
        assert along == pytest.approx(likelihood.terms.value(rest + norm * signal), rel=1e-12)


def test_bands_of_energy_have_the_scale() -> None:
    likelihood = JointLikelihood(SCALED, with_scales())
    flux = likelihood.bank.fluxes(likelihood.layout.expand(likelihood.layout.start))
    cuts = [likelihood.terms.cut(np.array([[low, high]] * 3)) for low, high in ((0, 3), (3, 9))]
    parts = [cut.value(flux) for cut in cuts if cut is not None]
    assert sum(parts) == pytest.approx(likelihood.terms.value(flux), rel=1e-12)


def test_a_neutral_scale_changes_no_bit() -> None:
    sky = [samples.power_law("one"), BackgroundIRFModel(dataset_name="b")]
    frozen = scaled(energy_scale=Parameter("energy_scale", 1.0, frozen=True))
    bare, more = JointLikelihood(SCALED, Models(sky)), JointLikelihood(SCALED, Models([*sky, frozen]))
    start = bare.layout.start
    assert more.value(start) == bare.value(start)
    assert (more.gradient(start) == bare.gradient(start)).all()
    free = JointLikelihood(SCALED, Models([*sky, scaled(energy_scale=1.0)]))
    for found, expected in zip(free.predicted(free.layout.start), bare.predicted(start), strict=True):
        assert found == pytest.approx(expected, rel=1e-14)


def test_a_fit_finds_the_scale() -> None:
    """Of a log parabola that another instrument knows; errors from differences of the exact gradient."""
    other = Datasets([samples.spectrum(n, k, exposure=1e14) for k, n in enumerate("ab")])
    truth = Models([samples.log_parabola("one"), scaled("a", energy_scale=1.08)])
    likelihood = JointLikelihood(other, truth)
    counts = likelihood.predicted(likelihood.layout.start)
    asimov = Datasets(dataset.with_(counts=values) for dataset, values in zip(other, counts, strict=True))
    prior = Parameter("energy_scale", 1.0, prior=GaussianPrior(mu=1.08, sigma=0.2))
    result = Fit(asimov).run(Models([samples.log_parabola("one", alpha=2.4), scaled("a", energy_scale=prior)]))
    assert result.status == "converged"
    found = result.models.parameters["inst.energy_scale"]
    assert found.value == pytest.approx(1.08, abs=0.02 * found.error)
    assert 0 < found.error < 0.1


@pytest.mark.parametrize("dataset", [map_samples.cube("a"), map_samples.on_off_cube("a"), samples.flux_points("a")])
def test_energies_that_are_not_scaled(dataset: Dataset) -> None:
    with pytest.raises(DataError, match=r"dataset a: inst.energy_scale cannot act on it: "):
        JointLikelihood(Datasets([dataset]), Models([samples.power_law(), scaled("a")]))


def test_a_dispersion_that_says_nothing_of_a_scale() -> None:
    sharp = samples.spectrum("a", n_energy=9, n_true=9).with_(edisp=None)
    with pytest.raises(DataError, match="energy_scale needs an energy dispersion that the bins of energy resolve"):
        JointLikelihood(Datasets([sharp]), Models([samples.power_law(), scaled("a")]))
    both = Models([samples.power_law(), scaled("a"), scaled(name="other")])
    with pytest.raises(DataError, match="its energies have several scales: inst, other"):
        JointLikelihood(Datasets([samples.spectrum("a")]), both)


def test_scales_in_processes() -> None:
    engine = ProcessEngine(2)
    try:
        here = JointLikelihood(SCALED, with_scales())
        there = JointLikelihood(SCALED, with_scales(), engine=engine)
        start = here.layout.start
        assert there.value(start) == here.value(start)
        assert (there.gradient(start) == here.gradient(start)).all()
    finally:
        engine.close()


def test_compiled_scales_travel() -> None:
    likelihood = JointLikelihood(SCALED, with_scales())
    there = pickle.loads(pickle.dumps(likelihood))
    assert there.value(there.layout.start) == likelihood.value(likelihood.layout.start)


def test_bins_that_are_too_wide_are_told() -> None:
    dataset = samples.spectrum("a", n_energy=9, n_true=9)
    sharp = np.array(dataset.edisp)
    sharp[4] = np.eye(9)[4]
    likelihood = JointLikelihood(Datasets([dataset.with_(edisp=sharp)]), Models([samples.power_law(), scaled("a")]))
    text = "a: 1 true energies are each reconstructed in one bin, where inst.energy_scale has little effect"
    assert text in likelihood.remarks()
    resolved = JointLikelihood(Datasets([dataset]), Models([samples.power_law(), scaled("a")]))
    assert not [remark for remark in resolved.remarks() if "energy_scale" in remark]
