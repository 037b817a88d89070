"""The validator against draft-07, the schemas against their own rules, and the users' real files."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gm.config_schemas import second_opinion as second_opinions
from gm.config_schemas.reader import Document, read_document
from gm.config_schemas.schema_files import load_schema, schema_names
from gm.config_schemas.second_opinion import second_opinion
from gm.config_schemas.validator import check, sound_part, unsound_keys
from gm.errors import suggest
from tests.work import calls

HERE = Path(__file__).parent
KNOWN = {
    *("$schema", "$id", "$ref", "title", "description", "definitions", "type", "enum", "const", "anyOf"),
    *("properties", "required", "additionalProperties", "propertyNames", "minProperties", "maxProperties"),
    *("items", "minItems", "maxItems", "uniqueItems", "minLength", "pattern"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
    *("x-expected", "x-planned", "x-not-finite", "x-schema"),
}
FREE = {"metadata", "reference_model", "reference_models"}  # what others write there is theirs


def subschemas(schema: dict[str, Any], name: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """A schema and every schema in it, with the key that each is the value of."""
    yield name, schema
    for word in ("properties", "definitions"):
        for key, inside in schema.get(word, {}).items():
            yield from subschemas(inside, key)
    for inside in schema.get("anyOf", []):
        yield from subschemas(inside, name)
    for word in ("items", "additionalProperties"):
        if isinstance(schema.get(word), dict):
            yield from subschemas(schema[word], name)


@pytest.mark.parametrize("name", schema_names())
def test_schemas_are_closed_described_and_draft_7(name: str) -> None:
    schema = load_schema(name)
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert schema["$id"] == f"gm-{name}.schema.json"
    assert schema["title"]
    for key, inside in subschemas(schema):
        assert set(inside) <= KNOWN, key
        assert "pattern" not in inside or "x-expected" in inside, key
        if "properties" in inside:
            assert "additionalProperties" in inside, key
        elif inside.get("type") == "object" and key not in FREE:
            assert isinstance(inside.get("additionalProperties"), dict), key
        for child, described in inside.get("properties", {}).items():
            target = schema["definitions"][described["$ref"].split("/")[-1]] if "$ref" in described else {}
            assert (described.get("description") or target.get("description", "")).strip(), f"{key}.{child}"


def test_the_kinds_of_file() -> None:
    assert schema_names() == [
        "config",
        "datasets",
        "edits",
        "extension",
        "find",
        "fit",
        "flux-points",
        "goodness",
        "impacts",
        "light-curve",
        "localize",
        "maps",
        "models",
        "observations",
        "profile",
        "sample",
        "select",
        "sensitivity",
        "toys",
    ]


def nodes(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of everything in plain data."""
    yield path
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        yield from nodes(value, (*path, key))


GOOD = [
    (file.name.split(".")[0], read_document(file).data)
    for file in sorted((HERE / "positive").glob("*.yaml"))
    if not file.name.startswith("yaml.")
]
REPLACEMENTS = st.sampled_from(
    [None, True, False, 0, -1, 7, 2.5, "", "x", "1 TeV", "iact", [], ["x"], [1.5, 2], {}, {"type": "pl"}]
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_the_verdict_is_that_of_jsonschema(data: st.DataObject) -> None:
    kind, good = data.draw(st.sampled_from(GOOD))
    changed = copy.deepcopy(good)
    path = data.draw(st.sampled_from(list(nodes(changed))[1:]))
    parent = changed
    for step in path[:-1]:
        parent = parent[step]
    how = data.draw(st.sampled_from(["replace", "remove", "rename"]))
    if how == "replace" or isinstance(parent, list):
        parent[path[-1]] = data.draw(REPLACEMENTS)
    elif how == "remove":
        del parent[path[-1]]
    else:
        parent[f"{path[-1]}x"] = parent.pop(path[-1])
    is_valid = jsonschema.Draft7Validator(load_schema(kind)).is_valid(changed)
    if any(isinstance(changed.get(key), dict) for key in ("models", "datasets")) and is_valid:
        return  # what is inside an inline document only gm checks
    assert (check(Document(changed, "x.yaml", Path(".")), kind) == []) == is_valid


def test_a_missing_key_is_found_in_place_of_a_misspelt_one() -> None:
    document = read_document("x.yaml", "datasets:\n  - {name: a, typ: SpectrumDataset, filename: a.fits}\n")
    first, second = check(document, "datasets")
    assert first.message == "key 'type' is missing"
    assert second.hint == "keys: type, stat_type      did you mean 'type'?"


def test_of_many_keys_the_nearest_are_listed_first() -> None:
    """Of a mapping with more keys than a line holds, what was meant is never behind the dots."""
    properties = {f"other_{k}": {} for k in range(20)} | {"energy_min": {}, "energy_edges": {}}
    found = suggest("energyedges", properties, "keys")
    assert found.startswith("keys: energy_edges, energy_min, other_0, ")
    assert found.endswith(", ... (22)      did you mean 'energy_edges'?")
    assert found.count("other_") == 10
    assert suggest("", properties, "keys").startswith("keys: other_0, other_1, ")


def test_hints_say_what_to_write() -> None:
    text = (
        "version: 1\nmodels: 3\nfit: {minos: 3}\nflux_points: {source: crab}\n"
        "parameters: {a.b: {value: '3', frozen: on}}\n"
    )
    hints = {problem.path: problem.hint for problem in check(read_document("x.yaml", text), "config")}
    assert hints == {
        "$.models": "write '3' in quotes",
        "$.fit.minos": "write '3' in quotes",
        "$.flux_points": "start each item of the list with '- '",
        "$.parameters.a.b.value": "write it without quotes",
        "$.parameters.a.b.frozen": "write true or false: in YAML 1.2 nothing else is a boolean",
    }


def test_checks_take_work_in_proportion_to_the_datasets() -> None:
    def work(n: int) -> int:
        rows = [{"name": f"run-{i}", "type": "SpectrumDatasetOnOff", "filename": f"pha_{i}.fits"} for i in range(n)]
        document = Document({"datasets": rows}, "x.yaml", Path("."))
        assert check(document, "datasets") == []
        return calls(lambda: check(document, "datasets"))

    assert 100 < work(1000) < 10.5 * work(100)


def test_the_users_files_are_valid(shared: Path) -> None:
    files = [file for folder in ("data", "reference") for file in sorted((shared / folder).rglob("*models*.yaml"))]
    assert len(files) > 10
    for file in files:
        assert check(read_document(file), "models") == [], file
    for name in ("joint-crab", "hess-crab-1d", "flux-points"):
        assert check(read_document(shared / "reference" / name / "datasets.yaml"), "datasets") == []


def test_the_example_documents_of_the_manual(shared: Path) -> None:
    # design/product.md, where ``...`` stands for a number: its config runs but for the sections that are planned
    blocks = (shared / "design" / "product.md").read_text().split("```yaml\n")[1:]
    config, fit, points = (block.split("```")[0] for block in blocks)
    problems = check(read_document("config.yaml", config.replace("{...}", "{}")), "config")
    assert {problem.path for problem in problems} == {"$.observations"}
    fit = fit.replace(", ...}", "}").replace(", ...]", "]").replace("[[...]]", "[[1]]").replace(" ...", " 1")
    fit = fit.replace("message: 1", "message: all is well")
    assert check(read_document("fit.yaml", fit), "fit") == []
    head = "schema: gm/flux-points/1\nname: a\nsource: crab\nreference_model: {type: pl}\n"
    head += "confidence: {sigma: 1, sigma_ul: 2}\nstatus: ok\n"
    points = points.replace("[...]", "[1]").replace(" ...", " 1")
    assert check(read_document("sed.yaml", head + points), "flux-points") == []


def test_reading_and_checking_import_no_numpy() -> None:
    program = (
        "import sys\nfrom gm.config_schemas.reader import read_document\n"
        "from gm.config_schemas.validator import check\n"
        "check(read_document('x', 'version: 1'), 'config')\n"
        "print([name for name in ('numpy', 'astropy', 'scipy', 'jsonschema') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_the_second_opinion_has_a_place_too(tmp_path: Path) -> None:
    """What `jsonschema` finds is told where it is, should the validator ever miss it."""
    file = tmp_path / "config.yaml"
    file.write_text("version: 1\ndatasets: a.yaml\nmodels: b.yaml\nfit:\n  minos: 3\n")
    (problem,) = second_opinion(read_document(file), "config")
    assert (problem.line, problem.path) == (5, "$.fit.minos")


def test_the_second_opinion_is_not_asked_for_what_takes_it_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many values as `MAX_VALUES` are asked about, with one more nothing is, however wrong they are."""
    document = read_document("x", "version: 1\nfit: {minos: 3}\nlinks: [1, 2, 3]\n")  # 3 keys, one inside, 3 items
    monkeypatch.setattr(second_opinions, "MAX_VALUES", 7)
    assert len(second_opinion(document, "config")) > 3
    monkeypatch.setattr(second_opinions, "MAX_VALUES", 6)
    assert second_opinion(document, "config") == []


def test_the_second_opinion_is_not_asked_about_20000_components(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = "".join(f"- {{name: c{k}}}\n" for k in range(20_000))
    document = read_document("x", "components:\n" + rows)
    monkeypatch.setattr("jsonschema.Draft7Validator.iter_errors", lambda *_: pytest.fail("was asked"))
    assert second_opinion(document, "models") == []


def test_nothing_where_a_mapping_belongs_makes_its_section_unsound() -> None:
    data = {"version": 1, "simulate": {"datasets": [{"name": "a", "response": "iact"}, None]}, "fit": {}}
    assert unsound_keys(data, "config") == {"simulate"}
    assert sound_part(data, "config") == data


def test_half_a_position_is_none() -> None:
    """A list of so many items is worth nothing with one that is wrong; of any number the others stay."""
    data = {"version": 1, "maps": [{"type": "profile", "center": ["a", 22.0], "max": "1 deg", "n": 3}]}
    assert sound_part(data, "config")["maps"] == [{"type": "profile", "max": "1 deg", "n": 3}]
    data = {"version": 1, "maps": [{"type": "excess", "datasets": ["a", 3]}]}
    assert sound_part(data, "config")["maps"] == [{"type": "excess", "datasets": ["a", None]}]
