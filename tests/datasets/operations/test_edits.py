"""What operations do to the global model: names, scopes, links, priors, covariance, order; and what they refuse."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.datasets import operations as ops
from gm.irf.psf import PsfMap
from gm.likelihood.prediction import predict_component
from gm.maps.axes import EnergyAxis, NodeAxis
from gm.maps.geometry import WcsGeometry
from gm.maps.sky_region import SkyRegion
from gm.models import (
    BackgroundIRFModel,
    DiskSpatialModel,
    GaussianPrior,
    Link,
    LogParabolaNormSpectralModel,
    Models,
    Parameter,
    PiecewiseNormSpectralModel,
)
from tests.datasets.operations.cases import LAT, LON, background, on_off_map, sky_map, source
from tests.samples import flux_points, on_off, power_law, spectrum


def runs(*names: str) -> Datasets:
    return Datasets(spectrum(name, seed) for seed, name in enumerate(names, 1))


def actions(outcome: ops.Outcome) -> list[tuple[str, str]]:
    return [(edit.action, edit.component) for edit in outcome.edits]


def scope(outcome: ops.Outcome, name: str) -> list[str] | None:
    names = outcome.models[name].datasets_names
    return None if names is None else list(names)


# Names and order


def test_results_stand_where_their_last_input_was() -> None:
    datasets, models = runs("a", "b", "c", "d"), Models([power_law()])
    assert ops.stack(datasets, models, ["a", "c"], name="x").datasets.names == ["b", "x", "d"]
    assert ops.stack(datasets, models, ["a", "c"], name="x", keep=True).datasets.names == ["a", "b", "c", "x", "d"]
    assert ops.copy(datasets, models, "b", name="x").datasets.names == ["a", "b", "x", "c", "d"]
    assert ops.to_image(datasets, models, "*", suffix="-i").datasets.names == ["a-i", "b-i", "c-i", "d-i"]
    assert ops.to_masked(datasets, models, ["d", "a"], suffix="!").datasets.names == ["a!", "b", "c", "d!"]


def test_components_keep_their_order() -> None:
    models = Models([background("a"), power_law("crab"), background("b"), power_law("last")])
    stacked = ops.stack(runs("a", "b"), models, "*", name="x").models
    assert stacked.names == ["x-bkg", "crab", "last"]
    copied = ops.copy(runs("a", "b"), models, "a", name="x").models
    assert copied.names == ["a-bkg", "x-bkg", "crab", "b-bkg", "last"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"which": "x*", "name": "y"}, r"no dataset matches 'x\*'\n    datasets: a, b"),
        ({"which": "a", "name": "b"}, "a dataset 'b' exists already"),
        ({"which": "a"}, "the result has no name"),
        ({"which": "*", "name": "y"}, "'y' is one name for 2 datasets .a, b.\n    give suffix"),
        ({"which": "a", "name": "y", "suffix": "-z"}, "both name and suffix"),
        ({"which": []}, "no dataset is named"),
    ],
)
def test_names_that_are_refused(arguments: dict[str, Any], message: str) -> None:
    which = arguments.pop("which")
    with pytest.raises(ops.Refused, match=message):
        ops.to_image(runs("a", "b"), Models(), which, **arguments)


def test_a_component_of_the_new_name_is_in_the_way() -> None:
    models = Models([background("a"), background("old")])
    with pytest.raises(ops.Refused, match="two components would be called 'old-bkg'"):
        ops.to_image(runs("a", "b"), models, "a", name="old")


def test_a_name_with_brackets_is_a_name() -> None:
    outcome = ops.copy(runs("run[1]", "run1"), Models(), "run[1]", name="x")
    assert outcome.products[0].inputs == ("run[1]",)


# Scopes


def test_scopes() -> None:
    models = Models(
        [
            power_law("all"),
            power_law("one", datasets_names=["a"]),
            power_law("two", datasets_names=["a", "b"]),
            power_law("other", datasets_names=["c"]),
        ]
    )
    datasets = runs("a", "b", "c")
    sliced = ops.slice_energy(datasets, models, "a", name="x", min="1 TeV")
    assert [scope(sliced, name) for name in models.names] == [None, ["x"], ["x", "b"], ["c"]]
    kept = ops.slice_energy(datasets, models, "a", name="x", min="1 TeV", keep=True)
    assert [scope(kept, name) for name in models.names] == [None, ["a", "x"], ["a", "x", "b"], ["c"]]
    copied = ops.copy(datasets, models, "a", name="x")
    assert copied.models.names == ["all", "one", "one-x", "two", "other"]
    assert [scope(copied, name) for name in ("one", "one-x", "two")] == [["a"], ["x"], ["a", "b", "x"]]
    with pytest.raises(ops.Refused, match=r"one applies to some of the inputs .*not to .b.\n    allow_partial: true"):
        ops.stack(datasets, models, ["a", "b"], name="x")
    stacked = ops.stack(datasets, models, ["a", "b"], name="x", allow_partial=True)
    assert [scope(stacked, name) for name in models.names] == [None, ["x"], ["x"], ["c"]]


def test_copies_of_a_pattern_share_what_was_shared() -> None:
    models = Models([power_law("two", datasets_names=["a", "b"])])
    outcome = ops.copy(runs("a", "b"), models, "*", suffix="-x")
    assert scope(outcome, "two") == ["a", "b", "a-x", "b-x"]


# Parameters: values, priors, covariance, links


def with_prior(name: str) -> BackgroundIRFModel:
    norm = Parameter("norm", 1.3, error=0.1, min=0.5, max=2.0, prior=GaussianPrior(mu=1.0, sigma=0.2))
    return background(name, norm, 0.2)  # type: ignore[arg-type]  # a Parameter stands for a number


def test_carried_parameters_keep_everything() -> None:
    models = Models([with_prior("a"), power_law("crab")]).with_covariance(np.diag(np.arange(6.0)))
    outcome = ops.slice_energy(runs("a"), models, "a", name="x", min="1 TeV")
    assert actions(outcome) == [("carried", "a-bkg")]
    assert outcome.models.parameters["x-bkg.norm"] == models.parameters["a-bkg.norm"]
    assert np.array_equal(outcome.models.covariance, models.covariance)  # type: ignore[arg-type]


def test_baked_parameters_start_anew() -> None:
    matrix = np.arange(36.0).reshape(6, 6)
    models = Models([with_prior("a"), power_law("crab")]).with_covariance(matrix @ matrix.T)
    outcome = ops.to_image(runs("a"), models, "a", name="x")
    assert actions(outcome) == [("baked", "a-bkg"), ("new", "x-bkg")]
    assert "prior of norm dropped" in outcome.edits[0].text
    norm = outcome.models.parameters["x-bkg.norm"]
    assert (norm.value, norm.error, norm.prior, norm.frozen) == (1.0, 0.0, None, False)
    assert outcome.models.parameters["x-bkg.tilt"].value == 0.0
    covariance = outcome.models.covariance
    assert covariance is not None
    assert models.covariance is not None
    assert np.array_equal(covariance[3:, 3:], models.covariance[3:, 3:])
    assert not covariance[:3].any()


def test_a_copy_is_as_uncertain_as_its_original_and_together_with_it() -> None:
    models = Models([background("a", 2.0)]).with_covariance(np.diag([0.0, 0.04, 0.0]))
    outcome = ops.copy(runs("a"), models, "a", name="x")
    assert outcome.models.parameters["x-bkg.norm"].error == pytest.approx(0.2)
    assert outcome.models.covariance is not None
    assert outcome.models.covariance[1, 4] == pytest.approx(0.04)


def test_links_follow_carried_parameters() -> None:
    models = Models([background("a", 2.0), background("b")]).with_links([Link("b-bkg.norm", "a-bkg.norm", 1.5)])
    outcome = ops.to_masked(runs("a", "b"), models, "a", name="x")
    assert outcome.models.links == (Link("b-bkg.norm", "x-bkg.norm", 1.5),)
    both = ops.to_masked(runs("a", "b"), models, "*", suffix="-x")
    assert both.models.links == (Link("b-x-bkg.norm", "a-x-bkg.norm", 1.5),)


def test_links_to_a_copied_parameter_stay_with_the_original() -> None:
    models = Models([background("a", 2.0), background("b")]).with_links([Link("b-bkg.norm", "a-bkg.norm", 1.5)])
    leader = ops.copy(runs("a", "b"), models, "a", name="x")
    assert leader.models.links == (Link("b-bkg.norm", "a-bkg.norm", 1.5),)
    follower = ops.copy(runs("a", "b"), models, "b", name="x")
    assert set(follower.models.links) == {Link("b-bkg.norm", "a-bkg.norm", 1.5), Link("x-bkg.norm", "a-bkg.norm", 1.5)}


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_link_that_would_break_is_named(name: str) -> None:
    models = Models([background("a"), background("b")]).with_links([Link("b-bkg.norm", "a-bkg.norm")])
    message = f"would break the link 'b-bkg.norm' = 'a-bkg.norm': {name}-bkg would go, baked into the background of x"
    with pytest.raises(ops.Refused, match=message):
        ops.to_image(runs("a", "b"), models, name, name="x")
    assert ops.to_image(runs("a", "b"), models, name, name="x", keep=True).models.links == models.links


# Backgrounds: what is carried and what is baked


@pytest.mark.parametrize(
    ("component", "treated"),
    [
        (background("a", 2.0), "carried"),
        (background("a", 2.0, 0.1), "baked"),
        (background("a", 2.0, Parameter("tilt", 0.0, frozen=False)), "baked"),  # type: ignore[arg-type]
        (
            BackgroundIRFModel(
                spectral_model=PiecewiseNormSpectralModel(energy=[1.0, 10.0], norms=[1.0, 1.0]), dataset_name="a"
            ),
            "baked",
        ),
    ],
)
def test_joined_energies_carry_what_one_number_describes(component: BackgroundIRFModel, treated: str) -> None:
    dataset = spectrum("a", n_energy=6)
    outcome = ops.downsample(Datasets([dataset]), Models([component]), "a", name="x", factor=3, axis="energy")
    assert outcome.edits[0].action == treated
    same = ops.downsample(Datasets([dataset]), Models([component]), "a", name="x", factor=1, axis="energy")
    assert same.edits[0].action == "carried"


def test_a_slope_is_frozen_where_there_is_one_bin() -> None:
    models = Models([background("a", 1.0, Parameter("tilt", 0.1, frozen=False))])  # type: ignore[arg-type]
    assert not ops.stack(runs("a"), models, "a", name="x").models.parameters["x-bkg.tilt"].frozen
    assert ops.to_image(runs("a"), models, "a", name="x").models.parameters["x-bkg.tilt"].frozen


def test_stacked_backgrounds_are_of_one_type() -> None:
    other = BackgroundIRFModel(spectral_model=LogParabolaNormSpectralModel(), dataset_name="b")
    with pytest.raises(ops.Refused, match="different spectral types: a-bkg pl-norm, b-bkg lp-norm"):
        ops.stack(runs("a", "b"), Models([background("a"), other]), "*", name="x")


# Datasets that do not fit an operation


def test_stack_refuses_different_kinds_and_axes() -> None:
    with pytest.raises(ops.Refused, match=r"a is a SpectrumDataset \(cash\), b a SpectrumDatasetOnOff \(wstat\)"):
        ops.stack(Datasets([spectrum("a"), on_off("b")]), Models(), "*", name="x")
    with pytest.raises(ops.Refused, match=r"different axes energy: 7 bins from 0\.5 to 20 TeV, 5 bins"):
        ops.stack(Datasets([spectrum("a"), spectrum("b", n_energy=5)]), Models(), "*", name="x")
    with pytest.raises(ops.Refused, match="FluxPointsDataset, which stack cannot sum"):
        ops.stack(Datasets([flux_points("a")]), Models(), "*", name="x")
    shifted = sky_map("b")
    grid = shifted.geometry.create(LON + 0.03, LAT, 0.1, shape=(20, 20), projection="TAN")
    with pytest.raises(ops.Refused, match="the maps of a and b are on different pixel grids"):
        ops.stack(Datasets([sky_map("a"), shifted.with_(geometry=grid)]), Models(), "*", name="x")


def test_responses_that_cannot_be_averaged() -> None:
    one = sky_map("a")
    assert one.psf is not None
    bare = sky_map("b").with_(psf=replace(one.psf, exposure=None))
    with pytest.raises(ops.Refused, match="the PSF maps of b come without an exposure"):
        ops.stack(Datasets([one, bare]), Models(), "*", name="x")
    reco = [d.with_(psf=replace(one.psf, energy=EnergyAxis(one.psf.energy.edges))) for d in (one, sky_map("b"))]
    with pytest.raises(ops.Refused, match="a PSF in reconstructed energy cannot be averaged"):
        ops.stack(Datasets(reco), Models(), "*", name="x")
    with pytest.raises(ops.Refused, match="psf of a and b are not of one kind"):
        ops.stack(Datasets([one, sky_map("b").with_(psf=None)]), Models(), "*", name="x")


def test_masked_energies_add_exposure_but_no_dispersion() -> None:
    """The rows of the dispersion sum to less than 1 then: what a source predicts is what is left of it."""
    first = sky_map("a")
    safe = np.ones(first.counts.shape, dtype=bool)
    safe[0] = False
    stack: Any = ops.stack(Datasets([first, sky_map("b", exposure=3e12, mask_safe=safe)]), Models(), "*", name="x")
    found, single = stack.datasets[0].edisp, first.edisp
    assert found.exposure == pytest.approx(4e12)
    assert single is not None
    np.testing.assert_allclose(found.data[:, 0], single.data[:, 0] / 4, rtol=1e-12)
    np.testing.assert_allclose(found.data[:, 1:], single.data[:, 1:], rtol=1e-12)


def test_spectra_have_no_pixels() -> None:
    refused = pytest.raises(ops.Refused, match="dataset a is a SpectrumDataset: it has no pixels")
    with refused:
        ops.pad(runs("a"), Models(), "a", name="x", width="1 deg")
    with refused:
        ops.cutout(runs("a"), Models(), "a", name="x", center=(LON, LAT), width="1 deg")
    with refused:
        ops.downsample(runs("a"), Models(), "a", name="x", factor=2)
    with refused:
        ops.to_spectrum_dataset(runs("a"), Models(), "a", name="x", region=CIRCLE)


def test_energies_that_do_not_fit() -> None:
    with pytest.raises(ops.Refused, match="dataset a has no energy bin between 100 and 200 TeV"):
        ops.slice_energy(runs("a"), Models(), "a", name="x", min="100 TeV", max="200 TeV")
    with pytest.raises(ops.Refused, match="7 energy bins cannot be joined 2 by 2"):
        ops.downsample(runs("a"), Models(), "a", name="x", factor=2, axis="energy")
    with pytest.raises(ops.Refused, match="at least two edges, increasing"):
        ops.resample_energy(runs("a"), Models(), "a", name="x", edges=["2 TeV", "1 TeV"])


def test_energies_that_move_to_other_edges_are_told() -> None:
    """The bins of 0.5, 0.847, 1.435, ... 20 TeV; what lies on an edge but for rounding does not move."""
    edges = spectrum("a").energy.edges
    sliced = ops.slice_energy(runs("a"), Models(), "a", name="x", min="1 TeV", max=float(edges[5]) * (1 + 1e-8))
    assert sliced.products[0].moved == f"moved to the nearest edges: 1 -> {edges[1]:.4g} TeV"
    joined = ops.resample_energy(runs("a"), Models(), "a", name="x", edges=["0.1 TeV", float(edges[2]), "100 TeV"])
    assert joined.products[0].moved == "moved to the nearest edges: 0.1 -> 0.5, 100 -> 20 TeV"
    for outcome in (
        ops.slice_energy(runs("a"), Models(), "a", name="x", max=float(edges[3])),
        ops.to_image(runs("a"), Models(), "a", name="x"),
        ops.slice_energy(Datasets([flux_points("a")]), Models(), "a", name="x", min="1 TeV"),
    ):
        assert outcome.products[0].moved == ""


def test_flux_points_are_copied_sliced_and_masked() -> None:
    points = flux_points("a")
    models = Models([power_law("crab", datasets_names=["a"])])
    datasets = Datasets([points.with_(mask_safe=points.points.energy < 10)])
    assert ops.copy(datasets, models, "a", name="x").models.names == ["crab", "crab-x"]
    sliced = ops.slice_energy(datasets, models, "a", name="x", min="1 TeV", max="10 TeV").datasets[0]
    assert sliced.points.energy.tolist() == [e for e in points.points.energy if 1 <= e <= 10]  # type: ignore[union-attr]
    masked = ops.to_masked(datasets, models, "a", name="x").datasets[0]
    assert masked.points.energy.max() < 10  # type: ignore[union-attr]
    with pytest.raises(ops.Refused, match="FluxPointsDataset, which to_image cannot sum"):
        ops.to_image(datasets, models, "a", name="x")


# The spectrum of a region

CIRCLE = {"type": "circle", "center": [LON, LAT], "frame": "icrs", "radius": "0.45 deg"}


def extracted(models: Models, datasets: Datasets | None = None, **options: Any) -> ops.Outcome:
    datasets = datasets or Datasets([sky_map(), sky_map("other", 2)])
    arguments: dict[str, Any] = {"name": "x", "region": CIRCLE, "predict": predict_component} | options
    return ops.to_spectrum_dataset(datasets, models, "map", **arguments)


def test_what_is_no_target_joins_the_background() -> None:
    far = source("far", LON + 0.4)
    models = Models([source("crab"), far, background("map", 2.0, 0.1)])
    outcome = extracted(models, target="crab")
    assert actions(outcome) == [("baked", "map-bkg"), ("folded", "far"), ("rescoped", "far")]
    assert outcome.models.names == ["crab", "far"]
    assert scope(outcome, "far") == ["other"]
    alone = extracted(Models([source("crab"), background("map", 2.0, 0.1)]), target="crab").datasets["x"]
    added = outcome.datasets["x"].background.sum() - alone.background.sum()  # type: ignore[union-attr]
    assert added == pytest.approx(outcome.edits[1].data["predicted"], rel=1e-10)
    assert added > 1


def test_what_folding_leaves_below_0_is_no_background() -> None:
    """Exact conventions: 1e-7 of the brightest pixel beside a disk, where there is no other background."""
    disk = replace(source("far"), spatial_model=DiskSpatialModel(lon_0=LON + 0.3, lat_0=LAT, r_0=0.3))
    dataset = sky_map(background=None)
    counts = predict_component(dataset, disk, "exact")
    assert counts.min() < 0
    outcome = extracted(Models([disk]), Datasets([dataset]), target=[], predict=lambda d, c: counts)
    expected = counts[:, SkyRegion.from_mapping(CIRCLE).contains(dataset.geometry)].sum(axis=1)
    spectrum: Any = outcome.datasets["x"]
    np.testing.assert_allclose(spectrum.background, expected, rtol=1e-6)


def test_without_a_target_what_is_in_the_region_stays() -> None:
    models = Models([source("crab"), source("near", LON + 0.3), source("far", LON + 0.6)])
    outcome = extracted(models)
    assert [component for action, component in actions(outcome) if action == "folded"] == ["far"]
    assert [scope(outcome, name) for name in models.names] == [None, None, ["other"]]


def test_what_is_folded_from_its_last_dataset_goes() -> None:
    prior = Parameter("index", 2.3, prior=GaussianPrior(mu=2.0, sigma=0.2))
    far = source("far", LON + 0.6, datasets_names=["map"])
    far = replace(far, spectral_model=far.spectral_model.with_parameters([prior, *far.spectral_model.parameters[1:]]))
    models = Models([source("crab"), far])
    outcome = extracted(models)
    assert outcome.models.names == ["crab"]
    assert actions(outcome) == [("folded", "far")]
    assert outcome.edits[0].text.endswith("background of x; it goes, as no dataset is left, prior of index dropped")
    assert extracted(models, on_orphan="drop").models.names == ["crab"]
    kept = extracted(models, on_orphan="keep")
    assert scope(kept, "far") == []
    assert kept.datasets["x"].background.sum() == outcome.datasets["x"].background.sum()  # type: ignore[union-attr]
    assert scope(extracted(models, keep=True), "far") == ["map"]
    linked = models.with_links([Link("crab.index", "far.index")])
    with pytest.raises(ops.Refused, match=r"break the link 'crab\.index' = 'far\.index': far would go, folded into"):
        extracted(linked)


def test_an_unscoped_component_of_the_only_dataset_goes_too() -> None:
    outcome = extracted(Models([source("crab"), source("far", LON + 0.6)]), Datasets([sky_map()]), target=["crab"])
    assert outcome.models.names == ["crab"]
    both = ops.to_spectrum_dataset(
        Datasets([sky_map(), sky_map("other", 2)]),
        Models([source("crab"), source("far", LON + 0.6)]),
        "*",
        suffix="-x",
        region=CIRCLE,
        predict=predict_component,
    )
    assert actions(both) == [("folded", "far"), ("folded", "far")]
    assert both.models.names == ["crab"]


def test_a_measured_background_takes_no_component() -> None:
    on_off = Datasets([on_off_map("map")])
    models = Models([source("crab"), source("far", LON + 0.6)])
    with pytest.raises(ops.Refused, match="far cannot be folded: the background of map is measured, not predicted"):
        extracted(models, on_off)
    assert actions(extracted(models, on_off, on_orphan="drop")) == [("dropped", "far")]
    assert scope(extracted(models, on_off, on_orphan="keep"), "far") == []
    assert extracted(models, on_off, target=["crab", "far"]).models.names == ["crab", "far"]
    elsewhere = Datasets([on_off_map("map"), sky_map("other")])
    with pytest.raises(ops.Refused, match=r"far cannot be folded: .*\n    name it in target"):
        extracted(models, elsewhere, on_orphan="drop")  # it would leave the map, but stay for the other


REGIONS: dict[str, Any] = {
    "ellipse": {"center": [LON, LAT], "width": "0.5 deg", "height": "0.9 deg", "angle": "20 deg"},
    "annulus": {"center": [LON, LAT], "inner_radius": "0.2 deg", "outer_radius": "0.5 deg"},
    "rectangle": {"center": [LON, LAT], "width": "0.5 deg", "height": "0.9 deg", "angle": "20 deg"},
    "polygon": {"vertices": [[LON - 0.5, LAT - 0.3], [LON + 0.5, LAT - 0.3], [LON, LAT + 0.5]]},
    "point": {"center": [LON + 0.01, LAT + 0.01]},
    "file": {"filename": "on.reg"},
}

PIXELS = {"ellipse": 35.3, "annulus": 66.0, "rectangle": 45.0, "polygon": 37.1, "point": 4, "file": 37.1}
"""Area in units of 0.01 square degrees; a point takes the pixels around it, as in Gammapy."""


@pytest.mark.parametrize("kind", REGIONS)
def test_all_regions(kind: str, tmp_path: Path) -> None:
    """Counts and background are those of the pixels whose centre is inside; a source beyond joins the background."""
    lines = f"fk5\npolygon({LON - 0.5},{LAT - 0.3},{LON + 0.5},{LAT - 0.3},{LON},{LAT + 0.5})\n"
    (tmp_path / "on.reg").write_text("# Region file format: DS9\n" + lines)
    region = SkyRegion.from_mapping({"type": kind, **REGIONS[kind]}, tmp_path)
    dataset, far = sky_map(), source("far", LON + 0.8, sigma=0.4)
    assert dataset.background is not None
    spectrum: Any = extracted(Models([far, background("map", 2.0)]), region=region).datasets["x"]
    inside = region.contains(dataset.geometry)
    expected = 2.0 * dataset.background + predict_component(dataset, far)
    assert inside.sum() == pytest.approx(PIXELS[kind], rel=0.06)
    np.testing.assert_allclose(spectrum.background, expected[:, inside].sum(axis=1), rtol=1e-10)
    assert np.array_equal(spectrum.counts, dataset.counts[:, inside].sum(axis=1))


def test_regions_that_are_refused() -> None:
    with pytest.raises(ops.Refused, match="the region is not inside the map"):
        extracted(Models(), region=CIRCLE | {"radius": "2 deg"})
    with pytest.raises(ops.Refused, match="no pixel centre of map lies in the region"):
        extracted(Models(), region=CIRCLE | {"radius": "0.001 deg"})
    with pytest.raises(ops.Refused, match=r"target 'carb' is not a sky component\n.*did you mean 'crab'"):
        extracted(Models([source("crab")]), target=["carb"])
    square = {"type": "rectangle", "center": [LON, LAT], "width": "0.5 deg", "height": "0.5 deg"}
    with pytest.raises(ops.Refused, match="the containment correction needs a circle"):
        extracted(Models(), region=square, containment_correction=True)
    cut = sky_map().counts > -1
    cut[2, :, :10] = False
    with pytest.raises(ops.Refused, match=r"the masks of map cut through the region in energy bin 2 \("):
        extracted(Models(), Datasets([sky_map(mask_safe=cut)]))
    with pytest.raises(ops.Refused, match="far has to be folded"):
        extracted(Models([source("far", LON + 0.6)]), predict=None)


@pytest.mark.parametrize("edisp", [True, False])
def test_a_psf_of_reconstructed_energy_contains_what_it_does_there(edisp: bool) -> None:
    """Gaussians of 0.4 to 0.05 deg: 12 to 100 % inside of 0.2 deg, whatever the true energies are."""
    dataset = sky_map() if edisp else sky_map(edisp=None)
    sigma = np.array([0.4, 0.2, 0.1, 0.05])
    rad = NodeAxis.from_edges("rad", np.linspace(0.0, 2.0, 2001), "deg")
    profile = np.exp(-0.5 * (rad.center / sigma[:, None]) ** 2) / (2 * np.pi * np.radians(sigma[:, None]) ** 2)
    one = WcsGeometry.create(LON, LAT, 180.0, shape=(1, 1))
    dataset = dataset.with_(psf=PsfMap(one, dataset.energy, rad, profile[..., None, None]))
    crab, circle = source("crab"), CIRCLE | {"radius": "0.2 deg"}
    plain, corrected = (
        predict_component(
            extracted(Models([crab]), Datasets([dataset]), region=circle, containment_correction=correction).datasets[
                "x"
            ],
            crab,
        )
        for correction in (False, True)
    )
    np.testing.assert_allclose(corrected / plain, 1.0 - np.exp(-0.5 * (0.2 / sigma) ** 2), rtol=2e-3)


def test_an_extended_source_is_predicted_as_on_the_map() -> None:
    # a region much larger than the source: containment 1, the mean exposure is that of the source
    crab = source("crab", sigma=0.05)
    outcome = extracted(Models([crab]), region=CIRCLE | {"radius": "0.8 deg"}, containment_correction=True)
    before = predict_component(sky_map(), crab).sum()
    assert predict_component(outcome.datasets["x"], crab).sum() == pytest.approx(before, rel=2e-3)
