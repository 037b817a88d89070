"""models.yaml in: what is accepted, and every problem with its place and a hint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.datasets import Datasets
from gm.errors import DataError, InvalidInput, format_path
from gm.likelihood import JointLikelihood
from gm.model_types import NOT_EVALUATED
from gm.models import GaussianPrior, Layout, LogParabolaSpectralModel, Models, PointSpatialModel
from gm.models.documents.covariance import format_covariance
from gm.models.registry import all_models
from tests.samples import on_off

FLUX = "TeV-1 s-1 cm-2"


def power_law(**fields: Any) -> dict[str, Any]:
    return {"type": "pl", "parameters": [{"name": "index", "value": 2.3, **fields}]}


def sky(name: str = "crab", spectral: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "type": "SkyModel", "spectral": spectral or power_law(), **more}


def background(dataset: str = "hess", **more: Any) -> dict[str, Any]:
    return {"type": "FoVBackgroundModel", "datasets_names": [dataset], **more}


def problems(*components: Any, directory: Path = Path(), **document: Any) -> list[str]:
    found: list[str] = []
    models = Models.from_dict(
        {"components": list(components), **document},
        lambda path, message, hint: found.append(f"{format_path(path)}: {message} | {hint}"),
        directory,
    )
    assert (models is None) == bool(found)
    return found


def read(*components: Any, directory: Path = Path(), **document: Any) -> Models:
    models = Models.from_dict(
        {"components": list(components), **document}, lambda *problem: pytest.fail(str(problem)), directory
    )
    assert models is not None
    return models


def prior(**fields: Any) -> dict[str, Any]:
    numbers = [{"name": "mu", "value": 2.0}, {"name": "sigma", "value": 0.1}]
    return {"type": "GaussianPrior", "weight": 1, "parameters": numbers, **fields}


def test_defaults_and_aliases() -> None:
    models = read(sky(spectral={"type": "lp", "parameters": [{"name": "alpha", "value": 2.1, "min": float("nan")}]}))
    assert isinstance(models["crab"].spectral_model, LogParabolaSpectralModel)
    assert models.parameters["crab.alpha"].min == -np.inf
    assert models.parameters["crab.reference"].value == 10.0
    assert models.parameters["crab.reference"].frozen


def test_every_tag_is_known_in_its_section() -> None:
    for model in all_models("spectral"):
        for tag in model.tags:
            found = problems(sky(spectral={"type": tag}), sky("b", {"type": "pl"}))
            assert not any("is not a spectral model" in problem for problem in found)
    for shape in all_models("spatial"):
        for tag in shape.tags:
            assert not any("is not a spatial model" in p for p in problems(sky(spatial={"type": tag})))


@pytest.mark.parametrize("section", NOT_EVALUATED)
def test_models_of_later_versions_are_recognised(section: str) -> None:
    for name, tag in NOT_EVALUATED[section].items():
        for kind in (name, tag):
            block = {section: {"type": kind}}
            message = f"$.components[0].{section}.type: this version does not evaluate {name} | "
            assert problems({**sky(), **block}) == [message]


@pytest.mark.parametrize(
    ("component", "start"),
    [
        (sky(spectral={"type": "lp", "parameters": [{"name": "alhpa", "value": 2}]}),
         ("$.components[0].spectral.parameters[0].name: 'alhpa' is not a parameter of LogParabolaSpectralModel | "
          "parameters: amplitude, reference, alpha, beta      did you mean 'alpha'?")),
        (sky(spectral={"type": "PowerLawSpectralMode"}),
         "$.components[0].spectral.type: 'PowerLawSpectralMode' is not a spectral model | spectral models: "),
        (sky(spectral={"type": "pl", "parameters": [{"name": "amplitude", "value": 1, "unit": "TeV-1 s-1 cm"}]}),
         "$.components[0].spectral.parameters[0].unit: 'TeV-1 s-1 cm' is not a differential flux (cm-2 s-1 TeV-1)"),
        (sky(spectral={"type": "pl", "parameters": [{"name": "reference", "value": 1, "unit": "s"}]}),
         "$.components[0].spectral.parameters[0].unit: 's' does not convert to 'TeV'"),
        (sky(spectral={"type": "pl", "parameters": [{"name": "reference", "value": 1, "unit": "parrots"}]}),
         "$.components[0].spectral.parameters[0].unit: 'parrots' "),
        (sky(spectral=power_law(unit="TeV")), "$.components[0].spectral.parameters[0].unit: 'TeV' should be empty"),
        (sky(spectral=power_law(vlaue=1)),
         "$.components[0].spectral.parameters[0].vlaue: unknown key 'vlaue' | keys: value, name,"),
        (sky(spectral=power_law(frozen="False")),
         "$.components[0].spectral.parameters[0].frozen: expected true or false, found 'False' | without quotes"),
        (sky(spectral=power_law(value="two")),
         "$.components[0].spectral.parameters[0].value: expected a number, found 'two'"),
        (sky(spectral=power_law(min=3, max=1)), "$.components[0].spectral.parameters[0].min: min 3.0 is above max 1.0"),
        (sky(spectral=power_law(max=1)),
         "$.components[0].spectral.parameters[0].value: 2.3 is outside the limits none ... 1.0 | a fit starts inside"),
        (sky(spectral=power_law(prior=prior(weight=-1))), "$.components[0].spectral.parameters[0].prior: the weight"),
        (sky(spectral=power_law(prior=prior(parameters=[{"name": "sigma", "value": 0}]))),
         "$.components[0].spectral.parameters[0].prior.parameters[0].value: sigma of a prior is positive, found 0.0"),
        (sky(spectral=power_law(prior=prior(parameters=[{"name": "sgma", "value": 1}]))),
         "$.components[0].spectral.parameters[0].prior.parameters[0].name: 'sgma' is not a parameter of GaussianPrior"),
        (sky(spectral=power_law(prior=prior(parameters=[{"name": "mu", "value": 1, "unit": "TeV"}]))),
         "$.components[0].spectral.parameters[0].prior.parameters[0].unit: 'TeV' is not the parameter's unit ''"),
        (sky(spectral=power_law(prior=prior(type="GausPrior"))),
         "$.components[0].spectral.parameters[0].prior.type: 'GausPrior' is not a prior | priors: GaussianPrior"),
        (sky(spectral=power_law(prior={"type": "UniformPrior", "weight": 1, "parameters": [
            {"name": "min", "value": 3}, {"name": "max", "value": 4}]})),
         "$.components[0].spectral.parameters[0].value: 2.3 is outside the limits 3.0 ... 4.0"),
        (sky(spectral={"type": "pl-norm"}),
         "$.components[0].spectral: PowerLawNormSpectralModel is a dimensionless factor, not in 'TeV-1 s-1 cm-2'"),
        (sky(spectral={"type": "compound", "operator": "mul", "model1": power_law(), "model2": power_law()}),
         "$.components[0].spectral: the product of two fluxes"),
        (sky(spectral={"type": "compound", "operator": "pow", "model1": power_law(), "model2": power_law()}),
         "$.components[0].spectral.operator: 'pow' is not an operator | operators: add, sub, mul"),
        (sky(spectral={"type": "compound", "operator": "mul", "model1": power_law()}),
         "$.components[0].spectral: key 'model2' is missing"),
        (sky(spectral={"type": "template", "parameters": []}), "$.components[0].spectral: key 'energy' is missing"),
        (sky(spectral={"type": "piecewise-norm", "energy": {"data": [1], "unit": "TeV"}}),
         "$.components[0].spectral: 1 energy nodes"),
        (sky(spectral=power_law() | {"parametres": []}), "$.components[0].spectral.parametres: unknown key"),
        (sky(spectral={"type": "pl", "parameters": [{"name": "index"}, {"name": "index"}]}),
         "$.components[0].spectral.parameters[1].name: 'index' is given twice"),
        (sky(spatial={"type": "point", "frame": "galatic"}),
         "$.components[0].spatial.frame: 'galatic' is not a frame | frames: icrs, galactic, fk5      did you mean"),
        (sky(spatial={"type": "template", "filename": "absent.fits"}),
         "$.components[0].spatial.filename: file 'absent.fits' does not exist"),
        (sky(spatial={"type": "gauss", "parameters": [{"name": "sigma", "value": -1, "unit": "deg"}]}),
         "$.components[0].spatial.parameters[0].value: -1.0 is outside the limits 0.0 ... none"),
        (sky(spatial={"type": "point", "parameters": [{"name": "lat_0", "value": 1, "unit": "TeV"}]}),
         "$.components[0].spatial.parameters[0].unit: 'TeV' does not convert to 'deg'"),
        (sky(datasets_names=[1]), "$.components[0].datasets_names: expected names of datasets"),
        (sky(apply_irf={"psf": "no"}), "$.components[0].apply_irf: expected true or false"),
        (sky(name=""), "$.components[0].name: expected a name"),
        ({"type": "SkyModel", "spectral": power_law()}, "$.components[0]: key 'name' is missing"),
        ({"type": "SkyModel", "name": "x"}, "$.components[0]: key 'spectral' is missing"),
        ({"type": "SkyModle", "name": "x"},
         "$.components[0].type: 'SkyModle' is not a component type | types: SkyModel, sky-model,"),
        ("crab", "$.components[0]: expected a component, found 'crab'"),
        (background(spectral=power_law()),
         "$.components[0].spectral.type: PowerLawSpectralModel is not a norm model, which a background"),
        ({"type": "fov-bkg"}, "$.components[0]: expected one dataset, found none"),
        (background() | {"datasets_names": ["a", "b"]},
         "$.components[0].datasets_names: expected one dataset, found a, b | a background model is for exactly one"),
    ],
)  # fmt: skip
def test_problems(component: Any, start: str) -> None:
    assert problems(component)[0].startswith(start)


def test_names_are_unique_and_a_dataset_has_one_background() -> None:
    assert problems(sky(), sky()) == [
        "$.components[1].name: 'crab' is the name of another component | names are unique"
    ]
    found = problems(background(), background())
    assert len(found) == 1
    assert found[0].startswith("$.components[1].datasets_names: dataset 'hess' has a background model already | one")


def test_all_problems_come_at_once() -> None:
    found = problems(sky(spectral=power_law(frozen="no")), sky("b", {"type": "lq"}), {"type": "fov-bkg"}, linsk=[])
    assert len(found) == 4


def test_documents_that_are_none() -> None:
    found: list[str] = []
    for data in (None, [], {"components": 3}, {}):
        assert Models.from_dict(data, lambda path, message, hint: found.append(message), Path()) is None
    assert found == ["expected a mapping with a list of components"] * 4


def test_links_by_label_share_the_first_record() -> None:
    models = read(
        sky("a", power_law(link="index@x", prior=prior(), min=1.0)), sky("b", power_law(value=3.0, link="index@x"))
    )
    assert models.parameters["b.index"].value == 2.3
    assert models.parameters["b.index"].min == 1.0
    assert [(link.parameter, link.unused) for link in models.links] == [("b.index", "value 3")]
    layout = Layout(models)
    assert "b.index" not in layout.free_addresses
    assert layout.prior_value(layout.start) == pytest.approx(GaussianPrior(2.0, 0.1).value(2.3))


def test_what_the_first_record_overrules_is_told() -> None:
    """And nothing where both records say the same, or the second says no more than its value."""
    first = sky("a", power_law(link="index@x", prior=prior(), min=1.0))
    for second, unused in (
        (power_law(value=3.0, link="index@x", frozen=True, min=0.5, max=4), "value 3, min 0.5, max 4, frozen"),
        (power_law(value=2.3, link="index@x", prior=prior()), ""),
        (power_law(value=2.3, link="index@x"), ""),
    ):
        models = read(first, sky("b", second))
        assert models.links[0].unused == unused
        told = [text for text in JointLikelihood(Datasets([on_off("x")]), models).remarks() if "follows" in text]
        assert told == [f"b.index follows a.index; not used of its own: {unused}"] * bool(unused)


def test_a_label_that_is_seen_once_is_a_slip() -> None:
    """At the place of each, with the label that was probably meant."""
    slips = problems(sky("a", power_law(link="index@abc")), sky("b", power_law(link="index@abd")))
    place = "$.components[0].spectral.parameters[0].link: 'a.spectral.index' has the label 'index@abc', which no other"
    assert slips[0].startswith(place)
    assert "did you mean 'index@abd'?" in slips[0]
    assert len(slips) == 2
    alone = problems(background(spectral={"type": "pl-norm", "parameters": [{"name": "norm", "link": "norm@x"}]}))
    assert alone[0].startswith("$.components[0].spectral.parameters[0].link: 'hess-bkg.spectral.norm' has the label")
    same = {"type": "compound", "operator": "mul", "model1": power_law(link="i@x"), "model2": {"type": "pl-norm"}}
    assert len(read(sky("a", same), sky("b", power_law(link="i@x"))).links) == 1


@pytest.mark.parametrize("kind", ["FoVBackgroundModel", "TemplateNPredModel"])
def test_norms_of_old_files_stand_in_the_component(kind: str, tmp_path: Path) -> None:
    """As Gammapy wrote them before 0.19: the parameters of a power law, links and problems included."""
    (tmp_path / "n.fits").write_bytes(b"")
    own = [
        {"name": "norm", "value": 1.3, "min": 0.0, "frozen": False},
        {"name": "tilt", "value": 0.1, "frozen": True},
        {"name": "reference", "value": 2.0, "unit": "TeV", "frozen": True},
    ]
    more = {"name": "hess-bkg", "filename": "n.fits"} if kind == "TemplateNPredModel" else {}
    models = read(background(type=kind, parameters=own, **more), directory=tmp_path)
    found = {p.name: (p.value, p.frozen) for p in models.parameters}
    assert found == {"tilt": (0.1, True), "norm": (1.3, False), "reference": (2.0, True)}
    wrong = problems(background(type=kind, parameters=[{"name": "nrm"}], **more), directory=tmp_path)
    assert wrong[0].startswith("$.components[0].parameters[0].name: 'nrm' is not a parameter")
    twice = background(type=kind, parameters=own, spectral={"type": "pl-norm"}, **more)
    assert "are given there" in problems(twice, directory=tmp_path)[0]


@pytest.mark.parametrize("error", [float("nan"), float("inf"), -float("inf")])
def test_an_error_that_is_no_number_is_unknown(error: float) -> None:
    assert read(sky("a", power_law(error=error))).parameters["a.index"].error == 0.0


@pytest.mark.parametrize("kind", ["point", "gauss", "disk", "shell"])
def test_positions_in_fk5(kind: str) -> None:
    """J2000 positions are 23 mas off those of ICRS; the frame is kept when models are written."""
    models = read(sky("a", spatial={"type": kind, "frame": "fk5"}))
    shape = models["a"].spatial_model
    assert shape.frame == "fk5"
    assert models.to_dict()["components"][0]["spatial"]["frame"] == "fk5"


def test_general_links_and_their_problems() -> None:
    link = {"parameter": "b.index", "equals": "a.index", "offset": 0.5}
    assert read(sky("a"), sky("b"), links=[link]).parameters["b.index"].value == 2.8
    assert problems(sky("a"), links=[link])[0].startswith("$.links[0].parameter: no parameter is called 'b.index'")
    back = {"parameter": "a.index", "equals": "b.index"}
    assert problems(sky("a"), sky("b"), links=[link, back])[0].startswith("$.links[0]: the links go round in a circle")
    assert problems(sky("a"), links={"a": 1})[0].startswith("$.links: expected a list of links")


def test_labels_between_units_that_do_not_convert() -> None:
    other = {"type": "pl", "parameters": [{"name": "reference", "value": 1, "unit": "TeV", "link": "index@x"}]}
    found = problems(sky("a", power_law(link="index@x")), sky("b", other))
    assert found[0].startswith("$.components[1].spectral.parameters[0].link: 'b.reference' cannot be 'a.index'")


def test_amplitudes_may_lack_area_and_time_without_exposure() -> None:
    per_energy = {"type": "pl", "parameters": [{"name": "amplitude", "value": 2, "unit": "GeV-1"}]}
    models = read(sky(spectral=per_energy, apply_irf={"exposure": False, "psf": True, "edisp": True}))
    assert Layout(models).expand(Layout(models).start)[1] == pytest.approx(2000.0)
    assert problems(sky(spectral=per_energy))[0].startswith("$.components[0].spectral: PowerLawSpectralModel is in")


def test_a_full_document_of_gammapy(shared: Path) -> None:
    models = Models.read(shared / "data" / "fermi-3fhl-crab" / "Fermi-LAT-3FHL_models.yaml")
    assert models.names == ["Crab Nebula", "Fermi-LAT-bkg"]
    assert isinstance(models["Crab Nebula"].spatial_model, PointSpatialModel)
    assert models.parameters["Crab Nebula.alpha"].error == 0.05762513693893088
    assert models.parameters["Fermi-LAT-bkg.norm"].min == 0.0


def test_all_reference_models_can_be_read(shared: Path) -> None:
    for path in sorted((shared / "reference").glob("*/models*.yaml")):
        assert len(Models.read(path)) > 0, path


def test_files_are_found_beside_the_document_and_through_variables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "map.fits").touch()
    monkeypatch.setenv("GM_MAPS", str(tmp_path))
    here = read(sky(spatial={"type": "template", "filename": "map.fits"}), directory=tmp_path)
    assert here[0].spatial_model is not None
    assert here[0].spatial_model.settings["filename"] == str(tmp_path / "map.fits")
    through = read(sky(spatial={"type": "template", "filename": "$GM_MAPS/map.fits"}))
    assert through[0].spatial_model is not None
    assert through[0].spatial_model.settings["filename"] == "$GM_MAPS/map.fits"


def test_a_file_with_problems_says_where(tmp_path: Path) -> None:
    head = "components:\n- name: a\n  type: SkyModel\n"
    text = head + "  spectral:\n    type: pl\n    parameters: [{name: indx, value: 2}]\n"
    path = tmp_path / "models.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"models.yaml:6:25: .*'indx' is not a parameter.*\n.*did you mean 'index'"):
        Models.read(path)
    with pytest.raises(DataError, match=r"absent\.yaml"):
        Models.read(tmp_path / "absent.yaml")


def test_schema_and_reader_do_not_say_the_same_twice(tmp_path: Path) -> None:
    path = tmp_path / "models.yaml"
    text = "components: [{name: a, type: SkyModel, spectral: {type: pl, parameters: [{name: index, vlaue: 2}]}}]"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInput) as caught:
        Models.read(path)
    assert len(caught.value.problems) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found nothing"),
        ("| Parameters | 0 |\n| a.index | 0.1 |\n", "row 'a.index' is for no parameter of the models"),
        ("| Parameters | 0 | 1 |\n| crab.spectral.index | 0.1 | 0.0 |\n", "found 1 rows under 2 columns"),
        ("| Parameters | 0 |\n" + "| crab.spectral.index | 0.1 |\n" * 2, "found 2 rows under 1 columns"),
        ("| P | 0 | 1 | 2 |\n" + "| a | 1 | 0 | x |\n" * 3, "not a covariance file"),
        ("| P | 0 | 1 | 2 |\n" + "| a | nan | 0 | 0 |\n" * 3, "row 'a', column 0: nan: it is no finite number"),
    ],
)
def test_covariance_files_that_do_not_fit(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.dat").write_text(text, encoding="utf-8")
    found = problems(sky(), directory=tmp_path, covariance="c.dat")
    assert found[0].startswith("$.covariance: ")
    assert message in found[0]


def covariance_file(path: Path, names: list[str], diagonal: list[float]) -> None:
    """As Gammapy writes it, with an element beside the diagonal."""
    matrix = np.diag(diagonal)
    matrix[0, 1] = matrix[1, 0] = 0.5 * np.sqrt(diagonal[0] * diagonal[1])
    path.write_text(format_covariance(tuple(names), matrix), encoding="utf-8")


def test_rows_of_a_covariance_are_known_by_their_names(tmp_path: Path) -> None:
    """In any order; parameters without a row, as of before a model had them, have no errors."""
    names = ["crab.spectral.amplitude", "crab.spectral.index", "crab.spatial.lon_0"]
    covariance_file(tmp_path / "c.dat", names, [1e-24, 0.01, 4.0])
    models = read(sky(spatial={"type": "point"}), directory=tmp_path, covariance="c.dat")
    assert [p.error for p in models.parameters] == pytest.approx([0.1, 1e-12, 0.0, 2.0, 0.0])
    assert models.covariance is not None
    assert models.covariance[0, 1] == pytest.approx(0.5 * 0.1 * 1e-12)


def test_a_component_that_was_renamed_has_its_rows_in_their_order(tmp_path: Path) -> None:
    """Gammapy's backgrounds have names of their own, which models.yaml does not hold."""
    names = [f"mine.spectral.{name}" for name in ("tilt", "norm", "reference")]
    covariance_file(tmp_path / "c.dat", names, [0.04, 0.09, 1e-30])
    models = read(background(), directory=tmp_path, covariance="c.dat")
    assert [models.parameters[f"hess-bkg.{name}"].error for name in ("tilt", "norm")] == pytest.approx([0.2, 0.3])
    names[0], names[1] = names[1], names[0]
    covariance_file(tmp_path / "c.dat", names, [0.04, 0.09, 1e-30])
    found = problems(background(), directory=tmp_path, covariance="c.dat")
    assert "row 'mine.spectral.norm' is for no parameter" in found[0]


def test_names_with_bars_in_a_covariance(tmp_path: Path) -> None:
    names = [f"a|b | 2.spectral.{name}" for name in ("index", "amplitude", "reference")]
    covariance_file(tmp_path / "c.dat", names, [0.01, 1e-24, 1e-30])
    assert read(sky("a|b | 2"), directory=tmp_path, covariance="c.dat").parameters["a|b | 2.index"].error == 0.1


def test_a_covariance_file_that_is_not_there() -> None:
    assert problems(sky(), covariance="absent.dat")[0].startswith("$.covariance: file 'absent.dat' does not exist")
