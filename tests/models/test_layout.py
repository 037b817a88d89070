"""The vector of a fit: what expands from it, and what gradients reduce to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gm.models import (
    BackgroundIRFModel,
    GaussianPrior,
    GaussianSpatialModel,
    Layout,
    Link,
    Models,
    Parameter,
    PowerLawSpectralModel,
    SkyModel,
    UniformPrior,
)


def three_sources() -> Models:
    crab = SkyModel(
        name="crab",
        spectral_model=PowerLawSpectralModel(index=2.5, amplitude="3e-8 m-2 s-1 TeV-1", reference="500 GeV"),
        spatial_model=GaussianSpatialModel(lon_0=83.6, lat_0=22.0),
    )
    jet = SkyModel(name="jet", spectral_model=PowerLawSpectralModel(index=2.0, reference="1 TeV"))
    halo = SkyModel(name="halo", spectral_model=PowerLawSpectralModel(index=1.5))
    return Models([crab, jet, halo, BackgroundIRFModel(dataset_name="hess")])


def linked_sources() -> Models:
    return three_sources().with_links(
        [
            Link("jet.index", "crab.index", offset=0.5),
            Link("halo.index", "jet.index", scale=2.0, offset=-1.0),
            {"parameter": "jet.amplitude", "equals": "crab.amplitude", "scale": 0.1},
        ]
    )


def test_values_are_in_internal_units() -> None:
    layout = Layout(three_sources())
    values = layout.expand(layout.start)
    np.testing.assert_allclose(values[:3], [2.5, 3e-12, 0.5], rtol=1e-14)
    assert layout.free_addresses[:4] == ("crab.index", "crab.amplitude", "crab.lon_0", "crab.lat_0")
    assert layout.slots("jet") == slice(8, 11)
    assert layout.slots("crab", "spatial") == slice(3, 8)
    assert layout.n_free == len(layout.start)


def test_chains_of_links_are_followed() -> None:
    layout = Layout(linked_sources())
    values = dict(zip(layout.addresses, layout.expand(layout.start), strict=True))
    assert values["jet.index"] == pytest.approx(3.0)
    assert values["halo.index"] == pytest.approx(2 * 3.0 - 1.0)
    assert values["jet.amplitude"] == pytest.approx(3e-13)  # 0.1 of 3e-8 per m2, in cm-2
    assert "jet.index" not in layout.free_addresses
    own = dict(zip(layout.addresses, layout.own(layout.start), strict=True))
    assert own["crab.amplitude"] == pytest.approx(3e-8)


@given(st.data())
def test_reduce_is_the_adjoint_of_expand(data: st.DataObject) -> None:
    layout = Layout(data.draw(st.sampled_from([three_sources(), linked_sources()])))
    numbers = st.floats(-1.0, 1.0)
    step = data.draw(arrays(np.float64, layout.n_free, elements=numbers))
    row = data.draw(arrays(np.float64, (2, len(layout.addresses)), elements=numbers))
    jacobian_step = layout.expand(layout.start + step) - layout.expand(layout.start)
    np.testing.assert_allclose(row @ jacobian_step, layout.reduce(row) @ step, rtol=1e-9, atol=1e-12)


def test_a_frozen_root_is_a_constant() -> None:
    models = linked_sources().with_parameters({"crab.index": {"frozen": True}})
    layout = Layout(models)
    assert "crab.index" not in layout.free_addresses
    own = dict(zip(layout.addresses, layout.own(layout.start * 2), strict=True))
    assert own["jet.index"] == 3.0


def test_nothing_free_is_an_empty_vector() -> None:
    layout = Layout(three_sources().with_parameters({"*": {"frozen": True}}))
    assert layout.n_free == 0
    assert layout.expand(np.empty(0)).shape == (len(layout.addresses),)
    assert layout.reduce(np.ones((3, len(layout.addresses)))).shape == (3, 0)
    assert layout.covariance(np.empty((0, 0))).shape == (len(layout.addresses),) * 2


def test_limits_of_linked_parameters_and_of_uniform_priors_count() -> None:
    models = three_sources().with_parameters(
        {"jet.index": {"min": 1.0, "max": 4.0}, "halo.index": {"prior": UniformPrior(1.0, 2.0)}}
    )
    layout = Layout(models.with_links([Link("jet.index", "crab.index", offset=0.5)]))
    bounds = dict(zip(layout.free_addresses, zip(layout.lower, layout.upper, strict=True), strict=True))
    assert bounds["crab.index"] == (0.5, 3.5)
    assert bounds["halo.index"] == (1.0, 2.0)


def test_covariance_spreads_along_links() -> None:
    layout = Layout(linked_sources())
    free = np.diag(np.arange(1.0, layout.n_free + 1))
    free[0, 1] = free[1, 0] = 0.5
    matrix = layout.covariance(free)
    at = {address: k for k, address in enumerate(layout.addresses)}
    assert matrix[at["halo.index"], at["halo.index"]] == pytest.approx(4.0)
    assert matrix[at["halo.index"], at["jet.amplitude"]] == pytest.approx(2.0 * 0.5 * 0.1 / 1e4 * 1e-0)
    assert not matrix[at["crab.reference"]].any()


def test_priors_count_once() -> None:
    prior = GaussianPrior(2.0, 0.1)
    models = three_sources().with_parameters({"crab.index": {"prior": prior}, "crab.reference": {"prior": prior}})
    layout = Layout(models.with_links([Link("jet.index", "crab.index")]))
    assert layout.prior_value(layout.start) == pytest.approx(prior.value(2.5) + prior.value(500.0))
    gradient = layout.prior_gradient(layout.start)
    assert gradient[0] == pytest.approx(prior.gradient(2.5))
    assert np.count_nonzero(gradient) == 1
    assert layout.prior_curvature(layout.start)[0] == pytest.approx(200.0)


def test_unit_of_an_extra_parameter_is_kept() -> None:
    crab = SkyModel(name="crab", spectral_model=PowerLawSpectralModel(reference=Parameter("reference", 300.0, "GeV")))
    assert Models(crab).parameters["crab.reference"].unit == "GeV"
