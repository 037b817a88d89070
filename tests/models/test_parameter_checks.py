"""What documents are refused for, Python is refused for too: at once, where a model is made."""

from __future__ import annotations

from math import inf, nan
from typing import Any

import pytest

from gm.datasets import Datasets
from gm.fit import Fit
from gm.models import (
    GaussianPrior,
    GaussianSpatialModel,
    GeneralizedGaussianPrior,
    Link,
    LinkError,
    LogUniformPrior,
    ModelError,
    Models,
    Parameter,
    PowerLawSpectralModel,
    Prior,
    TemplateSpatialModel,
    UniformPrior,
)
from tests.samples import power_law, spectrum

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"min": 3.0, "max": 1.0}, "index.min: min 3.0 is above max 1.0; no value lies between them"),
    ({"value": nan}, "index.value: expected a finite number, found nan"),
    ({"value": inf}, "index.value: expected a finite number, found inf"),
    ({"value": "2"}, "index.value: expected a number, found '2'"),
    ({"value": None}, "index.value: expected a number, found None"),
    ({"error": -1.0}, "index.error: an error is not negative, found -1.0"),
    ({"min": "0"}, "index.min: expected a number, found '0'"),
    ({"frozen": "false"}, "index.frozen: expected true or false, found 'false'"),
    ({"prior": "gauss"}, "index.prior: expected a prior, found 'gauss'"),
]
PRIORS: list[tuple[Prior, str]] = [
    (GaussianPrior(2.0, 0.0), "sigma of a prior is positive, found 0.0"),
    (GaussianPrior(2.0, -1.0), "sigma of a prior is positive"),
    (GaussianPrior(2.0, inf), "sigma of a prior is a finite number, found inf"),
    (GaussianPrior(nan, 1.0), "mu of a prior is a finite number, found nan"),
    (GaussianPrior(2.0, 1.0, -1.0), "the weight of a prior is not negative"),
    (GaussianPrior(2.0, 1.0, inf), "weight of a prior is a finite number"),
    (UniformPrior(3.0, 1.0), "min 3.0 is not below max 1.0"),
    (UniformPrior(0.0, inf), "max of a prior is a finite number, found inf"),
    (LogUniformPrior(0.0, 3.0), "min of a LogUniformPrior is positive"),
    (GeneralizedGaussianPrior(2.0, 1.0, 0.0), "eta of a prior is positive"),
]


@pytest.mark.parametrize(("changes", "message"), WRONG)
def test_a_parameter(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as raised:
        PowerLawSpectralModel(index=Parameter("index", **{"value": 2.0, **changes}))
    assert str(raised.value).startswith(message)


@pytest.mark.parametrize(("prior", "message"), PRIORS)
def test_a_prior(prior: Prior, message: str) -> None:
    with pytest.raises(ModelError, match=r"index.prior: ") as raised:
        PowerLawSpectralModel(index=Parameter("index", 2.0, prior=prior))
    assert message in str(raised.value)


def test_a_value_alone() -> None:
    with pytest.raises(ModelError, match=r"index.value: expected a finite number, found nan"):
        PowerLawSpectralModel(index=nan)
    with pytest.raises(ModelError, match=r"sigma.value: expected a finite number, found inf"):
        GaussianSpatialModel(sigma=inf)


def test_a_value_beyond_its_limits_is_told_by_the_fit() -> None:
    """It starts at the limit."""
    index = Parameter("index", 2.0, min=2.2, max=5.0)
    told = "source.index is 2, beyond its limits 2.2 ... 5: the fit starts at the limit"
    result = Fit(Datasets([spectrum()])).run(Models([power_law(index=index)]))
    assert told in result.warnings
    within = Fit(Datasets([spectrum()])).run(Models([power_law(index=Parameter("index", 2.2, min=2.2, max=5.0))]))
    assert not any("beyond its limits" in text for text in within.warnings)
    assert result.statistic == pytest.approx(within.statistic, abs=1e-5)
    frozen = Parameter("index", 2.0, min=2.2, frozen=True)
    assert not Fit(Datasets([spectrum()])).run(Models([power_law(index=frozen)])).warnings


def test_what_is_no_number_where_that_means_none() -> None:
    """As in Gammapy's documents: no limit, no error, the centre of a map."""
    index = PowerLawSpectralModel(index=Parameter("index", 2.0, min=nan, max=nan, error=nan)).index
    assert (index.min, index.max, index.error) == (-inf, inf, 0.0)
    assert TemplateSpatialModel(filename="map.fits").parameters[0].value != 0


@pytest.mark.parametrize("field", ["scale", "offset"])
@pytest.mark.parametrize("number", [nan, inf])
def test_a_link(field: str, number: float) -> None:
    two = Models([power_law("a"), power_law("b")])
    numbers = {"scale": 1.0, "offset": 0.0, field: number}
    message = f"the {field} of a link is a finite number"
    with pytest.raises(LinkError, match=message):
        two.with_links([Link("b.index", "a.index", **numbers)])
    with pytest.raises(LinkError, match=message):
        two.with_links([{"parameter": "b.index", "equals": "a.index", **numbers}])
    with pytest.raises(LinkError, match=message):
        Models(two, [Link("b.index", "a.index", **numbers)])
