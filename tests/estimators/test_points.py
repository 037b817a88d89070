"""Flux points as values: files of all kinds, SED types as Gammapy converts them, edges, priors, absorption."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm import (
    CompoundSpectralModel,
    EBLAbsorptionNormSpectralModel,
    FluxPoints,
    FluxPointsEstimator,
    LogParabolaSpectralModel,
)
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.errors import DataError, UsageError
from gm.models import BackgroundIRFModel, GaussianPrior, Models, Parameter, PowerLawNormSpectralModel, SkyModel
from tests.samples import on_off, power_law, spectrum

TYPES = ("likelihood", "dnde", "e2dnde", "flux", "eflux")
DATASETS = Datasets([on_off("a", 1, exposure=1e12), on_off("c", 4, exposure=1e12), spectrum("b", 2, n_energy=6)])
NUISANCE = BackgroundIRFModel(
    spectral_model=PowerLawNormSpectralModel(
        norm=Parameter("norm", 1.0, error=0.05, min=0.0),
        tilt=Parameter("tilt", 0.0, error=0.1, prior=GaussianPrior(mu=0.0, sigma=5.0)),
    ),
    dataset_name="b",
)
MODELS = Models([power_law(), NUISANCE])
EDGES = ["0.5 TeV", "1.7 TeV", "6 TeV", "20 TeV"]


def run(models: Models = MODELS, **options: Any) -> FluxPoints:
    return FluxPointsEstimator(**{"source": "source", "energy_edges": EDGES, **options}).run(DATASETS, models)


def alone(**options: Any) -> FluxPoints:
    """Of one dataset, whose points have edges that other programs make an axis of."""
    one = Datasets([DATASETS["a"]])
    return FluxPointsEstimator(source="source", energy_edges=EDGES, **options).run(one, Models([power_law()]))


def rows(points: FluxPoints) -> Any:
    return points.to_dict()["points"]


def same(one: Any, other: Any, rel: float = 1e-12) -> None:
    """Nested data with numbers that agree."""
    assert type(one) is type(other) or {type(one), type(other)} <= {int, float}
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            same(one[key], other[key], rel)
    elif isinstance(one, list):
        assert len(one) == len(other)
        for pair in zip(one, other, strict=True):
            same(*pair, rel)
    elif isinstance(one, float):
        assert other == pytest.approx(one, rel=rel, abs=1e-300)
    else:
        assert one == other


def test_a_document_holds_all_of_them(tmp_path: Path) -> None:
    points = run(nuisance_prior=3.0, sigma_ul=3.0, ul="bounded")
    points.write(tmp_path / "sed.yaml")
    assert check(read_document(tmp_path / "sed.yaml"), "flux-points") == []
    again = FluxPoints.read(tmp_path / "sed.yaml")
    assert again.to_dict() == points.to_dict()
    assert (again.sigma_ul, again.ul.value, again.nuisance_prior) == (3.0, "bounded", 3.0)
    with pytest.raises(DataError, match="exists already"):
        points.write(tmp_path / "sed.yaml")
    points.write(tmp_path / "sed.yaml", overwrite=True)


@pytest.mark.parametrize("sed_type", TYPES)
@pytest.mark.parametrize("suffix", ["fits", "ecsv", "fits.gz"])
def test_a_table_of_any_type_is_read_as_what_was_written(tmp_path: Path, suffix: str, sed_type: str) -> None:
    """Errors of two sigma, limits of three; the reference is in the table, whatever its type."""
    points = alone(sigma=2.0, sigma_ul=3.0)
    points.write(tmp_path / f"sed.{suffix}", sed_type=sed_type)
    again = FluxPoints.read(tmp_path / f"sed.{suffix}")
    assert (again.sigma, again.sigma_ul, again.source) == (2.0, 3.0, "sed")
    for one, other in zip(rows(points), rows(again), strict=True):
        for key in ("asked", "datasets", "reason", "missing"):
            one.pop(key, None)
            other.pop(key, None)
        kept = {key: value for key, value in one.items() if not key.endswith("_sensitivity")}
        same(kept, {key: other[key] for key in kept}, 1e-9)
    assert any("not taken over" in text for text in again.warnings)


def test_a_table_for_notebooks_has_every_point_and_unit() -> None:
    points = run()
    table = points.to_table("e2dnde")
    assert len(table) == len(points.points)
    assert str(table["e2dnde"].unit) == "erg / (s cm2)"
    assert table.meta["SED_TYPE"] == "e2dnde"
    expected = [point.estimate.norm * point.reference.e2dnde for point in points.points if point.estimate]
    np.testing.assert_allclose(table["e2dnde"], expected, rtol=1e-13)
    assert list(table["status"]) == [point.status for point in points.points]
    with pytest.raises(UsageError, match="no type of SED"):
        points.to_table("e2dndde")


CONVERT = """
import json, sys
from gammapy.estimators import FluxPoints
from gammapy.modeling.models import LogParabolaSpectralModel
file, with_model = sys.argv[1:]
model = LogParabolaSpectralModel(amplitude="3e-12 cm-2 s-1 TeV-1", reference="2 TeV", alpha=2.4, beta=0.2)
points = FluxPoints.read(file, reference_model=model if with_model == "yes" else None)
found = {}
for sed_type in ("likelihood", "dnde", "e2dnde", "flux", "eflux"):
    table = points.to_table(sed_type=sed_type)
    names = [n for n in table.colnames if table[n].dtype.kind == "f" and n not in ("counts", "npred", "npred_excess")]
    found[sed_type] = {name: table[name].data.tolist() for name in names}
print(json.dumps(found))
"""


def model() -> LogParabolaSpectralModel:
    return LogParabolaSpectralModel(amplitude="3e-12 cm-2 s-1 TeV-1", reference="2 TeV", alpha=2.4, beta=0.2)


def agree(points: FluxPoints, theirs: dict[str, dict[str, Any]]) -> int:
    """Every column that both have; how many there are."""
    compared = 0
    for sed_type, columns in theirs.items():
        table = points.to_table(sed_type)
        for name, values in columns.items():
            if name in table.colnames:
                np.testing.assert_allclose(table[name], np.array(values, dtype=float), rtol=2e-6, err_msg=name)
                compared += 1
    return compared


@pytest.mark.parametrize("sed_type", TYPES)
def test_tables_convert_as_gammapy_converts_them(tmp_path: Path, gammapy: Callable[..., Any], sed_type: str) -> None:
    """From each type to each other one; of fluxes with and without a reference that somebody gives."""
    points, file = alone(), tmp_path / "sed.fits"
    points.write(file, sed_type=sed_type)
    if sed_type == "likelihood":
        assert agree(points, gammapy(CONVERT, file, "no")) > 60
        return
    read = FluxPoints.read(file, reference_model=model())
    assert agree(read, gammapy(CONVERT, file, "yes")) > 60


@pytest.mark.parametrize("given", [False, True])
def test_published_points_convert_as_gammapy_converts_them(
    shared: Path, gammapy: Callable[..., Any], given: bool
) -> None:
    file = shared / "data/hawc/crab_flux/HAWC19_flux_points.fits"
    theirs = gammapy(CONVERT, file, "yes" if given else "no")
    points = FluxPoints.read(file, reference_model=model() if given else None)
    assert [point.status for point in points.points] == ["ok"] * 9 + ["upper_limit"]
    assert agree(points, theirs) > 20


def test_points_without_edges_have_no_flux_between_them(shared: Path) -> None:
    points = FluxPoints.read(shared / "reference/flux-points/gammacat.fits.gz")
    table = points.to_table("flux")
    assert np.isnan(table["flux"]).all()
    assert np.isfinite(points.to_table("dnde")["dnde"]).any()
    assert rows(points)[0]["e_min"] is None


def test_a_reference_is_not_given_twice(tmp_path: Path) -> None:
    alone().write(tmp_path / "sed.fits")
    with pytest.raises(UsageError, match="its own reference"):
        FluxPoints.read(tmp_path / "sed.fits", reference_model=model())
    (tmp_path / "sed.yaml").write_text("schema: gm/flux-points/1\n")
    with pytest.raises(Exception, match="points"):
        FluxPoints.read(tmp_path / "sed.yaml")


# Edges


def test_edges_that_were_asked_for_are_told_beside_those_of_bins() -> None:
    points = run()
    assert [point.asked for point in points.points] == [(0.5, 1.7), (1.7, 6.0), (6.0, 20.0)]
    for point in points.points:
        lows = [dataset.e_min for dataset in point.datasets.values()]
        assert point.e_min == pytest.approx(min(lows))
    assert points.points[1].e_min == pytest.approx(1.7, rel=0.3)
    assert abs(points.points[1].e_min - 1.7) > 1e-3


def test_strict_edges_are_those_of_bins() -> None:
    """Edges beyond the axis divide nothing; inside it, each is one of the bins of every dataset."""
    own = DATASETS["a"].energy.edges  # type: ignore[attr-defined]
    asked = [0.01, *own[[1, 3, 5]].tolist(), 1000.0]
    one = Datasets([DATASETS["a"]])
    source = Models([power_law()])
    strict = FluxPointsEstimator(source="source", energy_edges=asked, strict=True).run(one, source)
    usual = FluxPointsEstimator(source="source", energy_edges=asked).run(one, source)
    assert strict.to_dict() == usual.to_dict()
    with pytest.raises(DataError, match=r"a: 1.7 TeV is no edge of its bins, 1.70998 TeV is"):
        FluxPointsEstimator(source="source", energy_edges=EDGES, strict=True).run(DATASETS, source)


# Nuisances


def test_nuisance_priors_are_those_of_a_models_file(tmp_path: Path) -> None:
    """The slow way: Gaussian priors of three errors, written by hand, and everything fitted again."""
    by_hand = MODELS.with_parameters(
        {
            "b-bkg.norm": {"prior": GaussianPrior(mu=1.0, sigma=0.15)},
            "b-bkg.tilt": {"prior": GaussianPrior(mu=0.0, sigma=0.3)},
        }
    )
    by_hand.write(tmp_path / "models.yaml")
    slow = run(Models.read(tmp_path / "models.yaml"), reoptimize=True)
    fast = run(nuisance_prior=3.0)
    assert fast.reoptimize
    for one, other in zip(rows(fast), rows(slow), strict=True):
        same(one, other, 1e-10)


def test_nuisance_priors_lie_between_fixed_and_free() -> None:
    """Narrow ones are those of a fixed background, wide ones of a free one; errors grow in between.

    In the last band nothing holds the tilt but its prior, however wide: it runs away with it.
    """
    free = MODELS.with_parameters({"b-bkg.tilt": {"prior": None}})
    errors = [
        [point.estimate.norm_err for point in points.points if point.estimate]
        for points in (run(free), *(run(free, nuisance_prior=f) for f in (1e-3, 3.0, 1e4)), run(free, reoptimize=True))
    ]
    fixed, narrow, middle, wide, floating = (np.array(column[:2], dtype=float) for column in errors)
    np.testing.assert_allclose(narrow, fixed, rtol=1e-3)
    np.testing.assert_allclose(wide, floating, rtol=1e-3)
    assert (middle >= narrow * (1 - 1e-3)).all()
    assert (middle <= wide * (1 + 1e-3)).all()


def test_a_nuisance_prior_needs_errors() -> None:
    without = MODELS.with_parameters({"b-bkg.*": {"error": 0.0}})
    with pytest.raises(DataError, match="needs errors"):
        run(without, nuisance_prior=3.0)
    some = MODELS.with_parameters({"b-bkg.norm": {"error": 0.0}})
    assert "without an error, and so without a nuisance prior: b-bkg.norm" in run(some, nuisance_prior=3.0).warnings
    with pytest.raises(UsageError, match="above 0"):
        run(nuisance_prior=0.0)


# Absorption


def absorbed(redshift: float = 0.3) -> Models:
    z, energy = [0.0, 0.5], [0.01, 1.0, 100.0]
    table = {"data": [[1.0, 1.0, 1.0], [0.95, 0.3, 1e-4]], "unit": ""}
    ebl = EBLAbsorptionNormSpectralModel(
        param={"data": z, "unit": ""}, energy={"data": energy, "unit": "TeV"}, values=table, redshift=redshift
    )
    return Models(
        [SkyModel(spectral_model=CompoundSpectralModel(power_law().spectral_model, ebl, "mul"), name="source")]
    )


def test_points_without_absorption_are_divided_by_it() -> None:
    """At each energy by the transmission there; between energies by what arrives of a spectrum as it started."""
    models = absorbed()
    points = run(models, deabsorbed=True)
    spectrum = models["source"].spectral_model
    start, ebl = spectrum.model1, spectrum.model2
    for point, row in zip(points.points, rows(points), strict=True):
        assert point.transmission == pytest.approx(float(ebl(np.array([point.e_ref]))[0]), rel=1e-12)
        bare, part = row["deabsorbed"], point.transmission
        for end in ("", "_err", "_errn", "_errp", "_ul"):
            assert bare[f"dnde{end}"] == pytest.approx(row[f"dnde{end}"] / part, rel=1e-12)
            assert bare[f"e2dnde{end}"] == pytest.approx(row[f"e2dnde{end}"] / part, rel=1e-12)
        assert bare["flux"] == pytest.approx(row["norm"] * start.integral(point.e_min, point.e_max), rel=1e-6)
        assert bare["eflux"] == pytest.approx(row["norm"] * start.energy_flux(point.e_min, point.e_max), rel=1e-6)
    same(FluxPoints.from_dict(points.to_dict()).to_dict(), points.to_dict())
    table = points.to_table("flux")
    np.testing.assert_allclose(table["flux_deabsorbed"], [row["deabsorbed"]["flux"] for row in rows(points)])


def test_what_a_document_does_not_tell_of_a_dataset_is_not_known() -> None:
    document = run(absorbed()).to_dict()
    for name in ("e_max", "counts"):
        for part in document["points"][0]["datasets"].values():
            del part[name]
    (found, *_) = FluxPoints.from_dict(document).points[0].datasets.values()
    assert np.isnan(found.e_max)
    assert found.counts is None
    assert found.e_min > 0


def test_the_absorption_of_a_mirrored_or_nested_spectrum_is_found() -> None:
    source = absorbed()["source"]
    factor = PowerLawNormSpectralModel()
    inner = CompoundSpectralModel(factor, source.spectral_model, "mul")
    nested = Models([replace(source, spectral_model=CompoundSpectralModel(factor, inner, "mul"))])
    positive = absorbed().parameters["source.amplitude"].value
    negative = absorbed().with_parameters({"source.amplitude": -positive})
    for models in (nested, negative):
        for point, plain in zip(
            run(models, deabsorbed=True).points, run(absorbed(), deabsorbed=True).points, strict=True
        ):
            assert point.intrinsic is not None
            assert plain.intrinsic is not None
            assert point.intrinsic.dnde == pytest.approx(plain.intrinsic.dnde, rel=1e-9)
    with pytest.raises(UsageError, match="no absorption"):
        run(deabsorbed=True)


def test_gammapy_reads_tables_with_columns_of_both(tmp_path: Path, gammapy: Callable[..., Any]) -> None:
    one = Datasets([DATASETS["a"]])
    points = FluxPointsEstimator(source="source", energy_edges=EDGES, deabsorbed=True).run(one, absorbed())
    points.write(tmp_path / "sed.fits")
    theirs = gammapy(CONVERT, tmp_path / "sed.fits", "no")  # whose reference is a line through three points
    assert agree(points, {"dnde": theirs["dnde"], "e2dnde": theirs["e2dnde"]}) > 20


# In a notebook


def test_points_show_themselves() -> None:
    points = run(absorbed(), deabsorbed=True)
    assert repr(points).startswith("FluxPoints('source', 3 points, ")
    assert len(repr(points)) < 120
    page = points._repr_html_()
    assert page.count("<tr>") == 4
    assert "dnde [cm-2 s-1 TeV-1]" in page


def test_points_draw_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.close("all")
    pyplot.switch_backend("Agg")
    axes = run(absorbed(), deabsorbed=True).plot(flux="TeV cm-2 s-1")
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    assert labels == ["source-sed", "source-sed deabsorbed"]
    assert run().plot("profiles").get_xlabel() == "norm"
    with pytest.raises(UsageError, match="did you mean 'flux'"):
        run().plot(flx="TeV cm-2 s-1")
