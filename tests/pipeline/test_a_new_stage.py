"""A stage that nothing but this file knows: what it declares is all that the program needs.

It is added as CONTRIBUTING.md says: a module, a line in the registry, a schema of its result, its section in the schema
of the config.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, final

import pytest

from gm.config_schemas import schema_files
from gm.config_schemas.reader import read_document
from gm.datasets import Datasets
from gm.models import Models
from gm.pipeline.analysis.declaration import Phase
from gm.pipeline.analysis.load import Analysis
from gm.pipeline.analysis.sections import Known, Section, patterns
from gm.pipeline.inputs import Inputs
from gm.pipeline.results import write_document
from gm.pipeline.session import Session
from gm.pipeline.stages.base import Ran, Stage, Task
from gm.pipeline.stages.registry import STAGES
from gm.pipeline.start import Start
from tests.samples import on_off, power_law

CONFIG = """\
version: 1
output: results
datasets: datasets.yaml
models: models.yaml
fit: {}
agreement: {simulations: 20}
"""

# ------------------------------------------------------------------------------------------ the module of the stage


@dataclass(frozen=True)
class AgreementSettings:
    simulations: int
    datasets: tuple[str, ...]


@final
class Agreement(Stage[AgreementSettings]):
    name = section = command = kind = "agreement"
    phase = Phase.MEASUREMENT
    help = "How well the best fit describes the data."
    flags: ClassVar[Mapping[str, str]] = {"in-vain": "Find nothing."}
    defaults: ClassVar[Mapping[str, Any]] = {"simulations": 100, "datasets": "*"}

    def read(self, section: Section) -> AgreementSettings:
        return AgreementSettings(section.resolved["simulations"], patterns(section.resolved["datasets"]))

    def check(self, section: Section, known: Known) -> None:
        known.check_datasets(section, ("datasets",), section.resolved["datasets"])

    def tasks(self, analysis: Analysis) -> Sequence[Task]:
        settings = analysis.of(self)
        return [AgreementTask(self, analysis, settings)] if settings is not None else []


@final
class AgreementTask(Task):
    def __init__(self, stage: Agreement, analysis: Analysis, settings: AgreementSettings) -> None:
        super().__init__(stage, analysis)
        self.settings = settings

    def about(self, start: Start) -> str:
        return f"{self.settings.simulations} simulations of {self.origin}"

    def run(self, session: Session, inputs: Inputs) -> Ran:
        is_vain = "in-vain" in self.analysis.request.flags
        datasets, models = session.start.datasets().select(self.settings.datasets), session.start.models()
        index = models.parameters[models.addresses().resolve("crab.index")].value
        document = {
            "schema": self.stage.schema,
            "name": self.analysis.settings.name,
            "status": "failed" if is_vain else "ok",
            "message": f"{len(datasets)} datasets, index {index:.4f}",
            "inputs": inputs,
        }
        session.begin(self.key, [self.result])
        write_document(self.result, document)
        return document, {"agreement": 0.0}


# ------------------------------------------------------------------------------------------------- its two schemas

SECTION = {
    "type": "object",
    "description": "How well the best fit describes the data",
    "properties": {
        "simulations": {"type": "integer", "description": "Number of simulations. Default 100", "minimum": 1},
        "datasets": {"$ref": "#/definitions/selection", "description": "Datasets that are compared"},
    },
    "additionalProperties": False,
}
RESULT = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {key: {"type": "string"} for key in ("schema", "name", "status", "message")},
    "required": ["schema", "name", "status", "message", "inputs"],
}


@pytest.fixture
def _stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stage among all others, and its schemas, for one test."""
    schemas = tmp_path / "schemas"
    shutil.copytree(schema_files.FOLDER, schemas)
    config = json.loads((schemas / "config.schema.json").read_text())
    config["properties"]["agreement"] = SECTION
    (schemas / "config.schema.json").write_text(json.dumps(config))
    (schemas / "agreement.schema.json").write_text(json.dumps(RESULT))
    monkeypatch.setattr(schema_files, "FOLDER", schemas)
    STAGES.append(Agreement())
    yield
    STAGES.pop()
    monkeypatch.undo()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _stage: None) -> Path:
    """A folder with a small analysis that declares the stage."""
    here = tmp_path / "analysis"
    here.mkdir()
    Datasets([on_off("run-1", 1), on_off("run-2", 2)]).write(here / "datasets.yaml")
    Models([power_law("crab")]).write(here / "models.yaml")
    (here / "config.yaml").write_text(CONFIG)
    monkeypatch.chdir(here)
    return here


Command = Callable[..., tuple[str, str]]


@pytest.fixture
def gm(command: Any, folder: Path) -> Command:
    """Calls a command in the folder; returns what it prints to standard output and standard error."""

    return command


def test_help_and_schema_know_it(gm: Command) -> None:
    lines = [line.split(maxsplit=1) for line in gm("--help")[0].splitlines() if line.strip()]
    assert ["agreement", "How well the best fit describes the data."] in lines
    assert "--in-vain" in gm("agreement", "--help")[0]
    assert "agreement" in gm("schema")[0].splitlines()
    assert json.loads(gm("schema", "agreement")[0]) == RESULT


def test_it_is_planned_and_has_a_rule(gm: Command) -> None:
    assert (
        "agreement   20 simulations of the best fit   up to date: no (fit runs before)" in gm("plan", "config.yaml")[0]
    )
    last = json.loads(gm("deps", "config.yaml", "--json")[0])[-1]
    assert (last["stage"], last["target"]) == ("agreement", "results/agreement/agreement.yaml")
    assert last["inputs"][-1] == "results/fit/fit.yaml"


def test_it_runs_after_the_fit_when_it_has_to(gm: Command, folder: Path) -> None:
    out, err = gm("agreement", "config.yaml")
    assert out == "results/agreement/agreement.yaml\n"
    assert "fit: no result yet" in err
    fitted = read_document(folder / "results/fit/fit.yaml").data["parameters"]
    index = next(row["value"] for row in fitted if row["name"] == "crab.index")
    assert f"config: ok\n  2 datasets, index {index:.4f}" in err
    assert "agreement: up to date" in gm("run", "config.yaml")[1]
    assert "up to date: yes" in gm("plan", "config.yaml")[0].splitlines()[3]
    assert "agreement: config changed" in gm("run", "config.yaml", "-s", "agreement.simulations=3")[1]
    assert (
        "agreement: config changed, fit/models.yaml changed" in gm("run", "config.yaml", "-s", "fit.datasets=run-1")[1]
    )


def test_its_result_is_one_of_all(gm: Command, folder: Path) -> None:
    document = json.loads(gm("agreement", "config.yaml", "--json")[0])
    assert document == read_document(folder / "results/agreement/agreement.yaml").data
    assert json.loads(gm("run", "config.yaml", "--json")[0])["agreement"] == document
    assert "message: 2 datasets" in gm("show", "results/agreement/agreement.yaml")[0]
    assert "agreement" in read_document(folder / "results/provenance.yaml").data["stages"]


def test_a_bad_result_is_an_exit_code(gm: Command) -> None:
    out, _ = gm("agreement", "config.yaml", "--in-vain", code=1)
    assert out == "results/agreement/agreement.yaml\n"


def test_what_is_wrong_with_its_section_has_its_place(gm: Command, folder: Path) -> None:
    (folder / "config.yaml").write_text(CONFIG.replace("{simulations: 20}", "{simulations: 0, datasets: rum-1, n: 3}"))
    _, err = gm("validate", "config.yaml", code=3)
    assert [line for line in err.splitlines() if line.startswith("config.yaml")] == [
        "config.yaml:6:26: $.agreement.simulations: must be at least 1, found 0",
        "config.yaml:6:39: $.agreement.datasets: no dataset matches 'rum-1'",
        "config.yaml:6:46: $.agreement.n: unknown key 'n'",
    ]


def test_without_its_section_it_has_nothing_to_do(gm: Command) -> None:
    _, err = gm("agreement", "config.yaml", "-s", "agreement=null", code=3)
    assert "no section 'agreement:'\n    gm agreement needs it" in err


def test_declarations_agree_with_the_schemas() -> None:
    """In the order in which they run, each with a section in the schema of the config, and a schema of its result."""
    assert [stage.phase for stage in STAGES] == sorted(stage.phase for stage in STAGES)
    for names in ("name", "section", "command"):
        assert len({getattr(stage, names) for stage in STAGES}) == len(STAGES)
    for stage in STAGES:
        section = schema_files.load_schema("config")["properties"][stage.section]
        kinds = section["type"] if isinstance(section["type"], list) else [section["type"]]
        assert ("array" in kinds) == stage.is_list
        assert not stage.kind or stage.kind in schema_files.schema_names()
        assert stage.help.endswith(".")
