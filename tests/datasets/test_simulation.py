"""Drawing datasets: reproducible streams, the right distributions, and every mistake of a ``simulate:`` section."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm.arrays import Array
from gm.datasets import Dataset, Datasets, FluxPointsDataset, SedTable, read_dataset, write_dataset
from gm.datasets.simulation import Simulation, Template, build_templates, draw, template_of
from gm.datasets.spectrum import SpectrumDataset, SpectrumDatasetOnOff
from gm.errors import DataError, JsonPath
from gm.pipeline.stages.simulate.reading import expand_names, simulation_from_dict
from tests.samples import on_off

RUN = {"name": "run", "response": "iact"}
LAT = {"name": "lat", "response": "fermi-lat"}
HESS_RUN = "data/joint-crab/spectra/hess/pha_obs23523.fits"


def read(*entries: Mapping[str, Any], directory: Path = Path(), **keys: Any) -> Simulation:
    """A simulation of entries that have no problem."""
    problems: list[tuple[JsonPath, str, str]] = []
    simulation = simulation_from_dict({"datasets": list(entries), **keys}, directory, lambda *p: problems.append(p))
    assert not problems
    assert simulation is not None
    return simulation


def templates(*entries: Mapping[str, Any], directory: Path = Path()) -> list[Template]:
    return build_templates(read(*entries, directory=directory))


def predicted(template: Template) -> Array:
    """A prediction that any models might make."""
    assert isinstance(template.dataset, SpectrumDataset)
    assert template.dataset.background is not None
    return template.dataset.background + np.linspace(9.0, 0.5, template.dataset.energy.n_bins)


def numbers(dataset: Dataset) -> Array:
    if isinstance(dataset, SpectrumDatasetOnOff):
        return np.concatenate([dataset.counts, dataset.counts_off])
    assert isinstance(dataset, SpectrumDataset)
    return dataset.counts


def test_defaults_are_typical_datasets() -> None:
    run, lat = (draw(t, predicted(t), seed=1) for t in templates(RUN, LAT))
    assert isinstance(run, SpectrumDatasetOnOff)
    assert isinstance(lat, SpectrumDataset)
    assert (run.name, run.livetime, run.energy.n_bins) == ("run", 25 * 3600.0, 20)
    assert (lat.name, lat.energy.n_bins) == ("lat", 24)
    assert run.energy.edges[[0, -1]] == pytest.approx([0.5, 50.0], rel=1e-15)
    assert run.energy_true.name == "energy_true"
    assert (run.acceptance == 1).all()
    assert (run.acceptance_off == 10).all()


def test_the_stream_depends_on_seed_and_name_only() -> None:
    alone = templates({**RUN, "name": "b"})[0]
    among = {t.name: t for t in templates(LAT, {**RUN, "name": "b"}, {**RUN, "name": "a"})}
    first = numbers(draw(alone, predicted(alone), seed=3))
    np.testing.assert_array_equal(first, numbers(draw(among["b"], predicted(among["b"]), seed=3)))
    assert (first != numbers(draw(among["a"], predicted(among["a"]), seed=3))).any()
    assert (first != numbers(draw(alone, predicted(alone), seed=4))).any()


def test_asimov_is_the_expectation() -> None:
    template = templates({**RUN, "acceptance": 2, "acceptance_off": 30})[0]
    dataset = draw(template, predicted(template), seed=0, asimov=True)
    assert isinstance(dataset, SpectrumDatasetOnOff)
    assert isinstance(template.dataset, SpectrumDataset)
    np.testing.assert_array_equal(dataset.counts, predicted(template))
    np.testing.assert_allclose(dataset.counts_off * dataset.alpha(), template.dataset.background, rtol=1e-14)


def test_draws_have_mean_and_variance_of_poisson() -> None:
    template = templates(RUN)[0]
    expectation = predicted(template)
    draws = np.array([numbers(draw(template, expectation, seed=s))[:20] for s in range(400)])
    pull = (draws.mean(axis=0) - expectation) / np.sqrt(expectation / 400)
    assert (abs(pull) < 4.5).all()  # 20 bins: a chance of 1e-4; fixed seeds, so it never flickers
    np.testing.assert_allclose((draws.var(axis=0) / expectation).mean(), 1.0, atol=0.1)


def test_a_negative_prediction_draws_nothing() -> None:
    template = templates(LAT)[0]
    assert not numbers(draw(template, np.full(24, -1.0), seed=0)).any()


@pytest.mark.parametrize(("value", "match"), [(np.nan, "lat: .*not finite"), (1e20, "lat: .*too many to draw")])
def test_a_prediction_that_cannot_be_drawn_is_an_error(value: float, match: str) -> None:
    template = templates(LAT)[0]
    with pytest.raises(DataError, match=match):
        draw(template, np.full(24, value), seed=0)


@settings(max_examples=20, deadline=None)
@given(hours=st.floats(0.01, 1e3))
def test_expectations_are_linear_in_livetime(hours: float) -> None:
    one, many = templates({**RUN, "livetime": "1 h"}, {**RUN, "name": "other", "livetime": f"{hours!r} h"})
    assert isinstance(one.dataset, SpectrumDataset)
    assert isinstance(many.dataset, SpectrumDataset)
    np.testing.assert_allclose(many.dataset.exposure, one.dataset.exposure * hours, rtol=1e-12)
    np.testing.assert_allclose(many.dataset.background, one.dataset.background * hours, rtol=1e-12)


def test_copies_are_numbered_and_differ() -> None:
    assert expand_names("run", 1) == ("run",)
    assert expand_names("run", 12)[::11] == ("run-01", "run-12")
    simulation = read({**RUN, "copies": 3})
    assert simulation.names == ("run-1", "run-2", "run-3")
    draws = [numbers(draw(t, predicted(t), seed=0)) for t in build_templates(simulation)]
    assert (draws[0] != draws[1]).any()


def test_type_can_be_chosen() -> None:
    run, lat = templates({**RUN, "type": "SpectrumDataset"}, {**LAT, "type": "SpectrumDatasetOnOff"})
    assert type(draw(run, predicted(run), seed=0)) is SpectrumDataset
    assert type(draw(lat, predicted(lat), seed=0)) is SpectrumDatasetOnOff


def test_energies_as_bounds_bins_or_edges() -> None:
    bounds, bins, edges = templates(
        {"name": "a", "response": "iact", "energy": {"min": "1 TeV", "max": "10 TeV", "per_decade": 4}},
        {"name": "b", "response": "iact", "energy": {"min": "1 TeV", "max": "10 TeV", "n_bins": 7}},
        {"name": "c", "response": "iact", "energy": ["500 GeV", "1 TeV", "9 TeV"], "energy_true": ["1 GeV", "9 TeV"]},
    )
    assert isinstance(bounds.dataset, SpectrumDataset)
    assert isinstance(bins.dataset, SpectrumDataset)
    assert isinstance(edges.dataset, SpectrumDataset)
    assert bounds.dataset.energy.n_bins == 4
    assert bins.dataset.energy.n_bins == 7
    np.testing.assert_allclose(edges.dataset.energy.edges, [0.5, 1.0, 9.0], rtol=1e-15)
    assert edges.dataset.energy_true.n_bins == 1


def test_responses_of_an_existing_run(shared: Path) -> None:
    response = {"filename": HESS_RUN}
    simulation = read(
        {"name": "like", "copies": 2, "response": response},
        {"name": "long", "response": response, "livetime": "10 h", "acceptance_off": 5},
        directory=shared,
    )
    assert simulation.filenames == (shared / HESS_RUN,)
    like, other, long = build_templates(simulation)
    assert (like.name, other.name, long.name) == ("like-1", "like-2", "long")
    assert isinstance(like.dataset, SpectrumDataset)
    assert isinstance(long.dataset, SpectrumDataset)
    # livetime 1581.74 s and 0.0120648 background counts per second (alpha = 1/12), as Gammapy 2.1 reads them
    assert like.dataset.livetime == pytest.approx(1581.736758, rel=1e-9)
    assert like.dataset.background is not None
    assert like.dataset.background.sum() / 1581.736758 == pytest.approx(0.0120647973, rel=1e-8)
    scale = 36000.0 / 1581.736758410931
    np.testing.assert_allclose(long.dataset.exposure, like.dataset.exposure * scale, rtol=1e-12)
    np.testing.assert_allclose(long.dataset.background, like.dataset.background * scale, rtol=1e-12)
    drawn = draw(long, predicted(long), seed=0)
    assert isinstance(drawn, SpectrumDatasetOnOff)
    assert (drawn.acceptance_off == 5).all()
    assert drawn.mask_safe is not None
    np.testing.assert_array_equal(drawn.mask_safe, long.mask_safe)


@pytest.mark.parametrize("change", [{"type": "SpectrumDataset"}, {"acceptance_off": 5}, {}], ids=str)
def test_a_background_that_a_file_does_not_know_is_not_0(change: dict[str, Any], tmp_path: Path) -> None:
    """In bins without off acceptance, which would be fitted as free of background."""
    run = on_off("run")
    known = np.arange(6) < 4
    write_dataset(run.with_(acceptance_off=np.where(known, run.acceptance_off, 0.0)), tmp_path / "run.fits")
    entry = {"name": "like", "response": {"filename": "run.fits", "type": "SpectrumDatasetOnOff"}, **change}
    (template,) = templates(entry, directory=tmp_path)
    drawn = draw(template, predicted(template), seed=1)
    usable = drawn.mask.copy()
    for _, bins in drawn.unusable():
        usable &= ~bins
    np.testing.assert_array_equal(usable, known)


def test_datasets_of_the_analysis_are_drawn_again() -> None:
    originals = [draw(t, predicted(t), seed=1) for t in templates(RUN, LAT)]
    again = build_templates(Simulation(seed=1), Datasets(originals))
    for original, template in zip(originals, again, strict=True):
        copy = draw(template, predicted(template), seed=2)
        assert type(copy) is type(original)
        assert copy.name == original.name
        assert numbers(copy).shape == numbers(original).shape
    lat = template_of(originals[1]).dataset
    assert isinstance(lat, SpectrumDataset)
    assert not lat.counts.any()


def flux_points(**changes: Any) -> FluxPointsDataset:
    """Four points: two measured, one upper limit, one without an error."""
    nan = np.full(4, np.nan)
    table = SedTable(
        energy=np.array([1.0, 2.0, 4.0, 8.0]),
        dnde=np.array([4e-12, 1e-12, 2e-13, 1e-13]),
        dnde_err=np.array([4e-13, np.nan, 1e-13, np.nan]),
        dnde_errn=np.array([np.nan, 1e-13, np.nan, np.nan]),
        dnde_errp=np.array([np.nan, 3e-13, np.nan, np.nan]),
        dnde_ul=np.array([np.nan, np.nan, 5e-13, np.nan]),
        dnde_ref=nan,
        is_ul=np.array([False, False, True, False]),
        sqrt_ts=np.array([10.0, 7.0, 1.0, 1.0]),
    )
    return FluxPointsDataset(name="sed", points=table, **changes)


def test_flux_points_are_drawn_within_their_errors() -> None:
    template = template_of(flux_points(mask_safe=np.array([True, True, True, False])))
    prediction = np.array([3e-12, 2e-12, 1e-12, np.nan])
    draws = [draw(template, prediction, seed) for seed in range(300)]
    assert all(isinstance(dataset, FluxPointsDataset) for dataset in draws)
    fluxes = np.array([d.points.dnde for d in draws if isinstance(d, FluxPointsDataset)])
    # 300 draws: the mean within 4 of its errors, the width within 4 of its (1 / sqrt(600))
    assert (abs(fluxes.mean(axis=0)[:2] - prediction[:2]) < 4 * np.array([4e-13, 2e-13]) / np.sqrt(300)).all()
    np.testing.assert_allclose(fluxes.std(axis=0)[:2], [4e-13, 2e-13], rtol=4 / np.sqrt(600))
    np.testing.assert_array_equal(fluxes[:, 2:], np.tile([2e-13, 1e-13], (300, 1)))
    first = draws[0]
    assert isinstance(first, FluxPointsDataset)
    assert first.points.sqrt_ts is None
    np.testing.assert_array_equal(first.mask_safe, [True, True, True, False])


def test_drawn_flux_points_survive_their_file(shared: Path, tmp_path: Path) -> None:
    source = read_dataset("FluxPointsDataset", shared / "data/flux-points/crab_hess_fp/crab_hess_fp.fits", "sed")
    assert isinstance(source, FluxPointsDataset)
    prediction = 2.0 * source.points.dnde
    drawn = draw(template_of(source), prediction, seed=0, asimov=True)
    assert isinstance(drawn, FluxPointsDataset)
    write_dataset(drawn, tmp_path / "sed.fits")
    again = read_dataset("FluxPointsDataset", tmp_path / "sed.fits", "sed")
    assert isinstance(again, FluxPointsDataset)
    np.testing.assert_allclose(again.points.dnde[source.mask], prediction[source.mask], rtol=1e-12)
    np.testing.assert_array_equal(again.points.is_ul, source.points.is_ul)


def test_flux_points_with_profiles_cannot_be_drawn() -> None:
    scan = {"norm_scan": np.ones((4, 3)), "stat_scan": np.ones((4, 3)), "stat": np.ones(4), "dnde_ref": np.ones(4)}
    source = flux_points()
    source = source.with_(points=replace(source.points, **scan), stat_type="profile")
    with pytest.raises(DataError, match="sed: flux points with likelihood profiles cannot be drawn"):
        draw(template_of(source), source.points.dnde, seed=0)


PROBLEMS: list[tuple[Mapping[str, Any], JsonPath, str]] = [
    ({**RUN, "response": "hess"}, ("datasets", 0, "response"), "'hess' is not an instrument"),
    ({**RUN, "response": {"instrument": "x"}}, ("datasets", 0, "response", "instrument"), "'x' is not an instrument"),
    ({**RUN, "livetime": "25 m"}, ("datasets", 0, "livetime"), "'m' does not convert to 's'"),
    ({**RUN, "livetime": "-1 h"}, ("datasets", 0, "livetime"), "-1 h is not a positive number"),
    ({**RUN, "livetime": "nan h"}, ("datasets", 0, "livetime"), "nan h is not finite"),
    ({**RUN, "energy": {"min": "1 s"}}, ("datasets", 0, "energy", "min"), "'s' does not convert to 'TeV'"),
    ({**RUN, "energy": {"min": "99 TeV"}}, ("datasets", 0, "energy", "max"), "max (50 TeV) is not above min (99 TeV)"),
    ({**RUN, "energy": {"per_decade": 1e6}}, ("datasets", 0, "energy"), "more than 10000 energy bins"),
    ({**RUN, "energy": ["2 TeV", "1 TeV"]}, ("datasets", 0, "energy"), "the energies do not increase"),
    ({**RUN, "energy_true": ["1 TeV", "3 kg"]}, ("datasets", 0, "energy_true", 1), "'kg' does not convert to 'TeV'"),
    ({**LAT, "acceptance": 2}, ("datasets", 0, "acceptance"), "only On/Off datasets have acceptances"),
    ({**RUN, "response": {"filename": "a.fits"}}, ("datasets", 0, "response", "filename"), "no such file: a.fits"),
]


@pytest.mark.parametrize(("entry", "path", "message"), PROBLEMS)
def test_every_mistake_has_its_place(entry: Mapping[str, Any], path: JsonPath, message: str, tmp_path: Path) -> None:
    problems: list[tuple[JsonPath, str, str]] = []
    assert simulation_from_dict({"datasets": [entry]}, tmp_path, lambda *p: problems.append(p)) is None
    assert [problem[:2] for problem in problems] == [(path, message)]


def test_problems_are_reported_together(tmp_path: Path) -> None:
    entries = [
        {**RUN, "copies": 2},
        {**RUN, "name": "run-2", "livetime": "1 kg"},
        {**LAT, "name": "run-1"},
        {"name": "file", "response": {"filename": "gone.fits"}, "energy": ["1 TeV", "2 TeV"]},
    ]
    problems: list[JsonPath] = []
    assert simulation_from_dict({"datasets": entries}, tmp_path, lambda path, *_: problems.append(path)) is None
    assert problems == [
        ("datasets", 1, "livetime"),
        ("datasets", 3, "energy"),
        ("datasets", 3, "response", "filename"),
        ("datasets", 2, "name"),
    ]
