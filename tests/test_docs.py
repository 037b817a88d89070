"""The documentation is true: its Python runs, its YAML is valid, and every key of the config is described."""

from __future__ import annotations

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gm.config_schemas.reader import read_document
from gm.config_schemas.schema_files import load_schema
from gm.config_schemas.validator import check

ROOT = Path(__file__).resolve().parent.parent
DOCS = sorted((ROOT / "docs").rglob("*.md"))


def blocks(path: Path, language: str) -> list[str]:
    """The fenced code blocks of one language, without the indentation of a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^\1```", path.read_text(), re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def yaml_blocks() -> Iterator[Any]:
    for path in [ROOT / "README.md", *DOCS]:
        for number, text in enumerate(blocks(path, "yaml")):
            first = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).split(":")[0]
            if first in ("operations", "observations"):  # a part of a config
                text, first = f"version: 1\nmodels: models.yaml\n{text}", "version"
            schema = {"version": "config", "components": "models", "datasets": "datasets"}[first]
            yield pytest.param(schema, text, id=f"{path.stem}-{number}-{schema}")


@pytest.mark.parametrize(("schema", "text"), list(yaml_blocks()))
def test_yaml_blocks_are_valid(schema: str, text: str) -> None:
    assert check(read_document("block.yaml", text), schema) == []


def test_python_blocks_run(shared: Path, tmp_path: Path) -> None:
    shutil.copytree(shared / "reference" / "hess-crab-1d", tmp_path / "work")
    code = "\n".join(blocks(ROOT / "docs" / "python-api.md", "python"))
    variables = {**os.environ, "HESS_DL3_DR1": str(shared / "data" / "hess-dl3-dr1")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path / "work",
        env=variables,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "converged" in done.stdout
    assert "crab-23523 192.0" in done.stdout


def test_worked_examples_give_the_numbers_that_they_show() -> None:
    failed, attempted = doctest.testfile(str(ROOT / "docs" / "operations.md"), module_relative=False)
    assert attempted > 20
    assert failed == 0


def keys(schema: Any) -> set[str]:
    """All property names anywhere in a schema."""
    if isinstance(schema, list):
        return set().union(*map(keys, schema))
    if not isinstance(schema, dict):
        return set()
    return set(schema.get("properties", {})).union(*map(keys, schema.values()))


def test_every_key_of_the_config_is_described() -> None:
    text = re.sub(r"^```.*?^```", "", (ROOT / "docs" / "configuration.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    code = " ".join(re.findall(r"`([^`]+)`", text))
    words = set(re.findall(r"\w+", code))
    assert keys(load_schema("config")) <= words


@pytest.mark.parametrize(
    ("document", "schema"), [("results.md", kind) for kind in ("fit", "flux-points", "light-curve", "profile")]
)
def test_top_level_keys_of_results_are_described(document: str, schema: str) -> None:
    words = set(re.findall(r"\w+", (ROOT / "docs" / document).read_text()))
    assert set(load_schema(schema)["properties"]) <= words


def test_commands_of_the_documents_exist() -> None:
    from gm.cli.group import command_names

    named = set()
    for path in [ROOT / "README.md", *DOCS]:
        named |= set(re.findall(r"^gm ([a-z][a-z-]*)", "\n".join(blocks(path, "console")), re.MULTILINE))
        named |= set(re.findall(r"`gm ([a-z][a-z-]*)", path.read_text()))
    assert named
    assert named <= set(command_names())


def test_schema_documents_are_json() -> None:
    for name in ("config", "models", "datasets", "fit", "flux-points"):
        assert json.loads(json.dumps(load_schema(name)))["$schema"].endswith("draft-07/schema#")


def test_what_is_written_of_the_models_is_what_their_classes_say() -> None:
    sys.path.insert(0, str(ROOT))
    from docs.models import written

    for path, text in written():
        assert path.read_text("utf-8") == text, f"{path.name}: write it again with python docs/models.py"
