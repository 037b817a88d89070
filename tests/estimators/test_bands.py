"""Bands of flux points: the energies that they carry, what they refer to, and bands that have no flux."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from gm.datasets import Datasets, SpectrumDataset, SpectrumDatasetOnOff
from gm.maps.axes import EnergyAxis
from gm.models import (
    CompoundSpectralModel,
    ExpCutoffPowerLawSpectralModel,
    Models,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
    SpectralModel,
)
from tests.estimators.test_flux_points import EXPOSURE, SAME_AXES, TWO, estimate, run
from tests.samples import flux_points, on_off, power_law, spectrum


def test_edges_are_those_of_the_bins() -> None:
    axis = SAME_AXES[0].energy
    asked = [axis.edges[1] * 1.05, axis.edges[4] * 0.93]
    point = run(SAME_AXES, TWO, asked).points[0]
    assert (point.e_min, point.e_max) == (axis.edges[1], axis.edges[4])
    assert {(d.e_min, d.e_max) for d in point.datasets.values()} == {(axis.edges[1], axis.edges[4])}


def test_edges_equal_up_to_rounding_are_those_of_the_first_dataset() -> None:
    axis = SAME_AXES[0].energy
    nearly = SAME_AXES[1].with_(energy=EnergyAxis(axis.edges * (1 + 1e-12)))
    point = run(Datasets([SAME_AXES[0], nearly]), TWO, axis.edges[[1, 4]].tolist()).points[0]
    assert (point.e_min, point.e_max) == (axis.edges[1], axis.edges[4])


def test_each_dataset_enters_with_its_own_bins() -> None:
    """Those nearest to the band; the point has the lowest and the highest energy of all."""
    datasets = Datasets([on_off("six", 1), spectrum("seven", 2), on_off("four", 3, n_energy=4)])
    point = run(datasets, TWO, ["1 TeV", "8000 GeV"]).points[0]
    for dataset in datasets:
        edges = dataset.energy.edges
        first, last = (int(np.argmin(abs(np.log(edges / energy)))) for energy in (1.0, 8.0))
        mine = point.datasets[dataset.name]
        assert (mine.e_min, mine.e_max) == (edges[first], edges[last])
        assert mine.counts == dataset.counts[first:last].sum()
    assert point.e_min == min(d.e_min for d in point.datasets.values())
    assert point.e_max == max(d.e_max for d in point.datasets.values())


def test_a_band_between_two_edges_leaves_the_others_theirs() -> None:
    """Bands finer than the bins: two edges fall on the same bin's, and all other points keep their bins' edges."""
    edges = SAME_AXES[0].energy.edges
    asked = [edges[0] * 1.02, edges[1] * 0.97, edges[1] * 1.04, edges[3] * 0.98, edges[5] * 1.1]
    points = run(SAME_AXES, TWO, asked).points
    assert [point.status for point in points] == ["ok", "no_data", "ok", "upper_limit"]
    assert [(p.e_min, p.e_max) for p in points if p.estimate] == [
        (edges[0], edges[1]),
        (edges[1], edges[3]),
        (edges[3], edges[5]),
    ]
    assert (points[1].e_min, points[1].e_max) == (asked[1], asked[2])


def test_edges_of_bins_that_masks_leave() -> None:
    """Of each dataset its own; the reference fluxes are integrals over what is left of the band."""
    edges = SAME_AXES[0].energy.edges
    masks = {"a": (edges[1], edges[5]), "c": (edges[2], edges[4]), "b": (edges[0], edges[6])}
    masked = Datasets(
        d.with_(mask_fit=d.energy.mask(masks[d.name][0] * 0.999, masks[d.name][1] * 1.001)) for d in SAME_AXES[:2]
    )
    [point] = run(masked, TWO, [edges[0], edges[6]]).points
    assert {name: (d.e_min, d.e_max) for name, d in point.datasets.items()} == {n: masks[n] for n in ("a", "c")}
    assert (point.e_min, point.e_max) == masks["a"]
    low, high = masks["a"]
    assert point.reference.flux == pytest.approx(1e-11 * (low**-1.3 - high**-1.3) / 1.3, rel=1e-10, abs=0)
    assert point.e_ref == pytest.approx(np.sqrt(low * high), rel=1e-12)


def test_edges_of_the_datasets_that_see_the_source() -> None:
    """A dataset that the source does not apply to has a row of its own, and no say in the edges of the point."""
    fine, coarse = on_off("fine", 1), on_off("coarse", 2, n_energy=3)
    models = Models([power_law(datasets_names=["fine"]), power_law("other", datasets_names=["coarse"])])
    point = run(Datasets([coarse, fine]), models, fine.energy.edges[[1, 3]].tolist()).points[0]
    assert (point.e_min, point.e_max) == (fine.energy.edges[1], fine.energy.edges[3])
    assert point.datasets["coarse"].e_min < point.e_min
    assert point.datasets["coarse"].excess == 0


def test_bands_without_bins_and_masked_bands() -> None:
    """Below, beside and above the data; and where a mask leaves nothing: rows with a reason, no crash."""
    axis = SAME_AXES[0].energy
    masked = Datasets(d.with_(mask_fit=axis.mask(None, axis.edges[4] * 1.001)) for d in SAME_AXES)
    edges = [0.01, 0.05, axis.edges[0], axis.edges[2], axis.edges[4], axis.edges[6], 100.0, 200.0]
    points = run(masked, TWO, edges).points
    assert [point.status for point in points] == ["no_data", "no_data", "ok", points[3].status, *["no_data"] * 3]
    assert points[3].status in ("ok", "upper_limit")
    for k in (0, 1, 5, 6):
        assert points[k].reason == "no dataset has bins here"
    assert points[4].reason == "every bin here is outside the masks and energy ranges"
    for k in (0, 1, 4, 5, 6):
        assert (points[k].estimate, points[k].datasets, points[k].sqrt_ts) == (None, {}, None)
        assert points[k].reference.flux > 0


def test_bands_narrower_than_the_bins() -> None:
    """Most of a fine binning falls between the bins of the data: no bin is counted twice."""
    edges = np.geomspace(0.5, 20.0, 40)
    points = run(SAME_AXES, TWO, edges).points
    counts = sum(d.counts or 0.0 for point in points for d in point.datasets.values())
    assert counts == sum(dataset.counts.sum() for dataset in SAME_AXES)
    assert {point.status for point in points} <= {"ok", "upper_limit", "no_data"}
    assert [point.status for point in points].count("no_data") >= 39 - 12


def test_a_source_that_no_dataset_in_the_band_sees() -> None:
    """No dataset that it applies to has bins there, or none is exposed there: no data, and no failure."""
    models = Models([power_law(datasets_names=["a"]), power_law("other")])
    edges = SAME_AXES[0].energy.edges
    low = SAME_AXES[0].with_(mask_fit=SAME_AXES[0].energy.mask(None, edges[3] * 1.001))
    found = run(Datasets([low, *SAME_AXES[1:]]), models, edges[[0, 3, 6]].tolist())
    assert [point.status for point in found.points] == ["upper_limit", "no_data"]
    assert found.points[1].reason == "no dataset with bins here sees source"
    assert found.success
    blind = run(Datasets([SAME_AXES[0].with_(exposure=np.zeros(9))]), models, edges[[0, 3]].tolist())
    assert [point.reason for point in blind.points] == ["no dataset with bins here sees source"]


def test_far_beyond_a_cut_off() -> None:
    """exp(-E / 1 TeV): at 100 TeV a limit with an enormous norm and a sound flux; at 1000 TeV no reference is left."""
    cut = ExpCutoffPowerLawSpectralModel(index=2.0, amplitude="1e-11 TeV-1 s-1 cm-2", lambda_="1 TeV-1")
    axis, true = (EnergyAxis(np.geomspace(0.1, 2000.0, 14), name) for name in ("energy", "energy_true"))
    data = {"energy": axis, "energy_true": true, "exposure": np.full(13, 1e12), "counts": np.zeros(13)}
    on_off = {"acceptance": np.ones(13), "acceptance_off": np.full(13, 5.0), "counts_off": np.full(13, 3.0)}
    for dataset in (
        SpectrumDatasetOnOff(name="w", **data, **on_off),
        SpectrumDataset(name="w", background=np.full(13, 0.6), **data),
    ):
        models = Models([SkyModel(name="source", spectral_model=cut)])
        points = run(Datasets([dataset]), models, axis.edges[[0, 4, 8, 9, 10]].tolist()).points
        assert [point.status for point in points] == ["upper_limit"] * 4
        limit = estimate(points[3]).norm_ul
        assert limit is not None
        assert limit > 1e40
        assert 0 < limit * points[3].reference.flux < 1e-10
        [nothing] = run(Datasets([dataset]), models, axis.edges[[12, 13]].tolist()).points
        assert nothing.status == "failed"
        assert "cm-2 s-1 TeV-1 here, too little for a norm of it" in (nothing.reason or "")


@pytest.mark.parametrize("reoptimize", [False, True])
def test_a_negative_amplitude_is_a_reference_with_the_other_sign(reoptimize: bool) -> None:
    """As a fit to a deficit leaves it: fluxes and limits are those of the positive reference."""
    negative = Models([power_law(amplitude="-1e-11 TeV-1 s-1 cm-2"), *list(TWO)[1:]])
    one, other = (run(SAME_AXES, models, reoptimize=reoptimize) for models in (TWO, negative))
    for first, second in zip(one.points, other.points, strict=True):
        assert (second.status, second.reason) == (first.status, first.reason)
        assert second.reference == first.reference
        assert estimate(second).norm == pytest.approx(estimate(first).norm, rel=1e-6)
        assert estimate(second).norm_ul == pytest.approx(estimate(first).norm_ul, rel=1e-6)
        assert second.datasets["a"].excess == pytest.approx(first.datasets["a"].excess, rel=1e-6)
    assert other.reference_model.spectral_model.parameters[1].value == 1e-11
    assert other.warnings == ("the spectrum of 'source' is negative: the reference model has the other sign",)
    assert one.warnings == ()


def _power(amplitude: float) -> PowerLawSpectralModel:
    return PowerLawSpectralModel(index=2.3, amplitude=f"{amplitude} TeV-1 s-1 cm-2")


def _product(norm: float, amplitude: float) -> CompoundSpectralModel:
    return CompoundSpectralModel(PowerLawNormSpectralModel(norm=norm), _power(amplitude), "mul")


@pytest.mark.parametrize(
    "spectrum",
    [
        _product(1.0, -1e-11),
        _product(-1.0, 1e-11),
        _product(-1.0, -1e-11),
        CompoundSpectralModel(_power(-6e-12), _power(-4e-12), "add"),
        CompoundSpectralModel(_power(4e-12), _power(1.4e-11), "sub"),
    ],
    ids=["negative amplitude", "negative norm", "both", "sum", "difference"],
)
def test_the_sign_of_a_reference_is_that_of_the_whole_spectrum(spectrum: SpectralModel) -> None:
    """Whatever it is made of, fluxes are those of the positive power law."""
    models = Models([SkyModel(name="source", spectral_model=spectrum), *list(TWO)[1:]])
    for first, second in zip(run(SAME_AXES, TWO).points, run(SAME_AXES, models).points, strict=True):
        assert (second.status, second.reason) == (first.status, first.reason)
        assert second.reference.flux == pytest.approx(first.reference.flux, rel=1e-5)
        assert estimate(second).norm == pytest.approx(estimate(first).norm, rel=1e-5)
        assert estimate(second).norm_err == pytest.approx(estimate(first).norm_err, rel=1e-5)
        assert estimate(second).norm_ul == pytest.approx(estimate(first).norm_ul, rel=1e-5)


def test_where_a_reference_is_negative_in_some_bands_alone_these_have_no_norm() -> None:
    """A difference that changes its sign: errors and limits of its negative part would have the other sign."""
    steep = PowerLawSpectralModel(index=3.3, amplitude="2e-11 TeV-1 s-1 cm-2")
    changing = CompoundSpectralModel(steep, _power(1e-11), "sub")  # 0 at 2 TeV
    first, *_, last = run(SAME_AXES, Models([SkyModel(name="source", spectral_model=changing)])).points
    assert estimate(first).norm_ul is not None
    assert (last.status, last.reason, last.estimate) == ("failed", "the reference spectrum is not above 0 here", None)


def test_a_reference_of_nothing() -> None:
    models = Models([power_law(amplitude="0 TeV-1 s-1 cm-2")])
    found = run(SAME_AXES, models)
    reason = "the reference spectrum is 0 cm-2 s-1 TeV-1 here, too little for a norm of it"
    assert {(point.status, point.reason) for point in found.points} == {("failed", reason)}


def test_a_deficit_is_told_as_such() -> None:
    """Far fewer counts on than off: the limit of the flux is below 0."""
    dataset = on_off("a", 1, exposure=EXPOSURE)
    few = dataset.with_(counts=np.zeros(6), counts_off=np.full(6, 200.0), acceptance_off=np.full(6, 2.0))
    for point in run(Datasets([few]), Models([power_law()])).points:
        found = estimate(point)
        assert found.norm_ul is not None
        assert found.norm_ul < 0
        assert point.status == "upper_limit"
        assert point.reason == f"norm {found.norm:.3g}: a deficit of TS {found.ts:.3g}, its limit is below 0"


def test_upper_limits_alone_have_no_best_norm() -> None:
    """Their statistic falls without bound towards negative fluxes: that band fails, the one with points does not."""
    points = flux_points().points
    limits = replace(points, is_ul=points.energy > 2.0, dnde_ul=np.abs(points.dnde) * 2)
    dataset = flux_points().with_(points=limits, stat_type="distrib", mask_fit=None, mask_safe=None)
    found = run(Datasets([dataset]), Models([power_law()]), [0.3, 2.0, 30.0])
    assert [point.status for point in found.points] == ["ok", "failed"]
    assert found.points[1].reason == "the statistic falls without bound along the norm"
