"""Results are whole or made anew, whatever stopped a run; and they replace only what gm has written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from gm.datasets import Datasets
from gm.datasets.files.ogip_spectrum import write_ogip
from gm.errors import DataError, InvalidInput, UsageError
from gm.io.locking import alone_in
from gm.io.yaml_writer import dump_yaml
from gm.models import Models
from gm.pipeline.analysis.request import Request
from gm.pipeline.commands.deps import dependencies
from gm.pipeline.commands.validate import validate
from gm.pipeline.provenance import Record
from gm.pipeline.reporter import Silent
from gm.pipeline.run import Outcome, run
from tests.samples import on_off, power_law, spectrum

HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
SIMULATION = """\
version: 1
output: results
models: models.yaml
simulate:
  seed: 1
  datasets:
    - {name: run, copies: 3, response: iact, livetime: 1 h, energy: {min: 1 TeV, max: 10 TeV, n_bins: 4}}
fit: {}
flux_points: [{source: crab, name: sed, energy_edges: [1 TeV, 10 TeV]}]
"""
APPLYING = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
operations:
  - stack: {datasets: "run-*", name: stacked}
  - slice_energy: {dataset: stacked, name: part, min: 1 TeV, max: 10 TeV}
fit: {}
"""


class Stopped(BaseException):
    """Stands for whatever ends a process."""


@pytest.fixture
def analysis(tmp_path: Path) -> Path:
    """A global model, two spectra and their list."""
    Models([power_law("crab")]).write(tmp_path / "models.yaml")
    Datasets(spectrum(f"run-{seed}", seed, exposure=1e13) for seed in (1, 2)).write(tmp_path / "datasets.yaml")
    return tmp_path


def config(folder: Path, text: str) -> Request:
    (folder / "config.yaml").write_text(text)
    return Request(str(folder / "config.yaml"))


def edited(folder: Path, text: str, old: str, new: str) -> Request:
    assert old in text
    return config(folder, text.replace(old, new))


def content(folder: Path) -> dict[str, str]:
    """The hash of every file of the results but the record, which holds times."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and file.name != "provenance.yaml"]
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def ran(outcome: Outcome) -> list[str]:
    return [product.stage.name for product in outcome.products if product.ran]


@contextmanager
def stopped_at(monkeypatch: pytest.MonkeyPatch, function: str, call: int) -> Iterator[None]:
    """The process ends when a function is called for the n-th time, before it does anything."""
    module, name = function.rsplit(".", 1)
    original, calls = getattr(sys.modules[module], name), 0

    def counted(*arguments: Any, **keywords: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call:
            raise Stopped
        return original(*arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(function, counted)
        with pytest.raises(Stopped):
            yield


@pytest.mark.parametrize(
    ("text", "old", "new", "function", "call"),
    [
        (SIMULATION, "seed: 1", "seed: 2", "gm.pipeline.stages.simulate.run.write_dataset", 2),
        (SIMULATION, "seed: 1", "seed: 2", "gm.pipeline.stages.simulate.run.write_atomic", 1),
        (SIMULATION, "copies: 3", "copies: 2", "gm.pipeline.stages.simulate.run.write_dataset", 2),
        (SIMULATION, "fit: {}", "parameters: {crab.index: {frozen: true}}\nfit: {}",
         "gm.pipeline.stages.fit.run.write_document", 1),
        (SIMULATION, "[1 TeV, 10 TeV]", "[1 TeV, 3 TeV]", "gm.pipeline.stages.flux_points.run.write_document", 1),
        (APPLYING, "min: 1 TeV", "min: 2 TeV", "gm.pipeline.stages.apply.run.write_dataset", 1),
        (APPLYING, "min: 1 TeV", "min: 2 TeV", "gm.pipeline.stages.apply.run.write_document", 1),
        (APPLYING, "name: part", "name: other", "gm.pipeline.stages.apply.run.write_document", 1),
    ],
)  # fmt: skip
def test_a_run_that_is_stopped_leaves_no_mixture(
    analysis: Path, monkeypatch: pytest.MonkeyPatch, text: str, old: str, new: str, function: str, call: int
) -> None:
    first = config(analysis, text)
    run(first, Silent())
    clean = content(analysis / "results")
    other = edited(analysis, text, old, new)
    with stopped_at(monkeypatch, function, call):
        run(other, Silent())
    again = config(analysis, text)
    assert ran(run(again, Silent()))
    assert content(analysis / "results") == clean
    assert ran(run(again, Silent())) == []


@pytest.mark.parametrize(
    ("text", "file", "stage"),
    [
        (SIMULATION, "datasets/run-2.fits", "simulate"),
        (SIMULATION, "models.yaml", "simulate"),
        (SIMULATION, "fit/models.yaml", "fit"),
        (SIMULATION, "fit/models_covariance.dat", "fit"),
        (SIMULATION, "flux_points/sed.ecsv", "flux_points"),
        (APPLYING, "datasets/part.fits", "apply"),
    ],
)
@pytest.mark.parametrize("is_gone", [False, True])
def test_a_result_that_was_changed_is_made_anew(
    analysis: Path, text: str, file: str, stage: str, is_gone: bool
) -> None:
    request = config(analysis, text)
    run(request, Silent())
    clean = content(analysis / "results")
    path = analysis / "results" / file
    path.unlink() if is_gone else path.write_bytes(path.read_bytes() + b" ")
    assert stage in ran(run(request, Silent()))
    assert content(analysis / "results") == clean


def test_what_is_not_made_any_more_is_removed(analysis: Path) -> None:
    run(config(analysis, SIMULATION), Silent())
    run(edited(analysis, SIMULATION, "copies: 3", "copies: 2"), Silent())
    assert sorted(os.listdir(analysis / "results" / "datasets")) == ["run-1.fits", "run-2.fits"]


def test_every_file_that_a_stage_opens_is_among_its_inputs(analysis: Path) -> None:
    """Asked of the interpreter itself: which files are opened, in a folder that holds nothing but inputs."""
    write_ogip(on_off("pha", 5).with_(livetime=3600.0), analysis / "pha.fits")
    text = """\
version: 1
output: ../results
models: models.yaml
simulate:
  datasets: [{name: a, response: {filename: pha.fits, type: SpectrumDatasetOnOff}}]
operations: [{slice_energy: {dataset: a, name: b, min: 1 TeV}}]
fit: {}
flux_points: [{source: crab, name: sed, energy_edges: [1 TeV, 10 TeV]}]
"""
    probe = """
import json, sys
from gm.pipeline.reporter import Silent
from gm.pipeline.analysis.request import Request
from gm.pipeline.run import run
opened = set()
sys.addaudithook(lambda event, given: opened.add(str(given[0])) if event == "open" else None)
run(Request("config.yaml"), Silent())
print(json.dumps(sorted(opened)))
"""
    config(analysis, text)
    called = subprocess.run(
        [sys.executable, "-c", probe],
        cwd=analysis,
        capture_output=True,
        text=True,
        env=HERE,
    )
    assert called.returncode == 0, called.stderr
    opened = {Path(os.path.normpath(name)).name for name in json.loads(called.stdout)} & set(os.listdir(analysis))
    record = Record(analysis.parent / "results")
    assert {"pha_arf.fits", "pha_bkg.fits", "pha_rmf.fits"} <= {
        Path(file).name for file in dependencies(Request(str(analysis / "config.yaml")))[0]["inputs"]
    }
    inputs = {name for key in ("simulate", "apply", "fit") for name in (record.finished(key) or {})["inputs"]["files"]}
    assert {"pha.fits", "pha_arf.fits", "pha_bkg.fits", "pha_rmf.fits", "models.yaml"} <= opened
    assert opened - {"config.yaml"} <= {Path(name).name for name in inputs}


def test_a_file_that_changes_while_it_is_used_is_told(analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = config(analysis, APPLYING)
    original = sys.modules["gm.pipeline.stages.apply.run"].write_document

    def meanwhile(*arguments: Any) -> None:
        os.utime(analysis / "run-1.fits", (1, 1))
        original(*arguments)

    monkeypatch.setattr("gm.pipeline.stages.apply.run.write_document", meanwhile)
    with pytest.raises(DataError, match=r"run-1.fits: was changed while it was used"):
        run(request, Silent())
    monkeypatch.undo()
    assert ran(run(request, Silent())) == ["apply", "fit"]


def test_an_edit_that_hides_itself_is_told_and_another_mode_is_none(
    analysis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Data of the same size and time, put back after the run, are not what the result was made from."""
    request, file = config(analysis, APPLYING), analysis / "run-1.fits"
    right, state = file.read_bytes(), file.stat()

    def put(data: bytes) -> None:
        file.write_bytes(data)
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

    edit = edited_while(monkeypatch, "gm.pipeline.stages.apply.run.write_atomic", lambda: put(right[:-1] + b"x"))
    with edit, pytest.raises(DataError, match=r"run-1.fits: was changed while it was used"):
        run(request, Silent())
    put(right)
    with edited_while(monkeypatch, "gm.pipeline.stages.apply.run.write_atomic", lambda: file.chmod(0o600)):
        assert ran(run(request, Silent())) == ["apply", "fit"]


@pytest.mark.parametrize("change", ["seed: 1", "seed: 2"])  # up to date, or not
def test_temporary_files_of_killed_runs_are_removed(analysis: Path, change: str) -> None:
    run(config(analysis, SIMULATION), Silent())
    folder = analysis / "results" / "datasets"
    left = [folder / ".run-1.fits.0123abcd.part", analysis / "results" / ".provenance.yaml.0123abcd.part"]
    others = [folder / ".run-9.fits.0123abcd.part", folder / "run-1.fits.part", folder / ".run-1.fits.mine.part"]
    for file in (*left, *others):
        file.write_text("half")
    run(edited(analysis, SIMULATION, "seed: 1", change), Silent())
    assert [file.exists() for file in left] == [False, False]
    assert all(file.exists() for file in others)


def test_covariances_that_older_records_leave_out_are_on_record(analysis: Path) -> None:
    run(config(analysis, SIMULATION), Silent())
    file = analysis / "results" / "provenance.yaml"
    data = yaml.safe_load(file.read_text())
    for record in data["stages"].values():
        record["outputs"] = [name for name in record["outputs"] if "covariance" not in name]
    file.write_text(dump_yaml(data))
    assert "fit" in ran(run(edited(analysis, SIMULATION, "seed: 1", "seed: 2"), Silent()))


# What may be written


def check_refused(request: Request, match: str, call: Callable[[Request, Silent], object] = run) -> None:
    folder = Path(request.config).parent
    before = content(folder)
    with pytest.raises(InvalidInput, match=match):
        call(request, Silent())
    assert content(folder) == before
    assert match.replace("\\", "") in str(validate(request)[0].problems)


@pytest.mark.parametrize("text", [APPLYING, SIMULATION])
def test_inputs_are_not_overwritten(analysis: Path, text: str) -> None:
    check_refused(
        edited(analysis, text, "output: results", "output: ."), "models.yaml would be replaced, and is an input"
    )


def test_measured_data_are_not_overwritten_by_a_simulation_of_them(analysis: Path) -> None:
    (analysis / "datasets").mkdir()
    os.rename(analysis / "run-1.fits", analysis / "datasets" / "run-1.fits")
    row = "{name: run-1, type: SpectrumDataset, filename: datasets/run-1.fits}"
    text = f"version: 1\noutput: ./\nmodels: {{components: []}}\ndatasets: {{datasets: [{row}]}}\nsimulate: {{}}\n"
    text = text.replace("{components: []}", "sub/models.yaml")
    (analysis / "sub").mkdir()
    os.rename(analysis / "models.yaml", analysis / "sub" / "models.yaml")
    os.remove(analysis / "datasets.yaml")
    check_refused(config(analysis, text), "datasets/run-1.fits would be replaced, and is an input")


def test_an_input_by_another_name_is_not_overwritten(analysis: Path) -> None:
    (analysis / "results" / "fit").mkdir(parents=True)
    (analysis / "results" / "fit" / "models.yaml").symlink_to(analysis / "models.yaml")
    check_refused(config(analysis, SIMULATION), "fit/models.yaml would be replaced, and is an input")


def test_a_fit_does_not_start_from_its_own_result(analysis: Path) -> None:
    run(config(analysis, SIMULATION), Silent())
    request = edited(analysis, SIMULATION, "models: models.yaml", "models: results/fit/models.yaml")
    check_refused(request, "fit/models.yaml would be replaced, and is an input")


def test_an_input_is_not_removed_with_the_results_that_it_came_from(analysis: Path) -> None:
    run(config(analysis, SIMULATION), Silent())
    row = "{name: mine, type: SpectrumDatasetOnOff, filename: results/datasets/run-3.fits}"
    text = f"version: 1\noutput: results\nmodels: models.yaml\ndatasets: {{datasets: [{row}]}}\nsimulate: {{}}\n"
    check_refused(config(analysis, text), "datasets/run-3.fits would be replaced, and is an input")


def test_a_covariance_of_somebody_else_beside_models_on_record_stays(analysis: Path) -> None:
    run(config(analysis, APPLYING), Silent())
    mine = analysis / "results" / "models_covariance.dat"
    assert not mine.exists()
    mine.write_text("mine")
    check_refused(edited(analysis, APPLYING, "min: 1 TeV", "min: 2 TeV"), "is there, and no record says")


def test_models_may_be_edited_while_they_are_fitted(analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = config(analysis, APPLYING)
    original = sys.modules["gm.pipeline.stages.fit.run"].write_document

    def meanwhile(*arguments: Any) -> None:
        (analysis / "models.yaml").write_text((analysis / "models.yaml").read_text() + "# for the next fit\n")
        original(*arguments)

    monkeypatch.setattr("gm.pipeline.stages.fit.run.write_document", meanwhile)
    assert ran(run(request, Silent())) == ["apply", "fit"]
    monkeypatch.undo()
    assert ran(run(request, Silent())) == ["apply"]  # and its result is the same, so that the fit is up to date


@contextmanager
def edited_while(monkeypatch: pytest.MonkeyPatch, function: str, edit: Callable[[], None]) -> Iterator[None]:
    """Somebody edits a file after a function has done its work for the first time."""
    module, name = function.rsplit(".", 1)
    original, edits = getattr(sys.modules[module], name), [edit]

    def followed(*arguments: Any, **keywords: Any) -> Any:
        result = original(*arguments, **keywords)
        if edits:
            edits.pop()()
        return result

    with monkeypatch.context() as patch:
        patch.setattr(function, followed)
        yield


def in_place(file: Path, old: str, new: str) -> Callable[[], None]:
    """An edit that leaves size and time of the file as they are."""

    def edit() -> None:
        state, text = file.stat(), file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))
        os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))

    return edit


def test_what_is_edited_while_a_run_waits_for_another_is_read_again(
    analysis: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The result is that of the edited model, as on record; the same holds for an edit while documents are read."""
    models = analysis / "models.yaml"
    request = config(analysis, APPLYING)
    in_place(models, "value: 2.3", "value: 2.5")()
    run(request, Silent())
    expected = content(analysis / "results")
    in_place(models, "value: 2.5", "value: 2.3")()
    shutil.rmtree(analysis / "results")

    def alone(folder: Path, tell: Callable[[], None]) -> Any:
        tell()
        in_place(models, "value: 2.3", "value: 2.5")()
        return alone_in(folder, tell)

    with monkeypatch.context() as patch:
        patch.setattr("gm.pipeline.run.alone_in", alone)
        run(request, Silent())
    assert content(analysis / "results") == expected
    assert ran(run(request, Silent())) == []
    in_place(models, "value: 2.5", "value: 2.3")()
    shutil.rmtree(analysis / "results")
    with edited_while(monkeypatch, "gm.pipeline.loading.load", in_place(models, "value: 2.3", "value: 2.5")):
        run(request, Silent())
    assert content(analysis / "results") == expected
    assert ran(run(request, Silent())) == []


def test_what_is_edited_between_reading_and_recording_is_told(analysis: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request, edit = config(analysis, APPLYING), in_place(analysis / "models.yaml", "value: 2.3", "value: 2.5")
    with (
        edited_while(monkeypatch, "gm.pipeline.run.build_tasks", edit),
        pytest.raises(DataError, match=r"models.yaml: was changed after it was read\n    run the command again"),
    ):
        run(request, Silent())
    assert not (analysis / "results").exists()


@pytest.mark.parametrize("file", ["models_covariance.dat", "edits.yaml", "fit/fit.yaml", "provenance.yaml"])
def test_files_of_others_are_not_overwritten(analysis: Path, file: str) -> None:
    path = analysis / "results" / file
    path.parent.mkdir(parents=True)
    path.write_text("mine")
    check_refused(config(analysis, APPLYING), f"results/{file} is there, and no record says that gm has written it")


def test_a_folder_where_a_file_is_to_be(analysis: Path) -> None:
    (analysis / "results" / "fit" / "fit.yaml").mkdir(parents=True)
    check_refused(config(analysis, SIMULATION), "fit.yaml would be replaced, and is no file")


def test_results_need_a_folder(analysis: Path) -> None:
    (analysis / "results").write_text("mine")
    with pytest.raises(InvalidInput, match="results is a file, expected a folder") as found:
        run(config(analysis, SIMULATION), Silent())
    assert found.value.exit_code == DataError.exit_code


def test_a_link_that_leads_nowhere_is_no_file(analysis: Path) -> None:
    """As to a disk that is not mounted."""
    (analysis / "results").symlink_to("/nowhere/results")
    words = "results is a link to '/nowhere/results', which is not there, expected a folder"
    with pytest.raises(InvalidInput, match=words) as found:
        run(config(analysis, SIMULATION), Silent())
    assert found.value.exit_code == DataError.exit_code


@pytest.mark.parametrize("name", ["", " ", "$GM_NOT_SET", "${GM_NOT_SET}/results", "a/$GM_EMPTY"])
def test_a_folder_without_a_name(analysis: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("GM_EMPTY", "")
    request = config(analysis, SIMULATION)
    with pytest.raises(
        UsageError, match=r"the folder of the results (has an empty name|is '.*', and \$\w+ is not set)"
    ):
        run(Request(request.config, output=name), Silent())
    with pytest.raises(InvalidInput, match=r"\$\.output: "):
        run(edited(analysis, SIMULATION, "output: results", f"output: '{name}'"), Silent())


def test_results_without_permission_are_told_before_anything_is_computed(
    held_back: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Models([power_law("crab")]).write(held_back / "models.yaml")
    request = config(held_back, SIMULATION)
    (held_back / "results").mkdir()
    (held_back / "results" / "datasets").mkdir(mode=0o500)
    monkeypatch.setattr("gm.pipeline.stages.simulate.run.run_simulation", lambda *_: pytest.fail("computed"))
    with pytest.raises(DataError, match=r"no permission in '.*datasets'"):
        run(request, Silent())


def test_datasets_whose_names_become_one_file_name(analysis: Path) -> None:
    rows = "".join(
        f"    - {{name: '{name}', response: iact, livetime: {hours} h}}\n"
        for name, hours in (("run 1", 1), ("run_1", 50), ("run/1", 100), ("RUN:1", 200), ("$HOME", 300), ("~", 400))
    )
    text = f"version: 1\noutput: results\nmodels: models.yaml\nsimulate:\n  datasets:\n{rows}"
    run(config(analysis, text), Silent())
    made = Datasets.read(analysis / "results" / "datasets.yaml")
    assert [round(dataset.livetime / 3600) for dataset in made] == [1, 50, 100, 200, 300, 400]  # type: ignore[union-attr]
    assert made.names == ["run 1", "run_1", "run/1", "RUN:1", "$HOME", "~"]


# One process at a time


def test_a_folder_is_held_by_one_process_and_left_as_it_was(tmp_path: Path) -> None:
    waited: list[str] = []
    hold = f"""
import sys
from pathlib import Path
from gm.io.locking import alone_in
from gm.io.yaml_writer import dump_yaml
with alone_in(Path({str(tmp_path / "new")!r}), lambda: None) as is_alone:
    print(is_alone, flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", hold],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=HERE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    with alone_in(tmp_path / "new", lambda: (waited.append("waits"), process.kill())[0]) as is_alone:
        assert is_alone
    process.communicate()
    assert waited == ["waits"]
    assert not os.listdir(tmp_path / "new")  # what was there before stays
    with alone_in(tmp_path, lambda: pytest.fail("waits")):
        pass
    assert tmp_path.is_dir()


def test_a_folder_that_cannot_be_made(held_back: Path) -> None:
    (held_back / "closed").mkdir(mode=0o500)
    with (
        pytest.raises(DataError, match="cannot hold results: Permission denied"),
        alone_in(held_back / "closed" / "results", lambda: None),
    ):
        pass
