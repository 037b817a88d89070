"""Observations to datasets by the command line: what is made, kept, done again, and told."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gm import Component, Datasets, Models, Parameter
from gm.cli.rendering.observations import lines
from gm.config_schemas.reader import read_document
from gm.config_schemas.validator import check
from gm.datasets import MapDataset, SpectrumDatasetOnOff
from gm.datasets.operations import stack
from gm.errors import DataError, InvalidInput
from gm.io.fits_writer import write_fits
from gm.likelihood import predict_component
from gm.pipeline.analysis.request import Request
from gm.pipeline.reporter import Silent
from gm.pipeline.run import Outcome, run
from gm.pipeline.stages.observations import rows
from gm.pipeline.stages.observations.jobs import Job
from gm.pipeline.stages.observations.stage import REDUCE
from tests.dl3_files import events, gti, write_observation, write_store
from tests.pipeline.sections import read

MODELS = """\
components:
  - name: source
    type: SkyModel
    spectral:
      type: pl
      parameters: [{name: index, value: 2.3}, {name: amplitude, value: 1.0e-11, unit: TeV-1 s-1 cm-2}]
    spatial:
      type: point
      frame: icrs
      parameters:
        - {name: lon_0, value: 83.6, unit: deg, frozen: true}
        - {name: lat_0, value: 22.0, unit: deg, frozen: true}
"""
AXES = """\
    energy: {min: 0.3 TeV, max: 30 TeV, n_bins: 4}
    energy_true: {min: 0.15 TeV, max: 80 TeV, n_bins: 8}
"""
SPECTRA = f"""\
  - name: "run-{{obs_id}}"
    data: store
    dataset: spectrum
{AXES}    region: {{type: circle, center: [83.6, 22.0], radius: 0.2 deg}}
    background: {{type: reflected}}
    safe_mask: [{{type: aeff_default}}]
"""
MAPS = f"""\
  - name: "map-{{obs_id}}"
    data: store
    dataset: map
{AXES}    geometry: {{center: [83.6, 22.3], width: 3 deg, pixel: 0.25 deg, projection: TAN}}
    exclude: [{{type: circle, center: [83.6, 22.0], radius: 0.3 deg}}]
    background: {{type: fov}}
    safe_mask: [{{type: offset_max, offset: 1.2 deg}}]
    cutout: true
"""
STACK = MAPS.replace("map-{obs_id}", "whole") + "    stack: true\n"
POINTINGS = {1: (83.6, 22.5), 2: (83.9, 22.3), 3: (83.3, 22.2)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of three observations, and models."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "store").mkdir()
    for number, pointing in POINTINGS.items():
        write_observation(tmp_path / f"store/{number}.fits", number, events=events(800, number, pointing))
    write_store(tmp_path / "store", {n: tmp_path / f"store/{n}.fits" for n in POINTINGS})
    (tmp_path / "models.yaml").write_text(MODELS)
    return tmp_path


def config(entries: str, more: str = "", name: str = "config.yaml") -> str:
    Path(name).write_text(f"version: 1\nname: test\nmodels: models.yaml\nobservations:\n{entries}{more}")
    return name


def reduce(file: str, *flags: str, output: str = "out", workers: int | None = None, **rest: Any) -> Outcome:
    return run(Request(file, output=output, workers=workers, flags=frozenset(flags), **rest), Silent(), REDUCE)


def norm_of(component: Component) -> Parameter:
    return next(p for p in component.parameters if p.name == "norm")


def statuses(outcome: Outcome) -> list[str]:
    return [row["status"] for row in outcome.products[0].document["observations"]]


def hashes(folder: str, *left_out: str) -> dict[str, str]:
    files = {path.relative_to(folder).as_posix(): path for path in Path(folder).rglob("*") if path.is_file()}
    left = {"provenance.yaml", *left_out}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items() if name not in left}


@pytest.fixture
def reduced(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """The numbers of the observations that are reduced from now on."""
    done: list[int | None] = []
    original = rows.reduce_job

    def counted(job: Job, file: Path) -> rows.Row:
        done.append(job.obs_id)
        return original(job, file)

    monkeypatch.setattr("gm.pipeline.stages.observations.run.reduce_job", counted)
    return done


@pytest.mark.parametrize("entries", [SPECTRA, MAPS, STACK, SPECTRA + MAPS])
def test_documents_agree_with_their_schemas(folder: Path, entries: str) -> None:
    outcome = reduce(config(entries))
    assert outcome.exit_code == 0
    for name, schema in (
        ("observations", "observations"),
        ("edits", "edits"),
        ("datasets", "datasets"),
        ("models", "models"),
    ):
        assert check(read_document(Path("out") / f"{name}.yaml"), schema) == []
    assert not Path("out/.reduction").exists()


def test_spectra_with_off_counts(folder: Path) -> None:
    outcome = reduce(config(SPECTRA))
    assert statuses(outcome) == ["ok"] * 3
    datasets = Datasets.read("out/datasets.yaml")
    assert datasets.names == ["run-1", "run-2", "run-3"]
    for row, dataset in zip(outcome.products[0].document["observations"], datasets, strict=True):
        assert isinstance(dataset, SpectrumDatasetOnOff)
        assert dataset.acceptance_off[0] >= 2
        assert row["counts"] == dataset.counts[dataset.mask].sum()
        assert row["livetime"] == pytest.approx(900.0)
    assert Models.read("out/models.yaml").names == ["source"]


def test_components_join_the_models_as_edits(folder: Path) -> None:
    outcome = reduce(config(MAPS))
    models = Models.read("out/models.yaml")
    assert models.names == ["source", "map-1-bkg", "map-2-bkg", "map-3-bkg"]
    assert models["source"].parameters == Models.read("models.yaml")["source"].parameters
    edits = read_document("out/edits.yaml").data["operations"]
    assert [edit["component"] for one in edits for edit in one["edits"]] == models.names[1:]
    for row, dataset in zip(
        outcome.products[0].document["observations"], Datasets.read("out/datasets.yaml"), strict=True
    ):
        component = models[f"{dataset.name}-bkg"]
        assert row["component"]["parameters"][1] == {
            "name": "norm",
            "value": norm_of(component).value,
            "error": norm_of(component).error,
        }
        predicted = predict_component(dataset, component)[dataset.mask].sum()
        assert row["background"] == pytest.approx(predicted, rel=1e-6)


def test_a_tilt_that_is_free_is_fitted_and_stays_free(folder: Path) -> None:
    reduce(config(MAPS.replace("{type: fov}", "{type: fov, method: fit, parameters: {tilt: {frozen: false}}}")))
    component = Models.read("out/models.yaml")["map-1-bkg"]
    [tilt] = [p for p in component.parameters if p.name == "tilt"]
    assert not tilt.frozen
    assert tilt.error > 0
    assert tilt.value != 0


def test_a_component_of_the_config_is_kept(folder: Path) -> None:
    spectrum = "{type: pl-norm, parameters: [{name: norm, value: 3.0}]}"
    own = f"  - {{name: map-2-bkg, type: FoVBackgroundModel, datasets_names: [map-2], spectral: {spectrum}}}\n"
    (folder / "models.yaml").write_text(MODELS + own)
    outcome = reduce(config(MAPS))
    assert norm_of(Models.read("out/models.yaml")["map-2-bkg"]).value == 3.0
    told = [row["component"]["kept"] for row in outcome.products[0].document["observations"]]
    assert told == [False, True, False]
    shown = lines(outcome.products[0].document)
    assert shown[-1] == "  kept as the config's models have them, not with the norm above: map-2-bkg"


EDITS = """\
parameters:
  map-2-bkg.norm: {frozen: true}
  "*-bkg.tilt": {min: -0.5}
  source.index: {min: 1}
links:
  - {parameter: map-3-bkg.norm, equals: map-1-bkg.norm, scale: 2.0}
"""


def test_edits_and_links_may_name_what_the_reduction_makes(folder: Path) -> None:
    plain = Models.read(str(reduce(config(MAPS), output="plain").products[0].task.result.parent / "models.yaml"))
    assert reduce(config(MAPS, EDITS)).exit_code == 0
    models = Models.read("out/models.yaml")
    assert [norm_of(models[f"map-{n}-bkg"]).frozen for n in (1, 2, 3)] == [False, True, False]
    assert [p.min for n in (1, 2, 3) for p in models[f"map-{n}-bkg"].parameters if p.name == "tilt"] == [-0.5] * 3
    assert models["source"].parameters[0].min == 1.0
    first = norm_of(models["map-1-bkg"]).value
    assert first == norm_of(plain["map-1-bkg"]).value
    assert norm_of(models["map-3-bkg"]).value == pytest.approx(2.0 * first)
    assert run(Request(config(MAPS, EDITS + "fit: {}\n"), output="out"), Silent()).exit_code == 0


@pytest.mark.parametrize(
    ("edits", "place", "message"),
    [
        ("parameters:\n  map-9-bkg.norm: {frozen: true}\n", ":16:3", "no parameter is called 'map-9-bkg.norm'"),
        ("parameters: {'*-bkg.slope': {frozen: true}}\n", ":15:14", "no parameter is called '*-bkg.slope'"),
        ("links: [{parameter: map-1-bkg.norm, equals: map-7-bkg.norm}]\n", ":15:45", "'map-7-bkg.norm'"),
    ],
)
def test_what_was_not_made_has_its_place(folder: Path, edits: str, place: str, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        reduce(config(MAPS, edits))
    [problem] = caught.value.problems
    assert message in str(problem)
    assert f"config.yaml{place}" in str(problem)


def test_what_cannot_come_is_told_before_the_reduction(folder: Path, reduced: list[int | None]) -> None:
    for edits in ("parameters: {map-1-bkg.nrom: {frozen: true}}\n", "parameters: {other-bkg.norm: {frozen: true}}\n"):
        with pytest.raises(InvalidInput, match="no parameter is called"):
            reduce(config(MAPS, edits))
    with pytest.raises(InvalidInput, match="no parameter is called"):
        reduce(config(SPECTRA, "parameters: {run-1-bkg.norm: {frozen: true}}\n"))
    assert reduced == []


def test_one_config_is_the_same_as_its_steps(folder: Path) -> None:
    later = """\
parameters: {source.index: {frozen: true}}
operations: [{stack: {datasets: "map-*", name: all}}]
fit: {}
flux_points: [{source: source, name: sed, energy_edges: [1 TeV, 8 TeV]}]
"""
    whole = run(Request(config(MAPS, later), output="whole"), Silent())
    assert whole.exit_code == 0
    reduce(config(MAPS), output="first")
    Path("second.yaml").write_text(
        "version: 1\nname: test\ndatasets: first/datasets.yaml\nmodels: first/models.yaml\n" + later
    )
    run(Request("second.yaml", output="second"), Silent())
    made = {Path(name) for name in hashes("second") if name.split("/")[0] in ("fit", "flux_points", "datasets")}
    assert {"fit/models.yaml", "flux_points/sed.fits", "fit/models_covariance.dat"} <= {str(name) for name in made}
    for name in made:
        mine, other = folder / "whole" / name, folder / "second" / name
        if name.parent.name == "datasets":  # those of the operations, which the whole config writes elsewhere
            mine = folder / "whole/operations/datasets" / name.name
        if name.name in ("fit.yaml", "sed.yaml"):  # which say what they were made from
            documents = [read_document(path).data for path in (mine, other)]
            assert documents[0].pop("inputs") != documents[1].pop("inputs")
            assert documents[0] == documents[1]
        else:
            assert mine.read_bytes() == other.read_bytes()


def test_datasets_of_the_config_stay_beside(folder: Path) -> None:
    reduce(config(SPECTRA), output="first")
    given = config(MAPS, "datasets: first/datasets.yaml\n", "second.yaml")
    assert reduce(given).exit_code == 0
    assert Datasets.read("out/datasets.yaml").names == ["run-1", "run-2", "run-3", "map-1", "map-2", "map-3"]
    again = config(SPECTRA, "datasets: first/datasets.yaml\n", "third.yaml")
    with pytest.raises(Exception, match="is called 'run-1' already"):
        reduce(again, output="third")


@pytest.mark.parametrize("entries", [SPECTRA, STACK])
def test_workers_change_nothing(folder: Path, entries: str) -> None:
    reduce(config(entries), output="one")
    reduce(config(entries), output="two", workers=2)
    assert hashes("one") == hashes("two")


def test_a_stack_is_that_of_the_operation(folder: Path) -> None:
    reduce(config(MAPS), output="single")
    reduce(config(STACK), output="stack")
    [whole] = Datasets.read("stack/datasets.yaml")
    outcome = stack(Datasets.read("single/datasets.yaml"), Models.read("single/models.yaml"), "map-*", name="whole")
    expected = outcome.datasets["whole"]
    assert isinstance(whole, MapDataset)
    assert isinstance(expected, MapDataset)
    assert whole.geometry.shape == (12, 12)
    y, x = expected.geometry.offset_in(whole.geometry) or (0, 0)
    part = (slice(None), slice(y, y + expected.geometry.shape[0]), slice(x, x + expected.geometry.shape[1]))
    for name in ("counts", "exposure", "background"):
        np.testing.assert_allclose(getattr(whole, name)[part], getattr(expected, name), rtol=1e-6)
        assert getattr(whole, name).sum() == pytest.approx(getattr(expected, name).sum(), rel=1e-6)
    assert whole.psf is not None
    assert expected.psf is not None
    source = Models.read("models.yaml")["source"]
    np.testing.assert_allclose(
        predict_component(whole, source)[part], predict_component(expected, source), rtol=1e-5, atol=1e-6
    )
    assert Models.read("stack/models.yaml").names == ["source", "whole-bkg"]


# selected events


def test_times_and_all_others(folder: Path) -> None:
    write_fits(folder / "times.fits", [gti((100.0, 300.0), (700.0, 2000.0))])
    whole = reduce(config(MAPS)).products[0].document["observations"]
    selected = [
        reduce(config(f"{MAPS}    events: {{gti: {told}}}\n")).products[0].document["observations"]
        for told in ("times.fits", "{filename: times.fits, inverted: true}")
    ]
    for all_times, kept, others in zip(whole, *selected, strict=True):
        assert kept["livetime"] == pytest.approx(0.9 * 500.0)
        assert others["livetime"] == pytest.approx(0.9 * 500.0)
        assert kept["counts"] + others["counts"] == all_times["counts"]
        assert min(kept["counts"], others["counts"]) > 0


# what goes wrong


def test_what_cannot_be_used_is_a_row_and_is_tried_again_alone(folder: Path, reduced: list[int | None]) -> None:
    good = (folder / "store/2.fits").read_bytes()
    (folder / "store/2.fits").write_bytes(good[: len(good) // 2])
    write_observation(folder / "store/3.fits", 3, events=events(800, 3, POINTINGS[3]), edisp=None)
    outcome = reduce(config(SPECTRA))
    told = outcome.products[0].document
    assert statuses(outcome) == ["ok", "failed", "failed"]
    assert "2.fits" in told["observations"][1]["reason"]
    assert "EDISP" in told["observations"][2]["reason"]
    assert (told["status"], outcome.exit_code) == ("incomplete", 1)
    assert Datasets.read("out/datasets.yaml").names == ["run-1"]
    assert reduced == [1, 2, 3]
    assert reduce("config.yaml").exit_code == 1
    assert reduced == [1, 2, 3]
    again = reduce("config.yaml", "retry-failed")
    assert (reduced, again.exit_code) == ([1, 2, 3, 2, 3], 1)
    (folder / "store/2.fits").write_bytes(good)
    outcome = reduce("config.yaml")
    assert reduced[5:] == [2]
    assert statuses(outcome) == ["ok", "ok", "failed"]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ({"events": events(0, 2)}, "no event is left"),
        ({"events": events(800, 2, (120.0, 22.0))}, "no overlap of its field of view"),
        ({"events": events(800, 2, (83.6, 25.0))}, "no overlap"),
    ],
)
def test_nothing_left_of_an_observation(folder: Path, parts: dict[str, Any], reason: str) -> None:
    write_observation(folder / "store/2.fits", 2, **parts)
    outcome = reduce(config(MAPS))
    assert statuses(outcome) == ["ok", "empty", "ok"]
    row = outcome.products[0].document["observations"][1]
    assert any(part in row["reason"] for part in reason.split("|")), row["reason"]
    assert outcome.exit_code == 1


def test_files_that_cannot_be_opened_do_not_keep_the_others(folder: Path) -> None:
    (folder / "store/2.fits").write_bytes(b"SIMPLE  =                    T")
    outcome = reduce(config(SPECTRA.replace("data: store", "data: store/[0-9].fits")))
    assert statuses(outcome) == ["ok", "ok", "failed"]
    assert outcome.products[0].document["observations"][2]["obs_id"] is None


def test_nothing_at_all(folder: Path) -> None:
    excluded = "    exclude: [{type: circle, center: [83.6, 22.3], radius: 20 deg}]\n"
    outcome = run(Request(config(SPECTRA + excluded, "fit: {}\n"), output="out"), Silent())
    assert outcome.exit_code == 1
    assert "no observation gave a dataset" in outcome.message


# what is done again


def test_what_was_finished_before_a_kill_is_kept(
    folder: Path, reduced: list[int | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    reduce(config(STACK), output="whole")
    original = rows.write_dataset
    with monkeypatch.context() as patch:

        def stop(dataset: Any, file: Any) -> None:
            if dataset.name.endswith("3"):
                raise KeyboardInterrupt
            original(dataset, file)

        patch.setattr("gm.pipeline.stages.observations.rows.write_dataset", stop)
        with pytest.raises(KeyboardInterrupt):
            reduce("config.yaml")
    with Path("out/.reduction/rows.jsonl").open("a") as file:
        file.write('{"obs_id": 3, "hash')
    del reduced[:]
    assert reduce("config.yaml").exit_code == 0
    assert reduced == [3]
    assert hashes("out") == hashes("whole")


@pytest.mark.parametrize(("entries", "key"), [(SPECTRA, "counts"), (MAPS, "counts"), (MAPS, "error")])
def test_rows_that_somebody_changed_do_not_count(folder: Path, entries: str, key: str) -> None:
    """Numbers of the rows become components of the global model, and a result that is on record."""
    reduce(config(entries))
    right, file = hashes("out"), Path("out/observations.yaml")
    head, _, tail = file.read_text().partition(f"{key}: ")
    file.write_text(f"{head}{key}: 9{tail}")
    assert hashes("out") != right
    reduce("config.yaml")
    assert hashes("out") == right


def test_another_observation_is_reduced_alone(folder: Path, reduced: list[int | None]) -> None:
    ids = "    ids: [1, 3]\n"
    reduce(config(SPECTRA + ids))
    reduce(config(SPECTRA))
    assert reduced == [1, 3, 2]
    reduce(config(SPECTRA + ids))
    assert reduced == [1, 3, 2]
    assert sorted(path.name for path in Path("out/datasets").iterdir()) == ["run-1.fits", "run-3.fits"]
    reduce(config(SPECTRA.replace("0.2 deg", "0.15 deg") + ids))
    assert reduced[3:] == [1, 3]


# settings

ON_MAP = {"dataset": "map", "region": None, "geometry": {"center": [83.6, 22.0], "width": "1 deg", "pixel": "0.1 deg"}}


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"name": "run"}, ["$.observations[0].name"]),
        ({"stack": True}, ["$.observations[0].name"]),
        ({"background": {"type": "ring", "r_in": "1 deg", "width": "1 deg"}}, ["$.observations[0].background.type"]),
        ({"geometry": {}}, ["$.observations[0].geometry"]),
        ({"region": {"type": "circle", "center": [1, 2]}}, ["$.observations[0].region"]),
        ({"energy": {"min": "1 TeV", "max": "1 GeV", "n_bins": 3}}, ["$.observations[0].energy.max"]),
        ({"energy": ["1 TeV", "2 m"]}, ["$.observations[0].energy[1]"]),
        (
            {**ON_MAP, "background": {"type": "fov", "parameters": {"tilted": {"frozen": False}}}},
            ["$.observations[0].background.parameters"],
        ),
        ({**ON_MAP, "cutout": True}, ["$.observations[0].cutout"]),
        (
            {**ON_MAP, "geometry": {"center": [83.6, 22.0], "width": "180 deg", "pixel": "1 deg"}},
            ["$.observations[0].geometry"],
        ),
        ({"ids": "none.txt"}, ["$.observations[0].ids"]),
        ({"events": {"type": ["gamma", "proton"]}}, ["$.observations[0].name"]),
        ({"name": "run-{obs_id}-{event_type}"}, ["$.observations[0].name"]),
        ({"events": {"gti": {"filename": "none.fits", "inverted": True}}}, ["$.observations[0].events.gti"]),
        ({"exclude": [{"type": "file", "filename": "none.reg"}]}, ["$.observations[0].exclude[0]"]),
        ({"events": {"energy": ["2 TeV", "1 TeV"]}}, ["$.observations[0].events.energy[1]"]),
        ({"time": {"min": "someday"}}, ["$.observations[0].time.min"]),
        ({"safe_mask": [{"type": "offset_max", "offset": "1 kg"}]}, ["$.observations[0].safe_mask[0].offset"]),
    ],
)
def test_problems_have_places(change: dict[str, Any], places: list[str]) -> None:
    entry: dict[str, Any] = {
        "name": "run-{obs_id}",
        "data": "store",
        "dataset": "spectrum",
        "energy": {"min": "1 TeV", "max": "10 TeV", "n_bins": 3},
        "energy_true": {"min": "1 TeV", "max": "10 TeV", "n_bins": 3},
        "region": {"type": "circle", "center": [83.6, 22.0], "radius": "0.2 deg"},
    }
    assert read(REDUCE, [entry])[1] == []
    changed = {key: value for key, value in {**entry, **change}.items() if value is not None}
    assert read(REDUCE, [changed])[1] == places


def test_all_problems_of_an_entry_are_told() -> None:
    entry = {
        "name": "run",
        "data": "store",
        "dataset": "map",
        "geometry": {"center": [83.6, 22.0], "width": "1 deg", "pixel": "0.1 deg"},
        "energy": ["2 TeV", "1 TeV"],
        "energy_true": {"min": "1 TeV", "max": "1 TeV", "n_bins": 3},
        "within": {"center": [83.6, 22.0], "radius": "1 s"},
        "events": {"offset": ["1 deg", "1 deg"]},
        "background": {"type": "reflected"},
        "safe_mask": [{"type": "offset_max", "offset": "1 m"}],
    }
    places = ("name", "within.radius", "events.offset[1]", "energy[1]", "energy_true.max", "safe_mask[0].offset")
    expected = [f"$.observations[0].{place}" for place in (*places, "background.type")]
    assert read(REDUCE, [entry])[1] == expected


def test_an_unknown_number_is_told(folder: Path) -> None:
    for entry, place, message in (
        ("    ids: [77]\n", "13:10: $.observations[0].ids", "no observation 77"),
        ('    where: ["OBS_ID > 0", "ZEN < 3 deg"]\n', "13:27: $.observations[0].where[1]", "no column ZEN"),
        ("    ids: [1]\n    where: [OBS_ID > 5]\n", "$.observations[0]", "no observation fits the selection"),
    ):
        with pytest.raises(InvalidInput) as caught:
            reduce(config(SPECTRA + entry))
        assert caught.value.exit_code == DataError.exit_code
        assert place in str(caught.value.problems[0])
        assert message in str(caught.value.problems[0])
    with pytest.raises(InvalidInput, match="no datasets"):
        reduce(config(" []\n"))


# real data


def test_crab_as_the_reference(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    entry = f"""\
  - name: "{{obs_id}}"
    data: {shared}/data/hess-dl3-dr1
    ids: [23523, 23526, 23559, 23592]
    dataset: spectrum
    energy: {{min: 0.1 TeV, max: 40 TeV, per_decade: 10}}
    energy_true: {{min: 0.05 TeV, max: 100 TeV, per_decade: 20}}
    region: {{type: circle, center: [83.63, 22.01], radius: 0.11 deg}}
    containment_correction: true
    exclude: [{{type: circle, center: [183.604, -8.708], frame: galactic, radius: 0.5 deg}}]
    background: {{type: reflected}}
    safe_mask: [{{type: aeff_max, percent: 10}}]
"""
    reference = shared / "reference/hess-crab-1d"
    Path("config.yaml").write_text(
        f"version: 1\nmodels: {reference}/models_start.yaml\nobservations:\n{entry}fit: {{}}\n"
    )
    assert run(Request("config.yaml", output="out"), Silent()).exit_code == 0
    for mine, theirs in zip(
        Datasets.read("out/datasets.yaml"), Datasets.read(reference / "datasets.yaml"), strict=True
    ):
        assert isinstance(mine, SpectrumDatasetOnOff)
        assert isinstance(theirs, SpectrumDatasetOnOff)
        for name in ("counts", "counts_off", "acceptance", "acceptance_off", "mask_safe"):
            np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name))
        np.testing.assert_allclose(mine.exposure, theirs.exposure, rtol=1e-6)
    expected = json.loads((reference / "expected.json").read_text())["fit"]
    fit = read_document("out/fit/fit.yaml").data
    assert fit["statistic"]["total"] == pytest.approx(expected["statistic"], abs=1e-3)
    for row in fit["parameters"]:
        if not row["frozen"]:
            assert row["value"] == pytest.approx(expected["parameters"][row["name"]]["value"], abs=0.02 * row["error"])


def test_msh_1552_as_the_reference(shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of its runs; responses and background of the reference are rounded to 10 to 12 bits."""
    monkeypatch.chdir(tmp_path)
    entry = f"""\
  - name: "run{{obs_id}}"
    data: {shared}/data/hess-dl3-dr1
    ids: [20136, 20137]
    dataset: map
    energy: {{min: 0.6 TeV, max: 20 TeV, n_bins: 10}}
    energy_true: {{min: 0.3 TeV, max: 40 TeV, n_bins: 20}}
    geometry: {{center: [228.547, -59.174], width: 5 deg, pixel: 0.02 deg}}
    safe_mask: [{{type: offset_max, offset: 2 deg}}]
    cutout: true
"""
    Path("models.yaml").write_text(MODELS)
    assert reduce(config(entry)).exit_code == 0
    reference = shared / "reference/hess-msh1552-runs"
    theirs, models = Datasets.read(reference / "datasets.yaml"), Models.read(reference / "models.yaml")
    expected = json.loads((reference / "expected.json").read_text())["datasets_start"]
    for mine in Datasets.read("out/datasets.yaml"):
        other = theirs[mine.name]
        assert isinstance(mine, MapDataset)
        assert isinstance(other, MapDataset)
        np.testing.assert_array_equal(mine.counts, other.counts)
        np.testing.assert_array_equal(mine.mask_safe, other.mask_safe)
        assert mine.geometry.same_as(other.geometry)
        for name in ("exposure", "background"):
            largest = getattr(other, name).max(axis=(1, 2), keepdims=True)
            assert np.abs((getattr(mine, name) - getattr(other, name)) / largest).max() < 2.0**-11
        predicted = predict_component(mine, models["msh1552"])[mine.mask].sum()
        assert predicted == pytest.approx(expected[mine.name]["components"]["msh1552"], rel=1e-3)


@pytest.mark.parametrize(
    ("keys", "place", "message"),
    [
        ("ids: [1, 2, 1]", "ids[2]", "observation 1 is there twice"),
        ("ids: ids.txt", "ids", "observation 3 is there twice"),
        ("time: {min: 2005-12-06, max: 2004-01-01}", "time.max", "2004-01-01 is not after 2005-12-06"),
        ("time: {min: yesterday}", "time.min", "'yesterday' is no time on the scale 'utc'"),
        ("ids: 1", "ids", "expected a list of numbers, or a file of them, found the integer 1"),
    ],
)
def test_a_selection_that_means_nothing_is_told_at_its_place(folder: Path, keys: str, place: str, message: str) -> None:
    Path("ids.txt").write_text("3, 2\n3\n")
    with pytest.raises(InvalidInput) as error:
        reduce(config(SPECTRA + f"    {keys}\n"))
    (problem,) = error.value.problems
    assert (problem.path, problem.message) == (f"$.observations[0].{place}", message)


@pytest.mark.parametrize(
    ("entry", "place", "message"),
    [
        (
            SPECTRA.replace("{type: aeff_default}", "{type: aeff_max, fixed_offset: 0.5 deg}"),
            "safe_mask[0].fixed_offset",
            "'fixed_offset' is for a map: the responses of a spectrum are those of its region",
        ),
        (
            MAPS.replace("{type: fov}", "{type: adaptive_ring, r_in: 0.5 deg, r_in_max: 0.5 deg, width: 0.2 deg}"),
            "background.r_in_max",
            "0.5 deg is not above r_in, 0.5 deg",
        ),
        (
            SPECTRA.replace("radius: 0.2 deg", "radius: 0 deg"),
            "region",
            "the region has no size, and holds no event",
        ),
        (
            SPECTRA.replace("{type: aeff_default}", "{type: aeff_max, percent: 101}"),
            "safe_mask[0].percent",
            "must be at most 100, found 101",
        ),
        (
            MAPS.replace("radius: 0.3 deg}]", "radius: 0.3 deg}, {type: file, filename: ids.txt, radius: 1 deg}]"),
            "exclude[1]",
            "ids.txt: holds regions, for which a radius means nothing",
        ),
    ],
)
def test_settings_without_an_effect_are_refused(folder: Path, entry: str, place: str, message: str) -> None:
    Path("ids.txt").write_text("icrs\ncircle(83.6, 22.0, 0.5)\n")
    with pytest.raises(InvalidInput) as error:
        reduce(config(entry))
    (problem,) = error.value.problems
    assert (problem.path, problem.message) == (f"$.observations[0].{place}", message)


def test_a_spectrum_may_have_the_responses_of_tables_elsewhere(folder: Path) -> None:
    text = SPECTRA.replace("{type: aeff_default}", "{type: aeff_max, percent: 0.1, fixed_offset: 0.5 deg, irfs: DL3}")
    outcome = reduce(config(text))
    assert outcome.exit_code == 0, [r["reason"] for r in outcome.products[0].document["observations"]]


@pytest.mark.parametrize("entry", [SPECTRA.replace("[83.6, 22.0]", "[10.0, 5.0]"), MAPS.replace("22.3]", "2.3]")])
def test_a_target_elsewhere_is_no_damage(folder: Path, entry: str) -> None:
    outcome = reduce(config(entry.replace("cutout: true", "cutout: false")))
    assert statuses(outcome) == ["empty"] * 3
    reason = outcome.products[0].document["observations"][0]["reason"]
    assert reason == "observation 1: no exposure, the field of view is elsewhere"


def test_which_safe_mask_leaves_nothing_is_told(folder: Path) -> None:
    outcome = reduce(config(SPECTRA.replace("{type: aeff_default}", "{type: offset_max, offset: 0.1 deg}")))
    reason = outcome.products[0].document["observations"][0]["reason"]
    assert reason == "observation 1: the safe mask offset-max leaves no safe bin"
