"""Alternatives for a spectrum: starts, special cases, tests, what is chosen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chi2

from gm.datasets import Datasets
from gm.errors import UsageError
from gm.estimators.selection import Alternative, ModelSelection, nested_test
from gm.estimators.selection_result import Selection
from gm.estimators.spectral_starts import bent, carried, holds, translated
from gm.estimators.toys import Truth
from gm.fit import Fit
from gm.models import BrokenPowerLawSpectralModel, GaussianPrior, Models, SkyModel
from gm.models.registry import find_model
from gm.models.spectral.base import SpectralModel
from tests.samples import log_parabola, on_off, power_law, read_json, read_reference


def spectrum(tag: str) -> SpectralModel:
    found = find_model("spectral", tag)
    assert found is not None
    model = found()
    assert isinstance(model, SpectralModel)
    return model


def select(datasets: Datasets, models: Models, tags: Sequence[str], **options: object) -> Selection:
    alternatives = [Alternative(tag, spectrum(tag)) for tag in tags]
    return ModelSelection(component="crab", alternatives=alternatives, **options).run(datasets, models)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("rich", "poor", "is_special_case"),
    [
        ("lp", "pl", True), ("ecpl", "pl", True), ("bpl", "pl", True), ("sbpl", "pl", True), ("pl-2", "pl", True),
        ("ecpl-3fgl", "pl", True), ("secpl-4fgl-dr3", "lp", True), ("secpl-3fgl", "ecpl", True),
        ("pl", "lp", False), ("ecpl", "lp", False), ("lp", "ecpl", False), ("ecpl", "bpl", False), ("lp", "bpl", False),
        ("sbpl", "bpl", False),
    ],
)  # fmt: skip
def test_which_model_holds_which(rich: str, poor: str, is_special_case: bool) -> None:
    """As the formulas say."""
    assert holds(spectrum(rich), spectrum(poor), 0.05, 20.0) is is_special_case


def test_a_frozen_parameter_makes_no_special_case() -> None:
    parabola = log_parabola().spectral_model
    stiff = Models([log_parabola("x")]).with_parameters({"x.beta": {"frozen": True}})["x"].spectral_model
    assert holds(parabola, power_law().spectral_model, 0.1, 10.0)
    assert not holds(stiff, power_law().spectral_model, 0.1, 10.0)


def test_parameters_are_carried_over_by_meaning() -> None:
    old = Models([power_law("x", index=2.7)]).with_parameters({"x.index": {"min": 1, "max": 5}})["x"].spectral_model
    new = carried(old, spectrum("lp"))
    assert (new.parameter("alpha").value, new.parameter("alpha").min, new.parameter("alpha").max) == (2.7, 1, 5)
    assert new.parameter("amplitude") == old.parameter("amplitude")
    assert new.parameter("reference") == old.parameter("reference")
    assert new.parameter("beta") == spectrum("lp").parameter("beta")


@pytest.mark.parametrize("tag", ["pl-2", "lp", "bpl", "ecpl", "ecpl-3fgl", "secpl-4fgl-dr3"])
def test_the_translation_of_a_power_law_is_that_power_law(tag: str) -> None:
    energy = np.geomspace(0.1, 10.0, 7)
    old = power_law(index=2.4).spectral_model
    new = translated(old, spectrum(tag), 0.1, 10.0)
    assert new.distance < 1e-5
    assert new.model(energy) == pytest.approx(old(energy), rel=1e-5)


def test_joint_crab_as_in_the_references(shared: Path) -> None:
    """-2 ln L of the three models that Gammapy 2.1 was run with, to 1e-3, whatever they start from; TS, AIC, BIC."""
    datasets = read_reference(shared, "joint-crab")
    start = Models.read(shared / "reference/joint-crab/models_start_pl.yaml")
    found = {row.name: row for row in select(datasets, start, ["pl", "lp", "ecpl"]).candidates}
    for name, row in found.items():
        expected = read_json(shared / f"reference/joint-crab/expected_{name}.json")
        assert row.result is not None
        assert row.result.statistic == pytest.approx(expected["fit"]["statistic"], abs=2e-3)
    pl, lp = found["pl"], found["lp"]
    assert pl.result is not None
    assert lp.result is not None
    ts = pl.result.statistic - lp.result.statistic
    assert lp.test is not None
    assert (lp.test.simpler, lp.test.richer, lp.test.degrees_of_freedom) == ("pl", "lp", 1)
    assert lp.test.p_value == pytest.approx(chi2.sf(ts, 1), rel=1e-9)
    assert lp.test.sigma == pytest.approx(np.sqrt(ts), rel=1e-12)
    assert lp.aic == lp.result.statistic + 6
    assert lp.bic == pytest.approx(lp.result.statistic + 3 * np.log(lp.result.n_bins))
    assert sum(row.weight or 0 for row in found.values()) == pytest.approx(1.0)


@pytest.fixture(scope="module")
def crab() -> tuple[Datasets, Models]:
    """Data that a power law has made."""
    datasets, models = Truth(Datasets([on_off(exposure=3e12)]), Models([power_law("crab")])).draw(2, 0)
    return datasets, Fit(datasets).run(models).models


def test_a_model_is_never_worse_than_its_special_case(crab: tuple[Datasets, Models]) -> None:
    tags = ["secpl-4fgl-dr3", "ecpl-3fgl", "bpl", "lp", "pl"]
    rows = {row.name: row for row in select(*crab, tags).candidates}
    for name in tags[:-1]:
        best, plain = rows[name].result, rows["pl"].result
        assert best is not None
        assert plain is not None
        assert best.statistic <= plain.statistic + 1e-3
    assert rows["pl"].test is not None or rows["pl"].why_no_test


def test_criteria(crab: tuple[Datasets, Models]) -> None:
    """A power law made the data: the curvature is no 3 sigma, and BIC likes the fewest parameters."""
    assert select(*crab, ["pl", "lp"], criterion="ts").chosen == "pl"
    assert select(*crab, ["pl", "lp", "ecpl"], criterion="bic").chosen == "pl"
    found = select(*crab, ["pl", "lp"], criterion="aic")
    assert found.chosen == min(found.candidates, key=lambda row: row.aic or np.inf).name
    assert found.curvature is not None
    assert found.curvature.degrees_of_freedom == 1
    assert select(*crab, ["pl"]).why_no_curvature.startswith("it compares a power law (pl)")


def test_what_cannot_be_fitted_is_a_row(crab: tuple[Datasets, Models]) -> None:
    """A link needs an index, which a log parabola has not."""
    datasets, models = crab
    weak = Models([*models, power_law("other", amplitude="1e-13 TeV-1 s-1 cm-2")])
    weak = weak.with_parameters({"other.amplitude": {"frozen": True}})
    two = weak.with_links([{"parameter": "other.index", "equals": "crab.index"}])
    found = select(datasets, two, ["pl", "lp"])
    assert [row.status for row in found.candidates][1] == "failed"
    assert "crab.index" in found.candidates[1].reason
    assert found.chosen == "pl"


def test_a_component_that_is_not_there(crab: tuple[Datasets, Models]) -> None:
    with pytest.raises(UsageError, match="no component is called 'crap'"):
        ModelSelection(component="crap", alternatives=[]).run(*crab)


def test_significances_have_no_end() -> None:
    assert nested_test("a", "b", 1e5, 1).sigma == pytest.approx(np.sqrt(1e5))
    assert nested_test("a", "b", 1e5, 2).sigma is None
    assert nested_test("a", "b", -1e-9, 1).p_value == 1.0


def test_a_break_has_starts_where_data_can_tell() -> None:
    """At the middle and the quarters of the energies, between slopes that differ; others need none."""
    starts = bent(spectrum("bpl"), 1.0, 16.0)
    assert [start.parameter("ebreak").value for start in starts] == pytest.approx([4.0, 2.0, 8.0])
    assert all(start.parameter("index2").value == start.parameter("index1").value + 0.5 for start in starts)
    assert bent(spectrum("ecpl-3fgl"), 1.0, 16.0)[0].parameter("ecut").value == pytest.approx(4.0)
    assert bent(spectrum("lp"), 1.0, 16.0) == []


def test_a_broken_power_law_is_found_from_a_power_law() -> None:
    """Data with a break by 1 at 3 TeV, in a fit that starts without any."""
    truth = Models([SkyModel(name="crab", spectral_model=BrokenPowerLawSpectralModel(
        amplitude="1e-11 TeV-1 s-1 cm-2", index1=2.0, index2=3.0, ebreak="3 TeV"))])  # fmt: skip
    datasets, _ = Truth(Datasets([on_off(exposure=1e14, n_energy=12)]), truth).draw(1, 0)
    rows = select(datasets, Fit(datasets).run(Models([power_law("crab")])).models, ["pl", "bpl"]).candidates
    assert [row.status for row in rows] == ["converged", "converged"]
    assert rows[1].test is not None
    assert rows[1].test.sigma is not None
    assert rows[1].test.sigma > 5
    best = {p.name: p for p in (rows[1].result.parameters if rows[1].result else ())}
    for name, value in (("crab.index1", 2.0), ("crab.index2", 3.0), ("crab.ebreak", 3.0)):
        assert abs(best[name].value - value) < 4 * (best[name].error or 0)


def test_priors_of_the_component_are_no_part_of_the_comparison() -> None:
    """The normalisation of a prior that only the curved spectrum has; one so wide that fits do not feel it."""
    datasets, models = Datasets([on_off(exposure=4e12)]), Models([log_parabola("crab")])
    prior = {"crab.beta": {"prior": GaussianPrior(mu=0.1, sigma=1e4)}}
    bare = select(datasets, models, ["pl", "lp"])
    wide = select(datasets, models.with_parameters(prior), ["pl", "lp"])
    for one, other in zip(bare.candidates, wide.candidates, strict=True):
        assert other.aic == pytest.approx(one.aic, abs=1e-4)
        assert other.bic == pytest.approx(one.bic, abs=1e-4)
        assert other.ts == pytest.approx(one.ts, abs=1e-4)
    assert bare.curvature is not None
    assert wide.curvature is not None
    assert wide.curvature.ts == pytest.approx(bare.curvature.ts, abs=1e-4)
