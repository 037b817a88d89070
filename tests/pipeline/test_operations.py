"""``operations:`` of a config: applied, planned, and the same fit whether they are applied before or on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm.cli.rendering.edits import operation_lines
from gm.cli.rendering.show import text_of
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import Datasets
from gm.errors import InvalidInput
from gm.likelihood.prediction import predict_component
from gm.maps.map import Map
from gm.maps.writing import write_map
from gm.models import Models, TemplateNPredModel, TemplateSpatialModel
from gm.pipeline.analysis.request import Request
from gm.pipeline.commands.plan import plan
from gm.pipeline.commands.show import describe
from gm.pipeline.commands.validate import validate
from gm.pipeline.reporter import Silent
from gm.pipeline.run import run
from gm.pipeline.stages.apply.stage import APPLY
from gm.pipeline.stages.fit.stage import FIT
from tests.datasets.operations.cases import LAT, LON, background, on_off_map, sky_map, source
from tests.samples import on_off, power_law, spectrum

OPERATIONS = """\
  - stack: {datasets: "run-*", name: stacked}
  - copy: {dataset: stacked, name: twin}
  - resample_energy: {dataset: twin, name: coarse, edges: [0.5 TeV, 1.5 TeV, 20 TeV]}
"""


def config(folder: Path, operations: str, rest: str = "fit: {}\n") -> Request:
    text = f"version: 1\ndatasets: datasets.yaml\nmodels: models.yaml\noutput: results\noperations:\n{operations}{rest}"
    (folder / "config.yaml").write_text(text)
    return Request(str(folder / "config.yaml"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Three spectra; two have a fitted background."""
    datasets = [spectrum(name, seed, exposure=1e13) for seed, name in enumerate(["run-1", "run-2", "other"], 1)]
    Datasets(datasets).write(tmp_path / "datasets.yaml")
    components: list[Any] = [power_law("crab"), background("run-1", 1.4), background("run-2", 0.8, 0.1)]
    Models(components).write(tmp_path / "models.yaml")
    return tmp_path


def test_apply_writes_datasets_models_and_edits(runs: Path) -> None:
    outcome = run(config(runs, OPERATIONS), Silent(), APPLY)
    assert [product.path for product in outcome.products] == [runs / "results" / "edits.yaml"]
    assert Datasets.read(runs / "results" / "datasets.yaml").names == ["stacked", "coarse", "other"]
    models = Models.read(runs / "results" / "models.yaml")
    assert models.names == ["crab", "stacked-bkg", "coarse-bkg"]
    document = read_document(runs / "results" / "edits.yaml")
    assert check(document, "edits") == []
    edits = document.data
    assert [step["operation"] for step in edits["operations"]] == ["stack", "copy", "resample_energy"]
    assert edits["operations"][0]["results"] == [{"name": "stacked", "inputs": ["run-1", "run-2"]}]
    first = edits["operations"][0]["edits"][0]
    assert (first["action"], first["component"], first["dataset"]) == ("baked", "run-1-bkg", "stacked")
    assert first["parameters"]["norm"] == 1.4


def test_what_apply_wrote_can_be_shown(runs: Path) -> None:
    run(config(runs, OPERATIONS), Silent(), APPLY)
    edits = describe(str(runs / "results" / "edits.yaml"))
    assert edits.kind == "edits"
    assert "run-1, run-2  ->  stacked" in text_of(edits)
    assert "stacked-bkg   copied to twin-bkg with its own parameters (pl-norm, norm 1, tilt 0)" in text_of(edits)
    assert "energies  moved to the nearest edges: 1.5 -> 1.435 TeV" in text_of(edits)
    datasets = describe(str(runs / "results" / "datasets.yaml"))
    assert [row["name"] for row in datasets.data["datasets"]] == ["stacked", "coarse", "other"]


def test_all_edits_agree_with_their_schema(tmp_path: Path) -> None:
    """Every kind of edit, with a map of counts, a shape with energies, folded and orphaned components."""
    one, other = sky_map("run", 1, 1e13), on_off_map("other", 2, 1e13)
    Datasets([one, other]).write(tmp_path / "datasets.yaml")
    counts = Map(one.geometry, (one.energy,), np.full(one.counts.shape, 0.01))
    write_map(tmp_path / "counts.fits", counts)
    write_map(tmp_path / "shape.fits", Map(one.geometry, (one.energy_true,), np.ones((6, 20, 20)), "sr-1"))
    shape = TemplateSpatialModel(filename=str(tmp_path / "shape.fits"))
    diffuse = replace(source("diffuse"), spatial_model=shape, datasets_names=["run"])
    components: list[Any] = [
        source("crab"),
        source("far", LON + 0.6),
        source("beyond", LON + 0.6, datasets_names=["other"]),
        diffuse,
        TemplateNPredModel(name="counts", filename=str(tmp_path / "counts.fits"), datasets_names=["run"]),
        background("run", 1.2),
    ]
    Models(components).write(tmp_path / "models.yaml")
    circle = f"{{type: circle, center: [{LON}, {LAT}], radius: 0.45 deg}}"
    operations = f"""\
  - copy: {{dataset: run, name: twin}}
  - slice_energy: {{dataset: run, name: hard, min: 1 TeV}}
  - to_image: {{dataset: hard, name: image}}
  - to_spectrum_dataset: {{dataset: twin, name: spectrum, region: {circle}, target: crab}}
  - to_spectrum_dataset: {{dataset: other, name: spectrum-2, region: {circle}, target: [crab, far], on_orphan: drop}}
"""
    request = config(tmp_path, operations)
    planned = plan(request)
    image = {row["component"]: row for row in planned.operations[2]["counts"]}
    assert {name: row["note"] for name, row in image.items()} == dict.fromkeys(["background", *image], "exact")
    on_the_way = run(request, Silent(), FIT).products[0].document
    document = read_document(tmp_path / "results" / "edits.yaml")
    assert check(document, "edits") == []
    actions = {edit["action"] for step in document.data["operations"] for edit in step["edits"]}
    assert actions == {"copied", "carried", "rescoped", "baked", "new", "collapsed", "folded", "dropped"}
    models = Models.read(tmp_path / "results" / "models.yaml")
    assert models.names == ["crab", "far", "diffuse", "counts", "image-bkg"]
    text = "version: 1\ndatasets: results/datasets.yaml\nmodels: results/models.yaml\noutput: again\nfit: {}\n"
    (tmp_path / "after.yaml").write_text(text)
    after = run(Request(str(tmp_path / "after.yaml")), Silent(), FIT).products[0].document
    assert numbers(on_the_way) == numbers(after)
    maps = {"counts-image.fits", "diffuse-image.fits"}
    assert maps < {path.name for path in (tmp_path / "results").iterdir()}
    assert maps < {path.name for path in (tmp_path / "results" / "fit").iterdir()}
    assert not run(request, Silent(), FIT).products[0].ran
    (tmp_path / "results" / "counts-image.fits").unlink()
    assert run(request, Silent(), FIT).products[0].document == on_the_way


def numbers(document: Any) -> Any:
    """A fit without what it was made from."""
    return json.dumps({key: value for key, value in document.items() if key not in ("inputs", "name")})


def test_a_fit_on_the_way_is_the_fit_of_what_apply_writes(runs: Path) -> None:
    request = config(runs, OPERATIONS)
    on_the_way = run(request, Silent(), FIT).products[0].document
    text = "version: 1\ndatasets: results/datasets.yaml\nmodels: results/models.yaml\noutput: again\nfit: {}\n"
    (runs / "after.yaml").write_text(text)
    after = run(Request(str(runs / "after.yaml")), Silent(), FIT).products[0].document
    assert numbers(on_the_way) == numbers(after)
    assert (runs / "results" / "fit" / "models.yaml").read_bytes() == (
        runs / "again" / "fit" / "models.yaml"
    ).read_bytes()


def test_stages_are_up_to_date(runs: Path) -> None:
    request = config(runs, OPERATIONS)
    assert [product.ran for product in run(request, Silent()).products] == [True, True]
    before = (runs / "results" / "edits.yaml").read_bytes()
    assert [product.ran for product in run(request, Silent()).products] == [False, False]
    changed = config(runs, OPERATIONS.replace("1.5 TeV", "3 TeV"))
    assert [product.ran for product in run(changed, Silent()).products] == [True, True]
    run(config(runs, OPERATIONS), Silent())
    assert (runs / "results" / "edits.yaml").read_bytes() == before


def test_plan_shows_edits_and_predicted_counts(runs: Path) -> None:
    planned = plan(config(runs, OPERATIONS))
    assert not (runs / "results").exists()
    assert [stage.name for stage in planned.stages] == ["apply", "fit"]
    assert planned.stages[1].text.startswith("4 free parameters")
    assert planned.components == ["crab", "stacked-bkg", "coarse-bkg"]
    stack = planned.operations[0]
    rows = {row["component"]: row for row in stack["counts"]}
    assert rows["background"]["note"] == "exact"
    assert rows["crab"]["before"] == pytest.approx(rows["crab"]["after"], rel=1e-12)
    text = "\n".join(operation_lines(planned.operations))
    assert "1  stack                run-1, run-2  ->  stacked" in text
    assert "run-1-bkg     baked into the background of stacked (pl-norm, norm 1.4, tilt 0)" in text
    assert "stacked-bkg   pl-norm, norm 1, tilt 0" in text


def problems(request: Request) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        run(request, Silent(), FIT)
    return [str(problem).split(":", 1)[1] for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("operations", "rest", "expected"),
    [
        (
            '  - stack: {datasets: "rum-*", name: x}\n',
            "",
            "6:5: $.operations[0].stack: stack: no dataset matches 'rum-*'",
        ),
        ("  - copy: {dataset: run-1, name: other}\n", "", "copy: a dataset 'other' exists already"),
        ("  - copy: {dataset: run-*, name: x}\n", "", "copy: no dataset is called 'run-*'"),
        ("  - copy: {name: x}\n", "", "expected one of the keys dataset and datasets"),
        ("  - to_image: {datasets: '*'}\n", "", "to_image: the result has no name"),
        ("  - pad: {dataset: other, name: x, width: 1 deg}\n", "", "pad: dataset other is a SpectrumDataset"),
        (
            "  - copy: {dataset: other, name: x}\n  - copy: {dataset: x, name: y}\n  - copy: {dataset: z, name: a}\n",
            "",
            "8:5: $.operations[2].copy: copy: no dataset is called 'z'",
        ),
        ('  - stack: {datasets: "run-*", name: x}\n', "fit: {datasets: run-1}\n", "$.fit.datasets: no dataset matches"),
        ('  - stack: {datasets: "run-*", name: x}\n', "fit: {minos: [run-1-bkg.norm]}\n", "no parameter matches"),
        (
            '  - to_spectrum_dataset: {dataset: other, name: x, region: {type: circle, radius: 1 deg}}\n',
            "",
            "$.operations[0].to_spectrum_dataset.region: region of type circle: no center",
        ),
    ],
)  # fmt: skip
def test_what_is_refused_is_told_with_its_place(runs: Path, operations: str, rest: str, expected: str) -> None:
    found = problems(config(runs, operations, rest or "fit: {}\n"))
    assert len(found) == 1
    assert expected in found[0].splitlines()[0]
    checked = validate(Request(str(runs / "config.yaml")))
    assert checked[0].exit_code == 3


def test_on_off_runs_and_masks_of_the_fit(tmp_path: Path) -> None:
    Datasets([on_off("a", 1), on_off("b", 2)]).write(tmp_path / "datasets.yaml")
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    rest = "fit: {datasets: ab, energy_range: {datasets: ab, min: 1 TeV}}\n"
    document = run(config(tmp_path, '  - stack: {datasets: "*", name: ab}\n', rest), Silent(), FIT).products[0].document
    assert document["datasets"][0]["name"] == "ab"
    assert document["datasets"][0]["bins"] == 4


def test_maps_that_are_cut_joined_and_summed(tmp_path: Path) -> None:
    """Sources keep their counts through ragged masks, and the files hold what their predictions need."""
    sky = sky_map("run", 1, 1e13)
    ragged = np.random.default_rng(3).uniform(size=sky.counts.shape) > 0.3
    counts = sky.counts + predict_component(sky, source("crab"))
    Datasets([sky.with_(mask_safe=ragged, counts=np.round(counts))]).write(tmp_path / "datasets.yaml")
    Models([source("crab"), source("far", LON + 0.6), background("run", 1.2)]).write(tmp_path / "models.yaml")
    operations = f"""\
  - cutout: {{dataset: run, name: cut, center: [{LON}, {LAT}], width: 1.2 deg}}
  - downsample: {{dataset: cut, name: joined, factor: 2}}
  - to_image: {{dataset: joined, name: image}}
"""
    request = config(tmp_path, operations)
    planned = plan(request)
    for step in planned.operations[1:]:
        assert {row["note"] for row in step["counts"]} == {"exact"}
    on_the_way = run(request, Silent(), FIT).products[0].document
    text = "version: 1\ndatasets: results/datasets.yaml\nmodels: results/models.yaml\noutput: again\nfit: {}\n"
    (tmp_path / "after.yaml").write_text(text)
    after = run(Request(str(tmp_path / "after.yaml")), Silent(), FIT).products[0].document
    assert numbers(on_the_way) == numbers(after)


def test_maps_to_a_spectrum_with_its_flux_points(tmp_path: Path) -> None:
    Datasets([sky_map("run-1", 1, 1e13), sky_map("run-2", 2, 1e13)]).write(tmp_path / "datasets.yaml")
    components: list[Any] = [source("crab"), source("far", LON + 0.6), background("run-1", 1.2), background("run-2")]
    Models(components).write(tmp_path / "models.yaml")
    operations = f"""\
  - stack: {{datasets: "run-*", name: stacked}}
  - to_spectrum_dataset:
      dataset: stacked
      name: spectrum
      region: {{type: circle, center: [{LON}, {LAT}], radius: 0.45 deg}}
      containment_correction: true
      target: [crab]
"""
    rest = "fit: {}\nflux_points:\n  - {source: crab, energy_edges: [1 TeV, 4 TeV, 10 TeV]}\n"
    request = config(tmp_path, operations, rest)
    rows = {row["component"]: row for row in plan(request).operations[1]["counts"]}
    assert rows["far"]["after"] is None
    outcome = run(request, Silent())
    assert [product.stage.name for product in outcome.products] == ["apply", "fit", "flux_points"]
    assert Models.read(tmp_path / "results" / "models.yaml").names == ["crab"]
    again = Datasets.read(tmp_path / "results" / "datasets.yaml")["spectrum"]
    assert again.type == "SpectrumDataset"
    assert again.region is not None  # type: ignore[union-attr]  # it is a spectrum


def test_a_simulation_is_operated_on_beside_it(tmp_path: Path) -> None:
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    text = """\
version: 1
models: models.yaml
output: results
simulate:
  datasets:
    - {name: run, copies: 2, response: iact, livetime: 30 min}
operations:
  - stack: {datasets: "run-*", name: all}
fit: {}
"""
    (tmp_path / "config.yaml").write_text(text)
    request = Request(str(tmp_path / "config.yaml"))
    assert run(request, Silent(), FIT).products[0].document["datasets"][0]["name"] == "all"
    assert Datasets.read(tmp_path / "results" / "datasets.yaml").names == ["run-1", "run-2"]
    assert Datasets.read(tmp_path / "results" / "operations" / "datasets.yaml").names == ["all"]
    assert [product.ran for product in run(request, Silent()).products] == [False, False, False]


@pytest.mark.parametrize(("name", "places"), [("stack", []), ("reduce", []), ("stck", ["$.operations[0].operation"])])
def test_edits_name_operations_that_there_are(name: str, places: list[Any]) -> None:
    operations = [{"operation": name, "results": [{"name": "a", "inputs": ["b"]}], "edits": []}]
    text = json.dumps({"schema": "gm/edits/1", "name": "x", "operations": operations})
    assert [problem.path for problem in check(read_document("edits.yaml", text), "edits")] == places
