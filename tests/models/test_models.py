"""The global model: names, addresses, edits and links."""

from __future__ import annotations

import numpy as np
import pytest

from gm.errors import ReadOnlyError
from gm.models import (
    AddressError,
    BackgroundIRFModel,
    CompoundSpectralModel,
    GaussianPrior,
    Link,
    LinkError,
    LogParabolaSpectralModel,
    ModelError,
    Models,
    PointSpatialModel,
    PowerLawNormSpectralModel,
    PowerLawSpectralModel,
    SkyModel,
)
from gm.models.temporal.formulae import PowerLawTemporalModel


def crab() -> SkyModel:
    return SkyModel(
        name="crab",
        spectral_model=LogParabolaSpectralModel(),
        spatial_model=PointSpatialModel(lon_0="83.6 deg", lat_0="22 deg"),
        temporal_model=PowerLawTemporalModel(),
    )


def halo() -> SkyModel:
    product = CompoundSpectralModel(PowerLawSpectralModel(), PowerLawNormSpectralModel(), "mul")
    return SkyModel(name="halo.1", spectral_model=product, datasets_names=["hess", "magic"])


def models() -> Models:
    return Models([crab(), halo(), BackgroundIRFModel(dataset_name="hess")])


def test_components_by_name_and_position() -> None:
    both = models()
    assert both.names == ["crab", "halo.1", "hess-bkg"]
    assert both["hess-bkg"] is both[2]
    assert "crab" in both
    assert len(both) == 3
    with pytest.raises(ModelError, match="did you mean 'crab'"):
        both["crap"]


def test_building_up_in_a_loop() -> None:
    built = Models()
    for run in ("a", "b"):
        background = BackgroundIRFModel(
            spectral_model=PowerLawNormSpectralModel(norm=1, tilt=0.1), dataset_name=f"run-{run}"
        )
        built.extend([background])
    assert built.names == ["run-a-bkg", "run-b-bkg"]
    np.testing.assert_allclose(built["run-a-bkg"].spectral_model(np.array([10.0])), 10**-0.1, rtol=1e-14)
    with pytest.raises(ModelError, match="two components are called 'run-a-bkg'"):
        built.append(BackgroundIRFModel(dataset_name="run-a"))


def test_background_needs_a_norm_model() -> None:
    with pytest.raises(ModelError, match="needs a norm model, not PowerLawSpectralModel"):
        BackgroundIRFModel(dataset_name="a", spectral_model=PowerLawSpectralModel())


def test_selection_by_dataset() -> None:
    assert [c.name for c in models().select("hess")] == ["crab", "halo.1", "hess-bkg"]
    assert [c.name for c in models().select("fermi")] == ["crab"]


def test_short_addresses_where_they_are_unambiguous() -> None:
    addresses = models().parameters.addresses
    assert addresses[:4] == ("crab.amplitude", "crab.reference", "crab.spectral.alpha", "crab.beta")
    assert "crab.temporal.alpha" in addresses
    assert "halo.1.index" in addresses
    assert "halo.1.spectral.model1.reference" in addresses


def test_addresses_have_longer_forms_too() -> None:
    both = models()
    for address in ("halo.1.index", "halo.1.spectral.index", "halo.1.model1.index", "halo.1.spectral.model1.index"):
        assert both.parameters[address].value == 2.0
    assert both.resolve("crab.spectral.beta") == both.resolve("crab.beta")
    with pytest.raises(AddressError, match=r"'crab.alpha' is ambiguous; candidates: crab.spectral.alpha, crab.temp"):
        both.parameters["crab.alpha"]
    with pytest.raises(AddressError, match=r"no parameter is called 'crab.bta'.*did you mean 'crab.beta'"):
        both.resolve("crab.bta")


def test_patterns() -> None:
    both = models()
    assert list(both.parameters.match("*-bkg.*")) == ["hess-bkg.tilt", "hess-bkg.norm", "hess-bkg.reference"]
    assert len(both.match("*.reference")) == 4
    assert both.match("nothing*") == []


def test_edits_leave_the_original_alone() -> None:
    before = models()
    after = before.with_parameters(
        {
            "crab.beta": {"value": 0.2, "min": 0.0, "max": 1.0, "error": 0.1},
            "crab.reference": "300 GeV",
            "*-bkg.tilt": {"frozen": False},
            "halo.1.index": {"prior": GaussianPrior(2.0, 0.1)},
        }
    )
    assert after.parameters["crab.beta"].max == 1.0
    assert after.parameters["crab.reference"].value == pytest.approx(0.3)
    assert not after.parameters["hess-bkg.tilt"].frozen
    assert after.parameters["halo.1.index"].prior == GaussianPrior(2.0, 0.1)
    assert before.parameters["crab.beta"].value == 1.0
    assert before.parameters["hess-bkg.tilt"].frozen


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ({"crab.bta": 1}, "no parameter is called 'crab.bta'"),
        ({"crab.beta": {"valu": 1}}, r"unknown key 'valu'.*did you mean 'value'"),
        ({"crab.beta": {"min": 2.0, "max": 1.0}}, "min 2.0 is above max 1.0"),
        ({"crab.beta": {"value": 3.0, "max": 1.0}}, "outside the limits none ... 1.0"),
        ({"crab.reference": "3 s"}, "'s' does not convert to 'TeV'"),
        ({"crab.beta": {"value": "much"}}, "expected a number, found 'much'"),
        ({"crab.beta": {"frozen": "True"}}, "expected true or false, found 'True'"),
        ({"crab.beta": {"value": float("inf")}}, "expected a finite number"),
        ({"crab.beta": {"error": -1}}, "an error is not negative"),
        ({"crab.beta": {"prior": GaussianPrior(0, 0)}}, "sigma of a prior is positive"),
    ],
)
def test_edits_that_cannot_be(edits: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        models().with_parameters(edits)


def test_problems_are_reported_all_at_once_with_their_place() -> None:
    found: list[tuple[object, ...]] = []
    models().with_parameters(
        {"crab.beta": {"min": 2.0, "max": 1.0}, "crab.x": 1}, lambda path, *text: found.append((path, *text))
    )
    assert [path for path, *_ in found] == [("crab.beta", "min"), ("crab.x",)]


def test_linked_parameters_keep_step() -> None:
    linked = models().with_links([Link("halo.1.index", "crab.beta", scale=2.0, offset=0.5)])
    assert linked.parameters["halo.1.index"].value == 2.5
    assert linked.with_parameters({"crab.beta": 0.1}).parameters["halo.1.index"].value == pytest.approx(0.7)
    with pytest.raises(ModelError, match=r"'halo.1.index' follows 'crab.beta' by a link"):
        linked.with_parameters({"halo.1.index": 3.0})
    assert linked.with_parameters({"*.index": {"frozen": True}}).parameters["halo.1.index"].value == 2.5


def test_link_offsets_bring_their_unit() -> None:
    linked = models().with_links([{"parameter": "crab.lat_0", "equals": "crab.lon_0", "offset": "6 arcmin"}])
    assert linked.links[0].offset == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("links", "message"),
    [
        ([Link("crab.beta", "crab.bta")], "no parameter is called 'crab.bta'"),
        ([Link("crab.beta", "crab.beta")], "the links go round in a circle"),
        ([Link("crab.beta", "halo.1.index"), Link("halo.1.index", "crab.beta")], "the links go round in a circle"),
        ([Link("crab.beta", "halo.1.index"), Link("crab.beta", "halo.1.norm")], "'crab.beta' is linked twice"),
        ([Link("crab.beta", "crab.reference")], "'TeV' does not convert to ''"),
        ([{"parameter": "crab.beta"}], "key 'equals' is missing"),
        ([{"parameter": "crab.beta", "equals": "halo.1.index", "factor": 2}], "unknown key 'factor'"),
        ([{"parameter": "crab.lat_0", "equals": "crab.lon_0", "offset": "1 TeV"}], "'TeV' does not convert to 'deg'"),
    ],
)
def test_links_that_cannot_be(links: list[object], message: str) -> None:
    with pytest.raises(LinkError, match=message):
        models().with_links(links)


def test_a_linked_parameter_has_no_prior_of_its_own() -> None:
    with_prior = models().with_parameters({"crab.beta": {"prior": GaussianPrior(0.1, 0.1)}})
    with pytest.raises(LinkError, match=r"'crab.beta' has a prior"):
        with_prior.with_links([Link("crab.beta", "halo.1.index")])


def test_covariance_decides_errors_and_grows_with_components() -> None:
    both = Models([SkyModel(name="a", spectral_model=PowerLawSpectralModel())])
    both = both.with_covariance(np.diag([0.04, 1e-26, 0.0]))
    assert [p.error for p in both.parameters] == pytest.approx([0.2, 1e-13, 0.0])
    both.append(SkyModel(name="b", spectral_model=PowerLawSpectralModel()))
    assert both.covariance is not None
    assert both.covariance.shape == (6, 6)
    with pytest.raises(ModelError, match=r"shape \(2, 2\); 6 parameters need \(6, 6\)"):
        both.with_covariance(np.eye(2))


def test_a_component_leaves_unless_others_follow_it() -> None:
    linked = models().with_links([Link("halo.1.index", "crab.beta")])
    assert linked.without("halo.1").links == ()
    assert linked.without("hess-bkg").names == ["crab", "halo.1"]
    with pytest.raises(ModelError, match=r"'halo.1.index' follows 'crab.beta', which would go with component 'crab'"):
        linked.without("crab")


def test_free_parameters_are_neither_frozen_nor_linked() -> None:
    linked = models().with_links([Link("crab.beta", "halo.1.index")])
    n_frozen = sum(p.frozen for p in linked.parameters)
    assert len(linked.parameters.free) == len(linked.parameters) - n_frozen - 1


def test_models_made_with_links_are_in_step() -> None:
    made = Models(list(models()), [Link("halo.1.index", "crab.beta", scale=2.0, offset=0.5)])
    assert made.parameters["halo.1.index"].value == 2 * made.parameters["crab.beta"].value + 0.5


def test_models_of_models_keep_links_and_covariance() -> None:
    linked = models().with_links([Link("crab.beta", "halo.1.index")])
    assert Models(linked).links == linked.links


def test_a_link_does_not_carry_a_parameter_out_of_its_limits() -> None:
    limited = models().with_parameters({"halo.1.index": {"max": 2.2}})
    with pytest.raises(
        LinkError, match=r"'halo.1.index': 2.5 is outside the limits none ... 2.2; it follows 'crab.beta'"
    ):
        limited.with_links([Link("halo.1.index", "crab.beta", offset=1.5)])
    linked = limited.with_links([Link("halo.1.index", "crab.beta")])
    with pytest.raises(ModelError, match=r"'halo.1.index': 3.0 is outside the limits"):
        linked.with_parameters({"crab.beta": 3.0})


def test_models_are_a_value() -> None:
    models = Models([SkyModel(name="b", spectral_model=PowerLawSpectralModel())]).with_covariance(np.eye(3))
    for name in ("links", "covariance", "parameters", "indx"):
        with pytest.raises(ReadOnlyError, match=f"'{name}' of Models cannot be set: others are made by with_cov"):
            setattr(models, name, None)
    assert models.covariance is not None
    with pytest.raises(ValueError, match="read-only"):
        models.covariance[0, 0] = 2.0
    before = models.covariance.copy()
    both = Models(models)
    with pytest.raises(ModelError, match="two components are called 'b'"):
        both.extend([BackgroundIRFModel(dataset_name="a"), *models])
    assert both.names == ["b"]
    both.append(BackgroundIRFModel(dataset_name="a"))
    assert models.names == ["b"]
    np.testing.assert_array_equal(models.covariance, before)


def test_attributes_that_are_none_are_told() -> None:
    component = SkyModel(name="b", spectral_model=PowerLawSpectralModel())
    background = BackgroundIRFModel(dataset_name="a")
    for owner, name, hint in (
        (component, "spectral", "did you mean 'spectral_model'"),
        (component, "name", "with_parameters make another component"),
        (background, "dataset", "did you mean 'dataset_name'"),
        (component.parameters[0], "valeu", "did you mean 'value'"),
        (component.parameters[0], "value", "Models.with_parameters makes others"),
        (component.spectral_model, "indx", "did you mean 'index'"),
        (Link("a.b", "c.d"), "skale", "did you mean 'scale'"),
    ):
        with pytest.raises(ReadOnlyError, match=f"'{name}' of {type(owner).__name__} cannot be set: .*{hint}"):
            setattr(owner, name, 3)


def test_values_with_a_covariance_are_both_one_after_the_other() -> None:
    both = Models([SkyModel(name=name, spectral_model=PowerLawSpectralModel()) for name in ("crab", "other")])
    linked = both.with_links([Link("other.index", "crab.index", scale=2.0, offset=0.5)])
    values, matrix = np.arange(1.0, 7.0), np.diag(np.arange(6.0)) + 0.1
    at_once, in_turn = linked.with_values(values, matrix), linked.with_values(values).with_covariance(matrix)
    assert list(at_once.parameters) == list(in_turn.parameters)
    assert at_once.parameters["other.index"].value == 2.5
    assert at_once.parameters["other.index"].error == pytest.approx(2.0 * np.sqrt(0.1))
    assert at_once.covariance is not None
    np.testing.assert_array_equal(at_once.covariance, matrix)
